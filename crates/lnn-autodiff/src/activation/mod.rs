//! Activation functions with their first three derivatives.
//!
//! The Euler–Lagrange equation needs two derivatives of the network and its adjoint a third, so an
//! activation here is always the tuple (σ, σ′, σ″, σ‴). One scalar formula each, in a form that keeps
//! its relative accuracy in both tails; the [jet engine](crate::jet) runs it over whole layers in vector code
//! chosen for the machine at run time.

mod elementary;
mod formula;

use std::fmt;
use std::str::FromStr;

pub(crate) use formula::{Formula, WithFormula, with_formula};

/// An activation function of the hidden layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    /// ln(1 + eᶻ).
    Softplus,
    /// tanh z.
    Tanh,
    /// 1 / (1 + e⁻ᶻ).
    Sigmoid,
    /// z Φ(z), Φ the standard normal distribution function (exact, by erfc).
    Gelu,
    /// z · sigmoid(z).
    Silu,
    /// max(z, 0)².
    Relu2,
    /// max(z, 0)³.
    Relu3,
    /// max(z, 0): for plain networks only, its second derivative vanishes.
    Relu,
}

/// A name that is no activation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown activation `{given}`; expected one of softplus, tanh, sigmoid, gelu, silu, relu2, relu3, relu")]
pub struct UnknownActivation {
    /// The name given.
    pub given: String,
}

impl Activation {
    /// All activations.
    pub const ALL: [Self; 8] =
        [Self::Softplus, Self::Tanh, Self::Sigmoid, Self::Gelu, Self::Silu, Self::Relu2, Self::Relu3, Self::Relu];

    /// Name in configuration and model files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Softplus => "softplus",
            Self::Tanh => "tanh",
            Self::Sigmoid => "sigmoid",
            Self::Gelu => "gelu",
            Self::Silu => "silu",
            Self::Relu2 => "relu2",
            Self::Relu3 => "relu3",
            Self::Relu => "relu",
        }
    }

    /// Whether σ″ is not identically zero, as a Lagrangian network needs.
    pub const fn has_second_derivative(self) -> bool {
        !matches!(self, Self::Relu)
    }

    /// `[σ, σ′, σ″, σ‴]` at one point.
    ///
    /// ```
    /// use lnn_autodiff::Activation;
    /// assert_eq!(Activation::Relu3.derivatives(2.0), [8.0, 12.0, 12.0, 6.0]);
    /// assert_eq!(Activation::Sigmoid.derivatives(0.0), [0.5, 0.25, 0.0, -0.125]);
    /// ```
    pub fn derivatives<T: crate::Real>(self, z: T) -> [T; 4] {
        formula::derivatives(self, z)
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Activation {
    type Err = UnknownActivation;

    fn from_str(name: &str) -> Result<Self, UnknownActivation> {
        Self::ALL
            .into_iter()
            .find(|activation| activation.name() == name)
            .ok_or_else(|| UnknownActivation { given: name.to_owned() })
    }
}
