//! One side of a weight's preconditioner: the factor average and its slowly turning eigenbasis.

use faer::diag::DiagMut;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use lnn_autodiff::Real;

use super::super::adam::{flush, smallest_normal};
use super::orthonormal::Orthonormaliser;

/// Factor average S `[n, n]` and basis Q `[n, n]` of one side, with workspace.
#[derive(Debug)]
pub(super) struct Basis<T: Real> {
    dimension: usize,
    /// S; symmetric up to round-off.
    pub(super) factor: Vec<T>,
    /// Q, column-major: one approximate eigenvector of S after another, by falling eigenvalue.
    pub(super) vectors: Vec<T>,
    product: Vec<T>,
    estimates: Vec<f64>,
    order: Vec<usize>,
    orthonormaliser: Orthonormaliser<T>,
}

impl<T: Real> Basis<T> {
    pub(super) fn new(dimension: usize) -> Self {
        let square = dimension * dimension;
        Self {
            dimension,
            factor: vec![T::ZERO; square],
            vectors: vec![T::ZERO; square],
            product: vec![T::ZERO; square],
            estimates: vec![0.0; dimension],
            order: vec![0; dimension],
            orthonormaliser: Orthonormaliser::new(dimension),
        }
    }

    /// Q as a matrix, eigenvectors as columns.
    pub(super) fn vectors(&self) -> MatRef<'_, T> {
        MatRef::from_column_major_slice(&self.vectors, self.dimension, self.dimension)
    }

    /// S ← s S + (1 − s) G Gᵀ for G `[n, any]`.
    ///
    /// The full product: faer's triangular one was not faster at n = 64 and 10 % faster at n = 128.
    pub(super) fn average(&mut self, gradient: MatRef<'_, T>, shampoo_beta: f64) {
        let keep = T::from_f64(shampoo_beta);
        let smallest_normal = smallest_normal();
        for entry in &mut self.factor {
            *entry = flush(keep * *entry, smallest_normal);
        }
        matmul(
            MatMut::from_column_major_slice_mut(&mut self.factor, self.dimension, self.dimension),
            Accum::Add,
            gradient,
            gradient.transpose(),
            T::from_f64(1.0 - shampoo_beta),
            Par::Seq,
        );
    }

    /// Set Q to the eigenvectors of S by falling eigenvalue.
    ///
    /// # Errors
    /// The dimension, if the eigendecomposition does not converge.
    pub(super) fn decompose(&mut self) -> Result<(), usize> {
        let n = self.dimension;
        let mut eigenvalues = vec![T::ZERO; n];
        let mut memory =
            MemBuffer::new(self_adjoint_evd_scratch::<T>(n, ComputeEigenvectors::Yes, Par::Seq, Default::default()));
        self_adjoint_evd(
            MatRef::from_column_major_slice(&self.factor, n, n),
            DiagMut::from_slice_mut(&mut eigenvalues),
            Some(MatMut::from_column_major_slice_mut(&mut self.product, n, n)),
            Par::Seq,
            MemStack::new(&mut memory),
            Default::default(),
        )
        .map_err(|_| n)?;
        for (target, rising) in self.vectors.chunks_exact_mut(n).zip(self.product.rchunks_exact(n)) {
            target.copy_from_slice(rising);
        }
        Ok(())
    }

    /// One step of QR power iteration; returns the order in which the old columns were taken.
    ///
    /// Q ← qr(S Q P) with P the permutation that sorts diag(Qᵀ S Q) in falling order.
    pub(super) fn turn(&mut self) -> &[usize] {
        let n = self.dimension;
        matmul(
            MatMut::from_column_major_slice_mut(&mut self.product, n, n),
            Accum::Replace,
            MatRef::from_column_major_slice(&self.factor, n, n),
            MatRef::from_column_major_slice(&self.vectors, n, n),
            T::ONE,
            Par::Seq,
        );
        for (column, estimate) in self.estimates.iter_mut().enumerate() {
            let range = column * n..(column + 1) * n;
            *estimate = dot(&self.vectors[range.clone()], &self.product[range]).to_f64();
        }
        for (position, entry) in self.order.iter_mut().enumerate() {
            *entry = position;
        }
        let estimates = &self.estimates;
        // An unstable sort does not allocate; the index as second key makes it stable.
        self.order.sort_unstable_by(|&a, &b| estimates[b].total_cmp(&estimates[a]).then(a.cmp(&b)));
        for (target, &source) in self.vectors.chunks_exact_mut(n).zip(&self.order) {
            target.copy_from_slice(&self.product[source * n..(source + 1) * n]);
        }
        self.orthonormaliser.orthonormalise(&mut self.vectors, &mut self.product);
        std::mem::swap(&mut self.vectors, &mut self.product);
        &self.order
    }
}

