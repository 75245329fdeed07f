//! Batched jets of a multilayer perceptron: value, tangents, second derivatives, and the parameter
//! gradient of a directional functional.
//!
//! For a block of samples and `t` input directions the workspace runs, in this order:
//!
//! | call | layer products | gives |
//! |---|---|---|
//! | [`JetWorkspace::forward`] | 1 + t, at the output layer 1 | f, and D_i of every layer |
//! | [`JetWorkspace::forward_derivatives`] | 1 + t, at the output layer 0 | D_i of every layer, without f |
//! | [`JetWorkspace::output_tangents`] | t at the output layer, if asked for | D_i f |
//! | [`JetWorkspace::reverse`] | 1 | Σ_o ȳ_o ∂f_o/∂x |
//! | [`JetWorkspace::hessian`] | 0 | Σ_o ȳ_o D_i D_j f_o, elementwise |
//! | [`JetWorkspace::functional_gradient`] | 1 + 3 + 4 | ∂/∂θ Σ_o ȳ_o (D_a − D_u D_w) f_o |
//! | [`JetWorkspace::directional_gradient`] | 1 + 1 + 2 | ∂/∂θ Σ_o ȳ_o D_a f_o |
//! | [`JetWorkspace::hessian_product`] | 1 + 1 | ∇²(Σ_o ȳ_o f_o) a |
//! | [`JetWorkspace::input_cotangents`] | 3 or 1 at the first layer | the same by the inputs, if asked for |
//!
//! With t = d + 1 (the d unit velocities and (q̇, 0)) that is d + 11 products for a whole training
//! step of a Lagrangian network. `docs/derivations/2-adjoint.md` derives the recurrences; the names
//! here are the symbols there.
//!
//! Arrays are row-major and channel-first: `[channels][rows][stride]`, so a layer is one matrix product
//! over channels × rows, followed by one elementwise pass.

mod buffer;
mod directional;
mod elementwise;
mod forward;
mod functional;
mod hessian;
mod input_cotangents;
mod narrow;
mod packed;
mod product;
mod reverse;
mod workspace;

pub use input_cotangents::InputCotangents;
pub use packed::PackedMlp;
pub(crate) use packed::PackedWeights;
pub use workspace::{JetInputs, JetWorkspace, Purpose};

/// What becomes of the numbers that are already in a gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accumulate {
    /// They are overwritten, whatever they are.
    Replace,
    /// They are added to.
    Add,
}
