//! What the report is made from: the run's records and a description of the system in words.

use std::collections::BTreeMap;

use lnn_physics::System;

use crate::config::ModelKind;
use crate::record::{EnergyReference, MetricsLine, Rollouts, Summary};

/// Everything that one report shows; it borrows what the run has already collected.
#[derive(Clone, Copy, Debug)]
pub struct ReportInput<'a> {
    /// The run's outcome, as in `summary.json`.
    pub summary: &'a Summary,
    /// The training log of every model, in order of steps.
    pub metrics: &'a [MetricsLine],
    /// Those of all members of an ensemble; `metrics` has the shown one's.
    pub member_metrics: &'a [MetricsLine],
    /// Rollouts of the truth and of every model.
    pub rollouts: &'a Rollouts,
    /// The physical system in words, units and geometry.
    pub system: &'a SystemDescription,
    /// What each model's networks stand for, by the model's name.
    pub kinds: &'a BTreeMap<String, ModelKind>,
    /// The run's full configuration, as in `config.ron`.
    pub config_ron: &'a str,
    /// The command line that repeats the run.
    pub command: &'a str,
}

/// A physical system as the report speaks of it.
#[derive(Clone, Debug, PartialEq)]
pub struct SystemDescription {
    /// Name in words, for example `Double pendulum`.
    pub title: String,
    /// One sentence on the system and what is to be predicted.
    pub description: String,
    /// The d generalised coordinates, in the order of the state.
    pub coordinates: Vec<Coordinate>,
    /// Unit of the acceleration error summed over coordinates, for example `rad/s²`.
    pub acceleration_unit: String,
    /// Unit of time, for example `s`.
    pub time_unit: String,
    /// The energy that is 100 % in every energy error; its value must be positive.
    pub energy_reference: EnergyReference,
    /// How to draw the state as a double pendulum; without it the report has no animation.
    pub pendulum: Option<PendulumGeometry>,
}

/// One generalised coordinate.
#[derive(Clone, Debug, PartialEq)]
pub struct Coordinate {
    /// Symbol, for example `θ₁`.
    pub symbol: String,
    /// Unit, for example `rad`.
    pub unit: String,
    /// Whether values that differ by 2π are the same configuration.
    pub angle: bool,
}

/// Geometry of a planar double pendulum whose two coordinates are absolute angles from straight down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PendulumGeometry {
    /// Link lengths in metres, the upper link first.
    pub lengths: [f64; 2],
    /// Bob masses in kilograms, the upper bob first; they set the size of the drawn bobs.
    pub masses: [f64; 2],
}

impl SystemDescription {
    /// Unit of the velocities: the unit they have in common, or all of them.
    #[must_use]
    pub fn velocity_unit(&self) -> String {
        let units = self.coordinates.iter().map(|coordinate| coordinate.unit.as_str());
        rates(units, &self.time_unit, "")
    }

    /// Describes the planar double pendulum with bob masses in kilograms and link lengths in metres.
    ///
    /// `energy_reference` is 100 % in every energy error.
    #[must_use]
    pub fn double_pendulum(masses: [f64; 2], lengths: [f64; 2], energy_reference: EnergyReference) -> Self {
        let angle = |symbol: &str| Coordinate { symbol: symbol.to_owned(), unit: "rad".to_owned(), angle: true };
        Self {
            title: "Double pendulum".to_owned(),
            description: "Two rigid, massless links swing in a plane, one below the other, each with a \
                          bob at its end and no friction. From two angles and two angular velocities a \
                          model must predict the two angular accelerations."
                .to_owned(),
            coordinates: vec![angle("θ₁"), angle("θ₂")],
            acceleration_unit: "rad/s²".to_owned(),
            time_unit: "s".to_owned(),
            energy_reference,
            pendulum: Some(PendulumGeometry { lengths, masses }),
        }
    }

