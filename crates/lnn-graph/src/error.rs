//! What can be wrong with a density, or with a density on a topology.

use lnn_autodiff::features::FeatureError;
use lnn_autodiff::{Activation, ShapeError};

use crate::density::Neighbourhood;
use crate::solve::SolveError;
use crate::solve::conjugate_gradient::CgError;

/// Why a density cannot be made, or not put on a topology.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DensityError {
    /// A field without components.
    #[error("a field needs at least 1 component at a site, but its features name none")]
    NoComponent,
    /// A network whose second derivative vanishes.
    #[error(
        "a network with activation `{0}`, or without a hidden layer, has no second derivative, which the mass matrix of a \
         learned density is made of; give it hidden layers with softplus, tanh, sigmoid, gelu, silu, relu2 or relu3"
    )]
    FlatActivation(Activation),
    /// Features that cannot be computed.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// The networks' sizes.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// Ordered neighbourhoods where there are none.
    #[error(
        "a density of {neighbourhood:?} neighbourhoods does not fit a topology that is {topology}; use \
         Neighbourhood::Pairs, which serves any topology"
    )]
    Topology {
        /// What the density sees.
        neighbourhood: Neighbourhood,
        /// The topology in words.
        topology: &'static str,
    },
    /// Another number of attributes than the density was made for.
    #[error(
        "{given} attributes of {of} were given for {count} of them, but the density takes {expected} for each: \
         {wanted} in all"
    )]
    Attributes {
        /// `sites` or `edges`.
        of: &'static str,
        /// Sites or edges.
        count: usize,
        /// Numbers given.
        given: usize,
        /// Attributes of each.
        expected: usize,
        /// Numbers needed.
        wanted: usize,
    },
    /// An attribute that is not finite.
    #[error("attribute {index} of the {of} is {value}; expected a finite number")]
    NonFiniteAttribute {
        /// `sites` or `edges`.
        of: &'static str,
        /// Position in the list.
        index: usize,
        /// The value.
        value: f64,
    },
    /// A site without neighbours has no rate term but that of the residual mass.
    #[error(
        "site {site} has no neighbour, and without a residual mass nothing makes its mass matrix regular for sure; \
         connect it, leave it out, or give a residual mass above 0"
    )]
    IsolatedSite {
        /// The site.
        site: usize,
    },
    /// A residual mass that makes no sense.
    #[error("the residual mass is {given}; expected a finite number, 0 or above")]
    ResidualMass {
        /// Given.
        given: f64,
    },
    /// A density of several outputs.
    #[error("a {model} needs a density of {expected} output(s), but its networks give {given}")]
    Outputs {
        /// Model in words.
        model: &'static str,
        /// Needed.
        expected: usize,
        /// Given.
        given: usize,
    },
}

/// Why a field has no acceleration.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EvaluationError {
    /// A field or rate of another length.
    #[error(
        "{what} has {given} numbers; a field of {components} component(s) on {sites} sites has {expected}, the components \
         of a site side by side"
    )]
    Length {
        /// Which array.
        what: &'static str,
        /// Numbers given.
        given: usize,
        /// Sites of the topology.
        sites: usize,
        /// Components of a site.
        components: usize,
        /// Numbers expected.
        expected: usize,
    },
    /// A mass matrix that is singular to working precision, and too large for the pseudoinverse.
    #[error(
        "the mass matrix is singular to working precision at site {site}, component {component}, where its smallest pivot \
         is {pivot:e}; give a residual mass above 0, or train with one"
    )]
    SingularMassMatrix {
        /// The site.
        site: usize,
        /// The component.
        component: usize,
        /// The pivot.
        pivot: f64,
    },
    /// A mass matrix with an entry that is infinite or NaN.
    #[error(
        "the mass matrix has the entry {value} at site {site}, component {component}; check field, rate and parameters \
         there, which are not finite or too large"
    )]
    NonFiniteMassMatrix {
        /// The site.
        site: usize,
        /// The component.
        component: usize,
        /// The entry.
        value: f64,
    },
    /// The factorisation.
    #[error(transparent)]
    Factorisation(SolveError),
    /// The conjugate gradients.
    #[error(transparent)]
    ConjugateGradient(#[from] CgError),
}

impl EvaluationError {
    /// In terms of sites, of which each has `components` unknowns.
    pub(crate) fn of_sites(error: SolveError, components: usize) -> Self {
        match error {
            SolveError::Singular { unknown, pivot, .. } => {
                Self::SingularMassMatrix { site: unknown / components, component: unknown % components, pivot }
            }
            SolveError::NonFinite { unknown, value } => {
                Self::NonFiniteMassMatrix { site: unknown / components, component: unknown % components, value }
            }
            other => Self::Factorisation(other),
        }
    }
}
