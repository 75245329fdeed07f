// Value, tangents, reverse sweep and second derivatives of a block of samples of a network up to 64 wide, from the inputs to
// D_i D_j f.
//
//   z = W a + b, ż = W ȧ        a = σ(z), ȧ = σ′ ż
//   δ = (δ σ′ of the layer above) W        D_i D_j f = Σ_layers Σ_n δ σ″ ż^i ż^j
//
// Pairs (i, j) are those of `hessian_contract`. [ż…, z, δ] of each layer are kept for the functional.

import constants::{DEPTH4, PAIRS, SAMPLES, TANGENTS};
import package::shared::activation::derivatives;
import package::shared::narrow::{
    inputs, jet, kept, layers, output_bar, parameters, x_tile, Layer, COLUMNS4, columns_at, forward_one, fours, load_columns,
    reverse_one, x_place,
};

@if(!FUSED) @group(0) @binding(6) var<storage, read_write> output: array<vec4<f32>>;
@if(!FUSED) @group(0) @binding(7) var<storage, read_write> input_bar: array<vec4<f32>>;
// [rows][PAIRS]; where the passes are those of one kernel, which may have few bindings, behind them x̄ as well.
@group(0) @binding(8) var<storage, read_write> second_derivatives: array<f32>;

// Keeps four numbers of x̄, of which `at4` is the place in units of four.
fn keep_input_bar(at4: u32, bar: vec4<f32>) {
    @if(!FUSED) {
        input_bar[at4] = bar;
    }
    @if(FUSED) {
        let at = jet.models * jet.rows * PAIRS + 4u * at4;
        for (var i = 0u; i < 4u; i++) {
            second_derivatives[at + i] = bar[i];
        }
    }
}

const CHANNELS = TANGENTS + 1u;

// All channels of four columns of one sample, the value last.
struct Sums {
    s0: vec4<f32>,
    s1: vec4<f32>,
    s2: vec4<f32>,
    @if(CHANNEL_3) s3: vec4<f32>,
    @if(CHANNEL_4) s4: vec4<f32>,
    @if(CHANNEL_5) s5: vec4<f32>,
    @if(CHANNEL_6) s6: vec4<f32>,
    @if(CHANNEL_7) s7: vec4<f32>,
    @if(CHANNEL_8) s8: vec4<f32>,
    @if(CHANNEL_9) s9: vec4<f32>,
}

// x times a weight, transposed. Accumulators have names, since drivers keep those in registers.
fn forward_all(layer: Layer, start4: u32, local: u32) -> Sums {
    let tx = local % COLUMNS4;
    let s = local / COLUMNS4;
    let depth4 = fours(layer.inputs);
    var sums: Sums;
    for (var k4 = 0u; k4 < depth4; k4 += DEPTH4) {
        workgroupBarrier();
        load_columns(layer, start4, k4, local);
        workgroupBarrier();
        for (var k = 0u; k < min(DEPTH4, depth4 - k4); k++) {
            let weight = columns_at(tx, k);
            let at = k4 + k;
            sums.s0 += x_tile[x_place(0u, s, at)] * weight;
            sums.s1 += x_tile[x_place(1u, s, at)] * weight;
            sums.s2 += x_tile[x_place(2u, s, at)] * weight;
            @if(CHANNEL_3) sums.s3 += x_tile[x_place(3u, s, at)] * weight;
            @if(CHANNEL_4) sums.s4 += x_tile[x_place(4u, s, at)] * weight;
            @if(CHANNEL_5) sums.s5 += x_tile[x_place(5u, s, at)] * weight;
            @if(CHANNEL_6) sums.s6 += x_tile[x_place(6u, s, at)] * weight;
            @if(CHANNEL_7) sums.s7 += x_tile[x_place(7u, s, at)] * weight;
            @if(CHANNEL_8) sums.s8 += x_tile[x_place(8u, s, at)] * weight;
            @if(CHANNEL_9) sums.s9 += x_tile[x_place(9u, s, at)] * weight;
        }
    }
    workgroupBarrier();
    return sums;
}

fn channels_of(sums: Sums) -> array<vec4<f32>, CHANNELS> {
    var channels: array<vec4<f32>, CHANNELS>;
    channels[0] = sums.s0;
    channels[1] = sums.s1;
    channels[2] = sums.s2;
    @if(CHANNEL_3) channels[3] = sums.s3;
    @if(CHANNEL_4) channels[4] = sums.s4;
    @if(CHANNEL_5) channels[5] = sums.s5;
    @if(CHANNEL_6) channels[6] = sums.s6;
    @if(CHANNEL_7) channels[7] = sums.s7;
    @if(CHANNEL_8) channels[8] = sums.s8;
    @if(CHANNEL_9) channels[9] = sums.s9;
    return channels;
}

