//! Input that a diagonaliser may stumble over, and batches.

use lnn_autodiff::Real;
use lnn_autodiff::pseudoinverse::{MAX_DIMENSION, SymmetricFactors, Tolerance};
use nalgebra::DMatrix;
use proptest::prelude::*;

use crate::matrix::{case, entries, factored, pseudoinverse, unit};

#[test]
fn the_zero_matrix_has_rank_zero_and_solves_to_zero() {
    for d in 1..=MAX_DIMENSION {
        for tolerance in [Tolerance::for_dimension::<f32>(d), Tolerance { relative: 0.0, absolute: 0.0 }] {
            let factors = factored::<f32>(&DMatrix::zeros(d, d), tolerance);
            assert!(factors.is_finite(0) && factors.rank(0) == 0 && !factors.is_full_rank(0));
            let (b, mut x, mut null) = (vec![3.0; d], vec![f32::NAN; d], vec![f32::NAN; d]);
            factors.solve(0, &b, &mut x);
            factors.project_onto_null_space(0, &b, &mut null);
            assert_eq!((x, null), (vec![0.0; d], b));
        }
    }
}

#[test]
fn a_matrix_that_is_not_finite_has_no_rank_and_solves_to_nan() {
    fn check<T: Real>() {
        for d in [1, 2, 5, 16] {
            for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                for (i, j) in [(0, 0), (0, d - 1), (d - 1, d - 1)] {
                    // A good matrix before and one after it in the same batch.
                    let mut batch = vec![T::ZERO; 3 * d * d];
                    for (index, entry) in batch.iter_mut().enumerate() {
                        let place = index % (d * d);
                        *entry = if place % (d + 1) == 0 { T::from_f64(2.0) } else { T::ZERO };
                    }
                    batch[d * d + i * d + j] = T::from_f64(bad);
                    batch[d * d + j * d + i] = T::from_f64(bad);
                    let mut factors = SymmetricFactors::<T>::new(d, 3);
                    factors.factor(&batch, Tolerance::for_dimension::<T>(d));
                    assert_eq!([0, 1, 2].map(|n| factors.is_finite(n)), [true, false, true]);
                    assert_eq!([0, 1, 2].map(|n| factors.rank(n)), [d, 0, d]);
                    assert!(!factors.is_full_rank(1));
                    for n in 0..3 {
                        let mut x = vec![T::ZERO; d];
                        factors.solve(n, &vec![T::ONE; d], &mut x);
                        let expected = |x: &T| if n == 1 { !x.is_finite() } else { x.to_f64() == 0.5 };
                        assert!(x.iter().all(expected), "{x:?}");
                    }
                }
            }
        }
    }
    check::<f32>();
    check::<f64>();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_scale_of_the_number_range_is_diagonalised(case in case(6.0), exponent in -1074..1019_i32) {
        // Powers of two: but for underflow, the factors of the scaled matrix are the scaled factors. 2^1019 leaves
        // room for an eigenvalue above the largest entry.
        let d = case.dimension();
        let scale = f64::from(exponent / 2).exp2() * f64::from(exponent - exponent / 2).exp2();
        let h = case.matrix() * scale;
        let factors = factored::<f64>(&h, Tolerance { relative: 1e-9, absolute: 0.0 });
        prop_assert!(factors.is_finite(0), "no convergence at 2^{exponent}");
        let denormal = 2.0_f64.powi(-1074) / scale;
        let mut found: Vec<f64> = factors.eigenvalues(0).iter().map(|value| value / scale).collect();
        let mut expected = case.spectrum.clone();
        found.sort_by(f64::total_cmp);
        expected.sort_by(f64::total_cmp);
        for (found, expected) in found.iter().zip(&expected) {
            let tolerance = unit::<f64>(d) * case.largest() + 2.0 * d as f64 * denormal;
            prop_assert!((found - expected).abs() <= tolerance, "{found} {expected} at 2^{exponent}");
        }
    }

    #[test]
    fn every_scale_of_single_precision_is_diagonalised(
        d in 1..=MAX_DIMENSION, numbers in prop::collection::vec(-1.0..1.0_f64, 136), exponent in -149..123_i32,
    ) {
        // With the smallest scales all entries are a few units of the last place of 0.
        let scale = f64::from(exponent).exp2();
        let mut numbers = numbers.iter();
        let mut h = DMatrix::zeros(d, d);
        for i in 0..d {
            for j in i..d {
                h[(i, j)] = numbers.next().expect("d (d + 1) / 2 of them") * scale;
                h[(j, i)] = h[(i, j)];
            }
        }
        let h = h.map(|x| f64::from(x as f32));
        let factors = factored::<f32>(&h, Tolerance::for_dimension::<f32>(d));
        prop_assert!(factors.is_finite(0), "no convergence at 2^{exponent}");
        let sum: f64 = factors.eigenvalues(0).iter().map(|&value| f64::from(value)).sum();
        let denormal = 2.0_f64.powi(-149);
        prop_assert!((sum - h.trace()).abs() <= d as f64 * (unit::<f32>(d) * h.norm() + denormal));
    }

    #[test]
    fn a_tiny_block_beside_a_large_one_is_diagonalised(
        case in case(3.0), exponent in -1074..-900_i32, coupling in -1.0..1.0_f64,
    ) {
        // One entry of 1 beside a block whose entries are denormal or nearly so.
        let tiny = f64::from(exponent / 2).exp2() * f64::from(exponent - exponent / 2).exp2();
        let d = case.dimension().min(MAX_DIMENSION - 1) + 1;
        let block = case.matrix();
        let h = DMatrix::from_fn(d, d, |i, j| match (i, j) {
            (0, 0) => 1.0,
            (0, _) | (_, 0) => coupling * tiny,
            _ => block[(i - 1, j - 1)] * tiny,
        });
        let factors = factored::<f64>(&h, Tolerance::for_dimension::<f64>(d));
        prop_assert!(factors.is_finite(0));
        prop_assert_eq!(factors.rank(0), 1);
        let x = pseudoinverse(&factors);
        prop_assert!((x[(0, 0)] - 1.0).abs() <= unit::<f64>(d) && x.norm() <= 1.0 + unit::<f64>(d));
    }

    #[test]
    fn a_matrix_of_a_batch_is_factored_as_if_alone(cases in prop::collection::vec(case(3.0), 1..5), spare in 0..3_usize) {
        for case in &cases {
            let d = case.dimension();
            let batch: Vec<f64> = cases.iter().filter(|other| other.dimension() == d)
                .flat_map(|other| entries::<f64>(&other.matrix())).collect();
            let count = batch.len() / (d * d);
            let mut factors = SymmetricFactors::new(d, count + spare);
            prop_assert!(factors.is_empty());
            // A full batch of other matrices first.
            factors.factor(&vec![f64::NAN; (count + spare) * d * d], Tolerance::for_dimension::<f64>(d));
            factors.factor(&batch, Tolerance::for_dimension::<f64>(d));
            prop_assert_eq!(factors.len(), count);
            for (index, matrix) in batch.chunks_exact(d * d).enumerate() {
                let alone = factored::<f64>(&DMatrix::from_column_slice(d, d, matrix), Tolerance::for_dimension::<f64>(d));
                prop_assert_eq!(factors.rank(index), alone.rank(0));
                prop_assert_eq!(factors.eigenvalues(index), alone.eigenvalues(0));
                let b: Vec<f64> = (0..d).map(|i| 1.0 - 0.3 * i as f64).collect();
                let (mut x, mut y) = (vec![f64::NAN; d], vec![f64::NAN; d]);
                factors.solve(index, &b, &mut x);
                alone.solve(0, &b, &mut y);
                prop_assert_eq!(x, y);
            }
        }
    }
}

