//! The number of threads does not change a result.

use lnn_graph::topology::{Boundary, Topology};
use lnn_graph::{FieldEvaluator, Neighbourhood, SolveBy};

use crate::case::Case;

#[test]
fn accelerations_and_energies_are_the_same_to_the_bit_on_any_number_of_threads() {
    let line = |n| Topology::line(n, Boundary::Periodic).expect("a ring");
    let grid = Topology::grid([7, 9], [Boundary::Free, Boundary::Periodic]).expect("a grid");
    let conjugate = SolveBy::ConjugateGradient { tolerance: 1e-10, most_iterations: 500 };
    for (case, solve_by) in [
        (Case::new(line(9), Neighbourhood::Line, 1, 0, 1), SolveBy::Factorisation),
        (Case::new(line(1000), Neighbourhood::Pairs, 2, 1, 2), SolveBy::Factorisation),
        (Case::new(grid.clone(), Neighbourhood::Grid, 1, 0, 3), SolveBy::Factorisation),
        (Case::new(grid, Neighbourhood::Pairs, 1, 0, 4), conjugate),
    ] {
        let (phi, phi_dot) = case.states(1, 5);
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            pool.install(|| {
                let mut evaluator =
                    FieldEvaluator::<f64>::new(&case.lagrangian, &case.parameters, solve_by).expect("memory");
                let mut out = vec![f64::NAN; case.unknowns()];
                let solved = evaluator.acceleration_into(&phi, &phi_dot, &mut out).map_err(|error| error.to_string());
                (
                    solved,
                    out.iter().map(|x| x.to_bits()).collect::<Vec<_>>(),
                    evaluator.energy(&phi, &phi_dot).to_bits(),
                )
            })
        };
        let one = on(1);
        for threads in [2, 3, 5] {
            assert_eq!(on(threads), one, "{threads} threads");
        }
    }
}
