// What becomes of a step, a workgroup a model (along z): its gradient's norm, whether it is clipped, whether it is
// made at all. Nothing of this leaves the device. A step whose gradient lacks terms is not taken, nor any after it: the host
// makes it again with them.
//
// The clipping's rules and names are those of the processor's `RunningNormClip`; there the running mean is in double
// precision. Here μ ← a μ + (1 − a) n with 1 − a formed from the rounded a, which is exact for a ≥ ½, so that the mean
// of equal norms is that norm.

import package::shared::bias_correction::complement_of_power;
import package::shared::step_state::{StepState, StepReport, is_finite, APPLIED, CLIPPED, SKIPPED, AVERAGE_FAULT};
import package::shared::workgroup_sum::{workgroup_sum, THREADS};

const OFF = 0u;
const REDESCENDING = 2u;

struct Step {
    rate: f32,
    keep: f32,
    // −ln β₁, −ln β₂, −ln a.
    decay1: f32,
    decay2: f32,
    decay: f32,
    averaging: f32,
    // Limit over running mean.
    limit: f32,
    // 0 off, 1 running norm, 2 redescending.
    clipping: u32,
    penalty: f32,
    // Of one model's gradient.
    blocks: u32,
    // Reports a model before the first is overwritten.
    reports: u32,
    models: u32,
    // Whether the gradient has the constant-rank terms.
    complete: u32,
}

@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<storage, read> norms: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> states: array<StepState>;
@group(0) @binding(3) var<storage, read_write> faults: array<u32>;
@group(0) @binding(4) var<storage, read_write> reports: array<StepReport>;
// [models, 3], the last of which are the samples of this submission whose gradient has such terms.
@group(0) @binding(5) var<storage, read> tally: array<u32>;

// Whether the gradient of this step, or of one before it, lacks terms. All models then stop there, since they go on in
// step.
fn is_incomplete() -> bool {
    if step.complete != 0u {
        return false;
    }
    var deficient = 0u;
    for (var model = 0u; model < step.models; model++) {
        deficient |= tally[3u * model + 2u];
    }
    return deficient != 0u;
}

@compute @workgroup_size(THREADS)
fn clip_decide(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let model = group.z;
    var sum = vec2(0.0);
    for (var block = local; block < step.blocks; block += THREADS) {
        sum += norms[model * step.blocks + block];
    }
    let squared = workgroup_sum(local, vec4(sum, 0.0, 0.0));
    if local != 0u {
        return;
    }
    // A parameter's fault was answered by `restore` in its own step; one of the averages stays.
    faults[model] &= AVERAGE_FAULT;
    if is_incomplete() {
        states[model].apply = 0u;
        return;
    }
    var state = states[model];
    // Without a penalty Σ θ² may overflow.
    if step.penalty != 0.0 {
        state.loss += step.penalty * squared.y;
    }
    state.rate = step.rate;
    state.keep = step.keep;
    state.factor = 1.0;
    state.gradient_norm = sqrt(squared.x);
    var outcome = APPLIED;
    if state.non_finite > 0u || !is_finite(state.loss) || !is_finite(squared.x) {
        outcome = SKIPPED;
        state.skipped += 1u;
        state.apply = 0u;
    } else {
        state.apply = 1u;
        state.updates += 1u;
        let t = f32(state.updates);
        state.correction1 = 1.0 / complement_of_power(step.decay1, t);
        state.correction2 = 1.0 / complement_of_power(step.decay2, t);
        let norm = state.gradient_norm;
        if step.clipping != OFF && norm > 0.0 {
            var limit = norm;
            if state.counted > 0u {
                limit = step.limit * state.weighted_sum / complement_of_power(step.decay, f32(state.counted));
            }
            state.weighted_sum = step.averaging * state.weighted_sum + (1.0 - step.averaging) * min(norm, limit);
            state.counted += 1u;
            if norm > limit {
                outcome = CLIPPED;
                state.clipped += 1u;
                let ratio = limit / norm;
                state.factor = select(ratio, ratio * ratio, step.clipping == REDESCENDING);
            }
        }
    }
    reports[model * step.reports + state.steps % step.reports] =
        StepReport(state.loss, state.gradient_norm, step.rate, outcome);
    state.steps += 1u;
    states[model] = state;
}
