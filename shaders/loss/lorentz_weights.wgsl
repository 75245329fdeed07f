// Weights w = 1 + 1/√(1 − |q̇|²) of the samples, a sample a thread.

import package::shared::dispatch::linear_group;
import package::shared::float::not_a_number;
import package::shared::lorentz::one_minus_square;

struct WeightSettings {
    rows: u32,
    degrees_of_freedom: u32,
    // Length of a state.
    state: u32,
}

@group(0) @binding(0) var<uniform> settings: WeightSettings;
// (q, q̇, conditionals), [rows, state].
@group(0) @binding(1) var<storage, read> states: array<f32>;
// [rows]; NaN unless |q̇| < 1.
@group(0) @binding(2) var<storage, read_write> weights: array<f32>;

@compute @workgroup_size(64)
fn lorentz_weights(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = linear_group(group, groups) * 64u + local;
    if row >= settings.rows {
        return;
    }
    let first = row * settings.state + settings.degrees_of_freedom;
    var rest = one_minus_square(states[first]);
    for (var i = 1u; i < settings.degrees_of_freedom; i++) {
        rest -= states[first + i] * states[first + i];
    }
    if rest > 0.0 {
        weights[row] = 1.0 + inverseSqrt(rest);
    } else {
        weights[row] = not_a_number(row);
    }
}
