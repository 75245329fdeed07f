//! What a report says about a run besides its figures: the system, the machine, the published numbers.

use std::collections::BTreeMap;

use lnn_physics::System;
use lnn_physics::systems::kind;

use crate::config::presets::{BASELINE, LNN, NEURAL_ODE};
use crate::config::{CHNN_LINKS, ExperimentConfig, Protocol, SystemConfig};
use crate::evaluate::{RolloutPlan, largest_kinetic_energy};
use crate::record::{EnergyReference, PublishedFigures, Trajectory};
use crate::report::SystemDescription;

/// The system in words, with the energy that is 100 % in its energy errors.
pub(super) fn describe(config: &SystemConfig, system: &dyn System, reference: &EnergyReference) -> SystemDescription {
    let parameter = |name: &str| config.parameters.get(name).copied();
    let both = |first, second| Some([parameter(first)?, parameter(second)?]);
    match (config.name.as_str(), both("m1", "m2"), both("l1", "l2")) {
        ("dblpend", Some(masses), Some(lengths)) => {
            SystemDescription::double_pendulum(masses, lengths, reference.clone())
        }
        _ => {
            let summary = kind(&config.name).map_or("", |kind| kind.summary);
            SystemDescription::of(system, summary, reference.clone())
        }
    }
}

/// The energy that is 100 %: the system's own, or the largest kinetic energy of the true rollouts where it has none.
pub(super) fn energy_reference(system: &dyn System, plan: &RolloutPlan, truth: &[Trajectory]) -> EnergyReference {
    let unit = system.energy_unit().to_owned();
    let own = system.reference_energy();
    if own > 0.0 {
        let meaning = match system.name() {
            "dblpend" | "pendulum" => "the largest potential energy",
            "relativistic" => "the rest energy",
            "henon-heiles" => "the energy of escape",
            "kepler" => "the depth of the potential at the unit of length",
            _ => "the system's reference energy",
        };
        return EnergyReference { value: own, unit, meaning: meaning.to_owned() };
    }
    let meaning = "the largest kinetic energy of the true rollouts".to_owned();
    EnergyReference { value: largest_kinetic_energy(plan, system, truth), unit, meaning }
}

/// What the paper (arXiv:2003.04630, section 5) states for the models that a run trains; under a protocol, what its
/// authors state for their own models of the same kinds.
pub(super) fn published<'a>(
    config: &ExperimentConfig,
    models: impl Iterator<Item = &'a String>,
) -> BTreeMap<String, PublishedFigures> {
    let pendulum = |acceleration_l1, energy_error_percent| PublishedFigures {
        acceleration_l1: Some(acceleration_l1),
        energy_error_percent: Some(energy_error_percent),
        ..PublishedFigures::default()
    };
    let relative =
        |error| PublishedFigures { geometric_mean_relative_error: Some(error), ..PublishedFigures::default() };
    // For chains of two links, all in angles (arXiv:2010.13581).
    let two_links = config.system.parameters.get("links") == Some(&(CHNN_LINKS as f64));
    if config.protocol == Some(Protocol::Chnn) && two_links {
        let figures = |model: &str| match model {
            NEURAL_ODE => Some(relative(6.5e-2)),
            "hnn-canonical" => Some(relative(1.9e-3)),
            "delan" => Some(relative(1.25e-3)),
            _ => None,
        };
        return models.filter_map(|model| Some((model.clone(), figures(model)?))).collect();
    }
    let figures = |model: &str| match (config.experiment.as_str(), model) {
        ("dblpend", LNN) => Some(pendulum(0.073, 0.4)),
        ("dblpend", BASELINE) => Some(pendulum(0.074, 8.0)),
        // The last loss in the notebook published with the paper.
        ("relativistic", LNN) => {
            Some(PublishedFigures { weighted_acceleration_l1: Some(7.9e-4), ..PublishedFigures::default() })
        }
        _ => None,
    };
    models.filter_map(|model| Some((model.clone(), figures(model)?))).collect()
}

/// The processor's name where the system tells it, else its architecture.
pub fn device() -> String {
    let name = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    name.unwrap_or_else(|| format!("{} processor", std::env::consts::ARCH))
}
