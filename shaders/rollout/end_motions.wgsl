// Ends motions where they have no acceleration: at a state that is not finite, or whose mass matrix is not of full rank, or
// has another number of negative eigenvalues than at the start, so that a singular one lies between. Such a row has NaN for
// its acceleration from then on, and a record of where it was. A row a thread, after each evaluation of accelerations.

import constants::D;
import package::shared::dispatch::linear_group;
import package::shared::float::{is_finite, not_a_number};
import package::shared::symmetric::NOT_FINITE;

struct EndSettings {
    rows: u32,
    // Length of a state, 2d + conditionals.
    state: u32,
}

// The causes' numbers are those of `rollout::EndCause`.
const STATE = 1u;
const MATRIX = 2u;
const RANK = 3u;
const SIGN = 4u;

struct MotionRecord {
    // Evaluations so far, modulo 2³².
    evaluations: u32,
    // 1 + negative eigenvalues at the start; 0 before the first evaluation.
    negative: u32,
    // 0 while the motion goes on.
    cause: u32,
    // Number of the evaluation that ended it.
    ended: u32,
}

@group(0) @binding(0) var<uniform> settings: EndSettings;
// Of each row's mass matrix.
@group(0) @binding(1) var<storage, read> ranks: array<u32>;
@group(0) @binding(2) var<storage, read> negative: array<u32>;
// (q, q̇, conditionals), [rows, state].
@group(0) @binding(3) var<storage, read> states: array<f32>;
// [rows, D].
@group(0) @binding(4) var<storage, read_write> acceleration: array<f32>;
@group(0) @binding(5) var<storage, read_write> records: array<MotionRecord>;
// Where motions ended, [rows, state].
@group(0) @binding(6) var<storage, read_write> ends: array<f32>;

@compute @workgroup_size(64)
fn end_motions(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = linear_group(group, groups) * 64u + local;
    if row >= settings.rows {
        return;
    }
    var record = records[row];
    if record.cause == 0u {
        var finite = true;
        for (var i = 0u; i < settings.state; i++) {
            finite = finite && is_finite(states[row * settings.state + i]);
        }
        let below = 1u + negative[row];
        if !finite {
            record.cause = STATE;
        } else if ranks[row] == NOT_FINITE {
            record.cause = MATRIX;
        } else if ranks[row] < D {
            record.cause = RANK;
        } else if record.negative == 0u {
            record.negative = below;
        } else if record.negative != below {
            record.cause = SIGN;
        }
        if record.cause != 0u {
            record.ended = record.evaluations;
            for (var i = 0u; i < settings.state; i++) {
                ends[row * settings.state + i] = states[row * settings.state + i];
            }
        }
    }
    record.evaluations++;
    records[row] = record;
    if record.cause != 0u {
        for (var i = 0u; i < D; i++) {
            acceleration[row * D + i] = not_a_number(i);
        }
    }
}
