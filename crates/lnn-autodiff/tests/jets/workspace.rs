//! What a workspace holds from one block to the next must not show, and misuse must.

use lnn_autodiff::Activation;
use lnn_autodiff::jet::{Accumulate, JetWorkspace, Purpose};
use proptest::prelude::*;

use crate::case::{Case, case};
use crate::engine::{Passes, run, run_derivatives_in, run_in};

const PURPOSES: [Purpose; 5] =
    [Purpose::Forward, Purpose::Gradient, Purpose::Hessian, Purpose::Directional, Purpose::Functional];

/// The case with another number of rows and every number NaN.
fn poison(case: &Case, rows: usize) -> Case {
    let sizes = case.shape.dimensions();
    let mut poison = Case::new(sizes, case.shape.activation(), rows, case.directions, 0);
    for array in [&mut poison.x, &mut poison.tangents, &mut poison.a, &mut poison.u, &mut poison.w] {
        array.fill(f64::NAN);
    }
    poison
}

/// The passes up to `purpose`.
fn up_to(purpose: Purpose, mut passes: Passes) -> Passes {
    if purpose < Purpose::Functional {
        passes.functional.clear();
        passes.input_cotangents.clear();
    }
    if purpose < Purpose::Directional {
        for part in [&mut passes.directional, &mut passes.directional_output, &mut passes.directional_input] {
            part.clear();
        }
    }
    if purpose < Purpose::Hessian {
        passes.hessian.clear();
    }
    if purpose < Purpose::Gradient {
        passes.input_bar.clear();
        passes.vjp.clear();
    }
    passes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn purpose_capacity_and_earlier_blocks_change_no_bit(
        case in case(), spare in 0..4_usize, earlier in 1..8_usize,
    ) {
        let want = run::<f64>(&case);
        for purpose in PURPOSES {
            let capacity = (case.rows + spare).max(earlier);
            let mut workspace = JetWorkspace::<f64>::new(&case.shape, case.directions, capacity, purpose);
            let poisoned = run_in(&poison(&case, earlier), &mut workspace, purpose);
            prop_assert!(poisoned.output.iter().all(|y| y.is_nan()));
            let got = run_in(&case, &mut workspace, purpose);
            prop_assert_eq!(got, up_to(purpose, want.clone()), "{:?}", purpose);
            prop_assert_eq!((workspace.rows(), workspace.capacity()), (case.rows, capacity));
        }
    }

    #[test]
    fn derivatives_alone_are_the_same_bits(case in case(), earlier in 1..8_usize) {
        let capacity = case.rows.max(earlier);
        let mut workspace = JetWorkspace::<f64>::new(&case.shape, case.directions, capacity, Purpose::Functional);
        run_in(&poison(&case, earlier), &mut workspace, Purpose::Functional);
        let mut want = run::<f64>(&case);
        want.output.clear();
        want.vjp.clear();
        prop_assert_eq!(run_derivatives_in(&case, &mut workspace), want);
    }

    #[test]
    fn gradients_are_added_and_rows_add_up(case in case()) {
        // Row by row, the parts' gradients sum to the block's.
        let (whole, mut vjp, mut functional) = (run::<f64>(&case), vec![], vec![]);
        for row in 0..case.rows {
            let inputs = case.shape.inputs();
            let tangents = (0..case.directions).flat_map(|i| case.tangent(i, row)).copied().collect();
            let coefficients =
                |array: &[f64]| if case.directions == 0 { vec![] } else { case.row(array, row).to_vec() };
            let part = Case {
                rows: 1,
                x: case.x[row * inputs..(row + 1) * inputs].to_vec(),
                tangents,
                output_bar: case.row(&case.output_bar, row).to_vec(),
                a: case.row(&case.a, row).to_vec(),
                u: coefficients(&case.u),
                w: coefficients(&case.w),
                ..case.clone()
            };
            let part = run::<f64>(&part);
            vjp.push(part.vjp);
            functional.push(part.functional);
        }
        for (whole, parts) in [(whole.vjp, vjp), (whole.functional, functional)] {
            for (index, whole) in whole.iter().enumerate() {
                let sum: f64 = parts.iter().map(|part| part[index]).sum();
                let size: f64 = parts.iter().flatten().map(|term| term.abs()).fold(0.0, f64::max);
                prop_assert!((sum - whole).abs() <= case.operations() * f64::EPSILON * size * case.rows as f64);
            }
        }
    }
}

