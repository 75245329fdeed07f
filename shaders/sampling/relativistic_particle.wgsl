// Accelerations of the relativistic particle in a uniform field, a state a thread, in units of the speed of light:
// q̈ = g (1 − q̇²)^(5/2) / (1 + 2 q̇²).

import package::shared::dispatch::linear_group;
import package::shared::float::not_a_number;
import package::shared::lorentz::one_minus_square;

struct RelativisticParticle {
    rows: u32,
}

@group(0) @binding(0) var<uniform> particle: RelativisticParticle;
// (q, q̇, g), [rows, 3].
@group(0) @binding(1) var<storage, read> states: array<f32>;
// [rows]; NaN unless |q̇| < 1.
@group(0) @binding(2) var<storage, read_write> acceleration: array<f32>;

@compute @workgroup_size(64)
fn relativistic_particle(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = linear_group(group, groups) * 64u + local;
    if row >= particle.rows {
        return;
    }
    let velocity = states[3u * row + 1u];
    let rest = one_minus_square(velocity);
    if rest > 0.0 {
        acceleration[row] = states[3u * row + 2u] * (rest * rest * sqrt(rest)) / (1.0 + 2.0 * velocity * velocity);
    } else {
        acceleration[row] = not_a_number(row);
    }
}
