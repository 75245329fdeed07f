//! Before the weight gradient of a directional derivative: the adjoint of a layer's z.

use super::{LANES, each, groups, groups_mut};
use crate::Real;
use crate::vectorised::vectorised;

/// One layer on the way back, each array `[channels, rows, stride]`: `z̄ = β σ′ + δ σ″ c_z`.
pub(in crate::jet) struct DirectionalAdjointPass<'a, T> {
    pub(in crate::jet) first: &'a [T],
    pub(in crate::jet) second: &'a [T],
    pub(in crate::jet) delta: &'a [T],
    pub(in crate::jet) c_z: &'a [T],
    /// β, or empty at the last hidden layer, where it is zero.
    pub(in crate::jet) above: &'a [T],
    /// `[z̄, δσ′]`.
    pub(in crate::jet) bars: &'a mut [T],
    /// Σ over rows of z̄, `[stride]`.
    pub(in crate::jet) bias_bar: &'a mut [T],
}

impl<T: Real> DirectionalAdjointPass<'_, T> {
    pub(in crate::jet) fn run(self) {
        vectorised(
            self,
            #[inline(always)]
            |pass| pass.kernel(),
        );
    }

    #[inline(always)]
    fn kernel(self) {
        let (first, second) = (groups(self.first), groups(self.second));
        let (delta, c_z, above) = (groups(self.delta), groups(self.c_z), groups(self.above));
        let (z_bar, delta_z) = groups_mut(self.bars).split_at_mut(delta.len());
        let bias_bar = groups_mut(self.bias_bar);
        bias_bar.fill([T::ZERO; LANES]);
        for row in 0..delta.len() / bias_bar.len() {
            for column in 0..bias_bar.len() {
                let at = row * bias_bar.len() + column;
                let (first, second, delta, c_z) = (first[at], second[at], delta[at], c_z[at]);
                let mut z = each(|lane| delta[lane] * second[lane] * c_z[lane]);
                if !above.is_empty() {
                    let beta = above[at];
                    z = each(|lane| z[lane] + beta[lane] * first[lane]);
                }
                z_bar[at] = z;
                delta_z[at] = each(|lane| delta[lane] * first[lane]);
                let sum = bias_bar[column];
                bias_bar[column] = each(|lane| sum[lane] + z[lane]);
            }
        }
    }
}
