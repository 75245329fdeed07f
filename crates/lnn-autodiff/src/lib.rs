//! Automatic differentiation for learning Lagrangians.
//!
//! Two routes to the same derivatives, each the other's check:
//!
//! * **Generic**: write a function once over [`Scalar`]; evaluate it with [`Dual`] numbers, on a
//!   [`Tape`], or on a tape of duals. Double precision, any function, no batch.
//! * **Batched**: the [`jet`] engine pushes a block of samples through a multilayer perceptron with
//!   its tangents, contracts second derivatives without forming third-order tensors, and returns the
//!   parameter gradient of a directional functional in `d + 11` layer products. `f32` or `f64`.
//!
//! [`pseudoinverse`] solves the small symmetric systems of the Euler–Lagrange equation, and
//! [`features`] maps states to network inputs with their derivatives.
//!
//! The engine works on one block of samples at a time and starts no thread; a caller spreads blocks
//! over threads, which is why results cannot depend on their number.

pub mod activation;
mod derivative;
mod dual;
pub mod features;
pub mod jet;
mod mlp;
pub mod pseudoinverse;
mod real;
mod scalar;
mod tape;
mod vectorised;

pub use activation::Activation;
pub use derivative::*;
pub use dual::Dual;
pub use mlp::{LayerRange, Mlp, MlpShape, ShapeError};
pub use real::Real;
pub use scalar::Scalar;
pub use tape::{Adjoints, Tape, Var};
pub use vectorised::{instruction_set, vectorised};

/// Runs the program of the README as a doctest.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
