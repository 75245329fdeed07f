//! Mass matrix, force, acceleration and energy of every kind of field, against the dense Euler–Lagrange equation.

use lnn_graph::{FieldEvaluator, LagrangianBlock, SolveBy};
use lnn_physics::{EulerLagrange, dynamics};

use crate::case::{Case, small_cases};

/// Both routes round sums of some dozen terms through three layers.
const ROUNDINGS: f64 = 400.0;

pub(crate) fn assert_close(what: &str, got: &[f64], want: &[f64], factor: f64) {
    assert_eq!(got.len(), want.len(), "{what}");
    let size = want.iter().fold(1.0, |size: f64, value| size.max(value.abs()));
    for (index, (got, want)) in got.iter().zip(want).enumerate() {
        let allowed = factor * ROUNDINGS * f64::EPSILON * size;
        assert!((got - want).abs() <= allowed, "{what}[{index}]: {got:e}, want {want:e} ± {allowed:e}");
    }
}

fn describe(case: &Case) -> String {
    let (lagrangian, kind) = (&case.lagrangian, case.lagrangian.topology().kind());
    let sites = lagrangian.topology().sites();
    format!(
        "{sites} sites, {kind:?}, {:?} × {}",
        lagrangian.density().neighbourhood(),
        lagrangian.density().components()
    )
}

#[test]
fn every_kind_of_field_obeys_the_euler_lagrange_equation_of_its_whole_lagrangian() {
    for case in small_cases() {
        let what = describe(&case);
        let (n, samples) = (case.unknowns(), 3);
        let (phi, phi_dot) = case.states(samples, 5);
        let mut block = LagrangianBlock::<f64>::new(&case.lagrangian, samples, false).expect("memory");
        let got = block.accelerate(&case.parameters, &phi, &phi_dot).to_vec();
        let mut evaluator =
            FieldEvaluator::<f64>::new(&case.lagrangian, &case.parameters, SolveBy::Factorisation).expect("memory");
        for sample in 0..samples {
            let range = sample * n..(sample + 1) * n;
            let (phi, phi_dot) = (&phi[range.clone()], &phi_dot[range.clone()]);
            let want = dynamics(&case, phi, phi_dot).expect("a regular mass matrix");
            let condition = want.condition_number();
            assert_close(&format!("{what}: H"), &block.dense_mass_matrix(sample), &want.mass_matrix, 1.0);
            assert_close(&format!("{what}: r"), &block.force()[range.clone()], &want.force, 1.0);
            assert_close(&format!("{what}: φ̈"), &got[range], &want.acceleration, condition);
            let mut single = vec![f64::NAN; n];
            evaluator.acceleration_into(phi, phi_dot, &mut single).expect("regular");
            assert_close(&format!("{what}: r alone"), evaluator.assemble(phi, phi_dot), &want.force, 1.0);
            assert_close(&format!("{what}: φ̈ alone"), &single, &want.acceleration, condition);
            assert_close(&format!("{what}: energy"), &[evaluator.energy(phi, phi_dot)], &[want.energy], n as f64);
        }
    }
}

/// The reference is checked to be another one: a changed weight shows in it as in the block.
#[test]
fn a_wrong_weight_is_seen() {
    for case in small_cases() {
        let (phi, phi_dot) = case.states(1, 5);
        let mut block = LagrangianBlock::<f64>::new(&case.lagrangian, 1, false).expect("memory");
        let mut parameters = case.parameters.clone();
        parameters[0] += 1e-3;
        let got = block.accelerate(&parameters, &phi, &phi_dot).to_vec();
        let mut reference = EulerLagrange::new(case.clone()).expect("unknowns");
        let want = reference.evaluate(&phi, &phi_dot).expect("regular");
        let largest = got.iter().zip(&want.acceleration).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(largest > 1e-9, "{}: {largest:e}", describe(&case));
    }
}

/// What a density says on a small lattice holds on a larger one: in the middle of a long line nothing tells which it is.
#[test]
fn a_density_gives_the_same_acceleration_on_a_larger_lattice_where_the_field_is_the_same() {
    use std::sync::Arc;

    use lnn_graph::Neighbourhood;
    use lnn_graph::topology::{Boundary, Topology};

    let ring = |n| Topology::line(n, Boundary::Periodic).expect("a ring");
    for neighbourhood in [Neighbourhood::Line, Neighbourhood::Pairs] {
        let small = Case::new(ring(8), neighbourhood, 1, 0, 17);
        let large = small.lagrangian.on(Arc::new(ring(24)), &[]).expect("rings");
        let (phi, phi_dot) = small.states(1, 18);
        let mut block = LagrangianBlock::<f64>::new(&small.lagrangian, 1, false).expect("memory");
        let want = block.accelerate(&small.parameters, &phi, &phi_dot).repeat(3);
        let mut evaluator =
            FieldEvaluator::<f64>::new(&large, &small.parameters, SolveBy::Factorisation).expect("memory");
        let mut got = vec![f64::NAN; 24];
        evaluator.acceleration_into(&phi.repeat(3), &phi_dot.repeat(3), &mut got).expect("regular");
        assert_close("three times around", &got, &want, 100.0);
        let residual = evaluator.relative_residual(&got).expect("by factors");
        assert!(residual <= 8.0 * f64::EPSILON, "{residual:e}");
    }
}
