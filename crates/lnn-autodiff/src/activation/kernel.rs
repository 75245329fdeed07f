//! Activation derivatives over slices, in vector code chosen at run time.

use super::Activation;
use super::formula::{Formula, Gelu, Relu, Relu2, Relu3, Sigmoid, Silu, Softplus, Tanh};
use crate::Real;
use crate::vectorised::vectorised;

/// Evaluates `[σ, σ′, σ″, σ‴]` at `z`, elementwise; an empty output slice is not computed.
///
/// # Panics
/// If an output slice is neither empty nor as long as `z`.
pub fn evaluate<T: Real>(
    activation: Activation,
    z: &[T],
    sigma: &mut [T],
    first: &mut [T],
    second: &mut [T],
    third: &mut [T],
) {
    for output in [&*sigma, &*first, &*second, &*third] {
        assert!(
            output.is_empty() || output.len() == z.len(),
            "an output has {} places for {} values",
            output.len(),
            z.len()
        );
    }
    match activation {
        Activation::Softplus => dispatch::<Softplus, T>(z, sigma, first, second, third),
        Activation::Tanh => dispatch::<Tanh, T>(z, sigma, first, second, third),
        Activation::Sigmoid => dispatch::<Sigmoid, T>(z, sigma, first, second, third),
        Activation::Gelu => dispatch::<Gelu, T>(z, sigma, first, second, third),
        Activation::Silu => dispatch::<Silu, T>(z, sigma, first, second, third),
        Activation::Relu2 => dispatch::<Relu2, T>(z, sigma, first, second, third),
        Activation::Relu3 => dispatch::<Relu3, T>(z, sigma, first, second, third),
        Activation::Relu => dispatch::<Relu, T>(z, sigma, first, second, third),
    }
}

/// Values a chunk: results go through arrays of this length on the stack, so that the compiler need not
/// fear that four outputs overlap, and vectorises.
const CHUNK: usize = 64;

/// Picks the loop for the highest derivative asked for: what is not asked for is not computed.
fn dispatch<F: Formula, T: Real>(z: &[T], sigma: &mut [T], first: &mut [T], second: &mut [T], third: &mut [T]) {
    let outputs = [sigma, first, second, third];
    match outputs.iter().rposition(|output| !output.is_empty()) {
        None => {}
        Some(0) => vectorised(
            (z, outputs),
            #[inline(always)]
            |(z, outputs)| run::<F, T, 1>(z, outputs),
        ),
        Some(1) => vectorised(
            (z, outputs),
            #[inline(always)]
            |(z, outputs)| run::<F, T, 2>(z, outputs),
        ),
        Some(2) => vectorised(
            (z, outputs),
            #[inline(always)]
            |(z, outputs)| run::<F, T, 3>(z, outputs),
        ),
        Some(_) => vectorised(
            (z, outputs),
            #[inline(always)]
            |(z, outputs)| run::<F, T, 4>(z, outputs),
        ),
    }
}

/// The first `ORDERS` derivatives, counting σ itself.
#[inline(always)]
fn run<F: Formula, T: Real, const ORDERS: usize>(z: &[T], mut outputs: [&mut [T]; 4]) {
    let mut values = [T::ZERO; CHUNK];
    let mut results = [[T::ZERO; CHUNK]; ORDERS];
    for (chunk, z) in z.chunks(CHUNK).enumerate() {
        values[..z.len()].copy_from_slice(z);
        for i in 0..CHUNK {
            let derivatives = F::derivatives(values[i]);
            for order in 0..ORDERS {
                results[order][i] = derivatives[order];
            }
        }
        let start = chunk * CHUNK;
        for (output, result) in outputs.iter_mut().zip(&results) {
            if !output.is_empty() {
                output[start..start + z.len()].copy_from_slice(&result[..z.len()]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_equal_single_points_at_every_length_and_order() {
        for activation in Activation::ALL {
            for n in [0, 1, 7, 16, 33] {
                let z: Vec<f64> = (0..n).map(|i| f64::from(i) * 0.7 - 5.0).collect();
                for order in 0..4 {
                    let mut out = vec![vec![f64::NAN; z.len()]; 4];
                    for unused in out.iter_mut().skip(order + 1) {
                        unused.clear();
                    }
                    let [a, b, c, d] = &mut out[..] else { unreachable!() };
                    evaluate(activation, &z, a, b, c, d);
                    for (i, &z) in z.iter().enumerate() {
                        let want = activation.derivatives(z);
                        for k in 0..=order {
                            assert_eq!(out[k][i].to_bits(), want[k].to_bits(), "{activation} {z} order {k}");
                        }
                    }
                }
            }
        }
    }
}
