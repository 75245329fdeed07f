//! What a factorisation says of itself, and why it can fail.

use thiserror::Error;

use super::MAX_DENSE_DIMENSION;

/// The rung of the ladder that a factorisation stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `L D Lᵀ` without pivoting: all pivots have one sign, so the matrix (or its negative) is positive definite.
    Definite,
    /// `L U` with partial pivoting, for indefinite matrices.
    Pivoted,
    /// `L U` with partial pivoting of the full matrix: a cyclic band so short that it wraps on itself.
    Dense,
    /// Eigenvalues and eigenvectors of the full matrix, those at or below the tolerance left out.
    Pseudoinverse,
}

/// A pivot and the unknown that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pivot {
    /// Index of the unknown: `site · components + component`.
    pub unknown: usize,
    /// The pivot, with its sign, in units of the matrix.
    pub value: f64,
}

/// The outcome of a factorisation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factored {
    /// How the matrix was factored.
    pub method: Method,
    /// The smallest pivot in magnitude; for [`Method::Pseudoinverse`] the one that was too small for the rung before.
    pub smallest_pivot: Pivot,
    /// The rank under the method's tolerance: the dimension, but for [`Method::Pseudoinverse`].
    pub rank: usize,
}

/// Why a system could not be factored.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum SolveError {
    /// An entry is infinite or NaN.
    #[error(
        "the matrix has the entry {value} in the row of unknown {unknown}, expected finite numbers; \
         check the state and the parameters that it was assembled from"
    )]
    NonFinite {
        /// Row of the entry.
        unknown: usize,
        /// The entry.
        value: f64,
    },
    /// Singular to working precision, and too large for the dense pseudoinverse.
    #[error(
        "the matrix of {dimension} unknowns is singular to working precision: the pivot of unknown {unknown} is {pivot:e}; \
         a residual mass makes it definite, and up to {MAX_DENSE_DIMENSION} unknowns the pseudoinverse serves"
    )]
    Singular {
        /// The unknown at which it shows.
        unknown: usize,
        /// Its pivot.
        pivot: f64,
        /// Number of unknowns.
        dimension: usize,
    },
    /// The eigenvalues of the dense matrix did not converge.
    #[error(
        "the eigenvalues of the dense {dimension} × {dimension} matrix did not converge; \
         its entries may be close to the largest number: scale it down"
    )]
    Eigenvalues {
        /// Number of unknowns.
        dimension: usize,
    },
    /// There is no memory for the factors.
    #[error(
        "there is not enough memory for the factors of {dimension} unknowns; conjugate gradients need four vectors"
    )]
    OutOfMemory {
        /// Number of unknowns.
        dimension: usize,
    },
}
