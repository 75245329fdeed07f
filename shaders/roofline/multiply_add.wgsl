// The adapter's ceiling for multiplication and addition in one: eight vectors a thread that stay in registers and do not
// wait for each other, and one write at the end, without which nothing would be computed.
//
//   x ← factor · x + term, 4 · 8 · 4 of them a round in each thread

import package::shared::dispatch::linear_group;

struct Numbers {
    factor: f32,
    term: f32,
    rounds: u32,
    threads: u32,
}

@group(0) @binding(0) var<uniform> numbers: Numbers;
@group(0) @binding(1) var<storage, read_write> sums: array<vec4<f32>>;

@compute @workgroup_size(256)
fn multiply_add(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let thread = linear_group(group, groups) * 256u + local;
    if thread >= numbers.threads {
        return;
    }
    let f = vec4(numbers.factor);
    let t = vec4(numbers.term);
    // Different in each lane, so that none is another's copy.
    let start = vec4(0.0, 1.0, 2.0, 3.0) + f32(thread % 64u);
    var a = start;
    var b = start + 4.0;
    var c = start + 8.0;
    var d = start + 12.0;
    var e = start + 16.0;
    var g = start + 20.0;
    var h = start + 24.0;
    var k = start + 28.0;
    for (var round = 0u; round < numbers.rounds; round++) {
        a = fma(f, a, t); b = fma(f, b, t); c = fma(f, c, t); d = fma(f, d, t);
        e = fma(f, e, t); g = fma(f, g, t); h = fma(f, h, t); k = fma(f, k, t);
        a = fma(f, a, t); b = fma(f, b, t); c = fma(f, c, t); d = fma(f, d, t);
        e = fma(f, e, t); g = fma(f, g, t); h = fma(f, h, t); k = fma(f, k, t);
        a = fma(f, a, t); b = fma(f, b, t); c = fma(f, c, t); d = fma(f, d, t);
        e = fma(f, e, t); g = fma(f, g, t); h = fma(f, h, t); k = fma(f, k, t);
        a = fma(f, a, t); b = fma(f, b, t); c = fma(f, c, t); d = fma(f, d, t);
        e = fma(f, e, t); g = fma(f, g, t); h = fma(f, h, t); k = fma(f, k, t);
    }
    sums[thread] = ((a + b) + (c + d)) + ((e + g) + (h + k));
}
