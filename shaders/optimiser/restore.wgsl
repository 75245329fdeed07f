// After an update that left a parameter that is not finite: the parameters before it, and the step counts as skipped.
// Otherwise nothing. Models along z.

import package::shared::dispatch::linear_group;
import package::shared::step_state::{StepState, StepReport, SKIPPED, PARAMETER_FAULT};

struct Lengths {
    // Parameters of one model, a multiple of 4, and reports of one.
    count: u32,
    reports: u32,
}

@group(0) @binding(0) var<uniform> lengths: Lengths;
@group(0) @binding(1) var<storage, read> faults: array<u32>;
@group(0) @binding(2) var<storage, read> previous: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> parameters: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> states: array<StepState>;
@group(0) @binding(5) var<storage, read_write> reports: array<StepReport>;

@compute @workgroup_size(256)
fn restore(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let model = group.z;
    if (faults[model] & PARAMETER_FAULT) == 0u {
        return;
    }
    let at = linear_group(group, groups) * 256u + local;
    let count = lengths.count / 4u;
    if at < count {
        parameters[model * count + at] = previous[model * count + at];
    }
    if at == 0u {
        states[model].skipped += 1u;
        reports[model * lengths.reports + (states[model].steps - 1u) % lengths.reports].outcome = SKIPPED;
    }
}
