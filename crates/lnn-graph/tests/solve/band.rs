//! Every rung of the band solver against full matrices.

use lnn_autodiff::Real;
use lnn_graph::solve::band::{BandFactors, BandShape};
use lnn_graph::solve::sparse::SparsePattern;
use lnn_graph::solve::{Factored, Method, SolveError};
use nalgebra::DVector;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::matrix::{Case, Kind, block_case, case, distance, norm, rounded, spectrum};

/// What a solve leaves as a multiple of ε: (w + 1)² products in the bound of `|L| |D| |Lᵀ|` against max|A| (Higham 2002,
/// theorem 10.3, with the band's width for n), and twice the width where the matrix is folded.
fn backward(shape: BandShape) -> f64 {
    let terms = (2 * shape.half_bandwidth() + 1).min(shape.dimension()) as f64;
    8.0 * (1.0 + terms * terms)
}

/// Factors and solves; checks solution, residual and rank; returns how it was done and max|A|.
fn check<T: Real>(case: &Case) -> Result<(Factored, f64), TestCaseError> {
    let (factored, largest) = check_solution::<T>(case.shape, &case.entries(), &case.b)?;
    prop_assert_eq!(factored.rank, case.rank());
    Ok((factored, largest))
}

fn check_solution<T: Real>(shape: BandShape, entries: &[f64], b: &[f64]) -> Result<(Factored, f64), TestCaseError> {
    let n = shape.dimension();
    let ((entries, exact_entries), (b, exact_b)) = (rounded::<T>(entries), rounded::<T>(b));
    let mut factors = BandFactors::<T>::new(shape, 1);
    let factored = factors.factor(0, &entries).unwrap();
    prop_assert_eq!(factors.factored(0), Some(factored));
    let mut x = vec![T::ZERO; n];
    factors.solve_into(0, &b, &mut x);

    let a = crate::matrix::full(n, &shape.to_dense(&exact_entries));
    let largest = a.amax();
    let zero = 4.0 * n as f64 * T::EPSILON.to_f64() * largest;
    let (nearest, farthest, inverse) = spectrum(&a, zero);
    let expected = inverse * DVector::from_column_slice(&exact_b);
    let found: Vec<f64> = x.iter().map(|x| x.to_f64()).collect();
    let condition = if factored.rank == 0 { 1.0 } else { farthest / nearest };
    let unit = backward(shape) * T::EPSILON.to_f64();
    // On the pseudoinverse's rung the null space turns by cond ε, which moves x by |b| / |λ| as well.
    let scale = match factored.method {
        Method::Pseudoinverse if factored.rank > 0 => norm(&exact_b) / nearest * n as f64,
        _ => norm(expected.as_slice()),
    };
    let error = distance(&found, expected.as_slice());
    prop_assert!(error <= unit * condition * scale, "{factored:?}: {error:e}, cond {condition:e}");
    if factored.method != Method::Pseudoinverse {
        let residual = shape.relative_residual(&entries, &x, &b);
        prop_assert!(residual <= unit, "{factored:?}: residual {residual:e}");
        prop_assert!(factored.smallest_pivot.unknown < n);
    }
    Ok((factored, largest))
}

fn expected_method(shape: BandShape, method: Method) -> Method {
    if shape.wraps_on_itself() { Method::Dense } else { method }
}

fn check_definite<T: Real>(case: &Case) -> Result<(), TestCaseError> {
    let (factored, largest) = check::<T>(case)?;
    prop_assert_eq!(factored.method, expected_method(case.shape, Method::Definite));
    if factored.method == Method::Definite {
        // Each pivot is the inverse of a diagonal entry of the inverse of a leading block: no smaller than λ_min, and the
        // one of an unknown at most its diagonal entry.
        let a = case.dense();
        let (nearest, _, _) = spectrum(&a, 0.0);
        let pivot = factored.smallest_pivot;
        let slack = 8.0 * backward(case.shape) * T::EPSILON.to_f64() * largest;
        prop_assert!(pivot.value >= nearest - slack, "{pivot:?} {nearest}");
        prop_assert!(pivot.value <= a[(pivot.unknown, pivot.unknown)] + slack, "{pivot:?}");
        prop_assert!(a.diagonal().iter().all(|entry| pivot.value <= entry + slack));
    }
    Ok(())
}

fn check_indefinite<T: Real>(case: &Case) -> Result<(), TestCaseError> {
    let (factored, _) = check::<T>(case)?;
    prop_assert_eq!(factored.method, expected_method(case.shape, Method::Pivoted));
    Ok(())
}

