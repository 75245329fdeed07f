//! Before the weight gradient: the adjoints of a layer's ż^u, ż^w and z.

use super::{LANES, each, groups, groups_mut};
use crate::Real;
use crate::vectorised::vectorised;

/// One layer of the functional's way back, each array `[channels, rows, stride]`. To what came from the layer above
/// it adds this layer's terms:
///
/// `z̄ = β σ′ + α^u σ″ ż^u + α^w σ″ ż^w + δ (σ″ c_z − σ‴ ż^u ż^w)`,
/// `ż̄^u = α^u σ′ − δ σ″ ż^w`, `ż̄^w = α^w σ′ − δ σ″ ż^u`.
pub(in crate::jet) struct AdjointPass<'a, T> {
    pub(in crate::jet) first: &'a [T],
    pub(in crate::jet) second: &'a [T],
    pub(in crate::jet) third: &'a [T],
    pub(in crate::jet) delta: &'a [T],
    pub(in crate::jet) c_z: &'a [T],
    /// `[ż^u, ż^w]`.
    pub(in crate::jet) z_directional: &'a [T],
    /// `[β, α^u, α^w]`, or empty at the last hidden layer, where all three are zero.
    pub(in crate::jet) above: &'a [T],
    /// `[z̄, ż̄^u, ż̄^w, δσ′]`.
    pub(in crate::jet) bars: &'a mut [T],
    /// Σ over rows of z̄, `[stride]`.
    pub(in crate::jet) bias_bar: &'a mut [T],
}

impl<T: Real> AdjointPass<'_, T> {
    pub(in crate::jet) fn run(self) {
        if self.above.is_empty() {
            vectorised(
                self,
                #[inline(always)]
                |pass| pass.kernel::<false>(),
            );
        } else {
            vectorised(
                self,
                #[inline(always)]
                |pass| pass.kernel::<true>(),
            );
        }
    }

    #[inline(always)]
    fn kernel<const ABOVE: bool>(self) {
        let (first, second, third) = (groups(self.first), groups(self.second), groups(self.third));
        let (delta, c_z) = (groups(self.delta), groups(self.c_z));
        let channel = delta.len();
        let (z_u, z_w) = groups(self.z_directional).split_at(channel);
        let above = groups(self.above);
        let (beta, above) = above.split_at(if ABOVE { channel } else { 0 });
        let (alpha_u, alpha_w) = above.split_at(if ABOVE { channel } else { 0 });
        let (z_bar, bars) = groups_mut(self.bars).split_at_mut(channel);
        let (u_bar, bars) = bars.split_at_mut(channel);
        let (w_bar, delta_z) = bars.split_at_mut(channel);
        let bias_bar = groups_mut(self.bias_bar);
        bias_bar.fill([T::ZERO; LANES]);
        for row in 0..channel / bias_bar.len() {
            for column in 0..bias_bar.len() {
                let at = row * bias_bar.len() + column;
                let (first, second, third) = (first[at], second[at], third[at]);
                let (delta, c_z, z_u, z_w) = (delta[at], c_z[at], z_u[at], z_w[at]);
                let curvature = each(|lane| delta[lane] * second[lane]);
                let mut z =
                    each(|lane| curvature[lane] * c_z[lane] - delta[lane] * third[lane] * (z_u[lane] * z_w[lane]));
                let mut u = each(|lane| -curvature[lane] * z_w[lane]);
                let mut w = each(|lane| -curvature[lane] * z_u[lane]);
                if ABOVE {
                    let (beta, alpha_u, alpha_w) = (beta[at], alpha_u[at], alpha_w[at]);
                    z = each(|lane| {
                        let bent = second[lane] * (alpha_u[lane] * z_u[lane] + alpha_w[lane] * z_w[lane]);
                        z[lane] + (beta[lane] * first[lane] + bent)
                    });
                    u = each(|lane| u[lane] + alpha_u[lane] * first[lane]);
                    w = each(|lane| w[lane] + alpha_w[lane] * first[lane]);
                }
                (z_bar[at], u_bar[at], w_bar[at]) = (z, u, w);
                delta_z[at] = each(|lane| delta[lane] * first[lane]);
                let sum = bias_bar[column];
                bias_bar[column] = each(|lane| sum[lane] + z[lane]);
            }
        }
    }
}
