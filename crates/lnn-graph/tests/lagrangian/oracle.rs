//! The assembled matrix against products with it, and the solvers against each other, at sizes that no dense automatic
//! differentiation reaches.

use lnn_graph::solve::colouring::{Colouring, matrix_by_colours};
use lnn_graph::solve::sparse::SparsePattern;
use lnn_graph::topology::{Boundary, Topology};
use lnn_graph::{FieldEvaluator, LagrangianBlock, Neighbourhood, SolveBy};
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;

use crate::case::Case;
use crate::dense::assert_close;

fn line_case() -> impl Strategy<Value = Case> {
    let boundary = prop_oneof![Just(Boundary::Periodic), Just(Boundary::Fixed), Just(Boundary::Free)];
    let neighbourhood = prop_oneof![Just(Neighbourhood::Line), Just(Neighbourhood::Pairs)];
    (3..=64_usize, boundary, neighbourhood, 1..=2_usize, any::<u32>()).prop_map(
        |(n, boundary, neighbourhood, components, seed)| {
            let line = Topology::line(n, boundary).expect("a line");
            Case::new(line, neighbourhood, components, 0, u64::from(seed))
        },
    )
}

fn grid_case() -> impl Strategy<Value = Case> {
    let neighbourhood = prop_oneof![Just(Neighbourhood::Grid), Just(Neighbourhood::Pairs)];
    (3..=8_usize, 3..=8_usize, neighbourhood, any::<u32>()).prop_map(|(rows, columns, neighbourhood, seed)| {
        let grid = Topology::grid([rows, columns], [Boundary::Periodic, Boundary::Fixed]).expect("a grid");
        Case::new(grid, neighbourhood, 1, 0, u64::from(seed))
    })
}

/// The unknowns of all sites at most two edges apart: what a density of neighbours can couple, and no matrix at hand.
fn pattern_of(case: &Case) -> SparsePattern {
    let (topology, c) = (case.lagrangian.topology(), case.lagrangian.density().components());
    let mut pairs = Vec::new();
    for site in 0..topology.sites() {
        let near = topology.neighbours(site).iter().flat_map(|&next| topology.neighbours(next));
        for &other in near.chain(topology.neighbours(site)).chain([&site]) {
            pairs.extend((0..c * c).map(|k| [site * c + k / c, other * c + k % c]));
        }
    }
    SparsePattern::new(case.unknowns(), &pairs).expect("unknowns of the topology")
}

fn check(case: &Case) -> Result<(), TestCaseError> {
    let n = case.unknowns();
    let (phi, phi_dot) = case.states(1, 9);
    let mut block = LagrangianBlock::<f64>::new(&case.lagrangian, 1, false).expect("memory");
    let got = block.accelerate(&case.parameters, &phi, &phi_dot).to_vec();
    let matrix = block.dense_mass_matrix(0);

    // Forward over reverse along a vector for each colour, and nothing of the assembly.
    let solve_by = SolveBy::ConjugateGradient { tolerance: 1e-13, most_iterations: 20 * n };
    let mut matrix_free = FieldEvaluator::<f64>::new(&case.lagrangian, &case.parameters, solve_by).expect("memory");
    let pattern = pattern_of(case);
    let colours = Colouring::of_pattern(&pattern).count();
    let values = matrix_by_colours(&mut matrix_free.mass_matrix_products(&phi, &phi_dot), &pattern);
    assert_close("H by colours", &pattern.to_dense(&values), &matrix, 1.0);
    // A column meets those that share one of its rows: at most degree² others.
    let (offsets, _) = pattern.rows();
    let most = offsets.windows(2).map(|row| row[1] - row[0]).max().unwrap_or(0);
    prop_assert!(colours <= n.min(most * most), "{colours} colours for rows of {most}");

    // Dense elimination of the same matrix.
    let dense = DMatrix::from_row_slice(n, n, &matrix);
    let singular = dense.clone().svd(false, false).singular_values;
    let condition = singular.max() / singular.min();
    let want = dense.lu().solve(&DVector::from_column_slice(block.force()));
    if let Some(want) = want.filter(|_| condition < 1e9) {
        assert_close("φ̈", &got, want.as_slice(), condition * n as f64);
        let stored = SolveBy::ElementByElement { tolerance: 1e-13, most_iterations: 20 * n };
        let by_elements = FieldEvaluator::<f64>::new(&case.lagrangian, &case.parameters, stored).expect("memory");
        for mut evaluator in [matrix_free, by_elements] {
            assert_close("r matrix-free", evaluator.assemble(&phi, &phi_dot), block.force(), 1.0);
            let mut free = vec![f64::NAN; n];
            match evaluator.acceleration_into(&phi, &phi_dot, &mut free) {
                Ok(_) => assert_close("φ̈ matrix-free", &free, want.as_slice(), 10.0 * condition * n as f64),
                Err(error) => prop_assert!(
                    dense_is_indefinite(&matrix, n),
                    "conjugate gradients fail on a definite matrix of condition {condition:e}: {error}"
                ),
            }
        }
    }
    Ok(())
}

fn dense_is_indefinite(matrix: &[f64], n: usize) -> bool {
    DMatrix::from_row_slice(n, n, matrix).symmetric_eigenvalues().min() <= 0.0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn lines_by_band_colours_dense_and_conjugate_gradients(case in line_case()) {
        check(&case)?;
    }

    #[test]
    fn grids_by_sparse_colours_dense_and_conjugate_gradients(case in grid_case()) {
        check(&case)?;
    }
}

#[test]
fn a_ring_of_a_multiple_of_five_sites_needs_five_products() {
    let ring = Topology::line(35, Boundary::Periodic).expect("a ring");
    let case = Case::new(ring, Neighbourhood::Line, 1, 0, 3);
    assert_eq!(Colouring::of_pattern(&pattern_of(&case)).count(), 5);
}
