//! The jet engine's elementwise passes, in vector code chosen at run time.
//!
//! A hidden layer's arrays are rows of whole lane groups ([`row_stride`](super::buffer::row_stride)). A pass loads
//! each number once, keeps the group in registers and stores each result once; so a layer costs one pass between
//! two products, while its block is in cache. Sums run in lanes, in an order that no machine changes.

#![allow(clippy::redundant_closure_for_method_calls, reason = "see `vectorised`: a method's name is slower")]

mod contract;
mod directional;
mod directional_adjoint;
mod forward;
mod functional;

pub(super) use contract::contract_pairs;
pub(super) use directional::{DirectionalPass, combine};
pub(super) use directional_adjoint::DirectionalAdjointPass;
pub(super) use forward::ForwardPass;
pub(super) use functional::AdjointPass;

use crate::Real;
use crate::vectorised::vectorised;

/// Numbers in a lane group: one 512-bit register of `f32`, or several narrower ones.
pub(super) const LANES: usize = 16;

pub(super) type Group<T> = [T; LANES];

/// A row-padded array as lane groups.
#[inline(always)]
fn groups<T>(x: &[T]) -> &[Group<T>] {
    let (groups, rest) = x.as_chunks();
    debug_assert!(rest.is_empty(), "rows are whole lane groups");
    groups
}

/// As [`groups`], to be written.
#[inline(always)]
fn groups_mut<T>(x: &mut [T]) -> &mut [Group<T>] {
    let (groups, rest) = x.as_chunks_mut();
    debug_assert!(rest.is_empty(), "rows are whole lane groups");
    groups
}

/// The lane-by-lane result of `f`.
#[inline(always)]
fn each<T: Real>(mut f: impl FnMut(usize) -> T) -> Group<T> {
    let mut result = [T::ZERO; LANES];
    for lane in 0..LANES {
        result[lane] = f(lane);
    }
    result
}

/// `x[r, n] += bias[n]` for rows of any width.
pub(super) fn add_bias<T: Real>(x: &mut [T], bias: &[T]) {
    for row in x.chunks_exact_mut(bias.len()) {
        for (x, &b) in row.iter_mut().zip(bias) {
            *x += b;
        }
    }
}

/// `sum[n] += Σ_r x[r, n]` for rows `stride` apart.
pub(super) fn add_rows<T: Real>(sum: &mut [T], x: &[T], stride: usize) {
    vectorised(
        (sum, x, stride),
        #[inline(always)]
        |(sum, x, stride)| {
            for row in x.chunks_exact(stride) {
                for (s, &x) in sum.iter_mut().zip(row) {
                    *s += x;
                }
            }
        },
    );
}

/// `out = x ⊙ y`.
pub(super) fn multiply<T: Real>(out: &mut [T], x: &[T], y: &[T]) {
    vectorised(
        (out, x, y),
        #[inline(always)]
        |(out, x, y)| {
            // Not by groups: a loop of nothing but group loops is vectorised across groups, with gathers.
            for ((out, &x), &y) in out.iter_mut().zip(x).zip(y) {
                *out = x * y;
            }
        },
    );
}

/// The lanes' sum, halves upon halves.
#[inline(always)]
pub(in crate::jet) fn sum_of_lanes<T: Real>(mut lanes: Group<T>) -> T {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            let other = lanes[lane + half];
            lanes[lane] += other;
        }
        half /= 2;
    }
    lanes[0]
}