#[test]
fn gradients_add_to_what_is_there() {
    let case = Case::new(&[3, 7, 5, 2], Activation::Tanh, 2, 2, 5);
    let want = run::<f64>(&case);
    let mut workspace = JetWorkspace::<f64>::new(&case.shape, 2, 2, Purpose::Functional);
    run_in(&case, &mut workspace, Purpose::Functional);
    let network = case.shape.bind(&case.parameters).expect("sizes");
    // Twice into the same slice, on a power of two that no rounding moves.
    let (mut vjp, mut functional) = (want.vjp.clone(), want.functional.clone());
    workspace.parameter_vjp(Accumulate::Add, &mut vjp);
    workspace.functional_gradient(network, &case.a, &case.u, &case.w, Accumulate::Add, &mut functional);
    for (twice, once) in vjp.iter().zip(&want.vjp).chain(functional.iter().zip(&want.functional)) {
        assert!((twice - 2.0 * once).abs() <= case.operations() * f64::EPSILON * once.abs(), "{twice} {once}");
    }
}

/// A pass whose predecessor is missing for this block must not work with what another block left.
#[test]
fn passes_out_of_order_are_refused() {
    type Call = fn(&mut JetWorkspace<f64>, &Case);
    let forward: Call = |workspace, case| workspace.forward(case.shape.bind(&case.parameters).expect("sizes"));
    let reverse: Call =
        |workspace, case| workspace.reverse(case.shape.bind(&case.parameters).expect("sizes"), &case.output_bar);
    let functional: Call = |workspace, case| {
        let network = case.shape.bind(&case.parameters).expect("sizes");
        let mut gradient = vec![0.0; case.parameters.len()];
        workspace.functional_gradient(network, &case.a, &case.u, &case.w, Accumulate::Replace, &mut gradient);
    };
    let directional: Call = |workspace, case| {
        let network = case.shape.bind(&case.parameters).expect("sizes");
        let mut gradient = vec![0.0; case.parameters.len()];
        workspace.directional_gradient(network, &case.a, Accumulate::Replace, &mut gradient);
    };
    let hessian: Call = |workspace, case| workspace.hessian(&[(0, 1)], &mut vec![0.0; case.rows]);
    let vjp: Call = |workspace, case| {
        workspace.parameter_vjp(Accumulate::Replace, &mut vec![0.0; case.parameters.len()]);
    };
    let cotangents: Call = |workspace, case| {
        workspace.input_cotangents(case.shape.bind(&case.parameters).expect("sizes"));
    };
    let output: Call = |workspace, case| {
        workspace.directional_output(case.shape.bind(&case.parameters).expect("sizes"));
    };
    let orders: [(&[Call], bool); 17] = [
        (&[forward, reverse, hessian, functional, cotangents, directional, cotangents, output, vjp], true),
        (&[forward, reverse, directional, cotangents, functional, cotangents], true),
        (&[reverse], false),
        (&[forward, hessian], false),
        (&[forward, functional], false),
        (&[forward, directional], false),
        (&[forward, vjp], false),
        (&[forward, cotangents], false),
        (&[forward, reverse, cotangents], false),
        (&[forward, reverse, output], false),
        (&[forward, reverse, functional, output], false),
        (&[forward, reverse, functional, reverse, cotangents], false),
        (&[forward, reverse, functional, forward, cotangents], false),
        (&[forward, reverse, functional, vjp, cotangents], false),
        (&[forward, reverse, directional, forward, output], false),
        (&[forward, reverse, forward, functional], false),
        (&[forward, reverse, forward, hessian], false),
    ];
    let case = Case::new(&[3, 7, 2], Activation::Tanh, 2, 2, 5);
    for (number, (calls, allowed)) in orders.into_iter().enumerate() {
        let mut workspace = JetWorkspace::<f64>::new(&case.shape, 2, 2, Purpose::Functional);
        run_in(&case, &mut workspace, Purpose::Functional);
        workspace.start(case.rows);
        let run = std::panic::AssertUnwindSafe(|| calls.iter().for_each(|call| call(&mut workspace, &case)));
        assert_eq!(std::panic::catch_unwind(run).is_ok(), allowed, "order {number}");
    }
}

