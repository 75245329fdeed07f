//! Eigenvalues and eigenvectors of small symmetric matrices by cyclic Jacobi rotations, a matrix a lane.

use crate::{Real, vectorised};

/// Sweeps after which a matrix is given up. Quadratic convergence needs at most 8 at d = 16, and 13 where many
/// eigenvalues are zero up to rounding; so the limit is reached only where an eigenvalue overflowed.
const MAX_SWEEPS: usize = 30;

/// Diagonalises the symmetric `a` `[d, d]` of each of `N` lanes in place and returns which lanes converged.
///
/// On return the diagonal of `a` holds the eigenvalues, unsorted, and column k of `vectors` `[d, d]` the
/// eigenvector of eigenvalue k. Only the upper triangle of `a` is read. A lane's result does not depend on the
/// other lanes: once its off-diagonal entries are negligible, further sweeps leave it as it is.
pub(super) fn diagonalise<T: Real, const N: usize>(d: usize, a: &mut [[T; N]], vectors: &mut [[T; N]]) -> [bool; N] {
    // The same code with loops of a known length for the dimensions that are met most.
    macro_rules! with_dimension {
        ($($known:literal)*) => {
            match d {
                $($known => vectorised(
                    (a, vectors),
                    #[inline(always)]
                    |(a, vectors)| diagonalise_in($known, a, vectors),
                ),)*
                _ => vectorised(
                    (d, a, vectors),
                    #[inline(always)]
                    |(d, a, vectors)| diagonalise_in(d, a, vectors),
                ),
            }
        };
    }
    with_dimension!(1 2 3 4)
}

#[inline(always)]
fn diagonalise_in<T: Real, const N: usize>(d: usize, a: &mut [[T; N]], vectors: &mut [[T; N]]) -> [bool; N] {
    let (a, vectors) = (&mut a[..d * d], &mut vectors[..d * d]);
    vectors.fill([T::ZERO; N]);
    for k in 0..d {
        vectors[k * d + k] = [T::ONE; N];
    }
    let mut finite = [true; N];
    for entry in &*a {
        for lane in 0..N {
            finite[lane] &= entry[lane].is_finite();
        }
    }
    let mut rotated = [true; N];
    for _ in 0..MAX_SWEEPS {
        rotated = [false; N];
        for p in 0..d {
            for q in p + 1..d {
                rotate(d, a, vectors, p, q, &mut rotated);
            }
        }
        let busy = rotated.iter().zip(&finite).fold(false, |busy, (&rotated, &finite)| busy | (rotated & finite));
        if !busy {
            break;
        }
    }
    std::array::from_fn(|lane| finite[lane] & !rotated[lane])
}

/// Annihilates entry (p, q) of every lane, and marks the lanes where it was not negligible against both diagonal
/// entries.
#[inline(always)]
fn rotate<T: Real, const N: usize>(
    d: usize,
    a: &mut [[T; N]],
    vectors: &mut [[T; N]],
    p: usize,
    q: usize,
    rotated: &mut [bool; N],
) {
    // Relative to the geometric mean of the diagonal, small eigenvalues of a graded definite matrix
    // keep their relative accuracy.
    let negligible = T::EPSILON * T::from_f64(0.25);
    let half = T::from_f64(0.5);
    let (off, app, aqq) = (a[p * d + q], a[p * d + p], a[q * d + q]);
    let mut small = [true; N];
    for lane in 0..N {
        let (off, app, aqq) = (off[lane].abs(), app[lane].abs(), aqq[lane].abs());
        let scale = app.sqrt() * aqq.sqrt();
        let larger = if app > aqq { app } else { aqq };
        // Below ε² of the larger entry a rotation changes neither, even where the smaller one is zero.
        small[lane] = (off <= negligible * scale) | (off <= negligible * negligible * larger);
    }
    a[p * d + q] = [T::ZERO; N];
    if small.iter().fold(true, |all, &small| all & small) {
        return;
    }
    let (mut sine, mut cosine) = ([T::ZERO; N], [T::ONE; N]);
    let (mut new_app, mut new_aqq) = (app, aqq);
    for lane in 0..N {
        let (small, off, app, aqq) = (small[lane], off[lane], app[lane], aqq[lane]);
        let theta = (aqq - app) * half / off;
        let far = half / theta;
        let near = T::ONE.copysign(theta) / (theta.abs() + (theta * theta + T::ONE).sqrt());
        let tangent = if theta.abs() > T::ONE / T::EPSILON { far } else { near };
        let tangent = if small { T::ZERO } else { tangent };
        // Not 0 · off: off may be infinite in a lane that is lost anyway, and NaN would spread from it.
        let shift = if small { T::ZERO } else { tangent * off };
        let c = T::ONE / (tangent * tangent + T::ONE).sqrt();
        cosine[lane] = c;
        sine[lane] = tangent * c;
        // A lane that is not rotated keeps its bits, −0 included.
        new_app[lane] = if small { app } else { app - shift };
        new_aqq[lane] = if small { aqq } else { aqq + shift };
        rotated[lane] |= !small;
    }
    a[p * d + p] = new_app;
    a[q * d + q] = new_aqq;
    for k in 0..d {
        if k != p && k != q {
            turn(a, k.min(p) * d + k.max(p), k.min(q) * d + k.max(q), &cosine, &sine);
        }
        turn(vectors, k * d + p, k * d + q, &cosine, &sine);
    }
}

/// `(x, y) ← (c x − s y, s x + c y)`.
#[inline(always)]
fn turn<T: Real, const N: usize>(matrix: &mut [[T; N]], x: usize, y: usize, cosine: &[T; N], sine: &[T; N]) {
    let (old_x, old_y) = (matrix[x], matrix[y]);
    let (mut new_x, mut new_y) = ([T::ZERO; N], [T::ZERO; N]);
    for lane in 0..N {
        new_x[lane] = cosine[lane] * old_x[lane] - sine[lane] * old_y[lane];
        new_y[lane] = sine[lane] * old_x[lane] + cosine[lane] * old_y[lane];
    }
    (matrix[x], matrix[y]) = (new_x, new_y);
}
