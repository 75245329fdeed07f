//! What a search depends on, as written in files.

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ensemble::EnsembleSizes;
use super::search::SearchSettings;
use crate::config::{ConfigError, Difference, Problem, TRIAL, from_ron, to_ron, value_differences};
use crate::store::FolderConfiguration;

/// Name of the experiment.
pub const EXPERIMENT: &str = "initialisation";

/// Presets that exist, the default first.
pub const PRESETS: [&str; 2] = ["fast", "best"];

/// Most weights of all networks of an ensemble, which are kept in four bytes each.
const MOST_WEIGHTS: u64 = 1 << 29;

/// Everything that a search's result depends on.
///
/// The system is the paper's double pendulum, `m₁ = m₂ = l₁ = l₂ = 1`, g = 9.8, with its training distribution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SearchConfig {
    /// Always `initialisation`.
    pub experiment: String,
    /// Preset that the configuration started from, or a name of the user's own; part of the folder name.
    pub preset: String,
    /// Seed of weights, states and the places that are looked at.
    pub seed: u64,
    /// Widths n of the grid.
    pub widths: Vec<usize>,
    /// Numbers of hidden layers of the grid.
    pub hidden_layers: Vec<usize>,
    /// Random networks of an ensemble.
    pub networks: usize,
    /// States of a network; see [`EnsembleSizes::states`] before raising it.
    pub states: usize,
    /// Entries of a layer's gradient taken from each network, at most.
    pub entries: usize,
    /// Bins of the divergence; 4 are the quartiles.
    pub bins: usize,
    /// Whether accelerations are compared in units of the spread of the true ones, instead of rad/s².
    pub standardised: bool,
    /// How thoroughly to search.
    pub search: SearchSettings,
}

impl Default for SearchConfig {
    /// Preset `fast` with seed 0.
    fn default() -> Self {
        Self {
            experiment: EXPERIMENT.to_owned(),
            preset: PRESETS[0].to_owned(),
            seed: 0,
            widths: vec![16, 32, 64, 128],
            hidden_layers: vec![2, 3, 4],
            networks: 512,
            states: 1,
            entries: 64,
            bins: 4,
            standardised: true,
            search: SearchSettings::default(),
        }
    }
}

impl SearchConfig {
    /// The configuration of a preset by name.
    ///
    /// # Errors
    /// [`ConfigError::UnknownName`], which names the nearest preset.
    pub fn preset(name: &str) -> Result<Self, ConfigError> {
        match name {
            "fast" => Ok(Self::default()),
            "best" => Ok(Self {
                preset: name.to_owned(),
                widths: vec![16, 24, 32, 48, 64, 96, 128],
                hidden_layers: vec![2, 3, 4, 5],
                networks: 1024,
                search: SearchSettings { scan: 96, descents: 3, evaluations: 300, ..SearchSettings::default() },
                ..Self::default()
            }),
            _ => Err(ConfigError::unknown_name("preset", name, PRESETS)),
        }
    }

