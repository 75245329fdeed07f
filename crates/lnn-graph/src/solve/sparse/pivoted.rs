//! Sparse `L U` with partial pivoting, for indefinite matrices.

use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::perm::PermRef;
use faer::sparse::linalg::LuError;
use faer::sparse::linalg::colamd;
use faer::sparse::linalg::lu::simplicial::{
    SimplicialLu, factorize_simplicial_numeric_lu, factorize_simplicial_numeric_lu_scratch, solve_in_place_scratch,
};
use faer::{Conj, MatMut, Par};
use lnn_autodiff::Real;

use super::super::{Pivot, SolveError};
use super::SparsePattern;
use super::factor::Refused;

/// A permutation and its inverse.
struct Order {
    forward: Vec<usize>,
    inverse: Vec<usize>,
}

impl Order {
    fn new(n: usize) -> Self {
        Self { forward: vec![0; n], inverse: vec![0; n] }
    }

    fn as_ref(&self) -> PermRef<'_, usize> {
        PermRef::new_checked(&self.forward, &self.inverse, self.forward.len())
    }
}

/// Factors of a matrix, its columns in an order of small fill-in whatever the pivots, its rows as the pivots fall.
pub(super) struct PivotedFactors<T> {
    columns: Order,
    rows: Order,
    factors: SimplicialLu<usize, T>,
    /// The values of the full matrix.
    all: Vec<T>,
    memory: MemBuffer,
}

impl<T: Real> PivotedFactors<T> {
    pub(super) fn new(pattern: &SparsePattern) -> Result<Self, SolveError> {
        let n = pattern.dimension();
        let entries = pattern.slots().len();
        let all = vec![T::ZERO; entries];
        let out_of_memory = || SolveError::OutOfMemory { dimension: n };
        let scratch = StackReq::any_of(&[
            colamd::order_scratch::<usize>(n, n, entries),
            factorize_simplicial_numeric_lu_scratch::<usize, T>(n, n),
            solve_in_place_scratch::<usize, T>(n, 1, Par::Seq),
        ]);
        let mut memory = MemBuffer::try_new(scratch).map_err(|_| out_of_memory())?;
        let mut columns = Order::new(n);
        colamd::order(
            &mut columns.forward,
            &mut columns.inverse,
            pattern.full(&all).symbolic(),
            Default::default(),
            MemStack::new(&mut memory),
        )
        .map_err(|_| out_of_memory())?;
        Ok(Self { columns, rows: Order::new(n), factors: SimplicialLu::new(), all, memory })
    }

    /// Factors; returns the smallest pivot.
    ///
    /// # Errors
    /// The first pivot at or below `noise`, or not finite.
    pub(super) fn factor(&mut self, pattern: &SparsePattern, values: &[T], noise: T) -> Result<Pivot, Refused> {
        for (all, &slot) in self.all.iter_mut().zip(pattern.slots()) {
            *all = values[slot];
        }
        factorize_simplicial_numeric_lu(
            &mut self.rows.forward,
            &mut self.rows.inverse,
            &mut self.factors,
            pattern.full(&self.all),
            self.columns.as_ref(),
            MemStack::new(&mut self.memory),
        )
        .map_err(|error| match error {
            LuError::SymbolicSingular { index } => {
                Refused::Pivot(Pivot { unknown: self.columns.forward[index], value: 0.0 })
            }
            LuError::Generic(_) => Refused::Error(SolveError::OutOfMemory { dimension: pattern.dimension() }),
        })?;
        let upper = self.factors.u_factor_unsorted();
        let mut smallest = Pivot { unknown: 0, value: f64::INFINITY };
        for (place, &unknown) in self.columns.forward.iter().enumerate() {
            // The diagonal is found last, and so stored.
            let pivot = *upper.val_of_col(place).last().expect("each column has its pivot");
            let found = Pivot { unknown, value: pivot.to_f64() };
            if !(pivot.abs() > noise && pivot.is_finite()) {
                return Err(Refused::Pivot(found));
            }
            if found.value.abs() < smallest.value.abs() {
                smallest = found;
            }
        }
        Ok(smallest)
    }

    /// `x ← A⁻¹ x`.
    pub(super) fn solve_in_place(&mut self, x: &mut [T]) {
        let n = x.len();
        self.factors.solve_in_place_with_conj(
            self.rows.as_ref(),
            self.columns.as_ref(),
            Conj::No,
            MatMut::from_column_major_slice_mut(x, n, 1),
            Par::Seq,
            MemStack::new(&mut self.memory),
        );
    }
}
