// The gradient, or a term of it, from its partial sums, added in their order.

import package::shared::dispatch::linear_group;

struct Splits {
    parameters4: u32,
    splits: u32,
    // Whether it is added to what is there.
    accumulate: u32,
}

@group(0) @binding(0) var<uniform> lengths: Splits;
// [splits][parameters]
@group(0) @binding(1) var<storage, read> partial: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> gradient: array<vec4<f32>>;

@compute @workgroup_size(256)
fn gradient_sum(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = linear_group(group, groups) * 256u + local;
    if at >= lengths.parameters4 {
        return;
    }
    var sum = vec4(0.0);
    for (var split = 0u; split < lengths.splits; split++) {
        sum += partial[split * lengths.parameters4 + at];
    }
    if lengths.accumulate != 0u {
        sum += gradient[at];
    }
    gradient[at] = sum;
}
