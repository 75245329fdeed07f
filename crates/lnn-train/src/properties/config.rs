//! Which systems and models the table is measured with.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::EXPERIMENT;
use crate::config::{
    ConfigError, Difference, ExperimentConfig, Problem, TRIAL, TrainingData, Validated, from_ron, preset, to_ron,
    value_differences,
};
use crate::store::FolderConfiguration;

/// Presets, the default first: `fast` takes minutes; `best` has the steps of the systems' own presets.
pub const PRESETS: [&str; 2] = ["fast", "best"];

/// The system of all properties but the last, and the name of its run.
pub const DOUBLE_PENDULUM: &str = "dblpend";
/// A Lagrangian with a velocity-dependent potential.
pub const CHARGE: &str = "charge";
/// A Lagrangian whose kinetic part is not quadratic.
pub const RELATIVISTIC: &str = "relativistic";

/// Names of the models that measure a column, in every run that has them.
pub(super) const NEURAL_NET: &str = "next-state";
pub(super) const NEURAL_ODE: &str = "neural-ode";
pub(super) const HNN: &str = "hnn";
pub(super) const HNN_CANONICAL: &str = "hnn-canonical";
pub(super) const DELAN: &str = "delan";
pub(super) const LNN: &str = "lnn";

/// The runs of each system and the models they train.
const RUNS: [(&str, &[&str]); 3] = [
    (DOUBLE_PENDULUM, &[NEURAL_NET, NEURAL_ODE, HNN, HNN_CANONICAL, DELAN, LNN]),
    (CHARGE, &[DELAN, LNN]),
    (RELATIVISTIC, &[DELAN, LNN]),
];

/// Steps of preset `fast`, by run and model.
fn fast_steps(run: &str, model: &str) -> u64 {
    match (run, model) {
        (RELATIVISTIC, LNN) => 20_000,
        (CHARGE, _) => 6_000,
        _ => 10_000,
    }
}

/// Everything that the table depends on: an ordinary experiment for each system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PropertiesConfig {
    /// Always `properties`.
    pub experiment: String,
    /// Preset, or a name of the user's own; part of the folder's name.
    pub preset: String,
    /// Seed of every run.
    pub seed: u64,
    /// The runs by name, each in a folder of its name: `dblpend`, `charge` and `relativistic`.
    pub runs: BTreeMap<String, ExperimentConfig>,
}

impl PropertiesConfig {
    /// A preset by name.
    ///
    /// # Errors
    /// [`ConfigError::UnknownName`] if there is no such preset; it names the nearest one.
    pub fn preset(name: &str) -> Result<Self, ConfigError> {
        if !PRESETS.contains(&name) {
            return Err(ConfigError::unknown_name("preset", name, PRESETS));
        }
        let mut runs = BTreeMap::new();
        for (run, models) in RUNS {
            let mut config = preset(run, "models")?;
            if let Some(mut model) = config.models.get(NEURAL_ODE).cloned() {
                model.training.data = TrainingData::next_state();
                config.models.insert(NEURAL_NET.to_owned(), model);
            }
            config.models.retain(|model, _| models.contains(&model.as_str()));
            if name == "fast" {
                shorten(&mut config, run);
            }
            runs.insert(run.to_owned(), config);
        }
        Ok(Self { experiment: EXPERIMENT.to_owned(), preset: name.to_owned(), seed: 0, runs })
    }

