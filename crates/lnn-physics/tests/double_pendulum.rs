//! The double pendulum's closed form against golden values, the Euler–Lagrange equation and energy
//! conservation.

#![allow(clippy::unwrap_used)] // In a test, a failed unwrap is a failure with its line.

use lnn_physics::sampling::Distribution;
use lnn_physics::systems::{DoublePendulum, Pendulum, SystemError};
use lnn_physics::{EulerLagrange, Lagrangian, System, acceleration};
use proptest::prelude::*;
use serde_json::Value;

fn golden(name: &str) -> Value {
    let path = format!("{}/../../golden/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    serde_json::from_str(&text).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    let array = value.as_array().unwrap();
    array.iter().map(|v| v.as_f64().unwrap()).collect()
}

/// Bound on the round-off of q̈ from any evaluation of H q̈ = r with a few dozen operations: errors
/// of r, of the size of its largest terms, over the smallest eigenvalue, and errors of H through
/// its condition number.
fn round_off(pendulum: DoublePendulum, q: &[f64], q_dot: &[f64]) -> f64 {
    let mut motion = EulerLagrange::new(pendulum).unwrap();
    let dynamics = motion.evaluate(q, q_dot).unwrap();
    let smallest = dynamics.mass_eigenvalues.iter().fold(f64::INFINITY, |m, v| m.min(v.abs()));
    let size = |x: &[f64]| x.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    let [_, m2] = pendulum.masses();
    let [l1, l2] = pendulum.lengths();
    let terms = pendulum.reference_energy() + m2 * l1 * l2 * (q_dot[0].abs() + q_dot[1].abs()).powi(2);
    32.0 * f64::EPSILON * (dynamics.condition_number() * size(&dynamics.acceleration) + terms / smallest)
}

#[test]
fn golden_accelerations_by_both_routes() {
    let file = golden("dblpend_analytic");
    let pendulum = DoublePendulum::default();
    let states = file["states"].as_array().unwrap();
    assert_eq!(states.len(), 32);
    for (k, state) in states.iter().enumerate() {
        let state = numbers(state);
        let (q, q_dot) = state.split_at(2);
        let expected = numbers(&file["acceleration"][k]);
        let tolerance = round_off(pendulum, q, q_dot);
        let mut closed = [0.0; 2];
        pendulum.acceleration_into(q, q_dot, &[], &mut closed);
        let derived = acceleration(&pendulum, q, q_dot).unwrap();
        for i in 0..2 {
            assert!((closed[i] - expected[i]).abs() <= tolerance, "closed form, state {k}");
            assert!((derived[i] - expected[i]).abs() <= tolerance, "Euler–Lagrange, state {k}");
            // The bound is tight enough to see a change of one part in 10⁹.
            assert!((closed[i] * (1.0 + 1e-9) - expected[i]).abs() > tolerance);
        }
        let value: f64 = pendulum.lagrangian(q, q_dot);
        let exact = file["lagrangian"][k].as_f64().unwrap();
        assert!((value - exact).abs() <= 32.0 * f64::EPSILON * (exact.abs() + 29.4));
    }
}

#[test]
fn reference_energy_is_the_published_one() {
    let pendulum = DoublePendulum::default();
    assert!((pendulum.reference_energy() - 29.4).abs() <= 4.0 * f64::EPSILON * 29.4);
    let upright = [std::f64::consts::PI; 2];
    assert!(
        (pendulum.potential_energy(&upright, &[]) - pendulum.reference_energy()).abs() <= 4.0 * f64::EPSILON * 29.4
    );
    // Gravity upwards: the largest potential energy is that of the hanging rods.
    let inverted = DoublePendulum::new(1.0, 2.0, 3.0, 0.5, -9.8).unwrap();
    assert_eq!(inverted.reference_energy(), inverted.potential_energy(&[0.0, 0.0], &[]));
}

#[test]
fn parameters_are_checked_by_name() {
    let refused = |m1, m2, l1, l2, g| DoublePendulum::new(m1, m2, l1, l2, g).unwrap_err();
    let error = refused(1.0, -2.0, 1.0, 1.0, 9.8);
    assert!(matches!(error, SystemError::InvalidParameter { field: "m2", given: -2.0, unit: "kg", .. }), "{error:?}");
    assert!(error.to_string().contains("m2 = -2 kg"), "{error}");
    for (message, error) in [
        ("m1 = 0", refused(0.0, 1.0, 1.0, 1.0, 9.8)),
        ("m1 = NaN", refused(f64::NAN, 1.0, 1.0, 1.0, 9.8)),
        ("l1 = inf", refused(1.0, 1.0, f64::INFINITY, 1.0, 9.8)),
        ("l2 = -0.5 m", refused(1.0, 1.0, 1.0, -0.5, 9.8)),
        ("g = NaN", refused(1.0, 1.0, 1.0, 1.0, f64::NAN)),
    ] {
        assert!(error.to_string().contains(message), "{error}");
    }
    assert!(DoublePendulum::new(1.0, 1.0, 1.0, 1.0, 0.0).is_ok());
}

#[test]
fn the_published_pendulum_is_the_default() {
    let given = DoublePendulum::new(1.0, 1.0, 1.0, 1.0, 9.8).unwrap();
    assert_eq!(given, DoublePendulum::default());
}

#[test]
fn it_serves_as_a_trait_object() {
    let system: Box<dyn System> = Box::new(DoublePendulum::default());
    assert_eq!((system.name(), system.degrees_of_freedom()), ("dblpend", 2));
    let mut state_dot = [f64::NAN; 4];
    system.state_derivative_into(&[0.0, 0.0, 1.5, -0.5], &[], &mut state_dot);
    assert_eq!(state_dot, [1.5, -0.5, 0.0, 0.0]);
    // The published sampling, as training on it must find it bit for bit.
    let uniform = |low, high| Distribution::uniform(low, high).unwrap();
    let (angle, rate, slow) = (uniform(0.0, std::f64::consts::TAU), uniform(-10.0, 10.0), uniform(0.0, 0.1));
    assert_eq!(system.training_distribution(), [angle, angle, rate, rate]);
    assert_eq!(system.rollout_distribution(), [angle, angle, slow, slow]);
}

fn pendulums() -> impl Strategy<Value = DoublePendulum> {
    (0.05..20.0, 0.05..20.0, 0.1..5.0, 0.1..5.0, -20.0..20.0)
        .prop_map(|(m1, m2, l1, l2, g)| DoublePendulum::new(m1, m2, l1, l2, g).unwrap())
}

proptest! {
    #[test]
    fn closed_form_solves_the_euler_lagrange_equation(
        pendulum in pendulums(),
        q in prop::array::uniform2(-7.0..7.0_f64),
        q_dot in prop::array::uniform2(-10.0..10.0_f64),
    ) {
        let mut closed = [0.0; 2];
        pendulum.acceleration_into(&q, &q_dot, &[], &mut closed);
        let derived = acceleration(&pendulum, &q, &q_dot).unwrap();
        let tolerance = round_off(pendulum, &q, &q_dot);
        for i in 0..2 {
            prop_assert!((closed[i] - derived[i]).abs() <= tolerance,
                "{} and {} differ by more than {tolerance:e}", closed[i], derived[i]);
        }
    }

    #[test]
    fn a_chain_of_two_links_is_the_double_pendulum(
        pendulum in pendulums(),
        q in prop::array::uniform2(-7.0..7.0_f64),
        q_dot in prop::array::uniform2(-10.0..10.0_f64),
    ) {
        let chain = Pendulum::new(&pendulum.masses(), &pendulum.lengths(), pendulum.gravity()).unwrap();
        let (mut one, mut other) = ([0.0; 2], [0.0; 2]);
        pendulum.acceleration_into(&q, &q_dot, &[], &mut one);
        chain.acceleration_into(&q, &q_dot, &[], &mut other);
        let tolerance = round_off(pendulum, &q, &q_dot);
        for i in 0..2 {
            prop_assert!((one[i] - other[i]).abs() <= tolerance, "{one:?} and {other:?} differ by more than {tolerance:e}");
        }
        let scale = pendulum.kinetic_energy(&[0.0; 2], &q_dot.map(f64::abs), &[]) + pendulum.reference_energy();
        let difference = pendulum.energy(&q, &q_dot, &[]) - chain.energy(&q, &q_dot, &[]);
        prop_assert!(difference.abs() <= 32.0 * f64::EPSILON * scale);
        prop_assert!((pendulum.reference_energy() - chain.reference_energy()).abs() <= 8.0 * f64::EPSILON * scale);
        prop_assert_eq!(pendulum.training_distribution(), chain.training_distribution());
        prop_assert_eq!(pendulum.rollout_distribution(), chain.rollout_distribution());
    }

    #[test]
    fn the_two_energies_agree_and_are_conserved(
        pendulum in pendulums(),
        q in prop::array::uniform2(-7.0..7.0_f64),
        q_dot in prop::array::uniform2(-10.0..10.0_f64),
    ) {
        let mut motion = EulerLagrange::new(pendulum).unwrap();
        let legendre = motion.evaluate(&q, &q_dot).unwrap().energy;
        let energy = pendulum.energy(&q, &q_dot, &[]);
        let scale = pendulum.kinetic_energy(&[0.0; 2], &q_dot.map(f64::abs), &[]) + pendulum.reference_energy();
        prop_assert!((legendre - energy).abs() <= 32.0 * f64::EPSILON * scale);

        // dE/dt along the motion by a central difference of order 2 in a short time h.
        let mut q_ddot = [0.0; 2];
        pendulum.acceleration_into(&q, &q_dot, &[], &mut q_ddot);
        let h = 1e-5;
        let energy_at = |t: f64| {
            let position = [q[0] + t * q_dot[0], q[1] + t * q_dot[1]];
            let velocity = [q_dot[0] + t * q_ddot[0], q_dot[1] + t * q_ddot[1]];
            pendulum.energy(&position, &velocity, &[])
        };
        let rate = (energy_at(h) - energy_at(-h)) / (2.0 * h);
        // Truncation h²·E'''/6, where a derivative costs at most the fastest rate of the state.
        let size = |x: &[f64; 2]| x[0].abs().max(x[1].abs());
        let fastest = 2.0 * size(&q_dot) + 1.0 + size(&q_ddot);
        let wide = pendulum.kinetic_energy(&[0.0; 2], &[fastest; 2], &[]) + pendulum.reference_energy();
        let tolerance = wide * (h * h * fastest.powi(3) + 8.0 * f64::EPSILON / h);
        prop_assert!(rate.abs() <= tolerance, "dE/dt = {rate} above {tolerance:e}");
    }
}
