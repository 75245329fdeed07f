//! A narrow network's step, from its states to the gradient of the loss in one launch, against double precision.

use lnn_autodiff::pseudoinverse::Tolerance;
use lnn_gpu::kernels::NARROW_STEP;
use lnn_gpu::loss::Loss;
use lnn_gpu::mlp::{NarrowTile, TileRole, Tiles};
use lnn_gpu::optimiser::AdamSettings;
use lnn_gpu::step::Clipping;
use lnn_gpu::training::{
    Batches, LagrangianModel, Model, OptimiserSettings, OptimiserState, Source, Training, TrainingSettings,
};

use crate::close::beyond;
use crate::ground::device;
use crate::lagrangian_example::{Problem, numbers, reference};

/// A batch's targets and weights for the accelerations of a problem, and the units of its errors.
struct Batch {
    target: Vec<f32>,
    weights: Vec<f32>,
    units: Vec<f64>,
}

impl Batch {
    fn new(problem: &Problem) -> Self {
        let (d, rows) = (problem.masses.len(), problem.rows);
        let weights = (0..rows).map(|row| 1.0 + 0.1 * row as f32).collect();
        Self { target: numbers(rows * d, 0.53), weights, units: (0..d).map(|i| 0.5 + i as f64).collect() }
    }

    /// Σ w ((x − target) / unit)² / Σ w over accelerations x, and its derivative by x.
    fn loss(&self, x: &[f64]) -> (f64, Vec<f64>) {
        let d = self.units.len();
        let whole: f64 = self.weights.iter().map(|&weight| f64::from(weight)).sum();
        let component = |at: usize| {
            let (unit, weight) = (self.units[at % d], f64::from(self.weights[at / d]) / whole);
            let error = (x[at] - f64::from(self.target[at])) / unit;
            (weight * error * error, 2.0 * weight * error / unit)
        };
        let (losses, slopes): (Vec<f64>, Vec<f64>) = (0..x.len()).map(component).unzip();
        (losses.iter().sum(), slopes)
    }
}

struct Step {
    loss: f64,
    gradient: Vec<f32>,
    rank_deficient: u64,
}

/// One step of `models` copies: the first moment is the gradient for β₁ = 0.
fn steps(problem: &Problem, batch: &Batch, units: Option<&[f64]>, models: usize, tiles: &Tiles) -> Vec<Step> {
    let Problem { map, shape, parameters, masses, rows, states, .. } = problem;
    let model = Model::Lagrangian(LagrangianModel {
        shape: shape.clone(),
        features: map.clone(),
        masses: masses.clone(),
        units: units.map(<[f64]>::to_vec),
        tolerance: Tolerance::for_dimension::<f32>(masses.len()),
        potential: None,
    });
    let settings = TrainingSettings {
        source: Source::Uploaded { weighted: true },
        models,
        batch: *rows,
        loss: Loss::L2,
        error_units: Some(batch.units.clone()),
        penalty: 0.0,
        clipping: Clipping::Off,
        optimiser: OptimiserSettings::Adam(AdamSettings { beta1: 0.0, beta2: 0.9, epsilon: 1e-8 }),
        weight_decay: 0.0,
        steps: 1,
    };
    let mut training = Training::with_tiles(device(), &model, &settings, tiles).unwrap();
    training.upload_parameters(&parameters.repeat(models)).unwrap();
    let repeated = [states, &batch.target, &batch.weights].map(|array| array.repeat(models));
    let [states, target, weights] = &repeated;
    training.upload_batches(1, Batches { states, target, weights }).unwrap();
    let submitted = training.run(0, &[1e-3]).unwrap();
    let of_model = |(model, submitted): (usize, &lnn_gpu::training::Submitted)| {
        let OptimiserState::Adam { first_moment, .. } = training.download(model).unwrap().optimiser else {
            panic!("by Adam")
        };
        let rank_deficient = submitted.rank_deficient;
        Step { loss: f64::from(submitted.reports[0].loss), gradient: first_moment, rank_deficient }
    };
    submitted.iter().enumerate().map(of_model).collect()
}

