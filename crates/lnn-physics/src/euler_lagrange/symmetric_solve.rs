//! x = H⁺ b for one symmetric H of any dimension, with the rank that was used.

use lnn_autodiff::pseudoinverse::{MAX_DIMENSION, SymmetricFactors, Tolerance};
use nalgebra::{DMatrix, DVector, SymmetricEigen};

/// Eigenfactors of one symmetric matrix.
///
/// Eigenvalues of magnitude at most 10·d·ε·max|λ| count as zero. One path for regular and singular
/// matrices alike: a Cholesky shortcut would refuse the indefinite mass matrices that learned
/// Lagrangians have, and would make the result jump where the two paths meet.
#[derive(Clone, Debug)]
pub(super) enum SymmetricSolve {
    /// Up to 16 dimensions: Jacobi rotations in place, no allocation.
    Small(SymmetricFactors<f64>),
    /// Above: nalgebra's tridiagonal QR, which allocates.
    Large(LargeFactors),
}

/// Eigenfactors of a large matrix.
#[derive(Clone, Debug)]
pub(super) struct LargeFactors {
    eigen: SymmetricEigen<f64, nalgebra::Dyn>,
    threshold: f64,
}

impl SymmetricSolve {
    pub(super) fn new(d: usize) -> Self {
        if d <= MAX_DIMENSION {
            Self::Small(SymmetricFactors::new(d, 1))
        } else {
            Self::Large(LargeFactors::of(d, &vec![0.0; d * d]))
        }
    }

    /// Factors `matrix` `[d, d]`, finite and symmetric, and returns its rank.
    pub(super) fn factor(&mut self, d: usize, matrix: &[f64]) -> usize {
        match self {
            Self::Small(factors) => {
                factors.factor(matrix, Tolerance::for_dimension::<f64>(d));
                factors.rank(0)
            }
            Self::Large(factors) => {
                *factors = LargeFactors::of(d, matrix);
                let values = factors.eigen.eigenvalues.iter();
                values.filter(|v| v.abs() > factors.threshold).count()
            }
        }
    }

    /// Writes `x = H⁺ b`, both `[d]`.
    pub(super) fn solve(&self, b: &[f64], x: &mut [f64]) {
        match self {
            Self::Small(factors) => factors.solve(0, b, x),
            Self::Large(factors) => factors.solve(b, x),
        }
    }

    /// Eigenvalues in no particular order, `[d]`.
    pub(super) fn eigenvalues(&self) -> &[f64] {
        match self {
            Self::Small(factors) => factors.eigenvalues(0),
            Self::Large(factors) => factors.eigen.eigenvalues.as_slice(),
        }
    }
}

impl LargeFactors {
    fn of(d: usize, matrix: &[f64]) -> Self {
        let eigen = SymmetricEigen::new(DMatrix::from_row_slice(d, d, matrix));
        let largest = eigen.eigenvalues.amax();
        let threshold = Tolerance::for_dimension::<f64>(d).relative * largest;
        Self { eigen, threshold }
    }

    fn solve(&self, b: &[f64], x: &mut [f64]) {
        let mut scaled = self.eigen.eigenvectors.tr_mul(&DVector::from_column_slice(b));
        for (component, value) in scaled.iter_mut().zip(&self.eigen.eigenvalues) {
            *component = if value.abs() > self.threshold { *component / value } else { 0.0 };
        }
        x.copy_from_slice((&self.eigen.eigenvectors * scaled).as_slice());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A = Q Λ Qᵀ with the orthogonal discrete sine basis, so that the exact pseudoinverse is
    /// known.
    fn spectral(d: usize, eigenvalue: impl Fn(usize) -> f64) -> Vec<f64> {
        let n = (d + 1) as f64;
        let basis = |i: usize, k: usize| {
            let angle = std::f64::consts::PI * ((i + 1) * (k + 1)) as f64 / n;
            (2.0 / n).sqrt() * angle.sin()
        };
        let mut a = vec![0.0; d * d];
        for i in 0..d {
            for j in 0..d {
                a[i * d + j] = (0..d).map(|k| eigenvalue(k) * basis(i, k) * basis(j, k)).sum();
            }
        }
        a
    }

    #[test]
    fn regular_and_singular_matrices_of_both_sizes() {
        for d in [1, 2, 5, 16, 17, 40] {
            for null in [0, d / 3] {
                let value = |k: usize| {
                    if k < null { 0.0 } else { (1.0 + k as f64) * if k.is_multiple_of(2) { 1.0 } else { -1.0 } }
                };
                let a = spectral(d, value);
                let inverse = spectral(d, |k| if k < null { 0.0 } else { 1.0 / value(k) });
                let b: Vec<f64> = (0..d).map(|i| (1.3 * i as f64 + 0.2).cos()).collect();
                let mut solve = SymmetricSolve::new(d);
                assert_eq!(solve.factor(d, &a), d - null, "rank at d = {d}");
                let mut x = vec![0.0; d];
                solve.solve(&b, &mut x);
                // max|λ| = d and min|λ| ≥ 1: the condition number is at most d.
                let tolerance = 64.0 * (d * d) as f64 * f64::EPSILON;
                for i in 0..d {
                    let exact: f64 = (0..d).map(|j| inverse[i * d + j] * b[j]).sum();
                    assert!((x[i] - exact).abs() <= tolerance, "{} ≠ {exact} at d = {d}", x[i]);
                }
            }
        }
    }
}
