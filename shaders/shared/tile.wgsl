// The inner part of a layer product: one workgroup's tile of X times one of W, over 16 numbers of depth, in registers.
//
// 256 threads, 16 by 16. Thread (tx, ty) owns ROWS rows of the tile, number 16 i + ty for i = 0 … ROWS − 1, and the
// columns 4 tx … 4 tx + 3 and, in a tile of 128 columns, those 64 further. ROWS is CHANNELS · SAMPLES and the tile's rows
// are ordered [channel][16 · SAMPLES samples], so that a thread has all channels of its SAMPLES samples: row i = c ·
// SAMPLES + j of it is channel c of sample 16 j + ty of the tile.
//
// Accumulators have names rather than indices: drivers keep those in registers. ROWS is 2 to 10, and the flag ROW_i says
// that there is a row i.

import constants::{ROWS, SAMPLES};

const THREADS = 256u;
// Groups of four in the depth of a tile.
const DEPTH4 = 4u;
const SAMPLES_A_TILE = 16u * SAMPLES;
@if(WIDE)
const COLUMNS4 = 32u;
@else
const COLUMNS4 = 16u;

// [row][depth]
var<workgroup> x_tile: array<vec4<f32>, ROWS * 64u>;
// [column][depth] with a gap after four columns, against bank conflicts; or [depth][column].
var<workgroup> w_tile: array<vec4<f32>, COLUMNS4 * 17u>;

// Sums of the thread's rows, left and right columns.
struct Sums {
    l0: vec4<f32>,
    l1: vec4<f32>,
    @if(ROW_2) l2: vec4<f32>,
    @if(ROW_3) l3: vec4<f32>,
    @if(ROW_4) l4: vec4<f32>,
    @if(ROW_5) l5: vec4<f32>,
    @if(ROW_6) l6: vec4<f32>,
    @if(ROW_7) l7: vec4<f32>,
    @if(ROW_8) l8: vec4<f32>,
    @if(ROW_9) l9: vec4<f32>,
    @if(WIDE) r0: vec4<f32>,
    @if(WIDE) r1: vec4<f32>,
    @if(WIDE && ROW_2) r2: vec4<f32>,
    @if(WIDE && ROW_3) r3: vec4<f32>,
    @if(WIDE && ROW_4) r4: vec4<f32>,
    @if(WIDE && ROW_5) r5: vec4<f32>,
    @if(WIDE && ROW_6) r6: vec4<f32>,
    @if(WIDE && ROW_7) r7: vec4<f32>,
    @if(WIDE && ROW_8) r8: vec4<f32>,
    @if(WIDE && ROW_9) r9: vec4<f32>,
}

// Four columns of W at four depths: column vectors, a depth each.
struct Columns {
    k0: vec4<f32>,
    k1: vec4<f32>,
    k2: vec4<f32>,
    k3: vec4<f32>,
}

fn times(x: vec4<f32>, w: Columns, sum: vec4<f32>) -> vec4<f32> {
    var s = fma(vec4(x.x), w.k0, sum);
    s = fma(vec4(x.y), w.k1, s);
    s = fma(vec4(x.z), w.k2, s);
    return fma(vec4(x.w), w.k3, s);
}

// The columns 4 tx … of a tile stored [column][depth], `half` 0 or 1.
fn columns_of_transposed(tx: u32, half: u32, k4: u32) -> Columns {
    let start = 272u * half + 17u * tx + k4;
    let a = w_tile[start];
    let b = w_tile[start + 4u];
    let c = w_tile[start + 8u];
    let d = w_tile[start + 12u];
    return Columns(
        vec4(a.x, b.x, c.x, d.x),
        vec4(a.y, b.y, c.y, d.y),
        vec4(a.z, b.z, c.z, d.z),
        vec4(a.w, b.w, c.w, d.w),
    );
}

// The same of a tile stored [depth][column].
fn columns_of_plain(tx: u32, half: u32, k4: u32) -> Columns {
    let start = 4u * k4 * COLUMNS4 + 16u * half + tx;
    return Columns(
        w_tile[start],
        w_tile[start + COLUMNS4],
        w_tile[start + 2u * COLUMNS4],
        w_tile[start + 3u * COLUMNS4],
    );
}

