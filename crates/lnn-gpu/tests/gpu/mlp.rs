//! The jets of a network on the device against the CPU engine.

use lnn_autodiff::Activation;
use lnn_gpu::device::{Device, DeviceOptions};

use crate::ground::device;
use crate::mlp_example::{Example, Results};

#[track_caller]
fn agrees(dimensions: &[usize], tangents: usize, rows: usize, activation: Activation) {
    follows_the_cpu(&Example::new(dimensions, tangents, rows, activation));
}

#[track_caller]
fn follows_the_cpu(example: &Example) {
    let Example { shape, tangents, rows, .. } = example;
    let what = format!("{:?}, {tangents} tangents, {rows} rows, {}", shape.dimensions(), shape.activation());
    let twin = example.on_cpu::<f32>();
    example.compare(&twin).unwrap_or_else(|far| panic!("the twin in single precision: {what}: {far:?}"));
    example.compare(&example.on(device())).unwrap_or_else(|far| panic!("{what}: {far:?}"));
}

#[test]
fn one_row_and_one_unit() {
    agrees(&[1, 1, 1], 2, 1, Activation::Softplus);
    agrees(&[2, 1, 3, 1], 2, 1, Activation::Tanh);
}

#[test]
fn each_number_of_coordinates_has_its_kernels() {
    for coordinates in 1..=8 {
        let dimensions = [2 * coordinates, 9 + coordinates, 66, 1];
        agrees(&dimensions, coordinates + 1, 5 + coordinates, Activation::Softplus);
    }
}

#[test]
fn widths_and_rows_that_are_no_multiple_of_a_tile() {
    agrees(&[4, 130, 67, 1], 3, 37, Activation::Softplus);
    agrees(&[5, 64, 128, 1], 3, 33, Activation::Tanh);
    // More than one tile of rows, more than one split of the gradient.
    agrees(&[4, 21, 35, 1], 3, 277, Activation::Softplus);
}

#[test]
fn several_outputs_and_a_network_of_one_layer() {
    agrees(&[4, 20, 6], 3, 9, Activation::Sigmoid);
    agrees(&[6, 3], 4, 9, Activation::Softplus);
}

#[test]
fn directional_derivatives_and_plain_gradients() {
    for (dimensions, rows) in [(&[4, 70, 21, 1][..], 37), (&[3, 5], 4), (&[1, 1, 1], 1), (&[6, 18, 130, 3], 150)] {
        follows_the_cpu(&Example::directional(dimensions, rows, Activation::Tanh));
    }
}

#[test]
fn each_perturbed_weight_is_seen() {
    let example = Example::new(&[4, 66, 5, 1], 3, 18, Activation::Softplus);
    let count = example.parameters.len();
    // Of each layer, and the last bias: f alone knows it.
    for place in [3, 4 * 66 + 100, count - 4, count - 1] {
        let mut perturbed = example.clone();
        perturbed.parameters[place] += 0.02;
        assert!(example.compare(&perturbed.on(device())).is_err(), "parameter {place}");
    }
    let example = Example::directional(&[4, 66, 5, 1], 18, Activation::Softplus);
    let exact = example.on(device());
    let mut perturbed = example.clone();
    perturbed.a[70] += 0.02;
    // a reaches the directional gradient alone.
    let gradient = perturbed.on(device()).gradient;
    assert!(example.compare(&Results { gradient, ..exact.clone() }).is_err());
    assert!(example.compare(&exact).is_ok());
}

#[test]
fn each_perturbed_input_is_seen() {
    let example = Example::new(&[3, 17, 1], 2, 7, Activation::Tanh);
    let perturbations: [fn(&mut Example); 6] = [
        |example| example.value[20] += 0.02,
        |example| example.directions[40] += 0.02,
        |example| example.output_bar[6] += 0.02,
        |example| example.a[20] += 0.02,
        |example| example.u[13] += 0.02,
        |example| example.w[13] += 0.02,
    ];
    for (index, perturb) in perturbations.into_iter().enumerate() {
        let mut perturbed = example.clone();
        perturb(&mut perturbed);
        assert!(example.compare(&perturbed.on(device())).is_err(), "input {index}");
    }
}

#[test]
fn the_same_bits_each_time_and_without_checks() {
    let example = Example::new(&[4, 70, 33, 1], 3, 150, Activation::Softplus);
    let bits = |device: &Device| {
        let results = example.on(device);
        let Results { output, input_bar, second_derivatives, parameter_vjp, gradient, input_cotangents } = results;
        [output, input_bar, second_derivatives, parameter_vjp, gradient, input_cotangents]
            .concat()
            .iter()
            .map(|x| x.to_bits())
            .collect::<Vec<_>>()
    };
    let checked = bits(device());
    assert!(checked == bits(device()), "the same device");
    assert!(checked == bits(&Device::open(&DeviceOptions::default()).unwrap()), "without checks in the kernels");
}