#[test]
fn an_eigenvalue_that_overflows_is_no_rank() {
    // All entries are finite, the eigenvalue 2 · MAX is not.
    let factors = factored::<f64>(&DMatrix::from_element(2, 2, f64::MAX), Tolerance::for_dimension::<f64>(2));
    assert!(!factors.is_finite(0) && factors.rank(0) == 0);
    assert!(factors.eigenvalues(0).iter().all(|value| value.is_nan()));
}

#[test]
fn only_the_upper_triangle_is_read() {
    let mut factors = SymmetricFactors::<f64>::new(2, 1);
    factors.factor(&[2.0, 1.0, -7.0, 2.0], Tolerance::for_dimension::<f64>(2));
    let mut x = [0.0; 2];
    factors.solve(0, &[3.0, 3.0], &mut x);
    assert!(x.iter().all(|x| (x - 1.0).abs() <= unit::<f64>(2)), "{x:?}");
}

#[test]
#[should_panic(expected = "dimension 0 is outside 1..=16")]
fn no_dimension() {
    SymmetricFactors::<f64>::new(0, 1);
}

#[test]
#[should_panic(expected = "dimension 17 is outside 1..=16")]
fn too_large_a_dimension() {
    SymmetricFactors::<f64>::new(MAX_DIMENSION + 1, 1);
}

#[test]
#[should_panic(expected = "2 matrices do not fit into 1")]
fn more_matrices_than_the_capacity() {
    SymmetricFactors::<f64>::new(2, 1).factor(&[0.0; 8], Tolerance::for_dimension::<f64>(2));
}

#[test]
#[should_panic(expected = "7 numbers are no whole number of 2 × 2 matrices")]
fn part_of_a_matrix() {
    SymmetricFactors::<f64>::new(2, 2).factor(&[0.0; 7], Tolerance::for_dimension::<f64>(2));
}

#[test]
#[should_panic(expected = "matrix 1 of 1")]
fn a_matrix_that_was_not_factored() {
    let mut factors = SymmetricFactors::<f64>::new(2, 2);
    factors.factor(&[1.0, 0.0, 0.0, 1.0], Tolerance::for_dimension::<f64>(2));
    factors.solve(1, &[1.0, 1.0], &mut [0.0; 2]);
}
