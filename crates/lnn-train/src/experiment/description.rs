//! What a report says about a run besides its figures: the system, the machine, the published numbers.

use std::collections::BTreeMap;

use crate::config::SystemConfig;
use crate::config::presets::{BASELINE, LNN};
use crate::record::PublishedFigures;
use crate::report::SystemDescription;

/// The system in words, with the energy that is 100 % in its energy errors.
pub(super) fn describe(config: &SystemConfig, reference_energy: f64) -> SystemDescription {
    match *config {
        SystemConfig::DoublePendulum { m1, m2, l1, l2, .. } => {
            SystemDescription::double_pendulum([m1, m2], [l1, l2], reference_energy)
        }
    }
}

/// What the paper (arXiv:2003.04630, section 5) states for the models that a run trains.
pub(super) fn published<'a>(
    experiment: &str,
    models: impl Iterator<Item = &'a String>,
) -> BTreeMap<String, PublishedFigures> {
    let figures = |model: &str| match (experiment, model) {
        ("dblpend", LNN) => Some(PublishedFigures { acceleration_l1: 0.073, energy_error_percent: 0.4 }),
        ("dblpend", BASELINE) => Some(PublishedFigures { acceleration_l1: 0.074, energy_error_percent: 8.0 }),
        _ => None,
    };
    models.filter_map(|model| Some((model.clone(), figures(model)?))).collect()
}

/// The processor's name where the system tells it, else its architecture.
pub(super) fn device() -> String {
    let name = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    name.unwrap_or_else(|| format!("{} processor", std::env::consts::ARCH))
}
