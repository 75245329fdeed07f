//! Conjugate gradients against the sparse solver, and everything it refuses.

use lnn_autodiff::Real;
use lnn_graph::solve::conjugate_gradient::{CgError, ConjugateGradient, SymmetricOperator};
use lnn_graph::solve::sparse::{SparseFactors, SparsePattern};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::matrix::{distance, norm, rounded};
use crate::sparse::{Graph, graph};

/// A matrix on a pattern as an operator.
pub(crate) struct Matrix<'a, T> {
    pub(crate) pattern: &'a SparsePattern,
    pub(crate) values: &'a [T],
}

impl<T: Real> SymmetricOperator<T> for Matrix<'_, T> {
    fn dimension(&self) -> usize {
        self.pattern.dimension()
    }
    fn apply(&mut self, x: &[T], y: &mut [T]) {
        self.pattern.multiply(self.values, x, y);
    }
}

impl<T: Real> Matrix<'_, T> {
    fn diagonal(&self) -> Vec<T> {
        (0..self.pattern.dimension()).map(|i| self.values[self.pattern.slot(i, i).unwrap()]).collect()
    }
}

fn check<T: Real>(graph: &Graph) -> Result<(), TestCaseError> {
    let n = graph.pattern.dimension();
    let (values, _) = rounded::<T>(&graph.dominant(0.5, |_| false));
    let (b, exact_b) = rounded::<T>(&graph.b);
    let mut matrix = Matrix { pattern: &graph.pattern, values: &values };
    let diagonal = matrix.diagonal();
    // Diagonally dominant: after scaling by the diagonal, at most 2 n + 1.
    let tolerance = 16.0 * n as f64 * T::EPSILON.to_f64();
    let mut x = vec![T::ZERO; n];
    let done = ConjugateGradient::new(n).solve(&mut matrix, &diagonal, &b, &mut x, tolerance, 4 * n + 4).unwrap();
    let mut product = vec![T::ZERO; n];
    matrix.apply(&x, &mut product);
    let product: Vec<f64> = product.iter().map(|y| y.to_f64()).collect();
    // The residual that it states is the one there is, up to the rounding of the product.
    let residual = distance(&product, &exact_b) / norm(&exact_b).max(f64::MIN_POSITIVE);
    prop_assert!(residual <= 2.0 * tolerance && done.relative_residual <= tolerance, "{residual:e} {done:?}");

    let mut factors = SparseFactors::<T>::new(&graph.pattern).unwrap();
    factors.factor(&values).unwrap();
    let mut expected = vec![T::ZERO; n];
    factors.solve_into(&b, &mut expected);
    let (x, expected): (Vec<_>, Vec<_>) = x.iter().zip(&expected).map(|(x, y)| (x.to_f64(), y.to_f64())).unzip();
    // λ_min ≥ 0.5.
    prop_assert!(distance(&x, &expected) <= 4.0 * tolerance * norm(&exact_b), "{:e}", distance(&x, &expected));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn it_finds_the_solution_of_the_direct_solver(graph in graph()) {
        check::<f64>(&graph)?;
        check::<f32>(&graph)?;
    }
}

/// n springs with free ends and a mass each.
fn chain(n: usize, mass: f64) -> (SparsePattern, Vec<f64>) {
    let pattern = SparsePattern::new(n, &(1..n).map(|i| [i - 1, i]).collect::<Vec<_>>()).unwrap();
    let values = pattern.pairs().iter().map(|&[i, j]| if i == j { 2.0 + mass } else { -1.0 }).collect();
    (pattern, values)
}

#[test]
fn in_exact_arithmetic_n_iterations_suffice_and_the_start_counts() {
    let n = 30;
    let (pattern, values) = chain(n, 0.1);
    let mut matrix = Matrix { pattern: &pattern, values: &values };
    let diagonal = matrix.diagonal();
    let b: Vec<f64> = (0..n).map(|i| (i as f64).sin()).collect();
    let mut solver = ConjugateGradient::new(n);
    let mut x = vec![0.0; n];
    let done = solver.solve(&mut matrix, &diagonal, &b, &mut x, 1e-12, 100).unwrap();
    assert!((2..=n).contains(&done.iterations), "{done:?}");
    let again = solver.solve(&mut matrix, &diagonal, &b, &mut x, 1e-12, 100).unwrap();
    assert_eq!(again.iterations, 0);
    // The preconditioner makes a diagonal matrix trivial, however it is graded.
    let pattern = SparsePattern::new(3, &[]).unwrap();
    let mut matrix = Matrix { pattern: &pattern, values: &[1.0, 1e6, 1e-6] };
    let mut x = [0.0; 3];
    let done = ConjugateGradient::new(3).solve(&mut matrix, &[1.0, 1e6, 1e-6], &[1.0; 3], &mut x, 1e-14, 3).unwrap();
    assert_eq!(done.iterations, 1);
}

