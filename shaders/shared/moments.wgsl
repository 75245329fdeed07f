// The update of Adam's averages, also that of SOAP in its eigenbasis.

import package::shared::step_state::StepState;

struct Averages {
    // m and v.
    first: f32,
    second: f32,
    // m̂ / (√v̂ + ε).
    direction: f32,
}

// β₁, β₂, 1 − β₁, 1 − β₂.
fn moments(betas: vec4<f32>, epsilon: f32, state: StepState, first: f32, second: f32, g: f32) -> Averages {
    let m = flush(betas.x * first + betas.z * g);
    let v = flush(betas.y * second + betas.w * g * g);
    return Averages(m, v, m * state.correction1 / (sqrt(v * state.correction2) + epsilon));
}

// An average that would be subnormal is zero, as on the CPU: devices differ in what they do with such numbers.
fn flush(value: f32) -> f32 {
    return select(value, 0.0, abs(value) < 1.17549435e-38);
}
