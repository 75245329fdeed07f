// The directions u and w in input space: x_u = Σ u_i x^i, x_w = Σ w_i x^i, from the inputs' own tangents.
//
// The inputs are [tangents…, value, u, w, c], each [rows][stride]; u and w are written.

import package::shared::dispatch::linear_group;

struct Inputs {
    rows: u32,
    width4: u32,
    tangents: u32,
}

@group(0) @binding(0) var<uniform> layer: Inputs;
// u and w, each [rows][tangents].
@group(0) @binding(1) var<storage, read> coefficients: array<f32>;
@group(0) @binding(2) var<storage, read_write> inputs: array<vec4<f32>>;

@compute @workgroup_size(256)
fn input_directions(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = linear_group(group, groups) * 256u + local;
    let channel = layer.rows * layer.width4;
    if at >= channel {
        return;
    }
    let sample = at / layer.width4;
    let t = layer.tangents;
    var x_u = vec4(0.0);
    var x_w = vec4(0.0);
    for (var i = 0u; i < t; i++) {
        let x = inputs[i * channel + at];
        x_u += coefficients[sample * t + i] * x;
        x_w += coefficients[(layer.rows + sample) * t + i] * x;
    }
    inputs[(t + 1u) * channel + at] = x_u;
    inputs[(t + 2u) * channel + at] = x_w;
}
