//! One reverse sweep: δ = ∂(ȳ·f)/∂a of every layer, and the vector-Jacobian product by parameters.

use super::elementwise;
use super::product::{add_outer, times_weight};
use super::workspace::{JetWorkspace, Purpose};
use crate::{Mlp, Real};

impl<T: Real> JetWorkspace<T> {
    /// Sweeps `output_bar` ȳ `[rows, outputs]` back to the inputs; see [`input_bar`](Self::input_bar).
    ///
    /// Needs [`forward`](Self::forward) before it.
    ///
    /// # Panics
    /// If the workspace was made for less than [`Purpose::Gradient`], or a length is wrong.
    pub fn reverse(&mut self, network: Mlp<'_, T>, output_bar: &[T]) {
        self.require(Purpose::Gradient);
        self.require_network(network.shape());
        let rows = self.rows;
        assert_eq!(output_bar.len(), rows * self.shape.outputs(), "ȳ: rows × outputs");
        let own_bar = &mut self.output_bar[..rows * self.shape.outputs()];
        own_bar.copy_from_slice(output_bar);
        let last = self.hidden.len();
        for layer in (0..=last).rev() {
            let (inputs, outputs) = self.widths(layer);
            let (below, here) = self.hidden.split_at_mut(layer);
            let z_bar = match here.first_mut() {
                None => &self.output_bar[..rows * outputs],
                Some(hidden) => {
                    let channel = rows * outputs;
                    let delta_z = hidden.delta_z_mut(channel);
                    let (delta_z, delta, first) = delta_z;
                    elementwise::multiply(delta_z, delta, first);
                    &*delta_z
                }
            };
            let target = match below.last_mut() {
                Some(hidden) => &mut hidden.delta[..rows * inputs],
                None => &mut self.input_bar[..rows * inputs],
            };
            times_weight(target, z_bar, network.weight(layer), [rows, outputs, inputs]);
        }
    }

    /// Adds ∂(Σ ȳ·f)/∂θ of the block to `gradient`, laid out as the parameters.
    ///
    /// Needs [`reverse`](Self::reverse) before it; this is the vector-Jacobian product of a plain
    /// network with ȳ as cotangent.
    ///
    /// # Panics
    /// If `gradient` has another length than the parameters.
    pub fn add_parameter_vjp(&mut self, gradient: &mut [T]) {
        self.require(Purpose::Gradient);
        assert_eq!(gradient.len(), self.shape.parameter_count(), "gradient length");
        let rows = self.rows;
        for layer in 0..=self.hidden.len() {
            let (inputs, outputs) = self.widths(layer);
            let z_bar = match self.hidden.get(layer) {
                Some(hidden) => hidden.delta_z(rows * outputs),
                None => &self.output_bar[..rows * outputs],
            };
            let value = self.directions * rows * inputs;
            let input = &self.stacks[layer][value..value + rows * inputs];
            let range = self.shape.layer(layer);
            add_outer(&mut gradient[range.weight.clone()], z_bar, input, [rows, outputs, inputs]);
            elementwise::add_rows(&mut gradient[range.bias.clone()], z_bar);
        }
    }
}

impl<T: Real> super::workspace::HiddenBuffers<T> {
    /// δσ′ lies last among the bars: channel 3 with the adjoint's, channel 0 without.
    fn delta_z_start(&self, channel: usize) -> usize {
        if self.third.is_empty() { 0 } else { 3 * channel }
    }
    pub(super) fn delta_z(&self, channel: usize) -> &[T] {
        let start = self.delta_z_start(channel);
        &self.bars[start..start + channel]
    }
    fn delta_z_mut(&mut self, channel: usize) -> (&mut [T], &[T], &[T]) {
        let start = self.delta_z_start(channel);
        (&mut self.bars[start..start + channel], &self.delta[..channel], &self.first[..channel])
    }
}
