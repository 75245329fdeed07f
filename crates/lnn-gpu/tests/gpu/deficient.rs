//! Steps with samples whose mass matrix is not of full rank, in the middle of a submission.

use lnn_autodiff::features::{Feature, FeatureMap};
use lnn_autodiff::pseudoinverse::Tolerance;
use lnn_autodiff::{Activation, MlpShape};
use lnn_gpu::device::{Device, DeviceOptions};
use lnn_gpu::loss::Loss;
use lnn_gpu::optimiser::{AdamSettings, SoapSettings};
use lnn_gpu::step::Clipping;
use lnn_gpu::training::{
    Batches, LagrangianModel, Model, OptimiserSettings, Source, Submitted, Training, TrainingSettings,
};

use crate::ground::device;

const ROWS: usize = 8;
const STEPS: usize = 7;
/// Small, so that what has no rank at first has none later.
const RATES: [f64; STEPS] = [1e-6; STEPS];

/// A Lagrangian network of two coordinates without a residual mass, `width` wide, whose units see one of them each: where
/// q₁ is so large that those of the second one are straight lines, the mass matrix has rank 1, and the force is not in its
/// range.
fn training(device: &Device, models: usize, width: usize, optimiser: OptimiserSettings) -> Training {
    let position = |index| Feature::Position { index, scale: 1.0, centre: 0.0 };
    let velocity = |index| Feature::Velocity { index, scale: 1.0 };
    let features = FeatureMap::new(2, 0, vec![position(0), velocity(0), position(1), velocity(1)]).unwrap();
    let shape = MlpShape::new(&[4, width, 1], Activation::Softplus).unwrap();
    let mut parameters: Vec<f32> = (0..shape.parameter_count()).map(|i| 1.0 + 0.5 * (0.7 * i as f32).sin()).collect();
    for unit in 0..width {
        let foreign = if unit < width / 2 { 2..4 } else { 0..2 };
        parameters[4 * unit..4 * unit + 4][foreign].fill(0.0);
    }
    let settings = TrainingSettings {
        models,
        source: Source::Uploaded { weighted: false },
        batch: ROWS,
        loss: Loss::L2,
        error_units: None,
        penalty: 0.0,
        clipping: Clipping::RunningNorm { limit: 3.0, averaging: 0.9 },
        optimiser,
        weight_decay: 0.0,
        steps: STEPS,
    };
    let model = Model::Lagrangian(LagrangianModel {
        shape,
        features,
        masses: vec![0.0; 2],
        units: None,
        tolerance: Tolerance::for_dimension::<f32>(2),
        potential: None,
    });
    let training = Training::new(device, &model, &settings).unwrap();
    training.upload_parameters(&parameters.repeat(models)).unwrap();
    training
}

/// States and targets of all steps. In each of `deficient`, row 5 of the last model is one that loses rank.
fn batches(models: usize, deficient: &[usize]) -> (Vec<f32>, Vec<f32>) {
    let wave = |count: usize, speed: f32| (0..count).map(|i| (speed * i as f32).sin()).collect::<Vec<_>>();
    let mut states = wave(STEPS * models * ROWS * 4, 0.37);
    for step in deficient {
        let row = (step * models + models - 1) * ROWS + 5;
        states[4 * row + 1] = 300.0;
    }
    (states, wave(STEPS * models * ROWS * 2, 0.53))
}

fn all_at_once(training: &mut Training, (states, target): &(Vec<f32>, Vec<f32>)) -> Vec<Submitted> {
    training.upload_batches(STEPS, Batches { states, target, weights: &[] }).unwrap();
    training.run(0, &RATES).unwrap()
}

/// The reports of all steps, model by model, and the deficient samples of each.
fn one_by_one(training: &mut Training, (states, target): &(Vec<f32>, Vec<f32>)) -> Vec<Submitted> {
    let mut all: Vec<Submitted> = Vec::new();
    let of_step = |numbers: &[f32]| numbers.len() / STEPS;
    for (step, (states, target)) in
        states.chunks_exact(of_step(states)).zip(target.chunks_exact(of_step(target))).enumerate()
    {
        training.upload_batches(1, Batches { states, target, weights: &[] }).unwrap();
        let submitted = training.run(step as u64, &RATES[..1]).unwrap();
        if all.is_empty() {
            all = submitted;
            continue;
        }
        for (all, step) in all.iter_mut().zip(submitted) {
            all.reports.extend(step.reports);
            all.rank_deficient += step.rank_deficient;
            all.skipped = step.skipped;
        }
    }
    all
}

