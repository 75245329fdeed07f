//! Cotangents by ⟨x̄, J v⟩ = ⟨Jᵀ x̄, v⟩ and by central differences, on every rung.

use std::sync::Arc;

use lnn_autodiff::Real;
use lnn_graph::solve::Method;
use lnn_graph::solve::band::{BandFactors, BandShape};
use lnn_graph::solve::sparse::{SparseFactors, SparsePattern};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::matrix::{Case, Kind, block_case, case, full, norm, rounded, spectrum};

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Numbers that follow no pattern of the cases.
fn wave(count: usize, phase: f64) -> Vec<f64> {
    (0..count).map(|i| (1.7 * i as f64 + phase).sin()).collect()
}

fn solved(shape: BandShape, entries: &[f64], b: &[f64]) -> Vec<f64> {
    let mut factors = BandFactors::<f64>::new(shape, 1);
    factors.factor(0, entries).unwrap();
    let mut x = b.to_vec();
    factors.solve_in_place(0, &mut x);
    x
}

/// A change of the entries along which none beyond the end of an open matrix moves.
fn direction(shape: BandShape) -> Vec<f64> {
    let length = shape.half_bandwidth() + 1;
    let mut direction = wave(shape.entry_count(), 0.4);
    for (slot, entry) in direction.iter_mut().enumerate() {
        if shape.partner(slot / length, slot % length).is_none() {
            *entry = 0.0;
        }
    }
    direction
}

/// `⟨x̄, dx⟩` with dx = A⁻¹ (db − dA x) from the same factors, in the precision under test.
fn check_pairing<T: Real>(case: &Case) -> Result<(), TestCaseError> {
    let shape = case.shape;
    let n = shape.dimension();
    let ((entries, exact_entries), (b, _)) = (rounded::<T>(&case.entries()), rounded::<T>(&case.b));
    let ((x_bar, exact_x_bar), (b_tan, exact_b_tan)) = (rounded::<T>(&wave(n, 0.0)), rounded::<T>(&wave(n, 0.8)));
    let (entries_tan, exact_entries_tan) = rounded::<T>(&direction(shape));
    let mut factors = BandFactors::<T>::new(shape, 2);
    factors.factor(1, &entries).unwrap();
    let (mut x, mut b_bar) = (vec![T::ZERO; n], vec![T::ZERO; n]);
    factors.solve_into(1, &b, &mut x);
    let mut entries_bar = vec![T::from_f64(f64::NAN); entries.len()];
    factors.vjp(1, &b, &x, &x_bar, &mut b_bar, &mut entries_bar);

    let mut x_tan = vec![T::ZERO; n];
    shape.multiply(&entries_tan, &x, &mut x_tan);
    for (x_tan, &b_tan) in x_tan.iter_mut().zip(&b_tan) {
        *x_tan = b_tan - *x_tan;
    }
    factors.solve_in_place(1, &mut x_tan);
    let exact = |values: &[T]| values.iter().map(|x| x.to_f64()).collect::<Vec<_>>();
    let (b_bar, entries_bar, x, x_tan) = (exact(&b_bar), exact(&entries_bar), exact(&x), exact(&x_tan));
    let forward = dot(&exact_x_bar, &x_tan);
    let reverse = dot(&b_bar, &exact_b_tan) + dot(&entries_bar, &exact_entries_tan);
    let (nearest, farthest, _) = spectrum(&full(n, &shape.to_dense(&exact_entries)), 0.0);
    let moved = norm(&exact_b_tan) + norm(&exact_entries_tan) * norm(&x);
    let width = (2 * shape.half_bandwidth() + 2) as f64;
    let allowed =
        64.0 * width * width * T::EPSILON.to_f64() * (farthest / nearest) * norm(&exact_x_bar) * moved / nearest;
    prop_assert!((forward - reverse).abs() <= allowed, "{forward} {reverse}, allowed {allowed:e}");
    Ok(())
}

/// Central differences along a path of entries and b; `path(t)` gives both.
fn check_differences(
    shape: BandShape,
    path: impl Fn(f64) -> (Vec<f64>, Vec<f64>),
    method: Option<Method>,
) -> Result<(), TestCaseError> {
    let n = shape.dimension();
    let h = f64::EPSILON.cbrt();
    let (entries, b) = path(0.0);
    let (ahead, behind) = (path(h), path(-h));
    let slope =
        |ahead: &[f64], behind: &[f64]| ahead.iter().zip(behind).map(|(a, b)| (a - b) / (2.0 * h)).collect::<Vec<_>>();
    let (entries_tan, b_tan) = (slope(&ahead.0, &behind.0), slope(&ahead.1, &behind.1));

    let mut factors = BandFactors::<f64>::new(shape, 1);
    let factored = factors.factor(0, &entries).unwrap();
    prop_assert!(method.is_none_or(|method| method == factored.method));
    let (mut x, mut b_bar, mut entries_bar) = (vec![0.0; n], vec![0.0; n], vec![f64::NAN; entries.len()]);
    factors.solve_into(0, &b, &mut x);
    let x_bar = wave(n, 0.0);
    factors.vjp(0, &b, &x, &x_bar, &mut b_bar, &mut entries_bar);
    let found = dot(&b_bar, &b_tan) + dot(&entries_bar, &entries_tan);

    let (x_ahead, x_behind) = (solved(shape, &ahead.0, &ahead.1), solved(shape, &behind.0, &behind.1));
    let expected = dot(&x_bar, &slope(&x_ahead, &x_behind));
    let a = full(n, &shape.to_dense(&entries));
    let (nearest, farthest, _) = spectrum(&a, 1e-9 * a.amax().max(f64::MIN_POSITIVE));
    prop_assume!(nearest.is_finite());
    // h² times the third derivative, of which each order brings a factor |dA| / |λ|min; and ε cond |x| / h.
    let rate = 1.0 + full(n, &shape.to_dense(&entries_tan)).norm() / nearest;
    let third = 6.0 * rate.powi(3) * (norm(&b) + norm(&b_tan)) / nearest;
    let rounding = 64.0 * n as f64 * f64::EPSILON * (farthest / nearest).powi(2) * (norm(&b) / nearest) / h;
    let allowed = norm(&x_bar) * (h * h * third + rounding);
    prop_assert!((found - expected).abs() <= allowed, "{factored:?}: {found} {expected}, allowed {allowed:e}");
    Ok(())
}

