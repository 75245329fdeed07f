//! The four Penrose conditions, the rank, and another program's eigenvalues.

use lnn_autodiff::Real;
use lnn_autodiff::pseudoinverse::{SymmetricFactors, Tolerance};
use nalgebra::DMatrix;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::matrix::{Case, case, factored, null_projection, pseudoinverse, unit};

/// The worst violation of each condition, as a share of what round-off allows.
///
/// X is the exact pseudoinverse of a matrix off by `unit · |H|`, so X is off by `unit · cond · |X|`; each product with
/// |H| or |X| carries that on.
fn penrose(h: &DMatrix<f64>, x: &DMatrix<f64>, unit: f64) -> [f64; 4] {
    let (hx, xh) = (h * x, x * h);
    let (norm, inverse) = (h.norm(), x.norm());
    // 1 where H is zero: then X must be zero too.
    let condition = (norm * inverse).max(1.0);
    let worst = |difference: DMatrix<f64>, scale: f64| {
        let error = difference.iter().fold(0.0, |worst: f64, x| if x.is_nan() { f64::NAN } else { worst.max(x.abs()) });
        if error == 0.0 { 0.0 } else { error / (unit * condition * scale) }
    };
    [
        worst(&hx * h - h, norm),
        worst(&xh * x - x, inverse * condition),
        worst(&hx - hx.transpose(), 1.0),
        worst(&xh - xh.transpose(), 1.0),
    ]
}

fn accepted(shares: [f64; 4]) -> bool {
    shares.iter().all(|&share| share <= 1.0)
}

