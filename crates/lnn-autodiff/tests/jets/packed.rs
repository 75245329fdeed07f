//! A packed network gives what a matrix product gives, for every number of rows.

use lnn_autodiff::jet::{Accumulate, JetWorkspace, PackedMlp, Purpose};
use lnn_autodiff::{Activation, Real, ShapeError};

use crate::case::Case;

/// Value, tangents, input gradient, second derivatives and the functional's gradient.
fn passes<T: Real>(case: &Case, packed: Option<&PackedMlp<T>>) -> [Vec<f64>; 5] {
    let cast = |values: &[f64]| values.iter().map(|&x| T::from_f64(x)).collect::<Vec<T>>();
    let parameters = cast(&case.parameters);
    let network = packed.map_or_else(|| case.shape.bind(&parameters).expect("sizes"), PackedMlp::network);
    let mut workspace = JetWorkspace::<T>::new(&case.shape, case.directions, case.rows, Purpose::Functional);
    let inputs = workspace.start(case.rows);
    inputs.value.copy_from_slice(&cast(&case.x));
    inputs.tangents.copy_from_slice(&cast(&case.tangents));
    workspace.forward(network);
    let output_tangents = workspace.output_tangents(network).to_vec();
    workspace.reverse(network, &cast(&case.output_bar));
    let mut hessian = vec![T::from_f64(f64::NAN); case.rows * case.pairs().len()];
    workspace.hessian(&case.pairs(), &mut hessian);
    let mut gradient = vec![T::from_f64(f64::NAN); parameters.len()];
    let [a, u, w] = [&case.a, &case.u, &case.w].map(|values| cast(values));
    workspace.functional_gradient(network, &a, &u, &w, Accumulate::Replace, &mut gradient);
    let double = |values: &[T]| values.iter().map(|x| x.to_f64()).collect::<Vec<f64>>();
    [workspace.output(), &output_tangents, workspace.input_bar(), &hessian, &gradient].map(double)
}

fn packed<T: Real>(case: &Case) -> PackedMlp<T> {
    let parameters: Vec<T> = case.parameters.iter().map(|&x| T::from_f64(x)).collect();
    PackedMlp::new(&case.shape, &parameters).expect("sizes")
}

fn agree<T: Real>(case: &Case) {
    for (plain, few) in passes::<T>(case, None).iter().zip(&passes::<T>(case, Some(&packed(case)))) {
        // Sums of the same terms in another order; second derivatives and gradients add two more such chains.
        let largest = plain.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
        let tolerance = 3.0 * case.operations() * T::EPSILON.to_f64() * largest;
        for (plain, few) in plain.iter().zip(few) {
            assert!((plain - few).abs() <= tolerance, "{} rows: {plain} {few}, {tolerance}", case.rows);
        }
    }
}

#[test]
fn every_number_of_rows_and_width_agrees_with_the_matrix_product() {
    for sizes in [&[3, 7, 5, 2][..], &[6, 64, 64, 1], &[1, 65, 130, 3], &[5, 1], &[2, 100, 4, 63, 7], &[2, 256, 128, 1]]
    {
        for rows in [1, 2, 3, 4, 5, 7, 16, 17, 20] {
            let case = Case::new(sizes, Activation::Softplus, rows, 3, rows as u64);
            agree::<f64>(&case);
            agree::<f32>(&case);
        }
    }
}

#[test]
fn it_is_the_packed_network_that_is_used() {
    let case = Case::new(&[3, 20, 2], Activation::Tanh, 1, 2, 9);
    let other = Case { parameters: case.parameters.iter().map(|x| 1.5 * x).collect(), ..case.clone() };
    assert_ne!(passes::<f64>(&case, None), passes::<f64>(&case, Some(&packed(&other))));
}

/// Value, tangents and input gradient of the case's first rows in a block of their own, `[rows, ...]` each.
fn first_rows(case: &Case, network: &PackedMlp<f32>, rows: usize) -> [Vec<f32>; 3] {
    let (inputs, outputs) = (case.shape.inputs(), case.shape.outputs());
    let cast = |values: &[f64]| values.iter().map(|&x| x as f32).collect::<Vec<f32>>();
    let mut workspace = JetWorkspace::<f32>::new(&case.shape, case.directions, rows, Purpose::Functional);
    let start = workspace.start(rows);
    start.value.copy_from_slice(&cast(&case.x[..rows * inputs]));
    let channels = case.tangents.chunks_exact(case.rows * inputs).zip(start.tangents.chunks_exact_mut(rows * inputs));
    for (from, to) in channels {
        to.copy_from_slice(&cast(&from[..rows * inputs]));
    }
    workspace.forward(network.network());
    let tangents = workspace.output_tangents(network.network()).chunks_exact(rows * outputs);
    let tangents = tangents.flat_map(|channel| channel[..2 * outputs].to_vec()).collect();
    workspace.reverse(network.network(), &cast(&case.output_bar[..rows * outputs]));
    [workspace.output()[..2 * outputs].to_vec(), tangents, workspace.input_bar()[..2 * inputs].to_vec()]
}

#[test]
fn a_row_does_not_depend_on_how_many_others_share_its_block() {
    for sizes in [&[6, 64, 64, 1][..], &[3, 100, 65, 2], &[2, 300, 20, 1]] {
        let case = Case::new(sizes, Activation::Softplus, 37, 3, 5);
        let network = packed::<f32>(&case);
        let pair = first_rows(&case, &network, 2);
        for rows in [3, 4, 5, 8, 15, 37] {
            assert_eq!(first_rows(&case, &network, rows), pair, "{sizes:?}, {rows} rows");
        }
    }
}

#[test]
fn parameters_of_another_length_are_refused() {
    let case = Case::new(&[3, 20, 2], Activation::Tanh, 1, 2, 9);
    let error = PackedMlp::new(&case.shape, &case.parameters[1..]).expect_err("one is missing");
    assert_eq!(error, ShapeError::ParameterCount { expected: 122, given: 121 });
}
