//! Random matrices with known inertia, rank and dense form.

use lnn_autodiff::Real;
use lnn_graph::solve::band::BandShape;
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use proptest::sample::select;

/// `A = Uᵀ D U`, U unit upper band (cyclic or open) and near the identity: D decides inertia, rank and condition.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) shape: BandShape,
    /// `[n, 1 + w]`, as the entries of the shape; the first of each row is 1.
    pub(crate) u: Vec<f64>,
    /// `[n]`
    pub(crate) d: Vec<f64>,
    /// `[n]`
    pub(crate) b: Vec<f64>,
}

impl Case {
    /// Entries in the shape's storage.
    pub(crate) fn entries(&self) -> Vec<f64> {
        let (n, length) = (self.shape.dimension(), self.shape.half_bandwidth() + 1);
        let mut entries = vec![0.0; self.shape.entry_count()];
        for k in 0..n {
            let row = &self.u[k * length..][..length];
            for a in 0..length {
                for b in a..length {
                    if let (Some(i), Some(_)) = (self.shape.partner(k, a), self.shape.partner(k, b)) {
                        entries[i * length + b - a] += row[a] * self.d[k] * row[b];
                    }
                }
            }
        }
        entries
    }

    /// The same by a product of full matrices.
    pub(crate) fn dense(&self) -> DMatrix<f64> {
        let (n, length) = (self.shape.dimension(), self.shape.half_bandwidth() + 1);
        let mut u = DMatrix::<f64>::zeros(n, n);
        for k in 0..n {
            for o in 0..length {
                if let Some(j) = self.shape.partner(k, o) {
                    u[(k, j)] += self.u[k * length + o];
                }
            }
        }
        u.transpose() * DMatrix::from_diagonal(&DVector::from_column_slice(&self.d)) * u
    }

    pub(crate) fn rank(&self) -> usize {
        self.d.iter().filter(|d| **d != 0.0).count()
    }
}

/// What D is like.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Definite,
    /// Both signs; needs two unknowns.
    Indefinite,
    /// Condition up to some 10^digits.
    IllConditioned {
        digits: f64,
    },
    /// Some zeros.
    Singular,
}

fn diagonal(kind: Kind, n: usize) -> BoxedStrategy<Vec<f64>> {
    let magnitudes = prop::collection::vec(0.5..2.0_f64, n);
    let all = prop::collection::vec(any::<bool>(), n);
    match kind {
        Kind::Definite => magnitudes.boxed(),
        Kind::Indefinite => (magnitudes, all, 0..n, 1..n)
            .prop_map(move |(d, negative, first, step)| {
                let mut d: Vec<_> =
                    d.iter().zip(negative).map(|(d, negative)| if negative { -d } else { *d }).collect();
                d[first] = d[first].abs();
                d[(first + step) % n] = -d[(first + step) % n].abs();
                d
            })
            .boxed(),
        Kind::IllConditioned { digits } => (magnitudes, prop::collection::vec(0.0..digits, n), any::<bool>(), all)
            .prop_map(|(d, exponents, definite, negative)| {
                let scaled = d.iter().zip(exponents).map(|(d, exponent)| d * 10.0_f64.powf(-exponent));
                scaled.zip(negative).map(|(d, negative)| if negative && !definite { -d } else { d }).collect()
            })
            .boxed(),
        Kind::Singular => (magnitudes, all, 0..n, any::<bool>(), prop::collection::vec(0..4_u8, n))
            .prop_map(|(mut d, negative, zero, definite, zeros)| {
                for i in 0..d.len() {
                    if negative[i] && !definite {
                        d[i] = -d[i];
                    }
                    if zeros[i] == 0 || i == zero {
                        d[i] = 0.0;
                    }
                }
                d
            })
            .boxed(),
    }
}

/// A case of a shape; with c > 1 components U couples whole sites to whole neighbouring sites.
fn of_shape(kind: Kind, shape: BandShape, components: usize) -> impl Strategy<Value = Case> {
    let (n, length) = (shape.dimension(), shape.half_bandwidth() + 1);
    let u = prop::collection::vec(-1.0..1.0_f64, n * length);
    (u, diagonal(kind, n), prop::collection::vec(-1.0..1.0_f64, n)).prop_map(move |(mut u, d, b)| {
        for k in 0..n {
            for o in 0..length {
                let u = &mut u[k * length + o];
                // Row sums of |U − I| below 0.4, so that cond(U) ≤ 1.4² / 0.6² whatever n is.
                *u = match o {
                    0 => 1.0,
                    _ if k % components + o >= length => 0.0,
                    _ => *u * 0.4 / (length - 1) as f64,
                };
            }
        }
        Case { shape, u, d, b }
    })
}

