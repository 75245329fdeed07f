//! The parameter gradient of Σ_o ȳ_o (D_a − D_u D_w) f_o, for u and w in the span of the tangents.
//!
//! The single coefficient `c = D_a − D_u D_w` travels forward in one product a layer; three adjoints
//! (of ż^u, ż^w and z) travel back, the adjoint of c being the δ that is already there; four outer
//! products a layer, stacked into one, give the weight gradient.

use super::Accumulate;
use super::elementwise::{AdjointPass, DirectionalPass, combine};
use super::product::{Rows, outer, times_weight, times_weight_transposed};
use super::workspace::{HiddenBuffers, JetWorkspace, Purpose, Stage};
use crate::{Mlp, Real};

impl<T: Real> JetWorkspace<T> {
    /// Writes or adds `∂/∂θ Σ_rows Σ_o ȳ_o (D_a − D_u D_w) f_o` to `gradient`, laid out as the parameters.
    ///
    /// * `a` is the input coefficient `D_a x − D_u D_w x`, `[rows, inputs]`;
    /// * `u` and `w` are coefficients over the block's tangents, `[rows, t]`:
    ///   the direction u of a row is `Σ_i u_i · tangent_i`.
    ///
    /// ȳ is that of the last [`reverse`](Self::reverse), which must come before. May be called again
    /// with other directions for the same block.
    ///
    /// # Panics
    /// If the workspace was made for less than [`Purpose::Functional`], there was no reverse pass, or a length is wrong.
    pub fn functional_gradient(
        &mut self,
        network: Mlp<'_, T>,
        a: &[T],
        u: &[T],
        w: &[T],
        accumulate: Accumulate,
        gradient: &mut [T],
    ) {
        self.require(Purpose::Functional);
        self.require_network(network.shape());
        assert_eq!(gradient.len(), self.shape.parameter_count(), "gradient length");
        let (rows, directions) = (self.rows, self.directions);
        assert_eq!(a.len(), rows * self.shape.inputs(), "a: rows × inputs");
        assert_eq!(u.len(), rows * directions, "u: rows × directions");
        assert_eq!(w.len(), rows * directions, "w: rows × directions");
        self.require_stage(Stage::Reversed, "reverse");
        self.stage = Stage::Functional;
        if rows == 0 {
            self.clear(accumulate, gradient);
            return;
        }
        self.functional_forward(network, a, u, w);
        self.functional_reverse(network, accumulate, gradient);
    }

    /// `c_z = W c_a`, `c_a ← σ′ c_z − σ″ ż^u ż^w`, layer by layer.
    fn functional_forward(&mut self, network: Mlp<'_, T>, a: &[T], u: &[T], w: &[T]) {
        let (rows, directions) = (self.rows, self.directions);
        let width = self.shape.inputs();
        let channel = rows * width;
        let (tangents, rest) = self.inputs.split_at_mut(directions * channel);
        let (x_u, rest) = rest[channel..].split_at_mut(channel);
        let (x_w, x_c) = rest.split_at_mut(channel);
        combine(x_u, tangents, u, width);
        combine(x_w, tangents, w, width);
        x_c[..channel].copy_from_slice(a);
        let mut c_in = Rows { data: &x_c[..], width, stride: width };
        for (layer, hidden) in self.hidden.iter_mut().enumerate() {
            let HiddenBuffers { width, stride, ref mut z, .. } = *hidden;
            let channel = rows * stride;
            let z = &mut z[..(directions + 1) * channel];
            let c_z = Rows { data: &mut z[directions * channel..], width, stride };
            times_weight_transposed(rows, c_z, c_in, (network, layer));
            let pass = DirectionalPass {
                z,
                u,
                w,
                first: &hidden.first[..channel],
                second: &hidden.second[..channel],
                z_directional: &mut hidden.z_directional[..2 * channel],
                activations: &mut hidden.activations[channel..4 * channel],
                stride,
            };
            pass.run();
            c_in = Rows { data: &hidden.activations[3 * channel..], width, stride };
        }
    }

    /// Adjoints of ż^u, ż^w and z, last layer to first, and the weight gradients.
    fn functional_reverse(&mut self, network: Mlp<'_, T>, accumulate: Accumulate, gradient: &mut [T]) {
        let (rows, directions) = (self.rows, self.directions);
        let last = self.hidden.len();
        // The output layer is linear: only c reaches its weights, and nothing its bias.
        let range = self.shape.layer(last).clone();
        let right = self.right_factors(last);
        let c_a = Rows { data: &right.data[3 * rows * right.stride..], ..right };
        let output_bar = Rows { data: &self.output_bar[..], width: range.outputs, stride: range.outputs };
        outer(rows, &mut gradient[range.weight], accumulate, output_bar, c_a);
        self.clear(accumulate, &mut gradient[range.bias]);

        for layer in (0..last).rev() {
            let HiddenBuffers { width, stride, .. } = self.hidden[layer];
            let channel = rows * stride;
            let above = if layer + 1 == last { 0 } else { 3 * channel };
            if above > 0 {
                let HiddenBuffers { width: outputs, stride: outputs_stride, .. } = self.hidden[layer + 1];
                let bars = Rows { data: &self.bars[..], width: outputs, stride: outputs_stride };
                let out = Rows { data: &mut self.above[..], width, stride };
                times_weight(3 * rows, out, bars, (network, layer + 1), &mut self.lanes);
            }
            let HiddenBuffers { z, first, second, third, delta, z_directional, .. } = &self.hidden[layer];
            let pass = AdjointPass {
                first: &first[..channel],
                second: &second[..channel],
                third: &third[..channel],
                delta: &delta[..channel],
                c_z: &z[directions * channel..(directions + 1) * channel],
                z_directional: &z_directional[..2 * channel],
                above: &self.above[..above],
                bars: &mut self.bars[..4 * channel],
                bias_bar: &mut self.bias_row[..stride],
            };
            pass.run();
            let range = self.shape.layer(layer).clone();
            let left = Rows { data: &self.bars[..], width, stride };
            outer(4 * rows, &mut gradient[range.weight], accumulate, left, self.right_factors(layer));
            self.give_bias_bar(width, accumulate, &mut gradient[range.bias]);
        }
    }
}
