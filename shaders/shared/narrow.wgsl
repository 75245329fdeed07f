// Networks of layers up to 64 wide, a block of SAMPLES samples a workgroup: what their passes have in common. Each array of a
// pass has a binding of its own, so that a kernel may make several passes.
//
// Thread (tx, s) of 16 by SAMPLES owns the columns 4 tx … 4 tx + 3 of sample s, in all channels and in every layer. So
// what a thread kept of a layer it reads again itself; only a product's factors go through workgroup memory. Models are
// along z; in arrays that other stages fill or read their rows are one after the other, so that these see one batch.

import constants::{DEPTH4, LEFT_ROWS, SAMPLES, SHARED};

const COLUMNS4 = 16u;
const THREADS = COLUMNS4 * SAMPLES;

// Those with a 4 in their names, and places in arrays, are in units of four numbers.
struct Jet {
    rows: u32,
    // Hidden layers.
    hidden: u32,
    tangents: u32,
    // Whether f itself is wanted.
    value: u32,
    // From one model to the next.
    parameters4: u32,
    kept4: u32,
    models: u32,
    // Workgroups of a model's functional or step, each with every so many blocks of samples.
    splits: u32,
}

struct Layer {
    inputs: u32,
    outputs: u32,
    weight4: u32,
    bias4: u32,
    // Where the arrays of the layer's outputs are: [ż…, z, δ, c_z], each [rows][stride].
    kept4: u32,
}

@group(0) @binding(0) var<uniform> jet: Jet;
// The output layer is the last.
@group(0) @binding(1) var<storage, read> layers: array<Layer>;
@group(0) @binding(2) var<storage, read> parameters: array<vec4<f32>>;
// [tangents…, value], for a functional followed by [u, w, c], of which u and w are neither read nor written; each
// [models][rows][stride].
@if(!FUSED) @group(0) @binding(3) var<storage, read> inputs: array<vec4<f32>>;
@if(FUSED) @group(0) @binding(3) var<storage, read_write> inputs: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> output_bar: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> kept: array<vec4<f32>>;

// [channel][sample][column], 16 groups of four columns a row.
var<workgroup> x_tile: array<vec4<f32>, LEFT_ROWS * COLUMNS4>;
// A layer's weight or a part of it, or the right factors of its gradient.
var<workgroup> shared_tile: array<vec4<f32>, SHARED>;

fn fours(width: u32) -> u32 {
    return (width + 3u) / 4u;
}

fn x_place(channel: u32, s: u32, column4: u32) -> u32 {
    return (channel * SAMPLES + s) * COLUMNS4 + column4;
}

// Which of four columns are not padding.
fn within(width: u32, column4: u32) -> vec4<bool> {
    return vec4(4u * column4) + vec4(0u, 1u, 2u, 3u) < vec4(width);
}

// Weights [column][depth] from depth `k4` on, with a gap after four columns against bank conflicts.
fn load_columns(layer: Layer, start4: u32, k4: u32, local: u32) {
    let inputs4 = fours(layer.inputs);
    for (var i = local; i < 4u * COLUMNS4 * DEPTH4; i += THREADS) {
        let column = i / DEPTH4;
        let depth4 = k4 + i % DEPTH4;
        var weight = vec4(0.0);
        if column < layer.outputs && depth4 < inputs4 {
            weight = parameters[start4 + layer.weight4 + column * inputs4 + depth4];
        }
        shared_tile[i + i / (4u * DEPTH4)] = weight;
    }
}

// Weights [depth][column] from depth 4 `k4` on; depth is the layer's output.
fn load_rows(layer: Layer, start4: u32, k4: u32, local: u32) {
    let inputs4 = fours(layer.inputs);
    for (var i = local; i < 4u * COLUMNS4 * DEPTH4; i += THREADS) {
        let depth = 4u * k4 + i / COLUMNS4;
        let column4 = i % COLUMNS4;
        var weight = vec4(0.0);
        if depth < layer.outputs && column4 < inputs4 {
            weight = parameters[start4 + layer.weight4 + depth * inputs4 + column4];
        }
        shared_tile[i] = weight;
    }
}

// Four columns of a weight at four depths.
fn columns_at(tx: u32, k: u32) -> mat4x4<f32> {
    let at = 4u * tx * DEPTH4 + tx + k;
    return mat4x4(
        shared_tile[at],
        shared_tile[at + DEPTH4],
        shared_tile[at + 2u * DEPTH4],
        shared_tile[at + 3u * DEPTH4],
    );
}

// Four depths of a weight at four columns.
fn rows_at(tx: u32, k: u32) -> mat4x4<f32> {
    let at = 4u * k * COLUMNS4 + tx;
    return mat4x4(
        shared_tile[at],
        shared_tile[at + COLUMNS4],
        shared_tile[at + 2u * COLUMNS4],
        shared_tile[at + 3u * COLUMNS4],
    );
}

// One channel of x times a weight, transposed. To be called by all threads; x may be overwritten afterwards.
fn forward_one(layer: Layer, start4: u32, channel: u32, local: u32) -> vec4<f32> {
    let tx = local % COLUMNS4;
    let s = local / COLUMNS4;
    let depth4 = fours(layer.inputs);
    var sum = vec4(0.0);
    for (var k4 = 0u; k4 < depth4; k4 += DEPTH4) {
        workgroupBarrier();
        load_columns(layer, start4, k4, local);
        workgroupBarrier();
        for (var k = 0u; k < min(DEPTH4, depth4 - k4); k++) {
            // A row vector times a matrix: the dot products with its columns.
            sum += x_tile[x_place(channel, s, k4 + k)] * columns_at(tx, k);
        }
    }
    workgroupBarrier();
    return sum;
}

// One channel of x times a weight, from its outputs to its inputs.
fn reverse_one(layer: Layer, start4: u32, channel: u32, local: u32) -> vec4<f32> {
    let tx = local % COLUMNS4;
    let s = local / COLUMNS4;
    let depth4 = fours(layer.outputs);
    var sum = vec4(0.0);
    for (var k4 = 0u; k4 < depth4; k4 += DEPTH4) {
        workgroupBarrier();
        load_rows(layer, start4, k4, local);
        workgroupBarrier();
        for (var k = 0u; k < min(DEPTH4, depth4 - k4); k++) {
            sum += rows_at(tx, k) * x_tile[x_place(channel, s, k4 + k)];
        }
    }
    workgroupBarrier();
    return sum;
}
