//! One thread's buffers, and the data flow of one block: states to loss and gradient.

use std::ops::Range;

use lnn_autodiff::Real;
use lnn_autodiff::jet::Accumulate;
use lnn_physics::sampling::{Distribution, Interval, StateSampler};
use lnn_physics::{Canonical, System};

use crate::loss::{BatchLoss, Loss, LossWeight};
use crate::model::{BlockModel, Model, Networks, Rates, RatesMut, States};
use crate::target::{DataError, acceleration_into, momentum_into};

use super::curriculum::Curriculum;
use super::dynamics::{Observations, ResidualUnits, Tail};
use super::turns::Turning;

/// What every block of a step shares.
pub(super) struct BlockContext<'a, T> {
    pub(super) source: Source<'a>,
    pub(super) sampler: StateSampler,
    pub(super) loss: Loss,
    pub(super) weight: LossWeight,
    pub(super) batch: usize,
    pub(super) step: u64,
    pub(super) networks: Networks<'a, T>,
}

/// Where states and accelerations come from.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    Fresh(FreshBlock<'a>),
    Observed(&'a Observations),
}

/// Fresh states of a system.
#[derive(Clone, Copy)]
pub(super) struct FreshBlock<'a> {
    pub(super) system: &'a dyn System,
    pub(super) ranges: &'a [Distribution],
    pub(super) tail: Option<&'a Tail>,
    pub(super) curriculum: Option<&'a Curriculum>,
}

/// Buffers for one block at a time, allocated once a thread.
pub(super) struct Worker<T> {
    block: Box<dyn BlockModel<T>>,
    /// Whether the rate of q is learned, and so part of the loss.
    first_order: bool,
    /// Whether the states are (q, p).
    canonical: bool,
    turning: Turning,
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
    /// 1 / units of the rates of q and of q̇, `[d]`, where errors have any.
    per_unit: Option<[Vec<T>; 2]>,
    /// Weights `[rows]`; as many as there are rows only where they are not all the same.
    weights: Vec<f64>,
    /// Rates of q and of q̇.
    rates: [Vec<T>; 2],
    lambda: [Vec<T>; 2],
}

impl<T: Real> Worker<T> {
    pub(super) fn new(model: &Model, units: Option<&ResidualUnits>, block_rows: usize) -> Self {
        let (d, c) = (model.features().degrees_of_freedom(), model.features().conditionals());
        let zeros = || vec![T::ZERO; block_rows * d];
        Self {
            block: model.block(block_rows, true),
            first_order: !model.is_second_order(),
            canonical: model.is_canonical(),
            turning: Turning::of(model.features()),
            ranges: Vec::with_capacity(2 * d + c),
            states: vec![0.0; block_rows * (2 * d + c)],
            target_row: vec![0.0; d],
            momentum_row: vec![0.0; d],
            q: zeros(),
            q_dot: zeros(),
            p: if model.is_canonical() { zeros() } else { Vec::new() },
            conditionals: vec![T::ZERO; block_rows * c],
            target: zeros(),
            per_unit: units
                .map(|ResidualUnits { velocity, acceleration }| [reciprocals(velocity), reciprocals(acceleration)]),
            weights: Vec::with_capacity(block_rows),
            rates: [zeros(), zeros()],
            lambda: [zeros(), zeros()],
        }
    }

