// Second derivatives without a product: Σ_n δ σ″ ż^i ż^j of one layer, added to those of the layers before it.
//
// Pairs are (i, j) with i < TANGENTS − 1 and i ≤ j < TANGENTS, by i, then by j: with d unit velocities and the tangent
// along (q̇, 0) last, the rows of H from its diagonal on, each followed by its mixed derivative. 16 threads a sample, each
// with every 16th group of four units, then a tree: the order is fixed.

import constants::{PAIRS, TANGENTS};
import package::shared::activation::derivatives;
import package::shared::dispatch::linear_group;

struct Layer {
    rows: u32,
    width4: u32,
    // Whether this layer is the first: what is there is overwritten.
    replace: u32,
}

@group(0) @binding(0) var<uniform> layer: Layer;
// [ż…, z]
@group(0) @binding(1) var<storage, read> kept: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> delta: array<vec4<f32>>;
// [rows][PAIRS]
@group(0) @binding(3) var<storage, read_write> second_derivatives: array<f32>;

const LANES = 16u;
const SAMPLES = 4u;

var<workgroup> partial: array<f32, PAIRS * LANES * SAMPLES>;

@compute @workgroup_size(LANES * SAMPLES)
fn hessian_contract(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let lane = local % LANES;
    let sample = linear_group(group, groups) * SAMPLES + local / LANES;
    let channel = layer.rows * layer.width4;
    var sums: array<f32, PAIRS>;
    for (var p = 0u; p < PAIRS; p++) {
        sums[p] = 0.0;
    }
    if sample < layer.rows {
        for (var column4 = lane; column4 < layer.width4; column4 += LANES) {
            let at = sample * layer.width4 + column4;
            let weight = delta[at] * derivatives(kept[TANGENTS * channel + at]).second;
            var z_tan: array<vec4<f32>, TANGENTS>;
            for (var i = 0u; i < TANGENTS; i++) {
                z_tan[i] = kept[i * channel + at];
            }
            var p = 0u;
            for (var i = 0u; i < TANGENTS - 1u; i++) {
                let left = weight * z_tan[i];
                for (var j = i; j < TANGENTS; j++) {
                    sums[p] += dot(left, z_tan[j]);
                    p++;
                }
            }
        }
    }
    for (var p = 0u; p < PAIRS; p++) {
        partial[p * LANES * SAMPLES + local] = sums[p];
    }
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            for (var p = 0u; p < PAIRS; p++) {
                let at = p * LANES * SAMPLES + local;
                partial[at] += partial[at + half];
            }
        }
    }
    workgroupBarrier();
    if sample < layer.rows {
        for (var p = lane; p < PAIRS; p += LANES) {
            let at = sample * PAIRS + p;
            let sum = partial[p * LANES * SAMPLES + local - lane];
            second_derivatives[at] = select(second_derivatives[at] + sum, sum, layer.replace == 1u);
        }
    }
}
