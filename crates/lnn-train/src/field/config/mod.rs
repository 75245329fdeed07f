//! What an experiment on fields depends on, as written in files.

mod evaluation;
mod lattice;
mod model;
mod presets;
mod validation;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use evaluation::{FieldEvaluationConfig, LargeConfig, MotionConfig};
pub use lattice::{BoundaryConfig, FieldKind, KnownField, LatticeConfig, SpeedProfile, StatesConfig};
pub use model::{
    FieldFeaturesConfig, FieldModelConfig, FieldModelKind, FieldTrainingConfig, FieldValueConfig, NeighbourhoodConfig,
};
pub use presets::{field_preset, field_presets};

use crate::config::{ConfigError, Difference, TRIAL, TRIAL_STEPS, from_ron, to_ron, value_differences};
use crate::store::FolderConfiguration;

/// The experiments on fields.
pub const EXPERIMENTS: [&str; 2] = [WAVE, SINE_GORDON];
/// The wave equation, on lines, grids and in media.
pub const WAVE: &str = "wave";
/// A kink of the sine-Gordon equation.
pub const SINE_GORDON: &str = "sine-gordon";

/// Most crossings of the lattice in the motions of a trial.
const TRIAL_CROSSINGS: f64 = 0.1;
/// Default time between checkpoints, in seconds.
const CHECKPOINT_EVERY_SECONDS: f64 = 15.0;

/// Everything that the result of an experiment on fields depends on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FieldConfig {
    /// Experiment name, one of [`EXPERIMENTS`].
    pub experiment: String,
    /// Preset that the configuration started from, or a name of the user's own; part of the folder name.
    pub preset: String,
    /// Seed of weights, media, training states, held-out states and initial states.
    pub seed: u64,
    /// The field.
    pub field: FieldKind,
    /// The lattice that models are trained on.
    pub lattice: LatticeConfig,
    /// The states that models are trained on.
    pub states: StatesConfig,
    /// Models by name.
    pub models: BTreeMap<String, FieldModelConfig>,
    /// How models are judged.
    pub evaluation: FieldEvaluationConfig,
    /// Steps between lines of `metrics.jsonl`.
    pub log_every: u64,
    /// Time between checkpoints, in seconds; does not influence results.
    pub checkpoint_every_seconds: f64,
}

impl Default for FieldConfig {
    /// Preset `fast` of `wave`.
    fn default() -> Self {
        presets::fast()
    }
}

impl FieldConfig {
    /// Reads and judges a configuration file.
    ///
    /// # Errors
    /// The file cannot be read, is not RON, has unknown fields, or holds values that cannot be used.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
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

    /// The same experiment with 20 steps a training and short motions, see
    /// [`ExperimentConfig::trial`](crate::config::ExperimentConfig::trial).
    #[must_use]
    pub fn trial(mut self) -> Self {
        self.preset += TRIAL;
        for model in self.models.values_mut() {
            let training = &mut model.training;
            training.steps = training.steps.min(TRIAL_STEPS);
            training.schedule = training.schedule.ending_at(training.steps);
        }
        let evaluation = &mut self.evaluation;
        evaluation.held_out = evaluation.held_out.min(10);
        evaluation.frames = evaluation.frames.min(20);
        evaluation.crossings = evaluation.crossings.min(TRIAL_CROSSINGS);
        if let Some(large) = &mut evaluation.large {
            (large.sites, large.t_end) = (large.sites.min(1000), large.t_end.min(1.0));
        }
        self
    }

    /// Name of the run's folder: `<preset>-<seed>`, with the profile of a medium and the sites of a large lattice where
    /// they are not the preset's own.
    #[must_use]
    pub fn run_name(&self) -> String {
        let mut name = self.preset.clone();
        let whole = self.preset.strip_suffix(TRIAL);
        let of_preset = field_preset(&self.experiment, whole.unwrap_or(&self.preset)).ok();
        let of_preset = if whole.is_some() { of_preset.map(Self::trial) } else { of_preset };
        let own = |config: &Self| match config.field {
            FieldKind::Medium { profile, .. } => Some(profile),
            _ => None,
        };
        if let Some(profile) = own(self).filter(|_| of_preset.as_ref().and_then(own) != own(self)) {
            name += &format!("-{}", profile.name());
        }
        let large = |config: &Self| config.evaluation.large.map(|large| large.sites);
        if let Some(sites) = large(self).filter(|_| of_preset.as_ref().and_then(large) != large(self)) {
            name += &format!("-sites{sites}");
        }
        format!("{name}-{}", self.seed)
    }

    /// Fingerprint of everything that results depend on: CRC-32 of the canonical RON text, in hexadecimal.
    ///
    /// # Errors
    /// [`ConfigError::Write`] if the serialiser refuses, which no value of this type makes it do.
    pub fn fingerprint(&self) -> Result<String, ConfigError> {
        Ok(format!("{:08x}", crc32fast::hash(to_ron(&self.canonical())?.as_bytes())))
    }

    /// The same with the fields that do not influence results at their defaults.
    fn canonical(&self) -> Self {
        Self { checkpoint_every_seconds: CHECKPOINT_EVERY_SECONDS, ..self.clone() }
    }
}

impl FolderConfiguration for FieldConfig {
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

#[cfg(test)]
mod tests;
