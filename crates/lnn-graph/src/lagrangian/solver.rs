//! The solver that a mass matrix's structure calls for.

use lnn_autodiff::Real;

use super::assembly::Structure;
use crate::solve::band::BandFactors;
use crate::solve::sparse::SparseFactors;
use crate::solve::{Factored, SolveError};

/// Factors of the mass matrices of some samples: banded for a line, sparse for any other topology.
#[derive(Debug)]
pub(super) enum MassMatrixSolver<T: Real> {
    /// Of a line.
    Band(Box<BandFactors<T>>),
    /// Of a grid or graph, one a sample.
    Sparse(Vec<SparseFactors<T>>),
}

impl<T: Real> MassMatrixSolver<T> {
    /// Room for the factors of `samples` matrices.
    pub(super) fn new(structure: &Structure, samples: usize) -> Result<Self, SolveError> {
        Ok(match structure {
            Structure::Band(shape) => Self::Band(Box::new(BandFactors::new(*shape, samples))),
            Structure::Sparse(pattern) => {
                Self::Sparse((0..samples).map(|_| SparseFactors::new(pattern)).collect::<Result<_, _>>()?)
            }
        })
    }

    /// Factors the matrix of a sample.
    pub(super) fn factor(&mut self, sample: usize, entries: &[T]) -> Result<Factored, SolveError> {
        match self {
            Self::Band(factors) => factors.factor(sample, entries),
            Self::Sparse(factors) => factors[sample].factor(entries),
        }
    }

    /// Overwrites `b` with the solution.
    pub(super) fn solve_in_place(&mut self, sample: usize, b: &mut [T]) {
        match self {
            Self::Band(factors) => factors.solve_in_place(sample, b),
            Self::Sparse(factors) => factors[sample].solve_in_place(b),
        }
    }
}
