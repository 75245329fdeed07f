//! The three layer products, single-threaded, on row-major slices.

use std::ops::Range;

use faer::linalg::matmul::matmul;
use faer::prelude::ReborrowMut;
use faer::{Accum, MatMut, MatRef, Par};

use super::Accumulate;
use super::narrow::{self, NARROW};
use crate::{Mlp, Real};

/// Depths of a weight gradient's product that faer 0.24 computes 6 % slower than in parts of [`DEPTH`]: its panels then
/// overflow the first-level cache. Measured at widths of 500, in `f32`; at widths of 64 there is no difference.
const SLOW_DEPTHS: Range<usize> = 129..352;
/// Depth of a part.
const DEPTH: usize = 128;

/// Rows of a matrix in a slice: `width` numbers every `stride`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows<S> {
    pub(super) data: S,
    pub(super) width: usize,
    pub(super) stride: usize,
}

impl<T> Rows<&mut [T]> {
    pub(super) fn reborrow(&mut self) -> Rows<&mut [T]> {
        Rows { data: self.data, width: self.width, stride: self.stride }
    }
}

/// The first `rows` rows as a faer matrix `[rows, width]`.
fn matrix<'a, T: Real>(rows: usize, x: Rows<&'a [T]>) -> MatRef<'a, T> {
    MatRef::from_column_major_slice_with_stride(&x.data[..rows * x.stride], x.width, rows, x.stride).transpose()
}

fn matrix_mut<'a, T: Real>(rows: usize, x: Rows<&'a mut [T]>) -> MatMut<'a, T> {
    let data = &mut x.data[..rows * x.stride];
    MatMut::from_column_major_slice_with_stride_mut(data, x.width, rows, x.stride).transpose_mut()
}

/// `out[m, n] = x[m, k] · weight[n, k]ᵀ` with a layer's weight.
pub(super) fn times_weight_transposed<T: Real>(
    m: usize,
    out: Rows<&mut [T]>,
    x: Rows<&[T]>,
    (network, layer): (Mlp<'_, T>, usize),
) {
    let weight = network.weight(layer);
    if out.width <= NARROW {
        return narrow::times_weight_transposed(m, out, x, weight);
    }
    if let Some(packed) = network.packed.filter(|packed| packed.serves(layer)) {
        return packed.times_weight_transposed(layer, m, out, x);
    }
    let weight = MatRef::from_column_major_slice(weight, x.width, out.width);
    matmul(matrix_mut(m, out), Accum::Replace, matrix(m, x), weight, T::ONE, Par::Seq);
}

/// `out[m, k] = x[m, n] · weight[n, k]` with a layer's weight; `lanes` is scratch, 16 numbers for each input.
pub(super) fn times_weight<T: Real>(
    m: usize,
    out: Rows<&mut [T]>,
    x: Rows<&[T]>,
    (network, layer): (Mlp<'_, T>, usize),
    lanes: &mut [T],
) {
    let weight = network.weight(layer);
    if x.width <= NARROW {
        return narrow::times_weight(m, out, x, weight);
    }
    if let Some(packed) = network.packed.filter(|packed| packed.serves(layer)) {
        return packed.times_weight(layer, m, out, x, lanes);
    }
    let weight = MatRef::from_row_major_slice(weight, x.width, out.width);
    matmul(matrix_mut(m, out), Accum::Replace, matrix(m, x), weight, T::ONE, Par::Seq);
}

/// `gradient[n, k] (+)= left[m, n]ᵀ · right[m, k]`.
pub(super) fn outer<T: Real>(
    m: usize,
    gradient: &mut [T],
    accumulate: Accumulate,
    left: Rows<&[T]>,
    right: Rows<&[T]>,
) {
    if left.width <= NARROW {
        return narrow::outer(m, gradient, accumulate, left, right);
    }
    let mut accumulate = match accumulate {
        Accumulate::Replace => Accum::Replace,
        Accumulate::Add => Accum::Add,
    };
    let mut gradient = MatMut::from_row_major_slice_mut(gradient, left.width, right.width);
    let (left, right) = (matrix(m, left).transpose(), matrix(m, right));
    let depth = if SLOW_DEPTHS.contains(&m) { DEPTH } else { m.max(1) };
    for start in (0..m).step_by(depth) {
        let depth = depth.min(m - start);
        let (left, right) = (left.subcols(start, depth), right.subrows(start, depth));
        matmul(gradient.rb_mut(), accumulate, left, right, T::ONE, Par::Seq);
        accumulate = Accum::Add;
    }
}
