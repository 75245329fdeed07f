// What one model's steps leave on the device for the next ones, 64 bytes. Its twin in Rust is `step::StepState`.
struct StepState {
    // Of the step at hand.
    loss: f32,
    // 1, or one over the mean of the samples' weights.
    scale: f32,
    non_finite: u32,
    gradient_norm: f32,
    // What an optimiser multiplies the gradient by.
    factor: f32,
    // 1 if the parameters are to be updated.
    apply: u32,
    rate: f32,
    // 1 − rate · weight decay.
    keep: f32,
    // 1 / (1 − βᵢᵗ).
    correction1: f32,
    correction2: f32,
    // Updates made, t.
    updates: u32,
    // Steps taken, skipped ones included.
    steps: u32,
    // The running mean of the clipped norms, before it is divided by 1 − aᵏ, and k.
    weighted_sum: f32,
    counted: u32,
    clipped: u32,
    skipped: u32,
}

// What one step did to one model; its twin is `step::StepReport`.
struct StepReport {
    loss: f32,
    gradient_norm: f32,
    rate: f32,
    outcome: u32,
}

const APPLIED = 0u;
const CLIPPED = 1u;
const SKIPPED = 2u;

// Whether a number is neither infinite nor NaN, by its bits: compilers may assume that comparisons see finite numbers.
fn is_finite(value: f32) -> bool {
    return (bitcast<u32>(value) & 0x7f800000u) != 0x7f800000u;
}

// Bits of a model's word of faults.
const PARAMETER_FAULT = 1u;
const AVERAGE_FAULT = 2u;