// Adds the product of the two tiles.
fn accumulate(sums: ptr<function, Sums>, tx: u32, ty: u32) {
    for (var k4 = 0u; k4 < DEPTH4; k4++) {
        @if(TRANSPOSED) let l = columns_of_transposed(tx, 0u, k4);
        @else let l = columns_of_plain(tx, 0u, k4);
        @if(WIDE && TRANSPOSED) let r = columns_of_transposed(tx, 1u, k4);
        @if(WIDE && !TRANSPOSED) let r = columns_of_plain(tx, 1u, k4);
        let at = ty * DEPTH4 + k4;
        let x0 = x_tile[at];
        (*sums).l0 = times(x0, l, (*sums).l0);
        @if(WIDE) { (*sums).r0 = times(x0, r, (*sums).r0); }
        let x1 = x_tile[at + 64u];
        (*sums).l1 = times(x1, l, (*sums).l1);
        @if(WIDE) { (*sums).r1 = times(x1, r, (*sums).r1); }
        @if(ROW_2) {
            let x2 = x_tile[at + 128u];
            (*sums).l2 = times(x2, l, (*sums).l2);
            @if(WIDE) { (*sums).r2 = times(x2, r, (*sums).r2); }
        }
        @if(ROW_3) {
            let x3 = x_tile[at + 192u];
            (*sums).l3 = times(x3, l, (*sums).l3);
            @if(WIDE) { (*sums).r3 = times(x3, r, (*sums).r3); }
        }
        @if(ROW_4) {
            let x4 = x_tile[at + 256u];
            (*sums).l4 = times(x4, l, (*sums).l4);
            @if(WIDE) { (*sums).r4 = times(x4, r, (*sums).r4); }
        }
        @if(ROW_5) {
            let x5 = x_tile[at + 320u];
            (*sums).l5 = times(x5, l, (*sums).l5);
            @if(WIDE) { (*sums).r5 = times(x5, r, (*sums).r5); }
        }
        @if(ROW_6) {
            let x6 = x_tile[at + 384u];
            (*sums).l6 = times(x6, l, (*sums).l6);
            @if(WIDE) { (*sums).r6 = times(x6, r, (*sums).r6); }
        }
        @if(ROW_7) {
            let x7 = x_tile[at + 448u];
            (*sums).l7 = times(x7, l, (*sums).l7);
            @if(WIDE) { (*sums).r7 = times(x7, r, (*sums).r7); }
        }
        @if(ROW_8) {
            let x8 = x_tile[at + 512u];
            (*sums).l8 = times(x8, l, (*sums).l8);
            @if(WIDE) { (*sums).r8 = times(x8, r, (*sums).r8); }
        }
        @if(ROW_9) {
            let x9 = x_tile[at + 576u];
            (*sums).l9 = times(x9, l, (*sums).l9);
            @if(WIDE) { (*sums).r9 = times(x9, r, (*sums).r9); }
        }
    }
}

// The thread's sums by row, left or right half: after the last tile an index is no loss.
fn rows_of(sums: Sums, half: u32) -> array<vec4<f32>, ROWS> {
    var rows: array<vec4<f32>, ROWS>;
    rows[0] = sums.l0;
    rows[1] = sums.l1;
    @if(ROW_2) rows[2] = sums.l2;
    @if(ROW_3) rows[3] = sums.l3;
    @if(ROW_4) rows[4] = sums.l4;
    @if(ROW_5) rows[5] = sums.l5;
    @if(ROW_6) rows[6] = sums.l6;
    @if(ROW_7) rows[7] = sums.l7;
    @if(ROW_8) rows[8] = sums.l8;
    @if(ROW_9) rows[9] = sums.l9;
    @if(WIDE) if half == 1u {
        rows[0] = sums.r0;
        rows[1] = sums.r1;
        @if(ROW_2) rows[2] = sums.r2;
        @if(ROW_3) rows[3] = sums.r3;
        @if(ROW_4) rows[4] = sums.r4;
        @if(ROW_5) rows[5] = sums.r5;
        @if(ROW_6) rows[6] = sums.r6;
        @if(ROW_7) rows[7] = sums.r7;
        @if(ROW_8) rows[8] = sums.r8;
        @if(ROW_9) rows[9] = sums.r9;
    }
    return rows;
}
