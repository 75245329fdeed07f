//! Physical systems and the ranges that states are drawn from, as written in files.

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::sync::Arc;

use lnn_physics::System;
use lnn_physics::systems::{self, SystemError};
use serde::{Deserialize, Serialize};

/// The system that supplies the training targets and the truth of the evaluation, by its name in
/// [`SYSTEMS`](systems::SYSTEMS).
///
/// ```
/// use lnn_train::config::SystemConfig;
///
/// let chain = SystemConfig::new("pendulum").with("links", 3.0).complete()?;
/// assert_eq!(chain.build()?.degrees_of_freedom(), 3);
/// assert_eq!((chain.parameters["m3"], chain.parameters.get("m4")), (1.0, None));
/// # Ok::<(), lnn_physics::systems::SystemError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemConfig {
    /// Name, such as `kepler`.
    pub name: String,
    /// Parameters by name, in the units that [`SystemKind`](systems::SystemKind) states; one that is left out has its
    /// default, and [`validate`](super::ExperimentConfig::validate) writes it down.
    #[serde(default)]
    pub parameters: BTreeMap<String, f64>,
}

impl SystemConfig {
    /// The system called `name` with no parameter given; whether there is one is found by [`build`](Self::build).
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), parameters: BTreeMap::new() }
    }

    /// The same with one more parameter, or another value of it.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: f64) -> Self {
        self.parameters.insert(name.into(), value);
        self
    }

    /// The system.
    ///
    /// # Errors
    /// A name or parameter that there is not, or a value that the system refuses.
    pub fn build(&self) -> Result<Arc<dyn System>, SystemError> {
        systems::build(&self.name, &self.parameters)
    }

    /// The same system with every parameter that it uses written down, so that it stays the same if a default changes.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn complete(&self) -> Result<Self, SystemError> {
        self.build()?;
        let mut complete = self.clone();
        for parameter in systems::kind(&self.name).map_or(&[][..], |kind| kind.parameters) {
            if complete.parameters.contains_key(parameter.name) {
                continue;
            }
            complete.parameters.insert(parameter.name.to_owned(), parameter.default);
            // Some have no meaning beside the others, such as the mass of a link that the chain does not have.
            if matches!(complete.build(), Err(SystemError::UnusedParameter { .. })) {
                complete.parameters.remove(parameter.name);
            }
        }
        Ok(complete)
    }

    /// The parameters whose values are not the defaults, in the order in which the system lists them.
    pub fn particular(&self) -> impl Iterator<Item = (&'static str, f64)> + '_ {
        let listed = systems::kind(&self.name).map_or(&[][..], |kind| kind.parameters);
        listed.iter().filter_map(|parameter| {
            let value = *self.parameters.get(parameter.name)?;
            (value != parameter.default).then_some((parameter.name, value))
        })
    }
}

impl Default for SystemConfig {
    /// The paper's double pendulum: unit masses and lengths, g = 9.8 m/s².
    fn default() -> Self {
        let pendulum = Self::new("dblpend").with("m1", 1.0).with("m2", 1.0);
        pendulum.with("l1", 1.0).with("l2", 1.0).with("g", 9.8)
    }
}

/// Half-open interval `[low, high)` of a uniform distribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// Smallest value drawn.
    pub low: f64,
    /// Bound that is never reached.
    pub high: f64,
}

/// Ranges from which every component of q and of q̇ is drawn, independently and uniformly; conditionals keep the
/// system's own distributions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SamplingConfig {
    /// Range of each coordinate qⱼ (rad for angles).
    pub position: Interval,
    /// Range of each velocity q̇ⱼ (rad/s for angles).
    pub velocity: Interval,
}

/// A part of every training batch of fresh states whose velocities reach further than the rest.
///
/// A rollout may swing faster than any training state: the paper's double pendulum, started at rest near
/// the top, reaches 15 rad/s while training stops at 10. There a learned Lagrangian extrapolates. A
/// small share of wider states removes that at little cost to the accuracy inside. A model that is trained on observed
/// motions sees what they reach, and has no tail.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamplingTail {
    /// Share of each batch, above 0 and below 1.
    pub share: f64,
    /// First step with a tail. From the very start it destabilises training: an untrained mass matrix is far
    /// from definite out there.
    pub from_step: u64,
    /// Range of each velocity in the tail; coordinates keep theirs.
    pub velocity: Interval,
}

/// A curriculum for systems whose velocities are bounded, q̇ = bound · tanh(κN): the spread κ grows with the steps.
///
/// With all velocities from the start, the potential of the relativistic particle, whose range is hundreds, drowns what
/// the Lagrangian says about velocities, and the training never leaves a plateau; small velocities first show it the
/// mass.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamplingCurriculum {
    /// κ at the first step.
    pub from: f64,
    /// κ in the end.
    pub to: f64,
    /// Share of the steps over which κ goes from one to the other along a straight line, above 0 and at most 1.
    pub until: f64,
}

impl Default for SamplingConfig {
    /// The paper's training states of the double pendulum: θ in [0, 2π), ω in [−10, 10) rad/s.
    fn default() -> Self {
        Self { position: Interval { low: 0.0, high: TAU }, velocity: Interval { low: -10.0, high: 10.0 } }
    }
}

#[cfg(test)]
mod tests {
    use lnn_physics::systems::SYSTEMS;

    use super::*;

    #[test]
    fn a_complete_system_is_the_same_one_and_complete_again() {
        for kind in SYSTEMS {
            let given = SystemConfig::new(kind.name);
            let complete = given.complete().expect("defaults are allowed");
            assert_eq!(complete.complete().expect("allowed"), complete);
            assert_eq!(complete.particular().count(), 0, "{complete:?}");
            let (ours, theirs) = (complete.build().expect("allowed"), given.build().expect("allowed"));
            assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
        }
        assert_eq!(SystemConfig::new("dblpend").complete().expect("allowed"), SystemConfig::default());
    }

    #[test]
    fn only_what_the_system_uses_is_written_down() {
        let chain = SystemConfig::new("pendulum").with("links", 2.0).with("l1", 0.5).complete().expect("two links");
        let names: Vec<_> = chain.parameters.keys().map(String::as_str).collect();
        assert_eq!(names, ["g", "l1", "l2", "links", "m1", "m2"]);
        assert_eq!(chain.particular().collect::<Vec<_>>(), [("links", 2.0), ("l1", 0.5)]);
        let error = SystemConfig::new("pendulum").with("links", 7.0).complete().expect_err("too many");
        assert!(error.to_string().contains("a whole number from 1 to 6"), "{error}");
    }
}
