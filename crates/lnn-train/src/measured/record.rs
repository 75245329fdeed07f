//! What a training on measured data leaves in `summary.json`.

use serde::{Deserialize, Serialize};

use super::findings::Findings;
use crate::record::{MassMatrixSpectrum, null_if_not_finite};

/// `summary.json` of a training on measured data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasuredSummary {
    /// What was learned, in words.
    pub learned: String,
    /// What the network stands for, in words.
    pub model: String,
    /// Seed of weights and batches.
    pub seed: u64,
    /// Backend that computed: `cpu`.
    pub backend: String,
    /// Processor, in words.
    pub device: String,
    /// Threads used.
    pub threads: usize,
    /// Training, judging and report, in seconds; see [`Summary::wall_seconds`](crate::record::Summary::wall_seconds).
    pub wall_seconds: f64,
    /// Number of trained parameters.
    pub parameters: usize,
    /// Time of training in seconds, over all sessions.
    pub train_seconds: f64,
    /// Optimiser steps.
    pub steps: u64,
    /// The step whose parameters were kept: the one with the least held-out error of all that were logged, of those first whose
    /// mass matrix keeps its sign.
    pub kept_step: u64,
    /// Its held-out error: root mean square over rows and components of the errors of the rates, in units of their deviations. Noise alone
    /// can make it large where the rates are taken from row to row.
    #[serde(with = "null_if_not_finite")]
    pub held_out_error: f64,
    /// States or segments seen.
    pub samples: u64,
    /// Steps without an update.
    pub skipped_steps: u64,
    /// Trajectories trained on.
    pub training_trajectories: usize,
    /// Numbers of the trajectories held out, from 0 in the order of the data.
    pub held_out: Vec<usize>,
    /// Whether there is only one trajectory, whose last part is held out.
    pub of_one: bool,
    /// Errors on the held-out rows of the acceleration, where it was measured; else empty.
    pub acceleration: Vec<CoordinateErrors>,
    /// Errors of the state one row later, q before q̇, on the held-out rows.
    pub one_row: Vec<CoordinateErrors>,
    /// Rollouts from the first state of each held-out trajectory over its own times.
    pub rollouts: RolloutErrors,
    /// The learned energy along what was measured and along rollouts; absent for a model without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy: Option<EnergyDrift>,
    /// The learned mass matrix on all held-out rows; absent for a model without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mass_matrix: Option<MassMatrixSpectrum>,
    /// What was found in the data.
    pub data: Findings,
}

/// Error of one component.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CoordinateErrors {
    /// The column.
    pub name: String,
    /// Its unit in the user's words, or nothing.
    pub unit: Option<String>,
    /// Root mean square of the errors, in that unit.
    #[serde(with = "null_if_not_finite")]
    pub root_mean_square: f64,
    /// The same as a fraction of the root mean square of what is predicted: an acceleration's distance from its mean, or
    /// the change of a state from a row to the next.
    #[serde(with = "null_if_not_finite")]
    pub relative: f64,
}

/// How far rollouts are from what was measured.
///
/// The distance of two states is the root mean square over the components of (q, q̇) of their difference, each in units of
/// its deviation in the data; that of two angles is the shorter way round, and their deviation at most that of a circle, π/√3.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RolloutErrors {
    /// Median over the rollouts of the distance at each tenth of their time; nothing where more than half have ended.
    pub by_tenth: Vec<Option<f64>>,
    /// Median time up to which a rollout stays within a tenth of the deviations, in the data's unit of time.
    #[serde(with = "null_if_not_finite")]
    pub faithful_time: f64,
    /// Median length of the held-out trajectories, in the same unit.
    pub duration: f64,
    /// Rollouts that ended early: at a singular mass matrix, a state that is no longer finite, or for want of a step small
    /// enough.
    pub failed: usize,
    /// Why the first of them ended, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_failure: Option<String>,
    /// Number of rollouts.
    pub count: usize,
    /// Those of motions that are longer than what is rolled out of one.
    #[serde(default)]
    pub cut: usize,
}

/// Standard deviation along a motion of the learned energy, in percent of the mean learned kinetic energy, |E(q, q̇) − E(q,
/// 0)|: the median over the held-out motions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnergyDrift {
    /// Along what was measured: whether the motion conserves what was learned.
    #[serde(with = "null_if_not_finite")]
    pub measured_percent: f64,
    /// Along rollouts: whether the integration does. One that ended early counts as infinite.
    #[serde(with = "null_if_not_finite")]
    pub rollout_percent: f64,
}

/// A held-out motion and the model's, from the same first state.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasuredRollout {
    /// Number of the trajectory, from 0 in the order of the data.
    pub number: usize,
    /// Where it was read, in words.
    pub origin: String,
    /// Times `[rows]`, of a very long motion the first ones.
    pub times: Vec<f64>,
    /// Measured states `[rows, 2d]`.
    pub measured: Vec<f64>,
    /// The model's states `[rows or fewer, 2d]`.
    pub predicted: Vec<f64>,
    /// Learned energies of the measured states, `[rows]`, or nothing.
    pub measured_energy: Vec<f64>,
    /// Learned energies of the model's states, or nothing.
    pub predicted_energy: Vec<f64>,
    /// What is constant along the motion, `[c]`.
    pub conditionals: Vec<f64>,
    /// Distance of the states at each of the model's rows; see [`RolloutErrors`].
    pub distance: Vec<f64>,
    /// Whether the motion goes on after these times.
    pub cut: bool,
    /// Why and when the model's motion ended early.
    pub failure: Option<crate::record::RolloutFailure>,
}
