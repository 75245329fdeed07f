//! Lattice Lagrangians against golden values from plain nested automatic differentiation of the whole, dense lattice.
//!
//! `golden/README.md` says how the files were made. n = 3 is the smallest periodic lattice, where every site is every
//! other's neighbour and the band wraps on itself.

use std::path::Path;
use std::sync::Arc;

use lnn_autodiff::jet::Accumulate;
use lnn_autodiff::{Activation, Real};
use lnn_graph::topology::{Boundary, Topology};
use lnn_graph::{
    Density, EvaluationError, FieldEvaluator, FieldFeatures, FieldLagrangian, LagrangianBlock, Neighbourhood, SolveBy,
};
use serde_json::Value;

/// All numbers of nested lists, in order.
fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(flat).collect(),
        number => vec![number.as_f64().expect("a number")],
    }
}

/// Each layer's weight, then its bias: the layout of the flat parameters.
fn layers(value: &Value) -> Vec<f64> {
    let layers = value.as_array().expect("a list of layers");
    layers.iter().flat_map(|layer| [flat(&layer["weight"]), flat(&layer["bias"])].concat()).collect()
}

struct Golden {
    sites: usize,
    lagrangian: FieldLagrangian,
    parameters: Vec<f64>,
    phi: Vec<f64>,
    phi_dot: Vec<f64>,
    json: Value,
}

impl Golden {
    fn load(sites: usize) -> Self {
        let name = format!("lattice_{sites}.json");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden").join(name);
        let text = std::fs::read_to_string(&path).expect("the golden file is in the repository");
        let json: Value = serde_json::from_str(&text).expect("JSON");
        let density =
            Density::new(Neighbourhood::Line, FieldFeatures::scalar(), &[12, 12], Activation::Softplus).expect("valid");
        let ring = Arc::new(Topology::line(sites, Boundary::Periodic).expect("a ring"));
        let mass = json["residual_mass"].as_f64().expect("a number");
        let states = flat(&json["states"]);
        let halves = |half: usize| {
            states.chunks_exact(2 * sites).flat_map(|state| &state[half * sites..(half + 1) * sites]).copied().collect()
        };
        Self {
            sites,
            lagrangian: FieldLagrangian::new(density, ring, &[], mass).expect("fits"),
            parameters: layers(&json["layers"]),
            phi: halves(0),
            phi_dot: halves(1),
            json,
        }
    }
}

/// Element by element, `|got − want| ≤ tolerance · largest`.
fn assert_close(what: &str, got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{what}");
    let largest = want.iter().fold(1.0, |largest: f64, value| largest.max(value.abs()));
    for (index, (got, want)) in got.iter().zip(want).enumerate() {
        assert!((got - want).abs() <= tolerance * largest, "{what}[{index}]: {got:e}, golden {want:e}");
    }
}

fn smallest_eigenvalue(golden: &Golden, sample: usize) -> f64 {
    let n = golden.sites;
    let matrices = flat(&golden.json["mass_matrix"]);
    nalgebra::DMatrix::from_row_slice(n, n, &matrices[sample * n * n..(sample + 1) * n * n])
        .symmetric_eigenvalues()
        .min()
}

/// λ = sign(φ̈ − φ̈*) / samples and the loss Σ |φ̈ − φ̈*| / samples.
fn l1<T: Real>(acceleration: &[T], target: &[f64], samples: usize) -> (f64, Vec<T>) {
    let differences: Vec<f64> = acceleration.iter().zip(target).map(|(a, t)| a.to_f64() - t).collect();
    let lambda = differences.iter().map(|d| T::from_f64(d.signum() / samples as f64)).collect();
    (differences.iter().map(|d| d.abs()).sum::<f64>() / samples as f64, lambda)
}

/// What the promise 1e-9 · cond(H) is for these files, whose mass matrices have condition numbers of a few dozen.
const TOLERANCE: f64 = 1e-9;

