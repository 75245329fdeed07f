//! What a training is made of: model, data, recipe; and which worker serves which data.

use std::ops::Range;
use std::sync::Arc;

use lnn_autodiff::Real;
use lnn_autodiff::jet::Accumulate;
use lnn_physics::System;
use lnn_physics::sampling::{Distribution, StateSampler};

use super::curriculum::Curriculum;
use super::segment_worker::{SegmentContext, SegmentWorker};
use super::trapezium::Rule;
use super::worker::{BlockContext, Worker};
use crate::loss::{BatchLoss, Loss, LossWeight};
use crate::model::Model;
use crate::optimiser::{Optimiser, RunningNormClip, Schedule};
use crate::target::DataError;
use crate::trajectory::Segments;

/// What to train on what, by which recipe.
pub struct TrainingPlan<T: Real> {
    /// The model.
    pub model: Model,
    /// What to learn from.
    pub data: Data,
    /// Source of what is drawn from the data: stream k is step k.
    pub sampler: StateSampler,
    /// Loss on accelerations, or on the mean rates of segments.
    pub loss: Loss,
    /// Coefficient c of the penalty c‖θ‖².
    pub l2_penalty: f64,
    /// States or segments a step.
    pub batch: usize,
    /// Partial gradients, see [`Partition::with_parts`](super::Partition::with_parts); `None` for [`Partition::new`](super::Partition::new).
    pub gradient_parts: Option<usize>,
    /// Optimiser, laid out for the model's parameters.
    pub optimiser: Box<dyn Optimiser<T>>,
    /// Gradient clipping.
    pub clip: RunningNormClip,
    /// Learning rate by step.
    pub schedule: Schedule,
    /// Initial parameters.
    pub parameters: Vec<T>,
}

/// What a training learns from.
#[derive(Clone, Debug)]
pub enum Data {
    /// Fresh states at every step, with the system's accelerations.
    States(FreshStates),
    /// Segments of observed motions, along which the model is rolled out; no acceleration is needed.
    Motions(ObservedMotions),
}

/// Observed motions and how a training begins with them.
#[derive(Clone, Debug, PartialEq)]
pub struct ObservedMotions {
    /// What batches are drawn from.
    pub segments: Segments,
    /// First steps in which the model's rates at the observed states are summed up by a rule. Rolled out, an
    /// untrained model, above all one whose mass matrix is not definite yet, may run away within one segment.
    pub warm_start_steps: u64,
    /// How they are summed up.
    pub rule: Rule,
}

/// States that are drawn anew at every step.
#[derive(Clone, Debug)]
pub struct FreshStates {
    /// Where targets come from.
    pub system: Arc<dyn System>,
    /// Distributions of the training states (q, q̇, c), `[2d + c]`.
    pub ranges: Vec<Distribution>,
    /// Rows of each batch that come from wider ranges.
    pub tail: Option<Tail>,
    /// Velocities that begin slow.
    pub curriculum: Option<Curriculum>,
    /// How much each state of a batch counts.
    pub weight: LossWeight,
}

impl FreshStates {
    /// # Panics
    /// If `model` needs what the system does not offer, or another number of distributions.
    pub(super) fn require_fit(&self, model: &Model) {
        let Self { system, ranges, tail, .. } = self;
        assert!(
            !model.is_canonical() || system.canonical().is_some(),
            "system `{}` offers no momenta for a model in canonical coordinates",
            system.name()
        );
        let features = model.features();
        let width = 2 * features.degrees_of_freedom() + features.conditionals();
        let tail = tail.as_ref().map_or(width, |tail| tail.ranges.len());
        assert_eq!((ranges.len(), tail), (width, width), "a distribution for each of q, q̇ and conditionals");
    }
}

/// The first rows of every batch, drawn from wider ranges than the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Tail {
    /// Distributions, `[2d + c]`.
    pub ranges: Vec<Distribution>,
    /// Number of rows.
    pub rows: usize,
    /// First step with them.
    pub from_step: u64,
}

impl<T: Real> TrainingPlan<T> {
    /// What the blocks of a step share.
    pub(super) fn context(&self, step: u64) -> StepContext<'_, T> {
        let (sampler, loss, batch) = (self.sampler, self.loss, self.batch);
        let networks = self.model.bind(&self.parameters);
        match &self.data {
            Data::States(FreshStates { system, ranges, tail, curriculum, weight }) => {
                StepContext::States(BlockContext {
                    system: &**system,
                    sampler,
                    ranges,
                    tail: tail.as_ref().filter(|tail| step >= tail.from_step),
                    curriculum: curriculum.as_ref(),
                    loss,
                    weight: *weight,
                    batch,
                    step,
                    networks,
                })
            }
            Data::Motions(data) => StepContext::Segments(SegmentContext { data, sampler, loss, batch, step, networks }),
        }
    }

    /// One thread's buffers for the plan's data.
    pub(super) fn worker(&self, block_rows: usize) -> BlockWorker<T> {
        match &self.data {
            Data::States(_) => BlockWorker::States(Box::new(Worker::new(&self.model, block_rows))),
            Data::Motions(data) => {
                BlockWorker::Segments(Box::new(SegmentWorker::new(&self.model, data, self.loss, block_rows)))
            }
        }
    }
}

/// What the blocks of a step share, by the kind of data.
pub(super) enum StepContext<'a, T> {
    States(BlockContext<'a, T>),
    Segments(SegmentContext<'a, T>),
}

/// A worker for one kind of data.
pub(super) enum BlockWorker<T> {
    States(Box<Worker<T>>),
    Segments(Box<SegmentWorker<T>>),
}

impl<T: Real> BlockWorker<T> {
    /// Loss of the rows `block` of a step's batch, and its gradient.
    pub(super) fn run(
        &mut self,
        context: &StepContext<'_, T>,
        block: Range<usize>,
        accumulate: Accumulate,
        gradient: &mut [T],
    ) -> Result<BatchLoss, DataError> {
        match (self, context) {
            (Self::States(worker), StepContext::States(context)) => worker.run(context, block, accumulate, gradient),
            (Self::Segments(worker), StepContext::Segments(context)) => {
                Ok(worker.run(context, block, accumulate, gradient))
            }
            _ => unreachable!("worker and context are made from the same plan, whose data never change"),
        }
    }
}
