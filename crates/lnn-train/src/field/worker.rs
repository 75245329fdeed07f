//! One thread's buffers, and the data flow of one block: lattices to loss and gradient.

use std::ops::Range;

use lnn_autodiff::Real;
use lnn_autodiff::jet::Accumulate;
use lnn_graph::fields::{Field, FieldDistribution};
use lnn_graph::solve::SolveError;
use lnn_physics::sampling::StateSampler;

use super::model::{FieldBlock, FieldModel};
use crate::fit::StepInput;
use crate::loss::{BatchLoss, Loss};
use crate::target::DataError;

/// What every block of a step shares.
pub(super) struct LatticeContext<'a, T> {
    pub(super) field: &'a dyn Field,
    pub(super) distribution: &'a FieldDistribution,
    pub(super) sampler: StateSampler,
    pub(super) loss: Loss,
    /// Whether the rate of φ is learned, and so part of the loss.
    pub(super) first_order: bool,
    pub(super) input: StepInput<'a, T>,
}

/// Buffers for one block of lattices at a time, allocated once a thread.
#[derive(Debug)]
pub struct LatticeWorker<T: Real> {
    block: FieldBlock<T>,
    /// `[lattices, 2 n c]`.
    states: Vec<f64>,
    /// `[n c]`.
    target_row: Vec<f64>,
    /// `[lattices, n c]` each: fields and their rates, then the learned rates of both, then λ of both.
    fields: [Vec<T>; 2],
    target: Vec<T>,
    rates: [Vec<T>; 2],
    lambda: [Vec<T>; 2],
}

impl<T: Real> LatticeWorker<T> {
    pub(super) fn new(model: &FieldModel, state_length: usize, lattices: usize) -> Result<Self, SolveError> {
        let unknowns = state_length / 2;
        let zeros = || vec![T::ZERO; lattices * unknowns];
        Ok(Self {
            block: model.block(lattices, true)?,
            states: vec![0.0; lattices * state_length],
            target_row: vec![0.0; unknowns],
            fields: [zeros(), zeros()],
            target: zeros(),
            rates: [zeros(), zeros()],
            lambda: [zeros(), zeros()],
        })
    }

    /// Draws the lattices `block` of the step's batch, and writes their loss's gradient to `gradient`, unless that loss is
    /// not finite.
    ///
    /// # Errors
    /// A target that is not finite in `T`.
    pub(super) fn run(
        &mut self,
        context: &LatticeContext<'_, T>,
        block: Range<usize>,
        accumulate: Accumulate,
        gradient: &mut [T],
    ) -> Result<BatchLoss, DataError> {
        let StepInput { step, batch, parameters } = context.input;
        self.draw(context, step, block.clone())?;
        let range = ..block.len() * self.target_row.len();
        let [phi, phi_dot] = self.fields.each_ref().map(|field| &field[range]);
        let [rate, phi_ddot] = self.rates.each_mut().map(|rates| &mut rates[range]);
        let [lambda_phi, lambda] = self.lambda.each_mut().map(|lambda| &mut lambda[range]);
        self.block.rates_into(parameters, [phi, phi_dot], [&mut *rate, &mut *phi_ddot]);
        let divisor = batch * context.field.topology().sites();
        let mut loss = context.loss.evaluate(phi_ddot, &self.target[range], divisor, lambda);
        if context.first_order {
            loss += context.loss.evaluate(rate, phi_dot, divisor, lambda_phi);
        }
        if !self.block.is_regular() {
            // A pseudoinverse gave accelerations, but has no gradient.
            loss.value = f64::NAN;
            loss.non_finite = loss.non_finite.max(1);
        }
        if loss.non_finite == 0 {
            self.block.gradient(parameters, [lambda_phi, lambda], accumulate, gradient);
        }
        Ok(loss)
    }

    /// States of the lattices and the field's accelerations there.
    fn draw(&mut self, context: &LatticeContext<'_, T>, step: u64, block: Range<usize>) -> Result<(), DataError> {
        let unknowns = self.target_row.len();
        let states = &mut self.states[..block.len() * 2 * unknowns];
        context.distribution.fill(&context.sampler, step, block.start as u64, states);
        for (row, state) in states.chunks_exact(2 * unknowns).enumerate() {
            let (phi, phi_dot) = state.split_at(unknowns);
            context.field.acceleration_into(phi, phi_dot, &mut self.target_row);
            let place = row * unknowns..(row + 1) * unknowns;
            round(phi, &mut self.fields[0][place.clone()]);
            round(phi_dot, &mut self.fields[1][place.clone()]);
            let target = &mut self.target[place];
            round(&self.target_row, target);
            if let Some(at) = target.iter().position(|value| !value.is_finite()) {
                let (site, value) = (at / context.field.components(), self.target_row[at]);
                return Err(DataError::Field { site, value, precision: T::NAME });
            }
        }
        Ok(())
    }
}

fn round<T: Real>(values: &[f64], out: &mut [T]) {
    for (out, &value) in out.iter_mut().zip(values) {
        *out = T::from_f64(value);
    }
}
