//! The three layer products, single-threaded, on row-major slices.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

use crate::Real;

/// `out[m, n] = x[m, k] · weight[n, k]ᵀ`.
pub(super) fn times_weight_transposed<T: Real>(out: &mut [T], x: &[T], weight: &[T], [m, k, n]: [usize; 3]) {
    matmul(
        MatMut::from_row_major_slice_mut(out, m, n),
        Accum::Replace,
        MatRef::from_row_major_slice(x, m, k),
        MatRef::from_column_major_slice(weight, k, n),
        T::ONE,
        Par::Seq,
    );
}

/// `out[m, k] = x[m, n] · weight[n, k]`.
pub(super) fn times_weight<T: Real>(out: &mut [T], x: &[T], weight: &[T], [m, n, k]: [usize; 3]) {
    matmul(
        MatMut::from_row_major_slice_mut(out, m, k),
        Accum::Replace,
        MatRef::from_row_major_slice(x, m, n),
        MatRef::from_row_major_slice(weight, n, k),
        T::ONE,
        Par::Seq,
    );
}

/// `gradient[n, k] += left[m, n]ᵀ · right[m, k]`.
pub(super) fn add_outer<T: Real>(gradient: &mut [T], left: &[T], right: &[T], [m, n, k]: [usize; 3]) {
    matmul(
        MatMut::from_row_major_slice_mut(gradient, n, k),
        Accum::Add,
        MatRef::from_column_major_slice(left, n, m),
        MatRef::from_row_major_slice(right, m, k),
        T::ONE,
        Par::Seq,
    );
}
