//! Features, their tangents and slopes, and the way back, against the twin.

use std::f64::consts::{FRAC_PI_2, PI, TAU};

use lnn_autodiff::features::{Feature, FeatureMap};
use lnn_autodiff::jet::{Accumulate, JetInputs};
use lnn_gpu::features::{Features, PullBackBuffers, SeedBuffers, Tangents};

use crate::buffers::{buffer, contents, poisoned, run, strided};
use crate::close::close;
use crate::ground::device;

/// Every kind of feature for d coordinates and two conditionals, in no order.
fn map(d: usize) -> FeatureMap {
    let mut list = vec![Feature::Conditional { index: 1, scale: 0.3, centre: -2.0 }];
    for index in 0..d {
        list.push(Feature::Velocity { index: d - 1 - index, scale: 5.0 + index as f64 });
        match index % 3 {
            0 => list.extend([Feature::Cosine { index }, Feature::Sine { index }]),
            1 => list.push(Feature::WrappedAngle { index, scale: 1.7 }),
            _ => {}
        }
        list.push(Feature::Position { index, scale: 3.0, centre: 0.4 });
    }
    list.push(Feature::Conditional { index: 0, scale: 11.0, centre: 0.0 });
    FeatureMap::new(d, 2, list).unwrap()
}

fn states(d: usize, rows: usize) -> Vec<f32> {
    (0..rows * (2 * d + 2)).map(|i| (12.0 * (0.37 * (i + 1) as f64).sin()) as f32).collect()
}

/// Inputs `[tangents + 1, rows, stride]` and slopes.
fn seed(map: &FeatureMap, rows: usize, tangents: Tangents, states: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let features = Features::new(device(), map.clone()).unwrap();
    let channels = if tangents == Tangents::None { 1 } else { map.degrees_of_freedom() + 2 };
    let inputs = poisoned("inputs", channels * rows * features.stride());
    let slopes = poisoned("slopes", rows * features.stride());
    let buffers = SeedBuffers { states: &buffer("states", states), inputs: &inputs, slopes: &slopes };
    let stage = features.seed(device(), rows, tangents, buffers).unwrap();
    run(|recorder| stage.record(recorder));
    (contents(&inputs), contents(&slopes))
}

/// The twin's, in double precision, in the kernel's layout.
fn expected(map: &FeatureMap, rows: usize, states: &[f32]) -> (Vec<f64>, Vec<f64>) {
    let (d, n) = (map.degrees_of_freedom(), map.len());
    let width = 2 * d + map.conditionals();
    let columns = |range: std::ops::Range<usize>| -> Vec<f64> {
        states.chunks(width).flat_map(|state| state[range.clone()].iter().map(|&x| f64::from(x))).collect()
    };
    let (q, q_dot, conditionals) = (columns(0..d), columns(d..2 * d), columns(2 * d..width));
    let (mut value, mut tangents, mut slope) =
        (vec![0.0; rows * n], vec![0.0; (d + 1) * rows * n], vec![0.0; rows * n]);
    let inputs = JetInputs { value: &mut value, tangents: &mut tangents };
    map.seed(&q, &q_dot, &conditionals, inputs, &mut slope);
    tangents.extend(value);
    (strided(&tangents, n), strided(&slope, n))
}

/// Three roundings, and the reduction of an angle.
const FACTOR: f64 = 4.0;

fn scale(values: &[f64]) -> Vec<f64> {
    values.iter().map(|x| x.abs()).collect()
}

/// What a position feature takes off its coordinate cancels.
fn scale_with_centres(values: &[f64]) -> Vec<f64> {
    values.iter().map(|x| x.abs() + 7.0).collect()
}

#[test]
fn inputs_tangents_and_slopes_are_those_of_the_twin() {
    for d in 1..=8 {
        for rows in [1, 5, 67] {
            let (map, states) = (map(d), states(d, rows));
            let (inputs, slopes) = seed(&map, rows, Tangents::Lagrangian, &states);
            let (want_inputs, want_slopes) = expected(&map, rows, &states);
            close(&slopes, &want_slopes, &scale(&want_slopes), FACTOR)
                .unwrap_or_else(|far| panic!("slopes, d = {d}, {rows} rows: {far:?}"));
            let (tangents, values) = inputs.split_at(inputs.len() - slopes.len());
            let (want_tangents, want_values) = want_inputs.split_at(tangents.len());
            close(tangents, want_tangents, &scale(want_tangents), FACTOR)
                .unwrap_or_else(|far| panic!("tangents, d = {d}, {rows} rows: {far:?}"));
            close(values, want_values, &scale_with_centres(want_values), FACTOR)
                .unwrap_or_else(|far| panic!("values, d = {d}, {rows} rows: {far:?}"));
            let (alone, alone_slopes) = seed(&map, rows, Tangents::None, &states);
            assert_eq!((&alone[..], &alone_slopes), (values, &slopes), "values alone");
        }
    }
}

#[test]
fn a_perturbed_state_is_seen() {
    let (d, rows) = (3, 9);
    let (map, mut states) = (map(d), states(d, rows));
    let (want_inputs, want_slopes) = expected(&map, rows, &states);
    states[2 * (2 * d + 2)] += 1e-4;
    let (inputs, slopes) = seed(&map, rows, Tangents::Lagrangian, &states);
    let row_of = |at: usize| at / map.len().next_multiple_of(4) % rows;
    let far = close(&slopes, &want_slopes, &scale(&want_slopes), FACTOR).unwrap_err();
    assert_eq!(row_of(far.at), 2, "{far:?}");
    let far = close(&inputs, &want_inputs, &scale_with_centres(&want_inputs), FACTOR).unwrap_err();
    assert_eq!(row_of(far.at), 2, "{far:?}");
}

