//! The fused jets of narrow networks, for several models at once, against the CPU engine.

use lnn_autodiff::Activation;
use lnn_autodiff::jet::{Accumulate, Purpose};
use lnn_gpu::device::{Device, DeviceOptions};
use lnn_gpu::kernels::{NARROW_FUNCTIONAL, NARROW_JET};
use lnn_gpu::mlp::{MlpParameters, NarrowJet, NarrowPlan, TileRole, Tiles};

use crate::close::Far;
use crate::ground::device;
use crate::mlp_example::{Example, all, padded, unpadded};

/// Examples of one shape that differ in every number.
fn models(dimensions: &[usize], tangents: usize, rows: usize, activation: Activation, count: usize) -> Vec<Example> {
    let model = |number: usize| {
        let mut example = Example::new(dimensions, tangents, rows, activation);
        let scale = 1.0 - 0.07 * number as f32;
        let Example { parameters, value, directions, output_bar, a, u, w, .. } = &mut example;
        for numbers in [parameters, value, directions, output_bar, a, u, w] {
            numbers.iter_mut().for_each(|x| *x *= scale);
        }
        example
    };
    (0..count).map(model).collect()
}

/// What comes out of one model, without padding.
struct Results([(&'static str, Vec<f32>); 5]);

impl Results {
    fn compare(&self, model: &Example) -> Result<(), (&'static str, Far)> {
        let Self(arrays) = self;
        let arrays: Vec<_> = arrays.iter().filter(|(_, numbers)| !numbers.is_empty()).collect();
        model.compare_named(&arrays.iter().map(|(name, numbers)| (*name, &numbers[..])).collect::<Vec<_>>())
    }
}

/// An array `[models][channels][…]` as `[channels][models][…]`.
fn by_channels<T: Copy>(numbers: &[T], models: usize, channels: usize) -> Vec<T> {
    let length = numbers.len() / (models * channels);
    let part = |channel: usize, model: usize| &numbers[(model * channels + channel) * length..][..length];
    (0..channels).flat_map(|channel| (0..models).flat_map(move |model| part(channel, model))).copied().collect()
}

/// By the fused kernels, all models at once.
fn on(device: &Device, models: &[Example], input_cotangents: bool, workgroup_memory: Option<u32>) -> Vec<Results> {
    on_tiles(device, models, input_cotangents, workgroup_memory, &Tiles::default())
}

/// As [`on`], in blocks of these sizes.
fn on_tiles(
    device: &Device,
    models: &[Example],
    input_cotangents: bool,
    workgroup_memory: Option<u32>,
    tiles: &Tiles,
) -> Vec<Results> {
    let Example { shape, tangents, rows, .. } = &models[0];
    let layout = MlpParameters::new(device, shape).unwrap().layout().clone();
    let length = layout.padded_len();
    let parameters = device.buffer("parameters", models.len() * length).unwrap();
    let packed: Vec<f32> = models.iter().flat_map(|model| layout.pack(&model.parameters)).collect();
    device.upload(&parameters, 0, &packed).unwrap();
    let (tangents, rows, purpose) = (*tangents, *rows, Purpose::Functional);
    let plan = NarrowPlan {
        gradient: None,
        layout: &layout,
        parameters: &parameters,
        models: models.len(),
        tangents,
        rows,
        purpose,
        input_cotangents,
        workgroup_memory,
    };
    let jet = NarrowJet::with_tiles(device, plan, tiles).unwrap();

    let (inputs, outputs) = (shape.inputs(), shape.outputs());
    let collect = |numbers: &dyn Fn(&Example) -> Vec<f32>| models.iter().flat_map(numbers).collect::<Vec<_>>();
    let channels = collect(&|model| {
        // The directions u and w in input space are nobody's.
        let nowhere = vec![f32::NAN; 2 * model.value.len()];
        padded(&[&model.directions[..], &model.value, &nowhere, &model.a].concat(), inputs)
    });
    let channels = by_channels(&channels, models.len(), tangents + 4);
    device.upload(jet.inputs(), 0, &channels).unwrap();
    device.upload(jet.output_bar(), 0, &collect(&|model| padded(&model.output_bar, outputs))).unwrap();
    let coefficients = by_channels(&collect(&|model| [&model.u[..], &model.w].concat()), models.len(), 2);
    device.upload(jet.coefficients(), 0, &coefficients).unwrap();
    let mut out = vec![jet.output(), jet.input_bar(), jet.second_derivatives(), jet.gradient()];
    if input_cotangents {
        out.push(jet.input_cotangents());
    }
    for buffer in &out {
        device.upload(buffer, 0, &vec![f32::NAN; buffer.len()]).unwrap();
    }
    let mut recorder = device.recorder("jet");
    jet.record_jet_with_value(&mut recorder);
    jet.record_functional_gradient(&mut recorder, Accumulate::Replace);
    recorder.submit().unwrap();

    let mut out: Vec<_> = out.into_iter().map(|buffer| all(device, buffer)).collect();
    out.resize(5, Vec::new());
    // Back to one model after the other.
    out[4] = by_channels(&out[4], 3, models.len());
    let part = |array: usize, model: usize| {
        let length = out[array].len() / models.len();
        out[array][model * length..(model + 1) * length].to_vec()
    };
    let results = |model: usize| {
        let gradient = part(3, model);
        let flat = layout.unpack(&gradient);
        assert_eq!(layout.pack(&flat), gradient, "padding of the gradient");
        Results([
            ("f", unpadded(&part(0, model), outputs)),
            ("∂f/∂x", unpadded(&part(1, model), inputs)),
            ("D_i D_j f", part(2, model)),
            ("gradient of its derivatives", flat),
            ("input cotangents", unpadded(&part(4, model), inputs)),
        ])
    };
    (0..models.len()).map(results).collect()
}

#[track_caller]
fn agree(dimensions: &[usize], tangents: usize, rows: usize, activation: Activation, count: usize) {
    let models = models(dimensions, tangents, rows, activation, count);
    // What every adapter has, and what this one has.
    for memory in [Some(16 << 10), None] {
        for (number, (model, got)) in models.iter().zip(on(device(), &models, rows % 2 == 1, memory)).enumerate() {
            let what = || {
                format!("{dimensions:?}, {tangents} tangents, {rows} rows, {activation}, model {number}, {memory:?}")
            };
            got.compare(model).unwrap_or_else(|far| panic!("{}: {far:?}", what()));
        }
    }
}

#[test]
fn one_row_and_one_unit() {
    agree(&[1, 1, 1], 2, 1, Activation::Softplus, 1);
    agree(&[2, 1, 3, 1], 2, 1, Activation::Tanh, 2);
}

#[test]
fn each_number_of_coordinates_has_its_kernels() {
    for coordinates in 1..=8 {
        let dimensions = [2 * coordinates, 9 + coordinates, 64, 1];
        agree(&dimensions, coordinates + 1, 5 + coordinates, Activation::Softplus, 1);
    }
}

#[test]
fn widths_and_rows_that_fill_no_block() {
    agree(&[5, 63, 61, 1], 3, 37, Activation::Softplus, 1);
    agree(&[64, 64, 64, 64], 3, 9, Activation::Tanh, 1);
    agree(&[4, 21, 35, 2, 1], 3, 277, Activation::Silu, 2);
}

#[test]
fn a_network_of_one_layer() {
    agree(&[6, 3], 4, 9, Activation::Softplus, 2);
}

/// Blocks of every size, at rows that fill none of them, for every number of directions.
#[test]
fn every_block_gives_the_same() {
    let [mut jets, mut functionals] = [0, 0];
    for tangents in 2..=9 {
        let models = models(&[5, 30, 61, 2, 1], tangents, 37, Activation::Softplus, 2);
        let [jet, functional] = [TileRole::NarrowJet, TileRole::NarrowFunctional]
            .map(|role| role.candidates(device().adapter(), tangents, 37));
        jets += jet.len();
        functionals = functional.len();
        for (run, jet) in jet.iter().enumerate() {
            // Each functional is run after some jet, with and without cotangents of the inputs.
            let tiles = jet.or(functional[run % functionals]);
            for (number, got) in on_tiles(device(), &models, tangents % 2 == 1, None, &tiles).iter().enumerate() {
                let what = || format!("{tiles:?}, {tangents} tangents, model {number}");
                got.compare(&models[number]).unwrap_or_else(|far| panic!("{}: {far:?}", what()));
            }
        }
        assert!(jet.len() >= functionals || tangents > 6, "{tangents} tangents: not every functional was run");
    }
    let variants = (NARROW_JET.variants.len(), NARROW_FUNCTIONAL.variants.len());
    assert_eq!((jets, 2 * functionals), variants, "this adapter has no room for some of the blocks");
}

/// So many rows that blocks of many samples are taken, and each workgroup has several of them.
#[test]
fn many_rows_of_many_models_take_the_larger_blocks() {
    let variants = NARROW_JET.variants.iter().chain(NARROW_FUNCTIONAL.variants);
    let largest = variants.map(|source| source.workgroup_memory).max().unwrap();
    assert!(largest <= device().adapter().workgroup_memory, "this adapter has room for the smaller blocks only");
    agree(&[4, 20, 17, 1], 3, 171, Activation::Softplus, 12);
    agree(&[4, 33, 1], 6, 1030, Activation::Softplus, 1);
    agree(&[4, 9, 1], 3, 4111, Activation::Softplus, 1);
}

#[test]
fn each_perturbed_weight_is_seen_in_its_model_only() {
    let models = models(&[4, 50, 5, 1], 3, 18, Activation::Softplus, 2);
    let count = models[0].parameters.len();
    for place in [3, 4 * 50 + 60, count - 4, count - 1] {
        let mut perturbed = models.clone();
        perturbed[1].parameters[place] += 0.02;
        let got = on(device(), &perturbed, false, None);
        assert!(got[0].compare(&models[0]).is_ok(), "parameter {place}");
        assert!(got[1].compare(&models[1]).is_err(), "parameter {place}");
    }
}

#[test]
fn each_perturbed_input_is_seen() {
    let example = models(&[3, 17, 1], 2, 7, Activation::Tanh, 1);
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
        perturb(&mut perturbed[0]);
        assert!(on(device(), &perturbed, true, None)[0].compare(&example[0]).is_err(), "input {index}");
    }
}

#[test]
fn the_same_bits_each_time_and_without_checks() {
    let models = models(&[4, 40, 33, 1], 3, 150, Activation::Softplus, 2);
    let bits = |device: &Device| {
        on(device, &models, true, None)
            .into_iter()
            .flat_map(|Results(arrays)| arrays.into_iter().flat_map(|(_, numbers)| numbers))
            .map(f32::to_bits)
            .collect::<Vec<_>>()
    };
    let checked = bits(device());
    assert!(checked == bits(device()), "the same device");
    assert!(checked == bits(&Device::open(&DeviceOptions::default()).unwrap()), "without checks in the kernels");
}
