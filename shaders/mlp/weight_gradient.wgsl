// The weight gradient of a layer, Σ_k left[k, out] right[k, in], split over k: each split writes its own partial sum.
//
// `left` is [z̄, ż̄^u, ż̄^w, δσ′] and `right` [a, ȧ^u, ȧ^w, c_a] of the layer below, each [channels · rows][stride]: four
// outer products are one. A tile is 128 by 128 (WIDE) or 64 by 64; thread (tx, ty) of 16 by 16 owns outputs 4 ty … and in
// a wide tile 64 + 4 ty …, inputs likewise by tx. `gradient_sum` adds the splits in a fixed order.

// Those with a 4 in their names, and places in arrays, are in units of four numbers.
struct Outer {
    // Rows of left and right, and of one split: a multiple of 16.
    depth: u32,
    split: u32,
    outputs: u32,
    outputs4: u32,
    inputs4: u32,
    left_start: u32,
    right_start: u32,
    // Where the layer's weight is among all parameters, and the length of these.
    weight: u32,
    parameters4: u32,
}

@group(0) @binding(0) var<uniform> layer: Outer;
@group(0) @binding(1) var<storage, read> left: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> right: array<vec4<f32>>;
// [splits][parameters]
@group(0) @binding(3) var<storage, read_write> partial: array<vec4<f32>>;

const THREADS = 256u;
const DEPTH = 16u;
@if(WIDE)
const COLUMNS4 = 32u;
@else
const COLUMNS4 = 16u;

// [depth][column]
var<workgroup> left_tile: array<vec4<f32>, DEPTH * COLUMNS4>;
var<workgroup> right_tile: array<vec4<f32>, DEPTH * COLUMNS4>;

fn load_left(i: u32, first4: u32, k: u32, end: u32) -> vec4<f32> {
    let column4 = first4 + i % COLUMNS4;
    let depth = k + i / COLUMNS4;
    if column4 >= layer.outputs4 || depth >= end {
        return vec4(0.0);
    }
    return left[layer.left_start + depth * layer.outputs4 + column4];
}

fn load_right(i: u32, first4: u32, k: u32, end: u32) -> vec4<f32> {
    let column4 = first4 + i % COLUMNS4;
    let depth = k + i / COLUMNS4;
    if column4 >= layer.inputs4 || depth >= end {
        return vec4(0.0);
    }
    return right[layer.right_start + depth * layer.inputs4 + column4];
}

@compute @workgroup_size(THREADS)
fn weight_gradient(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let tx = local % 16u;
    let ty = local / 16u;
    let first_input4 = group.x * COLUMNS4;
    let first_output4 = group.y * COLUMNS4;
    let start = group.z * layer.split;
    let end = min(start + layer.split, layer.depth);

    var l0 = vec4(0.0);
    var l1 = vec4(0.0);
    var l2 = vec4(0.0);
    var l3 = vec4(0.0);
    @if(WIDE) var l4 = vec4(0.0);
    @if(WIDE) var l5 = vec4(0.0);
    @if(WIDE) var l6 = vec4(0.0);
    @if(WIDE) var l7 = vec4(0.0);
    @if(WIDE) var r0 = vec4(0.0);
    @if(WIDE) var r1 = vec4(0.0);
    @if(WIDE) var r2 = vec4(0.0);
    @if(WIDE) var r3 = vec4(0.0);
    @if(WIDE) var r4 = vec4(0.0);
    @if(WIDE) var r5 = vec4(0.0);
    @if(WIDE) var r6 = vec4(0.0);
    @if(WIDE) var r7 = vec4(0.0);
    var a0 = load_left(local, first_output4, start, end);
    @if(WIDE) var a1 = load_left(local + THREADS, first_output4, start, end);
    var b0 = load_right(local, first_input4, start, end);
    @if(WIDE) var b1 = load_right(local + THREADS, first_input4, start, end);
    for (var k = start; k < end; k += DEPTH) {
        workgroupBarrier();
        left_tile[local] = a0;
        @if(WIDE) left_tile[local + THREADS] = a1;
        right_tile[local] = b0;
        @if(WIDE) right_tile[local + THREADS] = b1;
        workgroupBarrier();
        a0 = load_left(local, first_output4, k + DEPTH, end);
        @if(WIDE) a1 = load_left(local + THREADS, first_output4, k + DEPTH, end);
        b0 = load_right(local, first_input4, k + DEPTH, end);
        @if(WIDE) b1 = load_right(local + THREADS, first_input4, k + DEPTH, end);
        for (var depth = 0u; depth < DEPTH; depth++) {
            let near = left_tile[depth * COLUMNS4 + ty];
            let l = right_tile[depth * COLUMNS4 + tx];
            l0 = fma(vec4(near.x), l, l0);
            l1 = fma(vec4(near.y), l, l1);
            l2 = fma(vec4(near.z), l, l2);
            l3 = fma(vec4(near.w), l, l3);
            @if(WIDE) {
                let far = left_tile[depth * COLUMNS4 + 16u + ty];
                let r = right_tile[depth * COLUMNS4 + 16u + tx];
                r0 = fma(vec4(near.x), r, r0);
                r1 = fma(vec4(near.y), r, r1);
                r2 = fma(vec4(near.z), r, r2);
                r3 = fma(vec4(near.w), r, r3);
                l4 = fma(vec4(far.x), l, l4);
                r4 = fma(vec4(far.x), r, r4);
                l5 = fma(vec4(far.y), l, l5);
                r5 = fma(vec4(far.y), r, r5);
                l6 = fma(vec4(far.z), l, l6);
                r6 = fma(vec4(far.z), r, r6);
                l7 = fma(vec4(far.w), l, l7);
                r7 = fma(vec4(far.w), r, r7);
            }
        }
    }
    let near = 4u * (first_output4 + ty);
    let place = Place(group.z * layer.parameters4 + layer.weight, first_input4 + tx);
    store(place, near, l0);
    store(place, near + 1u, l1);
    store(place, near + 2u, l2);
    store(place, near + 3u, l3);
    @if(WIDE) {
        let far_place = Place(place.weight, place.input4 + 16u);
        store(far_place, near, r0);
        store(far_place, near + 1u, r1);
        store(far_place, near + 2u, r2);
        store(far_place, near + 3u, r3);
        store(place, near + 64u, l4);
        store(far_place, near + 64u, r4);
        store(place, near + 65u, l5);
        store(far_place, near + 65u, r5);
        store(place, near + 66u, l6);
        store(far_place, near + 66u, r6);
        store(place, near + 67u, l7);
        store(far_place, near + 67u, r7);
    }
}

// Where the split's weight begins, and the inputs of a sum.
struct Place {
    weight: u32,
    input4: u32,
}

fn store(place: Place, output: u32, sum: vec4<f32>) {
    if output < layer.outputs && place.input4 < layer.inputs4 {
        partial[place.weight + output * layer.inputs4 + place.input4] = sum;
    }
}