/// Σ aᵢ bᵢ with eight partial sums, which the compiler keeps in vector registers.
fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    const LANES: usize = 8;
    let mut sums = [T::ZERO; LANES];
    let (a_blocks, a_rest) = a.as_chunks::<LANES>();
    let (b_blocks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let mut sum = T::ZERO;
    for (&a, &b) in a_rest.iter().zip(b_rest) {
        sum += a * b;
    }
    sums.iter().fold(sum, |sum, &partial| sum + partial)
}

#[cfg(test)]
mod tests {
    use super::super::orthonormal::orthogonality_defect;
    use super::*;

    /// S = V diag(λ) Vᵀ with V a Householder reflection and λ_k = 4^−k.
    fn graded(n: usize) -> (Vec<f64>, Vec<f64>) {
        let v: Vec<f64> = (0..n).map(|i| 1.0 + (i as f64 * 0.7).sin()).collect();
        let scale = 2.0 / v.iter().map(|x| x * x).sum::<f64>();
        let vectors: Vec<f64> =
            (0..n * n).map(|at| f64::from(u8::from(at % n == at / n)) - scale * v[at % n] * v[at / n]).collect();
        let factor = (0..n * n)
            .map(|at| (0..n).map(|k| vectors[k * n + at % n] * vectors[k * n + at / n] * 0.25_f64.powi(k as i32)).sum())
            .collect();
        (factor, vectors)
    }

    /// Largest deviation of |⟨q_k, v_k⟩| from 1.
    fn misalignment(basis: &[f64], vectors: &[f64], n: usize) -> f64 {
        (0..n).map(|k| (dot(&basis[k * n..][..n], &vectors[k * n..][..n]).abs() - 1.0).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn decomposition_gives_eigenvectors_by_falling_eigenvalue() {
        let n = 9;
        let (factor, vectors) = graded(n);
        let mut basis = Basis::<f64>::new(n);
        basis.factor.copy_from_slice(&factor);
        basis.decompose().unwrap();
        // The smallest eigenvalue gap is 3 · 4^−8, so the angle is good to ε · 4^8 and the cosine better.
        assert!(misalignment(&basis.vectors, &vectors, n) < f64::EPSILON * 4f64.powi(8));
    }

    #[test]
    fn power_iteration_converges_to_the_sorted_eigenvectors() {
        let n = 9;
        let (factor, vectors) = graded(n);
        let mut basis = Basis::<f64>::new(n);
        basis.factor.copy_from_slice(&factor);
        // A rotated identity in the wrong order.
        for k in 0..n {
            basis.vectors[k * n + (k + 4) % n] = 1.0;
        }
        let first = basis.turn().to_vec();
        assert_ne!(first, (0..n).collect::<Vec<_>>());
        for _ in 0..40 {
            basis.turn();
        }
        // The angle shrinks by 4 a turn.
        assert!(misalignment(&basis.vectors, &vectors, n) < f64::EPSILON * 4f64.powi(8));
        assert_eq!(basis.turn(), (0..n).collect::<Vec<_>>());
        assert!(orthogonality_defect(&basis.vectors, n) < 4.0 * n as f64 * f64::EPSILON);
    }

    #[test]
    fn a_zero_factor_leaves_an_orthogonal_basis() {
        let n = 40;
        let mut basis = Basis::<f32>::new(n);
        basis.decompose().unwrap();
        basis.turn();
        assert!(orthogonality_defect(&basis.vectors, n) < 4.0 * n as f64 * f64::from(f32::EPSILON));
    }
}
