// The directions of the scalar whose parameter gradient is that of the accelerations, a number of a row a thread:
// (D_a − D_u D_w) L with
//
//   along the motion    a = (left, 0)    u = (0, left)    w = (q̇, right)
//   at rest             a = 0            u = (0, left)    w = (0, −right)
//
// Left and right are v and q̈ along the motion, and at rest the vectors of the constant-rank terms.

import package::shared::dispatch::linear_group;
import package::shared::feature::{Feature, is_of_position};

struct DirectionSettings {
    rows: u32,
    degrees_of_freedom: u32,
    features: u32,
    stride: u32,
    // The larger of stride and d + 1.
    columns: u32,
    at_rest: u32,
    // Where left and right begin in their buffers, and the channel of a in its own.
    first_left: u32,
    first_right: u32,
    first_a: u32,
}

@group(0) @binding(0) var<uniform> settings: DirectionSettings;
@group(0) @binding(1) var<storage, read> features: array<Feature>;
// [rows, stride].
@group(0) @binding(2) var<storage, read> slopes: array<f32>;
// [rows, d].
@group(0) @binding(3) var<storage, read> left: array<f32>;
@group(0) @binding(4) var<storage, read> right: array<f32>;
// u and w over the tangents, the d unit velocities and (q̇, 0): [2, rows, d + 1].
@group(0) @binding(5) var<storage, read_write> coefficients: array<f32>;
// The network's inputs, of which one channel [rows, stride] is a.
@group(0) @binding(6) var<storage, read_write> inputs: array<f32>;

@compute @workgroup_size(64)
fn adjoint_directions(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let place = linear_group(group, groups) * 64u + local;
    if place >= settings.rows * settings.columns {
        return;
    }
    let row = place / settings.columns;
    let k = place % settings.columns;
    let d = settings.degrees_of_freedom;
    let at_rest = settings.at_rest != 0u;
    if k <= d {
        var u = 0.0;
        var w = select(1.0, 0.0, at_rest);
        if k < d {
            u = left[settings.first_left + row * d + k];
            w = right[settings.first_right + row * d + k];
            w = select(w, -w, at_rest);
        }
        coefficients[row * (d + 1u) + k] = u;
        coefficients[(settings.rows + row) * (d + 1u) + k] = w;
    }
    if k < settings.stride {
        var a = 0.0;
        if k < settings.features && !at_rest {
            let feature = features[k];
            if is_of_position(feature.kind) {
                a = slopes[row * settings.stride + k] * left[settings.first_left + row * d + feature.index];
            }
        }
        inputs[settings.first_a + row * settings.stride + k] = a;
    }
}
