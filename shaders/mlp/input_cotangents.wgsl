// How the functional or the directional derivative changes with the network's inputs: (z̄, ż̄^u, ż̄^w) W of the first
// layer, or z̄ W. The inputs are linear: the sums are the result.

import constants::{CHANNELS, ROWS, SAMPLES};
import package::shared::layer_product::{layer, layer_product};
import package::shared::tile::{THREADS, rows_of};

// [x̄, x̄_u, x̄_w] or x̄
@group(0) @binding(3) var<storage, read_write> cotangents: array<vec4<f32>>;

@compute @workgroup_size(THREADS)
fn input_cotangents(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
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
    for (var j = 0u; j < SAMPLES; j++) {
        let sample = first_sample + 16u * j;
        if sample >= layer.rows {
            return;
        }
        let at = sample * layer.width4 + column4;
        for (var c = 0u; c < CHANNELS; c++) {
            cotangents[c * channel + at] = sums[c * SAMPLES + j];
        }
    }
}
