//! The sparse solver against full matrices and against the band solver.

use std::sync::Arc;

use lnn_autodiff::Real;
use lnn_graph::solve::band::BandFactors;
use lnn_graph::solve::sparse::{PatternError, SparseFactors, SparsePattern};
use lnn_graph::solve::{Factored, MAX_DENSE_DIMENSION, Method, SolveError};
use nalgebra::DVector;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::matrix::{Kind, case, distance, norm, rounded, spectrum};

/// A random graph and values on its edges, b as well.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    pub(crate) pattern: Arc<SparsePattern>,
    /// In the order of the pairs; those on the diagonal are not used.
    edges: Vec<f64>,
    pub(crate) b: Vec<f64>,
    signs: Vec<bool>,
}

impl Graph {
    /// Values with a diagonal that outweighs its row by `margin`, of the sign that `negative` says.
    pub(crate) fn dominant(&self, margin: f64, negative: impl Fn(usize) -> bool) -> Vec<f64> {
        let mut values = self.edges.clone();
        let mut sums = vec![margin; self.pattern.dimension()];
        for (&[i, j], value) in self.pattern.pairs().iter().zip(&values) {
            if i != j {
                sums[i] += value.abs();
                sums[j] += value.abs();
            }
        }
        for (i, sum) in sums.iter().enumerate() {
            values[self.pattern.slot(i, i).unwrap()] = if negative(i) { -sum } else { *sum };
        }
        values
    }

    /// The graph's Laplacian with positive weights: singular, with constants on each component as null space.
    fn laplacian(&self) -> Vec<f64> {
        let positive = Self { edges: self.edges.iter().map(|edge| -edge.abs() - 0.1).collect(), ..self.clone() };
        positive.dominant(0.0, |_| false)
    }

    fn components(&self) -> usize {
        let (offsets, indices) = self.pattern.rows();
        let mut seen = vec![false; self.pattern.dimension()];
        let mut count = 0;
        for start in 0..seen.len() {
            let mut queue = if seen[start] { vec![] } else { vec![start] };
            count += queue.len();
            while let Some(i) = queue.pop() {
                if !std::mem::replace(&mut seen[i], true) {
                    queue.extend(&indices[offsets[i]..offsets[i + 1]]);
                }
            }
        }
        count
    }
}

/// From no edge to all of them.
pub(crate) fn graph() -> impl Strategy<Value = Graph> {
    (1..=64_usize, 0.0..1.0_f64).prop_flat_map(|(n, density)| {
        let pair = (0..n, 0..n).prop_map(|(i, j)| [i, j]);
        let most = ((n * n) as f64 * density.powi(3)) as usize + 1;
        prop::collection::vec(pair, 0..=most).prop_flat_map(move |pairs| {
            let pattern = Arc::new(SparsePattern::new(n, &pairs).unwrap());
            let edges = prop::collection::vec(-1.0..1.0_f64, pattern.pairs().len());
            let (b, signs) = (prop::collection::vec(-1.0..1.0_f64, n), prop::collection::vec(any::<bool>(), n));
            (Just(pattern), edges, b, signs).prop_map(|(pattern, edges, b, signs)| Graph { pattern, edges, b, signs })
        })
    })
}

/// Factors and solves; solution and residual against the full matrix.
fn check<T: Real>(pattern: &Arc<SparsePattern>, values: &[f64], b: &[f64]) -> Result<Factored, TestCaseError> {
    let n = pattern.dimension();
    let ((values, exact_values), (b, exact_b)) = (rounded::<T>(values), rounded::<T>(b));
    let mut factors = SparseFactors::<T>::new(pattern).unwrap();
    // Twice: the second must not see the first.
    factors.factor(&vec![T::ONE; values.len()]).unwrap();
    let factored = factors.factor(&values).unwrap();
    prop_assert_eq!(factors.factored(), Some(factored));
    let mut x = vec![T::ZERO; n];
    factors.solve_into(&b, &mut x);
    let a = crate::matrix::full(n, &pattern.to_dense(&exact_values));
    let epsilon = T::EPSILON.to_f64();
    let (nearest, farthest, inverse) = spectrum(&a, 4.0 * n as f64 * epsilon * a.amax());
    let expected = inverse * DVector::from_column_slice(&exact_b);
    let found: Vec<f64> = x.iter().map(|x| x.to_f64()).collect();
    // Backward error 8 n ε |A|, with growth in the pivoted case; on the pseudoinverse's rung the null space turns as well.
    let unit = 16.0 * n as f64 * epsilon;
    let condition = if factored.rank == 0 { 1.0 } else { farthest / nearest };
    let scale = match factored.method {
        Method::Pseudoinverse if factored.rank > 0 => norm(&exact_b) / nearest * (n as f64).sqrt(),
        _ => norm(expected.as_slice()),
    };
    let error = distance(&found, expected.as_slice());
    prop_assert!(error <= unit * condition * scale, "{factored:?}: {error:e}, cond {condition:e}");
    if factored.method != Method::Pseudoinverse {
        let residual = pattern.relative_residual(&values, &x, &b);
        prop_assert!(residual <= unit, "{factored:?}: residual {residual:e}");
    }
    Ok(factored)
}

