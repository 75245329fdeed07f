//! States that a run trains on, is judged at and starts rollouts from: drawn from ranges, or as a published protocol says.

use lnn_physics::System;

use super::ExperimentError;
use super::build::{Purpose, rollout_distribution, sampler, training_distribution};
use crate::config::{CHNN_CHUNK, CHNN_DT, CHNN_ROWS, ExperimentConfig, Protocol, SystemConfig};
use crate::trajectory::{TrajectoryError, chain_pendulum_starts, chunks, simulate_from};

/// Lengths of the rods of a chain from the top, in m.
///
/// # Errors
/// A system that is no chain, or parameters that it refuses.
pub(super) fn rod_lengths(system: &SystemConfig) -> Result<Vec<f64>, ExperimentError> {
    let complete = system.complete()?;
    // A complete chain has exactly the lengths of its links.
    Ok((1..).map_while(|rod| complete.parameters.get(&format!("l{rod}")).copied()).collect())
}

/// `count` states (q, q̇, conditionals) `[count, 2d + c]`: of observed motions at their start, or held out.
///
/// # Errors
/// A range that cannot be sampled, or random states of the protocol that cannot be made possible ones.
pub(super) fn training_starts(
    config: &ExperimentConfig,
    system: &dyn System,
    purpose: Purpose,
    count: usize,
) -> Result<Vec<f64>, ExperimentError> {
    let sampler = sampler(config.seed, purpose);
    match config.protocol {
        None => {
            let ranges = training_distribution(config, system)?;
            let mut states = vec![0.0; count * ranges.len()];
            sampler.fill(0, &ranges, &mut states);
            Ok(states)
        }
        Some(protocol @ Protocol::Chnn) => {
            let refused = |source| ExperimentError::Protocol { protocol, source };
            chain_pendulum_starts(&rod_lengths(&config.system)?, sampler, count).map_err(refused)
        }
    }
}

/// States `[rollouts, 2d + c]` that rollouts start from.
///
/// Under [`Protocol::Chnn`] the first states of random chunks of motions of their own.
///
/// # Errors
/// As [`training_starts`], and a motion that cannot be simulated.
pub(super) fn rollout_starts(config: &ExperimentConfig, system: &dyn System) -> Result<Vec<f64>, ExperimentError> {
    let count = config.evaluation.rollouts;
    match config.protocol {
        None => {
            let ranges = rollout_distribution(config, system)?;
            let mut states = vec![0.0; count * ranges.len()];
            sampler(config.seed, Purpose::Rollout).fill(0, &ranges, &mut states);
            Ok(states)
        }
        Some(protocol @ Protocol::Chnn) => {
            let starts = training_starts(config, system, Purpose::Rollout, count)?;
            let times: Vec<f64> = (0..CHNN_ROWS).map(|row| CHNN_DT * row as f64).collect();
            let kept = || -> Result<Vec<f64>, TrajectoryError> {
                let motions = simulate_from(system, &starts, &times)?;
                let kept = chunks(&motions, CHNN_CHUNK, sampler(config.seed, Purpose::RolloutChunks))?;
                Ok(kept.motions().flat_map(|motion| motion.state(0).to_vec()).collect())
            };
            kept().map_err(|source| ExperimentError::Protocol { protocol, source })
        }
    }
}