fn check_singular<T: Real>(case: &Case) -> Result<(), TestCaseError> {
    let (factored, largest) = check::<T>(case)?;
    prop_assert_eq!(factored.method, Method::Pseudoinverse);
    // The last pivot before the ladder is left: noise, magnified by those before it.
    let pivot = factored.smallest_pivot;
    prop_assert!(pivot.unknown < case.shape.dimension());
    prop_assert!(pivot.value.abs() <= T::EPSILON.to_f64().powf(0.25) * largest, "{pivot:?}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_full_matrix_is_the_one_that_the_slots_add_up_to(case in prop_oneof![case(Kind::Indefinite), block_case(Kind::Definite)]) {
        let (shape, entries) = (case.shape, case.entries());
        let n = shape.dimension();
        let (expected, found) = (case.dense(), shape.to_dense(&entries));
        let rounding = 4.0 * (shape.half_bandwidth() + 1) as f64 * f64::EPSILON * expected.amax();
        for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))) {
            prop_assert!((found[i * n + j] - expected[(i, j)]).abs() <= rounding);
        }
        let mut product = vec![f64::NAN; n];
        shape.multiply(&entries, &case.b, &mut product);
        let expected = expected * DVector::from_column_slice(&case.b);
        prop_assert!(distance(&product, expected.as_slice()) <= rounding * n as f64);
    }

    #[test]
    fn definite_matrices_need_no_pivoting(case in prop_oneof![case(Kind::Definite), block_case(Kind::Definite)]) {
        check_definite::<f64>(&case)?;
        check_definite::<f32>(&case)?;
    }

    #[test]
    fn indefinite_matrices_are_pivoted(case in prop_oneof![case(Kind::Indefinite), block_case(Kind::Indefinite)]) {
        check_indefinite::<f64>(&case)?;
        check_indefinite::<f32>(&case)?;
    }

    #[test]
    fn ill_conditioned_matrices_cost_no_more_accuracy_than_they_must(
        double in case(Kind::IllConditioned { digits: 9.0 }), single in case(Kind::IllConditioned { digits: 2.0 }),
    ) {
        prop_assert!(check::<f64>(&double)?.0.method != Method::Pseudoinverse);
        prop_assert!(check::<f32>(&single)?.0.method != Method::Pseudoinverse);
    }

    #[test]
    fn singular_matrices_are_announced(case in prop_oneof![case(Kind::Singular), block_case(Kind::Singular)]) {
        check_singular::<f64>(&case)?;
        check_singular::<f32>(&case)?;
    }

    /// A negative definite matrix is a definite one, to the bit.
    #[test]
    fn the_sign_of_a_definite_matrix_does_not_matter(case in case(Kind::Definite)) {
        let entries = case.entries();
        let negated: Vec<_> = entries.iter().map(|entry| -entry).collect();
        let mut factors = BandFactors::<f64>::new(case.shape, 2);
        let (plus, minus) = (factors.factor(0, &entries).unwrap(), factors.factor(1, &negated).unwrap());
        prop_assert_eq!(plus.method, minus.method);
        prop_assert_eq!(plus.smallest_pivot.value, -minus.smallest_pivot.value);
        let (mut x, mut y) = (case.b.clone(), case.b.clone());
        factors.solve_in_place(0, &mut x);
        factors.solve_in_place(1, &mut y);
        prop_assert!(x.iter().zip(&y).all(|(x, y)| *x == -y));
    }

    /// Loops with a half-bandwidth known to the compiler and without do the same.
    #[test]
    fn zeros_beyond_the_band_change_nothing(case in case(Kind::Definite), wider in 1..=8_usize) {
        prop_assume!(!case.shape.is_cyclic());
        let (n, w) = (case.shape.dimension(), case.shape.half_bandwidth());
        let entries = case.entries();
        let wide = BandShape::open(n, w + wider);
        let mut widened = Vec::new();
        for row in entries.chunks_exact(w + 1) {
            widened.extend_from_slice(row);
            widened.extend(std::iter::repeat_n(0.0, wider));
        }
        let (mut x, mut y) = (case.b.clone(), case.b.clone());
        for (shape, entries, x) in [(case.shape, &entries, &mut x), (wide, &widened, &mut y)] {
            let mut factors = BandFactors::<f64>::new(shape, 1);
            prop_assert_eq!(factors.factor(0, entries).unwrap().method, Method::Definite);
            factors.solve_in_place(0, x);
        }
        prop_assert_eq!(x, y);
    }

    /// Each sample stands on its own rung, and knows nothing of the others.
    #[test]
    fn samples_are_independent(
        cases in (1..=24_usize, 0..=3_usize, any::<bool>()).prop_flat_map(|(n, w, cyclic)| {
            let like = if cyclic { BandShape::cyclic(n, w) } else { BandShape::open(n, w) };
            let entries = prop::collection::vec(-1.0..1.0_f64, like.entry_count());
            (Just(like), prop::collection::vec((entries, 0..4_u8), 1..6))
        })
    ) {
        let (shape, samples) = cases;
        let n = shape.dimension();
        let b: Vec<f64> = (0..n).map(|i| 1.0 - 0.3 * i as f64).collect();
        let mut together = BandFactors::<f64>::new(shape, samples.len());
        let matrices: Vec<Vec<f64>> = samples.iter().map(|(entries, kind)| {
            let mut entries = entries.clone();
            for row in entries.chunks_exact_mut(shape.half_bandwidth() + 1) {
                match kind {
                    0 => row[0] += 10.0,
                    1 => row.fill(0.0),
                    _ => {}
                }
            }
            entries
        }).collect();
        for _ in 0..2 {
            for (sample, entries) in matrices.iter().enumerate() {
                together.factor(sample, entries).unwrap();
            }
        }
        for (sample, entries) in matrices.iter().enumerate() {
            let mut alone = BandFactors::<f64>::new(shape, 1);
            prop_assert_eq!(alone.factor(0, entries).unwrap(), together.factored(sample).unwrap());
            let (mut x, mut y) = (b.clone(), b.clone());
            alone.solve_in_place(0, &mut x);
            together.solve_in_place(sample, &mut y);
            prop_assert_eq!(x, y);
        }
    }
}