fn bits(training: &Training) -> Vec<u32> {
    training.download_parameters().unwrap().into_iter().map(f32::to_bits).collect()
}

fn adam() -> OptimiserSettings {
    OptimiserSettings::Adam(AdamSettings { beta1: 0.9, beta2: 0.99, epsilon: 1e-8 })
}

#[test]
fn where_a_submission_stops_for_them_changes_no_number() {
    let averages = AdamSettings { beta1: 0.9, beta2: 0.99, epsilon: 1e-8 };
    let soap = OptimiserSettings::Soap { settings: SoapSettings { averages, shampoo_beta: 0.95 }, refresh_every: 3 };
    // Of 256 models each has one workgroup, with a block of full rank before the other.
    let cases = [(1, 12, adam()), (1, 12, soap), (1, 72, adam()), (3, 12, adam()), (3, 12, soap), (256, 12, adam())];
    for (models, width, optimiser) in cases {
        for deficient in [vec![], vec![0], vec![4], vec![2, 3, 6], vec![STEPS - 1]] {
            let case = format!("{models} × {width}, {deficient:?}, {optimiser:?}");
            let batches = batches(models, &deficient);
            let mut whole = training(device(), models, width, optimiser);
            let submitted = all_at_once(&mut whole, &batches);
            let mut single = training(device(), models, width, optimiser);
            let steps = one_by_one(&mut single, &batches);
            assert_eq!(submitted, steps, "{case}");
            assert_eq!(bits(&whole), bits(&single), "{case}");
            let last = submitted.last().unwrap();
            assert_eq!((last.reports.len(), last.rank_deficient), (STEPS, deficient.len() as u64), "{case}");
            assert!(submitted[..models - 1].iter().all(|other| other.rank_deficient == 0), "{case}");
            // What follows does not remember.
            whole.run(STEPS as u64, &RATES[..2]).unwrap();
            single.run(STEPS as u64, &RATES[..1]).unwrap();
            assert_ne!(bits(&whole), bits(&single), "{case}: one step more");
        }
    }
}

/// The first unit sees q₀ alone, and so has no gradient of its weight for q̇₁ but by the constant-rank terms: the second
/// derivative ∂²L/∂q̇₀∂q̇₁ that it would bring turns the mass matrix's null space.
#[test]
fn their_terms_reach_the_weights_that_only_they_reach() {
    for width in [12, 72] {
        let (mut states, target) = batches(1, &[0]);
        // All rows alike.
        states[..4 * ROWS].chunks_exact_mut(4).for_each(|state| state.copy_from_slice(&[0.4, 300.0, 0.3, 0.2]));
        let mut training = training(device(), 1, width, adam());
        let before = training.download_parameters().unwrap();
        training
            .upload_batches(1, Batches { states: &states[..4 * ROWS], target: &target[..2 * ROWS], weights: &[] })
            .unwrap();
        let submitted = training.run(0, &RATES[..1]).unwrap().remove(0);
        assert_eq!((submitted.rank_deficient, submitted.skipped), (ROWS as u64, 0));
        assert_ne!(training.download_parameters().unwrap()[3], before[3], "{width} wide");
    }
}

/// In tiled products a submission without such samples costs what it did; one with them is made once more from there on, and
/// the next one at once. A narrow network's kernel needs nothing of the kind.
#[test]
fn only_the_first_of_them_costs_a_second_submission() {
    let device = Device::open(&DeviceOptions::checked()).unwrap();
    let submissions = |training: &mut Training, deficient: &[usize]| {
        let before = device.activity();
        all_at_once(training, &batches(1, deficient));
        let after = device.activity();
        (after.submissions - before.submissions, after.downloads - before.downloads)
    };
    let mut narrow = training(&device, 1, 12, adam());
    assert_eq!(submissions(&mut narrow, &[]), submissions(&mut narrow, &[4]));
    let mut tiled = training(&device, 1, 72, adam());
    let mut submissions = |deficient: &[usize]| submissions(&mut tiled, deficient);
    let usual = submissions(&[]);
    assert_eq!(submissions(&[]), usual);
    let with_one = submissions(&[4]);
    assert_eq!(with_one, (usual.0 + 1, usual.1 + 1));
    assert_eq!(submissions(&[1, 2]), usual, "the terms are made from the start");
    assert_eq!(submissions(&[]), usual, "and to the end of the submission");
    assert_eq!(submissions(&[0]), with_one, "but not longer");
}
