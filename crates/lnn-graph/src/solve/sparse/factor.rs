//! The factors of a sparse matrix, and the ladder that makes them.

use std::sync::Arc;

use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::sparse::linalg::cholesky::supernodal::SupernodalLdltRef;
use faer::sparse::linalg::cholesky::{LdltRef, SymbolicCholeskyRaw};
use faer::{Conj, MatMut, Par, Side};
use lnn_autodiff::Real;

use super::super::pseudoinverse::DensePseudoinverse;
use super::super::singularity::{distance, is_suspicious, noise};
use super::super::{Factored, MAX_DENSE_DIMENSION, Method, Pivot, SolveError};
use super::SparsePattern;
use super::pivoted::PivotedFactors;

/// Factors of one symmetric matrix of a pattern, with the memory to factor another.
///
/// The definite rung allocates nothing; the pivoted one when it is first met, and where its fill-in grows; the
/// pseudoinverse whenever it is met, on which [`Factored`] reports.
///
/// ```
/// use std::sync::Arc;
/// use lnn_graph::solve::Method;
/// use lnn_graph::solve::sparse::{SparseFactors, SparsePattern};
/// let pattern = Arc::new(SparsePattern::new(3, &[[0, 1], [1, 2]])?);
/// let mut factors = SparseFactors::<f64>::new(&pattern)?;
/// // [2 1 0; 1 2 1; 0 1 2]
/// assert_eq!(factors.factor(&[2.0, 1.0, 2.0, 1.0, 2.0])?.method, Method::Definite);
/// let mut x = [4.0, 8.0, 8.0];
/// factors.solve_in_place(&mut x);
/// assert!(x.iter().zip([1.0, 2.0, 3.0]).all(|(x, y)| (x - y).abs() < 1e-15));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SparseFactors<T> {
    pub(super) pattern: Arc<SparsePattern>,
    /// L and D in the layout of the symbolic factorisation.
    triangle: Vec<T>,
    memory: MemBuffer,
    pivoted: Option<PivotedFactors<T>>,
    pub(super) pseudoinverse: Option<DensePseudoinverse<T>>,
    outcome: Option<Factored>,
    /// For inverse iteration, `[n]`.
    trial: Vec<T>,
}

impl<T> std::fmt::Debug for SparseFactors<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("SparseFactors");
        shown.field("dimension", &self.pattern.dimension()).field("outcome", &self.outcome).finish_non_exhaustive()
    }
}

/// Why a rung does not hold.
pub(super) enum Refused {
    /// A pivot is too small.
    Pivot(Pivot),
    /// It cannot be tried.
    Error(SolveError),
}

impl<T: Real> SparseFactors<T> {
    /// Room for the factors of a matrix.
    ///
    /// # Errors
    /// [`SolveError::OutOfMemory`].
    pub fn new(pattern: &Arc<SparsePattern>) -> Result<Self, SolveError> {
        let symbolic = &pattern.symbolic;
        let scratch = StackReq::any_of(&[
            symbolic.factorize_numeric_ldlt_scratch::<T>(Par::Seq, Default::default()),
            symbolic.solve_in_place_scratch::<T>(1, Par::Seq),
        ]);
        let dimension = pattern.dimension();
        let mut triangle = Vec::new();
        triangle.try_reserve_exact(symbolic.len_val()).map_err(|_| SolveError::OutOfMemory { dimension })?;
        triangle.resize(symbolic.len_val(), T::ZERO);
        Ok(Self {
            pattern: Arc::clone(pattern),
            triangle,
            memory: MemBuffer::try_new(scratch).map_err(|_| SolveError::OutOfMemory { dimension })?,
            pivoted: None,
            pseudoinverse: None,
            outcome: None,
            trial: vec![T::ZERO; dimension],
        })
    }

    /// The pattern of the matrices.
    pub fn pattern(&self) -> &Arc<SparsePattern> {
        &self.pattern
    }
    /// How the last matrix was factored; `None` if none was, or it could not be.
    pub fn factored(&self) -> Option<Factored> {
        self.outcome
    }

    /// Factors a matrix, `values` in the order of the pattern's pairs, on the first rung that holds.
    ///
    /// Pivots count as zero at or below `8 t ε max|A|`, t the mean length of the factor's columns and one; the same bound
    /// holds for the eigenvalue nearest to zero, which is estimated where a pivot is below `max(ε^¼, n ε) max|A|`.
    ///
    /// # Errors
    /// [`SolveError`]; there are then no factors.
    ///
    /// # Panics
    /// If the number of values is not that of the pattern.
    pub fn factor(&mut self, values: &[T]) -> Result<Factored, SolveError> {
        self.pattern.require_values(values);
        self.outcome = None;
        self.pseudoinverse = None;
        let mut largest = T::ZERO;
        for (&[unknown, _], &value) in self.pattern.pairs().iter().zip(values) {
            if !value.is_finite() {
                return Err(SolveError::NonFinite { unknown, value: value.to_f64() });
            }
            largest = if value.abs() > largest { value.abs() } else { largest };
        }
        let dimension = self.pattern.dimension();
        let full_rank = |method, smallest_pivot| Factored { method, smallest_pivot, rank: dimension };
        let outcome = match self.factor_definite(values, largest) {
            Some(smallest) => full_rank(Method::Definite, smallest),
            None => match self.factor_pivoted(values, largest) {
                Ok(smallest) => full_rank(Method::Pivoted, smallest),
                Err(Refused::Pivot(refused)) => self.factor_pseudoinverse(values, refused)?,
                Err(Refused::Error(error)) => return Err(error),
            },
        };
        self.outcome = Some(outcome);
        Ok(outcome)
    }

