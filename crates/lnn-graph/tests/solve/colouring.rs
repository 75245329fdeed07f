//! Colourings, and matrices found from a few products.

use lnn_graph::solve::band::BandShape;
use lnn_graph::solve::colouring::{Colouring, matrix_by_colours};
use lnn_graph::solve::sparse::SparsePattern;
use proptest::prelude::*;

use crate::conjugate_gradient::Matrix;
use crate::sparse::graph;

fn of_band(shape: BandShape) -> SparsePattern {
    let pairs: Vec<_> = (0..shape.dimension())
        .flat_map(|i| (0..=shape.half_bandwidth()).filter_map(move |o| shape.partner(i, o).map(|j| [i, j])))
        .collect();
    SparsePattern::new(shape.dimension(), &pairs).unwrap()
}

#[test]
fn a_cyclic_pentadiagonal_matrix_needs_five_colours_where_five_divides_it() {
    for n in 5..=120 {
        let count = Colouring::of_pattern(&of_band(BandShape::cyclic(n, 2))).count();
        if n % 5 == 0 {
            assert_eq!(count, 5, "n = {n}");
        } else {
            // Each column meets four to either side: nine at the most.
            assert!((6..=9).contains(&count), "n = {n}: {count}");
        }
        assert_eq!(Colouring::of_pattern(&of_band(BandShape::open(n, 2))).count(), 5, "n = {n}");
        assert_eq!(Colouring::of_pattern(&of_band(BandShape::open(n, 1))).count(), 3, "n = {n}");
        assert_eq!(Colouring::of_pattern(&of_band(BandShape::open(n, 0))).count(), 1, "n = {n}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_row_sees_a_colour_twice(graph in graph()) {
        let colouring = Colouring::of_pattern(&graph.pattern);
        let (offsets, indices) = graph.pattern.rows();
        let mut widest = 0;
        for i in 0..graph.pattern.dimension() {
            let mut seen: Vec<_> = indices[offsets[i]..offsets[i + 1]].iter().map(|&j| colouring.colours()[j]).collect();
            let row = seen.len();
            seen.sort_unstable();
            seen.dedup();
            prop_assert_eq!(seen.len(), row);
            widest = widest.max(row);
        }
        prop_assert!((widest..=(widest - 1).pow(2) + 1).contains(&colouring.count()));
        let mut used = colouring.colours().to_vec();
        used.sort_unstable();
        used.dedup();
        prop_assert_eq!(used, (0..colouring.count()).collect::<Vec<_>>());
    }

    /// Each product adds nothing but zeros to the entry wanted, so that it is found to the bit.
    #[test]
    fn the_matrix_is_found_from_its_products(graph in graph()) {
        let values = graph.dominant(0.5, |_| false);
        let found = matrix_by_colours(&mut Matrix { pattern: &graph.pattern, values: &values }, &graph.pattern);
        prop_assert_eq!(found, values);
    }
}
