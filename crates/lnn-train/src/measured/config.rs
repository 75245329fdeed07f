//! A training on a person's own data, as written in files: `config.ron` repeats it from nothing else but the data.

use std::path::{Path, PathBuf};

use lnn_autodiff::Activation;
use serde::{Deserialize, Serialize};

use crate::config::{
    ActivationText, Check, ConfigError, Difference, FeaturesConfig, Initialisation, ModelConfig, ModelKind, Precision,
    Problem, TrainingConfig, TrainingData, from_ron, to_ron, value_differences,
};
use crate::fit::ResidualUnits;
use crate::loss::{Loss, LossWeight};
use crate::optimiser::{ClippingConfig, OptimiserConfig, Schedule, SoapSettings};
use crate::store::FolderConfiguration;

/// Default time between checkpoints.
const CHECKPOINT_EVERY_SECONDS: f64 = 15.0;
/// Steps in which the learning rate rises; in a short training fewer.
const WARMUP_STEPS: u64 = 50;
/// Most Runge–Kutta steps of a segment, whose states are all kept.
const MOST_STEPS: usize = 10_000;

/// Everything that the result of a training on measured data depends on, besides the data.
///
/// What is `None` follows from the data: [`run_measured`](super::run_measured) writes down what it chose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeasuredConfig {
    /// The tables and what their columns are.
    pub data: DataConfig,
    /// Seed of the first weights and the batches.
    pub seed: u64,
    /// Share of the trajectories that is not trained on, at least one of them; of a single trajectory, its last part.
    pub held_out: f64,
    /// The model and how it is trained.
    pub model: MeasuredModelConfig,
    /// Steps between lines of `metrics.jsonl`.
    pub log_every: u64,
    /// Seconds between checkpoints; the only field without influence on results.
    pub checkpoint_every_seconds: f64,
}

/// Tables of measurements.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// CSV, NPY or NPZ; trajectories of one file are never continued in another.
    pub files: Vec<PathBuf>,
    /// Names of the columns, for files that have none.
    pub columns: Option<Vec<String>>,
    /// Coordinates that are angles in radians: values that differ by 2π are one configuration.
    pub angles: Vec<String>,
    /// Columns with what is constant along a trajectory, such as a mass or a length that differs from run to run.
    pub conditionals: Vec<String>,
    /// Seed of the choice of what is held out: apart from that of the training, so that another training is judged by the same
    /// motions.
    pub split_seed: u64,
    /// Fingerprint of the numbers that were read; a training on others is refused.
    pub fingerprint: Option<String>,
}

/// A model and how it is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeasuredModelConfig {
    /// What the network stands for.
    pub kind: ModelKind,
    /// Widths of the hidden layers, first to last.
    pub hidden: Vec<usize>,
    /// Activation of the hidden layers.
    #[serde(with = "ActivationText")]
    pub activation: Activation,
    /// Distribution of the first weights.
    pub initialisation: Initialisation,
    /// How a state becomes the network's input, by the size of each column in the data.
    pub features: Option<FeaturesConfig>,
    /// Precision of training.
    pub precision: Precision,
    /// The training recipe.
    pub training: MeasuredTrainingConfig,
}

/// The training recipe of a model of measured data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MeasuredTrainingConfig {
    /// What is learned: accelerations where they were measured, else segments.
    pub learn: Option<Learn>,
    /// Optimiser steps; a schedule with an end must end here.
    pub steps: Option<u64>,
    /// States or segments a step.
    pub batch: Option<usize>,
    /// Loss on accelerations, or on the mean rates of change of segments, in the units below.
    pub loss: Loss,
    /// What errors are divided by before the loss: the deviations of the rates in the data.
    pub units: Option<ResidualUnits>,
    /// Coefficient c of the penalty c‖θ‖² added to the loss.
    pub l2_penalty: f64,
    /// Optimiser.
    pub optimiser: OptimiserConfig,
    /// Learning rate against the step.
    pub schedule: Option<Schedule>,
    /// Shortening of unusually long gradients.
    pub clipping: ClippingConfig,
    /// Partial gradients, see [`TrainingConfig::gradient_parts`].
    pub gradient_parts: Option<usize>,
}