fn check_definite<T: Real>(graph: &Graph) -> Result<(), TestCaseError> {
    let values = graph.dominant(0.5, |_| false);
    let factored = check::<T>(&graph.pattern, &values, &graph.b)?;
    let n = graph.pattern.dimension();
    prop_assert_eq!((factored.method, factored.rank), (Method::Definite, n));
    let a = crate::matrix::full(n, &graph.pattern.to_dense(&values));
    let (nearest, _, _) = spectrum(&a, 0.0);
    let slack = 16.0 * n as f64 * T::EPSILON.to_f64() * a.amax();
    let pivot = factored.smallest_pivot;
    prop_assert!(pivot.value >= nearest - slack && pivot.value <= a[(pivot.unknown, pivot.unknown)] + slack);
    prop_assert!(a.diagonal().iter().all(|entry| pivot.value <= entry + slack));
    Ok(())
}

fn check_indefinite<T: Real>(graph: &Graph) -> Result<(), TestCaseError> {
    let n = graph.pattern.dimension();
    prop_assume!(graph.signs.iter().any(|&sign| sign) && graph.signs.iter().any(|&sign| !sign));
    let values = graph.dominant(0.5, |i| graph.signs[i]);
    let factored = check::<T>(&graph.pattern, &values, &graph.b)?;
    prop_assert_eq!((factored.method, factored.rank), (Method::Pivoted, n));
    Ok(())
}

fn check_singular<T: Real>(graph: &Graph) -> Result<(), TestCaseError> {
    let n = graph.pattern.dimension();
    let factored = check::<T>(&graph.pattern, &graph.laplacian(), &graph.b)?;
    prop_assert_eq!((factored.method, factored.rank), (Method::Pseudoinverse, n - graph.components()));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn definite_matrices_need_no_pivoting(graph in graph()) {
        check_definite::<f64>(&graph)?;
        check_definite::<f32>(&graph)?;
    }

    #[test]
    fn indefinite_matrices_are_pivoted(graph in graph()) {
        check_indefinite::<f64>(&graph)?;
        check_indefinite::<f32>(&graph)?;
    }

    #[test]
    fn singular_matrices_are_announced(graph in graph()) {
        check_singular::<f64>(&graph)?;
        check_singular::<f32>(&graph)?;
    }

    #[test]
    fn products_and_rows_are_those_of_the_full_matrix(graph in graph()) {
        let (pattern, values) = (&graph.pattern, graph.dominant(0.5, |i| graph.signs[i]));
        let n = pattern.dimension();
        let a = crate::matrix::full(n, &pattern.to_dense(&values));
        let mut product = vec![f64::NAN; n];
        pattern.multiply(&values, &graph.b, &mut product);
        let expected = &a * DVector::from_column_slice(&graph.b);
        prop_assert!(distance(&product, expected.as_slice()) <= 2.0 * n as f64 * f64::EPSILON * a.norm() * norm(&graph.b));
        let (offsets, indices) = pattern.rows();
        for i in 0..n {
            let row = &indices[offsets[i]..offsets[i + 1]];
            prop_assert!(row.is_sorted_by(|a, b| a < b) && row.contains(&i));
            for j in 0..n {
                prop_assert_eq!(row.contains(&j), pattern.slot(i, j).is_some());
                prop_assert_eq!(a[(i, j)], pattern.slot(j, i).map_or(0.0, |slot| values[slot]));
            }
        }
    }

    /// Two roads to one solution, on every rung.
    #[test]
    fn a_band_matrix_is_solved_alike(
        case in prop_oneof![case(Kind::Definite), case(Kind::Indefinite), case(Kind::IllConditioned { digits: 6.0 })]
    ) {
        let (n, dense) = (case.shape.dimension(), case.shape.to_dense(&case.entries()));
        let pairs: Vec<_> = (0..n * n).filter(|&k| dense[k] != 0.0).map(|k| [k / n, k % n]).collect();
        let pattern = Arc::new(SparsePattern::new(n, &pairs).unwrap());
        let values: Vec<_> = pattern.pairs().iter().map(|&[i, j]| dense[i * n + j]).collect();
        let (mut band, mut sparse) = (BandFactors::<f64>::new(case.shape, 1), SparseFactors::<f64>::new(&pattern).unwrap());
        let band_method = band.factor(0, &case.entries()).unwrap().method;
        let sparse_method = sparse.factor(&values).unwrap().method;
        prop_assert!(band_method == sparse_method || band_method == Method::Dense);
        let (mut x, mut y) = (case.b.clone(), case.b.clone());
        band.solve_in_place(0, &mut x);
        sparse.solve_in_place(&mut y);
        let (nearest, farthest, _) = spectrum(&crate::matrix::full(n, &dense), 0.0);
        prop_assert!(distance(&x, &y) <= 256.0 * n as f64 * f64::EPSILON * farthest / nearest * norm(&x));
    }
}

