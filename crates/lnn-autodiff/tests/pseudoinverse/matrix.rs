//! Random symmetric matrices of a known spectrum.

use lnn_autodiff::Real;
use lnn_autodiff::pseudoinverse::{MAX_DIMENSION, SymmetricFactors, Tolerance};
use nalgebra::DMatrix;
use proptest::prelude::*;

/// `Q diag(spectrum) Qᵀ` with Q orthogonal.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) spectrum: Vec<f64>,
    pub(crate) q: DMatrix<f64>,
}

impl Case {
    pub(crate) fn dimension(&self) -> usize {
        self.spectrum.len()
    }
    pub(crate) fn rank(&self) -> usize {
        self.spectrum.iter().filter(|&&value| value != 0.0).count()
    }
    /// `V f(Λ) Vᵀ`, exactly symmetric.
    pub(crate) fn function(&self, f: impl Fn(f64) -> f64) -> DMatrix<f64> {
        let d = self.dimension();
        let diagonal = DMatrix::from_fn(d, d, |i, j| if i == j { f(self.spectrum[i]) } else { 0.0 });
        let product = &self.q * diagonal * self.q.transpose();
        (&product + product.transpose()) * 0.5
    }
    pub(crate) fn matrix(&self) -> DMatrix<f64> {
        self.function(|value| value)
    }
    /// Largest |λ|.
    pub(crate) fn largest(&self) -> f64 {
        self.spectrum.iter().fold(0.0, |largest, value| largest.max(value.abs()))
    }
    /// Largest over smallest nonzero |λ|; 1 for the zero matrix.
    pub(crate) fn condition(&self) -> f64 {
        let nonzero = self.spectrum.iter().map(|value| value.abs()).filter(|&value| value > 0.0);
        let smallest = nonzero.fold(f64::INFINITY, f64::min);
        if smallest.is_finite() { self.largest() / smallest } else { 1.0 }
    }
}

/// An orthogonal matrix: the Q of a random one.
fn orthogonal(d: usize) -> impl Strategy<Value = DMatrix<f64>> {
    prop::collection::vec(-1.0..1.0_f64, d * d)
        .prop_map(move |entries| DMatrix::from_vec(d, d, entries))
        // Else Q would keep few of its random directions.
        .prop_filter("a matrix close to singular", |m| m.clone().svd(false, false).singular_values.min() > 1e-6)
        .prop_map(|m| m.qr().q())
}

/// Magnitudes of eigenvalues by kind: close together, graded over `decades`, or all the same.
fn magnitudes(rank: usize, decades: f64) -> impl Strategy<Value = Vec<f64>> {
    let close = prop::collection::vec(0.5..2.0_f64, rank);
    let graded = prop::collection::vec((0.0..decades).prop_map(|decade| 10.0_f64.powf(-decade)), rank);
    let repeated = (0.5..2.0_f64).prop_map(move |value| vec![value; rank]);
    prop_oneof![close, graded, repeated]
}

/// d = 1..=16, rank 0..=d, definite or not.
pub(crate) fn case(decades: f64) -> impl Strategy<Value = Case> {
    (1..=MAX_DIMENSION)
        .prop_flat_map(|d| (Just(d), 0..=d))
        .prop_flat_map(move |(d, rank)| {
            let signs = prop_oneof![
                Just(vec![1.0; rank]),
                Just(vec![-1.0; rank]),
                prop::collection::vec(prop::sample::select(vec![-1.0, 1.0]), rank)
            ];
            (Just(d), magnitudes(rank, decades), signs, orthogonal(d))
        })
        .prop_map(|(d, magnitudes, signs, q)| {
            let mut spectrum: Vec<f64> = magnitudes.iter().zip(&signs).map(|(value, sign)| value * sign).collect();
            spectrum.resize(d, 0.0);
            Case { spectrum, q }
        })
}

/// Row-major entries; a symmetric matrix is its own transpose.
pub(crate) fn entries<T: Real>(matrix: &DMatrix<f64>) -> Vec<T> {
    matrix.iter().map(|&x| T::from_f64(x)).collect()
}

pub(crate) fn factored<T: Real>(matrix: &DMatrix<f64>, tolerance: Tolerance) -> SymmetricFactors<T> {
    let mut factors = SymmetricFactors::new(matrix.nrows(), 1);
    factors.factor(&entries::<T>(matrix), tolerance);
    factors
}

/// `H⁺` column by column, in double precision.
pub(crate) fn pseudoinverse<T: Real>(factors: &SymmetricFactors<T>) -> DMatrix<f64> {
    columns(factors, |unit, column| factors.solve(0, unit, column))
}

/// `P` column by column.
pub(crate) fn null_projection<T: Real>(factors: &SymmetricFactors<T>) -> DMatrix<f64> {
    columns(factors, |unit, column| factors.project_onto_null_space(0, unit, column))
}

fn columns<T: Real>(factors: &SymmetricFactors<T>, apply: impl Fn(&[T], &mut [T])) -> DMatrix<f64> {
    let d = factors.dimension();
    let mut matrix = DMatrix::zeros(d, d);
    for j in 0..d {
        let (mut unit, mut column) = (vec![T::ZERO; d], vec![T::from_f64(f64::NAN); d]);
        unit[j] = T::ONE;
        apply(&unit, &mut column);
        for (i, x) in column.iter().enumerate() {
            matrix[(i, j)] = x.to_f64();
        }
    }
    matrix
}

/// Round-off of forming, diagonalising and applying a d × d matrix, relative to its norm.
///
/// Entry-wise: the products with Q and Qᵀ of d terms each, and up to ten sweeps of d − 1 rotations that touch an entry.
pub(crate) fn unit<T: Real>(d: usize) -> f64 {
    (12 * d) as f64 * T::EPSILON.to_f64()
}
