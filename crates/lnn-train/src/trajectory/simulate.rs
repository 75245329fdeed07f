//! Data sets from a system with known truth.

use std::convert::Infallible;

use lnn_physics::System;
use lnn_physics::integrators::{DormandPrinceOptions, IntegrationError, IntegrationFailure, Method, solve_at};
use lnn_physics::sampling::{Distribution, StateSampler};
use rayon::prelude::*;

use super::{Trajectories, TrajectoryError};

/// Tolerance of the integration, relative and absolute.
const TOLERANCE: f64 = 1e-12;

/// The true motions from `count` initial states, observed at `times`.
///
/// The initial states and conditionals are the first `count` draws of the sampler's stream 0 from `distribution`
/// `[2d + c]`; the motions follow by Dormand–Prince's method with tolerance 1e-12. The result depends on the arguments
/// only, not on the threads that share the work.
///
/// # Errors
/// Times that are not finite or not increasing, or fewer than 2; a motion that leaves the finite numbers.
///
/// # Panics
/// If `distribution` is not of the system's (q, q̇, conditionals).
pub fn simulate(
    system: &dyn System,
    distribution: &[Distribution],
    sampler: StateSampler,
    count: usize,
    times: &[f64],
) -> Result<Trajectories, TrajectoryError> {
    let width = 2 * system.degrees_of_freedom() + system.conditionals().len();
    assert_eq!(distribution.len(), width, "distributions of (q, q̇, conditionals)");
    let mut draws = vec![0.0; count * width];
    sampler.fill(0, distribution, &mut draws);
    simulate_from(system, &draws, times)
}

/// The true motions from initial states and conditionals `[count, 2d + c]`, observed at `times`, as [`simulate`].
///
/// # Errors
/// As [`simulate`].
///
/// # Panics
/// If `starts` does not hold whole states.
pub fn simulate_from(system: &dyn System, starts: &[f64], times: &[f64]) -> Result<Trajectories, TrajectoryError> {
    let (dof, conditionals) = (system.degrees_of_freedom(), system.conditionals().len());
    let width = 2 * dof + conditionals;
    assert!(starts.len().is_multiple_of(width), "{} numbers of states of {width} components", starts.len());
    let method = Method::DormandPrince(DormandPrinceOptions {
        relative_tolerance: TOLERANCE,
        absolute_tolerance: TOLERANCE,
        ..DormandPrinceOptions::default()
    });
    let motions: Vec<_> = starts
        .par_chunks(width)
        .map(|draw| {
            let (initial, conditionals) = draw.split_at(2 * dof);
            let motion = |_t: f64, state: &[f64], state_dot: &mut [f64]| {
                system.state_derivative_into(state, conditionals, state_dot);
                Ok::<(), Infallible>(())
            };
            solve_at(&method, motion, initial, times)
        })
        .collect();
    let mut trajectories = Trajectories::new(dof, conditionals)?;
    // In order, so that the first failure is the one named.
    for (trajectory, (motion, draw)) in motions.into_iter().zip(starts.chunks_exact(width)).enumerate() {
        let motion = motion.map_err(|IntegrationFailure { error, partial }| match error {
            IntegrationError::Input(input) => TrajectoryError::Input(input),
            error => {
                let time = partial.times.last().copied().unwrap_or(f64::NAN);
                TrajectoryError::Simulation { trajectory, time, reason: error.to_string() }
            }
        })?;
        trajectories.push(times, &motion.states, &draw[2 * dof..])?;
    }
    Ok(trajectories)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use lnn_physics::systems::{DoublePendulum, build};

    use super::*;

    fn in_threads(threads: usize, seed: u64) -> Trajectories {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let pendulum = DoublePendulum::new(1.0, 1.0, 1.0, 1.0, 9.8).expect("usable");
        let times = [0.0, 0.1, 0.15, 0.4];
        let run = || simulate(&pendulum, pendulum.training_distribution(), StateSampler::new(seed, 9), 20, &times);
        pool.install(run).expect("finite motions")
    }

    #[test]
    fn motions_depend_on_the_seed_alone_and_keep_their_energy() {
        let trajectories = in_threads(1, 3);
        assert_eq!(trajectories, in_threads(3, 3));
        assert_ne!(trajectories, in_threads(1, 4));
        assert_eq!((trajectories.len(), trajectories.rows()), (20, 80));
        let pendulum = DoublePendulum::new(1.0, 1.0, 1.0, 1.0, 9.8).expect("usable");
        for motion in trajectories.motions() {
            let energy = |row| pendulum.state_energy(motion.state(row), &[]);
            let drift = (energy(3) - energy(0)).abs();
            // Some hundred steps of 1e-12 relative to states of 10, in an energy whose slope is below 1000.
            assert!(drift < 1e-6 && motion.state(0) != motion.state(1), "{drift:e}");
        }
    }

    #[test]
    fn conditionals_are_drawn_and_reach_the_motion() {
        let system = build("relativistic", &BTreeMap::new()).expect("listed");
        let distribution = system.training_distribution();
        let times = [0.0, 0.5];
        let trajectories = simulate(&*system, distribution, StateSampler::new(0, 0), 30, &times).expect("finite");
        let mut signs = 0;
        for motion in trajectories.motions() {
            let [field] = *motion.conditionals else { panic!("one conditional") };
            // The force has the field's sign, at any speed.
            let faster = motion.state(1)[1] - motion.state(0)[1];
            assert!(faster * field >= 0.0, "{motion:?}");
            signs += usize::from(faster != 0.0);
        }
        assert!(signs > 20, "{signs} of 30 motions are accelerated");
    }

    #[test]
    fn times_that_cannot_be_observed_are_refused() {
        let pendulum = DoublePendulum::new(1.0, 1.0, 1.0, 1.0, 9.8).expect("usable");
        let refuse = |times: &[f64]| {
            let distribution = pendulum.training_distribution();
            simulate(&pendulum, distribution, StateSampler::new(0, 0), 2, times).expect_err("bad times").to_string()
        };
        assert!(refuse(&[0.0, 0.2, 0.1]).contains("times[2] = 0.1 does not lie after times[1] = 0.2"));
        assert!(refuse(&[]).contains("no time was requested"));
        assert!(refuse(&[0.0]).contains("trajectory 0 has 1 row(s)"));
    }
}
