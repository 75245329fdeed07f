//! After the product of the functional's coefficient c: directions u and w, and c through the activation.

use super::{LANES, each, groups, groups_mut};
use crate::Real;
use crate::vectorised::vectorised;

/// One layer of the functional's way forward, each array `[channels, rows, stride]`:
///
/// `ż^u = Σ_i u_i ż^i`, `ż^w = Σ_i w_i ż^i`, `ȧ^u = σ′ ż^u`, `ȧ^w = σ′ ż^w`, `c_a = σ′ c_z − σ″ ż^u ż^w`.
pub(in crate::jet) struct DirectionalPass<'a, T> {
    /// `[ż…, c_z]`.
    pub(in crate::jet) z: &'a [T],
    /// Coefficients `[rows, t]`.
    pub(in crate::jet) u: &'a [T],
    pub(in crate::jet) w: &'a [T],
    pub(in crate::jet) first: &'a [T],
    pub(in crate::jet) second: &'a [T],
    /// `[ż^u, ż^w]`.
    pub(in crate::jet) z_directional: &'a mut [T],
    /// `[ȧ^u, ȧ^w, c_a]`.
    pub(in crate::jet) activations: &'a mut [T],
    /// Numbers a row.
    pub(in crate::jet) stride: usize,
}

impl<T: Real> DirectionalPass<'_, T> {
    pub(in crate::jet) fn run(self) {
        vectorised(
            self,
            #[inline(always)]
            |pass| pass.kernel(),
        );
    }

    #[inline(always)]
    fn kernel(self) {
        let (first, second, z) = (groups(self.first), groups(self.second), groups(self.z));
        let channel = first.len();
        let columns = self.stride / LANES;
        let directions = z.len() / channel - 1;
        let (z_tan, c_z) = z.split_at(directions * channel);
        let (z_u, z_w) = groups_mut(self.z_directional).split_at_mut(channel);
        let (a_u, rest) = groups_mut(self.activations).split_at_mut(channel);
        let (a_w, c_a) = rest.split_at_mut(channel);
        for row in 0..channel / columns {
            let u = &self.u[row * directions..(row + 1) * directions];
            let w = &self.w[row * directions..(row + 1) * directions];
            for at in row * columns..(row + 1) * columns {
                let (mut along_u, mut along_w) = ([T::ZERO; LANES], [T::ZERO; LANES]);
                for (direction, (&u, &w)) in u.iter().zip(w).enumerate() {
                    let z_tan = z_tan[direction * channel + at];
                    along_u = each(|lane| along_u[lane] + u * z_tan[lane]);
                    along_w = each(|lane| along_w[lane] + w * z_tan[lane]);
                }
                let (first, second, c_z) = (first[at], second[at], c_z[at]);
                (z_u[at], z_w[at]) = (along_u, along_w);
                a_u[at] = each(|lane| first[lane] * along_u[lane]);
                a_w[at] = each(|lane| first[lane] * along_w[lane]);
                c_a[at] = each(|lane| first[lane] * c_z[lane] - second[lane] * (along_u[lane] * along_w[lane]));
            }
        }
    }
}

/// `out[r, n] = Σ_i coefficient[r, i] · tangents[i, r, n]`, for the network's inputs, whose rows are not padded.
pub(in crate::jet) fn combine<T: Real>(out: &mut [T], tangents: &[T], coefficients: &[T], width: usize) {
    let channel = out.len();
    out.fill(T::ZERO);
    let count = tangents.len().checked_div(channel).unwrap_or(0);
    for (row, out) in out.chunks_exact_mut(width).enumerate() {
        for i in 0..count {
            let coefficient = coefficients[row * count + i];
            let start = i * channel + row * width;
            for (out, &x) in out.iter_mut().zip(&tangents[start..start + width]) {
                *out += coefficient * x;
            }
        }
    }
}
