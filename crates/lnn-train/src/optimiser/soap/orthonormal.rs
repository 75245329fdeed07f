//! Orthonormal basis of a square matrix's columns by blocked Householder QR.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::householder::{
    apply_block_householder_sequence_on_the_left_in_place_scratch,
    apply_block_householder_sequence_on_the_left_in_place_with_conj,
    apply_block_householder_transpose_on_the_left_in_place_scratch,
    apply_block_householder_transpose_on_the_left_in_place_with_conj, make_householder_in_place,
    upgrade_householder_factor,
};
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Conj, MatMut, Par};
use lnn_autodiff::Real;

/// Below this dimension one reflection at a time is faster than blocks of them.
const BLOCKED_FROM: usize = 32;
/// Reflections per block; 16 was the fastest of 1, 4, 8, 16, 32 at dimension 64 and 128.
const BLOCK: usize = 16;

/// Workspace for the QR factorisation of one dimension.
pub(super) struct Orthonormaliser<T: Real> {
    dimension: usize,
    block: usize,
    /// Householder factors `[block, dimension]`, column-major.
    factors: Vec<T>,
    memory: MemBuffer,
}

impl<T: Real> std::fmt::Debug for Orthonormaliser<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Orthonormaliser").field("dimension", &self.dimension).finish_non_exhaustive()
    }
}

impl<T: Real> Orthonormaliser<T> {
    pub(super) fn new(dimension: usize) -> Self {
        let block = if dimension < BLOCKED_FROM { 1 } else { BLOCK };
        let scratch = apply_block_householder_sequence_on_the_left_in_place_scratch::<T>(dimension, block, dimension)
            .or(apply_block_householder_transpose_on_the_left_in_place_scratch::<T>(dimension, block, dimension));
        Self { dimension, block, factors: vec![T::ZERO; block * dimension], memory: MemBuffer::new(scratch) }
    }

    /// Write to `basis` the Q of `matrix` = Q R; both `[n, n]` column-major. `matrix` is overwritten.
    ///
    /// Column k of Q belongs to column k of `matrix`, however dependent the columns are. faer's own
    /// factorisation moves on to the next column where one is dependent to within about 16 n ε; the power
    /// iteration works on matrices whose columns are all dominated by the leading eigenvectors, and
    /// there a column that is passed over would shift the rest against their second moments.
    pub(super) fn orthonormalise(&mut self, matrix: &mut [T], basis: &mut [T]) {
        let n = self.dimension;
        let mut matrix = MatMut::from_column_major_slice_mut(matrix, n, n);
        let mut factors = MatMut::from_column_major_slice_mut(&mut self.factors, self.block, n);
        let stack = MemStack::new(&mut self.memory);
        for start in (0..n).step_by(self.block) {
            let width = self.block.min(n - start);
            let (mut panel, mut rest) =
                matrix.rb_mut().subrows_mut(start, n - start).subcols_mut(start, n - start).split_at_col_mut(width);
            let mut factor = factors.rb_mut().submatrix_mut(0, start, width, width);
            for column in 0..width {
                let (reflected, right) = panel.rb_mut().split_at_col_mut(column + 1);
                let mut reflected = reflected.subrows_mut(column, n - start - column);
                let (mut head, tail) = reflected.rb_mut().col_mut(column).split_at_row_mut(1);
                factor[(column, column)] = make_householder_in_place(&mut head[0], tail).tau;
                apply_block_householder_transpose_on_the_left_in_place_with_conj(
                    reflected.rb().subcols(column, 1),
                    factor.rb().submatrix(column, column, 1, 1),
                    Conj::No,
                    right.subrows_mut(column, n - start - column),
                    Par::Seq,
                    stack,
                );
            }
            if width > 1 {
                upgrade_householder_factor(factor.rb_mut(), panel.rb(), width, 1, Par::Seq);
            }
            if rest.ncols() > 0 {
                apply_block_householder_transpose_on_the_left_in_place_with_conj(
                    panel.rb(),
                    factor.rb(),
                    Conj::No,
                    rest.rb_mut(),
                    Par::Seq,
                    stack,
                );
            }
        }
        basis.fill(T::ZERO);
        for diagonal in basis.iter_mut().step_by(n + 1) {
            *diagonal = T::ONE;
        }
        apply_block_householder_sequence_on_the_left_in_place_with_conj(
            matrix.rb(),
            factors.rb(),
            Conj::No,
            MatMut::from_column_major_slice_mut(basis, n, n),
            Par::Seq,
            stack,
        );
    }
}

/// max |QᵀQ − I| of a column-major `[n, n]` matrix.
#[cfg(test)]
pub(super) fn orthogonality_defect<T: Real>(basis: &[T], n: usize) -> f64 {
    let mut defect = 0.0_f64;
    for i in 0..n {
        for j in 0..n {
            let product: f64 = (0..n).map(|k| basis[i * n + k].to_f64() * basis[j * n + k].to_f64()).sum();
            defect = defect.max((product - f64::from(u8::from(i == j))).abs());
        }
    }
    defect
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Q is orthogonal, and QᵀA is upper triangular: column k of Q belongs to column k of A.
    fn check<T: Real>(n: usize, matrix: &[T], norm: f64) {
        let mut work = matrix.to_vec();
        let mut basis = vec![T::from_f64(f64::NAN); n * n];
        Orthonormaliser::new(n).orthonormalise(&mut work, &mut basis);
        let epsilon = T::EPSILON.to_f64();
        let bound = 4.0 * n as f64 * epsilon;
        let defect = orthogonality_defect(&basis, n);
        assert!(defect <= bound, "n = {n}: {defect:e} > {bound:e}");
        for column in 0..n {
            for row in column + 1..n {
                let below: f64 = (0..n).map(|k| basis[row * n + k].to_f64() * matrix[column * n + k].to_f64()).sum();
                assert!(below.abs() <= bound * norm, "n = {n} ({row}, {column}): {below:e}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn dense_and_rank_deficient_matrices(n in 1usize..70, rank in 0usize..70, seed in any::<u64>()) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let rank = rank.min(n);
            let left: Vec<f64> = (0..n * rank).map(|_| rng.random_range(-1.0..1.0)).collect();
            let right: Vec<f64> = (0..n * rank).map(|_| rng.random_range(-1.0..1.0)).collect();
            let matrix: Vec<f64> = (0..n * n)
                .map(|at| (0..rank).map(|k| left[k * n + at % n] * right[k * n + at / n]).sum())
                .collect();
            let norm = matrix.iter().map(|x| x * x).sum::<f64>().sqrt();
            check(n, &matrix, norm);
            let single: Vec<f32> = matrix.iter().map(|&x| x as f32).collect();
            check(n, &single, norm);
        }
    }

    #[test]
    fn a_nearly_dependent_column_keeps_its_place() {
        // Column 1 differs from column 0 by 1e-5, column 2 is independent. Passing over column 1 would
        // give its place in Q to column 2.
        let n = 3;
        let matrix: [f32; 9] = [1.0, 0.0, 0.0, 1.0, 1e-5, 0.0, 1.0, 0.0, 1.0];
        let mut work = matrix;
        let mut basis = [0.0; 9];
        Orthonormaliser::new(n).orthonormalise(&mut work, &mut basis);
        assert!((basis[n + 1].abs() - 1.0).abs() < 8.0 * f32::EPSILON, "{basis:?}");
        assert!((basis[2 * n + 2].abs() - 1.0).abs() < 8.0 * f32::EPSILON, "{basis:?}");
    }
}
