// From the sum over the samples to the gradient of the step, and the squared norms of its blocks of BLOCK numbers, one
// a workgroup; models along z.
//
//   g ← scale · g + 2 c θ        norms = (Σ g², Σ θ²)
//
// The parameters are copied, so that an update that overflows can be taken back. A workgroup adds pairwise: 4 numbers
// in a vector, 4 vectors in a thread, 256 threads in a tree. So a squared norm of n numbers is good to (14 + n / 2²⁰) ε.

import package::shared::dispatch::linear_group;
import package::shared::step_state::StepState;
import package::shared::workgroup_sum::{workgroup_sum, THREADS};

const BLOCK = 4096u;

struct Parameters {
    // Of one model; a multiple of 4.
    count: u32,
    // c of the penalty c‖θ‖².
    penalty: f32,
}

@group(0) @binding(0) var<uniform> lengths: Parameters;
@group(0) @binding(1) var<storage, read> states: array<StepState>;
@group(0) @binding(2) var<storage, read> parameters: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> gradient: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> previous: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> norms: array<vec2<f32>>;

@compute @workgroup_size(THREADS)
fn gradient_norms(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let block = linear_group(group, groups);
    let blocks = (lengths.count + BLOCK - 1u) / BLOCK;
    let count = lengths.count / 4u;
    let model = group.z;
    let scale = states[model].scale;
    var sum = vec2(0.0);
    for (var part = 0u; part < 4u; part++) {
        let at = block * (BLOCK / 4u) + part * THREADS + local;
        if at < count {
            let i = model * count + at;
            let theta = parameters[i];
            let g = scale * gradient[i] + 2.0 * lengths.penalty * theta;
            gradient[i] = g;
            previous[i] = theta;
            sum += vec2(dot(g, g), dot(theta, theta));
        }
    }
    let total = workgroup_sum(local, vec4(sum, 0.0, 0.0));
    if local == 0u && block < blocks {
        norms[model * blocks + block] = total.xy;
    }
}