/// Open and cyclic matrices of 1 to 64 unknowns, w = 0..=4; where the band wraps on itself too.
pub(crate) fn case(kind: Kind) -> impl Strategy<Value = Case> {
    let smallest = if matches!(kind, Kind::Indefinite) { 2 } else { 1 };
    let n = prop_oneof![smallest..=9_usize, smallest..=64_usize];
    (n, 0..=4_usize, any::<bool>()).prop_flat_map(move |(n, w, cyclic)| {
        of_shape(kind, if cyclic { BandShape::cyclic(n, w) } else { BandShape::open(n, w) }, 1)
    })
}

/// Fields of 2 and 3 components, coupled over one and two sites.
pub(crate) fn block_case(kind: Kind) -> impl Strategy<Value = Case> {
    (2..=16_usize, select(vec![2_usize, 3]), 1..=2_usize, any::<bool>()).prop_flat_map(
        move |(sites, components, reach, cyclic)| {
            of_shape(kind, BandShape::block(sites, components, reach, cyclic), components)
        },
    )
}

/// Numbers as they stand in the precision under test, in both.
pub(crate) fn rounded<T: Real>(values: &[f64]) -> (Vec<T>, Vec<f64>) {
    let values: Vec<T> = values.iter().map(|&x| T::from_f64(x)).collect();
    let back = values.iter().map(|x| x.to_f64()).collect();
    (values, back)
}

/// A full matrix from its rows.
pub(crate) fn full(n: usize, rows: &[f64]) -> DMatrix<f64> {
    DMatrix::from_row_slice(n, n, rows)
}

/// Smallest and largest |λ|, those below `zero` left out, and the pseudoinverse without them.
pub(crate) fn spectrum(a: &DMatrix<f64>, zero: f64) -> (f64, f64, DMatrix<f64>) {
    let (values, vectors) = eigen(a);
    let magnitudes = || values.iter().map(|value| value.abs()).filter(|value| *value > zero);
    let inverses = values.map(|value| if value.abs() > zero { value.recip() } else { 0.0 });
    let inverse = &vectors * DMatrix::from_diagonal(&inverses) * vectors.transpose();
    (magnitudes().fold(f64::INFINITY, f64::min), magnitudes().fold(0.0, f64::max), inverse)
}

/// Eigenvalues and eigenvectors by Jacobi rotations. nalgebra's own can return NaN where most eigenvalues are zero.
fn eigen(a: &DMatrix<f64>) -> (DVector<f64>, DMatrix<f64>) {
    let n = a.nrows();
    let (mut a, mut vectors) = (a.clone(), DMatrix::identity(n, n));
    let negligible = 0.25 * f64::EPSILON * a.norm() / n as f64;
    for sweep in 0.. {
        assert!(sweep < 40, "the reference does not converge");
        let mut busy = false;
        for q in 1..n {
            for p in 0..q {
                if a[(p, q)].abs() <= negligible {
                    continue;
                }
                busy = true;
                let theta = (a[(q, q)] - a[(p, p)]) / (2.0 * a[(p, q)]);
                let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
                let cosine = 1.0 / tangent.hypot(1.0);
                let sine = tangent * cosine;
                let turn = |x: f64, y: f64| (cosine * x - sine * y, sine * x + cosine * y);
                for k in 0..n {
                    (a[(k, p)], a[(k, q)]) = turn(a[(k, p)], a[(k, q)]);
                }
                for k in 0..n {
                    (a[(p, k)], a[(q, k)]) = turn(a[(p, k)], a[(q, k)]);
                    (vectors[(k, p)], vectors[(k, q)]) = turn(vectors[(k, p)], vectors[(k, q)]);
                }
            }
        }
        if !busy {
            break;
        }
    }
    (a.diagonal(), vectors)
}

pub(crate) fn norm(values: &[f64]) -> f64 {
    values.iter().map(|x| x * x).sum::<f64>().sqrt()
}

pub(crate) fn distance(a: &[f64], b: &[f64]) -> f64 {
    norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>())
}
