//! One thread's buffers, and the data flow of one block: states to loss and gradient.

use std::ops::Range;

use lnn_autodiff::Real;
use lnn_autodiff::jet::Accumulate;
use lnn_physics::sampling::{Distribution, StateSampler};
use lnn_physics::{Canonical, System};

use crate::loss::{BatchLoss, Loss, LossWeight};
use crate::model::{BlockModel, Model, Networks, Rates, RatesMut, States};
use crate::target::{DataError, acceleration_into, momentum_into};

use super::curriculum::Curriculum;
use super::dynamics::Tail;

/// What every block of a step shares.
pub(super) struct BlockContext<'a, T> {
    pub(super) system: &'a dyn System,
    pub(super) sampler: StateSampler,
    pub(super) ranges: &'a [Distribution],
    pub(super) tail: Option<&'a Tail>,
    pub(super) curriculum: Option<&'a Curriculum>,
    pub(super) loss: Loss,
    pub(super) weight: LossWeight,
    pub(super) batch: usize,
    pub(super) step: u64,
    pub(super) networks: Networks<'a, T>,
}

/// Buffers for one block at a time, allocated once a thread.
pub(super) struct Worker<T> {
    block: Box<dyn BlockModel<T>>,
    /// Whether the rate of q is learned, and so part of the loss.
    first_order: bool,
    /// Whether the states are (q, p).
    canonical: bool,
    /// Distributions of this step, `[2d + c]`, under a curriculum.
    ranges: Vec<Distribution>,
    /// `[rows, 2d + c]`.
    states: Vec<f64>,
    /// `[d]`.
    target_row: Vec<f64>,
    momentum_row: Vec<f64>,
    q: Vec<T>,
    q_dot: Vec<T>,
    /// Where the states are (q, p), else empty.
    p: Vec<T>,
    /// `[rows, c]`.
    conditionals: Vec<T>,
    target: Vec<T>,
    /// Weights `[rows]`; as many as there are rows only where they are not all the same.
    weights: Vec<f64>,
    /// Rates of q and of q̇.
    rates: [Vec<T>; 2],
    lambda: [Vec<T>; 2],
}

impl<T: Real> Worker<T> {
    pub(super) fn new(model: &Model, block_rows: usize) -> Self {
        let (d, c) = (model.features().degrees_of_freedom(), model.features().conditionals());
        let zeros = || vec![T::ZERO; block_rows * d];
        Self {
            block: model.block(block_rows, true),
            first_order: !model.is_second_order(),
            canonical: model.is_canonical(),
            ranges: Vec::with_capacity(2 * d + c),
            states: vec![0.0; block_rows * (2 * d + c)],
            target_row: vec![0.0; d],
            momentum_row: vec![0.0; d],
            q: zeros(),
            q_dot: zeros(),
            p: if model.is_canonical() { zeros() } else { Vec::new() },
            conditionals: vec![T::ZERO; block_rows * c],
            target: zeros(),
            weights: Vec::with_capacity(block_rows),
            rates: [zeros(), zeros()],
            lambda: [zeros(), zeros()],
        }
    }

