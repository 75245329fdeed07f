//! What brings parameters forward: the one thing of a training that [`fit`](super::fit()) drives.

use std::borrow::Cow;

use lnn_autodiff::Real;

use super::training::{StepError, StepReport};
use crate::optimiser::{NamedState, OptimiserError};

/// A training that goes on from step to step, one at a time or many at once; or several of one recipe and size in step
/// with each other, its members.
///
/// The state of a member is the same whatever computes it: a checkpoint of one trainer is restored by another of the
/// same configuration.
pub trait Trainer<T: Real> {
    /// Networks that are trained together, numbered from 0.
    fn members(&self) -> usize {
        1
    }

    /// Goes on, at least one step and to `to_step` at most. A trainer that makes many steps at once returns in time for a
    /// person who watches, after about a tenth of a second. What became of each member is written to `members`.
    ///
    /// # Errors
    /// See [`StepError`]; what ends one member alone is its [`fault`](Advanced::fault).
    ///
    /// # Panics
    /// If `to_step` steps are done already, or `members` has another length.
    fn advance(&mut self, to_step: u64, members: &mut [Advanced]) -> Result<(), StepError>;

    /// Steps done.
    fn step_count(&self) -> u64;

    /// Steps that a member has skipped so far.
    fn skipped_steps(&self, member: usize) -> u64;

    /// Samples a step of each member.
    fn batch(&self) -> usize;

    /// Number of trained parameters of a member.
    fn parameter_count(&self) -> usize;

    /// A member's parameters.
    ///
    /// # Errors
    /// They cannot be read from the device that has them.
    fn parameters(&mut self, member: usize) -> Result<Cow<'_, [T]>, StepError>;

    /// Everything that a continued run of a member needs beside the number of steps.
    ///
    /// # Errors
    /// It cannot be read from the device that has it, or is not finite.
    fn state(&mut self, member: usize) -> Result<TrainingState<'_, T>, StepError>;

    /// Goes back to a checkpoint with `step` steps of every member done.
    ///
    /// # Errors
    /// An optimiser's or clipping's state that is not of this training, or a device that cannot take it.
    ///
    /// # Panics
    /// If the number of members or of parameters differs.
    fn restore(&mut self, step: u64, members: &[TrainingState<'_, T>]) -> Result<(), StepError>;

    /// Most threads that share a step, if `threads` are more and another
    /// [`gradient_parts`](super::TrainingPlan::gradient_parts) could employ some of the others.
    fn threads_left_idle(&self, _threads: usize) -> Option<usize> {
        None
    }

    /// What a person should know of the training so far, once it has ended.
    fn remark(&self) -> Option<String> {
        None
    }
}

/// What a checkpoint keeps of a training.
#[derive(Clone, Debug)]
pub struct TrainingState<'a, T: Real> {
    /// The parameters.
    pub parameters: Cow<'a, [T]>,
    /// State of the optimiser.
    pub optimiser: NamedState<'a, T>,
    /// State of the clipping.
    pub clip: NamedState<'a, T>,
}

/// What the steps of one [`advance`](Trainer::advance) did to a member.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Advanced {
    /// Sum of the losses of the steps that were not skipped, penalties included.
    pub loss_sum: f64,
    /// Number of steps that were not skipped.
    pub loss_count: u64,
    /// Steps skipped after the last one that was not.
    pub skipped_at_end: u64,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Gradient norm of the last step before clipping; NaN if it was skipped.
    pub gradient_norm: f64,
    /// Why this member can learn no more.
    pub fault: Option<OptimiserError>,
}

impl Advanced {
    /// Takes in one step more.
    pub fn add(&mut self, report: StepReport) {
        if report.skipped {
            self.skipped_at_end += 1;
        } else {
            self.loss_sum += report.loss;
            self.loss_count += 1;
            self.skipped_at_end = 0;
        }
        (self.learning_rate, self.gradient_norm) = (report.learning_rate, report.gradient_norm);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_of_skipped_steps_do_not_count_and_those_at_the_end_are_known() {
        let report = |loss: f64, skipped| StepReport { loss, gradient_norm: loss, learning_rate: 0.5, skipped };
        let mut advanced = Advanced::default();
        for (loss, skipped, at_end) in
            [(1.0, false, 0), (f64::NAN, true, 1), (2.5, false, 0), (7.0, true, 1), (8.0, true, 2)]
        {
            advanced.add(report(loss, skipped));
            assert_eq!(advanced.skipped_at_end, at_end);
        }
        let want = Advanced {
            loss_sum: 3.5,
            loss_count: 2,
            skipped_at_end: 2,
            learning_rate: 0.5,
            gradient_norm: 8.0,
            fault: None,
        };
        assert_eq!(advanced, want);
    }
}
