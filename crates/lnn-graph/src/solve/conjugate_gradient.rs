//! Conjugate gradients with Jacobi preconditioning, matrix-free, for systems too large to factor.

use lnn_autodiff::Real;
use thiserror::Error;

/// A symmetric matrix known by its products.
pub trait SymmetricOperator<T> {
    /// Number n of unknowns.
    fn dimension(&self) -> usize;
    /// `y = A x`; both `[n]`. Every entry of y is written.
    fn apply(&mut self, x: &[T], y: &mut [T]);
}

/// How a solve ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Converged {
    /// Products with A, but for those that check the residual.
    pub iterations: usize,
    /// `‖b − A x‖₂ / ‖b‖₂`, from a product with the returned x.
    pub relative_residual: f64,
}

/// Why a solve ended without a solution.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum CgError {
    /// Conjugate gradients need a positive definite matrix.
    #[error(
        "the matrix is not positive definite: the direction of iteration {iteration} has the curvature {curvature:e}; \
         use a direct solver, which pivots, or add a residual mass"
    )]
    NotDefinite {
        /// Iterations before.
        iteration: usize,
        /// `pᵀ A p / pᵀ p`.
        curvature: f64,
    },
    /// A diagonal entry that a positive definite matrix cannot have.
    #[error(
        "the diagonal of unknown {unknown} is {value}, expected a positive number: the matrix is not positive definite"
    )]
    Diagonal {
        /// Index of the unknown.
        unknown: usize,
        /// The entry.
        value: f64,
    },
    /// A number that is infinite or NaN.
    #[error(
        "{quantity} is not finite at iteration {iteration}; check the state and the parameters, and the range of {precision}"
    )]
    NonFinite {
        /// Iterations before.
        iteration: usize,
        /// What was met.
        quantity: &'static str,
        /// The type's name.
        precision: &'static str,
    },
    /// Too few iterations, or more accuracy than the precision has.
    #[error(
        "after {iterations} iterations the relative residual is {relative_residual:e}, asked for {asked:e}; \
         allow more iterations, or ask for less where the precision is the limit"
    )]
    NotConverged {
        /// Iterations taken.
        iterations: usize,
        /// The residual of the x that is left behind.
        relative_residual: f64,
        /// The tolerance.
        asked: f64,
    },
}

/// The vectors of the iteration, for n unknowns.
///
/// ```
/// use lnn_graph::solve::conjugate_gradient::{ConjugateGradient, SymmetricOperator};
/// struct Chain;
/// impl SymmetricOperator<f64> for Chain {
///     fn dimension(&self) -> usize {
///         3
///     }
///     fn apply(&mut self, x: &[f64], y: &mut [f64]) {
///         (y[0], y[1], y[2]) = (2.0 * x[0] + x[1], x[0] + 2.0 * x[1] + x[2], x[1] + 2.0 * x[2]);
///     }
/// }
/// let mut x = [0.0; 3];
/// let done = ConjugateGradient::new(3).solve(&mut Chain, &[2.0; 3], &[4.0, 8.0, 8.0], &mut x, 1e-14, 10)?;
/// assert!(done.iterations <= 3 && x.iter().zip([1.0, 2.0, 3.0]).all(|(x, y)| (x - y).abs() < 1e-13));
/// # Ok::<(), lnn_graph::solve::conjugate_gradient::CgError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConjugateGradient<T> {
    residual: Vec<T>,
    /// `D⁻¹ r`.
    scaled: Vec<T>,
    direction: Vec<T>,
    product: Vec<T>,
}

impl<T: Real> ConjugateGradient<T> {
    /// Room for systems of n unknowns.
    pub fn new(dimension: usize) -> Self {
        let vector = || vec![T::ZERO; dimension];
        Self { residual: vector(), scaled: vector(), direction: vector(), product: vector() }
    }

