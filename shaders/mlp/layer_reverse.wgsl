// One layer of the reverse sweep: δ = (δ σ′ of the layer above) W, and this layer's own δ σ′, which the next step and the
// weight gradient read.
//
// It is the last channel of `bars`, [z̄, ż̄^u, ż̄^w, δσ′] or δσ′ alone. The network's inputs are linear: their δ is ∂f/∂x.

import constants::{ROWS, SAMPLES};
import package::shared::activation::derivatives;
import package::shared::layer_product::{layer, layer_product};
import package::shared::tile::{THREADS, rows_of};

// [ż…, z]
@group(0) @binding(3) var<storage, read> kept: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> delta: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> bars: array<vec4<f32>>;

@compute @workgroup_size(THREADS)
fn layer_reverse(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
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
        delta[at] = sums[j];
        if layer.linear == 0u {
            bars[layer.bar_start + at] = sums[j] * derivatives(kept[layer.tangents * channel + at]).first;
        }
    }
}
