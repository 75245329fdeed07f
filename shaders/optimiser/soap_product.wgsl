// A matrix product for every parameter block or every factor of SOAP, all in one launch: a TILE × TILE tile of one
// product a workgroup, 4 × 4 numbers a thread; models along z. What becomes of a product differs by flag:
//
//   (none)   C ← fᵖ A B
//   MOMENTS  G̃ = A B: Adam's averages of it, and C ← the direction
//   APPLY    C ← keep C − rate A B, the parameters
//   AVERAGE  C ← s C + (1 − s) f² A B, a factor
//   KEEP     C ← A B, and the second moments are kept aside
//   CARRY    C ← A B, and the second moments follow the columns that they belong to
//
// f is the clipping's factor. A step that is skipped changes nothing.

import constants::TILE;
import package::shared::dispatch::linear_group;
import package::shared::moments::{moments, flush, Averages};
import package::shared::step_state::{StepState, is_finite, PARAMETER_FAULT, AVERAGE_FAULT};

const TILE_THREADS = TILE / 4u;
const THREADS = TILE_THREADS * TILE_THREADS;
// Terms of the sums that are in workgroup memory at once.
const INNER = 16u;
// Not a multiple of 32, so that neighbouring rows lie in other banks.
const PITCH = TILE + 4u;

struct Launch {
    // β₁, β₂, 1 − β₁, 1 − β₂.
    betas: vec4<f32>,
    epsilon: f32,
    // s and 1 − s.
    keep: f32,
    fresh: f32,
    tiles: u32,
    // Numbers from one model to the next.
    left_model: u32,
    right_model: u32,
    out_model: u32,
    order_model: u32,
    // p.
    power: u32,
}

// A product [rows, inner] × [inner, columns]; element (i, j) of the left factor is at left + i left_row + j left_column.
// The left factor of a product with inner = 0 is the identity.
struct Job {
    left: u32,
    left_row: u32,
    left_column: u32,
    right: u32,
    right_row: u32,
    right_column: u32,
    out: u32,
    out_row: u32,
    rows: u32,
    columns: u32,
    inner: u32,
    // Where the orders of the columns of either basis are; NONE for no basis.
    left_order: u32,
    right_order: u32,
}

const JOB_WORDS = 13u;
const NONE = 0xffffffffu;

@group(0) @binding(0) var<uniform> launch: Launch;
@group(0) @binding(1) var<storage, read> states: array<StepState>;
// For each tile its job, first row and first column; then the jobs.
@group(0) @binding(2) var<storage, read> plan: array<u32>;
@group(0) @binding(3) var<storage, read> left: array<f32>;
@group(0) @binding(4) var<storage, read> right: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
@if(MOMENTS) @group(0) @binding(6) var<storage, read_write> first: array<f32>;
@if(MOMENTS) @group(0) @binding(7) var<storage, read_write> second: array<f32>;
@if(MOMENTS) @group(0) @binding(8) var<storage, read_write> faults: array<atomic<u32>>;
@if(APPLY) @group(0) @binding(6) var<storage, read_write> faults: array<atomic<u32>>;
@if(KEEP) @group(0) @binding(6) var<storage, read> second: array<f32>;
@if(KEEP) @group(0) @binding(7) var<storage, read_write> kept: array<f32>;
@if(CARRY) @group(0) @binding(6) var<storage, read_write> second: array<f32>;
@if(CARRY) @group(0) @binding(7) var<storage, read> kept: array<f32>;
@if(CARRY) @group(0) @binding(8) var<storage, read> orders: array<u32>;

var<workgroup> left_tile: array<f32, INNER * PITCH>;
var<workgroup> right_tile: array<f32, INNER * PITCH>;

fn load_job(number: u32) -> Job {
    let at = 3u * launch.tiles + JOB_WORDS * number;
    return Job(
        plan[at],
        plan[at + 1u],
        plan[at + 2u],
        plan[at + 3u],
        plan[at + 4u],
        plan[at + 5u],
        plan[at + 6u],
        plan[at + 7u],
        plan[at + 8u],
        plan[at + 9u],
        plan[at + 10u],
        plan[at + 11u],
        plan[at + 12u],
    );
}

@if(CARRY)
fn source(order: u32, model: u32, place: u32) -> u32 {
    if order == NONE {
        return place;
    }
    return orders[model * launch.order_model + order + place];
}