/// A path along which the rank does not change: U and b move, D does not.
fn rank_keeping(case: &Case, t: f64) -> (Vec<f64>, Vec<f64>) {
    let length = case.shape.half_bandwidth() + 1;
    let mut moved = case.clone();
    let steps = wave(moved.u.len(), 0.4);
    for (place, (u, step)) in moved.u.iter_mut().zip(steps).enumerate() {
        if place % length > 0 {
            *u += t * step / length as f64;
        }
    }
    moved.b.iter_mut().zip(wave(case.b.len(), 0.8)).for_each(|(b, step)| *b += t * step);
    (moved.entries(), moved.b)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn cotangents_pair_with_tangents(
        case in prop_oneof![case(Kind::Definite), case(Kind::Indefinite), block_case(Kind::Definite)]
    ) {
        check_pairing::<f64>(&case)?;
        check_pairing::<f32>(&case)?;
    }

    #[test]
    fn cotangents_are_central_differences(case in prop_oneof![case(Kind::Definite), case(Kind::Indefinite)]) {
        let steps = direction(case.shape);
        let path = |t: f64| {
            let entries = case.entries().iter().zip(&steps).map(|(entry, step)| entry + t * step).collect();
            let b = case.b.iter().zip(wave(case.b.len(), 0.8)).map(|(b, step)| b + t * step).collect();
            (entries, b)
        };
        check_differences(case.shape, path, None)?;
    }

    #[test]
    fn at_constant_rank_the_pseudoinverse_has_a_derivative(case in case(Kind::Singular)) {
        check_differences(case.shape, |t| rank_keeping(&case, t), Some(Method::Pseudoinverse))?;
    }

    /// What the band solver says, entry for entry.
    #[test]
    fn the_sparse_cotangents_are_those_of_the_band(
        case in prop_oneof![case(Kind::Definite), case(Kind::Indefinite), case(Kind::Singular)]
    ) {
        let (shape, entries) = (case.shape, case.entries());
        prop_assume!(!shape.wraps_on_itself());
        let (n, length) = (shape.dimension(), shape.half_bandwidth() + 1);
        let place = |slot: usize| shape.partner(slot / length, slot % length).map(|j| [slot / length, j]);
        let pairs: Vec<_> = (0..entries.len()).filter_map(place).collect();
        let pattern = Arc::new(SparsePattern::new(n, &pairs).unwrap());
        let mut values = vec![0.0; pattern.pairs().len()];
        for (slot, entry) in entries.iter().enumerate() {
            if let Some([i, j]) = place(slot) {
                values[pattern.slot(i, j).unwrap()] = *entry;
            }
        }
        let (mut band, mut sparse) = (BandFactors::<f64>::new(shape, 1), SparseFactors::<f64>::new(&pattern).unwrap());
        prop_assert_eq!(band.factor(0, &entries).unwrap().rank, sparse.factor(&values).unwrap().rank);
        let x_bar = wave(n, 0.0);
        let (mut x, mut y) = (case.b.clone(), case.b.clone());
        band.solve_in_place(0, &mut x);
        sparse.solve_in_place(&mut y);
        let (mut b_bar, mut c_bar) = (vec![0.0; n], vec![0.0; n]);
        let (mut entries_bar, mut values_bar) = (vec![f64::NAN; entries.len()], vec![f64::NAN; values.len()]);
        band.vjp(0, &case.b, &x, &x_bar, &mut b_bar, &mut entries_bar);
        sparse.vjp(&case.b, &y, &x_bar, &mut c_bar, &mut values_bar);
        let a = full(n, &shape.to_dense(&entries));
        let (nearest, farthest, _) = spectrum(&a, 1e-9 * a.amax().max(f64::MIN_POSITIVE));
        prop_assume!(nearest.is_finite());
        let unit = 1024.0 * n as f64 * f64::EPSILON * (farthest / nearest).powi(2);
        let allowed = unit * norm(&case.b) * norm(&x_bar) / nearest.powi(2);
        for (slot, &entry_bar) in entries_bar.iter().enumerate() {
            match place(slot) {
                Some([i, j]) => {
                    let value_bar = values_bar[pattern.slot(i, j).unwrap()];
                    prop_assert!((entry_bar - value_bar).abs() <= allowed, "{entry_bar} {value_bar}");
                }
                None => prop_assert_eq!(entry_bar, 0.0),
            }
        }
    }
}
