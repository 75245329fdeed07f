//! Models: a network's role in the equation of motion.
//!
//! Each model maps a block of states to accelerations and takes a cotangent of the accelerations back to
//! a parameter gradient, on plain arrays, in a workspace that is allocated once.

mod build;
mod initialisation;
mod lagrangian;
mod plain;

pub use lagrangian::{LagrangianNetwork, LagrangianWorkspace};
pub use plain::{PlainNetwork, PlainWorkspace};

use lnn_autodiff::features::{FeatureError, FeatureMap};
use lnn_autodiff::jet::Accumulate;
use lnn_autodiff::{Mlp, MlpShape, Real, ShapeError};

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
        "activation `{0}` has no second derivative, so the learned mass matrix would be zero; use softplus, tanh, sigmoid, gelu, silu, relu2 or relu3"
    )]
    FlatActivation(lnn_autodiff::Activation),
    /// The network shape itself is wrong.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

/// A model of the acceleration q̈(q, q̇, c).
#[derive(Clone, Debug)]
pub enum Model {
    /// A learned Lagrangian, q̈ from the Euler–Lagrange equation.
    Lagrangian(LagrangianNetwork),
    /// A plain network, q̈ = net(features).
    Plain(PlainNetwork),
}

/// Buffers of a [`Model`].
#[derive(Clone, Debug)]
pub enum ModelWorkspace<T> {
    /// Of a learned Lagrangian.
    Lagrangian(Box<LagrangianWorkspace<T>>),
    /// Of a plain network.
    Plain(Box<PlainWorkspace<T>>),
}

/// A block of states as the models take them, row-major.
#[derive(Clone, Copy, Debug)]
pub struct States<'a, T> {
    /// Coordinates `[rows, d]`.
    pub q: &'a [T],
    /// Velocities `[rows, d]`.
    pub q_dot: &'a [T],
    /// Conditionals `[rows, c]`, empty without any.
    pub conditionals: &'a [T],
}

/// Refuses a number that is negative or not finite.
fn not_negative(name: &'static str, given: f64) -> Result<(), ModelError> {
    if given.is_finite() && given >= 0.0 {
        Ok(())
    } else {
        Err(ModelError::Setting { name, given, expected: "0 or above" })
    }
}

impl Model {
    /// The network's shape.
    pub fn shape(&self) -> &MlpShape {
        match self {
            Self::Lagrangian(model) => model.shape(),
            Self::Plain(model) => model.shape(),
        }
    }
    /// The input features.
    pub fn features(&self) -> &FeatureMap {
        match self {
            Self::Lagrangian(model) => model.features(),
            Self::Plain(model) => model.features(),
        }
    }
    /// Number of trained parameters.
    pub fn parameter_count(&self) -> usize {
        self.shape().parameter_count()
    }
    /// Buffers for blocks of up to `capacity` rows; `training` adds what the gradient needs.
    pub fn workspace<T: Real>(&self, capacity: usize, training: bool) -> ModelWorkspace<T> {
        match self {
            Self::Lagrangian(model) => ModelWorkspace::Lagrangian(Box::new(model.workspace(capacity, training))),
            Self::Plain(model) => ModelWorkspace::Plain(Box::new(model.workspace(capacity, training))),
        }
    }
    /// The network with these parameters, as the other methods take it.
    ///
    /// # Panics
    /// If their number is another than the model's.
    pub fn bind<'a, T: Real>(&'a self, parameters: &'a [T]) -> Mlp<'a, T> {
        match self.shape().bind(parameters) {
            Ok(network) => network,
            Err(error) => panic!("{error}"),
        }
    }
    /// Accelerations `[rows, d]` of a block. For many blocks of few rows the network is best a
    /// [`PackedMlp`](lnn_autodiff::jet::PackedMlp).
    ///
    /// # Panics
    /// If the workspace belongs to another kind of model, the network has another shape than the model's, or a
    /// length does not fit.
    pub fn accelerations<T: Real>(
        &self,
        network: Mlp<'_, T>,
        states: States<'_, T>,
        workspace: &mut ModelWorkspace<T>,
        out: &mut [T],
    ) {
        let lengths = (states.q.len(), states.q_dot.len());
        assert_eq!(lengths, (out.len(), out.len()), "q, q_dot and the accelerations have one length");
        match (self, workspace) {
            (Self::Lagrangian(model), ModelWorkspace::Lagrangian(workspace)) => {
                model.accelerate(network, states, workspace);
                out.copy_from_slice(workspace.acceleration());
            }
            (Self::Plain(model), ModelWorkspace::Plain(workspace)) => {
                model.accelerations(network, states, workspace, out);
            }
            _ => panic!("the workspace was made for another kind of model"),
        }
    }
    /// Writes or adds `∂(Σ λ·q̈)/∂θ` of the block evaluated last to `gradient`; `lambda` is `[rows, d]`.
    ///
    /// # Panics
    /// If the workspace belongs to another kind of model or was not made for training.
    pub fn gradient<T: Real>(
        &self,
        network: Mlp<'_, T>,
        lambda: &[T],
        workspace: &mut ModelWorkspace<T>,
        accumulate: Accumulate,
        gradient: &mut [T],
    ) {
        match (self, workspace) {
            (Self::Lagrangian(model), ModelWorkspace::Lagrangian(workspace)) => {
                model.gradient(network, lambda, workspace, accumulate, gradient);
            }
            (Self::Plain(model), ModelWorkspace::Plain(workspace)) => {
                model.gradient(network, lambda, workspace, accumulate, gradient);
            }
            _ => panic!("the workspace was made for another kind of model"),
        }
    }
}
