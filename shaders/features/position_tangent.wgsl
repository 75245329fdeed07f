// The features' tangent along (factor · v, 0), a feature of a row a thread.

import package::shared::dispatch::linear_group;
import package::shared::feature::{Feature, is_of_position};

struct TangentSettings {
    rows: u32,
    features: u32,
    stride: u32,
    // From one row of v to the next.
    vector_stride: u32,
    // The channel of the inputs that is written.
    first: u32,
    factor: f32,
}

@group(0) @binding(0) var<uniform> settings: TangentSettings;
@group(0) @binding(1) var<storage, read> features: array<Feature>;
// [rows, stride].
@group(0) @binding(2) var<storage, read> slopes: array<f32>;
// The first d numbers of a row.
@group(0) @binding(3) var<storage, read> vectors: array<f32>;
// Channels [rows, stride].
@group(0) @binding(4) var<storage, read_write> inputs: array<f32>;

@compute @workgroup_size(64)
fn position_tangent(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let place = linear_group(group, groups) * 64u + local;
    if place >= settings.rows * settings.stride {
        return;
    }
    let row = place / settings.stride;
    let k = place % settings.stride;
    var tangent = 0.0;
    if k < settings.features {
        let feature = features[k];
        if is_of_position(feature.kind) {
            tangent = settings.factor * slopes[place] * vectors[row * settings.vector_stride + feature.index];
        }
    }
    inputs[settings.first + place] = tangent;
}
