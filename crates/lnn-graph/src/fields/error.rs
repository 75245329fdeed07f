//! Why a field or a state cannot be made.

use thiserror::Error;

/// A field, or a state of one, that cannot be made from what was given.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum FieldError {
    /// A parameter that describes no such field or state.
    #[error("{of}: {parameter} = {given}; expected {expected}")]
    InvalidParameter {
        /// What was to be made.
        of: &'static str,
        /// Name of the parameter.
        parameter: &'static str,
        /// Value that was given.
        given: f64,
        /// What is allowed.
        expected: &'static str,
    },
    /// A property of the sites with another number of values than there are sites.
    #[error("{of}: {given} values of {attribute} for {sites} sites; give one for each site")]
    SiteAttributeCount {
        /// What was to be made.
        of: &'static str,
        /// Name of the property.
        attribute: &'static str,
        /// Values that were given.
        given: usize,
        /// Number of sites.
        sites: usize,
    },
    /// A property of one site that describes no such field.
    #[error("{of}: {attribute} = {given} at site {site}; expected {expected}")]
    InvalidSiteAttribute {
        /// What was to be made.
        of: &'static str,
        /// Name of the property.
        attribute: &'static str,
        /// The site.
        site: usize,
        /// Value that was given.
        given: f64,
        /// What is allowed.
        expected: &'static str,
    },
    /// An edge attribute that the edges do not have.
    #[error("{of}: there is no edge attribute {column}, the edges have {attributes}, numbered from 0")]
    NoEdgeAttribute {
        /// What was to be made.
        of: &'static str,
        /// The attribute asked for, from 0.
        column: usize,
        /// Attributes that the edges have.
        attributes: usize,
    },
    /// An edge attribute that describes no such field.
    #[error("{of}: edge {} {} has {attribute} = {given}; expected {expected}", edge[0], edge[1])]
    InvalidEdgeAttribute {
        /// What was to be made.
        of: &'static str,
        /// What the attribute stands for.
        attribute: &'static str,
        /// The edge.
        edge: [usize; 2],
        /// Value that was given.
        given: f64,
        /// What is allowed.
        expected: &'static str,
    },
    /// A topology that has no such state or motion.
    #[error("{of}: expected {expected}, the topology is {given}")]
    WrongTopology {
        /// What was to be made.
        of: &'static str,
        /// Topologies that have it.
        expected: &'static str,
        /// The topology, in words.
        given: &'static str,
    },
    /// A motion that is known in closed form for one speed at all sites only.
    #[error("{of}: the speed differs from site to site and no closed form is known; integrate with a small step")]
    Inhomogeneous {
        /// What was to be made.
        of: &'static str,
    },
    /// A lattice that is too long for a table of its eigenmodes.
    #[error("{of}: {sites} sites in one direction, at most {most} are tabulated; integrate with a small step")]
    TooManySites {
        /// What was to be made.
        of: &'static str,
        /// Sites in the longest direction.
        sites: usize,
        /// The limit.
        most: usize,
    },
    /// A state of another length than the field needs.
    #[error("a state of {given} numbers for {sites} sites of {components} components; give [φ, φ̇], {expected} numbers")]
    StateLength {
        /// Numbers that were given.
        given: usize,
        /// Number of sites.
        sites: usize,
        /// Components of the field.
        components: usize,
        /// Numbers of a state.
        expected: usize,
    },
    /// A position with another number of coordinates than the topology.
    #[error("{of}: a centre of {given} coordinates; give {expected}: the site on a line, row and column on a grid")]
    CentreDimension {
        /// What was to be made.
        of: &'static str,
        /// Coordinates that were given.
        given: usize,
        /// Coordinates of the topology.
        expected: usize,
    },
    /// Shares that are no probabilities.
    #[error(
        "random states: smooth_share = {smooth}, rough_share = {rough}; expected two numbers from 0 whose sum is at \
         most 1 (the rest are mixtures)"
    )]
    InvalidShares {
        /// Share of smooth states that was given.
        smooth: f64,
        /// Share of rough states that was given.
        rough: f64,
    },
    /// Smooth states of no mode, or of more than the lattice has.
    #[error("random states: modes = {given}; expected 1 to {most}, what a lattice of this size and these ends has")]
    InvalidModes {
        /// Modes that were given.
        given: usize,
        /// Modes that the longest direction has.
        most: usize,
    },
}

/// Accepts positive finite numbers.
pub(super) fn positive(of: &'static str, parameter: &'static str, given: f64) -> Result<f64, FieldError> {
    if given > 0.0 && given.is_finite() {
        return Ok(given);
    }
    Err(FieldError::InvalidParameter { of, parameter, given, expected: "a positive finite number" })
}

/// Accepts zero and positive finite numbers.
pub(super) fn non_negative(of: &'static str, parameter: &'static str, given: f64) -> Result<f64, FieldError> {
    if given >= 0.0 && given.is_finite() {
        return Ok(given);
    }
    Err(FieldError::InvalidParameter { of, parameter, given, expected: "zero or a positive finite number" })
}

/// Accepts finite numbers of either sign.
pub(super) fn finite(of: &'static str, parameter: &'static str, given: f64) -> Result<f64, FieldError> {
    if given.is_finite() {
        return Ok(given);
    }
    Err(FieldError::InvalidParameter { of, parameter, given, expected: "a finite number" })
}
