//! Motions: exact ends, conserved energy, and whether rollouts stay where training happened.

use std::convert::Infallible;
use std::f64::consts::TAU;

use lnn_physics::integrators::{DormandPrinceOptions, Method, Trajectory, solve_at};
use lnn_physics::invariants::rollout_energy_drift;
use lnn_physics::{ReferenceMotion, System};

use crate::case::{cases, distance, size, states};

const TOLERANCE: f64 = 1e-12;

/// States at 21 times from 0 to `duration`.
fn solve(system: &dyn System, start: &[f64], c: &[f64], duration: f64, tolerance: f64) -> Trajectory {
    let times: Vec<f64> = (0..=20).map(|k| f64::from(k) * duration / 20.0).collect();
    let method = Method::DormandPrince(DormandPrinceOptions {
        relative_tolerance: tolerance,
        absolute_tolerance: tolerance,
        ..Default::default()
    });
    let f = |_t: f64, y: &[f64], y_dot: &mut [f64]| {
        system.state_derivative_into(y, c, y_dot);
        Ok::<(), Infallible>(())
    };
    solve_at(&method, f, start, &times).unwrap()
}

#[test]
fn reference_motions_reach_their_exact_ends() {
    let mut known = Vec::new();
    for case in cases() {
        let system = &*case.system;
        let ReferenceMotion { start, conditionals: c, duration, end } = system.reference_motion();
        let Some(end) = end else { continue };
        known.push(system.name());
        let found = solve(system, &start, &c, duration, TOLERANCE);
        // Each step errs by at most the tolerance, and no motion here amplifies that more than
        // a hundredfold (the pulse of Hénon–Heiles towards its saddle by e³).
        let steps = found.statistics.steps as f64;
        let allowed = 100.0 * TOLERANCE * steps.sqrt() * (1.0 + size(&end));
        let error = distance(found.last().unwrap(), &end);
        assert!(error <= allowed, "{}: {error:e} is more than {allowed:e}", case.label);
        // It is a motion, and another time, another start or other conditionals end elsewhere.
        assert!(distance(&start, &end) > 0.1 * size(&start), "{}", case.label);
        let late = solve(system, &start, &c, duration * (1.0 + 1e-6), TOLERANCE);
        assert!(distance(late.last().unwrap(), &end) > 10.0 * allowed, "{}", case.label);
    }
    for name in ["relativistic", "charge", "pendulum", "spring", "spring-pendulum", "kepler", "henon-heiles", "sphere"]
    {
        assert!(known.contains(&name), "{name} has a closed form");
    }
}

#[test]
fn ends_without_gravity_field_or_trap_are_exact_too() {
    use lnn_physics::systems::{Charge, DoublePendulum, Pendulum};
    let systems: [Box<dyn System>; 5] = [
        Box::new(DoublePendulum::new(1.0, 2.0, 0.7, 1.3, 0.0).unwrap()),
        Box::new(Pendulum::new(&[1.0, 2.0, 0.5], &[1.0, 0.3, 0.8], 0.0).unwrap()),
        Box::new(Pendulum::new(&[1.0], &[0.5], -9.8).unwrap()),
        Box::new(Charge::new(2.0, -1.5, 0.0).unwrap()),
        Box::new(Charge::new(2.0, 0.0, 0.0).unwrap()),
    ];
    for system in &systems {
        let ReferenceMotion { start, conditionals: c, duration, end } = system.reference_motion();
        let end = end.unwrap_or_else(|| panic!("{system:?} has a closed form"));
        let found = solve(&**system, &start, &c, duration, TOLERANCE);
        let error = distance(found.last().unwrap(), &end);
        assert!(error <= 1000.0 * TOLERANCE * (1.0 + size(&end)), "{system:?}: {error:e}");
        assert!(distance(&start, &end) > 0.1);
    }
}