fn finish(job: Job, model: u32, state: StepState, row: u32, column: u32, product: f32) {
    if row >= job.rows || column >= job.columns {
        return;
    }
    var value = product;
    if job.inner == 0u {
        value = right[model * launch.right_model + job.right + row * job.right_row + column * job.right_column];
    }
    let at = model * launch.out_model + job.out + row * job.out_row + column;
    @if(MOMENTS) {
        let updated = moments(launch.betas, launch.epsilon, state, first[at], second[at], value);
        first[at] = updated.first;
        second[at] = updated.second;
        out[at] = updated.direction;
        if !is_finite(updated.first) || !is_finite(updated.second) {
            atomicOr(&faults[model], AVERAGE_FAULT);
        }
    }
    @if(APPLY) {
        let parameter = state.keep * out[at] - state.rate * value;
        out[at] = parameter;
        if !is_finite(parameter) {
            atomicOr(&faults[model], PARAMETER_FAULT);
        }
    }
    @if(AVERAGE) {
        out[at] = flush(launch.keep * out[at]) + launch.fresh * (state.factor * state.factor) * value;
    }
    @if(KEEP) {
        out[at] = value;
        kept[at] = second[at];
    }
    @if(CARRY) {
        out[at] = value;
        let old_row = source(job.left_order, model, row);
        let old_column = source(job.right_order, model, column);
        second[at] = kept[model * launch.out_model + job.out + old_row * job.out_row + old_column];
    }
    @if(!MOMENTS && !APPLY && !AVERAGE && !KEEP && !CARRY) {
        out[at] = select(value, state.factor * value, launch.power == 1u);
    }
}

fn finish_row(job: Job, model: u32, state: StepState, row: u32, column: u32, products: vec4<f32>) {
    finish(job, model, state, row, column, products.x);
    finish(job, model, state, row, column + 1u, products.y);
    finish(job, model, state, row, column + 2u, products.z);
    finish(job, model, state, row, column + 3u, products.w);
}

@compute @workgroup_size(THREADS)
fn soap_product(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let tile = linear_group(group, groups);
    let model = group.z;
    let state = states[model];
    if tile >= launch.tiles || state.apply == 0u {
        return;
    }
    let job = load_job(plan[3u * tile]);
    let first_row = plan[3u * tile + 1u];
    let first_column = plan[3u * tile + 2u];
    let left_start = model * launch.left_model + job.left;
    let right_start = model * launch.right_model + job.right;
    let row = local / TILE_THREADS * 4u;
    let column = local % TILE_THREADS * 4u;
    var sum0 = vec4(0.0);
    var sum1 = vec4(0.0);
    var sum2 = vec4(0.0);
    var sum3 = vec4(0.0);
    for (var start = 0u; start < job.inner; start += INNER) {
        workgroupBarrier();
        for (var at = local; at < TILE * INNER; at += THREADS) {
            // Neighbouring threads read neighbouring numbers, whichever way a factor lies.
            var i = at / INNER;
            var k = at % INNER;
            if job.left_column != 1u {
                i = at % TILE;
                k = at / TILE;
            }
            var number = 0.0;
            if first_row + i < job.rows && start + k < job.inner {
                number = left[left_start + (first_row + i) * job.left_row + (start + k) * job.left_column];
            }
            left_tile[k * PITCH + i] = number;
        }
        for (var at = local; at < TILE * INNER; at += THREADS) {
            var j = at % TILE;
            var k = at / TILE;
            if job.right_column != 1u {
                j = at / INNER;
                k = at % INNER;
            }
            var number = 0.0;
            if first_column + j < job.columns && start + k < job.inner {
                number = right[right_start + (start + k) * job.right_row + (first_column + j) * job.right_column];
            }
            right_tile[k * PITCH + j] = number;
        }
        workgroupBarrier();
        for (var k = 0u; k < INNER; k++) {
            let l = k * PITCH + row;
            let r = k * PITCH + column;
            let b = vec4(right_tile[r], right_tile[r + 1u], right_tile[r + 2u], right_tile[r + 3u]);
            sum0 += left_tile[l] * b;
            sum1 += left_tile[l + 1u] * b;
            sum2 += left_tile[l + 2u] * b;
            sum3 += left_tile[l + 3u] * b;
        }
    }
    finish_row(job, model, state, first_row + row, first_column + column, sum0);
    finish_row(job, model, state, first_row + row + 1u, first_column + column, sum1);
    finish_row(job, model, state, first_row + row + 2u, first_column + column, sum2);
    finish_row(job, model, state, first_row + row + 3u, first_column + column, sum3);
}
