//! Long chains: what counts as singular must depend on the matrix, not on its length.

use lnn_autodiff::Real;
use lnn_graph::solve::band::{BandFactors, BandShape};
use lnn_graph::solve::{MAX_DENSE_DIMENSION, Method, SolveError};

/// Equal springs between the sites: singular, with constants as null space. `extra` is added to the diagonal.
fn springs<T: Real>(shape: BandShape, extra: f64) -> Vec<T> {
    let mut entries = vec![T::ZERO; shape.entry_count()];
    for i in 0..shape.dimension() {
        entries[2 * i] += T::from_f64(extra);
        if let Some(j) = shape.partner(i, 1) {
            entries[2 * i] += T::ONE;
            entries[2 * j] += T::ONE;
            entries[2 * i + 1] = -T::ONE;
        }
    }
    entries
}

fn check_free_chains<T: Real>() {
    for n in [2, 3, 10, 33, 100, 257, MAX_DENSE_DIMENSION] {
        for shape in [BandShape::open(n, 1), BandShape::cyclic(n, 1)] {
            let mut factors = BandFactors::<T>::new(shape, 1);
            let factored = factors.factor(0, &springs(shape, 0.0)).unwrap();
            assert_eq!(factored.method, Method::Pseudoinverse, "{shape:?} {}", T::NAME);
            // 10 n ε of the largest eigenvalue, 4, is what the tolerance cuts: in single precision slow waves too.
            let cut = |k: usize| {
                let step = if shape.is_cyclic() { 2.0 * k.div_ceil(2) as f64 } else { k as f64 };
                let value = 4.0 * (0.5 * std::f64::consts::PI * step / n as f64).sin().powi(2);
                value <= 10.0 * n as f64 * T::EPSILON.to_f64() * 4.0
            };
            let expected = (0..n).filter(|&k| !cut(k)).count();
            // Two eigenvalues within round-off of the threshold may fall to either side.
            assert!(factored.rank.abs_diff(expected) <= 2 && factored.rank < n, "{shape:?}: {factored:?} {expected}");
        }
    }
}

#[test]
fn a_free_chain_is_singular_at_every_length() {
    check_free_chains::<f32>();
    check_free_chains::<f64>();
}

fn check_too_long<T: Real>(n: usize) {
    for (shape, ends) in [(BandShape::open(n, 1), [n - 1, n - 1]), (BandShape::cyclic(n, 1), [0, n - 1])] {
        let mut factors = BandFactors::<T>::new(shape, 1);
        let error = factors.factor(0, &springs(shape, 0.0)).unwrap_err();
        let SolveError::Singular { unknown, pivot, dimension } = error else { panic!("{error}") };
        assert_eq!(dimension, n);
        assert!((ends[0]..=ends[1]).contains(&unknown), "{shape:?}: {unknown}");
        assert!(pivot.abs() <= n as f64 * T::EPSILON.to_f64() * 2.0, "{shape:?}: {pivot:e}");
        assert!(error.to_string().contains("residual mass"));
        assert_eq!(factors.factored(0), None);
    }
}

#[test]
fn a_singular_matrix_beyond_the_dense_limit_names_its_unknown() {
    check_too_long::<f64>(MAX_DENSE_DIMENSION + 1);
    check_too_long::<f32>(MAX_DENSE_DIMENSION + 1);
    check_too_long::<f64>(5000);
}

fn check_sound<T: Real>(n: usize) {
    for shape in [BandShape::open(n, 1), BandShape::cyclic(n, 1)] {
        let entries = springs::<T>(shape, 1.0);
        let mut factors = BandFactors::<T>::new(shape, 1);
        assert_eq!(factors.factor(0, &entries).unwrap().method, Method::Definite);
        let b: Vec<T> = (0..n).map(|i| T::from_f64((i as f64 * 0.7).sin())).collect();
        let mut x = b.clone();
        factors.solve_in_place(0, &mut x);
        let residual = shape.relative_residual(&entries, &x, &b);
        assert!(residual <= 8.0 * T::EPSILON.to_f64(), "{shape:?}: {residual:e}");
    }
}

/// In single precision n ε is above 1 for the longest: a bound on pivots that grew with n would refuse the matrix.
#[test]
fn a_sound_matrix_is_definite_at_every_length() {
    check_sound::<f32>(3_000_000);
    check_sound::<f64>(100_000);
    check_sound::<f32>(1000);
}

/// cond = 4 · 10⁸ at any length: every digit of the mass that the springs leave must count.
#[test]
fn a_nearly_singular_chain_is_not_singular() {
    let n = 2000;
    for shape in [BandShape::open(n, 1), BandShape::cyclic(n, 1)] {
        let mut factors = BandFactors::<f64>::new(shape, 1);
        assert_eq!(factors.factor(0, &springs(shape, 1e-8)).unwrap().method, Method::Definite);
        let mut x = vec![1.0; n];
        factors.solve_in_place(0, &mut x);
        // A · 1 = 10⁻⁸ · 1; the pivots carry an error of some n ε, which is that share of 10⁻⁸ n at the seam.
        assert!(x.iter().all(|x| (x * 1e-8 - 1.0).abs() <= 1e-8 * 64.0), "{}", x[n / 2]);
    }
}