/// Sine, cosine and wrapped angle of each angle.
fn of_angles(angles: &[f32]) -> Vec<[f32; 3]> {
    let list =
        vec![Feature::Sine { index: 0 }, Feature::Cosine { index: 0 }, Feature::WrappedAngle { index: 0, scale: 1.0 }];
    let map = FeatureMap::new(1, 0, list).unwrap();
    let states: Vec<f32> = angles.iter().flat_map(|&angle| [angle, 0.0]).collect();
    let (values, _) = seed(&map, angles.len(), Tangents::None, &states);
    values.chunks(4).map(|row| [row[0], row[1], row[2]]).collect()
}

#[test]
fn sines_and_wrapped_angles_keep_their_digits_for_angles_of_any_size() {
    let mut angles = vec![0.0_f32, -0.0, 1e-30, -3e-5, 0.003, -0.784, 0.786, 1e5, -2.3e7, 4e18, -1e30, f32::MAX];
    angles.extend((-4000..4000).map(|i| i as f32 * 0.0173));
    // The nearest numbers to multiples of a quarter turn, where what is left is small, and their neighbours.
    for k in (-40_i32..=40).chain([1000, 12_345, -7_654_321]) {
        let nearest = (f64::from(k) * FRAC_PI_2) as f32;
        angles.extend([nearest, nearest.next_up(), nearest.next_down()]);
    }
    angles.extend((0..127).map(|power| 1.3 * 2.0_f32.powi(power)));
    for (&angle, [sine, cosine, wrapped]) in angles.iter().zip(of_angles(&angles)) {
        let (want_sine, want_cosine) = f64::from(angle).sin_cos();
        let mut want_wrapped = want_sine.atan2(want_cosine);
        // Half a turn is the same to either side, and each is rounded to single precision.
        if want_wrapped.abs() > PI - 1e-6 && want_wrapped * f64::from(wrapped) < 0.0 {
            want_wrapped -= TAU.copysign(want_wrapped);
        }
        let want = [want_sine, want_cosine, want_wrapped];
        close(&[sine, cosine, wrapped], &want, &scale(&want), 2.0).unwrap_or_else(|far| panic!("{angle:e}: {far:?}"));
    }
    for angle in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert!(of_angles(&[angle])[0].iter().all(|x| x.is_nan()), "{angle}");
    }
}

fn pull_back(
    map: &FeatureMap,
    rows: usize,
    factor: f64,
    accumulate: Accumulate,
    [slopes, x_bar, before]: [&[f32]; 3],
) -> [Vec<f32>; 2] {
    let features = Features::new(device(), map.clone()).unwrap();
    let (q_bar, q_dot_bar) = (buffer("force", before), buffer("momentum", before));
    let (slopes, x_bar) = (buffer("slopes", slopes), buffer("x_bar", x_bar));
    let buffers = PullBackBuffers { slopes: &slopes, x_bar: &x_bar, q_bar: &q_bar, q_dot_bar: &q_dot_bar };
    let stage = features.pull_back(device(), rows, factor, accumulate, buffers).unwrap();
    run(|recorder| stage.record(recorder));
    [contents(&q_bar), contents(&q_dot_bar)]
}

#[test]
fn cotangents_come_back_as_in_the_twin_written_and_added() {
    for d in 1..=8 {
        let rows = 41;
        let (map, n) = (map(d), map(d).len());
        let numbers =
            |count: usize, rate: f64| (0..count).map(|i| (rate * (i + 1) as f64).sin() as f32).collect::<Vec<_>>();
        let (slopes, x_bar) = (numbers(rows * n, 0.7), numbers(rows * n, 1.9));
        let wide = |values: &[f32]| values.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
        let (mut q_bar, mut q_dot_bar) = (vec![0.0; rows * d], vec![0.0; rows * d]);
        map.pull_back(&wide(&slopes), &wide(&x_bar), &mut q_bar, &mut q_dot_bar);
        let inputs = [&strided(&slopes, n)[..], &strided(&x_bar, n)];
        // Sums of at most four terms of at most 1.
        let scales = vec![5.0; rows * d];
        let poison = vec![f32::NAN; rows * d];
        let written = pull_back(&map, rows, 1.0, Accumulate::Replace, [inputs[0], inputs[1], &poison]);
        let before = numbers(rows * d, 0.3);
        let added = pull_back(&map, rows, -2.0, Accumulate::Add, [inputs[0], inputs[1], &before]);
        for ((written, added), want) in written.iter().zip(&added).zip([&q_bar, &q_dot_bar]) {
            close(written, want, &scales, 1.0).unwrap_or_else(|far| panic!("d = {d}: {far:?}"));
            let want: Vec<f64> = want.iter().zip(&before).map(|(x, &before)| f64::from(before) - 2.0 * x).collect();
            close(added, &want, &scales, 3.0).unwrap_or_else(|far| panic!("added, d = {d}: {far:?}"));
        }
        let mut perturbed = inputs[1].to_vec();
        perturbed[1] += 1e-4;
        let seen = pull_back(&map, rows, 1.0, Accumulate::Replace, [inputs[0], &perturbed, &poison]);
        assert!(close(&seen[1], &q_dot_bar, &scales, 1.0).is_err(), "the second feature is a velocity");
    }
}