#[test]
fn energy_is_conserved() {
    for case in cases() {
        let system = &*case.system;
        let reference = system.reference_motion();
        let mut motions = vec![(reference.start, reference.conditionals, reference.duration)];
        let starts = states(system, system.rollout_distribution(), 3);
        motions.extend(starts.into_iter().map(|s| (s.joined(), s.c.clone(), reference.duration.min(1.0))));
        for (start, c, duration) in motions {
            let found = solve(system, &start, &c, duration, TOLERANCE);
            // Each step moves the state by at most the tolerance, scaled as the error control does, and
            // so the energy by its gradient times that.
            let mut gradient: f64 = 0.0;
            for (_, state) in found.rows() {
                let slope = |j: usize| {
                    let h = 1e-6 * (1.0 + state[j].abs());
                    let at = |by: f64| {
                        let mut state = state.to_vec();
                        state[j] += by;
                        system.state_energy(&state, &c)
                    };
                    (at(h) - at(-h)).abs() / (2.0 * h)
                };
                gradient = gradient.max((0..state.len()).map(|j| slope(j) * (1.0 + state[j].abs())).sum());
            }
            let energy = system.state_energy(&start, &c);
            let round_off = 64.0 * f64::EPSILON * (energy.abs() + system.reference_energy());
            let allowed = TOLERANCE * found.statistics.steps as f64 * gradient + round_off;
            let drift = rollout_energy_drift(system, &found.states, &c).unwrap();
            let error = 0.01 * drift.max_percent * system.reference_energy();
            assert!(error <= allowed, "{}: {error:e} is more than {allowed:e}", case.label);
            // Tight enough for the next test: a force wrong by one part in 10⁶.
            assert!(allowed < 1e-7 * system.reference_energy().max(energy.abs()), "{}: {allowed:e}", case.label);
        }
    }
}

#[test]
fn the_energy_test_sees_a_wrong_force() {
    let spring = lnn_physics::systems::Spring::new(1.0, 1.0).unwrap();
    let f = |_t: f64, y: &[f64], y_dot: &mut [f64]| {
        spring.state_derivative_into(y, &[], y_dot);
        y_dot[1] *= 1.0 + 1e-6;
        Ok::<(), Infallible>(())
    };
    let found = solve_at(&Method::Rk4 { dt: 1e-3 }, f, &[0.6, 0.5], &[0.0, 1.0, 2.0]).unwrap();
    let drift = rollout_energy_drift(&spring, &found.states, &[]).unwrap();
    assert!(0.01 * drift.max_percent * spring.reference_energy() > 1e-7);
}

/// What the documentation of these systems promises; the pendulums' published starts swing faster
/// than their training states.
#[test]
fn rollouts_stay_inside_the_training_distribution() {
    let promised = ["relativistic", "charge", "spring", "spring-pendulum", "kepler", "henon-heiles", "sphere"];
    for name in promised {
        let system = lnn_physics::systems::build(name, &Default::default()).unwrap();
        let duration = if name == "relativistic" { 1.0 } else { 20.0 };
        for start in states(&*system, system.rollout_distribution(), 50) {
            let found = solve(&*system, &start.joined(), &start.c, duration, 1e-9);
            for (time, state) in found.rows() {
                for (j, distribution) in system.training_distribution()[..state.len()].iter().enumerate() {
                    let angle = system.coordinates().get(j).is_some_and(|coordinate| coordinate.is_angle);
                    let value = if angle { state[j].rem_euclid(TAU) } else { state[j] };
                    assert!(distribution.contains(value), "{name}: component {j} is {value} at {time} from {start:?}");
                }
            }
            for (value, distribution) in start.c.iter().zip(&system.training_distribution()[2 * start.q.len()..]) {
                assert!(distribution.contains(*value));
            }
        }
    }
}

/// Inside also where the support is unbounded or its edge is rare: |q̇| < 0.94, |q| < 9.
#[test]
fn relativistic_rollouts_stay_below_the_documented_speed() {
    let system = lnn_physics::systems::RelativisticParticle;
    let mut fastest: f64 = 0.0;
    let worst = [vec![8.0, 0.9], vec![-8.0, -0.9]];
    for (start, g) in worst.iter().zip([10.0, -10.0]) {
        let found = solve(&system, start, &[g], 1.0, 1e-9);
        let last = found.last().unwrap();
        assert!(last[0].abs() < 9.0 && last[1].abs() < 0.94, "{last:?}");
        fastest = fastest.max(last[1].abs());
    }
    assert!(fastest > 0.93);
}
