//! Factorisation: eigenvalues, eigenvectors and rank of each matrix of a batch.

use super::MAX_DIMENSION;
use super::jacobi::diagonalise;
use crate::Real;

/// Matrices that are factored side by side; a single one goes alone.
const LANES: usize = 16;

/// Which eigenvalues count as zero: `|λ| ≤ max(relative · max|λ|, absolute)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Share of the largest |λ|.
    pub relative: f64,
    /// Smallest |λ| ever inverted.
    pub absolute: f64,
}

impl Tolerance {
    /// `relative = 10 d ε`, `absolute = 0`: what round-off in forming and diagonalising a d × d matrix
    /// can leave of an exact zero.
    pub fn for_dimension<T: Real>(d: usize) -> Self {
        Self { relative: 10.0 * d as f64 * T::EPSILON.to_f64(), absolute: 0.0 }
    }
}

/// Eigenfactors of up to `capacity` symmetric `d × d` matrices.
///
/// ```
/// use lnn_autodiff::pseudoinverse::{SymmetricFactors, Tolerance};
/// let mut factors = SymmetricFactors::<f64>::new(2, 1);
/// factors.factor(&[4.0, 0.0, 0.0, 0.0], Tolerance::for_dimension::<f64>(2));
/// assert_eq!(factors.rank(0), 1);
/// let mut x = [0.0; 2];
/// factors.solve(0, &[2.0, 3.0], &mut x);
/// assert_eq!(x, [0.5, 0.0]);
/// ```
#[derive(Clone, Debug)]
pub struct SymmetricFactors<T> {
    pub(super) dimension: usize,
    count: usize,
    /// The group of matrices at hand, `[d, d, lanes]`, and its eigenvectors.
    work: Vec<T>,
    work_vectors: Vec<T>,
    /// `[n, d]`.
    values: Vec<T>,
    /// λ⁺, `[n, d]`.
    pub(super) inverses: Vec<T>,
    /// `[n, d, d]`, eigenvectors in columns.
    pub(super) vectors: Vec<T>,
    /// `None` where the matrix had a non-finite entry, or an eigenvalue overflowed.
    ranks: Vec<Option<usize>>,
}

impl<T: Real> SymmetricFactors<T> {
    /// Room for `capacity` matrices of dimension `dimension`.
    ///
    /// # Panics
    /// If the dimension is 0 or above [`MAX_DIMENSION`].
    pub fn new(dimension: usize, capacity: usize) -> Self {
        assert!(
            (1..=MAX_DIMENSION).contains(&dimension),
            "dimension {dimension} is outside 1..={MAX_DIMENSION}; larger systems need a structured solver"
        );
        Self {
            dimension,
            count: 0,
            work: vec![T::ZERO; LANES * dimension * dimension],
            work_vectors: vec![T::ZERO; LANES * dimension * dimension],
            values: vec![T::ZERO; capacity * dimension],
            inverses: vec![T::ZERO; capacity * dimension],
            vectors: vec![T::ZERO; capacity * dimension * dimension],
            ranks: vec![None; capacity],
        }
    }

    /// Factors `matrices` `[n, d, d]`, symmetric (the upper triangles are read).
    ///
    /// A matrix with a non-finite entry gets no rank ([`is_finite`](Self::is_finite) says so) and
    /// solves to NaN; so does one whose eigenvalues overflow, which takes an entry within a factor d of
    /// the largest number.
    ///
    /// # Panics
    /// If there are more matrices than the capacity, or the last one is not complete.
    pub fn factor(&mut self, matrices: &[T], tolerance: Tolerance) {
        let d = self.dimension;
        assert!(
            matrices.len().is_multiple_of(d * d),
            "{} numbers are no whole number of {d} × {d} matrices",
            matrices.len()
        );
        self.count = matrices.len() / (d * d);
        assert!(self.count <= self.ranks.len(), "{} matrices do not fit into {}", self.count, self.ranks.len());
        match self.count {
            1 => self.factor_group::<1>(0, matrices, tolerance),
            _ => {
                for (group, matrices) in matrices.chunks(d * d * LANES).enumerate() {
                    self.factor_group::<LANES>(group * LANES, matrices, tolerance);
                }
            }
        }
    }

    /// Factors up to `N` matrices side by side, the first of them number `first`.
    fn factor_group<const N: usize>(&mut self, first: usize, matrices: &[T], tolerance: Tolerance) {
        let d = self.dimension;
        let (work, _) = self.work.as_chunks_mut::<N>();
        let (work_vectors, _) = self.work_vectors.as_chunks_mut::<N>();
        let (work, work_vectors) = (&mut work[..d * d], &mut work_vectors[..d * d]);
        // Lanes without a matrix hold zeros, which are diagonal.
        work.fill([T::ZERO; N]);
        for (lane, matrix) in matrices.chunks_exact(d * d).enumerate() {
            for (group, &entry) in work.iter_mut().zip(matrix) {
                group[lane] = entry;
            }
        }
        let converged = diagonalise(d, work, work_vectors);
        for lane in 0..matrices.len() / (d * d) {
            let index = first + lane;
            let vectors = &mut self.vectors[index * d * d..(index + 1) * d * d];
            for (entry, group) in vectors.iter_mut().zip(&*work_vectors) {
                *entry = group[lane];
            }
            let values = &mut self.values[index * d..(index + 1) * d];
            let inverses = &mut self.inverses[index * d..(index + 1) * d];
            if !converged[lane] || (0..d).any(|k| !work[k * d + k][lane].is_finite()) {
                values.fill(T::from_f64(f64::NAN));
                inverses.fill(T::from_f64(f64::NAN));
                self.ranks[index] = None;
                continue;
            }
            let mut largest = T::ZERO;
            for k in 0..d {
                values[k] = work[k * d + k][lane];
                if values[k].abs() > largest {
                    largest = values[k].abs();
                }
            }
            let relative = T::from_f64(tolerance.relative) * largest;
            let absolute = T::from_f64(tolerance.absolute);
            let threshold = if relative > absolute { relative } else { absolute };
            let mut rank = 0;
            for k in 0..d {
                let counts = values[k].abs() > threshold;
                inverses[k] = if counts { T::ONE / values[k] } else { T::ZERO };
                rank += usize::from(counts);
            }
            self.ranks[index] = Some(rank);
        }
    }

    /// Dimension d.
    pub fn dimension(&self) -> usize {
        self.dimension
    }
    /// Matrices factored last.
    pub fn len(&self) -> usize {
        self.count
    }
    /// Whether nothing is factored.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
    /// Rank of a matrix under the tolerance; 0 for one that is not finite.
    ///
    /// # Panics
    /// If fewer matrices were factored last, as every function of an index here.
    pub fn rank(&self, index: usize) -> usize {
        self.require(index);
        self.ranks[index].unwrap_or(0)
    }
    /// Whether every entry and every eigenvalue of a matrix was finite.
    pub fn is_finite(&self, index: usize) -> bool {
        self.require(index);
        self.ranks[index].is_some()
    }
    /// Whether a matrix has full rank.
    pub fn is_full_rank(&self, index: usize) -> bool {
        self.require(index);
        self.ranks[index] == Some(self.dimension)
    }
    /// Eigenvalues of a matrix, unsorted, `[d]`; NaN for one that is not finite.
    pub fn eigenvalues(&self, index: usize) -> &[T] {
        self.require(index);
        &self.values[index * self.dimension..(index + 1) * self.dimension]
    }

    /// Beyond the last matrix lie the factors of an earlier batch.
    pub(super) fn require(&self, index: usize) {
        assert!(index < self.count, "matrix {index} of {} that were factored", self.count);
    }
}
