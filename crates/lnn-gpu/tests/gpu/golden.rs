//! The device against golden values from plain nested automatic differentiation; `golden/README.md` says how they were made.

use std::path::Path;

use lnn_autodiff::features::{Feature, FeatureMap};
use lnn_autodiff::pseudoinverse::Tolerance;
use lnn_autodiff::{Activation, LayerRange, MlpShape};
use lnn_gpu::loss::Loss;
use lnn_gpu::optimiser::AdamSettings;
use lnn_gpu::step::Clipping;
use lnn_gpu::training::{
    Batches, LagrangianModel, Model, OptimiserSettings, OptimiserState, Source, Training, TrainingSettings,
};
use serde_json::Value;

use crate::forward::accelerate;
use crate::ground::device;
use crate::lagrangian_example::Problem;
use crate::precision::{largest, relative_errors, within};

/// A file: a network at some states, and what is true of it.
struct Golden {
    name: &'static str,
    problem: Problem,
    target: Vec<f32>,
    rank: u32,
    json: Value,
}

fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(flat).collect(),
        number => vec![number.as_f64().expect("a number")],
    }
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&x| x as f32).collect()
}

/// Each layer's weight, then its bias.
fn layers(value: &Value) -> Vec<f64> {
    let layers = value.as_array().expect("a list of layers");
    layers.iter().flat_map(|layer| [flat(&layer["weight"]), flat(&layer["bias"])].concat()).collect()
}

impl Golden {
    fn load(name: &'static str, features: Vec<Feature>, rank: u32) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden").join(name).with_extension("json");
        let text = std::fs::read_to_string(&path).expect("the golden file is in the repository");
        let json: Value = serde_json::from_str(&text).expect("JSON");
        let d = json["dof"].as_u64().expect("dof") as usize;
        let widths = json["layers"].as_array().expect("layers").iter().map(|layer| flat(&layer["bias"]).len());
        let widths: Vec<usize> = std::iter::once(features.len()).chain(widths).collect();
        let (states, conditionals) = (flat(&json["states"]), flat(&json["conditionals"]));
        let rows = states.len() / (2 * d);
        let c = conditionals.len() / rows;
        let row =
            |row: usize| [&states[row * 2 * d..(row + 1) * 2 * d], &conditionals[row * c..(row + 1) * c]].concat();
        let problem = Problem {
            map: FeatureMap::new(d, c, features).unwrap(),
            shape: MlpShape::new(&widths, Activation::Softplus).unwrap(),
            parameters: single(&layers(&json["layers"])),
            masses: vec![json["residual_mass"].as_f64().expect("residual_mass"); d],
            rows,
            states: single(&(0..rows).flat_map(row).collect::<Vec<_>>()),
            lambda: Vec::new(),
        };
        Self { name, problem, target: single(&flat(&json["target_acceleration"])), rank, json }
    }

    fn field(&self, name: &str) -> Vec<f64> {
        flat(&self.json[name])
    }
}

fn all() -> Vec<Golden> {
    let positions = |d: usize, scale: f64| (0..d).map(move |index| Feature::Position { index, scale, centre: 0.0 });
    let velocities = |d: usize, scale: f64| (0..d).map(move |index| Feature::Velocity { index, scale });
    let wrapped = (0..2).map(|index| Feature::WrappedAngle { index, scale: 1.0 });
    let sines = (0..2).map(|index| Feature::Sine { index });
    let cosines = (0..2).map(|index| Feature::Cosine { index });
    let conditional = [Feature::Conditional { index: 0, scale: 10.0, centre: 0.0 }];
    vec![
        Golden::load("lnn_wrap", wrapped.chain(velocities(2, 1.0)).collect(), 2),
        Golden::load("lnn_sincos_mass", sines.chain(cosines).chain(velocities(2, 5.0)).collect(), 2),
        Golden::load("lnn_conditional", positions(1, 10.0).chain(velocities(1, 1.0)).chain(conditional).collect(), 1),
        Golden::load("lnn_dof5", positions(5, 1.0).chain(velocities(5, 1.0)).collect(), 5),
        Golden::load("lnn_rank_deficient", positions(2, 1.0).chain(velocities(1, 1.0)).collect(), 1),
    ]
}