    /// The same with this seed for every run.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        for run in self.runs.values_mut() {
            run.seed = seed;
        }
        self
    }

    /// The same table by runs that are cut to a few steps, see [`ExperimentConfig::trial`].
    #[must_use]
    pub fn trial(mut self) -> Self {
        self.preset += TRIAL;
        self.runs = self.runs.into_iter().map(|(name, run)| (name, run.trial())).collect();
        self
    }

    /// Name of the folder: `<preset>-<seed>`.
    #[must_use]
    pub fn run_name(&self) -> String {
        format!("{}-{}", self.preset, self.seed)
    }

    /// The runs, each judged, in the order in which they are made.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with every value that cannot be used, a missing run or model among them.
    pub fn validated_runs(&self) -> Result<Vec<(&'static str, Validated)>, ConfigError> {
        let mut problems = Vec::new();
        let mut refuse = |field: String, given: String, expected: &str| {
            problems.push(Problem { field, given, expected: expected.to_owned() });
        };
        if self.experiment != EXPERIMENT {
            refuse("experiment".to_owned(), format!("`{}`", self.experiment), "`properties`");
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.preset.is_empty() || !self.preset.chars().all(plain) {
            refuse("preset".to_owned(), format!("`{}`", self.preset), "a name of letters, digits, `-` and `_`");
        }
        for name in self.runs.keys().filter(|name| RUNS.iter().all(|(run, _)| run != name)) {
            refuse(format!("runs.{name}"), "a run".to_owned(), "only `dblpend`, `charge` and `relativistic`");
        }
        let mut runs = Vec::new();
        for (name, models) in RUNS {
            let Some(run) = self.runs.get(name) else {
                refuse(format!("runs.{name}"), "none".to_owned(), "the experiment of this system");
                continue;
            };
            if run.system.name != name {
                refuse(format!("runs.{name}.system.name"), format!("`{}`", run.system.name), "the run's own name");
            }
            if run.seed != self.seed {
                refuse(format!("runs.{name}.seed"), run.seed.to_string(), "the seed of the whole");
            }
            for model in models.iter().filter(|model| !run.models.contains_key(**model)) {
                refuse(format!("runs.{name}.models.{model}"), "none".to_owned(), "the model, for its column");
            }
            match run.clone().validate() {
                Ok(run) => runs.push((name, run)),
                Err(found) => {
                    for Problem { field, given, expected } in found {
                        refuse(format!("runs.{name}.{field}"), given, &expected);
                    }
                }
            }
        }
        if problems.is_empty() {
            Ok(runs)
        } else {
            Err(ConfigError::Invalid { origin: format!("{EXPERIMENT} `{}`", self.preset), problems })
        }
    }
}

/// Fewer steps, and the end of each schedule with them.
fn shorten(config: &mut ExperimentConfig, run: &str) {
    for (name, model) in &mut config.models {
        let steps = fast_steps(run, name);
        model.training.steps = steps;
        model.training.schedule = model.training.schedule.ending_at(steps);
    }
}

impl FolderConfiguration for PropertiesConfig {
    fn to_text(&self) -> Result<String, ConfigError> {
        Ok(to_ron(self)?)
    }

    fn from_text(text: &str, origin: &str) -> Result<Self, ConfigError> {
        Ok(from_ron(text, origin)?)
    }

    fn differences(&self, other: &Self) -> Result<Vec<Difference>, serde_json::Error> {
        let canonical = |config: &Self| {
            let runs = config.runs.iter().map(|(name, run)| (name.clone(), run.canonical())).collect();
            Self { runs, ..config.clone() }
        };
        value_differences(&canonical(self), &canonical(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_usable_and_return_from_their_text() {
        for name in PRESETS {
            let config = PropertiesConfig::preset(name).expect("a preset").with_seed(3);
            assert_eq!(config.run_name(), format!("{name}-3"));
            let runs = config.validated_runs().expect("usable");
            for ((run, config), (expected, models)) in runs.iter().zip(RUNS) {
                assert_eq!((*run, config.seed, config.models.len()), (expected, 3, models.len()));
            }
            let text = config.to_text().expect("plain data");
            assert_eq!(PropertiesConfig::from_text(&text, "own").expect("own text"), config);
            let trial = config.trial();
            assert_eq!(
                (trial.validated_runs().expect("usable").len(), trial.run_name()),
                (3, format!("{name}-trial-3"))
            );
        }
        let message = PropertiesConfig::preset("fst").expect_err("misspelt").to_string();
        assert!(message.contains("did you mean `fast`?"), "{message}");
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let mut config = PropertiesConfig::preset("fast").expect("a preset");
        config.runs.remove(CHARGE);
        config.runs.insert("kepler".to_owned(), preset("kepler", "fast").expect("listed"));
        let pendulum = config.runs.get_mut(DOUBLE_PENDULUM).expect("there");
        pendulum.models.remove(HNN);
        pendulum.evaluation.held_out = 0;
        config.runs.get_mut(RELATIVISTIC).expect("there").seed = 4;
        let message = config.validated_runs().expect_err("refused").to_string();
        for words in [
            "runs.charge",
            "runs.kepler",
            "runs.dblpend.models.hnn",
            "runs.dblpend.evaluation.held_out",
            "runs.relativistic.seed",
        ] {
            assert!(message.contains(words), "{words}: {message}");
        }
    }
}
