// One update of Adam with decoupled weight decay, a parameter a thread, models along z.
//
//   m ← β₁ m + (1 − β₁) g        v ← β₂ v + (1 − β₂) g²
//   θ ← keep θ − rate [m / (1 − β₁ᵗ)] / [√(v / (1 − β₂ᵗ)) + ε]
//
// g is the gradient times the clipping's factor; a step that is skipped changes nothing. A parameter or an average
// that overflows sets its model's word of faults.

import package::shared::dispatch::linear_group;
import package::shared::moments::{moments, Averages};
import package::shared::step_state::{StepState, is_finite, PARAMETER_FAULT, AVERAGE_FAULT};

struct Adam {
    // β₁, β₂, 1 − β₁, 1 − β₂.
    betas: vec4<f32>,
    epsilon: f32,
    // Parameters from one model to the next.
    stride: u32,
    // The range that is updated: its first parameter, and how many.
    first: u32,
    count: u32,
}

@group(0) @binding(0) var<uniform> settings: Adam;
@group(0) @binding(1) var<storage, read> states: array<StepState>;
@group(0) @binding(2) var<storage, read> gradient: array<f32>;
@group(0) @binding(3) var<storage, read_write> parameters: array<f32>;
@group(0) @binding(4) var<storage, read_write> first: array<f32>;
@group(0) @binding(5) var<storage, read_write> second: array<f32>;
@group(0) @binding(6) var<storage, read_write> faults: array<atomic<u32>>;

@compute @workgroup_size(256)
fn adam(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = linear_group(group, groups) * 256u + local;
    let state = states[group.z];
    if at >= settings.count || state.apply == 0u {
        return;
    }
    let i = group.z * settings.stride + settings.first + at;
    let updated = moments(settings.betas, settings.epsilon, state, first[i], second[i], state.factor * gradient[i]);
    first[i] = updated.first;
    second[i] = updated.second;
    let parameter = state.keep * parameters[i] - state.rate * updated.direction;
    parameters[i] = parameter;
    if !is_finite(parameter) {
        atomicOr(&faults[group.z], PARAMETER_FAULT);
    }
    if !is_finite(updated.first) || !is_finite(updated.second) {
        atomicOr(&faults[group.z], AVERAGE_FAULT);
    }
}
