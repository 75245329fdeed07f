//! What a run on fields measures and keeps: the types behind `summary.json`, and what the report draws.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::null_if_not_finite;

/// `summary.json` of a run on fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldSummary {
    /// Experiment name, `wave` or `sine-gordon`.
    pub experiment: String,
    /// Preset name the configuration started from.
    pub preset: String,
    /// Seed of weights, training and held-out states.
    pub seed: u64,
    /// Backend that computed: `cpu`.
    pub backend: String,
    /// Processor or adapter, in words.
    pub device: String,
    /// Threads used.
    pub threads: usize,
    /// The field and its parameters in words.
    pub field: String,
    /// Sites of the lattice that is trained on.
    pub training_sites: usize,
    /// Sites of the lattice that models are judged on.
    pub sites: usize,
    /// Training, evaluation, rollouts and report, in seconds; as [`Summary::wall_seconds`](crate::record::Summary::wall_seconds).
    pub wall_seconds: f64,
    /// One entry a model, by name.
    pub models: BTreeMap<String, FieldModelSummary>,
}

/// One trained model's figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldModelSummary {
    /// Number of trained parameters.
    pub parameters: usize,
    /// Seconds of training, all sessions.
    pub train_seconds: f64,
    /// Optimiser steps attempted.
    pub steps: u64,
    /// Lattices seen in training.
    pub samples: u64,
    /// Steps without an update.
    pub skipped_steps: u64,
    /// Held-out states behind the next figures.
    pub held_out: usize,
    /// Σ |φ̈ − φ̈*| / Σ |φ̈*| over held-out states on the lattice that is judged on; infinite if a state has no finite
    /// acceleration.
    #[serde(with = "null_if_not_finite")]
    pub acceleration_relative: f64,
    /// How the held-out states' mass matrices were solved with: by method in words, how many.
    pub solved: BTreeMap<String, usize>,
    /// What became of each initial state, by name.
    pub motions: BTreeMap<String, FieldMotionSummary>,
}

/// A model's rollout from one initial state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldMotionSummary {
    /// Sites of the lattice.
    pub sites: usize,
    /// Time of the rollout, in lattice units (spacing 1, wave speed 1).
    pub t_end: f64,
    /// Time that a wave takes once across the lattice, if that has a meaning.
    pub crossing_time: f64,
    /// Largest error of the field over the sites after one crossing (or at the end, if that is earlier), over the truth's
    /// largest |φ| at the start; infinite if the rollout stopped before.
    #[serde(with = "null_if_not_finite")]
    pub field_error: f64,
    /// The same at the end.
    #[serde(with = "null_if_not_finite")]
    pub field_error_end: f64,
    /// Largest error of the exact discrete energy over all frames, in percent of its value at the start.
    #[serde(with = "null_if_not_finite")]
    pub energy_error_percent: f64,
    /// Largest change of the learned energy over all frames, in percent of the exact energy at the start; absent for a
    /// model that has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned_energy_drift_percent: Option<f64>,
    /// Relative error of a kink's velocity, by its mean motion; absent where there is no kink.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kink_velocity_error: Option<f64>,
    /// Why the rollout ended early, with its time; absent if it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// Seconds that the rollout took.
    pub rollout_seconds: f64,
}

/// The motions from one initial state that a report draws, frame by frame.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldMotion {
    /// Name of the initial state: `bump`, `smooth`, `kink`, `large`.
    pub name: String,
    /// What it is, in words: `a Gaussian bump of width 5 at rest`.
    pub description: String,
    /// Rows and columns of the lattice; one row for a line.
    pub shape: [usize; 2],
    /// Field components at a site.
    pub components: usize,
    /// Times of the frames, from 0.
    pub times: Vec<f64>,
    /// True states `[frames, 2 n c]`, each `[φ, φ̇]`; empty where there is no reference (a very large lattice).
    pub truth: Vec<f64>,
    /// Exact discrete energy of the truth at the start.
    pub energy: f64,
    /// One entry a model.
    pub models: BTreeMap<String, FieldTrajectory>,
}

/// What one model made of an initial state.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldTrajectory {
    /// States `[frames so far, 2 n c]`; on a very large lattice empty.
    pub states: Vec<f64>,
    /// Exact discrete energy of each frame's state.
    pub energy: Vec<f64>,
    /// Learned energy of each frame's state; empty for a model that has none.
    pub learned_energy: Vec<f64>,
}

/// The learned density beside the true one along two lines through its arguments, after the gauge (a factor, a constant,
/// total derivatives) has been taken out.
#[derive(Clone, Debug, PartialEq)]
pub struct DensityComparison {
    /// Model name.
    pub model: String,
    /// One panel each.
    pub panels: Vec<DensityPanel>,
}

/// One panel of a [`DensityComparison`].
#[derive(Clone, Debug, PartialEq)]
pub struct DensityPanel {
    /// Quantity on the vertical axis, for example `∂²L/∂φ̇ᵢ²`.
    pub quantity: String,
    /// Label of the horizontal axis.
    pub argument: String,
    /// Arguments.
    pub x: Vec<f64>,
    /// True values.
    pub truth: Vec<f64>,
    /// Learned values, the factor taken out.
    pub learned: Vec<f64>,
}
