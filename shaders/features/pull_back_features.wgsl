// A cotangent of the features pulled back to one coordinate and one velocity a thread:
// q̄ = factor · (∂x/∂q)ᵀ x̄, and the same for q̇.

import package::shared::dispatch::linear_group;
import package::shared::feature::{Feature, VELOCITY, is_of_position};

struct PullBackSettings {
    rows: u32,
    degrees_of_freedom: u32,
    features: u32,
    stride: u32,
    factor: f32,
    // Whether it is added to what is there.
    accumulate: u32,
}

@group(0) @binding(0) var<uniform> settings: PullBackSettings;
@group(0) @binding(1) var<storage, read> features: array<Feature>;
// [rows, stride].
@group(0) @binding(2) var<storage, read> slopes: array<f32>;
@group(0) @binding(3) var<storage, read> x_bar: array<f32>;
// [rows, d].
@group(0) @binding(4) var<storage, read_write> q_bar: array<f32>;
@group(0) @binding(5) var<storage, read_write> q_dot_bar: array<f32>;

@compute @workgroup_size(64)
fn pull_back_features(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let place = linear_group(group, groups) * 64u + local;
    let d = settings.degrees_of_freedom;
    if place >= settings.rows * d {
        return;
    }
    let row = place / d;
    let coordinate = place % d;
    var of_q = 0.0;
    var of_q_dot = 0.0;
    for (var k = 0u; k < settings.features; k++) {
        let feature = features[k];
        if feature.index == coordinate {
            let term = slopes[row * settings.stride + k] * x_bar[row * settings.stride + k];
            if is_of_position(feature.kind) {
                of_q += term;
            } else if feature.kind == VELOCITY {
                of_q_dot += term;
            }
        }
    }
    of_q *= settings.factor;
    of_q_dot *= settings.factor;
    if settings.accumulate != 0u {
        of_q += q_bar[place];
        of_q_dot += q_dot_bar[place];
    }
    q_bar[place] = of_q;
    q_dot_bar[place] = of_q_dot;
}