#[test]
fn every_length_at_which_the_band_wraps_is_right() {
    for w in 1..=4 {
        for n in 1..=2 * w + 2 {
            let shape = BandShape::cyclic(n, w);
            let entries: Vec<f64> = (0..shape.entry_count())
                .map(|slot| if slot % (w + 1) == 0 { 3.0 * w as f64 } else { (slot as f64).sin() })
                .collect();
            let mut factors = BandFactors::<f64>::new(shape, 1);
            let factored = factors.factor(0, &entries).unwrap();
            assert_eq!(factored.method == Method::Dense, n <= 2 * w, "n = {n}, w = {w}");
            let a = crate::matrix::full(n, &shape.to_dense(&entries));
            let b: Vec<f64> = (0..n).map(|i| (1.0 + i as f64).cos()).collect();
            let expected = a.lu().solve(&DVector::from_column_slice(&b)).unwrap();
            let mut x = b;
            factors.solve_in_place(0, &mut x);
            // Diagonally dominant up to a factor of 3.
            let error = distance(&x, expected.as_slice());
            assert!(error <= 64.0 * n as f64 * f64::EPSILON * norm(&x), "n = {n}, w = {w}: {error:e}");
        }
    }
}

/// Strong bonds in pairs, weak ones between them, and nearly no diagonal: without an exchange of rows each pivot would
/// be the smallest number at hand.
#[test]
fn a_vanishing_diagonal_is_pivoted() {
    for n in [2, 4, 10, 40] {
        for diagonal in [0.0, 1e-13] {
            for shape in
                [BandShape::open(n, 1), BandShape::cyclic(n, 1), BandShape::open(n, 2), BandShape::cyclic(n, 2)]
            {
                let length = shape.half_bandwidth() + 1;
                let entry = |slot: usize| match (slot % length, slot / length % 2) {
                    (0, _) => diagonal,
                    (1, 0) => 2.0,
                    (1, _) => 0.3,
                    _ => 0.1,
                };
                let entries: Vec<f64> = (0..shape.entry_count()).map(entry).collect();
                let b: Vec<f64> = (0..n).map(|i| (1.0 + i as f64).cos()).collect();
                let method = expected_method(shape, Method::Pivoted);
                assert_eq!(check_solution::<f64>(shape, &entries, &b).unwrap().0.method, method, "{shape:?}");
                assert_eq!(check_solution::<f32>(shape, &entries, &b).unwrap().0.method, method, "{shape:?}");
            }
        }
    }
}

/// Two chains, of which one crosses the seam: every other column of the border is zero, and the rest is not.
#[test]
fn a_border_with_gaps_goes_on() {
    for n in [12, 13, 40] {
        let shape = BandShape::cyclic(n, 2);
        let mut entries: Vec<f64> = (0..3 * n).map(|slot| [4.0, 0.0, 1.8][slot % 3]).collect();
        entries[3 * (n - 1) + 2] = 0.0;
        let b: Vec<f64> = (0..n).map(|i| (1.0 + i as f64).cos()).collect();
        let factored = check_solution::<f64>(shape, &entries, &b).unwrap().0;
        assert_eq!(factored.method, Method::Definite);
    }
}