    /// The smallest pivot of the definite rung, if that holds.
    fn factor_definite(&mut self, values: &[T], largest: T) -> Option<Pivot> {
        let noise = noise(self.terms(), largest);
        let pattern = Arc::clone(&self.pattern);
        pattern
            .symbolic
            .factorize_numeric_ldlt(
                &mut self.triangle,
                pattern.lower(values),
                Side::Lower,
                Default::default(),
                Par::Seq,
                MemStack::new(&mut self.memory),
                Default::default(),
            )
            .ok()?;
        let mut sign = T::ZERO;
        let mut smallest = (0, T::from_f64(f64::INFINITY));
        let mut sound = true;
        self.for_each_pivot(|place, pivot| {
            sign = if sign == T::ZERO { T::ONE.copysign(pivot) } else { sign };
            let magnitude = pivot * sign;
            sound &= magnitude > noise && magnitude.is_finite();
            if magnitude < smallest.1.abs() {
                smallest = (place, pivot);
            }
        });
        let order = pattern.symbolic.perm().expect("the order of least fill-in is asked for").arrays().0;
        let pivot = Pivot { unknown: order[smallest.0], value: smallest.1.to_f64() };
        (sound && self.sound(Method::Definite, smallest.1, largest)).then_some(pivot)
    }

    /// Calls `f(place, pivot)` along D, places in the order of elimination.
    fn for_each_pivot(&self, mut f: impl FnMut(usize, T)) {
        match self.pattern.symbolic.raw() {
            SymbolicCholeskyRaw::Simplicial(symbolic) => {
                for (place, &start) in symbolic.col_ptr()[..symbolic.ncols()].iter().enumerate() {
                    f(place, self.triangle[start]);
                }
            }
            SymbolicCholeskyRaw::Supernodal(symbolic) => {
                let factors = SupernodalLdltRef::<usize, T>::new(symbolic, &self.triangle);
                for node in (0..symbolic.n_supernodes()).map(|node| factors.supernode(node)) {
                    let block = node.val();
                    for column in 0..block.ncols() {
                        f(node.start() + column, block[(column, column)]);
                    }
                }
            }
        }
    }

    /// The smallest pivot of the pivoted rung.
    fn factor_pivoted(&mut self, values: &[T], largest: T) -> Result<Pivot, Refused> {
        let pivoted = match self.pivoted.take() {
            Some(pivoted) => pivoted,
            None => PivotedFactors::new(&self.pattern).map_err(Refused::Error)?,
        };
        let noise = noise(self.terms(), largest);
        let smallest = self.pivoted.insert(pivoted).factor(&self.pattern, values, noise)?;
        if self.sound(Method::Pivoted, T::from_f64(smallest.value), largest) {
            Ok(smallest)
        } else {
            Err(Refused::Pivot(smallest))
        }
    }

    fn factor_pseudoinverse(&mut self, values: &[T], refused: Pivot) -> Result<Factored, SolveError> {
        let dimension = self.pattern.dimension();
        if dimension > MAX_DENSE_DIMENSION {
            return Err(SolveError::Singular { unknown: refused.unknown, pivot: refused.value, dimension });
        }
        let pseudoinverse = DensePseudoinverse::new(dimension, &self.pattern.to_dense(values))?;
        let rank = pseudoinverse.rank();
        self.pseudoinverse = Some(pseudoinverse);
        Ok(Factored { method: Method::Pseudoinverse, smallest_pivot: refused, rank })
    }

    /// Products that meet in an entry, on average, and one.
    fn terms(&self) -> usize {
        self.triangle.len() / self.pattern.dimension() + 1
    }

    /// Whether the factors of a method are those of a matrix that is not singular to working precision.
    fn sound(&mut self, method: Method, smallest: T, largest: T) -> bool {
        if !is_suspicious(self.pattern.dimension(), smallest, largest) {
            return true;
        }
        let mut trial = std::mem::take(&mut self.trial);
        let distance = distance(&mut trial, |v| self.solve_on(method, v));
        self.trial = trial;
        distance > noise(self.terms(), largest)
    }

    /// `b ← A⁻¹ b`, or `A⁺ b` where the matrix is singular; `[n]`.
    ///
    /// # Panics
    /// If there are no factors, or the length is not the dimension.
    pub fn solve_in_place(&mut self, b: &mut [T]) {
        self.pattern.require_vector(b);
        self.solve_on(self.require_factors().method, b);
    }

    /// `x = A⁻¹ b`, or `A⁺ b` where the matrix is singular; both `[n]`.
    ///
    /// # Panics
    /// As [`solve_in_place`](Self::solve_in_place).
    pub fn solve_into(&mut self, b: &[T], x: &mut [T]) {
        self.pattern.require_vector(b);
        self.pattern.require_vector(x);
        x.copy_from_slice(b);
        self.solve_in_place(x);
    }

    pub(super) fn require_factors(&self) -> Factored {
        match self.outcome {
            Some(factored) => factored,
            None => panic!("there are no factors: call `factor`, and heed its error"),
        }
    }

    fn solve_on(&mut self, method: Method, x: &mut [T]) {
        match (method, &mut self.pivoted, &mut self.pseudoinverse) {
            (Method::Definite, _, _) => LdltRef::new(&self.pattern.symbolic, &self.triangle).solve_in_place_with_conj(
                Conj::No,
                MatMut::from_column_major_slice_mut(x, self.pattern.dimension(), 1),
                Par::Seq,
                MemStack::new(&mut self.memory),
            ),
            (Method::Pivoted, Some(pivoted), _) => pivoted.solve_in_place(x),
            (Method::Pseudoinverse, _, Some(pseudoinverse)) => pseudoinverse.solve_in_place(x),
            (method, _, _) => unreachable!("no factors of the kind {method:?}"),
        }
    }
}
