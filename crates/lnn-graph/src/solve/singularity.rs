//! When a factorisation counts as one of a singular matrix.
//!
//! A factorisation is exact for a matrix that is off by a few ε max|A| (Higham 2002, theorems 9.3 and 10.3, with the
//! number of terms that meet in an entry in place of n). A pivot below that is noise. The converse does not hold. A
//! pivot δ max|A| magnifies the error of what follows by 1/δ, so that after k such the zero pivot of a singular matrix
//! comes out as ε/δᵏ, far above noise; and in the chain of n equal masses and springs with free ends each pivot inherits
//! the error of the one before, so that the zero pivot comes out as some n ε. To count every pivot below n ε, or one
//! below ε/δᵏ, as noise would refuse sound matrices. So where the smallest is below ε^¼, which allows for k = 3, or
//! below n ε, inverse iteration on the factors at hand gives the eigenvalue nearest to zero, at the price of three solves.

use lnn_autodiff::Real;

/// Multiple of round-off that counts as noise.
const SAFETY: f64 = 8.0;

/// Steps of inverse iteration; each multiplies the share of the wanted eigenvector by the ratio of the two
/// eigenvalues nearest to zero.
const STEPS: usize = 3;

/// The size below which a pivot, or an eigenvalue, is noise where up to `terms` products meet in an entry.
pub(super) fn noise<T: Real>(terms: usize, largest: T) -> T {
    T::from_f64(SAFETY * terms as f64) * T::EPSILON * largest
}

/// Whether a pivot is so small, `max(ε^¼, n ε) max|A|`, that the eigenvalue nearest to zero must be estimated.
pub(super) fn is_suspicious<T: Real>(dimension: usize, pivot: T, largest: T) -> bool {
    let epsilon = T::EPSILON.to_f64();
    pivot.abs() <= T::from_f64(epsilon.sqrt().sqrt().max(dimension as f64 * epsilon)) * largest
}

/// An upper bound, nearly attained, on the distance `1/‖A⁻¹‖∞` of A from a singular matrix.
///
/// `solve` replaces its argument by `A⁻¹` of it; `v` `[n]` is workspace.
pub(super) fn distance<T: Real>(v: &mut [T], mut solve: impl FnMut(&mut [T])) -> T {
    // Signs without a pattern: no smooth, alternating or local null vector is orthogonal to them.
    for (i, v) in v.iter_mut().enumerate() {
        let bits = (i as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        *v = if (bits >> 61).count_ones().is_multiple_of(2) { T::ONE } else { -T::ONE };
    }
    let mut distance = T::ZERO;
    for _ in 0..STEPS {
        solve(v);
        let mut norm = T::ZERO;
        for &v in &*v {
            if !v.is_finite() {
                return T::ZERO;
            }
            norm = if v.abs() > norm { v.abs() } else { norm };
        }
        distance = T::ONE / norm;
        for v in &mut *v {
            *v *= distance;
        }
    }
    distance
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_of_a_diagonal_matrix_is_its_smallest_entry() {
        let diagonal = [3.0, -2e-9, 1.0, 0.5, 7.0];
        let found = distance(&mut [0.0; 5], |v| v.iter_mut().zip(diagonal).for_each(|(v, d)| *v /= d));
        assert!((found - 2e-9_f64).abs() <= 4.0 * f64::EPSILON * 2e-9, "{found}");
    }

    #[test]
    fn a_solve_that_overflows_has_distance_zero() {
        assert_eq!(distance(&mut [0.0_f32; 3], |v| v.iter_mut().for_each(|v| *v /= 0.0)), 0.0);
    }
}
