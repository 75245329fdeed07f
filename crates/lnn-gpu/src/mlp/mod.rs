//! Batched jets of a multilayer perceptron on a device, for networks of any width: layer products in tiles.
//!
//! The passes are those of [`lnn_autodiff::jet`], with the same arrays, `[channels][rows][stride]`; a stride is the width
//! rounded up to whole groups of four, and padding is zero. Everything is planned for a number of rows when a [`MlpJet`] is
//! made; recording a pass allocates no buffer.
//!
//! | call | gives |
//! |---|---|
//! | [`MlpJet::record_forward`] | f, and D_i of every layer |
//! | [`MlpJet::record_forward_derivatives`] | D_i of every layer, without f |
//! | [`MlpJet::record_reverse`] | Σ_o ȳ_o ∂f_o/∂x |
//! | [`MlpJet::record_hessian`] | Σ_o ȳ_o D_i D_j f_o |
//! | [`MlpJet::record_parameter_vjp`] | ∂/∂θ Σ_o ȳ_o f_o |
//! | [`MlpJet::record_directional_gradient`] | ∂/∂θ Σ_o ȳ_o D_a f_o |
//! | [`MlpJet::record_functional_gradient`] | ∂/∂θ Σ_o ȳ_o (D_a − D_u D_w) f_o |
//! | [`MlpJet::record_input_cotangents`] | the same two by the inputs |
//!
//! For networks up to 64 wide [`NarrowJet`] does the same in a launch each way, for many models at once.
//!
//! How products are cut into tiles follows from their sizes, or is chosen as [`Tiles`].

mod buffers;
mod functional;
mod gradient;
mod jet;
mod model_parameters;
mod narrow;
mod parameters;
mod plan;
mod planner;
mod tiles;

pub use jet::{MlpJet, hessian_pairs};
pub(crate) use model_parameters::ModelParameters;
pub use narrow::{NarrowJet, NarrowPlan};
pub(crate) use narrow::{NarrowStep, StepArguments, StepArrays};
pub use parameters::{MlpParameters, ParameterLayout};
pub use tiles::{GradientTile, NarrowTile, ProductTile, TileRole, Tiles};

/// Numbers from one row to the next of an array with `width` columns.
pub const fn stride(width: usize) -> usize {
    width.next_multiple_of(4)
}
