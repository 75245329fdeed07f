// The functional's coefficient c = D_a − D_u D_w through one layer:
//
//   c_z = W c_a        ż^u = Σ u_i ż^i        ż^w = Σ w_i ż^i
//   ȧ^u = σ′ ż^u       ȧ^w = σ′ ż^w           c_a ← σ′ c_z − σ″ ż^u ż^w
//
// `directional` is [ż^u, ż^w, c_z]; of the activations [ȧ…, a, ȧ^u, ȧ^w, c_a] the last three are written.

import constants::{ROWS, SAMPLES};
import package::shared::activation::derivatives;
import package::shared::layer_product::{layer, layer_product};
import package::shared::tile::{THREADS, rows_of};

// [ż…, z]
@group(0) @binding(3) var<storage, read> kept: array<vec4<f32>>;
// u and w, each [rows][tangents].
@group(0) @binding(4) var<storage, read> coefficients: array<f32>;
@group(0) @binding(5) var<storage, read_write> directional: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> activations: array<vec4<f32>>;

@compute @workgroup_size(THREADS)
fn functional_forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
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
        var z_u = vec4(0.0);
        var z_w = vec4(0.0);
        for (var i = 0u; i < t; i++) {
            let z_tan = kept[i * channel + at];
            z_u += coefficients[sample * t + i] * z_tan;
            z_w += coefficients[(layer.rows + sample) * t + i] * z_tan;
        }
        let c_z = sums[j];
        let sigma = derivatives(kept[t * channel + at]);
        directional[at] = z_u;
        directional[channel + at] = z_w;
        directional[2u * channel + at] = c_z;
        activations[(t + 1u) * channel + at] = sigma.first * z_u;
        activations[(t + 2u) * channel + at] = sigma.first * z_w;
        activations[(t + 3u) * channel + at] = sigma.first * c_z - sigma.second * (z_u * z_w);
    }
}