    /// Solves `A x = b` to `‖b − A x‖₂ ≤ tolerance ‖b‖₂`, from the x given.
    ///
    /// `diagonal` is that of A and preconditions. The residual that counts is computed from x; where the recursive one
    /// has drifted from it, the iteration starts anew from x. Sums are taken in double precision in a fixed order. b = 0
    /// gives x = 0. Nothing is allocated.
    ///
    /// # Errors
    /// [`CgError`]; x then holds the last iterate, for `NonFinite` nothing of use.
    ///
    /// # Panics
    /// If a length or the operator's dimension is not that of the solver.
    pub fn solve(
        &mut self,
        operator: &mut impl SymmetricOperator<T>,
        diagonal: &[T],
        b: &[T],
        x: &mut [T],
        tolerance: f64,
        most_iterations: usize,
    ) -> Result<Converged, CgError> {
        let n = self.residual.len();
        let lengths = [operator.dimension(), diagonal.len(), b.len(), x.len()];
        assert!(lengths == [n; 4], "operator, diagonal, b and x are of dimensions {lengths:?}, expected {n}");
        let non_finite = |iteration, quantity| CgError::NonFinite { iteration, quantity, precision: T::NAME };
        if let Some((unknown, value)) = diagonal.iter().enumerate().find(|(_, d)| !(**d > T::ZERO && d.is_finite())) {
            return Err(CgError::Diagonal { unknown, value: value.to_f64() });
        }
        let norm = dot(b, b).sqrt();
        if norm == 0.0 {
            x.fill(T::ZERO);
            return Ok(Converged { iterations: 0, relative_residual: 0.0 });
        }
        if !norm.is_finite() {
            return Err(non_finite(0, "the right-hand side"));
        }
        let mut iterations = 0;
        loop {
            let relative_residual = self.restart(operator, b, x) / norm;
            if !relative_residual.is_finite() {
                return Err(non_finite(iterations, "the residual"));
            }
            if relative_residual <= tolerance {
                return Ok(Converged { iterations, relative_residual });
            }
            if iterations == most_iterations {
                return Err(CgError::NotConverged { iterations, relative_residual, asked: tolerance });
            }
            self.iterate(operator, diagonal, x, tolerance * norm, &mut iterations, most_iterations)?;
        }
    }

    /// Sets the residual to b − A x and returns its norm.
    fn restart(&mut self, operator: &mut impl SymmetricOperator<T>, b: &[T], x: &[T]) -> f64 {
        operator.apply(x, &mut self.residual);
        for (residual, &b) in self.residual.iter_mut().zip(b) {
            *residual = b - *residual;
        }
        dot(&self.residual, &self.residual).sqrt()
    }

    /// Iterates until the recursive residual is below `target`.
    fn iterate(
        &mut self,
        operator: &mut impl SymmetricOperator<T>,
        diagonal: &[T],
        x: &mut [T],
        target: f64,
        iterations: &mut usize,
        most_iterations: usize,
    ) -> Result<(), CgError> {
        let Self { residual, scaled, direction, product } = self;
        let mut weighted = precondition(residual, diagonal, scaled);
        direction.copy_from_slice(scaled);
        while *iterations < most_iterations {
            operator.apply(direction, product);
            let bend = dot(direction, product);
            let iteration = *iterations;
            if !bend.is_finite() || !weighted.is_finite() {
                return Err(CgError::NonFinite {
                    iteration,
                    quantity: "a product with the matrix",
                    precision: T::NAME,
                });
            }
            if bend <= 0.0 {
                return Err(CgError::NotDefinite { iteration, curvature: bend / dot(direction, direction) });
            }
            *iterations += 1;
            let step = T::from_f64(weighted / bend);
            for i in 0..x.len() {
                x[i] += step * direction[i];
                residual[i] -= step * product[i];
            }
            // Written so that a residual that is not finite ends here, and is named by the caller.
            let goes_on = dot(residual, residual).sqrt() > target;
            if !goes_on {
                break;
            }
            let next = precondition(residual, diagonal, scaled);
            let ratio = T::from_f64(next / weighted);
            weighted = next;
            for (direction, &scaled) in direction.iter_mut().zip(&*scaled) {
                *direction = scaled + ratio * *direction;
            }
        }
        Ok(())
    }
}

/// `scaled = D⁻¹ r`; returns `rᵀ D⁻¹ r`.
fn precondition<T: Real>(residual: &[T], diagonal: &[T], scaled: &mut [T]) -> f64 {
    for ((scaled, &residual), &diagonal) in scaled.iter_mut().zip(residual).zip(diagonal) {
        *scaled = residual / diagonal;
    }
    dot(residual, scaled)
}

/// Σ aᵢ bᵢ in double precision, by partial sums in a fixed order.
fn dot<T: Real>(a: &[T], b: &[T]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let ((a_blocks, a_rest), (b_blocks, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..LANES {
            sums[lane] += a[lane].to_f64() * b[lane].to_f64();
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| a.to_f64() * b.to_f64()).sum::<f64>();
    sums.iter().sum::<f64>() + rest
}
