// One update of Adam with decoupled weight decay, a parameter a thread.
//
//   m ← β₁ m + (1 − β₁) g        v ← β₂ v + (1 − β₂) g²
//   θ ← keep θ − rate [m · correction1] / [√(v · correction2) + ε]
//
// keep = 1 − η w, rate = η, correctionᵢ = 1 / (1 − βᵢᵗ): formed on the host in double precision, since 1 − βᵗ
// cancels for a small t.

import package::shared::dispatch::linear_group;

struct AdamStep {
    beta1: f32,
    beta2: f32,
    fresh1: f32,
    fresh2: f32,
    correction1: f32,
    correction2: f32,
    epsilon: f32,
    keep: f32,
    rate: f32,
    count: u32,
}

@group(0) @binding(0) var<uniform> step: AdamStep;
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
@group(0) @binding(2) var<storage, read_write> parameters: array<f32>;
@group(0) @binding(3) var<storage, read_write> first: array<f32>;
@group(0) @binding(4) var<storage, read_write> second: array<f32>;

// A moment that would be subnormal is zero, as on the CPU: devices differ in what they do with such numbers.
fn flush(value: f32) -> f32 {
    return select(value, 0.0, abs(value) < 1.17549435e-38);
}

@compute @workgroup_size(256)
fn adam(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 256u + local;
    if i >= step.count {
        return;
    }
    let g = gradient[i];
    let m = flush(step.beta1 * first[i] + step.fresh1 * g);
    let v = flush(step.beta2 * second[i] + step.fresh2 * g * g);
    first[i] = m;
    second[i] = v;
    let direction = m * step.correction1 / (sqrt(v * step.correction2) + step.epsilon);
    parameters[i] = step.keep * parameters[i] - step.rate * direction;
}