fn after_derivatives_only() -> JetWorkspace<f64> {
    let case = Case::new(&[3, 7, 2], Activation::Tanh, 2, 2, 5);
    let mut workspace = JetWorkspace::<f64>::new(&case.shape, 2, 2, Purpose::Functional);
    run_in(&case, &mut workspace, Purpose::Functional);
    run_derivatives_in(&case, &mut workspace);
    workspace
}

#[test]
#[should_panic(expected = "f itself was not computed")]
fn the_value_of_an_earlier_pass_is_not_given_out() {
    after_derivatives_only().output();
}

#[test]
#[should_panic(expected = "f itself was not computed")]
fn the_activations_of_an_earlier_pass_are_not_used() {
    after_derivatives_only().parameter_vjp(Accumulate::Replace, &mut [0.0; 44]);
}

/// The sums over rows of a block whose weight gradients are computed in several parts, and of larger ones.
#[test]
fn blocks_of_any_depth_sum_alike() {
    for rows in [31, 33, 40, 87, 89, 130] {
        let case = Case::new(&[5, 33, 17, 1], Activation::Softplus, rows, 2, 11);
        let whole = run::<f64>(&case);
        let mut sums = vec![0.0; whole.functional.len()];
        let mut sizes = vec![0.0; whole.functional.len()];
        for row in 0..rows {
            let part = Case {
                rows: 1,
                x: case.row(&case.x, row).to_vec(),
                tangents: (0..2).flat_map(|i| case.tangent(i, row).to_vec()).collect(),
                output_bar: case.row(&case.output_bar, row).to_vec(),
                a: case.row(&case.a, row).to_vec(),
                u: case.row(&case.u, row).to_vec(),
                w: case.row(&case.w, row).to_vec(),
                ..case.clone()
            };
            for ((sum, size), term) in sums.iter_mut().zip(&mut sizes).zip(run::<f64>(&part).functional) {
                *sum += term;
                *size += term.abs();
            }
        }
        for ((whole, sum), size) in whole.functional.iter().zip(&sums).zip(&sizes) {
            assert!((whole - sum).abs() <= case.operations() * f64::EPSILON * size.max(1e-3), "{rows}: {whole} {sum}");
        }
    }
}

#[test]
fn an_empty_block_gives_nothing_and_adds_nothing() {
    for activation in [Activation::Softplus, Activation::Relu] {
        for (sizes, directions) in [(&[3, 7, 5, 2][..], 2), (&[3, 2], 1), (&[3, 4, 1], 0)] {
            for (purpose, capacity) in PURPOSES.into_iter().flat_map(|purpose| [(purpose, 0), (purpose, 5)]) {
                let case = Case::new(sizes, activation, 0, directions, 1);
                let mut workspace = JetWorkspace::<f32>::new(&case.shape, directions, capacity, purpose);
                let passes = run_in(&case, &mut workspace, purpose);
                assert!(passes.output.is_empty() && passes.input_bar.is_empty() && passes.hessian.is_empty());
                assert!(passes.vjp.iter().chain(&passes.functional).all(|&gradient| gradient == 0.0));
            }
        }
    }
}

/// A small case and a workspace in which a full pass has run.
fn ready(purpose: Purpose) -> (Case, JetWorkspace<f64>) {
    let case = Case::new(&[3, 4, 2], Activation::Tanh, 2, 2, 3);
    let mut workspace = JetWorkspace::new(&case.shape, 2, 2, purpose);
    run_in(&case, &mut workspace, purpose);
    (case, workspace)
}

