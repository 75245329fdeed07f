// Sums of blocks of BLOCK numbers, one a workgroup: each thread adds every 256th number, then a tree over the threads.
// The order depends on the length alone, so that the sum has the same bits whenever it is repeated. A second dispatch
// on the sums, and so on, ends with one number.

import package::shared::dispatch::linear_group;

const BLOCK = 4096u;
const THREADS = 256u;

struct Lengths {
    count: u32,
}

@group(0) @binding(0) var<uniform> lengths: Lengths;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;

var<workgroup> partial: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn sum_blocks(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let block = linear_group(group, groups);
    let start = block * BLOCK;
    let end = min(start + BLOCK, lengths.count);
    var sum = 0.0;
    for (var i = start + local; i < end; i += THREADS) {
        sum += values[i];
    }
    partial[local] = sum;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local < half {
            partial[local] += partial[local + half];
        }
    }
    // Groups beyond the last block are there when the dispatch was folded.
    if local == 0u && start < lengths.count {
        sums[block] = partial[0];
    }
}
