//! What a functional's value changes by when the block's inputs change: its cotangents in the input space.

use super::product::{Rows, times_weight};
use super::workspace::{JetWorkspace, Stage};
use crate::{Mlp, Real};

/// Cotangents of the inputs of Σ_o ȳ_o (D_a − D_u D_w) f_o, each `[rows, inputs]`.
///
/// That of a itself is [`JetWorkspace::input_bar`].
#[derive(Clone, Copy, Debug)]
pub struct InputCotangents<'a, T> {
    /// Of the input values x.
    pub value: &'a [T],
    /// Of the direction u in input space; empty after a directional gradient, which has none.
    pub u: &'a [T],
    /// Of the direction w in input space; empty likewise.
    pub w: &'a [T],
}

impl<T: Real> JetWorkspace<T> {
    /// The cotangents of the inputs after [`functional_gradient`](Self::functional_gradient) or
    /// [`directional_gradient`](Self::directional_gradient), in one more product at the first layer: what carries a
    /// cotangent on to the states, and so through the steps of an integrator.
    ///
    /// # Panics
    /// If the last pass was another one, or `network` has another shape than the workspace.
    pub fn input_cotangents(&mut self, network: Mlp<'_, T>) -> InputCotangents<'_, T> {
        self.require_network(network.shape());
        let channels = match self.stage {
            Stage::Directional => 1,
            Stage::Functional => 3,
            _ => panic!("`functional_gradient`, `directional_gradient` or `hessian_product` must come right before"),
        };
        let (rows, inputs) = (self.rows, self.shape.inputs());
        let channel = rows * inputs;
        let cotangents = &mut self.input_cotangents[..channels * channel];
        match self.hidden.first() {
            // A linear network's derivative does not depend on where it is taken.
            None => cotangents.fill(T::ZERO),
            Some(hidden) => {
                let bars = Rows { data: &self.bars[..], width: hidden.width, stride: hidden.stride };
                let out = Rows { data: cotangents, width: inputs, stride: inputs };
                times_weight(channels * rows, out, bars, (network, 0), &mut self.lanes);
            }
        }
        let (value, directions) = self.input_cotangents[..channels * channel].split_at(channel);
        let (u, w) = directions.split_at(directions.len() / 2);
        InputCotangents { value, u, w }
    }
}
