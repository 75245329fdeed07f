// The coefficient c = D_a through one layer: c_z = W c_a, c_a ← σ′ c_z.
//
// Of the activations [ȧ…, a, c_a] the last is written.

import constants::{ROWS, SAMPLES};
import package::shared::activation::derivatives;
import package::shared::layer_product::{layer, layer_product};
import package::shared::tile::{THREADS, rows_of};

// [ż…, z]
@group(0) @binding(3) var<storage, read> kept: array<vec4<f32>>;
// c_z
@group(0) @binding(4) var<storage, read_write> directional: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> activations: array<vec4<f32>>;

@compute @workgroup_size(THREADS)
fn directional_forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let tile = layer_product(group, local);
    finish(rows_of(tile.sums, 0u), tile.sample, tile.column4);
    @if(WIDE) finish(rows_of(tile.sums, 1u), tile.sample, tile.column4 + 16u);
}

fn finish(rows: array<vec4<f32>, ROWS>, first_sample: u32, column4: u32) {
    if column4 >= layer.width4 {
        return;
    }
    var sums = rows;
    let channel = layer.rows * layer.width4;
    let t = layer.tangents;
    for (var j = 0u; j < SAMPLES; j++) {
        let sample = first_sample + 16u * j;
        if sample >= layer.rows {
            return;
        }
        let at = sample * layer.width4 + column4;
        directional[at] = sums[j];
        activations[(t + 1u) * channel + at] = derivatives(kept[t * channel + at]).first * sums[j];
    }
}
