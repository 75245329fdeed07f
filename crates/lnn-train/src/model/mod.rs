//! Models: a network's role in the equation of motion.
//!
//! Each model maps a block of states to accelerations and takes a cotangent of the accelerations back to
//! a parameter gradient, on plain arrays, in a workspace that is allocated once.

mod block;
mod build;
mod deep_lagrangian;
mod hamiltonian;
mod initialisation;
mod lagrangian;
mod networks;
mod plain;
mod potential;

pub use block::{BlockModel, Rates, RatesMut, States};
pub(crate) use deep_lagrangian::triangle;
pub use deep_lagrangian::{DeepLagrangianNetwork, DeepLagrangianSettings};
pub use hamiltonian::HamiltonianNetwork;
pub use lagrangian::{LagrangianNetwork, LagrangianWorkspace};
pub use networks::{Networks, PackedNetworks};
pub use plain::{PlainNetwork, PlainOutput};
pub use potential::PotentialNetwork;

use lagrangian::LagrangianBlock;
use lnn_autodiff::features::{FeatureError, FeatureMap};
use lnn_autodiff::{MlpShape, Real, ShapeError};

/// Why a model cannot be built.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ModelError {
    /// The network's sizes do not fit the model.
    #[error(
        "a {model} needs a network from {inputs} features to {outputs} output(s), but the network maps {given_inputs} to {given_outputs}"
    )]
    NetworkSizes {
        /// Model in words.
        model: &'static str,
        /// Features given.
        inputs: usize,
        /// Outputs needed.
        outputs: usize,
        /// The network's inputs.
        given_inputs: usize,
        /// The network's outputs.
        given_outputs: usize,
    },
    /// More coordinates than the pseudoinverse takes.
    #[error("{given} degrees of freedom are more than the dense solve takes (at most {most})")]
    TooManyCoordinates {
        /// Given.
        given: usize,
        /// Largest.
        most: usize,
    },
    /// No coordinate, so that there is nothing to accelerate.
    #[error("a model needs at least 1 degree of freedom, but its features are of a system with none")]
    NoCoordinates,
    /// Features given coordinate by coordinate, for another number of coordinates.
    #[error("features for {given} coordinates were given, but the system has {degrees_of_freedom}; give one for each")]
    CoordinateFeatures {
        /// Coordinates with features.
        given: usize,
        /// Coordinates there are.
        degrees_of_freedom: usize,
    },
    /// Features given conditional by conditional, for another number of conditionals.
    #[error("features for {given} conditionals were given, but the system has {conditionals}; give one for each")]
    ConditionalFeatures {
        /// Conditionals with features.
        given: usize,
        /// Conditionals there are.
        conditionals: usize,
    },
    /// A number of the model's that makes no sense.
    #[error("{name} is {given}; give a finite number, {expected}")]
    Setting {
        /// Name of the number.
        name: &'static str,
        /// Value given.
        given: f64,
        /// What is expected.
        expected: &'static str,
    },
    /// Features that cannot be computed.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// An activation whose second derivative vanishes.
    #[error(
        "activation `{0}` has no second derivative, which the mass matrix of a Lagrangian network is made of, and the \
         gradient of a network that enters the motion by its slope; use softplus, tanh, sigmoid, gelu, silu, relu2 or \
         relu3"
    )]
    FlatActivation(lnn_autodiff::Activation),
    /// The network shape itself is wrong.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

/// Refuses a network of other sizes.
fn require_sizes(model: &'static str, shape: &MlpShape, inputs: usize, outputs: usize) -> Result<(), ModelError> {
    let (given_inputs, given_outputs) = (shape.inputs(), shape.outputs());
    if (given_inputs, given_outputs) == (inputs, outputs) {
        return Ok(());
    }
    Err(ModelError::NetworkSizes { model, inputs, outputs, given_inputs, given_outputs })
}

/// Refuses a number that is not finite or not above 0.
fn positive(name: &'static str, given: f64) -> Result<(), ModelError> {
    if given.is_finite() && given > 0.0 {
        Ok(())
    } else {
        Err(ModelError::Setting { name, given, expected: "above 0" })
    }
}

