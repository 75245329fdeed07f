//! A whole experiment as written in files: `config.ron` repeats a run from nothing else.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::evaluation::EvaluationConfig;
use super::model::ModelConfig;
use super::presets;
use super::protocol::{CHNN_LINKS, Protocol};
use super::system::{SamplingConfig, SamplingCurriculum, SamplingTail, SystemConfig};

/// Everything that a run's result depends on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExperimentConfig {
    /// Experiment name, one of [`presets::experiments`]; that of a system goes with that system.
    pub experiment: String,
    /// Preset that the configuration started from, or a name of the user's own; part of the folder name.
    pub preset: String,
    /// Seed of weights, training states, held-out states and the rollouts' initial states.
    pub seed: u64,
    /// Members of an ensemble: networks of every model, from the seeds `seed`, `seed + 1`, …, each trained and judged as a run
    /// of its seed is. One is no ensemble.
    #[serde(skip_serializing_if = "is_one")]
    pub ensemble: usize,
    /// The physical system.
    pub system: SystemConfig,
    /// Published protocol that observed motions, held-out states and rollouts start by, in place of any ranges; absent,
    /// none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// Ranges of the training and held-out states; absent, the system's own
    /// [`training_distribution`](lnn_physics::System::training_distribution).
    pub sampling: Option<SamplingConfig>,
    /// A part of each training batch of fresh states with wider velocities; held-out states have none.
    pub sampling_tail: Option<SamplingTail>,
    /// Velocities that begin slow; held-out states do not.
    pub sampling_curriculum: Option<SamplingCurriculum>,
    /// The models by name, trained one after the other: those made of a network's derivatives first, then baselines,
    /// each in alphabetical order.
    pub models: BTreeMap<String, ModelConfig>,
    /// How the models are judged.
    pub evaluation: EvaluationConfig,
    /// Steps between lines of `metrics.jsonl`.
    pub log_every: u64,
    /// Seconds between checkpoints; the only field without influence on results.
    pub checkpoint_every_seconds: f64,
}

/// Left out of files, so that those of runs of one seed stay as they are.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields so")]
const fn is_one(members: &usize) -> bool {
    *members == 1
}

impl Default for ExperimentConfig {
    /// Preset `fast` of the double pendulum with seed 0.
    fn default() -> Self {
        presets::fast()
    }
}

impl ExperimentConfig {
    /// Name of the run's folder: `<preset>-<seed>`, with those of the system's parameters between them that are not
    /// the defaults, and the members of an ensemble: `fast-links3-0`, `fast-ensemble8-0`. A protocol's system is named by its links alone, where they are not 2.
    pub fn run_name(&self) -> String {
        format!("{}-{}", self.run_stem(), self.seed)
    }

    /// The run's name without its seed: `fast-links3`.
    pub fn run_stem(&self) -> String {
        let mut name = self.preset.clone();
        if self.protocol == Some(Protocol::Chnn) {
            // All else follows from the number of links.
            let links = self.system.parameters.get("links").copied().unwrap_or(1.0);
            if links != CHNN_LINKS as f64 {
                name += &format!("-links{links}");
            }
        } else {
            for (parameter, value) in self.system.particular() {
                name += &format!("-{parameter}{value}");
            }
        }
        if self.ensemble != 1 {
            name += &format!("-ensemble{}", self.ensemble);
        }
        name
    }

    /// The seeds of an ensemble's members, or the run's own.
    pub fn seeds(&self) -> RangeInclusive<u64> {
        self.seed..=self.seed + (self.ensemble as u64).saturating_sub(1)
    }

    /// The configuration of the run of `seed` that a member of the ensemble repeats.
    #[must_use]
    pub fn of_seed(&self, seed: u64) -> Self {
        Self { seed, ensemble: 1, ..self.clone() }
    }

    /// The same experiment with the fields that do not influence results at their defaults.
    ///
    /// Two configurations whose canonical forms are equal produce the same files.
    #[must_use]
    pub fn canonical(&self) -> Self {
        Self { checkpoint_every_seconds: presets::CHECKPOINT_EVERY_SECONDS, ..self.clone() }
    }
}