    /// Samples the rows `block` of the step's batch, and writes their loss's gradient to `gradient`, unless that
    /// loss is not finite.
    ///
    /// # Errors
    /// A target that is not finite in `T`, or a velocity without a weight.
    pub(super) fn run(
        &mut self,
        context: &BlockContext<'_, T>,
        block: Range<usize>,
        accumulate: Accumulate,
        gradient: &mut [T],
    ) -> Result<BatchLoss, DataError> {
        let d = self.target_row.len();
        let rows = block.len();
        let BlockContext { sampler, step, tail, curriculum, weight, .. } = *context;
        let ranges = match curriculum {
            None => context.ranges,
            Some(curriculum) => {
                self.ranges.clear();
                self.ranges.extend_from_slice(context.ranges);
                curriculum.apply(step, &mut self.ranges[d..2 * d]);
                &self.ranges
            }
        };
        let width = ranges.len();
        let c = width - 2 * d;
        let states = &mut self.states[..rows * width];
        let range = ..rows * d;
        sample(sampler, step, ranges, tail, block.start, states);
        let momenta: Option<&dyn Canonical> =
            self.canonical.then(|| context.system.canonical().expect("an objective checks its system when it is made"));
        self.weights.clear();
        for (row, state) in states.chunks_exact(width).enumerate() {
            if weight != LossWeight::Uniform {
                self.weights.push(weight.of(block.start + row, &state[d..2 * d])?);
            }
            match momenta {
                Some(canonical) => {
                    momentum_into::<T>(canonical, state, &mut self.momentum_row, &mut self.target_row)?;
                    for (p, &component) in self.p[row * d..].iter_mut().zip(&self.momentum_row) {
                        *p = T::from_f64(component);
                    }
                }
                None => acceleration_into::<T>(context.system, state, &mut self.target_row)?,
            }
            for i in 0..d {
                self.q[row * d + i] = T::from_f64(state[i]);
                self.q_dot[row * d + i] = T::from_f64(state[d + i]);
                self.target[row * d + i] = T::from_f64(self.target_row[i]);
            }
            for (kept, &conditional) in self.conditionals[row * c..].iter_mut().zip(&state[2 * d..]) {
                *kept = T::from_f64(conditional);
            }
        }
        let conditionals = &self.conditionals[..rows * c];
        let q_dot = &self.q_dot[range];
        let second = if self.canonical { &self.p[range] } else { q_dot };
        let states = States { q: &self.q[range], q_dot: second, conditionals };
        let [velocity, acceleration] = self.rates.each_mut().map(|rates| &mut rates[range]);
        let [lambda_q, lambda_q_dot] = self.lambda.each_mut().map(|lambda| &mut lambda[range]);
        let BlockContext { networks, batch, .. } = *context;
        self.block.rates(networks, states, RatesMut { q: &mut *velocity, q_dot: &mut *acceleration });
        let weights = &self.weights;
        let evaluate = |prediction: &[T], target: &[T], lambda: &mut [T]| match weight {
            LossWeight::Uniform => context.loss.evaluate(prediction, target, batch, lambda),
            LossWeight::Lorentz => context.loss.evaluate_weighted(prediction, target, weights, batch, lambda),
        };
        let mut loss = evaluate(acceleration, &self.target[range], lambda_q_dot);
        if self.first_order {
            let half = evaluate(velocity, q_dot, lambda_q);
            // Both halves count the same samples.
            loss += BatchLoss { weight: 0.0, ..half };
        }
        if loss.non_finite == 0 {
            let lambda = Rates { q: lambda_q, q_dot: lambda_q_dot };
            self.block.vjp(networks, lambda, accumulate, gradient, None);
        }
        Ok(loss)
    }
}

/// States `[rows, 2d + c]` of the step's batch from row `first` on: the tail's rows lead the batch.
fn sample(
    sampler: StateSampler,
    step: u64,
    ranges: &[Distribution],
    tail: Option<&Tail>,
    first: usize,
    states: &mut [f64],
) {
    let width = ranges.len();
    let tail_rows = tail.map_or(0, |tail| tail.rows.saturating_sub(first)).min(states.len() / width);
    let (tail_states, core_states) = states.split_at_mut(tail_rows * width);
    if let Some(tail) = tail {
        sampler.fill_from(step, first as u64, &tail.ranges, tail_states);
    }
    sampler.fill_from(step, (first + tail_rows) as u64, ranges, core_states);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_leads_the_batch_however_it_is_cut() {
        let interval = |bound: f64| Distribution::uniform(-bound, bound).expect("an interval");
        let (core, wide) = (vec![interval(1.0); 2], vec![interval(100.0); 2]);
        let tail = Tail { ranges: wide, rows: 7, from_step: 0 };
        let sampler = StateSampler::new(3, 0);
        let mut whole = vec![0.0; 40];
        sample(sampler, 5, &core, Some(&tail), 0, &mut whole);
        assert!(whole[14..].iter().all(|value| value.abs() <= 1.0));
        assert!(whole[..14].iter().filter(|value| value.abs() > 1.0).count() > 7, "{whole:?}");
        for rows in [1, 3, 7, 8, 20] {
            let mut pieces = vec![0.0; 40];
            for (block, states) in pieces.chunks_mut(2 * rows).enumerate() {
                sample(sampler, 5, &core, Some(&tail), block * rows, states);
            }
            assert_eq!(pieces, whole, "blocks of {rows}");
        }
        let mut plain = vec![0.0; 40];
        sample(sampler, 5, &core, None, 0, &mut plain);
        assert_eq!(plain[14..], whole[14..], "the tail leaves the other rows as they are");
    }
}