/// What is learned of measured motions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Learn {
    /// The measured accelerations, state by state.
    Accelerations,
    /// How the states go on: the model is rolled out along short segments, and no acceleration is needed.
    Segments {
        /// Rows of a segment, at least 2: its start and the states that are compared. Longer ones bear more noise.
        #[serde(default = "rows")]
        rows: usize,
        /// Runge–Kutta steps of the model from one row to the next.
        #[serde(default = "substeps")]
        substeps: usize,
        /// Share of the training's steps, at its beginning, in which rates at the measured states are summed up instead.
        #[serde(default = "warm_start")]
        warm_start: f64,
    },
}

fn rows() -> usize {
    5
}
fn substeps() -> usize {
    2
}
fn warm_start() -> f64 {
    0.5
}

impl Learn {
    /// Segments with every setting at its default.
    #[must_use]
    pub fn segments() -> Self {
        Self::Segments { rows: rows(), substeps: substeps(), warm_start: warm_start() }
    }

    /// Rows that a trajectory needs.
    pub(super) fn rows(self) -> usize {
        match self {
            Self::Accelerations => 2,
            Self::Segments { rows, .. } => rows,
        }
    }

    /// Steps and batch of the default recipe: minutes on two cores for two coordinates.
    fn size(self) -> (u64, usize) {
        match self {
            Self::Accelerations => (20_000, 512),
            Self::Segments { .. } => (10_000, 128),
        }
    }
}

impl Default for MeasuredConfig {
    fn default() -> Self {
        Self {
            data: DataConfig::default(),
            seed: 0,
            held_out: 0.1,
            model: MeasuredModelConfig::default(),
            log_every: 500,
            checkpoint_every_seconds: CHECKPOINT_EVERY_SECONDS,
        }
    }
}

impl Default for MeasuredModelConfig {
    /// A Lagrangian network of the size of preset `fast`, in scaled velocities.
    fn default() -> Self {
        let ModelConfig { hidden, activation, initialisation, precision, .. } = ModelConfig::default();
        Self {
            kind: ModelKind::Lnn {
                residual_mass: 1.0,
                pseudoinverse_tolerance: 1e-6,
                potential_scale: None,
                scaled_velocities: true,
            },
            hidden,
            activation,
            initialisation,
            features: None,
            precision,
            training: MeasuredTrainingConfig::default(),
        }
    }
}

impl Default for MeasuredTrainingConfig {
    fn default() -> Self {
        let ClippingConfig::RunningNorm { factor, averaging } = ClippingConfig::default() else {
            unreachable!("the default clipping is by the running norm")
        };
        Self {
            learn: None,
            steps: None,
            batch: None,
            // Errors are in units of deviations: half a hundredth of these is where the loss becomes linear.
            loss: Loss::RelativePseudoHuber { scale: 0.01 },
            units: None,
            l2_penalty: 0.0,
            optimiser: SoapSettings::default().into(),
            schedule: None,
            // Gradients of segments have extremes that would otherwise undo what was learned.
            clipping: ClippingConfig::Redescending { factor, averaging },
            gradient_parts: None,
        }
    }
}

