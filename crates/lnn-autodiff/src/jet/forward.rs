//! Value and tangents: `z = W a + b`, `ż = W ȧ`, `a = σ(z)`, `ȧ = σ′ ż`.

use super::elementwise::{ForwardPass, add_bias};
use super::product::{Rows, times_weight_transposed};
use super::workspace::{HiddenBuffers, JetWorkspace, Stage};
use crate::activation::with_formula;
use crate::{Mlp, Real};

impl<T: Real> JetWorkspace<T> {
    /// Pushes the block's inputs and tangents through `network`.
    ///
    /// # Panics
    /// If `network` has another shape than the workspace.
    pub fn forward(&mut self, network: Mlp<'_, T>) {
        self.forward_hidden(network, true);
        let (rows, directions) = (self.rows, self.directions);
        if rows == 0 {
            return;
        }
        self.output_product(network, directions, 1);
        let outputs = rows * self.shape.outputs();
        let value = &mut self.outputs[directions * outputs..(directions + 1) * outputs];
        add_bias(value, network.bias(self.hidden.len()));
    }

    /// As [`forward`](Self::forward), for a caller that needs derivatives of f and not f itself, such as an
    /// Euler–Lagrange equation: the last activation and the last product are left out.
    ///
    /// After it [`output`](Self::output) and [`parameter_vjp`](Self::parameter_vjp) panic until the next `forward`.
    ///
    /// # Panics
    /// If `network` has another shape than the workspace.
    pub fn forward_derivatives(&mut self, network: Mlp<'_, T>) {
        self.forward_hidden(network, false);
    }

    /// The hidden layers, of the last one the activation itself only `with_value`.
    fn forward_hidden(&mut self, network: Mlp<'_, T>, with_value: bool) {
        self.require_network(network.shape());
        self.has_value = with_value;
        self.stage = Stage::Forward;
        let (rows, directions) = (self.rows, self.directions);
        if rows == 0 {
            return;
        }
        let channels = directions + 1;
        let inputs = self.shape.inputs();
        let last = self.hidden.len();
        let mut input = Rows { data: &self.inputs[..], width: inputs, stride: inputs };
        for (layer, hidden) in self.hidden.iter_mut().enumerate() {
            let HiddenBuffers { width, stride, ref mut z, .. } = *hidden;
            let channel = rows * stride;
            let out = Rows { data: &mut z[..], width, stride };
            times_weight_transposed(channels * rows, out, input, (network, layer));
            self.bias_row[..width].copy_from_slice(network.bias(layer));
            self.bias_row[width..stride].fill(T::ZERO);
            let pass = ForwardPass {
                z: &z[..channels * channel],
                bias: &self.bias_row[..stride],
                carried: &mut self.carried[..channels * channel],
                value: HiddenBuffers::part(&mut hidden.activations, channel),
                first: HiddenBuffers::part(&mut hidden.first, channel),
                second: HiddenBuffers::part(&mut hidden.second, channel),
                third: HiddenBuffers::part(&mut hidden.third, channel),
                channel,
                with_value: with_value || layer + 1 < last,
            };
            with_formula(network.shape().activation(), pass);
            input = Rows { data: &self.carried[..], width, stride };
        }
    }

    /// D_i f, `[t, rows, outputs]`, after [`forward`](Self::forward) and before the next block.
    ///
    /// A product of its own, which a Lagrangian has no need for.
    ///
    /// # Panics
    /// If there was no forward pass, or `network` has another shape than the workspace.
    pub fn output_tangents(&mut self, network: Mlp<'_, T>) -> &[T] {
        self.require_network(network.shape());
        self.require_stage(Stage::Forward, "forward");
        self.output_product(network, 0, self.directions);
        &self.outputs[..self.directions * self.rows * self.shape.outputs()]
    }

    /// The output layer's product, without its bias, for `channels` channels from number `first`.
    fn output_product(&mut self, network: Mlp<'_, T>, first: usize, channels: usize) {
        let (rows, outputs) = (self.rows, self.shape.outputs());
        let (input, width, stride) = match self.hidden.last() {
            None => (&self.inputs[..], self.shape.inputs(), self.shape.inputs()),
            Some(hidden) => (&self.carried[..], hidden.width, hidden.stride),
        };
        let input = Rows { data: &input[first * rows * stride..], width, stride };
        let out = &mut self.outputs[first * rows * outputs..(first + channels) * rows * outputs];
        let out = Rows { data: out, width: outputs, stride: outputs };
        times_weight_transposed(channels * rows, out, input, (network, self.hidden.len()));
    }
}