fn check<T: Real>(case: &Case) -> Result<(), TestCaseError> {
    let d = case.dimension();
    // As it stands in the precision under test.
    let h = case.matrix().map(|x| T::from_f64(x).to_f64());
    let factors = factored::<T>(&h, Tolerance::for_dimension::<T>(d));
    prop_assert!(factors.is_finite(0));
    prop_assert_eq!(factors.rank(0), case.rank());
    prop_assert_eq!(factors.is_full_rank(0), case.rank() == d);
    let x = pseudoinverse(&factors);
    let unit = unit::<T>(d);
    let shares = penrose(&h, &x, unit);
    prop_assert!(accepted(shares), "{shares:?}");

    let exact = case.function(|value| if value == 0.0 { 0.0 } else { value.recip() });
    prop_assert!((&x - exact).amax() <= unit * case.condition().powi(2) / case.largest().max(f64::MIN_POSITIVE));
    let projection = null_projection(&factors);
    let expected = DMatrix::identity(d, d) - case.function(|value| if value == 0.0 { 0.0 } else { 1.0 });
    prop_assert!((projection - expected).amax() <= unit * case.condition());

    let mut found: Vec<f64> = factors.eigenvalues(0).iter().map(|value| value.to_f64()).collect();
    let mut other: Vec<f64> = h.symmetric_eigen().eigenvalues.iter().copied().collect();
    found.sort_by(f64::total_cmp);
    other.sort_by(f64::total_cmp);
    for (found, other) in found.iter().zip(&other) {
        prop_assert!((found - other).abs() <= unit * case.largest(), "{found:e} {other:e}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn penrose_conditions_hold_in_double_precision(case in case(10.0)) {
        check::<f64>(&case)?;
    }

    #[test]
    fn penrose_conditions_hold_in_single_precision(case in case(2.5)) {
        check::<f32>(&case)?;
    }

    #[test]
    fn tolerances_decide_the_rank(case in case(12.0), exponent in 1..12_i32, size in -30..30_i32) {
        // No eigenvalue within round-off of the threshold.
        let threshold = 10.0_f64.powi(-exponent);
        let largest = case.largest();
        let d = case.dimension();
        prop_assume!(largest > 0.0);
        let clear = case.spectrum.iter().all(|value| (value.abs() / largest - threshold).abs() > unit::<f64>(d));
        prop_assume!(clear);
        let scale = f64::from(size).exp2();
        let h = case.matrix() * scale;
        let expected = case.spectrum.iter().filter(|value| value.abs() > threshold * largest).count();
        let relative = Tolerance { relative: threshold, absolute: 0.0 };
        let absolute = Tolerance { relative: 0.0, absolute: threshold * largest * scale };
        let both = [relative, absolute, Tolerance { relative: threshold, absolute: absolute.absolute }];
        for tolerance in both {
            let factors = factored::<f64>(&h, tolerance);
            prop_assert_eq!(factors.rank(0), expected, "{:?}", tolerance);
            // What does not count is neither inverted nor kept: X H is the projection of that rank.
            let projection = DMatrix::identity(d, d) - null_projection(&factors);
            prop_assert!((projection.trace() - expected as f64).abs() <= unit::<f64>(d) * d as f64);
            prop_assert!(pseudoinverse(&factors).norm() <= (d as f64).sqrt() / (threshold * largest * scale) * (1.0 + 1e-9));
        }
        // The larger tolerance decides.
        let beyond = Tolerance { relative: threshold, absolute: 2.0 * largest * scale };
        prop_assert_eq!(factored::<f64>(&h, beyond).rank(0), 0);
    }

    #[test]
    fn a_graded_definite_matrix_keeps_its_small_eigenvalues(
        off in prop::collection::vec(-0.05..0.05_f64, 36), exponents in prop::collection::vec(0..40_i32, 1..=6),
    ) {
        // D A D with A near the identity: each eigenvalue has relative accuracy, whatever the powers of two in D are
        // (Demmel and Veselić 1992), where |H| ε alone would lose those below 10⁻¹⁶.
        let d = exponents.len();
        let scale = |i: usize| f64::from(-exponents[i]).exp2();
        let a = DMatrix::from_fn(d, d, |i, j| if i == j { 1.0 } else { off[i.min(j) * 6 + i.max(j)] });
        let h = DMatrix::from_fn(d, d, |i, j| a[(i, j)] * scale(i) * scale(j));
        let factors = factored::<f64>(&h, Tolerance { relative: 0.0, absolute: 0.0 });
        prop_assert_eq!(factors.rank(0), d);
        // X = D⁻¹ A⁻¹ D⁻¹, entry for entry, with cond(A) ≤ 1.25 / 0.75.
        let inverse = a.try_inverse().expect("diagonally dominant");
        let x = pseudoinverse(&factors);
        for (i, j) in (0..d).flat_map(|i| (0..d).map(move |j| (i, j))) {
            let scaled = x[(i, j)] * scale(i) * scale(j);
            prop_assert!((scaled - inverse[(i, j)]).abs() <= 4.0 * unit::<f64>(d), "{scaled} {}", inverse[(i, j)]);
        }
    }
}

#[test]
fn each_condition_refuses_a_perturbed_pseudoinverse() {
    let q = DMatrix::from_row_slice(3, 3, &[0.6, -0.8, 0.0, 0.8, 0.6, 0.0, 0.0, 0.0, 1.0]);
    let case = Case { spectrum: vec![2.0, -0.5, 0.0], q };
    let h = case.matrix();
    let x = pseudoinverse(&factored::<f64>(&h, Tolerance::for_dimension::<f64>(3)));
    let unit = unit::<f64>(3);
    assert!(accepted(penrose(&h, &x, unit)));
    let off = 1e-10;
    // Each breaks at least the condition named, by a term that the others may not see.
    let scaled = penrose(&h, &(&x * (1.0 + off)), unit);
    assert!(scaled[0] > 1.0 && scaled[1] > 1.0, "{scaled:?}");
    let mut outside = x.clone();
    outside[(2, 2)] = off;
    let outside = penrose(&h, &outside, unit);
    assert!(outside[0] <= 1.0 && outside[1] > 1.0, "{outside:?}");
    let mut row = x.clone();
    row[(2, 0)] = off;
    assert!(penrose(&h, &row, unit)[3] > 1.0);
    let mut column = x.clone();
    column[(0, 2)] = off;
    assert!(penrose(&h, &column, unit)[2] > 1.0);
    assert!(!accepted(penrose(&h, &(x * f64::NAN), unit)));
}

/// Matrices are factored in groups; what shares a group with a matrix must not show in any bit of its result.
#[test]
fn the_neighbours_in_a_batch_change_nothing() {
    for d in [1, 2, 3, 5, 8] {
        let entry = |m: usize, i: usize, j: usize| ((m * 31 + i.min(j) * 7 + i.max(j) * 3) as f64 * 0.61).sin();
        let mut batch = Vec::new();
        for m in 0..37 {
            // Some need many sweeps, some none, some are lost.
            let scale = if m % 5 == 0 { 1e-12 } else { 1.0 };
            for i in 0..d {
                for j in 0..d {
                    let off = if i == j { 1.0 } else { scale };
                    let off = if m == 7 { -0.0 } else { off };
                    batch.push(if m == 20 { f64::NAN } else { off * entry(m, i, j) });
                }
            }
        }
        let tolerance = Tolerance::for_dimension::<f64>(d);
        let mut together = SymmetricFactors::<f64>::new(d, 37);
        together.factor(&batch, tolerance);
        let mut alone = SymmetricFactors::<f64>::new(d, 1);
        for (m, matrix) in batch.chunks_exact(d * d).enumerate() {
            alone.factor(matrix, tolerance);
            assert_eq!(alone.is_finite(0), m != 20);
            assert_eq!((together.is_finite(m), together.rank(m)), (alone.is_finite(0), alone.rank(0)));
            let b: Vec<f64> = (0..d).map(|i| 1.0 - 0.3 * i as f64).collect();
            let (mut x, mut y) = (vec![0.0; d], vec![0.0; d]);
            together.solve(m, &b, &mut x);
            alone.solve(0, &b, &mut y);
            let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&x), bits(&y), "d = {d}, matrix {m}");
            assert_eq!(bits(together.eigenvalues(m)), bits(alone.eigenvalues(0)));
        }
    }
}