    /// Describes any system by its own coordinates and units; `summary` says in one line what it is.
    #[must_use]
    pub fn of(system: &dyn System, summary: &str, energy_reference: EnergyReference) -> Self {
        let coordinates: Vec<Coordinate> = system
            .coordinates()
            .iter()
            .map(|coordinate| Coordinate {
                symbol: coordinate.symbol.to_owned(),
                unit: coordinate.unit.to_owned(),
                angle: coordinate.is_angle,
            })
            .collect();
        let listed: Vec<String> = coordinates.iter().map(|one| format!("{} ({})", one.symbol, one.unit)).collect();
        let inputs: Vec<_> = system.conditionals().iter().map(|one| format!("{} ({})", one.symbol, one.unit)).collect();
        let conditionals = if inputs.is_empty() {
            String::new()
        } else {
            format!(", and from {}, which stays the same along a motion,", inputs.join(", "))
        };
        let (first, rest) = summary.split_at(summary.chars().next().map_or(0, char::len_utf8));
        Self {
            title: system.name().to_owned(),
            description: format!(
                "{}{rest}. From the coordinates {} and their velocities{conditionals} a model must predict the \
                 accelerations.",
                first.to_uppercase(),
                listed.join(", "),
            ),
            acceleration_unit: rates(coordinates.iter().map(|one| one.unit.as_str()), system.time_unit(), "²"),
            coordinates,
            time_unit: system.time_unit().to_owned(),
            energy_reference,
            pendulum: None,
        }
    }
}

/// `unit/timeᵖ` for each different unit, joined by a plus sign, since errors are summed over coordinates.
///
/// A time that is a length over a speed gives the speed: ℓ/(ℓ/c) is c, and ℓ/(ℓ/c)² is c²/ℓ.
fn rates<'a>(units: impl Iterator<Item = &'a str>, time: &str, power: &str) -> String {
    let mut rates: Vec<String> = Vec::new();
    for unit in units {
        let speed = time.strip_prefix(unit).and_then(|rest| rest.strip_prefix('/'));
        let rate = match (speed, power) {
            (Some(speed), "") => speed.to_owned(),
            (Some(speed), _) => format!("{speed}{power}/{unit}"),
            (None, _) if time.contains('/') => format!("{unit}/({time}){power}"),
            (None, _) => format!("{unit}/{time}{power}"),
        };
        if !rates.contains(&rate) {
            rates.push(rate);
        }
    }
    rates.join(" + ")
}

#[cfg(test)]
mod tests {
    use lnn_physics::systems::SYSTEMS;

    use super::*;

    #[test]
    fn units_are_those_of_the_coordinates_in_the_systems_time() {
        assert_eq!(rates(["rad", "rad"].into_iter(), "s", "²"), "rad/s²");
        assert_eq!(rates(["a", "rad"].into_iter(), "t₀", ""), "a/t₀ + rad/t₀");
        assert_eq!(
            (rates(["ℓ"].into_iter(), "ℓ/c", "").as_str(), rates(["ℓ"].into_iter(), "ℓ/c", "²").as_str()),
            ("c", "c²/ℓ")
        );
        assert_eq!(rates(["m"].into_iter(), "ℓ/c", "²"), "m/(ℓ/c)²");
    }

    #[test]
    fn every_system_has_a_description() {
        for kind in SYSTEMS {
            let system = kind.build(&BTreeMap::new()).expect("defaults");
            let reference = EnergyReference { value: 1.0, unit: "J".to_owned(), meaning: String::new() };
            let described = SystemDescription::of(&*system, kind.summary, reference);
            assert_eq!(described.coordinates.len(), system.degrees_of_freedom());
            assert!(described.description.starts_with(|c: char| c.is_uppercase()), "{}", described.description);
            let conditionals = system.conditionals();
            assert_eq!(described.description.contains("stays the same"), !conditionals.is_empty(), "{}", kind.name);
        }
    }
}
