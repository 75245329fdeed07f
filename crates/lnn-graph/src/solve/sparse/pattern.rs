//! Which entries a sparse symmetric matrix has, and the symbolic part of its factorisation.

use faer::Side;
use faer::sparse::linalg::cholesky::{SymbolicCholesky, SymmetricOrdering, factorize_symbolic_cholesky};
use faer::sparse::{SparseColMatRef, SymbolicSparseColMat};
use lnn_autodiff::Real;
use thiserror::Error;

use super::super::residual::LargestOfRows;

/// Why a pattern is none.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PatternError {
    /// A pattern of nothing.
    #[error("a sparse matrix of 0 unknowns, expected at least one")]
    Empty,
    /// An index that is no unknown.
    #[error("the pair ({}, {}) is outside a matrix of {dimension} unknowns; indices count from 0", pair[0], pair[1])]
    OutOfRange {
        /// The pair.
        pair: [usize; 2],
        /// Number of unknowns.
        dimension: usize,
    },
    /// The symbolic factorisation failed.
    #[error("there is not enough memory to order {dimension} unknowns with {entries} entries for a factorisation")]
    OutOfMemory {
        /// Number of unknowns.
        dimension: usize,
        /// Number of entries.
        entries: usize,
    },
}

/// The entries (i, j), i ≤ j, of a sparse symmetric matrix, and the order in which it is factored.
///
/// The values of a matrix are given in the order of [`pairs`](Self::pairs): row by row of the upper triangle, the
/// diagonal always there.
///
/// ```
/// use lnn_graph::solve::sparse::SparsePattern;
/// let pattern = SparsePattern::new(3, &[[0, 1], [2, 1], [1, 0]])?;
/// assert_eq!(pattern.pairs(), [[0, 0], [0, 1], [1, 1], [1, 2], [2, 2]]);
/// assert_eq!(pattern.slot(2, 1), Some(3));
/// # Ok::<(), lnn_graph::solve::sparse::PatternError>(())
/// ```
#[derive(Debug)]
pub struct SparsePattern {
    dimension: usize,
    pairs: Vec<[usize; 2]>,
    /// The lower triangle, column by column: row i of the upper one is column i of it.
    lower: SymbolicSparseColMat<usize>,
    /// The full matrix, column by column or row by row, and the slot of each of its entries.
    full: SymbolicSparseColMat<usize>,
    slots: Vec<usize>,
    pub(super) symbolic: SymbolicCholesky<usize>,
}

impl SparsePattern {
    /// The pattern of the given pairs, in either order and as often as they come, and of the diagonal.
    ///
    /// # Errors
    /// [`PatternError`].
    pub fn new(dimension: usize, pairs: &[[usize; 2]]) -> Result<Self, PatternError> {
        if dimension == 0 {
            return Err(PatternError::Empty);
        }
        if let Some(&pair) = pairs.iter().find(|pair| pair.iter().any(|&i| i >= dimension)) {
            return Err(PatternError::OutOfRange { pair, dimension });
        }
        let upper = pairs.iter().map(|&[i, j]| [i.min(j), i.max(j)]);
        let mut pairs: Vec<_> = upper.chain((0..dimension).map(|i| [i, i])).collect();
        pairs.sort_unstable();
        pairs.dedup();
        let lower = SymbolicSparseColMat::new_checked(
            dimension,
            dimension,
            offsets(dimension, pairs.iter().map(|pair| pair[0])),
            None,
            pairs.iter().map(|pair| pair[1]).collect(),
        );
        // By rising slot, a row meets first its columns before the diagonal, then those after: so both rise.
        let both = |&[i, j]: &[usize; 2]| [i, j].into_iter().take(if i == j { 1 } else { 2 });
        let offsets = offsets(dimension, pairs.iter().flat_map(both));
        let count = offsets[dimension];
        let (mut columns, mut slots, mut next) = (vec![0; count], vec![0; count], offsets.clone());
        for (slot, &[i, j]) in pairs.iter().enumerate() {
            for (row, column) in [(j, i), (i, j)].into_iter().skip(usize::from(i == j)) {
                (columns[next[row]], slots[next[row]]) = (column, slot);
                next[row] += 1;
            }
        }
        let full = SymbolicSparseColMat::new_checked(dimension, dimension, offsets, None, columns);
        let symbolic =
            factorize_symbolic_cholesky(lower.as_ref(), Side::Lower, SymmetricOrdering::Amd, Default::default())
                .map_err(|_| PatternError::OutOfMemory { dimension, entries: pairs.len() })?;
        Ok(Self { dimension, pairs, lower, full, slots, symbolic })
    }

