//! Energy drift of rollouts.

#![allow(clippy::unwrap_used)] // In a test, a failed unwrap is a failure with its line.

use lnn_physics::System;
use lnn_physics::invariants::{InvariantError, energies_into, energy_drift, rollout_energy_drift};
use lnn_physics::systems::DoublePendulum;

#[test]
fn drift_is_the_published_measure() {
    let system = DoublePendulum::default();
    // The first bob's velocity grows from 1 to √3: T grows from 1 to 3, and 2 J of 29.4 J are
    // gained.
    let states = [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 3.0_f64.sqrt(), 0.0, 0.0, 0.0, 1.0, 0.0];
    let mut energies = [f64::NAN; 3];
    energies_into(&system, &states, &[], &mut energies);
    assert!((energies[1] - energies[0] - 2.0).abs() <= 64.0 * f64::EPSILON * 29.4);
    let drift = rollout_energy_drift(&system, &states, &[]).unwrap();
    assert_eq!(drift.last_percent, 0.0);
    assert!((drift.max_percent - 200.0 / 29.4).abs() <= 6400.0 * f64::EPSILON);
    let drift = rollout_energy_drift(&system, &states[..8], &[]).unwrap();
    assert_eq!(drift.last_percent, drift.max_percent);
}

#[test]
fn what_cannot_be_stated_is_an_error() {
    assert_eq!(energy_drift(&[], 0.0, 1.0), Err(InvariantError::Empty));
    assert_eq!(energy_drift(&[1.0], 0.0, 0.0), Err(InvariantError::NoReference { given: 0.0 }));
    assert!(matches!(energy_drift(&[1.0, f64::NAN], 0.0, 1.0), Err(InvariantError::NonFinite { index: 1, .. })));
    assert!(matches!(energy_drift(&[1.0], f64::NAN, 1.0), Err(InvariantError::NonFiniteConserved { .. })));
    let weightless = DoublePendulum::new(1.0, 1.0, 1.0, 1.0, 0.0).unwrap();
    assert_eq!(weightless.reference_energy(), 0.0);
    let error = rollout_energy_drift(&weightless, &[0.0; 4], &[]).unwrap_err();
    assert!(error.to_string().contains("reference energy is 0"), "{error}");
}
