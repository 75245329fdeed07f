// One stage of the classical Runge–Kutta method of order 4 (W. Kutta 1901) for (q, q̇) in lockstep, a coordinate of a row
// a thread: from the slope at the stage's state to the next stage's state, or after the last stage to the new state.
//
// A state is kept as the sum of two numbers, of which the larger is the state that is seen: increments that are small
// against the state would else be lost digit by digit over many steps.

import package::shared::dispatch::linear_group;

struct RungeKuttaStage {
    rows: u32,
    degrees_of_freedom: u32,
    // Length of a state, 2d + conditionals.
    state: u32,
    first: u32,
    last: u32,
    // The step times the coupling to the next stage, and times this stage's weight.
    ahead: f32,
    weight: f32,
    // Zero, which a compiler cannot know: see `opaque`.
    zero: u32,
}

@group(0) @binding(0) var<uniform> stage: RungeKuttaStage;
// q̈ at the stage's state, [rows, d].
@group(0) @binding(1) var<storage, read> acceleration: array<f32>;
// (q, q̇, conditionals), [rows, state]: of the step's start, and of the stage.
@group(0) @binding(2) var<storage, read_write> states: array<f32>;
@group(0) @binding(3) var<storage, read_write> stage_states: array<f32>;
// What the step has added up so far, and what the states' roundings left; [rows, 2d].
@group(0) @binding(4) var<storage, read_write> increments: array<f32>;
@group(0) @binding(5) var<storage, read_write> remainders: array<f32>;

// The same number, of which a compiler knows nothing: it must not take (a + b) − a for b.
fn opaque(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ stage.zero);
}

// a + b and what its rounding left (Knuth, The Art of Computer Programming 2, section 4.2.2, theorem B).
fn two_sum(a: f32, b: f32) -> vec2<f32> {
    let sum = opaque(a + b);
    let of_b = opaque(sum - a);
    let of_a = opaque(sum - of_b);
    return vec2<f32>(sum, opaque(a - of_a) + opaque(b - of_b));
}

fn advance(state: u32, part: u32, slope: f32) {
    var increment = stage.weight * slope;
    if stage.first == 0u {
        increment += increments[part];
    }
    if stage.last == 0u {
        increments[part] = increment;
        stage_states[state] = states[state] + (remainders[part] + stage.ahead * slope);
        return;
    }
    let sum = two_sum(states[state], remainders[part] + increment);
    states[state] = sum.x;
    stage_states[state] = sum.x;
    remainders[part] = sum.y;
}

@compute @workgroup_size(64)
fn runge_kutta_stage(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let place = linear_group(group, groups) * 64u + local;
    let d = stage.degrees_of_freedom;
    if place >= stage.rows * d {
        return;
    }
    let row = place / d;
    let i = place % d;
    let q = row * stage.state + i;
    let q_dot = q + d;
    let velocity = stage_states[q_dot];
    advance(q, row * 2u * d + i, velocity);
    advance(q_dot, row * 2u * d + d + i, acceleration[place]);
}
