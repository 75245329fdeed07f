// The parameter gradient of Σ_o ȳ_o (D_a − D_u D_w) f_o of a block of samples of a network up to 64 wide, forwards and back
// after the jet's pass, added to a partial gradient of the workgroup's own.
//
//   c_z = W c_a, c_a ← σ′ c_z − σ″ ż^u ż^w
//   z̄   = β σ′ + σ″ (α^u ż^u + α^w ż^w) + δ (σ″ c_z − σ‴ ż^u ż^w)
//   ż̄^u = α^u σ′ − δ σ″ ż^w              ż̄^w = α^w σ′ − δ σ″ ż^u
//   W̄   = Σ z̄ aᵀ + ż̄^u (ȧ^u)ᵀ + ż̄^w (ȧ^w)ᵀ + δσ′ c_aᵀ

import constants::{DEPTH4, SAMPLES};
import package::shared::activation::derivatives;
import package::shared::narrow::{
    inputs, jet, kept, layers, output_bar, parameters, x_tile, shared_tile, Layer, COLUMNS4, forward_one, fours, load_rows,
    rows_at, within, x_place,
};

// Of each sweep u and w, each [models][rows][tangents].
@if(!FUSED) @group(0) @binding(9) var<storage, read> coefficients: array<f32>;
@if(FUSED) @group(0) @binding(9) var<storage, read_write> coefficients: array<f32>;
// [splits][models][parameters]
@group(0) @binding(10) var<storage, read_write> partial: array<vec4<f32>>;
// [x̄, x̄_u, x̄_w], each [models][rows][stride].
@if(COTANGENTS) @group(0) @binding(11) var<storage, read_write> input_cotangents: array<vec4<f32>>;

// Where a thread's four columns of a sample are in an array of channels, and the channels' length.
struct Place {
    at: u32,
    channel: u32,
}

struct Directions {
    u: vec4<f32>,
    w: vec4<f32>,
}

// Σ u_i x^i and Σ w_i x^i of a layer's tangents.
fn kept_directions(place: Place, coefficients_at: u32) -> Directions {
    let w_at = coefficients_at + jet.models * jet.rows * jet.tangents;
    var sums = Directions(vec4(0.0), vec4(0.0));
    for (var i = 0u; i < jet.tangents; i++) {
        let tangent = kept[place.at + i * place.channel];
        sums.u += coefficients[coefficients_at + i] * tangent;
        sums.w += coefficients[w_at + i] * tangent;
    }
    return sums;
}

fn input_directions(place: Place, coefficients_at: u32) -> Directions {
    let w_at = coefficients_at + jet.models * jet.rows * jet.tangents;
    var sums = Directions(vec4(0.0), vec4(0.0));
    for (var i = 0u; i < jet.tangents; i++) {
        let tangent = inputs[place.at + i * place.channel];
        sums.u += coefficients[coefficients_at + i] * tangent;
        sums.w += coefficients[w_at + i] * tangent;
    }
    return sums;
}

// β, α^u and α^w: the first three channels of x times a weight, from its outputs to its inputs.
struct Adjoints {
    beta: vec4<f32>,
    alpha_u: vec4<f32>,
    alpha_w: vec4<f32>,
}

fn reverse_three(layer: Layer, start4: u32, local: u32) -> Adjoints {
    let tx = local % COLUMNS4;
    let s = local / COLUMNS4;
    let depth4 = fours(layer.outputs);
    var sums: Adjoints;
    for (var k4 = 0u; k4 < depth4; k4 += DEPTH4) {
        workgroupBarrier();
        load_rows(layer, start4, k4, local);
        workgroupBarrier();
        for (var k = 0u; k < min(DEPTH4, depth4 - k4); k++) {
            let weight = rows_at(tx, k);
            sums.beta += weight * x_tile[x_place(0u, s, k4 + k)];
            sums.alpha_u += weight * x_tile[x_place(1u, s, k4 + k)];
            sums.alpha_w += weight * x_tile[x_place(2u, s, k4 + k)];
        }
    }
    workgroupBarrier();
    return sums;
}