/// A zero diagonal, and pivots that lie in other nodes of the elimination tree.
#[test]
fn pairs_that_exchange_are_pivoted() {
    let n = 40;
    let pairs: Vec<_> = (0..n / 2).map(|i| [i, n - 1 - i]).chain((1..n).map(|i| [i - 1, i])).collect();
    let pattern = Arc::new(SparsePattern::new(n, &pairs).unwrap());
    let values: Vec<f64> = pattern
        .pairs()
        .iter()
        .map(|&[i, j]| match () {
            () if i == j => 0.0,
            () if i + j == n - 1 => 2.0,
            () => 0.3,
        })
        .collect();
    let b: Vec<f64> = (0..n).map(|i| (i as f64).sin()).collect();
    let factored = check::<f64>(&pattern, &values, &b).unwrap();
    assert_eq!(factored.method, Method::Pivoted);
}

/// A grid is wide enough for supernodes, a complete graph is one.
#[test]
fn large_and_full_patterns_report_their_pivots() {
    let side = 40;
    let grid = (0..side * side).flat_map(|i| {
        [[i, i + 1], [i, i + side]].into_iter().filter(move |&[i, j]| j < side * side && (j > i + 1 || j % side > 0))
    });
    let complete = (0..150).flat_map(|i| (0..i).map(move |j| [i, j]));
    for (n, pairs) in [(side * side, grid.collect::<Vec<_>>()), (150, complete.collect())] {
        let pattern = Arc::new(SparsePattern::new(n, &pairs).unwrap());
        // The pivots of A and −A, and where the smallest is, are known: D + a weak coupling, D smallest at unknown 7.
        let values: Vec<f64> = pattern
            .pairs()
            .iter()
            .map(|&[i, j]| match () {
                () if i != j => 1e-4,
                () if i == 7 => 1.0,
                () => 2.0,
            })
            .collect();
        for sign in [1.0, -1.0] {
            let values: Vec<_> = values.iter().map(|value| sign * value).collect();
            let mut factors = SparseFactors::<f64>::new(&pattern).unwrap();
            let factored = factors.factor(&values).unwrap();
            assert_eq!((factored.method, factored.smallest_pivot.unknown), (Method::Definite, 7));
            assert!((factored.smallest_pivot.value - sign).abs() <= n as f64 * 1e-8, "{factored:?}");
            let b: Vec<f64> = (0..n).map(|i| (i as f64).cos()).collect();
            let mut x = b.clone();
            factors.solve_in_place(&mut x);
            let residual = pattern.relative_residual(&values, &x, &b);
            assert!(residual <= 16.0 * f64::EPSILON, "{residual:e}");
        }
    }
}

#[test]
fn a_singular_matrix_beyond_the_dense_limit_names_its_unknown() {
    let n = MAX_DENSE_DIMENSION + 88;
    let pairs: Vec<_> = (1..n).map(|i| [i - 1, i]).collect();
    let pattern = Arc::new(SparsePattern::new(n, &pairs).unwrap());
    let mut factors = SparseFactors::<f64>::new(&pattern).unwrap();
    // One unknown without mass and without coupling.
    let lone = |i: usize, j: usize| i == 300 || j == 300;
    let values: Vec<_> = pattern
        .pairs()
        .iter()
        .map(|&[i, j]| {
            if lone(i, j) {
                0.0
            } else if i == j {
                2.0
            } else {
                0.5
            }
        })
        .collect();
    let error = factors.factor(&values).unwrap_err();
    assert_eq!(error, SolveError::Singular { unknown: 300, pivot: 0.0, dimension: n });
    assert!(error.to_string().contains("the pivot of unknown 300 is 0e0"), "{error}");
}

#[test]
fn bad_patterns_and_values_are_refused() {
    assert_eq!(SparsePattern::new(0, &[]).unwrap_err(), PatternError::Empty);
    let error = SparsePattern::new(3, &[[0, 1], [3, 1]]).unwrap_err();
    assert_eq!(error, PatternError::OutOfRange { pair: [3, 1], dimension: 3 });
    assert!(error.to_string().contains("the pair (3, 1) is outside a matrix of 3 unknowns"));
    let pattern = Arc::new(SparsePattern::new(2, &[[0, 1]]).unwrap());
    let mut factors = SparseFactors::<f32>::new(&pattern).unwrap();
    let error = factors.factor(&[1.0, 0.0, f32::INFINITY]).unwrap_err();
    assert_eq!(error, SolveError::NonFinite { unknown: 1, value: f64::INFINITY });
}
