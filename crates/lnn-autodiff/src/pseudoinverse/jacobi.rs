//! Eigenvalues and eigenvectors of one small symmetric matrix by cyclic Jacobi rotations.

use crate::Real;

/// Sweeps after which a matrix is given up. Quadratic convergence needs at most 8 at d = 16, and 13 where many eigenvalues
/// are zero up to rounding; so the limit is reached only where an eigenvalue overflowed.
const MAX_SWEEPS: usize = 30;

/// Diagonalises the symmetric `a` `[d, d]` in place and returns whether it converged.
///
/// On return the diagonal of `a` holds the eigenvalues, unsorted, and column k of `vectors` `[d, d]` the
/// eigenvector of eigenvalue k. Only the upper triangle of `a` is read.
pub(super) fn diagonalise<T: Real>(d: usize, a: &mut [T], vectors: &mut [T]) -> bool {
    // The same code with loops of a known length for the dimensions that are met most.
    match d {
        1 => diagonalise_in(1, a, vectors),
        2 => diagonalise_in(2, a, vectors),
        3 => diagonalise_in(3, a, vectors),
        4 => diagonalise_in(4, a, vectors),
        _ => diagonalise_in(d, a, vectors),
    }
}

#[inline(always)]
fn diagonalise_in<T: Real>(d: usize, a: &mut [T], vectors: &mut [T]) -> bool {
    let (a, vectors) = (&mut a[..d * d], &mut vectors[..d * d]);
    vectors.fill(T::ZERO);
    for k in 0..d {
        vectors[k * d + k] = T::ONE;
    }
    if a.iter().any(|x| !x.is_finite()) {
        return false;
    }
    for _ in 0..MAX_SWEEPS {
        let mut rotated = false;
        for p in 0..d {
            for q in p + 1..d {
                rotated |= rotate(d, a, vectors, p, q);
            }
        }
        if !rotated {
            return true;
        }
    }
    false
}

/// Annihilates entry (p, q); returns false where it is negligible against both diagonal entries.
#[inline(always)]
fn rotate<T: Real>(d: usize, a: &mut [T], vectors: &mut [T], p: usize, q: usize) -> bool {
    let off = a[p * d + q];
    let (app, aqq) = (a[p * d + p], a[q * d + q]);
    // Relative to the geometric mean of the diagonal, small eigenvalues of a graded definite matrix
    // keep their relative accuracy.
    let negligible = T::EPSILON * T::from_f64(0.25);
    let scale = app.abs().sqrt() * aqq.abs().sqrt();
    let larger = if app.abs() > aqq.abs() { app.abs() } else { aqq.abs() };
    // Below ε² of the larger entry a rotation changes neither, even where the smaller one is zero.
    if off.abs() <= negligible * scale || off.abs() <= negligible * negligible * larger {
        a[p * d + q] = T::ZERO;
        return false;
    }
    let half = T::from_f64(0.5);
    let theta = (aqq - app) * half / off;
    let sign = T::ONE.copysign(theta);
    let tangent = if theta.abs() > T::ONE / T::EPSILON {
        half / theta
    } else {
        sign / (theta.abs() + (theta * theta + T::ONE).sqrt())
    };
    let cosine = T::ONE / (tangent * tangent + T::ONE).sqrt();
    let sine = tangent * cosine;
    a[p * d + p] = app - tangent * off;
    a[q * d + q] = aqq + tangent * off;
    a[p * d + q] = T::ZERO;
    for k in 0..d {
        if k != p && k != q {
            let (kp, kq) = (k.min(p) * d + k.max(p), k.min(q) * d + k.max(q));
            let (x, y) = (a[kp], a[kq]);
            a[kp] = cosine * x - sine * y;
            a[kq] = sine * x + cosine * y;
        }
        let (x, y) = (vectors[k * d + p], vectors[k * d + q]);
        vectors[k * d + p] = cosine * x - sine * y;
        vectors[k * d + q] = sine * x + cosine * y;
    }
    true
}