// Σ over the 16 threads of a sample of each pair, four at a time; in the fixed order of a tree.
fn sum_pairs(pairs: array<f32, PAIRS>, local: u32, sample: u32, start: u32) {
    var sums = pairs;
    let tx = local % COLUMNS4;
    for (var first = 0u; first < PAIRS; first += 4u) {
        var four = vec4(0.0);
        for (var p = 0u; p < min(4u, PAIRS - first); p++) {
            four[p] = sums[first + p];
        }
        x_tile[local] = four;
        for (var half = COLUMNS4 / 2u; half > 0u; half /= 2u) {
            workgroupBarrier();
            if tx < half {
                x_tile[local] += x_tile[local + half];
            }
        }
        workgroupBarrier();
        let total = x_tile[local - tx];
        if sample < jet.rows && tx < min(4u, PAIRS - first) {
            second_derivatives[start + sample * PAIRS + first + tx] = total[tx];
        }
        workgroupBarrier();
    }
}

// To be called by all threads of a workgroup, for block number `block` of a model's samples.
fn jet_of_block(block: u32, model: u32, local: u32) {
    let tx = local % COLUMNS4;
    let s = local / COLUMNS4;
    let sample = block * SAMPLES + s;
    let inside = sample < jet.rows;
    let parameters_start = model * jet.parameters4;
    let kept_start = model * jet.kept4;

    let inputs4 = fours(layers[0].inputs);
    let inputs_channel = jet.models * jet.rows * inputs4;
    let inputs_at = (model * jet.rows + sample) * inputs4 + tx;
    for (var c = 0u; c < CHANNELS; c++) {
        var x = vec4(0.0);
        if inside && tx < inputs4 {
            x = inputs[c * inputs_channel + inputs_at];
        }
        x_tile[x_place(c, s, tx)] = x;
    }
    for (var l = 0u; l < jet.hidden; l++) {
        let layer = layers[l];
        let width4 = fours(layer.outputs);
        var z = channels_of(forward_all(layer, parameters_start, local));
        if tx < width4 {
            z[TANGENTS] += parameters[parameters_start + layer.bias4 + tx];
        }
        let sigma = derivatives(z[TANGENTS]);
        let at = kept_start + layer.kept4 + sample * width4 + tx;
        for (var c = 0u; c < CHANNELS; c++) {
            if inside && tx < width4 {
                kept[at + c * jet.rows * width4] = z[c];
            }
            x_tile[x_place(c, s, tx)] = sigma.first * z[c];
        }
        x_tile[x_place(TANGENTS, s, tx)] = sigma.value;
    }
    let last = layers[jet.hidden];
    let outputs4 = fours(last.outputs);
    let output_at = (model * jet.rows + sample) * outputs4 + tx;
    @if(!FUSED) {
        if jet.value != 0u {
            let f = forward_one(last, parameters_start, TANGENTS, local);
            if inside && tx < outputs4 {
                output[output_at] = f + parameters[parameters_start + last.bias4 + tx];
            }
        }
    }

    workgroupBarrier();
    var bar = vec4(0.0);
    if inside && tx < outputs4 {
        bar = output_bar[output_at];
    }
    var pairs: array<f32, PAIRS>;
    for (var p = 0u; p < PAIRS; p++) {
        pairs[p] = 0.0;
    }
    for (var l = jet.hidden; l > 0u; l--) {
        x_tile[x_place(0u, s, tx)] = bar;
        let delta = reverse_one(layers[l], parameters_start, 0u, local);
        let below = layers[l - 1u];
        let width4 = fours(below.outputs);
        bar = vec4(0.0);
        if inside && tx < width4 {
            let channel = jet.rows * width4;
            let at = kept_start + below.kept4 + sample * width4 + tx;
            let sigma = derivatives(kept[at + TANGENTS * channel]);
            kept[at + CHANNELS * channel] = delta;
            bar = delta * sigma.first;
            let weight = delta * sigma.second;
            var z_tan: array<vec4<f32>, TANGENTS>;
            for (var i = 0u; i < TANGENTS; i++) {
                z_tan[i] = kept[at + i * channel];
            }
            var p = 0u;
            for (var i = 0u; i < TANGENTS - 1u; i++) {
                let left = weight * z_tan[i];
                for (var j = i; j < TANGENTS; j++) {
                    pairs[p] += dot(left, z_tan[j]);
                    p++;
                }
            }
        }
    }
    x_tile[x_place(0u, s, tx)] = bar;
    let delta = reverse_one(layers[0], parameters_start, 0u, local);
    if inside && tx < inputs4 {
        keep_input_bar(inputs_at, delta);
    }
    sum_pairs(pairs, local, sample, model * jet.rows * PAIRS);
}
