//! `x = H⁺ b`, and the projection onto the null space.

use super::{MAX_DIMENSION, SymmetricFactors};
use crate::Real;

impl<T: Real> SymmetricFactors<T> {
    /// `x = H⁺ b` for matrix `index`; both `[d]`.
    pub fn solve(&self, index: usize, b: &[T], x: &mut [T]) {
        self.apply(index, b, x, |inverse| inverse);
    }

    /// `x = P b` with `P = I − H H⁺`, the orthogonal projection onto the null space of matrix `index`.
    pub fn project_onto_null_space(&self, index: usize, b: &[T], x: &mut [T]) {
        self.apply(index, b, x, |inverse| if inverse == T::ZERO { T::ONE } else { T::ZERO });
    }

    /// `x = V f(Λ⁺) Vᵀ b`.
    fn apply(&self, index: usize, b: &[T], x: &mut [T], f: impl Fn(T) -> T) {
        self.require(index);
        match self.dimension {
            1 => self.apply_in(1, index, b, x, f),
            2 => self.apply_in(2, index, b, x, f),
            3 => self.apply_in(3, index, b, x, f),
            4 => self.apply_in(4, index, b, x, f),
            d => self.apply_in(d, index, b, x, f),
        }
    }

    #[inline(always)]
    fn apply_in(&self, d: usize, index: usize, b: &[T], x: &mut [T], f: impl Fn(T) -> T) {
        let (b, x) = (&b[..d], &mut x[..d]);
        let vectors = &self.vectors[index * d * d..(index + 1) * d * d];
        let inverses = &self.inverses[index * d..(index + 1) * d];
        // Along rows of V, which lie in memory as the loops run.
        let mut scaled = [T::ZERO; MAX_DIMENSION];
        let scaled = &mut scaled[..d];
        for (row, &b) in vectors.chunks_exact(d).zip(b) {
            for (projection, &v) in scaled.iter_mut().zip(row) {
                *projection += v * b;
            }
        }
        for (scaled, &inverse) in scaled.iter_mut().zip(inverses) {
            *scaled *= f(inverse);
        }
        for (x, row) in x.iter_mut().zip(vectors.chunks_exact(d)) {
            *x = T::ZERO;
            for (&scaled, &v) in scaled.iter().zip(row) {
                *x += scaled * v;
            }
        }
    }
}
