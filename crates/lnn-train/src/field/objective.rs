//! The objective of a model of a field: fresh random states of a small lattice, and the field's own accelerations.

use std::ops::Range;
use std::sync::Arc;

use lnn_autodiff::Real;
use lnn_autodiff::jet::Accumulate;
use lnn_graph::fields::{Field, FieldDistribution};
use lnn_graph::solve::SolveError;
use lnn_physics::sampling::StateSampler;

use super::config::KnownField;
use super::model::FieldModel;
use super::worker::{LatticeContext, LatticeWorker};
use crate::fit::{NetworkSize, Objective, StepInput};
use crate::loss::{BatchLoss, Loss};
use crate::target::DataError;

/// The loss of a [`FieldModel`] on fresh random states.
///
/// ```text
/// loss(θ) = 1/(batch · sites) Σ_lattices Σ_sites Σ_components ℓ(φ̈ − φ̈*),      of a Hamiltonian ℓ(rate of φ − φ̇) + ℓ(π̇ − φ̈*)
/// ```
///
/// A row of the batch is one lattice, and the loss is a mean over lattices and sites, so that it does not grow with
/// either. A lattice whose mass matrix is not regular has no gradient: the step's loss is not finite, and it is skipped.
#[derive(Clone, Debug)]
pub struct FieldObjective {
    model: FieldModel,
    field: Arc<KnownField>,
    distribution: FieldDistribution,
    sampler: StateSampler,
    loss: Loss,
}

impl FieldObjective {
    /// The objective of `model`, which is on the lattice of `field`: step k draws its lattices by stream k of `sampler`.
    ///
    /// # Panics
    /// If `distribution` is for another number of unknowns than model and field.
    pub fn new(
        model: FieldModel,
        field: Arc<KnownField>,
        distribution: FieldDistribution,
        sampler: StateSampler,
        loss: Loss,
    ) -> Self {
        let unknowns = field.field().unknowns();
        let given = [distribution.state_length() / 2, model.unknowns()];
        assert_eq!(given, [unknowns; 2], "the unknowns of states and model are those of the field");
        Self { model, field, distribution, sampler, loss }
    }

    /// The model.
    pub fn model(&self) -> &FieldModel {
        &self.model
    }

    /// The field that it learns.
    pub fn field(&self) -> &dyn Field {
        self.field.field()
    }
}

impl<T: Real> Objective<T> for FieldObjective {
    /// Or why there is no memory for the factors.
    type Worker = Result<LatticeWorker<T>, SolveError>;

    fn parameter_count(&self) -> usize {
        self.model.density().parameter_count()
    }

    fn network_size(&self) -> NetworkSize {
        let rows_per_sample = self.field().topology().sites();
        NetworkSize { rows_per_sample, ..NetworkSize::of::<T>(self.model.density().shapes()) }
    }

    fn worker(&self, block_rows: usize) -> Self::Worker {
        LatticeWorker::new(&self.model, self.distribution.state_length(), block_rows)
    }

    fn run(
        &self,
        worker: &mut Self::Worker,
        input: &StepInput<'_, T>,
        block: Range<usize>,
        accumulate: Accumulate,
        gradient: &mut [T],
    ) -> Result<BatchLoss, DataError> {
        let worker = worker.as_mut().map_err(|error| *error)?;
        let context = LatticeContext {
            field: self.field(),
            distribution: &self.distribution,
            sampler: self.sampler,
            loss: self.loss,
            first_order: self.model.is_first_order(),
            input: *input,
        };
        worker.run(&context, block, accumulate, gradient)
    }
}

#[cfg(test)]
mod tests;
