// x = U (U H U)⁺ U b, one row a thread.

import constants::D;
import package::shared::dispatch::linear_group;
import package::shared::symmetric::{DD, Factors, PseudoinverseSettings, solve, unit};

@group(0) @binding(0) var<uniform> settings: PseudoinverseSettings;
@group(0) @binding(1) var<storage, read> vectors: array<f32>;
@group(0) @binding(2) var<storage, read> inverses: array<f32>;
@group(0) @binding(3) var<storage, read> b: array<f32>;
@group(0) @binding(4) var<storage, read_write> x: array<f32>;

@compute @workgroup_size(64)
fn solve_symmetric(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = linear_group(group, groups) * 64u + local;
    if row >= settings.rows {
        return;
    }
    var factors: Factors;
    for (var i = 0u; i < DD; i++) {
        factors.vectors[i] = vectors[row * DD + i];
    }
    var right: array<f32, D>;
    for (var k = 0u; k < D; k++) {
        factors.inverses[k] = inverses[row * D + k];
        right[k] = b[row * D + k] * unit(settings, k);
    }
    var solution = solve(&factors, right);
    for (var k = 0u; k < D; k++) {
        x[row * D + k] = solution[k] * unit(settings, k);
    }
}
