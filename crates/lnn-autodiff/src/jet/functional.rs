//! The parameter gradient of Σ_o ȳ_o (D_a − D_u D_w) f_o, for u and w in the span of the tangents.
//!
//! The single coefficient `c = D_a − D_u D_w` travels forward in one product a layer; three adjoints
//! (of ż^u, ż^w and z) travel back, the adjoint of c being the δ that is already there; four outer
//! products a layer, stacked into one, give the weight gradient.

use super::elementwise::{self, AdjointTerms};
use super::product::{add_outer, times_weight, times_weight_transposed};
use super::workspace::{HiddenBuffers, JetWorkspace, Purpose};
use crate::{Mlp, Real};

impl<T: Real> JetWorkspace<T> {
    /// Adds `∂/∂θ Σ_rows Σ_o ȳ_o (D_a − D_u D_w) f_o` to `gradient`, laid out as the parameters.
    ///
    /// * `a` is the input coefficient `D_a x − D_u D_w x`, `[rows, inputs]`;
    /// * `u` and `w` are coefficients over the block's tangents, `[rows, t]`:
    ///   the direction u of a row is `Σ_i u_i · tangent_i`.
    ///
    /// ȳ is that of the last [`reverse`](Self::reverse), which must come before. May be called again
    /// with other directions for the same block.
    ///
    /// # Panics
    /// If the workspace was made for less than [`Purpose::Functional`], or a length is wrong.
    pub fn functional_gradient(&mut self, network: Mlp<'_, T>, a: &[T], u: &[T], w: &[T], gradient: &mut [T]) {
        self.require(Purpose::Functional);
        self.require_network(network.shape());
        assert_eq!(gradient.len(), self.shape.parameter_count(), "gradient length");
        self.functional_forward(network, a, u, w);
        self.functional_reverse(network, gradient);
    }

    /// `c_z = W c_a`, `c_a ← σ′ c_z − σ″ ż^u ż^w`, layer by layer.
    fn functional_forward(&mut self, network: Mlp<'_, T>, a: &[T], u: &[T], w: &[T]) {
        let (rows, directions) = (self.rows, self.directions);
        assert_eq!(a.len(), rows * self.shape.inputs(), "a: rows × inputs");
        assert_eq!(u.len(), rows * directions, "u: rows × directions");
        assert_eq!(w.len(), rows * directions, "w: rows × directions");
        let width = self.shape.inputs();
        let channel = rows * width;
        let (tangents, rest) = self.stacks[0].split_at_mut(directions * channel);
        let (x_u, rest) = rest[channel..].split_at_mut(channel);
        let (x_w, rest) = rest.split_at_mut(channel);
        elementwise::combine(x_u, tangents, u, width);
        elementwise::combine(x_w, tangents, w, width);
        rest[..channel].copy_from_slice(a);

        for layer in 0..self.hidden.len() {
            let (inputs, width) = self.widths(layer);
            let channel = rows * width;
            let (before, after) = self.stacks.split_at_mut(layer + 1);
            let c_start = (directions + 3) * rows * inputs;
            let c_in = &before[layer][c_start..c_start + rows * inputs];
            let HiddenBuffers { z, first, second, c_z, z_u, z_w, .. } = &mut self.hidden[layer];
            let (c_z, z_u, z_w) = (&mut c_z[..channel], &mut z_u[..channel], &mut z_w[..channel]);
            times_weight_transposed(c_z, c_in, network.weight(layer), [rows, inputs, width]);
            let z_tangents = &z[..directions * channel];
            elementwise::combine(z_u, z_tangents, u, width);
            elementwise::combine(z_w, z_tangents, w, width);
            let adjoint_stack = &mut after[0][(directions + 1) * channel..(directions + 4) * channel];
            let (a_u, rest) = adjoint_stack.split_at_mut(channel);
            let (a_w, c_a) = rest.split_at_mut(channel);
            let (first, second) = (&first[..channel], &second[..channel]);
            elementwise::multiply(a_u, z_u, first);
            elementwise::multiply(a_w, z_w, first);
            elementwise::functional_forward(c_a, c_z, z_u, z_w, first, second);
        }
    }

    /// Adjoints of ż^u, ż^w and z, last layer to first, and the weight gradients.
    fn functional_reverse(&mut self, network: Mlp<'_, T>, gradient: &mut [T]) {
        let (rows, directions) = (self.rows, self.directions);
        let last = self.hidden.len();
        // The output layer is linear: only c reaches its weights, and no bias.
        let (inputs, outputs) = self.widths(last);
        let c_start = (directions + 3) * rows * inputs;
        let c_a = &self.stacks[last][c_start..c_start + rows * inputs];
        let output_bar = &self.output_bar[..rows * outputs];
        let range = self.shape.layer(last).weight.clone();
        add_outer(&mut gradient[range], output_bar, c_a, [rows, outputs, inputs]);

        for layer in (0..last).rev() {
            let (inputs, width) = self.widths(layer);
            let channel = rows * width;
            let (here, above_layer) = self.hidden.split_at_mut(layer + 1);
            let above = match above_layer.first() {
                None => &[],
                Some(hidden) => {
                    let outputs = self.shape.layer(layer + 1).outputs;
                    let above = &mut self.above[..3 * channel];
                    let bars = &hidden.bars[..3 * rows * outputs];
                    times_weight(above, bars, network.weight(layer + 1), [3 * rows, outputs, width]);
                    &*above
                }
            };
            let HiddenBuffers { first, second, third, delta, bars, c_z, z_u, z_w, .. } = &mut here[layer];
            let terms = AdjointTerms {
                first: &first[..channel],
                second: &second[..channel],
                third: &third[..channel],
                delta: &delta[..channel],
                c_z: &c_z[..channel],
                z_u: &z_u[..channel],
                z_w: &z_w[..channel],
            };
            elementwise::functional_reverse(&mut bars[..3 * channel], above, terms);
            let value = directions * rows * inputs;
            let right = &self.stacks[layer][value..value + 4 * rows * inputs];
            let range = self.shape.layer(layer);
            let left = &bars[..4 * channel];
            add_outer(&mut gradient[range.weight.clone()], left, right, [4 * rows, width, inputs]);
            elementwise::add_rows(&mut gradient[range.bias.clone()], &bars[..channel]);
        }
    }
}
