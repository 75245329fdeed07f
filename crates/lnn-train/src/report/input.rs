//! What the report is made from: the run's records and a description of the system in words.

use crate::record::{MetricsLine, Rollouts, Summary};

/// Everything that one report shows; it borrows what the run has already collected.
#[derive(Clone, Copy, Debug)]
pub struct ReportInput<'a> {
    /// The run's outcome, as in `summary.json`.
    pub summary: &'a Summary,
    /// The training log of every model, as in `metrics.jsonl`, in order of steps.
    pub metrics: &'a [MetricsLine],
    /// Rollouts of the truth and of every model.
    pub rollouts: &'a Rollouts,
    /// The physical system in words, units and geometry.
    pub system: &'a SystemDescription,
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
    /// Unit of energy, for example `J`.
    pub energy_unit: String,
    /// The energy that is 100 % in every energy error, in `energy_unit`; must be positive.
    pub energy_reference: f64,
    /// What that energy is, in words, for example `the largest potential energy`.
    pub energy_reference_meaning: String,
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
    /// Describes the planar double pendulum with bob masses in kilograms and link lengths in metres.
    ///
    /// `energy_reference` in joules is 100 % in every energy error: its largest potential energy, as
    /// `System::reference_energy` states it.
    #[must_use]
    pub fn double_pendulum(masses: [f64; 2], lengths: [f64; 2], energy_reference: f64) -> Self {
        let angle = |symbol: &str| Coordinate { symbol: symbol.to_owned(), unit: "rad".to_owned(), angle: true };
        Self {
            title: "Double pendulum".to_owned(),
            description: "Two rigid, massless links swing in a plane, one below the other, each with a \
                          bob at its end and no friction. From two angles and two angular velocities a \
                          model must predict the two angular accelerations."
                .to_owned(),
            coordinates: vec![angle("θ₁"), angle("θ₂")],
            acceleration_unit: "rad/s²".to_owned(),
            energy_unit: "J".to_owned(),
            energy_reference,
            energy_reference_meaning: "the largest potential energy".to_owned(),
            pendulum: Some(PendulumGeometry { lengths, masses }),
        }
    }
}
