//! The objective of a model of a system's dynamics: its data, and which worker serves which data.

use std::ops::Range;
use std::sync::Arc;

use lnn_autodiff::Real;
use lnn_autodiff::jet::Accumulate;
use lnn_physics::System;
use lnn_physics::sampling::{Distribution, StateSampler};
use serde::{Deserialize, Serialize};

use super::curriculum::Curriculum;
use super::objective::{Objective, StepInput};
use super::partition::NetworkSize;
use super::segment_worker::{SegmentContext, SegmentWorker};
use super::trapezium::Rule;
use super::worker::{BlockContext, FreshBlock, Source, Worker};
use crate::loss::{BatchLoss, Loss, LossWeight};
use crate::model::Model;
use crate::target::DataError;
use crate::trajectory::Segments;

/// The loss of a [`Model`] of a system's rates of change, on data of which every step draws its batch.
#[derive(Clone, Debug)]
pub struct DynamicsObjective {
    model: Model,
    data: Data,
    sampler: StateSampler,
    loss: Loss,
    units: Option<ResidualUnits>,
}

/// What errors are measured in before the loss is taken of them, so that components of different units weigh alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResidualUnits {
    /// Of the rates of q, `[d]`.
    pub velocity: Vec<f64>,
    /// Of the rates of q̇, `[d]`.
    pub acceleration: Vec<f64>,
}

/// What a model of a system's dynamics learns from.
#[derive(Clone, Debug)]
pub enum Data {
    /// Fresh states at every step, with the system's accelerations.
    States(FreshStates),
    /// States that were observed with their accelerations, drawn anew at every step.
    Observations(Arc<Observations>),
    /// Segments of observed motions, along which the model is rolled out; no acceleration is needed.
    Motions(ObservedMotions),
}

/// Observed states and accelerations, row-major. A batch draws from them uniformly, with replacement.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observations {
    /// Coordinates, `[rows, d]`.
    pub q: Vec<f64>,
    /// Velocities, `[rows, d]`.
    pub q_dot: Vec<f64>,
    /// Conditionals, `[rows, c]`.
    pub conditionals: Vec<f64>,
    /// Accelerations, `[rows, d]`.
    pub q_ddot: Vec<f64>,
}

impl Observations {
    /// # Panics
    /// If there is no row, the lengths do not fit the model, or it is in canonical coordinates.
    fn require_fit(&self, model: &Model) {
        let (d, c) = (model.features().degrees_of_freedom(), model.features().conditionals());
        let rows = self.q.len() / d;
        assert!(rows > 0, "nothing was observed");
        let lengths = [self.q.len(), self.q_dot.len(), self.conditionals.len(), self.q_ddot.len()];
        assert_eq!(lengths, [rows * d, rows * d, rows * c, rows * d], "{rows} rows of d = {d} and c = {c}");
        assert!(!model.is_canonical(), "velocities were observed, and no momenta");
    }
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
    fn require_fit(&self, model: &Model) {
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

impl DynamicsObjective {
    /// The objective of `model` on `data`: step k draws its batch by stream k of `sampler`, and `loss` is taken on
    /// accelerations, or on the mean rates of segments.
    ///
    /// # Panics
    /// If `model` needs what the data's system does not offer, or another number of distributions.
    pub fn new(model: Model, data: Data, sampler: StateSampler, loss: Loss) -> Self {
        match &data {
            Data::States(states) => states.require_fit(&model),
            Data::Observations(observations) => observations.require_fit(&model),
            Data::Motions(_) => {}
        }
        Self { model, data, sampler, loss, units: None }
    }

    /// The same objective with errors in these units: the loss is taken of rates divided by them.
    ///
    /// # Panics
    /// If they are not d each.
    #[must_use]
    pub fn in_units(self, units: ResidualUnits) -> Self {
        let d = self.model.features().degrees_of_freedom();
        assert_eq!((units.velocity.len(), units.acceleration.len()), (d, d), "a unit for each rate");
        Self { units: Some(units), ..self }
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// What it learns from.
    pub fn data(&self) -> &Data {
        &self.data
    }
}

impl<T: Real> Objective<T> for DynamicsObjective {
    type Worker = DynamicsWorker<T>;

    fn parameter_count(&self) -> usize {
        self.model.parameter_count()
    }

    fn network_size(&self) -> NetworkSize {
        NetworkSize::of::<T>(self.model.shapes())
    }

    fn divides_by_weights(&self) -> bool {
        matches!(&self.data, Data::States(states) if states.weight != LossWeight::Uniform)
    }

    fn worker(&self, block_rows: usize) -> DynamicsWorker<T> {
        DynamicsWorker(match &self.data {
            Data::States(_) | Data::Observations(_) => {
                BlockWorker::States(Box::new(Worker::new(&self.model, self.units.as_ref(), block_rows)))
            }
            Data::Motions(data) => {
                let worker = SegmentWorker::new(&self.model, data, (self.loss, self.units.as_ref()), block_rows);
                BlockWorker::Segments(Box::new(worker))
            }
        })
    }

    fn run(
        &self,
        worker: &mut DynamicsWorker<T>,
        input: &StepInput<'_, T>,
        block: Range<usize>,
        accumulate: Accumulate,
        gradient: &mut [T],
    ) -> Result<BatchLoss, DataError> {
        let (sampler, loss) = (self.sampler, self.loss);
        let StepInput { step, batch, parameters } = *input;
        let networks = self.model.bind(parameters);
        match (&self.data, &mut worker.0) {
            (Data::States(FreshStates { system, ranges, tail, curriculum, weight }), BlockWorker::States(worker)) => {
                let states = FreshBlock {
                    system: &**system,
                    ranges,
                    tail: tail.as_ref().filter(|tail| step >= tail.from_step),
                    curriculum: curriculum.as_ref(),
                };
                let source = Source::Fresh(states);
                let context = BlockContext { source, sampler, loss, weight: *weight, batch, step, networks };
                worker.run(&context, block, accumulate, gradient)
            }
            (Data::Observations(observations), BlockWorker::States(worker)) => {
                let (source, weight) = (Source::Observed(observations), LossWeight::Uniform);
                let context = BlockContext { source, sampler, loss, weight, batch, step, networks };
                worker.run(&context, block, accumulate, gradient)
            }
            (Data::Motions(data), BlockWorker::Segments(worker)) => {
                let context = SegmentContext { data, sampler, loss, batch, step, networks };
                Ok(worker.run(&context, block, accumulate, gradient))
            }
            _ => unreachable!("a worker serves the objective that made it, whose data never change"),
        }
    }
}

/// One thread's buffers of a [`DynamicsObjective`].
pub struct DynamicsWorker<T>(BlockWorker<T>);

/// A worker for one kind of data.
enum BlockWorker<T> {
    States(Box<Worker<T>>),
    Segments(Box<SegmentWorker<T>>),
}

#[cfg(test)]
mod tests;
