// Σ over partial sums, for many of them: 16 groups of four numbers a workgroup, 16 threads each, then a tree; the order is
// fixed.

import package::shared::dispatch::linear_group;

struct Splits {
    // Numbers of one partial sum in fours, and how many sums there are.
    length4: u32,
    splits: u32,
    // Whether it is added to what is there.
    accumulate: u32,
}

@group(0) @binding(0) var<uniform> lengths: Splits;
// [splits][length]
@group(0) @binding(1) var<storage, read> partial: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> total: array<vec4<f32>>;

var<workgroup> sums: array<vec4<f32>, 256>;

@compute @workgroup_size(256)
fn split_sum(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = linear_group(group, groups) * 16u + local % 16u;
    var sum = vec4(0.0);
    if at < lengths.length4 {
        for (var split = local / 16u; split < lengths.splits; split += 16u) {
            sum += partial[split * lengths.length4 + at];
        }
    }
    sums[local] = sum;
    for (var half = 128u; half >= 16u; half /= 2u) {
        workgroupBarrier();
        if local < half {
            sums[local] += sums[local + half];
        }
    }
    if local < 16u && at < lengths.length4 {
        var whole = sums[local];
        if lengths.accumulate != 0u {
            whole += total[at];
        }
        total[at] = whole;
    }
}