#[test]
fn nothing_on_the_right_gives_nothing() {
    let (pattern, values) = chain(5, 0.0);
    let mut x = [3.0; 5];
    let mut matrix = Matrix { pattern: &pattern, values: &values };
    let done = ConjugateGradient::new(5).solve(&mut matrix, &[2.0; 5], &[0.0; 5], &mut x, 0.0, 0).unwrap();
    assert_eq!((done.iterations, x), (0, [0.0; 5]));
}

#[test]
fn what_it_cannot_solve_is_named() {
    let solve = |values: &[f64], diagonal: &[f64], b: &[f64], tolerance: f64, most: usize| {
        let pattern = SparsePattern::new(2, &[[0, 1]]).unwrap();
        ConjugateGradient::new(2)
            .solve(&mut Matrix { pattern: &pattern, values }, diagonal, b, &mut [0.0; 2], tolerance, most)
            .unwrap_err()
    };
    // [1 2; 2 1] has the eigenvalue −1 along (1, −1).
    let error = solve(&[1.0, 2.0, 1.0], &[1.0, 1.0], &[1.0, -1.0], 1e-10, 10);
    assert_eq!(error, CgError::NotDefinite { iteration: 0, curvature: -1.0 });
    assert!(error.to_string().contains("curvature -1e0"), "{error}");
    // Singular along (1, 1).
    let error = solve(&[1.0, -1.0, 1.0], &[1.0, 1.0], &[1.0, 1.0], 1e-10, 10);
    assert_eq!(error, CgError::NotDefinite { iteration: 0, curvature: 0.0 });
    for bad in [0.0, -1.0, f64::INFINITY] {
        let error = solve(&[1.0, 0.0, 1.0], &[1.0, bad], &[1.0, 1.0], 1e-10, 10);
        assert_eq!(error, CgError::Diagonal { unknown: 1, value: bad });
    }
    assert!(matches!(
        solve(&[1.0, 0.0, 1.0], &[f64::NAN, 1.0], &[1.0, 1.0], 1e-10, 10),
        CgError::Diagonal { unknown: 0, .. }
    ));
    let error = solve(&[1.0, 0.0, 1.0], &[1.0, 1.0], &[1.0, f64::NAN], 1e-10, 10);
    assert!(matches!(error, CgError::NonFinite { iteration: 0, quantity: "the right-hand side", .. }), "{error}");
    let error = solve(&[f64::NAN, 0.0, 1.0], &[1.0, 1.0], &[1.0, 1.0], 1e-10, 10);
    assert!(matches!(error, CgError::NonFinite { iteration: 0, .. }), "{error}");
    let error = solve(&[2.0, 1.0, 2.0], &[2.0, 2.0], &[1.0, 0.0], 1e-10, 1);
    let CgError::NotConverged { iterations: 1, relative_residual, asked } = error else { panic!("{error}") };
    // One step of steepest descent from b = (1, 0): x = (½, 0), residual (0, −½).
    assert_eq!((relative_residual, asked), (0.5, 1e-10));
    // More than the precision has.
    let (pattern, values) = chain(40, 0.1);
    let b: Vec<f64> = (0..40).map(|i| (i as f64).sin()).collect();
    let mut matrix = Matrix { pattern: &pattern, values: &values };
    let diagonal = matrix.diagonal();
    match ConjugateGradient::new(40).solve(&mut matrix, &diagonal, &b, &mut [0.0; 40], 0.0, 200) {
        Err(CgError::NotConverged { iterations: 200, relative_residual, .. }) => {
            // |A| |x| is at most 4 / 0.1 of |b|.
            assert!(relative_residual <= 40.0 * 8.0 * f64::EPSILON, "{relative_residual:e}");
        }
        other => panic!("{other:?}"),
    }
}