/// Accelerations and mass matrices, with the acceptance of single precision.
fn motion_refused(golden: &Golden) -> Option<String> {
    let d = golden.problem.masses.len();
    let found = accelerate(&golden.problem);
    assert_eq!(found.ranks, vec![golden.rank; golden.problem.rows], "{}", golden.name);
    let mass_matrix = golden.field("mass_matrix");
    let errors = relative_errors(&found.acceleration, &golden.field("acceleration"), d);
    let of_matrix = relative_errors(&found.mass_matrix, &mass_matrix, mass_matrix.len());
    within(&errors, &mass_matrix).or_else(|| (of_matrix[0].is_nan() || of_matrix[0] > 1e-5).then(|| "H".to_owned()))
}

/// Loss and gradient of one whole step, whose first moment is the gradient for β₁ = 0; also the samples whose
/// mass matrix is not of full rank, by which the gradient gets its constant-rank terms.
fn step(golden: &Golden) -> (f64, Vec<f32>, u64) {
    let Problem { map, shape, parameters, masses, rows, states, .. } = &golden.problem;
    let model = Model::Lagrangian(LagrangianModel {
        shape: shape.clone(),
        features: map.clone(),
        masses: masses.clone(),
        units: None,
        tolerance: Tolerance::for_dimension::<f32>(masses.len()),
        potential: None,
    });
    let settings = TrainingSettings {
        source: Source::Uploaded { weighted: false },
        models: 1,
        batch: *rows,
        loss: Loss::L1,
        error_units: None,
        penalty: 0.0,
        clipping: Clipping::Off,
        optimiser: OptimiserSettings::Adam(AdamSettings { beta1: 0.0, beta2: 0.9, epsilon: 1e-8 }),
        weight_decay: 0.0,
        steps: 1,
    };
    let mut training = Training::new(device(), &model, &settings).unwrap();
    training.upload_parameters(parameters).unwrap();
    training.upload_batches(1, Batches { states, target: &golden.target, weights: &[] }).unwrap();
    let submitted = training.run(0, &[1e-3]).unwrap().remove(0);
    let OptimiserState::Adam { first_moment, .. } = training.download(0).unwrap().optimiser else { panic!("by Adam") };
    (f64::from(submitted.reports[0].loss), first_moment, submitted.rank_deficient)
}

fn step_refused(golden: &Golden) -> Option<String> {
    let (loss, gradient, rank_deficient) = step(golden);
    let full_rank = golden.rank as usize == golden.problem.masses.len();
    assert_eq!(rank_deficient, if full_rank { 0 } else { golden.problem.rows as u64 }, "{}", golden.name);
    let want = golden.json["l1_loss"].as_f64().expect("l1_loss");
    let error = (loss - want).abs() / want;
    // Below the acceptance of 1e-4, and of 1e-3 for the gradient: rounding makes 4e-6 and 1e-5 of them at most.
    if error.is_nan() || error > 1e-5 {
        return Some(format!("{}: loss {loss} for {want}", golden.name));
    }
    let want = layers(&golden.json["loss_gradient"]);
    let error = relative_errors(&gradient, &want, want.len())[0];
    (error.is_nan() || error > 3e-5).then(|| format!("{}: gradient off by {error:.1e}", golden.name))
}

#[test]
fn accelerations_and_mass_matrices_are_the_golden_ones() {
    for golden in all() {
        assert_eq!(motion_refused(&golden), None, "{}", golden.name);
    }
}

#[test]
fn loss_and_gradient_of_a_whole_step_are_the_golden_ones() {
    let all = all();
    assert!(all.iter().any(|golden| (golden.rank as usize) < golden.problem.masses.len()), "one of them loses rank");
    for golden in all {
        assert_eq!(step_refused(&golden), None);
    }
}

#[test]
fn a_perturbed_weight_or_state_is_seen() {
    for mut golden in all() {
        // A weight of each layer's second unit. Of the deficient one a single state makes nearly all of the loss, so that some
        // weights hardly show.
        let second = |layer: &LayerRange| layer.weight.start + layer.inputs * (layer.outputs - 1).min(1);
        let places: Vec<usize> = golden.problem.shape.layers().iter().map(second).collect();
        for place in places {
            let right = golden.problem.parameters[place];
            golden.problem.parameters[place] += 1.0;
            assert!(motion_refused(&golden).is_some(), "{}: weight {place}", golden.name);
            assert!(step_refused(&golden).is_some(), "{}: weight {place}", golden.name);
            golden.problem.parameters[place] = right;
        }
        golden.problem.states[0] += 0.05;
        assert!(motion_refused(&golden).is_some(), "{}: first state", golden.name);
        assert!(largest(&golden.field("acceleration")) > 0.0);
    }
}
