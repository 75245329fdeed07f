//! Value and tangents: `z = W a + b`, `ż = W ȧ`, `a = σ(z)`, `ȧ = σ′ ż`.

use super::elementwise;
use super::product::times_weight_transposed;
use super::workspace::{HiddenBuffers, JetWorkspace};
use crate::activation::evaluate;
use crate::{Mlp, Real};

impl<T: Real> JetWorkspace<T> {
    /// Pushes the block's inputs and tangents through `network`.
    ///
    /// # Panics
    /// If `network` has another shape than the workspace.
    pub fn forward(&mut self, network: Mlp<'_, T>) {
        self.require_network(network.shape());
        let (rows, directions) = (self.rows, self.directions);
        if rows == 0 {
            return;
        }
        let channels = directions + 1;
        for layer in 0..self.hidden.len() {
            let (inputs, width) = self.widths(layer);
            let channel = rows * width;
            let (before, after) = self.stacks.split_at_mut(layer + 1);
            let (input, output) = (&before[layer][..channels * rows * inputs], &mut after[0]);
            let HiddenBuffers { z, first, second, third, .. } = &mut self.hidden[layer];
            let z = &mut z[..channels * channel];
            times_weight_transposed(z, input, network.weight(layer), [channels * rows, inputs, width]);
            let (z_tangents, z_value) = z.split_at_mut(directions * channel);
            elementwise::add_bias(z_value, network.bias(layer));
            let (tangents, rest) = output.split_at_mut(directions * channel);
            let slope_is_kept = !first.is_empty();
            let kept = |buffer: &mut Vec<T>| if buffer.is_empty() { 0 } else { channel };
            let (n1, n2, n3) = (kept(first), kept(second), kept(third));
            if slope_is_kept || directions == 0 {
                let (first, second, third) = (&mut first[..n1], &mut second[..n2], &mut third[..n3]);
                evaluate(network.shape().activation(), z_value, &mut rest[..channel], first, second, third);
                for (a_tan, z_tan) in tangents.chunks_exact_mut(channel).zip(z_tangents.chunks_exact(channel)) {
                    elementwise::multiply(a_tan, z_tan, first);
                }
            } else {
                // Forward-only with tangents: the slope is used here and kept nowhere.
                let (slope, others) = tangents.split_at_mut(channel);
                evaluate(network.shape().activation(), z_value, &mut rest[..channel], slope, &mut [], &mut []);
                for (a_tan, z_tan) in others.chunks_exact_mut(channel).zip(z_tangents[channel..].chunks_exact(channel))
                {
                    elementwise::multiply(a_tan, z_tan, slope);
                }
                for (a_tan, &z_tan) in slope.iter_mut().zip(&z_tangents[..channel]) {
                    *a_tan *= z_tan;
                }
            }
        }
        let last = self.hidden.len();
        let (inputs, outputs) = self.widths(last);
        let result = &mut self.outputs[..channels * rows * outputs];
        let input = &self.stacks[last][..channels * rows * inputs];
        times_weight_transposed(result, input, network.weight(last), [channels * rows, inputs, outputs]);
        elementwise::add_bias(&mut result[directions * rows * outputs..], network.bias(last));
    }

    /// `(inputs, outputs)` of a layer.
    pub(super) fn widths(&self, layer: usize) -> (usize, usize) {
        let range = self.shape.layer(layer);
        (range.inputs, range.outputs)
    }
}
