//! After the forward product: bias, activation, its derivatives, tangents.

use super::{LANES, each, groups, groups_mut};
use crate::Real;
use crate::activation::{Formula, WithFormula};
use crate::vectorised::vectorised;

/// From `[ż…, z]` of a layer to its outputs and what later passes need, each `[channels, rows, stride]`.
///
/// `a = σ(z + b)`, `ȧ = σ′ ż`. An empty slice is not written.
pub(in crate::jet) struct ForwardPass<'a, T> {
    /// `[ż…, z]`, z still without bias.
    pub(in crate::jet) z: &'a [T],
    /// `[stride]`.
    pub(in crate::jet) bias: &'a [T],
    /// `[ȧ…, a]`: the next product's input.
    pub(in crate::jet) carried: &'a mut [T],
    /// a once more, for the weight gradient.
    pub(in crate::jet) value: &'a mut [T],
    pub(in crate::jet) first: &'a mut [T],
    pub(in crate::jet) second: &'a mut [T],
    pub(in crate::jet) third: &'a mut [T],
    /// Numbers a channel.
    pub(in crate::jet) channel: usize,
    /// Whether a itself is wanted; else it is not written anywhere.
    pub(in crate::jet) with_value: bool,
}

impl<T: Real> WithFormula for ForwardPass<'_, T> {
    type Output = ();

    /// With the fewest derivatives that give what is asked for.
    fn run<F: Formula>(self) {
        let has_tangents = self.z.len() > self.channel;
        let orders = match (&self.first, &self.second, &self.third) {
            (_, _, third) if !third.is_empty() => 4,
            (_, second, _) if !second.is_empty() => 3,
            (first, _, _) if has_tangents || !first.is_empty() => 2,
            _ => 1,
        };
        macro_rules! with_orders {
            ($($orders:literal)*) => {
                match (orders, self.with_value) {
                    $(($orders, true) => vectorised(self, #[inline(always)] |pass| pass.kernel::<F, $orders, true>()),
                    ($orders, false) => vectorised(self, #[inline(always)] |pass| pass.kernel::<F, $orders, false>()),)*
                    _ => unreachable!("1 to 4 derivatives, not {orders}"),
                }
            };
        }
        with_orders!(1 2 3 4);
    }
}

impl<T: Real> ForwardPass<'_, T> {
    #[inline(always)]
    fn kernel<F: Formula, const ORDERS: usize, const VALUE: bool>(self) {
        let channel = self.channel / LANES;
        let directions = self.z.len() / self.channel - 1;
        let (z_tan, z) = groups(self.z).split_at(directions * channel);
        let bias = groups(self.bias);
        let (carried_tan, carried) = groups_mut(self.carried).split_at_mut(directions * channel);
        let kept = [groups_mut(self.value), groups_mut(self.first), groups_mut(self.second), groups_mut(self.third)];
        for (row, z) in z.chunks_exact(bias.len()).enumerate() {
            let start = row * bias.len();
            for (column, (z, bias)) in z.iter().zip(bias).enumerate() {
                let at = start + column;
                let mut results = [[T::ZERO; LANES]; ORDERS];
                for lane in 0..LANES {
                    let derivatives = F::derivatives(z[lane] + bias[lane]);
                    for order in usize::from(!VALUE)..ORDERS {
                        results[order][lane] = derivatives[order];
                    }
                }
                if VALUE {
                    carried[at] = results[0];
                }
                for order in usize::from(!VALUE)..ORDERS {
                    if !kept[order].is_empty() {
                        kept[order][at] = results[order];
                    }
                }
                if ORDERS > 1 {
                    let slope = results[1];
                    for direction in 0..directions {
                        let z_tan = z_tan[direction * channel + at];
                        carried_tan[direction * channel + at] = each(|lane| slope[lane] * z_tan[lane]);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Activation;
    use crate::activation::with_formula;

    /// Every derivative that is asked for, at every order, is that of a single point, bit for bit.
    fn equals_single_points<T: Real>() {
        let (rows, stride, directions) = (3, 2 * LANES, 2);
        let channel = rows * stride;
        let z: Vec<T> = (0..3 * channel).map(|i| T::from_f64(f64::from(i as u32) * 0.097 - 14.0)).collect();
        let bias: Vec<T> = (0..stride).map(|i| T::from_f64(0.3 - 0.02 * i as f64)).collect();
        for activation in Activation::ALL {
            for order in 0..4 {
                let mut out = vec![vec![T::from_f64(f64::NAN); channel]; 4];
                for unused in out.iter_mut().skip(order + 1) {
                    unused.clear();
                }
                let mut carried = vec![T::from_f64(f64::NAN); 3 * channel];
                let [value, first, second, third] = &mut out[..] else { unreachable!() };
                with_formula(
                    activation,
                    ForwardPass {
                        z: &z,
                        bias: &bias,
                        carried: &mut carried,
                        value,
                        first,
                        second,
                        third,
                        channel,
                        with_value: true,
                    },
                );
                for i in 0..channel {
                    let want = activation.derivatives(z[directions * channel + i] + bias[i % stride]);
                    for (k, got) in out.iter().enumerate().take(order + 1) {
                        assert_eq!(got[i], want[k], "{activation} order {k} at {i}");
                    }
                    assert_eq!(carried[directions * channel + i], want[0], "{activation}");
                    for direction in 0..directions {
                        let at = direction * channel + i;
                        assert_eq!(carried[at], want[1] * z[at], "{activation}");
                    }
                }
            }
        }
    }

    #[test]
    fn vector_code_equals_single_points_in_both_precisions() {
        equals_single_points::<f32>();
        equals_single_points::<f64>();
    }
}