// A row of the gradient: written by the workgroup's first block of samples, added to by the others.
fn add_to_partial(at: u32, first: bool, sum: vec4<f32>) {
    if first {
        partial[at] = sum;
    } else {
        partial[at] += sum;
    }
}

// The gradient of a layer's weight: the first `depth` rows of x and of the right factors, multiplied and summed.
fn outer(layer: Layer, start: u32, depth: u32, first: bool, local: u32) {
    let tx = local % COLUMNS4;
    let inputs4 = fours(layer.inputs);
    if tx >= inputs4 {
        return;
    }
    for (var row4 = local / COLUMNS4; row4 < fours(layer.outputs); row4 += SAMPLES) {
        var sum0 = vec4(0.0);
        var sum1 = vec4(0.0);
        var sum2 = vec4(0.0);
        var sum3 = vec4(0.0);
        for (var k = 0u; k < depth; k++) {
            let left = x_tile[k * COLUMNS4 + row4];
            let right = shared_tile[k * COLUMNS4 + tx];
            sum0 += left.x * right;
            sum1 += left.y * right;
            sum2 += left.z * right;
            sum3 += left.w * right;
        }
        let row = 4u * row4;
        let at = start + layer.weight4 + row * inputs4 + tx;
        add_to_partial(at, first, sum0);
        if row + 1u < layer.outputs {
            add_to_partial(at + inputs4, first, sum1);
        }
        if row + 2u < layer.outputs {
            add_to_partial(at + 2u * inputs4, first, sum2);
        }
        if row + 3u < layer.outputs {
            add_to_partial(at + 3u * inputs4, first, sum3);
        }
    }
}