#[test]
#[should_panic(expected = "a block of 3 rows does not fit into a workspace for 2")]
fn too_many_rows() {
    ready(Purpose::Forward).1.start(3);
}

#[test]
#[should_panic(expected = "made for Forward, but Gradient was asked for")]
fn reverse_of_a_forward_workspace() {
    let (case, mut workspace) = ready(Purpose::Forward);
    workspace.reverse(case.shape.bind(&case.parameters).expect("sizes"), &case.output_bar);
}

#[test]
#[should_panic(expected = "made for Gradient, but Hessian was asked for")]
fn second_derivatives_of_a_gradient_workspace() {
    ready(Purpose::Gradient).1.hessian(&[(0, 0)], &mut [0.0; 2]);
}

#[test]
#[should_panic(expected = "made for Hessian, but Functional was asked for")]
fn functional_of_a_hessian_workspace() {
    let (case, mut workspace) = ready(Purpose::Hessian);
    let network = case.shape.bind(&case.parameters).expect("sizes");
    let mut gradient = vec![0.0; case.parameters.len()];
    workspace.functional_gradient(network, &case.a, &case.u, &case.w, Accumulate::Add, &mut gradient);
}

#[test]
#[should_panic(expected = "the workspace was made for")]
fn another_network() {
    let (_, mut workspace) = ready(Purpose::Functional);
    let other = Case::new(&[3, 5, 2], Activation::Tanh, 2, 2, 3);
    workspace.forward(other.shape.bind(&other.parameters).expect("sizes"));
}

#[test]
#[should_panic(expected = "the workspace was made for")]
fn another_activation() {
    let (_, mut workspace) = ready(Purpose::Functional);
    let other = Case::new(&[3, 4, 2], Activation::Silu, 2, 2, 3);
    workspace.forward(other.shape.bind(&other.parameters).expect("sizes"));
}

#[test]
#[should_panic(expected = "rows × pairs")]
fn second_derivatives_into_another_length() {
    ready(Purpose::Functional).1.hessian(&[(0, 0)], &mut [0.0; 3]);
}

#[test]
#[should_panic(expected = "out of range")]
fn a_direction_that_does_not_exist() {
    ready(Purpose::Functional).1.hessian(&[(0, 2)], &mut [0.0; 2]);
}

#[test]
#[should_panic(expected = "ȳ: rows × outputs")]
fn a_cotangent_of_another_length() {
    let (case, mut workspace) = ready(Purpose::Functional);
    workspace.reverse(case.shape.bind(&case.parameters).expect("sizes"), &case.output_bar[1..]);
}

#[test]
#[should_panic(expected = "gradient length")]
fn a_gradient_of_another_length() {
    ready(Purpose::Functional).1.parameter_vjp(Accumulate::Add, &mut [0.0; 3]);
}

/// The functional with arrays cut short by the given numbers.
fn functional_cut_short(cut: [usize; 4]) {
    let (case, mut workspace) = ready(Purpose::Functional);
    let network = case.shape.bind(&case.parameters).expect("sizes");
    let mut gradient = vec![0.0; case.parameters.len() - cut[3]];
    let (a, u, w) = (&case.a[cut[0]..], &case.u[cut[1]..], &case.w[cut[2]..]);
    workspace.functional_gradient(network, a, u, w, Accumulate::Add, &mut gradient);
}

#[test]
#[should_panic(expected = "a: rows × inputs")]
fn a_of_another_length() {
    functional_cut_short([1, 0, 0, 0]);
}

#[test]
#[should_panic(expected = "u: rows × directions")]
fn u_of_another_length() {
    functional_cut_short([0, 1, 0, 0]);
}

#[test]
#[should_panic(expected = "w: rows × directions")]
fn w_of_another_length() {
    functional_cut_short([0, 0, 1, 0]);
}

#[test]
#[should_panic(expected = "gradient length")]
fn functional_gradient_of_another_length() {
    functional_cut_short([0, 0, 0, 1]);
}
