//! Each activation and its three derivatives at single points, through the kernels that use them, against the CPU's in
//! double precision.

use bytemuck::{Pod, Zeroable};
use lnn_autodiff::Activation;
use lnn_gpu::kernels;

use crate::close::{Far, close};
use crate::ground::Case;

/// As in `shaders/shared/layer_product.wgsl`.
#[derive(Clone, Copy, Default, Pod, Zeroable)]
#[repr(C)]
struct LayerConstants {
    rows: u32,
    depth: u32,
    depth4: u32,
    width: u32,
    width4: u32,
    weight: u32,
    bias: u32,
    input_start: u32,
    linear: u32,
    tangents: u32,
    bar_start: u32,
}

/// Dense near zero, out to where each tail has settled, on both sides; a multiple of four.
fn points() -> Vec<f32> {
    let mut points: Vec<f32> = (-600..600).map(|i| 0.031 * i as f32).collect();
    for far in [19.0, 25.0, 40.0, 60.0, 86.9, 87.1, 88.0, 104.0, 999.0, 1001.0, 1e5, 1e8, 1e12, 1e-3, 1e-6, 1e-20] {
        points.extend([far, -far]);
    }
    points.extend([0.0, -0.0, 1.0, -1.0]);
    assert_eq!(points.len() % 4, 0, "a layer of this width has no padding");
    points
}

/// A layer of one row and no depth, whose bias is z: `[σ, σ′]`, each at all points.
fn first_two(activation: Activation, z: &[f32]) -> [Vec<f32>; 2] {
    let width = z.len();
    let place = Activation::ALL.iter().position(|&other| other == activation).unwrap();
    let width4 = width as u32 / 4;
    // Depth 1: the value's input is 0, so that z is the bias; the tangent's is 1 and so is W, so that ż is 1.
    let mut parameters = vec![0.0; 4 * width];
    for weight in parameters.iter_mut().step_by(4) {
        *weight = 1.0;
    }
    parameters.extend_from_slice(z);
    let constants = LayerConstants {
        rows: 1,
        depth: 1,
        depth4: 1,
        width: width as u32,
        width4,
        bias: width as u32,
        ..Default::default()
    };
    let inputs = [1.0_f32, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let source = kernels::LAYER_FORWARD.variant(&[("CHANNELS", 2), ("COLUMNS", 128)]).unwrap();
    let outputs = Case::new(source)
        .with_override("ACTIVATION", place as f64)
        .constants(&constants)
        .read(&parameters)
        .read(&inputs)
        .write(2 * width)
        .write(2 * width)
        .run([1, width.div_ceil(128) as u32, 1]);
    let (tangent, value) = outputs[1].split_at(width);
    [value.to_vec(), tangent.to_vec()]
}

/// The adjoints at a layer with nothing above: `[σ″, σ‴]`, each at all points.
fn last_two(activation: Activation, z: &[f32]) -> [Vec<f32>; 2] {
    let width = z.len();
    let place = Activation::ALL.iter().position(|&other| other == activation).unwrap();
    let constants = LayerConstants { rows: 1, width: width as u32, width4: width as u32 / 4, ..Default::default() };
    let source = kernels::FUNCTIONAL_REVERSE.variant(&[("COLUMNS", 128)]).unwrap();
    // δ = 1, ż^u = ż^w = 1, c_z = 0: z̄ = −σ‴, ż̄^u = −σ″.
    let directional = [vec![1.0_f32; 2 * width], vec![0.0; width]].concat();
    let outputs = Case::new(source)
        .with_override("ACTIVATION", place as f64)
        .constants(&constants)
        .read(&[0.0_f32; 4])
        .read(&[0.0_f32; 4])
        .read(z)
        .read(&vec![1.0_f32; width])
        .read(&directional)
        // Of the fourth channel nothing is written.
        .write(4 * width)
        .run([1, width.div_ceil(128) as u32, 1]);
    let [z_bar, u_bar] = [&outputs[0][..width], &outputs[0][width..2 * width]];
    assert!(outputs[0][3 * width..].iter().all(|x| x.is_nan()), "the last channel is another kernel's");
    [u_bar.iter().map(|x| -x).collect(), z_bar.iter().map(|x| -x).collect()]
}

/// Differences in units of ε, where each derivative's scale is the magnitude of the terms that it is formed from.
fn compare(activation: Activation, order: usize, z: &[f32], got: &[f32]) -> Result<(), Far> {
    const FACTOR: f64 = 16.0;
    let mut want = Vec::new();
    let mut scale = Vec::new();
    for z in z.iter().map(|&z| f64::from(z)) {
        let exact = activation.derivatives(z);
        // The exponential has the rounding of its argument.
        let exponent = if activation == Activation::Gelu { 0.5 * z * z } else { z.abs() }.min(90.0);
        // Near a zero of a derivative its terms cancel.
        let terms = if order > 0 { terms(activation, z) } else { 0.0 };
        // The exponential of less than −87 is held there; up to |z| = 1000 it is multiplied by z up to three times.
        let held = (-87.0_f64).exp() * (1.0 + z.abs().min(1e3)).powi(3) / (FACTOR * f64::from(f32::EPSILON));
        want.push(exact[order]);
        scale.push((1.0 + exponent) * exact[order].abs().max(terms) + held);
    }
    close(got, &want, &scale, FACTOR)
}

/// The size of the terms of the derivatives at z.
fn terms(activation: Activation, z: f64) -> f64 {
    match activation {
        Activation::Gelu => (1.0 + z.abs()).powi(3) * (-0.5 * z * z).exp(),
        _ => (1.0 + z.abs()) * (-z.abs()).exp(),
    }
}

#[test]
fn each_derivative_keeps_its_accuracy_in_both_tails() {
    let z = points();
    for activation in Activation::ALL {
        let [value, first] = first_two(activation, &z);
        let [second, third] = last_two(activation, &z);
        for (order, got) in [value, first, second, third].iter().enumerate() {
            compare(activation, order, &z, got)
                .unwrap_or_else(|far| panic!("{activation}, derivative {order}, at z = {:e}: {far:?}", z[far.at]));
        }
    }
}

#[test]
fn another_activation_is_seen() {
    let z = points();
    let [value, first] = first_two(Activation::Silu, &z);
    assert!(compare(Activation::Gelu, 0, &z, &value).is_err());
    assert!(compare(Activation::Gelu, 1, &z, &first).is_err());
    assert!(compare(Activation::Silu, 1, &z, &first).is_ok());
}
