//! The parameter gradient of Σ_o ȳ_o D_a f_o: the functional without second derivatives, in half its products.
//!
//! The coefficient c = D_a travels forward in one product a layer; one adjoint (of z) travels back, the adjoint of c
//! being the δ that is already there; two outer products a layer, stacked into one, give the weight gradient. Without
//! them the cotangent of the inputs is a product with the Hessian.

use super::Accumulate;
use super::elementwise::{DirectionalAdjointPass, multiply};
use super::product::{Rows, outer, times_weight, times_weight_transposed};
use super::workspace::{HiddenBuffers, JetWorkspace, Purpose, Stage};
use crate::{Mlp, Real};

impl<T: Real> JetWorkspace<T> {
    /// Writes or adds `∂/∂θ Σ_rows Σ_o ȳ_o D_a f_o` to `gradient`, laid out as the parameters; `a` is the input
    /// tangent, `[rows, inputs]`.
    ///
    /// It is [`functional_gradient`](Self::functional_gradient) with u = w = 0: what a Hamiltonian network's vector
    /// field and the potential part of a Lagrangian need. ȳ is that of the last [`reverse`](Self::reverse), which must
    /// come before. May be called again with another direction for the same block.
    ///
    /// # Panics
    /// If the workspace was made for less than [`Purpose::Directional`], there was no reverse pass, or a length is wrong.
    pub fn directional_gradient(&mut self, network: Mlp<'_, T>, a: &[T], accumulate: Accumulate, gradient: &mut [T]) {
        self.require(Purpose::Directional);
        self.require_network(network.shape());
        assert_eq!(gradient.len(), self.shape.parameter_count(), "gradient length");
        assert_eq!(a.len(), self.rows * self.shape.inputs(), "a: rows × inputs");
        self.require_stage(Stage::Reversed, "reverse");
        self.stage = Stage::Directional;
        if self.rows == 0 {
            self.clear(accumulate, gradient);
            return;
        }
        self.directional_forward(network, a);
        self.directional_reverse(network, Some((accumulate, gradient)));
    }

    /// `(∇² Σ_o ȳ_o f_o) a`, `[rows, inputs]`: a product with the Hessian by the inputs, forward over reverse, without
    /// the Hessian; `a` is the input tangent, `[rows, inputs]`.
    ///
    /// It is the cotangent of the inputs of Σ_o ȳ_o D_a f_o, in two products a layer. ȳ is that of the last
    /// [`reverse`](Self::reverse), which must come before. May be called again with another direction for the same block.
    ///
    /// # Panics
    /// If the workspace was made for less than [`Purpose::Directional`], there was no reverse pass, or a length is wrong.
    pub fn hessian_product(&mut self, network: Mlp<'_, T>, a: &[T]) -> &[T] {
        self.require(Purpose::Directional);
        self.require_network(network.shape());
        assert_eq!(a.len(), self.rows * self.shape.inputs(), "a: rows × inputs");
        self.require_stage(Stage::Reversed, "reverse");
        self.stage = Stage::Directional;
        if self.rows > 0 {
            self.directional_forward(network, a);
            self.directional_reverse(network, None);
        }
        self.input_cotangents(network).value
    }

    /// D_a f of the last [`directional_gradient`](Self::directional_gradient), `[rows, outputs]`: a product of its own.
    ///
    /// # Panics
    /// If the last pass was another one.
    pub fn directional_output(&mut self, network: Mlp<'_, T>) -> &[T] {
        self.require_network(network.shape());
        assert!(self.stage == Stage::Directional, "`directional_gradient` must come right before");
        let (rows, outputs) = (self.rows, self.shape.outputs());
        let mut output = std::mem::take(&mut self.directional_output);
        let right = self.right_factors(self.hidden.len());
        let c = Rows { data: &right.data[rows * right.stride..], ..right };
        let out = Rows { data: &mut output[..], width: outputs, stride: outputs };
        times_weight_transposed(rows, out, c, (network, self.hidden.len()));
        self.directional_output = output;
        &self.directional_output[..rows * outputs]
    }

    /// `c_z = W c_a`, `c_a ← σ′ c_z`, layer by layer; c_a lies behind the activation.
    fn directional_forward(&mut self, network: Mlp<'_, T>, a: &[T]) {
        let (rows, directions) = (self.rows, self.directions);
        let width = self.shape.inputs();
        let channel = rows * width;
        let x_c = &mut self.inputs[(directions + 1) * channel..(directions + 2) * channel];
        x_c.copy_from_slice(a);
        let mut c_in = Rows { data: &*x_c, width, stride: width };
        for (layer, hidden) in self.hidden.iter_mut().enumerate() {
            let HiddenBuffers { width, stride, ref mut z, .. } = *hidden;
            let channel = rows * stride;
            let c_z = &mut z[directions * channel..(directions + 1) * channel];
            times_weight_transposed(rows, Rows { data: &mut *c_z, width, stride }, c_in, (network, layer));
            multiply(&mut hidden.activations[channel..2 * channel], c_z, &hidden.first[..channel]);
            c_in = Rows { data: &hidden.activations[channel..], width, stride };
        }
    }

    /// Adjoints of z, last layer to first, and the weight gradients if asked for.
    fn directional_reverse(&mut self, network: Mlp<'_, T>, mut gradient: Option<(Accumulate, &mut [T])>) {
        let (rows, directions) = (self.rows, self.directions);
        let last = self.hidden.len();
        if let Some((accumulate, gradient)) = &mut gradient {
            // The output layer is linear: only c reaches its weights, and nothing its bias.
            let range = self.shape.layer(last).clone();
            let right = self.right_factors(last);
            let c_a = Rows { data: &right.data[rows * right.stride..], ..right };
            let output_bar = Rows { data: &self.output_bar[..], width: range.outputs, stride: range.outputs };
            outer(rows, &mut gradient[range.weight], *accumulate, output_bar, c_a);
            self.clear(*accumulate, &mut gradient[range.bias]);
        }

        for layer in (0..last).rev() {
            let HiddenBuffers { width, stride, .. } = self.hidden[layer];
            let channel = rows * stride;
            let above = if layer + 1 == last { 0 } else { channel };
            if above > 0 {
                let HiddenBuffers { width: outputs, stride: outputs_stride, .. } = self.hidden[layer + 1];
                let bars = Rows { data: &self.bars[..], width: outputs, stride: outputs_stride };
                let out = Rows { data: &mut self.above[..], width, stride };
                times_weight(rows, out, bars, (network, layer + 1), &mut self.lanes);
            }
            let HiddenBuffers { z, first, second, delta, .. } = &self.hidden[layer];
            let pass = DirectionalAdjointPass {
                first: &first[..channel],
                second: &second[..channel],
                delta: &delta[..channel],
                c_z: &z[directions * channel..(directions + 1) * channel],
                above: &self.above[..above],
                bars: &mut self.bars[..2 * channel],
                bias_bar: &mut self.bias_row[..stride],
            };
            pass.run();
            if let Some((accumulate, gradient)) = &mut gradient {
                let range = self.shape.layer(layer).clone();
                let left = Rows { data: &self.bars[..], width, stride };
                outer(2 * rows, &mut gradient[range.weight], *accumulate, left, self.right_factors(layer));
                self.give_bias_bar(width, *accumulate, &mut gradient[range.bias]);
            }
        }
    }
}
