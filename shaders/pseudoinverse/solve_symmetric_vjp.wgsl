// The vector-Jacobian product of x = U (U H U)⁺ U b at constant rank, one row a thread: v is the cotangent of b, and
// H̄ = −v xᵀ + inverse_v · null_bᵀ + null_lambda · inverse_xᵀ.

import constants::D;
import package::shared::dispatch::linear_group;
import package::shared::symmetric::{
    DD, Factors, PseudoinverseSettings, is_deficient, project_onto_null_space, solve, unit
};

@group(0) @binding(0) var<uniform> settings: PseudoinverseSettings;
@group(0) @binding(1) var<storage, read> vectors: array<f32>;
@group(0) @binding(2) var<storage, read> inverses: array<f32>;
@group(0) @binding(3) var<storage, read> b: array<f32>;
@group(0) @binding(4) var<storage, read> x: array<f32>;
@group(0) @binding(5) var<storage, read> lambda: array<f32>;
@group(0) @binding(6) var<storage, read_write> v: array<f32>;
// inverse_v, null_b, null_lambda, inverse_x: [4, rows, D], zero where the rank is full.
@group(0) @binding(7) var<storage, read_write> terms: array<f32>;

fn write_term(term: u32, row: u32, values: array<f32, D>) {
    var own = values;
    for (var k = 0u; k < D; k++) {
        terms[(term * settings.rows + row) * D + k] = own[k] * unit(settings, k);
    }
}

@compute @workgroup_size(64)
fn solve_symmetric_vjp(
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
    var solution: array<f32, D>;
    var cotangent: array<f32, D>;
    for (var k = 0u; k < D; k++) {
        let inverse = inverses[row * D + k];
        factors.inverses[k] = inverse;
        // NaN counts, so that a matrix that is not finite is not deficient.
        factors.rank += select(1u, 0u, inverse == 0.0);
        right[k] = b[row * D + k] * unit(settings, k);
        solution[k] = x[row * D + k] / unit(settings, k);
        cotangent[k] = lambda[row * D + k] * unit(settings, k);
    }
    let left = solve(&factors, cotangent);
    var written = left;
    for (var k = 0u; k < D; k++) {
        v[row * D + k] = written[k] * unit(settings, k);
    }
    if is_deficient(&factors) {
        write_term(0u, row, solve(&factors, left));
        write_term(1u, row, project_onto_null_space(&factors, right));
        write_term(2u, row, project_onto_null_space(&factors, cotangent));
        write_term(3u, row, solve(&factors, solution));
    } else {
        for (var term = 0u; term < 4u; term++) {
            write_term(term, row, array<f32, D>());
        }
    }
}
