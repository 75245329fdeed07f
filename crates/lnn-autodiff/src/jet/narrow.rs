//! Products with a layer of few outputs: a Lagrangian has one.
//!
//! They are memory traffic, not arithmetic, and a matrix product library spends more on setting them up.

use super::Accumulate;
use super::elementwise::{LANES, sum_of_lanes};
use super::product::Rows;
use crate::{Real, vectorised};

/// Outputs up to which these loops are used.
pub(super) const NARROW: usize = 4;

/// `out[m, n] = x[m, k] · weight[n, k]ᵀ` for small n.
pub(super) fn times_weight_transposed<T: Real>(m: usize, out: Rows<&mut [T]>, x: Rows<&[T]>, weight: &[T]) {
    vectorised(
        (m, out, x, weight),
        #[inline(always)]
        |(m, out, x, weight)| {
            for row in 0..m {
                let x = &x.data[row * x.stride..][..x.width];
                let out = &mut out.data[row * out.stride..][..out.width];
                for (out, weight) in out.iter_mut().zip(weight.chunks_exact(x.len())) {
                    *out = dot(x, weight);
                }
            }
        },
    );
}

/// `out[m, k] = x[m, n] · weight[n, k]` for small n.
pub(super) fn times_weight<T: Real>(m: usize, out: Rows<&mut [T]>, x: Rows<&[T]>, weight: &[T]) {
    vectorised(
        (m, out, x, weight),
        #[inline(always)]
        |(m, out, x, weight)| {
            for row in 0..m {
                let x = &x.data[row * x.stride..][..x.width];
                let out = &mut out.data[row * out.stride..][..out.width];
                scaled_sum(out, Accumulate::Replace, x.iter().copied().zip(weight.chunks_exact(out.len())));
            }
        },
    );
}

/// `gradient[n, k] (+)= left[m, n]ᵀ · right[m, k]` for small n.
pub(super) fn outer<T: Real>(
    m: usize,
    gradient: &mut [T],
    accumulate: Accumulate,
    left: Rows<&[T]>,
    right: Rows<&[T]>,
) {
    vectorised(
        (m, gradient, accumulate, left, right),
        #[inline(always)]
        |(m, gradient, accumulate, left, right)| {
            for (output, gradient) in gradient.chunks_exact_mut(right.width).enumerate() {
                let row = |row: usize| {
                    (left.data[row * left.stride + output], &right.data[row * right.stride..][..right.width])
                };
                scaled_sum(gradient, accumulate, (0..m).map(row));
            }
        },
    );
}

/// `out (+)= Σ a x` over pairs (a, x).
#[inline(always)]
fn scaled_sum<'a, T: Real>(out: &mut [T], accumulate: Accumulate, terms: impl Iterator<Item = (T, &'a [T])>) {
    let mut fresh = accumulate == Accumulate::Replace;
    for (a, x) in terms {
        if fresh {
            for (out, &x) in out.iter_mut().zip(x) {
                *out = a * x;
            }
        } else {
            for (out, &x) in out.iter_mut().zip(x) {
                *out += a * x;
            }
        }
        fresh = false;
    }
    if fresh {
        out.fill(T::ZERO);
    }
}

/// `Σ x y` in fixed lanes.
#[inline(always)]
fn dot<T: Real>(x: &[T], y: &[T]) -> T {
    let (x_groups, x_rest) = x.as_chunks::<LANES>();
    let (y_groups, y_rest) = y.as_chunks::<LANES>();
    let mut lanes = [T::ZERO; LANES];
    for (x, y) in x_groups.iter().zip(y_groups) {
        for lane in 0..LANES {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    for (lane, (&x, &y)) in x_rest.iter().zip(y_rest).enumerate() {
        lanes[lane] += x * y;
    }
    sum_of_lanes(lanes)
}
