//! What a run measures and keeps: the types behind `summary.json`, `metrics.jsonl` and
//! `trajectories.csv`, and what the report draws. Numbers that are not finite are `null` in JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod ensemble;

pub use ensemble::{EnsembleSummary, LostMember, MemberSpread, MemberSummary, ModelEnsemble};

/// `summary.json`: the run's outcome beside the paper's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Experiment name, for example `dblpend`.
    pub experiment: String,
    /// Preset name the configuration started from.
    pub preset: String,
    /// Seed of weights, training states, held-out states and the rollouts' initial states; of an ensemble the first one.
    pub seed: u64,
    /// What computed the trainings: `cpu` or `gpu`; of the last session that trained, as `device` and `threads`.
    pub backend: String,
    /// Processor or adapter, in words.
    pub device: String,
    /// Threads used.
    pub threads: usize,
    /// The energy that is 100 % in every energy error.
    pub energy_reference: EnergyReference,
    /// Training, evaluation, rollouts and report, in seconds. Of a resumed run: the training time that its
    /// checkpoints record, and the whole of the session that finished it. Judging a finished run again leaves
    /// it as it was.
    pub wall_seconds: f64,
    /// One entry a model, by name. Of an ensemble the figures of its [`shown_seed`](EnsembleSummary::shown_seed).
    pub models: BTreeMap<String, ModelSummary>,
    /// Every member's figures and their spread, of an ensemble.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ensemble: Option<EnsembleSummary>,
    /// The paper's published figures for the same models.
    pub paper: BTreeMap<String, PublishedFigures>,
}

impl Summary {
    /// Takes machine and times over from the session that trained the models, whose summary is `earlier`: the checkpoints do
    /// not know the time that writing them took.
    pub(crate) fn keep_session(&mut self, earlier: Self) {
        for (name, model) in &mut self.models {
            model.train_seconds = earlier.models.get(name).map_or(model.train_seconds, |m| m.train_seconds);
        }
        if let (Some(ensemble), Some(earlier)) = (&mut self.ensemble, &earlier.ensemble) {
            ensemble.keep_times(earlier);
        }
        let Self { backend, device, threads, wall_seconds, .. } = earlier;
        (self.backend, self.device, self.threads, self.wall_seconds) = (backend, device, threads, wall_seconds);
    }
}

/// The energy that is 100 % in an energy error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnergyReference {
    /// The energy, above 0.
    #[serde(with = "null_if_not_finite")]
    pub value: f64,
    /// Its unit.
    pub unit: String,
    /// What energy it is, in words, for example `the largest potential energy`.
    pub meaning: String,
}

/// One trained model's figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelSummary {
    /// Number of trained parameters.
    pub parameters: usize,
    /// Time from the first step to the last, log lines and checkpoints included, in seconds; over all sessions
    /// of a resumed run, each up to its last checkpoint.
    pub train_seconds: f64,
    /// Optimiser steps attempted.
    pub steps: u64,
    /// Training states seen.
    pub samples: u64,
    /// Held-out states behind `acceleration_l1`.
    pub held_out: usize,
    /// Mean over held-out states of Σⱼ |q̈ⱼ − q̈*ⱼ|; NaN for a model in canonical coordinates, which has no accelerations;
    /// in the system's units (rad/s² for a pendulum).
    #[serde(with = "null_if_not_finite")]
    pub acceleration_l1: f64,
    /// The same in units of the mean of Σⱼ |q̈*ⱼ|.
    #[serde(with = "null_if_not_finite")]
    pub acceleration_relative: f64,
    /// `acceleration_l1` as the mean by the weights of the training; absent where no model has weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weighted_acceleration_l1: Option<f64>,
    /// Mean over held-out states of the errors of both rates, Σⱼ |dqⱼ/dt − q̇ⱼ| + |q̈ⱼ − q̈*ⱼ|, in canonical
    /// coordinates with ṗ in place of q̈; absent for models of second order, whose dq/dt is q̇ itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector_field_l1: Option<f64>,
    /// The same as the mean by the weights of the training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weighted_vector_field_l1: Option<f64>,
    /// Energy error at the last frame, in percent of the run's reference energy.
    pub energy_error_percent: Distribution,
    /// Largest energy error over all frames of each rollout, in percent.
    pub energy_error_max_frame_percent: Distribution,
    /// Largest |q̇ⱼ − q̇*ⱼ| over all frames and components of each rollout, in the system's units.
    pub velocity_error_max: Distribution,
    /// Relative errors of the rollouts in Cartesian positions and velocities; absent without a protocol that asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geometric_mean_relative_error: Option<RelativeErrors>,
    /// Steps without an update, because the loss, the gradient or the updated weights were not finite.
    pub skipped_steps: u64,
}

/// A distribution over rollouts; failed rollouts are counted, not averaged.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// Arithmetic mean over the rollouts that did not fail.
    #[serde(with = "null_if_not_finite")]
    pub mean: f64,
    /// Median.
    #[serde(with = "null_if_not_finite")]
    pub median: f64,
    /// 90th percentile.
    #[serde(with = "null_if_not_finite")]
    pub p90: f64,
    /// Largest value.
    #[serde(with = "null_if_not_finite")]
    pub max: f64,
    /// Rollouts that stopped early: a state that is no longer finite, an integrator that failed, or its limit
    /// of steps. A mass matrix that loses rank does not stop one, since the pseudoinverse still solves.
    pub failed: usize,
}

