//! What the device keeps from step to step, and what it reports of each.

use bytemuck::{Pod, Zeroable};

/// One model's state; its twin is `shaders/shared/step_state.wgsl`.
///
/// What comes before [`updates`](Self::updates) is of the last step; the rest goes on and belongs to a checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct StepState {
    /// Loss of the batch, penalty included.
    pub loss: f32,
    /// What the gradient was multiplied by: 1, or one over the mean of the samples' weights.
    pub scale: f32,
    /// Samples whose loss is not finite.
    pub non_finite: u32,
    /// Gradient norm before clipping.
    pub gradient_norm: f32,
    /// What clipping multiplies the gradient by.
    pub factor: f32,
    /// 1 if the step was made, 0 if it was skipped, or not taken since its gradient lacked terms.
    pub apply: u32,
    /// Learning rate η.
    pub rate: f32,
    /// 1 − η w, with the weight decay w.
    pub keep: f32,
    /// 1 / (1 − β₁ᵗ).
    pub correction1: f32,
    /// 1 / (1 − β₂ᵗ).
    pub correction2: f32,
    /// Updates t that were made.
    pub updates: u32,
    /// Steps taken, skipped ones included.
    pub steps: u32,
    /// Clipping: μ, before it is divided by 1 − aᵏ.
    pub weighted_sum: f32,
    /// Clipping: the gradients k that count.
    pub counted: u32,
    /// Gradients clipped.
    pub clipped: u32,
    /// Steps skipped.
    pub skipped: u32,
}

/// What one step did to one model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct StepReport {
    /// Loss of the batch, penalty included.
    pub loss: f32,
    /// Gradient norm before clipping; of a skipped step whatever it was.
    pub gradient_norm: f32,
    /// Learning rate.
    pub rate: f32,
    outcome: u32,
}

/// What became of a step's gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The update was made.
    Applied,
    /// The update was made with a shortened gradient.
    Clipped,
    /// Nothing was updated, since the loss, the gradient or the updated parameters were not finite.
    Skipped,
}

impl StepReport {
    /// What became of the gradient.
    pub fn outcome(&self) -> Outcome {
        match self.outcome {
            0 => Outcome::Applied,
            1 => Outcome::Clipped,
            _ => Outcome::Skipped,
        }
    }
}
