// The loss of a batch and the number of samples without one, a workgroup a model (along z).
//
//   loss = Σ ℓᵢ / n             or, if the n samples have weights, Σ ℓᵢ / Σ wᵢ, and the gradient is scaled by n / Σ wᵢ
//
// ℓᵢ is the loss of sample i times its weight, and NaN where its error is not finite.

import package::shared::step_state::{StepState, is_finite};
import package::shared::workgroup_sum::{workgroup_sum, THREADS};

struct Samples {
    // Of one model.
    count: u32,
    // 1 if the sum is divided by that of the weights.
    weighted: u32,
}

@group(0) @binding(0) var<uniform> samples: Samples;
@group(0) @binding(1) var<storage, read> losses: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> states: array<StepState>;

@compute @workgroup_size(THREADS)
fn loss_total(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let model = group.z;
    let start = model * samples.count;
    var sum = vec4(0.0);
    for (var i = local; i < samples.count; i += THREADS) {
        let loss = losses[start + i];
        let finite = is_finite(loss);
        // A count of samples is exact in single precision, up to 2²⁴ of them.
        sum += vec4(select(0.0, loss, finite), 0.0, select(1.0, 0.0, finite), 0.0);
        if samples.weighted != 0u {
            sum.y += weights[start + i];
        }
    }
    let total = workgroup_sum(local, sum);
    if local == 0u {
        let count = f32(samples.count);
        let weight = select(count, total.y, samples.weighted != 0u);
        states[model].loss = total.x / weight;
        states[model].scale = count / weight;
        states[model].non_finite = u32(total.z);
    }
}
