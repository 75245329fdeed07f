//! Factors and solutions.

use std::sync::Arc;

use lnn_graph::solve::Method;
use lnn_graph::solve::band::{BandFactors, BandShape};
use lnn_graph::solve::conjugate_gradient::{ConjugateGradient, SymmetricOperator};
use lnn_graph::solve::sparse::{SparseFactors, SparsePattern};

use crate::allocations;

struct Matrix<'a>(&'a SparsePattern, &'a [f64]);

impl SymmetricOperator<f64> for Matrix<'_> {
    fn dimension(&self) -> usize {
        self.0.dimension()
    }
    fn apply(&mut self, x: &[f64], y: &mut [f64]) {
        self.0.multiply(self.1, x, y);
    }
}

pub(crate) fn check() {
    let b: Vec<f64> = (0..60).map(|i| (i as f64).sin()).collect();
    let shapes =
        [BandShape::open(60, 2), BandShape::cyclic(60, 2), BandShape::cyclic(60, 6), BandShape::cyclic(60, 40)];
    for shape in shapes {
        for (diagonal, method) in [([200.0, 200.0], Method::Definite), ([200.0, -200.0], Method::Pivoted)] {
            let length = shape.half_bandwidth() + 1;
            let entry = |slot: usize| if slot.is_multiple_of(length) { diagonal[slot / length % 2] } else { 1.0 };
            let mut entries: Vec<f64> = (0..shape.entry_count()).map(entry).collect();
            for (slot, entry) in entries.iter_mut().enumerate() {
                if shape.partner(slot / length, slot % length).is_none() {
                    *entry = 0.0;
                }
            }
            let mut factors = BandFactors::<f64>::new(shape, 2);
            let (mut x, mut b_bar, mut entries_bar) = (b.clone(), b.clone(), entries.clone());
            let work = || {
                factors.factor(1, &entries).unwrap();
                factors.solve_into(1, &b, &mut x);
                factors.vjp(1, &b, &x, &b, &mut b_bar, &mut entries_bar);
            };
            assert_eq!(allocations(work), 0, "{shape:?} {method:?}");
            let expected = if shape.wraps_on_itself() { Method::Dense } else { method };
            assert_eq!(factors.factored(1).unwrap().method, expected);
        }
    }
    // Singular only when it is looked at closely: inverse iteration is on the way.
    let shape = BandShape::open(60, 0);
    let mut factors = BandFactors::<f64>::new(shape, 1);
    let mut entries = [1.0; 60];
    entries[17] = 1e-14;
    let work = || assert_eq!(factors.factor(0, &entries).unwrap().method, Method::Definite);
    assert_eq!(allocations(work), 0);

    let pairs: Vec<_> = (0..60).flat_map(|i| [[i, (i + 1) % 60], [i, (i + 7) % 60]]).collect();
    let pattern = Arc::new(SparsePattern::new(60, &pairs).unwrap());
    for (sign, method) in [(1.0, Method::Definite), (-1.0, Method::Pivoted)] {
        let values: Vec<f64> = pattern
            .pairs()
            .iter()
            .map(|&[i, j]| {
                if i != j {
                    1.0
                } else if i % 2 == 0 {
                    6.0
                } else {
                    6.0 * sign
                }
            })
            .collect();
        let mut factors = SparseFactors::<f64>::new(&pattern).unwrap();
        let (mut x, mut b_bar, mut values_bar) = (b.clone(), b.clone(), values.clone());
        assert_eq!(factors.factor(&values).unwrap().method, method);
        let work = || {
            factors.factor(&values).unwrap();
            factors.solve_into(&b, &mut x);
            factors.vjp(&b, &x, &b, &mut b_bar, &mut values_bar);
        };
        assert_eq!(allocations(work), 0, "{method:?}");
        if method == Method::Definite {
            let mut solver = ConjugateGradient::new(60);
            let mut matrix = Matrix(&pattern, &values);
            let work = || {
                x.fill(0.0);
                solver.solve(&mut matrix, &[6.0; 60], &b, &mut x, 1e-10, 60).unwrap();
            };
            assert_eq!(allocations(work), 0);
        }
    }
}