// To be called by all threads of a workgroup, for block number `block` of a model's samples. In sweep 0 a is the last channel
// of the inputs, in later ones, which have coefficients of their own, it is zero. The partial gradient that begins at
// `partial_start` is written at first, and added to later.
fn functional_of_block(block: u32, model: u32, sweep: u32, partial_start: u32, first: bool, local: u32) {
    let tx = local % COLUMNS4;
    let s = local / COLUMNS4;
    let parameters_start = model * jet.parameters4;
    let kept_start = model * jet.kept4;
    let inputs4 = fours(layers[0].inputs);
    let inputs_channel = jet.models * jet.rows * inputs4;
    let last = layers[jet.hidden];
    let outputs4 = fours(last.outputs);
    let t = jet.tangents;
    let sample = block * SAMPLES + s;
    let inside = sample < jet.rows;
    let coefficients_at = ((2u * sweep * jet.models + model) * jet.rows + sample) * t;
    let input_place = Place((model * jet.rows + sample) * inputs4 + tx, inputs_channel);

    // c through the network.
    var c = vec4(0.0);
    if inside && tx < inputs4 && sweep == 0u {
        c = inputs[input_place.at + (t + 3u) * inputs_channel];
    }
    let a = c;
    for (var l = 0u; l < jet.hidden; l++) {
        let layer = layers[l];
        let width4 = fours(layer.outputs);
        let place = Place(kept_start + layer.kept4 + sample * width4 + tx, jet.rows * width4);
        x_tile[x_place(0u, s, tx)] = c;
        let c_z = forward_one(layer, parameters_start, 0u, local);
        c = vec4(0.0);
        if inside && tx < width4 {
            kept[place.at + (t + 2u) * place.channel] = c_z;
            let z_dir = kept_directions(place, coefficients_at);
            let sigma = derivatives(kept[place.at + t * place.channel]);
            c = sigma.first * c_z - sigma.second * (z_dir.u * z_dir.w);
        }
    }

    // The output layer is linear: only c reaches its weight, and nothing its bias, whose partial sums stay the zeros
    // that they were made with.
    var bar = vec4(0.0);
    if inside && tx < outputs4 {
        bar = output_bar[(model * jet.rows + sample) * outputs4 + tx];
    }
    x_tile[x_place(0u, s, tx)] = bar;
    shared_tile[s * COLUMNS4 + tx] = c;
    workgroupBarrier();
    outer(last, partial_start, SAMPLES, first, local);
    workgroupBarrier();

    for (var left = jet.hidden; left > 0u; left--) {
        let layer = layers[left - 1u];
        var above = Adjoints(vec4(0.0), vec4(0.0), vec4(0.0));
        if left < jet.hidden {
            above = reverse_three(layers[left], parameters_start, local);
        }
        let width4 = fours(layer.outputs);
        var z_bar = vec4(0.0);
        var u_bar = vec4(0.0);
        var w_bar = vec4(0.0);
        var delta_z = vec4(0.0);
        if inside && tx < width4 {
            let place = Place(kept_start + layer.kept4 + sample * width4 + tx, jet.rows * width4);
            let sigma = derivatives(kept[place.at + t * place.channel]);
            let delta = kept[place.at + (t + 1u) * place.channel];
            let c_z = kept[place.at + (t + 2u) * place.channel];
            let z_dir = kept_directions(place, coefficients_at);
            let curvature = delta * sigma.second;
            let bent = sigma.second * (above.alpha_u * z_dir.u + above.alpha_w * z_dir.w);
            z_bar = curvature * c_z - delta * sigma.third * (z_dir.u * z_dir.w) + (above.beta * sigma.first + bent);
            u_bar = above.alpha_u * sigma.first - curvature * z_dir.w;
            w_bar = above.alpha_w * sigma.first - curvature * z_dir.u;
            delta_z = delta * sigma.first;
        }
        x_tile[x_place(0u, s, tx)] = z_bar;
        x_tile[x_place(1u, s, tx)] = u_bar;
        x_tile[x_place(2u, s, tx)] = w_bar;
        x_tile[x_place(3u, s, tx)] = delta_z;

        // Right factors: [a, ȧ^u, ȧ^w, c_a] of what this layer multiplies.
        var value = vec4(0.0);
        var directions = Directions(vec4(0.0), vec4(0.0));
        var c_a = vec4(0.0);
        if inside && left == 1u && tx < inputs4 {
            value = inputs[input_place.at + t * inputs_channel];
            directions = input_directions(input_place, coefficients_at);
            c_a = a;
        }
        if inside && left > 1u {
            let below = layers[left - 2u];
            let below4 = fours(below.outputs);
            if tx < below4 {
                let place = Place(kept_start + below.kept4 + sample * below4 + tx, jet.rows * below4);
                let sigma = derivatives(kept[place.at + t * place.channel]);
                let z_dir = kept_directions(place, coefficients_at);
                let c_z = kept[place.at + (t + 2u) * place.channel];
                // Padding of a is zero, so that its weight's gradient is.
                value = select(vec4(0.0), sigma.value, within(below.outputs, tx));
                directions = Directions(sigma.first * z_dir.u, sigma.first * z_dir.w);
                c_a = sigma.first * c_z - sigma.second * (z_dir.u * z_dir.w);
            }
        }
        shared_tile[x_place(0u, s, tx)] = value;
        shared_tile[x_place(1u, s, tx)] = directions.u;
        shared_tile[x_place(2u, s, tx)] = directions.w;
        shared_tile[x_place(3u, s, tx)] = c_a;
        workgroupBarrier();
        outer(layer, partial_start, 4u * SAMPLES, first, local);
        if s == 0u && tx < width4 {
            var sum = vec4(0.0);
            for (var row = 0u; row < SAMPLES; row++) {
                sum += x_tile[row * COLUMNS4 + tx];
            }
            add_to_partial(partial_start + layer.bias4 + tx, first, sum);
        }
        workgroupBarrier();
    }

    @if(COTANGENTS) {
        // Those of a network without hidden layers are zero.
        var below = Adjoints(vec4(0.0), vec4(0.0), vec4(0.0));
        if jet.hidden > 0u {
            below = reverse_three(layers[0], parameters_start, local);
        }
        if inside && tx < inputs4 {
            input_cotangents[input_place.at] = below.beta;
            input_cotangents[input_place.at + inputs_channel] = below.alpha_u;
            input_cotangents[input_place.at + 2u * inputs_channel] = below.alpha_w;
        }
    }
}
