// A layer with its tangents: z = W a + b, ż = W ȧ, a = σ(z), ȧ = σ′ ż, all CHANNELS in one product.
//
// Channels are [tangents…, value]; arrays [channel][row][stride]. z and ż are kept for the passes that follow, a and ȧ are
// the next layer's input. A linear layer keeps z and ż only.

import constants::{CHANNELS, ROWS, SAMPLES};
import package::shared::activation::derivatives;
import package::shared::layer_product::{layer, layer_product, parameters};
import package::shared::tile::{THREADS, rows_of};

@group(0) @binding(3) var<storage, read_write> kept: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> activations: array<vec4<f32>>;

@compute @workgroup_size(THREADS)
fn layer_forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let tile = layer_product(group, local);
    finish(rows_of(tile.sums, 0u), tile.sample, tile.column4);
    @if(WIDE) finish(rows_of(tile.sums, 1u), tile.sample, tile.column4 + 16u);
}

// Bias and activation of four columns of the thread's samples.
fn finish(rows: array<vec4<f32>, ROWS>, first_sample: u32, column4: u32) {
    if column4 >= layer.width4 {
        return;
    }
    var sums = rows;
    let channel = layer.rows * layer.width4;
    let bias = parameters[layer.bias + column4];
    // Padding of a is zero, so that its weight's gradient is.
    let within = vec4(4u * column4) + vec4(0u, 1u, 2u, 3u) < vec4(layer.width);
    for (var j = 0u; j < SAMPLES; j++) {
        let sample = first_sample + 16u * j;
        if sample >= layer.rows {
            return;
        }
        let at = sample * layer.width4 + column4;
        let z = sums[(CHANNELS - 1u) * SAMPLES + j] + bias;
        kept[(CHANNELS - 1u) * channel + at] = z;
        let sigma = derivatives(z);
        for (var c = 0u; c < CHANNELS - 1u; c++) {
            let z_tan = sums[c * SAMPLES + j];
            kept[c * channel + at] = z_tan;
            if layer.linear == 0u {
                activations[c * channel + at] = sigma.first * z_tan;
            }
        }
        if layer.linear == 0u {
            activations[(CHANNELS - 1u) * channel + at] = select(vec4(0.0), sigma.value, within);
        }
    }
}
