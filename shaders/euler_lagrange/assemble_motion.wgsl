// Mass matrix, force and momentum from the network's derivatives and a residual mass, a row a thread:
//
//   H = ∂²L/∂q̇∂q̇ᵀ + M        r = ∂L/∂q − (∂²L/∂q̇∂qᵀ) q̇        p = ∂L/∂q̇ + M q̇,        M = diag(masses)

import package::shared::dispatch::linear_group;

struct MotionSettings {
    rows: u32,
    degrees_of_freedom: u32,
    // Length of a state, 2d + conditionals.
    state: u32,
    // Of the coordinates, by four.
    masses: array<vec4<f32>, 2>,
}

@group(0) @binding(0) var<uniform> settings: MotionSettings;
// D_i D_j L for i = 0, 1, …: of the velocities i and j = i, …, d − 1, then of velocity i and (q̇, 0): [rows, d (d + 3) / 2].
@group(0) @binding(1) var<storage, read> second_derivatives: array<f32>;
// (q, q̇, conditionals), [rows, 2d + c].
@group(0) @binding(2) var<storage, read> states: array<f32>;
// ∂L/∂q of the network before, r after; [rows, d].
@group(0) @binding(3) var<storage, read_write> force: array<f32>;
// ∂L/∂q̇ of the network before, p after; [rows, d].
@group(0) @binding(4) var<storage, read_write> momentum: array<f32>;
// [rows, d, d].
@group(0) @binding(5) var<storage, read_write> mass_matrix: array<f32>;

@compute @workgroup_size(64)
fn assemble_motion(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = linear_group(group, groups) * 64u + local;
    if row >= settings.rows {
        return;
    }
    let d = settings.degrees_of_freedom;
    let matrix = row * d * d;
    var pair = row * (d * (d + 3u) / 2u);
    for (var i = 0u; i < d; i++) {
        let mass = settings.masses[i / 4u][i % 4u];
        for (var j = i; j < d; j++) {
            let entry = second_derivatives[pair] + select(0.0, mass, i == j);
            mass_matrix[matrix + i * d + j] = entry;
            mass_matrix[matrix + j * d + i] = entry;
            pair++;
        }
        force[row * d + i] -= second_derivatives[pair];
        pair++;
        momentum[row * d + i] += mass * states[row * settings.state + d + i];
    }
}
