//! Momenta, their inverse and their rate against the Lagrangian; Hamilton's equations.

use lnn_physics::{Canonical, System};

use crate::case::{State, cases, distance, holds_and_sees, size, smallest_mass, training_states};

fn canonical(system: &dyn System) -> &dyn Canonical {
    system.canonical().expect("every system here has a canonical form")
}

fn momentum(system: &dyn System, state: &State) -> Vec<f64> {
    let mut p = vec![f64::NAN; state.q.len()];
    canonical(system).momentum_into(&state.q, &state.q_dot, &state.c, &mut p);
    p
}

fn velocity(system: &dyn System, q: &[f64], p: &[f64], c: &[f64]) -> Vec<f64> {
    let mut q_dot = vec![f64::NAN; q.len()];
    canonical(system).velocity_into(q, p, c, &mut q_dot);
    q_dot
}

fn momentum_rate(system: &dyn System, state: &State) -> Vec<f64> {
    let mut p_dot = vec![f64::NAN; state.q.len()];
    canonical(system).momentum_rate_into(&state.q, &state.q_dot, &state.c, &mut p_dot);
    p_dot
}

fn times(x: Vec<f64>, factor: f64) -> Vec<f64> {
    x.into_iter().map(|component| component * factor).collect()
}

#[test]
fn momenta_are_the_velocity_gradient() {
    for case in cases() {
        let system = &*case.system;
        holds_and_sees(
            &case.label,
            &training_states(system, 200),
            1e-9,
            |state, change| distance(&times(momentum(system, state), 1.0 + change), &state.dynamics(system).momentum),
            |state| {
                let dynamics = state.dynamics(system);
                let terms = state.sensitivity(system, |at| at.momentum.clone());
                // A Lagrangian may compare velocities with a constant, 1 being the speed of light: sums such
                // as 1 + q̇ are rounded by an ulp of that unit.
                let unit = size(&dynamics.mass_matrix);
                32.0 * f64::EPSILON * (size(&dynamics.momentum) + terms + unit)
            },
        );
    }
}

#[test]
fn velocities_invert_momenta() {
    for case in cases() {
        let system = &*case.system;
        holds_and_sees(
            &case.label,
            &training_states(system, 200),
            1e-7,
            |state, change| {
                let p = times(momentum(system, state), 1.0 + change);
                distance(&velocity(system, &state.q, &p, &state.c), &state.q_dot)
            },
            |state| {
                let dynamics = state.dynamics(system);
                let terms = size(&dynamics.momentum) + state.sensitivity(system, |at| at.momentum.clone());
                let by_mass = dynamics.condition_number() * size(&state.q_dot);
                32.0 * f64::EPSILON * (by_mass + terms / smallest_mass(&dynamics))
            },
        );
    }
}

#[test]
fn momentum_rates_are_the_position_gradient() {
    for case in cases() {
        let system = &*case.system;
        let still = |state: &State| size(&state.dynamics(system).position_gradient) == 0.0;
        let states: Vec<State> = training_states(system, 200).into_iter().filter(|state| !still(state)).collect();
        holds_and_sees(
            &case.label,
            &states,
            1e-9,
            |state, change| {
                let rate = times(momentum_rate(system, state), 1.0 + change);
                distance(&rate, &state.dynamics(system).position_gradient)
            },
            |state| {
                let terms = state.sensitivity(system, |at| at.position_gradient.clone());
                32.0 * f64::EPSILON * (size(&state.dynamics(system).position_gradient) + terms)
            },
        );
    }
}

/// Central differences of order 8 and 6 of `f` at 0.
fn derivatives(f: impl Fn(f64) -> f64, h: f64) -> (f64, f64) {
    let sum = |weights: &[f64]| -> f64 {
        let terms = weights.iter().zip(1..);
        terms.map(|(w, k)| w * (f(f64::from(k) * h) - f(f64::from(-k) * h))).sum::<f64>() / h
    };
    (sum(&[4.0 / 5.0, -1.0 / 5.0, 4.0 / 105.0, -1.0 / 280.0]), sum(&[3.0 / 4.0, -3.0 / 20.0, 1.0 / 60.0]))
}

#[test]
fn hamiltons_equations_hold() {
    for case in cases() {
        let system = &*case.system;
        let d = system.degrees_of_freedom();
        // Both equations in one vector (∂H/∂p, −∂H/∂q), with the error of each entry's difference.
        let flow = |state: &State| -> (Vec<f64>, f64) {
            let p = momentum(system, state);
            let energy = |q: &[f64], p: &[f64]| system.energy(q, &velocity(system, q, p, &state.c), &state.c);
            let dynamics = state.dynamics(system);
            let scale = system.kinetic_energy(&state.q, &state.q_dot, &state.c) * dynamics.condition_number()
                + system.potential_energy(&state.q, &state.c).abs()
                + system.reference_energy();
            let (mut flow, mut error) = (Vec::new(), 0.0_f64);
            for i in 0..d {
                let h = 5e-3 * (1.0 + size(&p));
                let along = |by: f64| {
                    let mut p = p.clone();
                    p[i] += by;
                    energy(&state.q, &p)
                };
                let (fine, coarse) = derivatives(along, h);
                flow.push(fine);
                error = error.max((fine - coarse).abs() + 64.0 * f64::EPSILON * scale / h);
            }
            for i in 0..d {
                let h = 5e-3;
                let along = |by: f64| {
                    let mut q = state.q.clone();
                    q[i] += by;
                    energy(&q, &p)
                };
                let (fine, coarse) = derivatives(along, h);
                flow.push(-fine);
                error = error.max((fine - coarse).abs() + 64.0 * f64::EPSILON * scale / h);
            }
            (flow, error)
        };
        holds_and_sees(
            &case.label,
            &training_states(system, 50),
            1e-4,
            |state, change| {
                let expected = [state.q_dot.clone(), momentum_rate(system, state)].concat();
                distance(&times(flow(state).0, 1.0 + change), &expected)
            },
            |state| flow(state).1,
        );
    }
}
