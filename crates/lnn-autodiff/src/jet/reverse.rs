//! One reverse sweep: δ = ∂(ȳ·f)/∂a of every layer, and the vector-Jacobian product by parameters.

use super::Accumulate;
use super::elementwise::{add_rows, multiply};
use super::product::{Rows, outer, times_weight};
use super::workspace::{HiddenBuffers, JetWorkspace, Purpose, Stage};
use crate::{Mlp, Real};

impl<T: Real> JetWorkspace<T> {
    /// Sweeps `output_bar` ȳ `[rows, outputs]` back to the inputs; see [`input_bar`](Self::input_bar).
    ///
    /// Needs [`forward`](Self::forward) before it.
    ///
    /// # Panics
    /// If the workspace was made for less than [`Purpose::Gradient`], there was no forward pass, or a length is wrong.
    pub fn reverse(&mut self, network: Mlp<'_, T>, output_bar: &[T]) {
        self.require(Purpose::Gradient);
        self.require_network(network.shape());
        self.require_stage(Stage::Forward, "forward");
        self.stage = Stage::Reversed;
        let (rows, inputs, outputs) = (self.rows, self.shape.inputs(), self.shape.outputs());
        assert_eq!(output_bar.len(), rows * outputs, "ȳ: rows × outputs");
        self.output_bar[..rows * outputs].copy_from_slice(output_bar);
        let mut z_bar = Rows { data: &self.output_bar[..], width: outputs, stride: outputs };
        for layer in (0..self.hidden.len()).rev() {
            let HiddenBuffers { width, stride, ref mut delta, ref first, .. } = self.hidden[layer];
            let out = Rows { data: &mut delta[..], width, stride };
            times_weight(rows, out, z_bar, (network, layer + 1), &mut self.lanes);
            let channel = rows * stride;
            multiply(&mut self.bars[..channel], &delta[..channel], &first[..channel]);
            z_bar = Rows { data: &self.bars[..], width, stride };
        }
        let out = Rows { data: &mut self.input_bar[..], width: inputs, stride: inputs };
        times_weight(rows, out, z_bar, (network, 0), &mut self.lanes);
    }

    /// Writes or adds ∂(Σ ȳ·f)/∂θ of the block to `gradient`, laid out as the parameters.
    ///
    /// Needs [`reverse`](Self::reverse) before it; this is the vector-Jacobian product of a plain
    /// network with ȳ as cotangent.
    ///
    /// # Panics
    /// If `gradient` has another length than the parameters, there was no reverse pass, or the forward pass was for
    /// derivatives only.
    pub fn parameter_vjp(&mut self, accumulate: Accumulate, gradient: &mut [T]) {
        self.require(Purpose::Gradient);
        self.require_value();
        self.require_stage(Stage::Reversed, "reverse");
        self.stage = Stage::Reversed;
        assert_eq!(gradient.len(), self.shape.parameter_count(), "gradient length");
        let rows = self.rows;
        if accumulate == Accumulate::Replace {
            // Biases are sums over rows; weights are written as a whole, if there is a row at all.
            for layer in self.shape.layers() {
                gradient[layer.bias.clone()].fill(T::ZERO);
            }
        }
        if rows == 0 {
            self.clear(accumulate, gradient);
            return;
        }
        for layer in 0..=self.hidden.len() {
            let range = self.shape.layer(layer).clone();
            let left = match self.hidden.get(layer) {
                None => Rows { data: &self.output_bar[..], width: range.outputs, stride: range.outputs },
                Some(hidden) => {
                    let channel = rows * hidden.stride;
                    multiply(&mut self.bars[..channel], &hidden.delta[..channel], &hidden.first[..channel]);
                    Rows { data: &self.bars[..], width: hidden.width, stride: hidden.stride }
                }
            };
            outer(rows, &mut gradient[range.weight], accumulate, left, self.right_factors(layer));
            add_rows(&mut gradient[range.bias], &left.data[..rows * left.stride], left.stride);
        }
    }

    /// Right factors of a layer's weight gradient: `[value, u, w, c]` of its input, or `[value, c]`.
    pub(super) fn right_factors(&self, layer: usize) -> Rows<&[T]> {
        match layer.checked_sub(1) {
            None => {
                let inputs = self.shape.inputs();
                let value = self.directions * self.rows * inputs;
                Rows { data: &self.inputs[value..], width: inputs, stride: inputs }
            }
            Some(below) => {
                let HiddenBuffers { width, stride, activations, .. } = &self.hidden[below];
                Rows { data: &activations[..], width: *width, stride: *stride }
            }
        }
    }

    /// Writes or adds the bias gradient that an adjoint pass summed over the rows.
    pub(super) fn give_bias_bar(&self, width: usize, accumulate: Accumulate, bias: &mut [T]) {
        match accumulate {
            Accumulate::Replace => bias.copy_from_slice(&self.bias_row[..width]),
            Accumulate::Add => add_rows(bias, &self.bias_row[..width], width),
        }
    }

    /// The gradient of no rows.
    pub(super) fn clear(&self, accumulate: Accumulate, gradient: &mut [T]) {
        if accumulate == Accumulate::Replace {
            gradient.fill(T::ZERO);
        }
    }
}