/// Refuses a number that is negative or not finite.
fn not_negative(name: &'static str, given: f64) -> Result<(), ModelError> {
    if given.is_finite() && given >= 0.0 {
        Ok(())
    } else {
        Err(ModelError::Setting { name, given, expected: "0 or above" })
    }
}

/// A model of the rates of change of (q, q̇).
#[derive(Clone, Debug)]
pub enum Model {
    /// A learned Lagrangian, q̈ from the Euler–Lagrange equation.
    Lagrangian(LagrangianNetwork),
    /// A learned mass matrix and potential.
    DeepLagrangian(DeepLagrangianNetwork),
    /// A learned Hamiltonian, whose second state is p, or q̇ taken for it.
    Hamiltonian(HamiltonianNetwork),
    /// A plain network: q̈, or the whole vector field, from the features.
    Plain(PlainNetwork),
}

impl Model {
    /// Shape of the main network.
    pub fn shape(&self) -> &MlpShape {
        match self {
            Self::Lagrangian(model) => model.shape(),
            Self::DeepLagrangian(model) => model.shape(),
            Self::Hamiltonian(model) => model.shape(),
            Self::Plain(model) => model.shape(),
        }
    }
    /// Shape of the network of the configuration alone, for models that have one.
    pub fn potential_shape(&self) -> Option<&MlpShape> {
        match self {
            Self::Lagrangian(model) => model.potential().map(PotentialNetwork::shape),
            Self::DeepLagrangian(model) => Some(model.potential().shape()),
            Self::Hamiltonian(model) => model.potential().map(PotentialNetwork::shape),
            Self::Plain(_) => None,
        }
    }
    /// Shapes of all networks, in the order of their parameters.
    pub fn shapes(&self) -> impl Iterator<Item = &MlpShape> {
        std::iter::once(self.shape()).chain(self.potential_shape())
    }
    /// The main network's input features.
    pub fn features(&self) -> &FeatureMap {
        match self {
            Self::Lagrangian(model) => model.features(),
            Self::DeepLagrangian(model) => model.features(),
            Self::Hamiltonian(model) => model.features(),
            Self::Plain(model) => model.features(),
        }
    }
    /// Number of trained parameters.
    pub fn parameter_count(&self) -> usize {
        self.shapes().map(MlpShape::parameter_count).sum()
    }
    /// Whether the model solves with a learned mass matrix.
    pub fn has_mass_matrix(&self) -> bool {
        matches!(self, Self::Lagrangian(_) | Self::DeepLagrangian(_))
    }
    /// Whether the model has an energy: a learned Lagrangian or Hamiltonian.
    pub fn has_energy(&self) -> bool {
        !matches!(self, Self::Plain(_))
    }
    /// Whether the rate of q is q̇ itself, so that only accelerations are learned.
    pub fn is_second_order(&self) -> bool {
        match self {
            Self::Lagrangian(_) | Self::DeepLagrangian(_) => true,
            Self::Hamiltonian(_) => false,
            Self::Plain(model) => model.output() == PlainOutput::Acceleration,
        }
    }
    /// Whether the model's states are (q, p), so that who has velocities must convert them.
    pub fn is_canonical(&self) -> bool {
        matches!(self, Self::Hamiltonian(model) if model.is_canonical())
    }
    /// The networks with these parameters, as the other methods take them.
    ///
    /// # Panics
    /// If there are more or fewer than [`parameter_count`](Self::parameter_count).
    pub fn bind<'a, T: Real>(&'a self, parameters: &'a [T]) -> Networks<'a, T> {
        Networks::bind(self.shape(), self.potential_shape(), parameters)
    }
    /// The model with buffers for blocks of up to `capacity` rows; `training` adds what the gradient needs. For many
    /// blocks with the same parameters the networks are best [`PackedNetworks`].
    pub fn block<T: Real>(&self, capacity: usize, training: bool) -> Box<dyn BlockModel<T>> {
        match self {
            Self::Lagrangian(model) => {
                let workspace = model.workspace(capacity, training);
                Box::new(LagrangianBlock { model: model.clone(), workspace, holds_rates: false })
            }
            Self::DeepLagrangian(model) => Box::new(model.block(capacity, training)),
            Self::Hamiltonian(model) => Box::new(model.block(capacity, training)),
            Self::Plain(model) => Box::new(model.block(capacity, training)),
        }
    }
}
