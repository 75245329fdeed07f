//! Packed weights give what a matrix product gives, for every number of rows on both sides of the switch.

use lnn_autodiff::jet::{JetWorkspace, PackedWeights, Purpose};
use lnn_autodiff::{Activation, Real};

use crate::case::Case;

/// Value, tangents, input gradient and second derivatives, in that order.
fn passes<T: Real>(case: &Case, packed: Option<&PackedWeights<T>>) -> Vec<f64> {
    let cast = |values: &[f64]| values.iter().map(|&x| T::from_f64(x)).collect::<Vec<T>>();
    let parameters = cast(&case.parameters);
    let network = case.shape.bind(&parameters).expect("sizes");
    let network = packed.map_or(network, |packed| network.with_packed(packed));
    let mut workspace = JetWorkspace::<T>::new(&case.shape, case.directions, case.rows, Purpose::Hessian);
    let inputs = workspace.start(case.rows);
    inputs.value.copy_from_slice(&cast(&case.x));
    inputs.tangents.copy_from_slice(&cast(&case.tangents));
    workspace.forward(network);
    let output_tangents = workspace.output_tangents(network).to_vec();
    workspace.reverse(network, &cast(&case.output_bar));
    let mut hessian = vec![T::from_f64(f64::NAN); case.rows * case.pairs().len()];
    workspace.hessian(&case.pairs(), &mut hessian);
    let parts = [workspace.output(), &output_tangents, workspace.input_bar(), &hessian];
    parts.concat().iter().map(|x| x.to_f64()).collect()
}

fn packed<T: Real>(case: &Case) -> PackedWeights<T> {
    let parameters: Vec<T> = case.parameters.iter().map(|&x| T::from_f64(x)).collect();
    PackedWeights::new(&case.shape, &parameters)
}

fn agree<T: Real>(case: &Case) {
    let (plain, few) = (passes::<T>(case, None), passes::<T>(case, Some(&packed(case))));
    assert!(few.iter().all(|x| x.is_finite()));
    // Sums of the same terms in another order; second derivatives add a chain for each of two tangents.
    let largest = plain.iter().fold(1.0_f64, |largest, x| largest.max(x.abs()));
    let tolerance = 3.0 * case.operations() * T::EPSILON.to_f64() * largest;
    for (plain, few) in plain.iter().zip(&few) {
        assert!((plain - few).abs() <= tolerance, "{} rows: {plain} {few}, {tolerance}", case.rows);
    }
}

#[test]
fn every_number_of_rows_and_width_agrees_with_the_matrix_product() {
    for sizes in [&[3, 7, 5, 2][..], &[6, 64, 64, 1], &[1, 65, 130, 3], &[5, 1], &[2, 100, 4, 63, 7]] {
        for rows in [1, 2, 3, 4, 5, 7, 16, 17, 20] {
            let case = Case::new(sizes, Activation::Softplus, rows, 3, rows as u64);
            agree::<f64>(&case);
            agree::<f32>(&case);
        }
    }
}

#[test]
fn it_is_the_packed_weights_that_are_used() {
    let case = Case::new(&[3, 20, 2], Activation::Tanh, 1, 2, 9);
    let other = Case { parameters: case.parameters.iter().map(|x| 1.5 * x).collect(), ..case.clone() };
    assert_ne!(passes::<f64>(&case, None), passes::<f64>(&case, Some(&packed(&other))));
}

#[test]
#[should_panic(expected = "packed from this network")]
fn weights_of_another_network() {
    let (case, other) =
        (Case::new(&[3, 20, 2], Activation::Tanh, 1, 2, 9), Case::new(&[3, 21, 2], Activation::Tanh, 1, 2, 9));
    passes::<f64>(&case, Some(&packed(&other)));
}
