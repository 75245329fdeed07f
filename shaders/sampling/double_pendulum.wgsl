// Accelerations of the planar double pendulum, a state a thread:
//
//   θ̈₁ + a₁ θ̈₂ = f₁, a₂ θ̈₁ + θ̈₂ = f₂        Δ = θ₁ − θ₂, μ = m₂/(m₁ + m₂), ρ = l₂/l₁
//   a₁ = μ ρ cos Δ,  a₂ = cos Δ / ρ,  1 − a₁ a₂ = m₁/(m₁ + m₂) + μ sin² Δ
//   f₁ = −μ ρ ω₂² sin Δ − (g/l₁) sin θ₁,  f₂ = ω₁² sin Δ / ρ − (g/l₂) sin θ₂

import package::shared::angle::{sine_cosine_of, turns};
import package::shared::dispatch::linear_group;
import package::shared::float::{is_finite, not_a_number};
import package::shared::wide::subtract_wide;

struct DoublePendulum {
    rows: u32,
    // Length of a state, 4 or more.
    state: u32,
    upper_share: f32,
    mass_ratio: f32,
    length_ratio: f32,
    gravity_upper: f32,
    gravity_lower: f32,
}

@group(0) @binding(0) var<uniform> pendulum: DoublePendulum;
// (θ₁, θ₂, ω₁, ω₂), [rows, state].
@group(0) @binding(1) var<storage, read> states: array<f32>;
// [rows, 2].
@group(0) @binding(2) var<storage, read_write> acceleration: array<f32>;

@compute @workgroup_size(64)
fn double_pendulum(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = linear_group(group, groups) * 64u + local;
    if row >= pendulum.rows {
        return;
    }
    let first = row * pendulum.state;
    let angle1 = states[first];
    let angle2 = states[first + 1u];
    if !is_finite(angle1) || !is_finite(angle2) {
        acceleration[2u * row] = not_a_number(row);
        acceleration[2u * row + 1u] = not_a_number(row);
        return;
    }
    let rate1 = states[first + 2u];
    let rate2 = states[first + 3u];
    let turns1 = turns(angle1);
    let turns2 = turns(angle2);
    // The difference of the angles has no rounding in whole numbers.
    let between = sine_cosine_of(subtract_wide(turns1, turns2));
    let ratio = pendulum.length_ratio;
    let a1 = pendulum.mass_ratio * ratio * between.cosine;
    let a2 = between.cosine / ratio;
    let determinant = pendulum.upper_share + pendulum.mass_ratio * between.sine * between.sine;
    let weight1 = pendulum.gravity_upper * sine_cosine_of(turns1).sine;
    let weight2 = pendulum.gravity_lower * sine_cosine_of(turns2).sine;
    let f1 = -pendulum.mass_ratio * ratio * rate2 * rate2 * between.sine - weight1;
    let f2 = rate1 * rate1 * between.sine / ratio - weight2;
    acceleration[2u * row] = (f1 - a1 * f2) / determinant;
    acceleration[2u * row + 1u] = (f2 - a2 * f1) / determinant;
}