#[test]
fn mass_matrix_force_acceleration_loss_and_gradient_are_the_golden_ones() {
    for sites in [3, 4, 5, 10, 33] {
        let golden = Golden::load(sites);
        let samples = golden.phi.len() / sites;
        let mut block = LagrangianBlock::<f64>::new(&golden.lagrangian, samples, true).expect("banded");
        let acceleration = block.accelerate(&golden.parameters, &golden.phi, &golden.phi_dot).to_vec();
        let matrices: Vec<f64> = (0..samples).flat_map(|sample| block.dense_mass_matrix(sample)).collect();
        assert_close("mass matrix", &matrices, &flat(&golden.json["mass_matrix"]), TOLERANCE);
        assert_close("force", block.force(), &flat(&golden.json["force"]), TOLERANCE);
        assert_close("acceleration", &acceleration, &flat(&golden.json["acceleration"]), TOLERANCE);
        let (loss, lambda) = l1(&acceleration, &flat(&golden.json["target_acceleration"]), samples);
        assert_close("loss", &[loss], &flat(&golden.json["l1_loss"]), TOLERANCE);
        let mut gradient = vec![f64::NAN; golden.parameters.len()];
        block.gradient(&golden.parameters, &lambda, Accumulate::Replace, &mut gradient);
        assert_close("gradient", &gradient, &layers(&golden.json["loss_gradient"]), TOLERANCE);

        // The smallest change that a single-precision number would show is seen.
        let mut perturbed = golden.parameters.clone();
        perturbed[0] += 1e-6;
        let changed = block.accelerate(&perturbed, &golden.phi, &golden.phi_dot);
        let largest = changed.iter().zip(&acceleration).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let size = acceleration.iter().fold(1.0, |size: f64, value| size.max(value.abs()));
        assert!(largest > TOLERANCE * size, "a wrong weight must not pass: {largest:e}");
    }
}

#[test]
fn one_field_at_a_time_by_factors_and_by_conjugate_gradients_is_the_same() {
    for sites in [3, 4, 5, 10, 33] {
        let golden = Golden::load(sites);
        let want = flat(&golden.json["acceleration"]);
        for solve_by in [
            SolveBy::Factorisation,
            SolveBy::ConjugateGradient { tolerance: 1e-12, most_iterations: 10 * sites },
            SolveBy::ElementByElement { tolerance: 1e-12, most_iterations: 10 * sites },
        ] {
            let mut evaluator =
                FieldEvaluator::<f64>::new(&golden.lagrangian, &golden.parameters, solve_by).expect("banded");
            for (sample, want) in want.chunks_exact(golden.sites).enumerate() {
                let range = sample * sites..(sample + 1) * sites;
                let mut got = vec![f64::NAN; sites];
                let (phi, phi_dot) = (&golden.phi[range.clone()], &golden.phi_dot[range]);
                match evaluator.acceleration_into(phi, phi_dot, &mut got) {
                    Ok(_) => assert_close(&format!("{sites} sites, {solve_by:?}"), &got, want, TOLERANCE),
                    // Conjugate gradients need a definite matrix, and say so where it is not.
                    Err(EvaluationError::ConjugateGradient(error)) => {
                        assert!(smallest_eigenvalue(&golden, sample) <= 0.0, "{sites} sites, sample {sample}: {error}");
                    }
                    Err(error) => panic!("{sites} sites, sample {sample}: {error}"),
                }
            }
        }
    }
}

#[test]
fn single_precision_agrees_to_its_own_rounding() {
    for sites in [3, 4, 5, 10, 33] {
        let golden = Golden::load(sites);
        let samples = golden.phi.len() / sites;
        let single = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<_>>();
        let mut block = LagrangianBlock::<f32>::new(&golden.lagrangian, samples, false).expect("banded");
        let parameters = single(&golden.parameters);
        let got = block.accelerate(&parameters, &single(&golden.phi), &single(&golden.phi_dot));
        let got: Vec<f64> = got.iter().map(|&value| f64::from(value)).collect();
        assert_close("acceleration", &got, &flat(&golden.json["acceleration"]), 1e3 * f64::from(f32::EPSILON));
    }
}
