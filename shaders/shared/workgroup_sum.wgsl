// Sums over the 256 threads of a workgroup as a tree: the same order each time, and errors that grow with its depth.

const THREADS = 256u;

var<workgroup> lanes: array<vec4<f32>, THREADS>;

// Σ over all threads, known to each of them. To be called by all, in uniform control flow.
fn workgroup_sum(local: u32, value: vec4<f32>) -> vec4<f32> {
    lanes[local] = value;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local < half {
            lanes[local] += lanes[local + half];
        }
    }
    workgroupBarrier();
    return lanes[0];
}