    /// Draws the rows `block` of the step's batch, and writes their loss's gradient to `gradient`, unless that
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
        match context.source {
            Source::Fresh(fresh) => self.sample(context, fresh, block)?,
            Source::Observed(observations) => self.draw(context, observations, block),
        }
        let c = self.conditionals.len() / (self.q.len() / d);
        let (range, weight) = (..rows * d, context.weight);
        let conditionals = &self.conditionals[..rows * c];
        let q_dot = &self.q_dot[range];
        let second = if self.canonical { &self.p[range] } else { q_dot };
        let states = States { q: &self.q[range], q_dot: second, conditionals };
        let [velocity, acceleration] = self.rates.each_mut().map(|rates| &mut rates[range]);
        let [lambda_q, lambda_q_dot] = self.lambda.each_mut().map(|lambda| &mut lambda[range]);
        let BlockContext { networks, batch, .. } = *context;
        self.block.rates(networks, states, RatesMut { q: &mut *velocity, q_dot: &mut *acceleration });
        let target = &mut self.target[range];
        if let Some([per_velocity, per_acceleration]) = &self.per_unit {
            for values in [&mut *target, &mut *acceleration] {
                scale_rows(values, per_acceleration);
            }
            scale_rows(velocity, per_velocity);
        }
        let weights = &self.weights;
        let evaluate = |prediction: &[T], target: &[T], lambda: &mut [T]| match weight {
            LossWeight::Uniform => context.loss.evaluate(prediction, target, batch, lambda),
            LossWeight::Lorentz => context.loss.evaluate_weighted(prediction, target, weights, batch, lambda),
        };
        let mut loss = evaluate(acceleration, target, lambda_q_dot);
        if self.first_order {
            let observed = match &self.per_unit {
                None => q_dot,
                Some([per_velocity, _]) => {
                    // The targets of q̈ have been used.
                    target.copy_from_slice(q_dot);
                    scale_rows(target, per_velocity);
                    target
                }
            };
            let half = evaluate(velocity, observed, lambda_q);
            // Both halves count the same samples.
            loss += BatchLoss { weight: 0.0, ..half };
        }
        if let Some([per_velocity, per_acceleration]) = &self.per_unit {
            scale_rows(lambda_q_dot, per_acceleration);
            scale_rows(lambda_q, per_velocity);
        }
        if loss.non_finite == 0 {
            let lambda = Rates { q: lambda_q, q_dot: lambda_q_dot };
            self.block.vjp(networks, lambda, accumulate, gradient, None);
        }
        Ok(loss)
    }

    /// Draws the rows `block` of the step's batch from the system's ranges.
    fn sample(
        &mut self,
        context: &BlockContext<'_, T>,
        fresh: FreshBlock<'_>,
        block: Range<usize>,
    ) -> Result<(), DataError> {
        let FreshBlock { system, ranges, tail, curriculum } = fresh;
        let BlockContext { sampler, step, weight, .. } = *context;
        let (d, rows) = (self.target_row.len(), block.len());
        let ranges = match curriculum {
            None => ranges,
            Some(curriculum) => {
                self.ranges.clear();
                self.ranges.extend_from_slice(ranges);
                curriculum.apply(step, &mut self.ranges[d..2 * d]);
                &self.ranges
            }
        };
        let width = ranges.len();
        let c = width - 2 * d;
        let states = &mut self.states[..rows * width];
        sample(sampler, step, ranges, tail, block.start, states);
        let momenta: Option<&dyn Canonical> =
            self.canonical.then(|| system.canonical().expect("an objective checks its system when it is made"));
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
                None => acceleration_into::<T>(system, state, &mut self.target_row)?,
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
        Ok(())
    }

    /// Draws the rows `block` of the step's batch from what was observed.
    fn draw(&mut self, context: &BlockContext<'_, T>, observations: &Observations, block: Range<usize>) {
        let (d, rows) = (self.target_row.len(), block.len());
        let count = observations.q.len() / d;
        let c = observations.conditionals.len() / count;
        let units = &mut self.states[..rows];
        context.sampler.fill_from(context.step, block.start as u64, &UNIT, units);
        for (row, &unit) in units.iter().enumerate() {
            // A product just below `count` may round up to it.
            let drawn = ((unit * count as f64) as usize).min(count - 1);
            let columns = [
                (&mut self.q, &observations.q, d),
                (&mut self.q_dot, &observations.q_dot, d),
                (&mut self.target, &observations.q_ddot, d),
                (&mut self.conditionals, &observations.conditionals, c),
            ];
            for (to, from, width) in columns {
                copy(&mut to[row * width..(row + 1) * width], &from[drawn * width..(drawn + 1) * width]);
            }
            let q = &observations.q[drawn * d..(drawn + 1) * d];
            for (j, turns) in self.turning.of_state(q) {
                self.q[row * d + j] = T::from_f64(q[j] - turns);
            }
        }
    }
}

/// 1 / x of each, in double precision until the last rounding.
pub(super) fn reciprocals<T: Real>(units: &[f64]) -> Vec<T> {
    units.iter().map(|unit| T::from_f64(1.0 / unit)).collect()
}

/// Multiplies each row of `values` `[rows, n]` by `factors` `[n]`.
fn scale_rows<T: Real>(values: &mut [T], factors: &[T]) {
    for row in values.chunks_exact_mut(factors.len()) {
        for (value, &factor) in row.iter_mut().zip(factors) {
            *value *= factor;
        }
    }
}

/// Writes numbers in the precision of training.
pub(super) fn copy<T: Real>(to: &mut [T], from: &[f64]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = T::from_f64(from);
    }
}

/// What picks a row or a segment.
pub(super) const UNIT: [Distribution; 1] = [Distribution::Uniform(Interval::constant(0.0, 1.0))];

/// States `[rows, 2d + c]` of the step's batch from row `first` on: the tail's rows lead the batch.
pub(super) fn sample(
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