    /// Reads and judges a configuration file.
    ///
    /// # Errors
    /// The file cannot be read, is not RON, has unknown fields, or holds values that cannot be used.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let origin = path.display().to_string();
        let config: Self = from_ron(&text, &origin)?;
        let problems = config.problems();
        if problems.is_empty() { Ok(config) } else { Err(ConfigError::Invalid { origin, problems }) }
    }

    /// The same search on its two smallest widths and depths, with small ensembles and one short descent: everything runs
    /// once within seconds, and its figures mean nothing.
    #[must_use]
    pub fn trial(mut self) -> Self {
        self.preset += TRIAL;
        self.widths.truncate(2);
        self.hidden_layers.truncate(2);
        self.networks = self.networks.min(64);
        self.search = SearchSettings { scan: 4, descents: 1, evaluations: 10, ..self.search };
        self
    }

    /// Name of the run's folder: `<preset>-<seed>`.
    pub fn run_name(&self) -> String {
        format!("{}-{}", self.preset, self.seed)
    }

    /// Sizes of the ensembles.
    pub fn sizes(&self) -> EnsembleSizes {
        let Self { networks, states, entries, bins, standardised, .. } = *self;
        EnsembleSizes { networks, states, entries, bins, standardised }
    }

    /// The cells of the grid as (width, hidden layers), in the order of the search.
    pub fn grid(&self) -> Vec<(usize, usize)> {
        self.widths.iter().flat_map(|&width| self.hidden_layers.iter().map(move |&layers| (width, layers))).collect()
    }

    /// Fingerprint: CRC-32 of the RON text, in hexadecimal.
    ///
    /// # Errors
    /// [`ConfigError::Write`] if the serialiser refuses, which no value of this type makes it do.
    pub fn fingerprint(&self) -> Result<String, ConfigError> {
        Ok(format!("{:08x}", crc32fast::hash(to_ron(self)?.as_bytes())))
    }

    /// Every value that cannot be used, in the order of the fields.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut refuse = |usable: bool, field: &str, given: String, expected: &str| {
            if !usable {
                found.push(Problem { field: field.to_owned(), given, expected: expected.to_owned() });
            }
        };
        let name = self.experiment.clone();
        refuse(name == EXPERIMENT, "experiment", format!("`{name}`"), "`initialisation`");
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let usable = !self.preset.is_empty() && self.preset.chars().all(plain);
        refuse(usable, "preset", format!("`{}`", self.preset), "a name of letters, digits, `-` and `_`");
        // Eq. 16's n is the larger of a layer's widths: below the four inputs it would not be the hidden width.
        let lists = [("widths", &self.widths, 4..=1024), ("hidden_layers", &self.hidden_layers, 1..=16)];
        for (field, values, range) in lists {
            let distinct = values.iter().enumerate().all(|(index, value)| !values[..index].contains(value));
            let usable = !values.is_empty() && distinct && values.iter().all(|value| range.contains(value));
            let (low, high) = (range.start(), range.end());
            let expected = format!("one or more different numbers from {low} to {high}");
            refuse(usable, field, format!("{values:?}"), &expected);
        }
        let search = &self.search;
        let numbers: [(&str, usize, RangeInclusive<usize>); 7] = [
            ("networks", self.networks, 8..=65_536),
            ("states", self.states, 1..=4096),
            ("entries", self.entries, 1..=4096),
            ("bins", self.bins, 2..=1024),
            ("search.scan", search.scan, 1..=100_000),
            ("search.descents", search.descents, 1..=1000),
            ("search.evaluations", search.evaluations, 1..=1_000_000),
        ];
        for (field, value, range) in numbers {
            let expected = format!("from {} to {}", range.start(), range.end());
            refuse(range.contains(&value), field, value.to_string(), &expected);
        }
        let largest = |values: &[usize]| values.iter().max().map_or(0, |&value| value as u64);
        let (width, layers) = (largest(&self.widths), largest(&self.hidden_layers));
        let weights = width.saturating_mul(width).saturating_mul(layers).saturating_mul(self.networks as u64);
        let expected =
            format!("fewer: their weights, at most widths² · hidden_layers each, may be {MOST_WEIGHTS} in all");
        refuse(weights <= MOST_WEIGHTS, "networks", self.networks.to_string(), &expected);
        let enough = self.bins <= self.networks;
        refuse(enough, "bins", self.bins.to_string(), "no more than `networks`, so that every sample fills them");
        for (field, value) in [("search.reach", search.reach), ("search.edge", search.edge)] {
            refuse(value > 0.0 && value <= 10.0, field, value.to_string(), "above 0 and at most 10");
        }
        let tolerance = search.tolerance;
        refuse((0.0..=1.0).contains(&tolerance), "search.tolerance", tolerance.to_string(), "from 0 to 1");
        found
    }
}

impl FolderConfiguration for SearchConfig {
    fn to_text(&self) -> Result<String, ConfigError> {
        Ok(to_ron(self)?)
    }

    fn from_text(text: &str, origin: &str) -> Result<Self, ConfigError> {
        Ok(from_ron(text, origin)?)
    }

    fn differences(&self, other: &Self) -> Result<Vec<Difference>, serde_json::Error> {
        value_differences(self, other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_usable_and_return_from_their_text() {
        for name in PRESETS {
            let config = SearchConfig::preset(name).expect("a preset");
            assert_eq!((config.preset.as_str(), config.problems()), (name, Vec::new()));
            let text = config.to_text().expect("plain data");
            assert_eq!(SearchConfig::from_text(&text, "own").expect("own text"), config);
            let trial = config.trial();
            assert_eq!((trial.problems(), trial.grid().len()), (Vec::new(), 4));
        }
        let message = SearchConfig::preset("bset").expect_err("misspelt").to_string();
        assert!(message.contains("did you mean `best`?"), "{message}");
    }

    #[test]
    fn every_unusable_value_is_named() {
        let search = SearchSettings {
            scan: 0,
            reach: f64::NAN,
            descents: 0,
            evaluations: 0,
            edge: -1.0,
            tolerance: f64::INFINITY,
        };
        let config = SearchConfig {
            experiment: "dblpend".to_owned(),
            preset: "../up".to_owned(),
            widths: vec![16, 16],
            hidden_layers: vec![0],
            networks: 4,
            states: 0,
            entries: 0,
            bins: 1,
            search,
            ..SearchConfig::default()
        };
        let fields: Vec<String> = config.problems().into_iter().map(|problem| problem.field).collect();
        let expected = [
            "experiment",
            "preset",
            "widths",
            "hidden_layers",
            "networks",
            "states",
            "entries",
            "bins",
            "search.scan",
            "search.descents",
            "search.evaluations",
            "search.reach",
            "search.edge",
            "search.tolerance",
        ];
        assert_eq!(fields, expected);
        let large = SearchConfig { widths: vec![1024], networks: 4096, ..SearchConfig::default() };
        assert_eq!(large.problems().len(), 1);
        let many_bins = SearchConfig { bins: 600, ..SearchConfig::default() };
        assert_eq!(many_bins.problems()[0].field, "bins");
        assert_ne!(many_bins.fingerprint().expect("plain"), SearchConfig::default().fingerprint().expect("plain"));
    }
}
