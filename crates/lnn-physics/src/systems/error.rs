//! Why a system cannot be built.

use thiserror::Error;

use crate::sampling::InvalidDistribution;

/// A system that cannot be built from what was given.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum SystemError {
    /// A name that no system has.
    #[error("there is no system `{given}`; the systems are {}", known.join(", "))]
    UnknownSystem {
        /// Name that was given.
        given: String,
        /// Names of the systems there are.
        known: Vec<&'static str>,
    },
    /// A parameter that the system does not have.
    #[error("system `{system}` has no parameter `{given}`; its parameters are {}", known.join(", "))]
    UnknownParameter {
        /// Name of the system.
        system: &'static str,
        /// Name that was given.
        given: String,
        /// Names of the parameters there are.
        known: Vec<&'static str>,
    },
    /// A parameter that the system has, but not together with the others that were given.
    #[error("system `{system}` does not use {field} = {given} here: {reason}; leave {field} out")]
    UnusedParameter {
        /// Name of the system.
        system: &'static str,
        /// Name of the parameter.
        field: String,
        /// Value that was given.
        given: f64,
        /// Why it has no meaning here.
        reason: String,
    },
    /// A parameter whose value describes no such system.
    #[error("system `{system}`: {field} = {given}{}; expected {expected}", spaced(unit))]
    InvalidParameter {
        /// Name of the system.
        system: &'static str,
        /// Name of the parameter.
        field: &'static str,
        /// Value that was given.
        given: f64,
        /// Unit of the parameter, empty for a pure number.
        unit: &'static str,
        /// What is allowed.
        expected: &'static str,
    },
    /// A chain with another number of masses than of lengths.
    #[error("system `{system}`: {masses} masses and {lengths} lengths; give one mass and one length for each link")]
    UnequalCounts {
        /// Name of the system.
        system: &'static str,
        /// Number of masses.
        masses: usize,
        /// Number of lengths.
        lengths: usize,
    },
    /// Parameters, each allowed, that together give states too large or too small for a double.
    #[error("system `{system}`: the parameters give no range of states to draw from: {source}; choose nearer units")]
    Range {
        /// Name of the system.
        system: &'static str,
        /// The distribution that was refused.
        source: InvalidDistribution,
    },
}

/// A unit behind its number.
fn spaced(unit: &str) -> String {
    if unit.is_empty() { String::new() } else { format!(" {unit}") }
}
