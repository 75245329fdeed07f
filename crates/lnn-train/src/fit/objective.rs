//! What a training minimises: the one thing of it that the loop does not know.

use std::ops::Range;

use lnn_autodiff::Real;
use lnn_autodiff::jet::Accumulate;

use super::partition::NetworkSize;
use crate::loss::BatchLoss;
use crate::target::DataError;

/// What is learned from what: a model, its data and its loss, as a function of the parameters for each step's batch.
///
/// ```text
/// loss(θ) = Σ_rows ℓ_row(θ) / batch,        or Σ_rows w_row ℓ_row(θ) / Σ_rows w_row
/// ```
///
/// A row is one sample: a state, a segment of a motion, a lattice. [`Training`](super::Training) cuts the batch into
/// blocks of rows and shares them out over threads; an objective gives one block's share of loss and gradient.
/// Penalties on the parameters are the loop's.
///
/// Results repeat, on any number of threads and across a resumption, because a share is a function of step, batch,
/// parameters and rows alone: never of what a worker did before.
pub trait Objective<T: Real>: Sync {
    /// One thread's buffers.
    type Worker: Send;

    /// Number of trained parameters.
    fn parameter_count(&self) -> usize;

    /// What decides how a batch is cut.
    fn network_size(&self) -> NetworkSize;

    /// Whether rows have weights w: then [`run`](Self::run) returns and differentiates Σ w ℓ / batch with Σ w / batch as its
    /// [`weight`](BatchLoss::weight), and the loop divides the whole batch's sums by that.
    fn divides_by_weights(&self) -> bool {
        false
    }

    /// Buffers for blocks of up to `block_rows` rows.
    fn worker(&self, block_rows: usize) -> Self::Worker;

    /// The share of the rows `block` in the loss of a step's batch, and its gradient, which is written or added to
    /// `gradient` `[parameters]`. A share that is not finite says so in
    /// [`non_finite`](BatchLoss::non_finite) and may leave `gradient` as it is, since the step is skipped.
    ///
    /// Before the first step every worker is run at steps 0 and `u64::MAX`, so that both a warm start and what follows
    /// it have made their buffers; thereafter it allocates nothing.
    ///
    /// # Errors
    /// Data that cannot be learned from.
    ///
    /// # Panics
    /// If `worker` is another objective's, or `block` or `gradient` has another length than it is made for.
    fn run(
        &self,
        worker: &mut Self::Worker,
        input: &StepInput<'_, T>,
        block: Range<usize>,
        accumulate: Accumulate,
        gradient: &mut [T],
    ) -> Result<BatchLoss, DataError>;
}

/// What the blocks of a step share.
#[derive(Clone, Copy, Debug)]
pub struct StepInput<'a, T> {
    /// Steps done before.
    pub step: u64,
    /// Rows of the whole batch.
    pub batch: usize,
    /// θ, `[parameters]`.
    pub parameters: &'a [T],
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::{Training, TrainingPlan};
    use crate::optimiser::{AdamSettings, ClippingConfig, OptimiserConfig, ParameterBlock, RunningNormClip, Schedule};

    /// Numbers r + step in the batch's row r, of which the mean is learned: ℓ_r = ½ (θ − r − step)².
    struct Mean {
        rows_per_sample: usize,
        weight: Option<fn(f64) -> f64>,
    }

    impl Objective<f64> for Mean {
        /// Most rows.
        type Worker = usize;

        fn parameter_count(&self) -> usize {
            1
        }
        fn network_size(&self) -> NetworkSize {
            NetworkSize { parameters: 1, width_bytes: 8, rows_per_sample: self.rows_per_sample }
        }
        fn divides_by_weights(&self) -> bool {
            self.weight.is_some()
        }
        fn worker(&self, block_rows: usize) -> usize {
            block_rows
        }
        fn run(
            &self,
            worker: &mut usize,
            input: &StepInput<'_, f64>,
            block: Range<usize>,
            accumulate: Accumulate,
            gradient: &mut [f64],
        ) -> Result<BatchLoss, DataError> {
            assert!(!block.is_empty() && block.len() <= *worker && block.end <= input.batch);
            let mut loss = BatchLoss::default();
            let mut slope = 0.0;
            for row in block {
                let error = input.parameters[0] - row as f64 - input.step as f64;
                let share = self.weight.map_or(1.0, |weight| weight(row as f64)) / input.batch as f64;
                loss += BatchLoss { value: 0.5 * share * error * error, weight: share, non_finite: 0 };
                slope += share * error;
            }
            gradient[0] = if accumulate == Accumulate::Add { gradient[0] + slope } else { slope };
            Ok(loss)
        }
    }

    fn training(objective: Mean, batch: usize) -> Training<f64, Mean> {
        let block = ParameterBlock { offset: 0, rows: 1, columns: 1 };
        Training::new(TrainingPlan {
            objective,
            l2_penalty: 0.0,
            batch,
            gradient_parts: None,
            optimiser: OptimiserConfig::from(AdamSettings::default()).build(&[block]).expect("usable"),
            clip: RunningNormClip::new(ClippingConfig::default()).expect("usable"),
            schedule: Schedule::Constant { rate: 0.5 },
            parameters: vec![0.3],
        })
    }

    /// Loss and slope are Σ w ℓ / Σ w over every row of the batch once, at the step and the parameters of the training,
    /// whatever the blocks.
    #[test]
    fn a_step_sums_every_row_of_any_objective_once() {
        for (batch, rows_per_sample) in [(1, 1), (7, 1), (100, 1), (100, 7), (100, 1000)] {
            for weight in [None, Some((|row| 1.0 + row) as fn(f64) -> f64)] {
                let mut training = training(Mean { rows_per_sample, weight }, batch);
                for step in 0..3 {
                    let theta = training.parameters()[0];
                    let mean = |of: fn(f64) -> f64| {
                        let weight = weight.unwrap_or(|_| 1.0);
                        let rows = (0..batch).map(|row| (weight(row as f64), theta - row as f64 - f64::from(step)));
                        let sums = rows.fold([0.0; 2], |[sum, all], (w, error)| [sum + w * of(error), all + w]);
                        sums[0] / sums[1]
                    };
                    let (loss, slope) = (mean(|error| 0.5 * error * error), mean(|error| error));
                    let size = mean(f64::abs);
                    let report = training.step().expect("finite");
                    // Each sum is of `batch` terms, in another order.
                    let close = |a: f64, b: f64, scale: f64| (a - b).abs() <= 4.0 * batch as f64 * f64::EPSILON * scale;
                    let case = (batch, rows_per_sample, weight.is_some(), step);
                    assert!(close(report.loss, loss, loss), "{case:?}: {report:?}, not {loss}");
                    assert!(close(report.gradient_norm, slope.abs(), size), "{case:?}: {report:?}, not {slope}");
                    assert!(!report.skipped && training.parameters()[0] != theta, "{case:?}");
                }
            }
        }
    }
}
