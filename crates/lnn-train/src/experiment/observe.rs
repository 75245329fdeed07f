//! Observed motions of a system of known truth, as a configuration asks for them.

use std::sync::Arc;

use lnn_autodiff::Real;
use lnn_physics::{Canonical, System};

use super::build::{Purpose, sampler};
use crate::config::TrainingData;
use crate::trajectory::{Segments, Trajectories, TrajectoryError, chunks, simulate_from};

/// The segments that `data` describes, of motions that start from the states `starts` `[count, 2d + c]`; their numbers are finite in `T`. With a `canonical` form the states are (q, p), p of the observed velocities. `None` where
/// the data are fresh states.
///
/// # Errors
/// A motion that cannot be simulated, or segments that do not fit into it.
pub(super) fn segments<T: Real>(
    seed: u64,
    data: &TrainingData,
    system: &dyn System,
    canonical: Option<&dyn Canonical>,
    starts: &[f64],
) -> Result<Option<Segments>, TrajectoryError> {
    let TrainingData::Trajectories { segment, substeps, noise, chunk, time_reversal, reflection, .. } =
        data.in_segments()
    else {
        return Ok(None);
    };
    let mut observed = simulate_from(system, starts, &data.times())?;
    if noise > 0.0 {
        let deviations: Vec<f64> = observed.deviations().into_iter().map(|deviation| noise * deviation).collect();
        observed = observed.with_noise(&deviations, sampler(seed, Purpose::Noise))?;
    }
    if let Some(points) = chunk {
        observed = chunks(&observed, points, sampler(seed, Purpose::Chunks))?;
    }
    if time_reversal {
        observed = observed.with_time_reversal()?;
    }
    if reflection {
        observed = observed.with_reflection()?;
    }
    if let Some(canonical) = canonical {
        observed = in_momenta(&observed, canonical, system)?;
    }
    observed.require_finite_in::<T>()?;
    Segments::new(Arc::new(observed), segment, substeps).map(Some)
}

/// The same motions with momenta in place of velocities.
fn in_momenta(
    observed: &Trajectories,
    canonical: &dyn Canonical,
    system: &dyn System,
) -> Result<Trajectories, TrajectoryError> {
    let d = system.degrees_of_freedom();
    let mut motions = Trajectories::new(d, system.conditionals().len())?;
    for motion in observed.motions() {
        let mut states = motion.states.to_vec();
        for state in states.chunks_exact_mut(2 * d) {
            let (q, second) = state.split_at_mut(d);
            let q_dot = second.to_vec();
            canonical.momentum_into(q, &q_dot, motion.conditionals, second);
        }
        motions.push(motion.times, &states, motion.conditionals)?;
    }
    Ok(motions)
}
