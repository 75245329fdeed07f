//! What a training is made of: objective and recipe.

use lnn_autodiff::Real;

use super::dynamics::DynamicsObjective;
use super::objective::{Objective, StepInput};
use crate::optimiser::{Optimiser, RunningNormClip, Schedule};

/// What to train on what, by which recipe.
pub struct TrainingPlan<T: Real, O: Objective<T> = DynamicsObjective> {
    /// What is learned from what.
    pub objective: O,
    /// Coefficient c of the penalty c‖θ‖².
    pub l2_penalty: f64,
    /// Samples a step.
    pub batch: usize,
    /// Partial gradients, see [`Partition::with_parts`](super::Partition::with_parts); `None` for [`Partition::new`](super::Partition::new).
    pub gradient_parts: Option<usize>,
    /// Optimiser, laid out for the objective's parameters.
    pub optimiser: Box<dyn Optimiser<T>>,
    /// Gradient clipping.
    pub clip: RunningNormClip,
    /// Learning rate by step.
    pub schedule: Schedule,
    /// Initial parameters.
    pub parameters: Vec<T>,
}

impl<T: Real, O: Objective<T>> TrainingPlan<T, O> {
    /// What the blocks of a step share.
    pub(super) fn input(&self, step: u64) -> StepInput<'_, T> {
        StepInput { step, batch: self.batch, parameters: &self.parameters }
    }
}
