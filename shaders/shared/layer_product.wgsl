// The product of a layer: X Wᵀ on the way forward (TRANSPOSED), X W on the way back, a tile a workgroup.
//
// X is [CHANNELS][rows][depth], the result [CHANNELS][rows][width], W a layer's weight [out, in] within all parameters.
// All products have these three bindings first; what becomes of the sums is each kernel's own.

import constants::ROWS;
import package::shared::tile::{COLUMNS4, DEPTH4, SAMPLES_A_TILE, Sums, THREADS, accumulate, w_tile, x_tile};

// Those with a 4 in their names, and places in arrays, are in units of four numbers.
struct Layer {
    rows: u32,
    depth: u32,
    depth4: u32,
    width: u32,
    width4: u32,
    weight: u32,
    bias: u32,
    input_start: u32,
    // Whether there is no activation.
    linear: u32,
    tangents: u32,
    // Where the kernel's δσ′ go.
    bar_start: u32,
}

@group(0) @binding(0) var<uniform> layer: Layer;
@group(0) @binding(1) var<storage, read> parameters: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> inputs: array<vec4<f32>>;

// Number `i` of the tile [row][depth]; its depth is `k4`.
fn load_x(i: u32, first_sample: u32, k4: u32) -> vec4<f32> {
    let row = i / DEPTH4;
    let sample = first_sample + row % SAMPLES_A_TILE;
    // A workgroup has as many threads as four rows a thread need, or eight; the tile may have fewer.
    if row >= 16u * ROWS || sample >= layer.rows || k4 >= layer.depth4 {
        return vec4(0.0);
    }
    let channel = row / SAMPLES_A_TILE;
    return inputs[layer.input_start + (channel * layer.rows + sample) * layer.depth4 + k4];
}

// Number `i` of the tile [column][depth] that starts at column and depth `first_column4`, `k4`.
@if(TRANSPOSED)
fn load_w(i: u32, first_column4: u32, k4: u32) -> vec4<f32> {
    let column = 4u * first_column4 + i / DEPTH4;
    let depth4 = k4 + i % DEPTH4;
    if column >= layer.width || depth4 >= layer.depth4 {
        return vec4(0.0);
    }
    return parameters[layer.weight + column * layer.depth4 + depth4];
}

// Number `i` of the tile [depth][column].
@else
fn load_w(i: u32, first_column4: u32, k4: u32) -> vec4<f32> {
    let column4 = first_column4 + i % COLUMNS4;
    let depth = 4u * k4 + i / COLUMNS4;
    if column4 >= layer.width4 || depth >= layer.depth {
        return vec4(0.0);
    }
    return parameters[layer.weight + depth * layer.width4 + column4];
}

// Where that number is stored.
fn w_place(i: u32) -> u32 {
    @if(TRANSPOSED) return i + i / 16u;
    @else return i;
}

// What thread `local` of a workgroup has: sums of the samples `sample`, `sample + 16`, …, in the four columns from
// 4 · `column4` on and in a wide tile in those 64 further.
struct Tile {
    sums: Sums,
    sample: u32,
    column4: u32,
}

// Workgroups are numbered by tiles of samples, then of columns.
fn layer_product(group: vec3<u32>, local: u32) -> Tile {
    let first_sample = group.x * SAMPLES_A_TILE;
    let first_column4 = group.y * COLUMNS4;
    let k = local % DEPTH4;
    var sums: Sums;
    var x0 = load_x(local, first_sample, k);
    @if(ROW_4) var x1 = load_x(local + THREADS, first_sample, k);
    @if(ROW_8) var x2 = load_x(local + 2u * THREADS, first_sample, k);
    var w0 = load_w(local, first_column4, 0u);
    @if(WIDE) var w1 = load_w(local + THREADS, first_column4, 0u);
    for (var k4 = 0u; k4 < layer.depth4; k4 += DEPTH4) {
        workgroupBarrier();
        if local < ROWS * 64u {
            x_tile[local] = x0;
        }
        @if(ROW_4) if local + THREADS < ROWS * 64u {
            x_tile[local + THREADS] = x1;
        }
        @if(ROW_8) if local + 2u * THREADS < ROWS * 64u {
            x_tile[local + 2u * THREADS] = x2;
        }
        w_tile[w_place(local)] = w0;
        @if(WIDE) w_tile[w_place(local + THREADS)] = w1;
        workgroupBarrier();
        // The next tile is on its way while this one is multiplied.
        let next = k4 + DEPTH4;
        x0 = load_x(local, first_sample, next + k);
        @if(ROW_4) x1 = load_x(local + THREADS, first_sample, next + k);
        @if(ROW_8) x2 = load_x(local + 2u * THREADS, first_sample, next + k);
        w0 = load_w(local, first_column4, next);
        @if(WIDE) w1 = load_w(local + THREADS, first_column4, next);
        accumulate(&sums, local % 16u, local / 16u);
    }
    return Tile(sums, first_sample + local / 16u, first_column4 + local % 16u);
}
