//! The relativistic particle against golden values, and its momentum at small and large speeds.

use lnn_physics::systems::RelativisticParticle;
use lnn_physics::{Canonical, System};
use serde_json::Value;

#[test]
fn golden_accelerations() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/relativistic_analytic.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let states = file["states"].as_array().unwrap();
    assert_eq!(states.len(), 16);
    for (k, state) in states.iter().enumerate() {
        let (q, v) = (state[0].as_f64().unwrap(), state[1].as_f64().unwrap());
        let g = file["conditionals"][k][0].as_f64().unwrap();
        let expected = file["acceleration"][k][0].as_f64().unwrap();
        let mut found = [f64::NAN];
        RelativisticParticle.acceleration_into(&[q], &[v], &[g], &mut found);
        // The other program forms 1 − q̇², which loses digits near the speed of light.
        let tolerance = 32.0 * f64::EPSILON * expected.abs() / (1.0 - v * v);
        assert!((found[0] - expected).abs() <= tolerance, "state {k}");
        assert!((found[0] * (1.0 + 1e-9) - expected).abs() > tolerance, "state {k}");
    }
}

fn velocity(p: f64) -> f64 {
    let mut q_dot = [f64::NAN];
    RelativisticParticle.velocity_into(&[0.0], &[p], &[0.0], &mut q_dot);
    q_dot[0]
}

fn momentum(v: f64) -> f64 {
    let mut p = [f64::NAN];
    RelativisticParticle.momentum_into(&[0.0], &[v], &[0.0], &mut p);
    p[0]
}

#[test]
fn momenta_are_inverted_to_round_off_at_every_size() {
    // Where s = γ q̇ is given, p = s³ + s and q̇ = s/√(1 + s²) are exact but for round-off.
    for exponent in -100..=100 {
        for mantissa in [1.0, 1.7, -2.3, 5.0] {
            let s = mantissa * 10.0_f64.powi(exponent);
            let (p, v) = (s * s * s + s, s / s.hypot(1.0));
            let found = velocity(p);
            assert!((found - v).abs() <= 8.0 * f64::EPSILON * v.abs(), "p = {p:e}: {found:e} against {v:e}");
        }
    }
    for v in [1e-300, 1e-8, 0.3, 0.9, 0.999_99, 1.0 - 1e-12, 1.0 - f64::EPSILON] {
        for v in [v, -v] {
            // q̇ changes by no more than a third of what p does, relative to each, times 1 − q̇² ≤ 1.
            assert!((velocity(momentum(v)) - v).abs() <= 8.0 * f64::EPSILON * v.abs(), "q̇ = {v}");
        }
    }
    assert_eq!((velocity(0.0), momentum(0.0)), (0.0, 0.0));
    // γ² = 5 at p = 10.
    assert!((velocity(10.0) - 0.8_f64.sqrt()).abs() <= 2.0 * f64::EPSILON);
    assert_eq!(velocity(1e300), 1.0);
    assert!(momentum(1.0).is_nan() && momentum(-1.5).is_nan());
}

#[test]
fn kinetic_energy_keeps_its_digits_at_small_velocities() {
    for v in [1e-3, 1e-6, 1e-12, 1e-100] {
        let found = RelativisticParticle.kinetic_energy(&[0.0], &[v], &[0.0]);
        // γ³v² − (γ − 1) = v²/2 + 9v⁴/8 + …
        let series = 0.5 * v * v + 1.125 * v.powi(4);
        let allowed = 8.0 * f64::EPSILON * series + 4.0 * v.powi(6);
        assert!((found - series).abs() <= allowed, "{v}: {found:e} against {series:e}");
    }
}