    /// Number n of unknowns.
    pub fn dimension(&self) -> usize {
        self.dimension
    }
    /// The entries (i, j), i ≤ j, sorted.
    pub fn pairs(&self) -> &[[usize; 2]] {
        &self.pairs
    }
    /// The place of entry (i, j), i and j in either order, among the values.
    pub fn slot(&self, i: usize, j: usize) -> Option<usize> {
        self.pairs.binary_search(&[i.min(j), i.max(j)]).ok()
    }
    /// The columns of each row of the full matrix: row i has `indices[offsets[i]..offsets[i + 1]]`, rising.
    pub fn rows(&self) -> (&[usize], &[usize]) {
        (self.full.col_ptr(), self.full.row_idx())
    }

    /// `y = A x`; both `[n]`.
    ///
    /// # Panics
    /// If a length is not that of the pattern, as every function of slices here.
    pub fn multiply<T: Real>(&self, values: &[T], x: &[T], y: &mut [T]) {
        self.require_values(values);
        self.require_vector(x);
        self.require_vector(y);
        for (i, y) in y.iter_mut().enumerate() {
            *y = self.row(i).fold(T::ZERO, |sum, (j, slot)| sum + values[slot] * x[j]);
        }
    }

    /// The full matrix, `[n, n]`.
    pub fn to_dense<T: Real>(&self, values: &[T]) -> Vec<T> {
        self.require_values(values);
        let n = self.dimension;
        let mut dense = vec![T::ZERO; n * n];
        for (&[i, j], &value) in self.pairs.iter().zip(values) {
            dense[i * n + j] = value;
            dense[j * n + i] = value;
        }
        dense
    }

    /// `‖A x − b‖∞ / (‖A‖∞ ‖x‖∞ + ‖b‖∞)`, as
    /// [`BandShape::relative_residual`](crate::solve::band::BandShape::relative_residual).
    pub fn relative_residual<T: Real>(&self, values: &[T], x: &[T], b: &[T]) -> f64 {
        self.require_values(values);
        self.require_vector(x);
        self.require_vector(b);
        let mut largest = LargestOfRows::default();
        for i in 0..self.dimension {
            let entries = self.row(i).map(|(j, slot)| (values[slot].to_f64(), x[j].to_f64()));
            largest.meet(entries, x[i].to_f64(), b[i].to_f64());
        }
        largest.relative_residual()
    }

    /// Row i of the full matrix: columns, rising, and slots.
    fn row(&self, i: usize) -> impl Iterator<Item = (usize, usize)> {
        let (offsets, columns) = self.rows();
        let range = offsets[i]..offsets[i + 1];
        columns[range.clone()].iter().copied().zip(self.slots[range].iter().copied())
    }

    /// The lower triangle, which is what is factored.
    pub(super) fn lower<'a, T>(&'a self, values: &'a [T]) -> SparseColMatRef<'a, usize, T> {
        SparseColMatRef::new(self.lower.as_ref(), values)
    }

    /// The full matrix, of `all` values in the order of [`slots`](Self::slots).
    pub(super) fn full<'a, T>(&'a self, all: &'a [T]) -> SparseColMatRef<'a, usize, T> {
        SparseColMatRef::new(self.full.as_ref(), all)
    }

    /// The slot of each entry of the full matrix, column by column.
    pub(super) fn slots(&self) -> &[usize] {
        &self.slots
    }

    pub(in crate::solve) fn require_values<T>(&self, values: &[T]) {
        assert!(values.len() == self.pairs.len(), "{} values for {} entries", values.len(), self.pairs.len());
    }

    pub(in crate::solve) fn require_vector<T>(&self, vector: &[T]) {
        assert!(vector.len() == self.dimension, "a vector of {} for {} unknowns", vector.len(), self.dimension);
    }
}

/// Where each row begins, from the row of each entry.
fn offsets(dimension: usize, rows: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut offsets = vec![0; dimension + 1];
    for row in rows {
        offsets[row + 1] += 1;
    }
    for row in 0..dimension {
        offsets[row + 1] += offsets[row];
    }
    offsets
}
