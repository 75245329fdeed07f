//! The announced fallback for singular matrices: the dense pseudoinverse, by eigenvalues and eigenvectors.

use faer::diag::DiagMut;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{MatMut, MatRef, Par};
use lnn_autodiff::Real;
use lnn_autodiff::pseudoinverse::Tolerance;

use super::SolveError;

/// Largest number of unknowns for which the dense pseudoinverse is taken: 512 cost some 0.1 s, and the time grows with the
/// cube.
pub const MAX_DENSE_DIMENSION: usize = 512;

/// `A⁺ = V Λ⁺ Vᵀ` of a symmetric matrix, λ⁺ = 1/λ above the tolerance and 0 at or below it.
#[derive(Debug)]
pub(super) struct DensePseudoinverse<T> {
    dimension: usize,
    /// `[n, n]`, an eigenvector a row.
    vectors: Vec<T>,
    /// λ⁺, `[n]`.
    inverses: Vec<T>,
    rank: usize,
    /// Vᵀ b, `[n]`.
    projections: Vec<T>,
    /// The four vectors of the derivative at constant rank, `[4, n]`.
    terms: Vec<T>,
}

impl<T: Real> DensePseudoinverse<T> {
    /// Decomposes the symmetric `matrix` `[n, n]`; eigenvalues count as zero by [`Tolerance::for_dimension`].
    pub(super) fn new(dimension: usize, matrix: &[T]) -> Result<Self, SolveError> {
        let n = dimension;
        let mut eigenvalues = vec![T::ZERO; n];
        let mut vectors = vec![T::ZERO; n * n];
        let scratch = self_adjoint_evd_scratch::<T>(n, ComputeEigenvectors::Yes, Par::Seq, Default::default());
        let mut memory = MemBuffer::try_new(scratch).map_err(|_| SolveError::OutOfMemory { dimension })?;
        self_adjoint_evd(
            MatRef::from_column_major_slice(matrix, n, n),
            DiagMut::from_slice_mut(&mut eigenvalues),
            Some(MatMut::from_column_major_slice_mut(&mut vectors, n, n)),
            Par::Seq,
            MemStack::new(&mut memory),
            Default::default(),
        )
        .map_err(|_| SolveError::Eigenvalues { dimension })?;
        if !eigenvalues.iter().all(|value| value.is_finite()) {
            return Err(SolveError::Eigenvalues { dimension });
        }
        let largest = eigenvalues.iter().fold(0.0_f64, |largest, value| largest.max(value.to_f64().abs()));
        let tolerance = Tolerance::for_dimension::<T>(n);
        let threshold = (tolerance.relative * largest).max(tolerance.absolute);
        let mut rank = 0;
        for value in &mut eigenvalues {
            let counts = value.to_f64().abs() > threshold;
            *value = if counts { T::ONE / *value } else { T::ZERO };
            rank += usize::from(counts);
        }
        let (projections, terms) = (vec![T::ZERO; n], vec![T::ZERO; 4 * n]);
        Ok(Self { dimension, vectors, inverses: eigenvalues, rank, projections, terms })
    }

    pub(super) fn rank(&self) -> usize {
        self.rank
    }

    /// `x ← A⁺ x`.
    pub(super) fn solve_in_place(&mut self, x: &mut [T]) {
        self.apply_in_place(x, |inverse| inverse);
    }

    /// `x ← (I − A A⁺) x`.
    fn project_onto_null_space_in_place(&mut self, x: &mut [T]) {
        self.apply_in_place(x, |inverse| if inverse == T::ZERO { T::ONE } else { T::ZERO });
    }

    fn apply_in_place(&mut self, x: &mut [T], f: impl Fn(T) -> T) {
        let n = self.dimension;
        for ((projection, vector), &inverse) in
            self.projections.iter_mut().zip(self.vectors.chunks_exact(n)).zip(&self.inverses)
        {
            let product = vector.iter().zip(&*x).fold(T::ZERO, |sum, (&v, &x)| sum + v * x);
            *projection = f(inverse) * product;
        }
        x.fill(T::ZERO);
        for (&projection, vector) in self.projections.iter().zip(self.vectors.chunks_exact(n)) {
            for (x, &v) in x.iter_mut().zip(vector) {
                *x += projection * v;
            }
        }
    }

    /// The terms that constant rank below n adds to Ā, for `v = A⁺ x̄`: `Ā = −v xᵀ + (A⁺v)(Pb)ᵀ + (P x̄)(A⁺x)ᵀ`,
    /// P the projection onto the null space (Golub and Pereyra 1973, eq. 4.12, for symmetric A).
    ///
    /// Returned are A⁺v, P b, P x̄ and A⁺x, each `[n]`; nothing at full rank.
    pub(super) fn rank_deficient_terms(&mut self, b: &[T], x: &[T], x_bar: &[T], v: &[T]) -> Option<[&[T]; 4]> {
        let n = self.dimension;
        if self.rank == n {
            return None;
        }
        let mut terms = std::mem::take(&mut self.terms);
        for (place, (term, source)) in terms.chunks_exact_mut(n).zip([v, b, x_bar, x]).enumerate() {
            term.copy_from_slice(source);
            match place {
                0 | 3 => self.solve_in_place(term),
                _ => self.project_onto_null_space_in_place(term),
            }
        }
        self.terms = terms;
        let mut terms = self.terms.chunks_exact(n);
        Some(std::array::from_fn(|_| terms.next().expect("there are four")))
    }
}
