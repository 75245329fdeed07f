// The bias gradient of a layer, Σ_rows z̄, split over the rows as the weight gradient is; no rows give zero.
//
// 16 groups of four units a workgroup, 16 threads each, then a tree: the order is fixed.

// Those with a 4 in their names, and places in arrays, are in units of four numbers.
struct Sum {
    rows: u32,
    split: u32,
    outputs4: u32,
    left_start: u32,
    bias: u32,
    parameters4: u32,
}

@group(0) @binding(0) var<uniform> layer: Sum;
@group(0) @binding(1) var<storage, read> left: array<vec4<f32>>;
// [splits][parameters]
@group(0) @binding(2) var<storage, read_write> partial: array<vec4<f32>>;

var<workgroup> sums: array<vec4<f32>, 256>;

@compute @workgroup_size(256)
fn bias_gradient(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let column4 = group.x * 16u + local % 16u;
    let lane = local / 16u;
    let end = min((group.y + 1u) * layer.split, layer.rows);
    var sum = vec4(0.0);
    if column4 < layer.outputs4 {
        for (var row = group.y * layer.split + lane; row < end; row += 16u) {
            sum += left[layer.left_start + row * layer.outputs4 + column4];
        }
    }
    sums[local] = sum;
    for (var half = 128u; half >= 16u; half /= 2u) {
        workgroupBarrier();
        if local < half {
            sums[local] += sums[local + half];
        }
    }
    if lane == 0u && column4 < layer.outputs4 {
        partial[group.y * layer.parameters4 + layer.bias + column4] = sums[local];
    }
}