/// What of a step is not the loss or the gradient of double precision.
fn refused(problem: &Problem, batch: &Batch, step: &Step) -> Option<String> {
    let want = reference(problem, &|x| batch.loss(x).1);
    let loss = batch.loss(&want.acceleration).0;
    // Accelerations are as close as their mass matrices allow, the loss's slope is that of a square.
    let (slopes, d) = (batch.loss(&want.acceleration).1, problem.masses.len());
    let allowed: f64 = (0..slopes.len()).map(|at| slopes[at].abs() * want.tolerance[at / d][0]).sum();
    if beyond((step.loss - loss).abs(), allowed + 1e-6 * loss) {
        return Some(format!("loss {} for {loss}", step.loss));
    }
    let size = want.gradient.iter().fold(0.0_f64, |size, x| size.max(x.abs()));
    let far = |(&x, y): (&f32, &f64)| beyond((f64::from(x) - y).abs(), 1e-3 * size);
    let at = step.gradient.iter().zip(&want.gradient).position(far)?;
    Some(format!("gradient, parameter {at}: {} for {}, largest {size}", step.gradient[at], want.gradient[at]))
}

/// For every number of coordinates, with and without full rank, at rows that fill no block; for two of them with blocks of
/// every size, each of which a software driver takes seconds to translate.
#[test]
fn every_block_gives_the_loss_and_the_gradient() {
    for d in 1..=8 {
        let mut candidates = vec![Tiles::default()];
        if [2, 8].contains(&d) {
            candidates = TileRole::NarrowStep.candidates(device().adapter(), d + 1, 19);
            let all = NARROW_STEP.variants.iter().filter(|source| source.constant("D") == Some(d as u32));
            assert_eq!(candidates.len(), all.count(), "this adapter has no room for some of the blocks");
        }
        for deficient in [false, true] {
            let problem = Problem::new(d, deficient);
            let batch = Batch::new(&problem);
            for tiles in &candidates {
                // A matrix of one number has no null space that turns.
                let lost = if deficient && d > 1 { problem.rows as u64 } else { 0 };
                for step in steps(&problem, &batch, None, 2, tiles) {
                    let refused = refused(&problem, &batch, &step);
                    assert_eq!((refused, step.rank_deficient), (None, lost), "d = {d}, {deficient}, {tiles:?}");
                }
            }
        }
    }
}

/// So many models that each workgroup has several blocks of one of them.
#[test]
fn several_blocks_of_a_workgroup_add_up() {
    for (deficient, samples, depth) in [(false, 4, 16), (true, 4, 16), (true, 2, 64), (true, 8, 32)] {
        let problem = Problem::new(2, deficient);
        let batch = Batch::new(&problem);
        let tiles = Tiles { narrow_step: Some(NarrowTile { samples, depth }), ..Tiles::default() };
        for step in &steps(&problem, &batch, None, 256, &tiles)[254..] {
            let lost = if deficient { problem.rows as u64 } else { 0 };
            assert_eq!((refused(&problem, &batch, step), step.rank_deficient), (None, lost), "{tiles:?}");
        }
    }
}

/// At full rank the units in which H is inverted change nothing but the rounding.
#[test]
fn units_of_the_velocities_leave_the_gradient_at_full_rank() {
    let problem = Problem::new(3, false);
    let batch = Batch::new(&problem);
    let step = &steps(&problem, &batch, Some(&[0.5, 2.0, 4.0]), 1, &Tiles::default())[0];
    assert_eq!(refused(&problem, &batch, step), None);
}

#[test]
fn a_perturbed_target_weight_state_or_parameter_is_seen() {
    let mut problem = Problem::new(2, false);
    let mut batch = Batch::new(&problem);
    let step = &steps(&problem, &batch, None, 1, &Tiles::default())[0];
    let check = |problem: &Problem, batch: &Batch| refused(problem, batch, step);
    assert_eq!(check(&problem, &batch), None);
    batch.target[5] += 0.5;
    assert!(check(&problem, &batch).is_some(), "a target");
    batch.target[5] -= 0.5;
    batch.weights[7] *= 1.5;
    assert!(check(&problem, &batch).is_some(), "a weight");
    batch.weights[7] /= 1.5;
    problem.states[11] += 0.05;
    assert!(check(&problem, &batch).is_some(), "a state");
    problem.states[11] -= 0.05;
    problem.parameters[3] += 0.01;
    assert!(check(&problem, &batch).is_some(), "a parameter");
}
