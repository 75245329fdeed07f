// The adapter's ceiling for memory: every number read once and written once, four a thread.

import package::shared::dispatch::linear_group;

// How many, in units of four.
@group(0) @binding(0) var<uniform> count4: u32;
@group(0) @binding(1) var<storage, read> source: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> copied: array<vec4<f32>>;

@compute @workgroup_size(256)
fn copy_numbers(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = linear_group(group, groups) * 256u + local;
    if at < count4 {
        copied[at] = source[at];
    }
}
