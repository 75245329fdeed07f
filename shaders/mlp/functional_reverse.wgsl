// The adjoints of the functional through one layer: β, α^u, α^w = (z̄, ż̄^u, ż̄^w of the layer above) W, and then
//
//   z̄   = β σ′ + σ″ (α^u ż^u + α^w ż^w) + δ (σ″ c_z − σ‴ ż^u ż^w)
//   ż̄^u = α^u σ′ − δ σ″ ż^w              ż̄^w = α^w σ′ − δ σ″ ż^u
//
// At the last hidden layer nothing comes from above: depth 0.

import constants::{ROWS, SAMPLES};
import package::shared::activation::derivatives;
import package::shared::layer_product::{layer, layer_product};
import package::shared::tile::{THREADS, rows_of};

// [ż…, z]
@group(0) @binding(3) var<storage, read> kept: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> delta: array<vec4<f32>>;
// [ż^u, ż^w, c_z]
@group(0) @binding(5) var<storage, read> directional: array<vec4<f32>>;
// [z̄, ż̄^u, ż̄^w, δσ′], of which the first three are written.
@group(0) @binding(6) var<storage, read_write> bars: array<vec4<f32>>;

@compute @workgroup_size(THREADS)
fn functional_reverse(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
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
        let beta = sums[j];
        let alpha_u = sums[SAMPLES + j];
        let alpha_w = sums[2u * SAMPLES + j];
        let z_u = directional[at];
        let z_w = directional[channel + at];
        let c_z = directional[2u * channel + at];
        let sigma = derivatives(kept[layer.tangents * channel + at]);
        let d = delta[at];
        let curvature = d * sigma.second;
        let bent = sigma.second * (alpha_u * z_u + alpha_w * z_w);
        bars[at] = curvature * c_z - d * sigma.third * (z_u * z_w) + (beta * sigma.first + bent);
        bars[channel + at] = alpha_u * sigma.first - curvature * z_w;
        bars[2u * channel + at] = alpha_w * sigma.first - curvature * z_u;
    }
}