impl MeasuredConfig {
    /// Reads and judges a configuration file.
    ///
    /// # Errors
    /// The file cannot be read, is not RON, has unknown fields, or holds values that cannot be used.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let origin = path.display().to_string();
        let config: Self = from_ron(&text, &origin)?;
        config.require_usable(&origin)?;
        Ok(config)
    }

    /// Refuses values that cannot be used; `origin` names where they come from.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with all of them.
    pub fn require_usable(&self, origin: &str) -> Result<(), ConfigError> {
        let problems = self.problems();
        if problems.is_empty() { Ok(()) } else { Err(ConfigError::Invalid { origin: origin.to_owned(), problems }) }
    }

    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        check.require(
            self.held_out > 0.0 && self.held_out < 1.0,
            "held_out",
            self.held_out,
            "a number strictly between 0 and 1",
        );
        let (learn, training) = (self.model.training.learn, &self.model.training);
        if let Some(Learn::Segments { rows, substeps, warm_start }) = learn {
            let field = |name: &str| format!("model.training.learn.{name}");
            check.require(rows >= 2, field("rows"), rows, "2 or above: the start of a segment and a later row");
            check.require(substeps >= 1, field("substeps"), substeps, "a whole number, 1 or above");
            let steps = rows.saturating_sub(1).saturating_mul(substeps);
            check.require(steps <= MOST_STEPS, field("substeps"), substeps, "at most 10 000 / (rows − 1)");
            let share = (0.0..1.0).contains(&warm_start);
            check.require(share, field("warm_start"), warm_start, "at least 0 and below 1");
        }
        if matches!(self.model.kind, ModelKind::HnnCanonical { .. }) {
            check.require(
                false,
                "model.kind",
                "HnnCanonical",
                "another kind: velocities were measured, and no momenta",
            );
        }
        if let Some(ResidualUnits { velocity, acceleration }) = &training.units {
            for (name, units) in [("velocity", velocity), ("acceleration", acceleration)] {
                for (j, &unit) in units.iter().enumerate() {
                    check.positive(format!("model.training.units.{name}[{j}]"), unit);
                }
            }
        }
        // Judged by the same code as a model of a known system; what follows from the data has valid values meanwhile.
        let mut complete = self.model.complete(learn.unwrap_or(Learn::Accelerations), &FeaturesConfig::default());
        if let (None, None, Some(end)) =
            (learn, training.steps, training.schedule.and_then(|schedule| schedule.total_steps()))
        {
            // Whether the steps that follow from the data end there is judged once they are known.
            complete.training.steps = end;
        }
        check.model("model", &complete, None, (1, self.data.conditionals.len()));
        check.count("log_every", self.log_every);
        check.checkpoint_every_seconds(self.checkpoint_every_seconds);
        check.problems
    }

    /// Takes the recipe of a finished run to other data: forgets which data it was completed for, and the scales that followed
    /// from them. Scales that a person wrote into a configuration without a fingerprint stay. Returns whether anything was
    /// forgotten.
    pub fn forget_data(&mut self) -> bool {
        let completed = self.data.fingerprint.take().is_some();
        if completed {
            (self.model.features, self.model.training.units) = (None, None);
        }
        completed
    }

    /// Fingerprint of everything that results depend on: CRC-32 of the canonical RON text, in hexadecimal.
    ///
    /// # Errors
    /// [`ConfigError::Write`] if the serialiser refuses, which no value of this type makes it do.
    pub fn fingerprint(&self) -> Result<String, ConfigError> {
        Ok(format!("{:08x}", crc32fast::hash(to_ron(&self.canonical())?.as_bytes())))
    }

    /// The same without what does not influence results: the numbers matter, and not the files they lie in.
    fn canonical(&self) -> Self {
        let data = DataConfig { files: Vec::new(), columns: None, ..self.data.clone() };
        Self { data, checkpoint_every_seconds: CHECKPOINT_EVERY_SECONDS, ..self.clone() }
    }
}

impl MeasuredModelConfig {
    /// The same with what it leaves to the data filled in.
    pub(super) fn complete(&self, learn: Learn, features: &FeaturesConfig) -> ModelConfig {
        let Self { kind, hidden, activation, initialisation, precision, training, .. } = self.clone();
        let (steps, batch) = learn.size();
        let (steps, batch) = (training.steps.unwrap_or(steps), training.batch.unwrap_or(batch));
        let peak = if kind.differentiates_network() { 3e-2 } else { 1e-2 };
        // At the full rate from the first step a mass matrix may lose its sign: docs/results.md says how often.
        let warmup_steps = WARMUP_STEPS.min(steps / 20);
        let cosine = Schedule::WarmupCosine { peak, warmup_steps, total_steps: steps, final_fraction: 0.0 };
        ModelConfig {
            kind,
            hidden,
            activation,
            initialisation,
            features: self.features.clone().unwrap_or_else(|| features.clone()),
            precision,
            training: TrainingConfig {
                steps,
                batch,
                loss: training.loss,
                weight: LossWeight::Uniform,
                l2_penalty: training.l2_penalty,
                optimiser: training.optimiser,
                schedule: training.schedule.unwrap_or(cosine),
                clipping: training.clipping,
                gradient_parts: training.gradient_parts,
                data: TrainingData::States,
            },
        }
    }
}

impl FolderConfiguration for MeasuredConfig {
    fn to_text(&self) -> Result<String, ConfigError> {
        Ok(to_ron(self)?)
    }

    fn from_text(text: &str, origin: &str) -> Result<Self, ConfigError> {
        Ok(from_ron(text, origin)?)
    }

    fn differences(&self, other: &Self) -> Result<Vec<Difference>, serde_json::Error> {
        value_differences(&self.canonical(), &other.canonical())
    }
}