/// One unknown that meets itself: e₀ once, the rest twice.
#[test]
fn a_bond_that_closes_on_its_own_site_counts_twice() {
    let shape = BandShape::cyclic(1, 2);
    assert_eq!(shape.to_dense(&[1.0, 10.0, 100.0]), [221.0]);
    let shape = BandShape::cyclic(2, 2);
    // A(0, 0) = 1 + 2 · 100, A(1, 1) = 2 + 2 · 200, A(0, 1) = 10 + 20.
    assert_eq!(shape.to_dense(&[1.0, 10.0, 100.0, 2.0, 20.0, 200.0]), [201.0, 30.0, 30.0, 402.0]);
}

#[test]
fn a_residual_sees_a_perturbed_solution() {
    let shape = BandShape::cyclic(9, 2);
    let entries: Vec<f64> = (0..shape.entry_count()).map(|slot| if slot % 3 == 0 { 4.0 } else { 0.5 }).collect();
    let b = [1.0; 9];
    let mut x = b;
    let mut factors = BandFactors::<f64>::new(shape, 1);
    factors.factor(0, &entries).unwrap();
    factors.solve_in_place(0, &mut x);
    assert!(shape.relative_residual(&entries, &x, &b) <= backward(shape) * f64::EPSILON);
    x[4] *= 1.0 + 1e-10;
    assert!(shape.relative_residual(&entries, &x, &b) > 1e-12);
    x[4] = f64::NAN;
    assert!(shape.relative_residual(&entries, &x, &b).is_nan());
    assert_eq!(shape.relative_residual(&entries, &[0.0; 9], &[0.0; 9]), 0.0);

    // A = [2 1; 1 3], A x − b = (−1, −2), |A| = 4, |x| = 1, |b| = 2.
    assert_eq!(BandShape::open(2, 1).relative_residual(&[2.0, 1.0, 3.0, 0.0], &[1.0, -1.0], &[2.0, 0.0]), 2.0 / 6.0);
    let pattern = SparsePattern::new(2, &[[0, 1]]).unwrap();
    assert_eq!(pattern.relative_residual(&[2.0, 1.0, 3.0], &[1.0, -1.0], &[2.0, 0.0]), 2.0 / 6.0);
}

#[test]
fn numbers_that_are_not_finite_are_named() {
    for shape in [BandShape::open(5, 1), BandShape::cyclic(5, 1), BandShape::cyclic(2, 1)] {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut entries = [2.0, 0.5].repeat(shape.dimension());
            entries[3] = bad;
            let mut factors = BandFactors::<f64>::new(shape, 1);
            let SolveError::NonFinite { unknown, value } = factors.factor(0, &entries).unwrap_err() else {
                panic!("another error");
            };
            assert_eq!((unknown, value.to_bits()), (1, bad.to_bits()));
            assert_eq!(factors.factored(0), None);
        }
    }
    // What lies beyond the end of an open matrix is not read.
    let mut entries = [2.0, 0.5].repeat(5);
    entries[9] = f64::NAN;
    assert_eq!(BandFactors::<f64>::new(BandShape::open(5, 1), 1).factor(0, &entries).unwrap().method, Method::Definite);
}

#[test]
fn extreme_scales_are_solved() {
    for exponent in [-900, -300, 0, 300, 900] {
        let scale = 2.0_f64.powi(exponent);
        let shape = BandShape::cyclic(12, 2);
        let entries: Vec<f64> = (0..36).map(|slot| scale * if slot % 3 == 0 { 4.0 } else { 0.5 }).collect();
        let mut factors = BandFactors::<f64>::new(shape, 1);
        assert_eq!(factors.factor(0, &entries).unwrap().method, Method::Definite);
        let mut x = [1.0; 12];
        factors.solve_in_place(0, &mut x);
        // All rows sum to 6.
        assert!(x.iter().all(|x| (x * scale * 6.0 - 1.0).abs() <= 16.0 * f64::EPSILON), "{x:?}");
    }
}

#[test]
#[should_panic(expected = "has no factors")]
fn a_solve_without_factors_is_refused() {
    BandFactors::<f64>::new(BandShape::open(3, 1), 2).solve_in_place(1, &mut [0.0; 3]);
}
