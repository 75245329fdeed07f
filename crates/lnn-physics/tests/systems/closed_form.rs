//! Closed-form accelerations and energies against the Euler–Lagrange equation.

use crate::case::{cases, distance, holds_and_sees, size, smallest_mass, training_states};

#[test]
fn accelerations_solve_the_euler_lagrange_equation() {
    for case in cases() {
        let system = &*case.system;
        holds_and_sees(
            &case.label,
            &training_states(system, 200),
            1e-7,
            |state, change| {
                let mut closed = vec![f64::NAN; state.q.len()];
                system.acceleration_into(&state.q, &state.q_dot, &state.c, &mut closed);
                closed.iter_mut().for_each(|component| *component *= 1.0 + change);
                distance(&closed, &state.dynamics(system).acceleration)
            },
            |state| {
                let dynamics = state.dynamics(system);
                // Errors of H through its condition number, errors of the terms of r over H's smallest
                // eigenvalue; a few dozen operations for each degree of freedom.
                let terms = size(&dynamics.force) + state.sensitivity(system, |at| at.force.clone());
                let d = state.q.len() as f64;
                let by_mass = dynamics.condition_number() * size(&dynamics.acceleration);
                32.0 * d * f64::EPSILON * (by_mass + terms / smallest_mass(&dynamics))
            },
        );
    }
}

#[test]
fn energies_are_those_of_the_lagrangian() {
    for case in cases() {
        let system = &*case.system;
        holds_and_sees(
            &case.label,
            &training_states(system, 200),
            1e-9,
            |state, change| {
                let energy = system.energy(&state.q, &state.q_dot, &state.c);
                (energy * (1.0 + change) - state.dynamics(system).energy).abs()
            },
            |state| {
                let dynamics = state.dynamics(system);
                let power: f64 = state.q_dot.iter().zip(&dynamics.momentum).map(|(v, p)| (v * p).abs()).sum();
                let parts = system.kinetic_energy(&state.q, &state.q_dot, &state.c).abs()
                    + system.potential_energy(&state.q, &state.c).abs();
                let terms = state.sensitivity(system, |at| vec![at.lagrangian]);
                // The reference energy stands for constants in L, such as the 1 of γ − 1.
                let scale = power + dynamics.lagrangian.abs() + parts + terms + system.reference_energy();
                32.0 * f64::EPSILON * scale
            },
        );
    }
}

#[test]
fn kinetic_energy_vanishes_at_rest() {
    for case in cases() {
        let system = &*case.system;
        for state in training_states(system, 20) {
            let rest = vec![0.0; state.q.len()];
            assert_eq!(system.kinetic_energy(&state.q, &rest, &state.c), 0.0, "{}", case.label);
            assert!(system.kinetic_energy(&state.q, &state.q_dot, &state.c) > 0.0, "{}", case.label);
            let joined = [state.q.clone(), rest.clone()].concat();
            let potential = system.potential_energy(&state.q, &state.c);
            assert_eq!(system.state_energy(&joined, &state.c), potential, "{}", case.label);
        }
    }
}