/// Over rollouts, the geometric mean over time of the relative error of each.
///
/// The published figures are geometric means over the rollouts too: those of the perturbed truth in the authors' own
/// table of single rollouts give 5.9e-5 that way and 8.0e-5 as a plain mean.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RelativeErrors {
    /// Geometric mean over the rollouts, infinite if one failed.
    #[serde(with = "null_if_not_finite")]
    pub geometric_mean: f64,
    /// Plain mean, median, 90th percentile and largest over those that did not fail.
    #[serde(flatten)]
    pub rollouts: Distribution,
}

/// Figures that the paper states for a model, as far as it does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PublishedFigures {
    /// Acceleration L1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acceleration_l1: Option<f64>,
    /// Acceleration L1 as the mean by the weights of the training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weighted_acceleration_l1: Option<f64>,
    /// Geometric mean over time and rollouts of the relative error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geometric_mean_relative_error: Option<f64>,
    /// Mean energy error in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub energy_error_percent: Option<f64>,
}

/// One line of `metrics.jsonl`: training state of one model at one log point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricsLine {
    /// Model name.
    pub model: String,
    /// Seed of the member of an ensemble; absent in a run of one seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Optimiser steps done.
    pub step: u64,
    /// Training states seen.
    pub samples: u64,
    /// Mean training loss since the last line.
    #[serde(with = "null_if_not_finite")]
    pub loss: f64,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Gradient norm of the last step, before clipping.
    #[serde(with = "null_if_not_finite")]
    pub gradient_norm: f64,
    /// Steps without an update so far.
    pub skipped_steps: u64,
    /// Acceleration L1 on a fixed small set of held-out states; NaN for a model without accelerations.
    #[serde(with = "null_if_not_finite")]
    pub acceleration_l1: f64,
    /// L1 of both rates on the same states, of a model that learns both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector_field_l1: Option<f64>,
    /// Spectrum of the learned mass matrix on the same states; absent for models without one.
    pub mass_matrix: Option<MassMatrixSpectrum>,
    /// Of a training on measured data: root mean square error of the rates on some of what is held out, in units of their
    /// deviations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out_error: Option<f64>,
}

/// What a [`MetricsLine`] says of the parameters as they are at its step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// See [`MetricsLine::acceleration_l1`].
    pub acceleration_l1: f64,
    /// See [`MetricsLine::vector_field_l1`].
    pub vector_field_l1: Option<f64>,
    /// See [`MetricsLine::mass_matrix`].
    pub mass_matrix: Option<MassMatrixSpectrum>,
    /// See [`MetricsLine::held_out_error`].
    pub held_out_error: Option<f64>,
}

/// Eigenvalues of the learned mass matrix over a fixed set of held-out states.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MassMatrixSpectrum {
    /// Smallest eigenvalue over the set's finite matrices.
    #[serde(with = "null_if_not_finite")]
    pub eigenvalue_min: f64,
    /// Largest eigenvalue over the set's finite matrices.
    #[serde(with = "null_if_not_finite")]
    pub eigenvalue_max: f64,
    /// Median condition number |λ|max / |λ|min; infinite for a matrix that is singular or not finite.
    #[serde(with = "null_if_not_finite")]
    pub condition_median: f64,
    /// Largest condition number.
    #[serde(with = "null_if_not_finite")]
    pub condition_max: f64,
    /// States at which the matrix is not positive definite, or not finite.
    pub indefinite: usize,
    /// States at which the matrix is not of full rank under the model's tolerance, or not finite.
    #[serde(default)]
    pub rank_deficient: usize,
    /// States with another number of negative eigenvalues than most, or not of full rank. A matrix that is negative everywhere
    /// is as good as its opposite, since L and −L have the same motions; between two states of different numbers lies a
    /// singular one, where the model has no acceleration.
    #[serde(default)]
    pub other_sign: usize,
    /// States in the set.
    #[serde(default)]
    pub states: usize,
}

/// Share of the states from which on a mass matrix of [another sign](MassMatrixSpectrum::other_sign) is a lost one, and not a
/// state at the edge of the data.
const LOST: f64 = 0.01;

impl MassMatrixSpectrum {
    /// Whether the mass matrix has lost its sign on more than a hundredth of the states.
    #[must_use]
    pub fn sign_is_lost(&self) -> bool {
        self.other_sign as f64 > LOST * self.states as f64
    }
}

/// Rollouts of the truth and of every model from the same initial states.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rollouts {
    /// Degrees of freedom d.
    pub dof: usize,
    /// Frame times, in the system's unit of time.
    pub times: Vec<f64>,
    /// Names of the conditionals, as columns of `trajectories.csv`.
    pub conditional_names: Vec<String>,
    /// Conditionals `[rollouts, c]`.
    pub conditionals: Vec<f64>,
    /// One reference trajectory an initial state.
    pub truth: Vec<Trajectory>,
    /// Model trajectories by model name, in the order of `truth`.
    pub models: BTreeMap<String, Vec<Trajectory>>,
}

/// One trajectory, frame by frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    /// States `[frames, 2d]`, row-major: q then q̇. Fewer frames than times if it failed.
    pub states: Vec<f64>,
    /// The true system's energy of each state, in its unit of energy.
    pub energies: Vec<f64>,
    /// Why and when it stopped early, if it did.
    pub failure: Option<RolloutFailure>,
}

/// Why a rollout stopped early.
#[derive(Clone, Debug, PartialEq)]
pub struct RolloutFailure {
    /// Time of the last good frame.
    pub time: f64,
    /// What happened.
    pub reason: String,
}

/// JSON has no NaN and no infinity: such a number is written as `null` and read as NaN.
pub(crate) mod null_if_not_finite {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        value.is_finite().then_some(*value).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
    }
}
