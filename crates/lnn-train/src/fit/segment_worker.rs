//! One thread's buffers, and the data flow of one block of segments: observed states to loss and gradient.

use std::ops::Range;

use lnn_autodiff::Real;
use lnn_autodiff::jet::Accumulate;
use lnn_physics::sampling::StateSampler;

use crate::loss::{BatchLoss, Loss};
use crate::model::{Model, Networks, States};
use crate::segment::SegmentBlock;
use crate::trajectory::{Motion, Segments};

use super::dynamics::{ObservedMotions, ResidualUnits};
use super::trapezium::TrapeziumBlock;
use super::turns::Turning;
use super::worker::{UNIT, copy, reciprocals};

/// What every block of a step shares.
pub(super) struct SegmentContext<'a, T> {
    pub(super) data: &'a ObservedMotions,
    pub(super) sampler: StateSampler,
    pub(super) loss: Loss,
    pub(super) batch: usize,
    pub(super) step: u64,
    pub(super) networks: Networks<'a, T>,
}

/// Buffers for one block at a time, allocated once a thread.
///
/// A segment's error ℓ compares mean rates of change since its start, (x(t) − x(0)) / (t − 0), predicted and observed,
/// of every component of (q, q̇): the mean over its later observations of the sum over components of the loss. So errors
/// are in the units of rates: as the observations come closer, ℓ becomes the loss on accelerations (and velocities),
/// with the same settings, and it does not grow with a segment's length.
///
/// The batch's loss is the mean of c(1 − exp(−ℓ/c)), with c the mean error of a model in which nothing moves. Where a
/// learned mass matrix is nearly singular, rates grow as the inverse of its smallest eigenvalue, their slopes as the
/// square of that, and each step along the segment multiplies them again: a single such segment would outweigh the whole
/// batch and point nowhere useful. The slope exp(−ℓ/c) leaves such segments out, and errors that are small against the
/// motion as they are. A quotient ℓ/(1 + ℓ/c) falls too slowly: with it a training
/// without warm start was lost within a thousand steps.
pub(super) struct SegmentWorker<T> {
    rollout: SegmentBlock<T>,
    trapezium: TrapeziumBlock<T>,
    dof: usize,
    turning: Turning,
    /// 1 / units of the rates of (q, q̇), `[2d]`; 1 where errors are as they are.
    per_unit: Vec<T>,
    /// c.
    error_at_rest: f64,
    /// `[rows]`.
    units: Vec<f64>,
    /// Observed states, `[observations][rows, d]`, and `[observations][rows, c]`.
    q: Vec<T>,
    q_dot: Vec<T>,
    conditionals: Vec<T>,
    /// Times between observations, `[later observations][rows]`, and Runge–Kutta steps, `[steps][rows]`.
    intervals: Vec<T>,
    dt: Vec<T>,
    /// 1 / (t − 0), `[rows, later observations]`.
    per_elapsed: Vec<T>,
    /// Mean rates, `[rows, later observations, 2d]`.
    observed: Vec<T>,
    /// One row's, `[later observations, 2d]`.
    predicted: Vec<T>,
    lambda: Vec<T>,
    /// Predicted x(t) − x(0) and its cotangent, `[later observations][2][rows, d]`.
    moved: Vec<T>,
    moved_bar: Vec<T>,
    /// `[steps + 1][2][rows, d]`.
    states_bar: Vec<T>,
}

impl<T: Real> SegmentWorker<T> {
    pub(super) fn new(
        model: &Model,
        data: &ObservedMotions,
        (loss, units): (Loss, Option<&ResidualUnits>),
        block_rows: usize,
    ) -> Self {
        let ObservedMotions { segments, rule, .. } = data;
        let dof = model.features().degrees_of_freedom();
        let (observations, steps) = (segments.observations(), segments.steps());
        let later = observations - 1;
        let zeros = |length: usize| vec![T::ZERO; length];
        let width = 2 * block_rows * dof;
        let units = units.map_or_else(|| vec![1.0; 2 * dof], |units| [&*units.velocity, &units.acceleration].concat());
        Self {
            rollout: SegmentBlock::new(model, block_rows, steps, true),
            trapezium: TrapeziumBlock::new(model, block_rows, observations, *rule),
            dof,
            turning: Turning::of(model.features()),
            error_at_rest: error_at_rest(segments, loss, &units),
            per_unit: reciprocals(&units),
            units: vec![0.0; block_rows],
            q: zeros(observations * block_rows * dof),
            q_dot: zeros(observations * block_rows * dof),
            conditionals: zeros(observations * block_rows * model.features().conditionals()),
            intervals: zeros(later * block_rows),
            dt: zeros(steps * block_rows),
            per_elapsed: zeros(later * block_rows),
            observed: zeros(later * width),
            predicted: zeros(later * 2 * dof),
            lambda: zeros(later * 2 * dof),
            moved: zeros(later * width),
            moved_bar: zeros(later * width),
            states_bar: zeros((steps + 1) * width),
        }
    }

    /// Draws the rows `block` of the step's batch of segments, takes the model along them, and writes their loss's
    /// gradient to `gradient`, unless that loss is not finite.
    pub(super) fn run(
        &mut self,
        context: &SegmentContext<'_, T>,
        block: Range<usize>,
        accumulate: Accumulate,
        gradient: &mut [T],
    ) -> BatchLoss {
        let rows = block.len();
        let SegmentContext { data, step, .. } = *context;
        let rolls_out = step >= data.warm_start_steps;
        self.draw(context, block);
        if rolls_out {
            self.roll_out(context, rows);
        } else {
            self.sum_up(context, rows);
        }
        let mut loss = BatchLoss::default();
        for row in 0..rows {
            loss += self.judge(context, rows, row);
        }
        if loss.non_finite > 0 {
            return loss;
        }
        let moved_bar = &self.moved_bar[..(data.segments.observations() - 1) * 2 * rows * self.dof];
        if rolls_out {
            let substeps = data.segments.substeps();
            let width = 2 * rows * self.dof;
            // The start is observed and not learned; between observations nothing is compared.
            let states_bar = &mut self.states_bar[..(data.segments.steps() + 1) * width];
            states_bar.fill(T::ZERO);
            for (observation, bar) in moved_bar.chunks_exact(width).enumerate() {
                states_bar[(observation + 1) * substeps * width..][..width].copy_from_slice(bar);
            }
            self.rollout.vjp(context.networks, states_bar, accumulate, gradient);
        } else {
            let intervals = &self.intervals[..(data.segments.observations() - 1) * rows];
            self.trapezium.vjp(context.networks, intervals, moved_bar, accumulate, gradient);
        }
        loss
    }

    /// Predicted ways by Runge–Kutta steps from the first observation.
    fn roll_out(&mut self, context: &SegmentContext<'_, T>, rows: usize) {
        let SegmentContext { data: ObservedMotions { segments, .. }, networks, .. } = *context;
        let (half, substeps) = (rows * self.dof, segments.substeps());
        let conditionals = &self.conditionals[..rows * segments.trajectories().conditional_count()];
        let initial = States { q: &self.q[..half], q_dot: &self.q_dot[..half], conditionals };
        self.rollout.forward(networks, initial, &self.dt[..segments.steps() * rows]);
        let (start, states) = self.rollout.states().split_at(2 * half);
        let later = segments.observations() - 1;
        for (observation, moved) in self.moved[..later * 2 * half].chunks_exact_mut(2 * half).enumerate() {
            let state = &states[((observation + 1) * substeps - 1) * 2 * half..];
            for ((moved, &state), &start) in moved.iter_mut().zip(state).zip(start) {
                *moved = state - start;
            }
        }
    }

    /// Predicted ways from the rates at the observed states.
    fn sum_up(&mut self, context: &SegmentContext<'_, T>, rows: usize) {
        let SegmentContext { data: ObservedMotions { segments, .. }, networks, .. } = *context;
        let observations = segments.observations();
        let length = observations * rows * self.dof;
        let conditionals = &self.conditionals[..observations * rows * segments.trajectories().conditional_count()];
        let states = States { q: &self.q[..length], q_dot: &self.q_dot[..length], conditionals };
        let intervals = &self.intervals[..(observations - 1) * rows];
        let moved = &mut self.moved[..(observations - 1) * 2 * rows * self.dof];
        self.trapezium.forward(networks, states, intervals, moved);
    }

    /// A row's share of the batch's loss, and the cotangents of its ways.
    fn judge(&mut self, context: &SegmentContext<'_, T>, rows: usize, row: usize) -> BatchLoss {
        let SegmentContext { data: ObservedMotions { segments, .. }, loss, batch, .. } = *context;
        let (d, later) = (self.dof, segments.observations() - 1);
        // Component j of (q, q̇) in `[later observations][2][rows, d]`.
        let place = |observation: usize, j: usize| ((observation * 2 + j / d) * rows + row) * d + j % d;
        let per_elapsed = &self.per_elapsed[row * later..(row + 1) * later];
        for (observation, (predicted, &scale)) in self.predicted.chunks_exact_mut(2 * d).zip(per_elapsed).enumerate() {
            for (j, rate) in predicted.iter_mut().enumerate() {
                *rate = self.moved[place(observation, j)] * scale * self.per_unit[j];
            }
        }
        let observed = &self.observed[row * later * 2 * d..(row + 1) * later * 2 * d];
        let BatchLoss { value, non_finite, .. } = loss.evaluate(&self.predicted, observed, later, &mut self.lambda);
        let weight = (-value / self.error_at_rest).exp();
        let bounded = -self.error_at_rest * (-value / self.error_at_rest).exp_m1();
        let slope = T::from_f64(weight / batch as f64);
        for (observation, (lambda, &scale)) in self.lambda.chunks_exact(2 * d).zip(per_elapsed).enumerate() {
            for (j, &lambda) in lambda.iter().enumerate() {
                self.moved_bar[place(observation, j)] = lambda * slope * scale * self.per_unit[j];
            }
        }
        BatchLoss { value: bounded / batch as f64, non_finite, weight: 0.0 }
    }

    /// Segments of the batch's rows `block`: observed states and mean rates, and the times between them.
    fn draw(&mut self, context: &SegmentContext<'_, T>, block: Range<usize>) {
        let SegmentContext { data: ObservedMotions { segments, .. }, sampler, step, .. } = *context;
        let (d, rows, substeps) = (self.dof, block.len(), segments.substeps());
        let (later, c) = (segments.observations() - 1, segments.trajectories().conditional_count());
        let units = &mut self.units[..rows];
        sampler.fill_from(step, block.start as u64, &UNIT, units);
        for (row, &unit) in units.iter().enumerate() {
            let (trajectory, first) = segments.at(unit);
            let motion = segments.trajectories().motion(trajectory);
            let start = motion.state(first);
            for observation in 0..=later {
                let (q, q_dot) = motion.state(first + observation).split_at(d);
                let place = observation * rows + row;
                copy(&mut self.q[place * d..(place + 1) * d], q);
                // Before the last rounding: those of the start, so that the way along the segment stays whole.
                for (j, turns) in self.turning.of_state(start) {
                    self.q[place * d + j] = T::from_f64(q[j] - turns);
                }
                copy(&mut self.q_dot[place * d..(place + 1) * d], q_dot);
                copy(&mut self.conditionals[place * c..(place + 1) * c], motion.conditionals);
            }
            for observation in 0..later {
                let after = first + observation + 1;
                let interval = motion.times[after] - motion.times[after - 1];
                self.intervals[observation * rows + row] = T::from_f64(interval);
                for substep in 0..substeps {
                    let place = (observation * substeps + substep) * rows + row;
                    self.dt[place] = T::from_f64(interval / substeps as f64);
                }
                let place = row * later + observation;
                self.per_elapsed[place] = T::from_f64(1.0 / (motion.times[after] - motion.times[first]));
                let observed = &mut self.observed[place * 2 * d..(place + 1) * 2 * d];
                mean_rates(motion, first, observation + 1, |j, rate| {
                    observed[j] = T::from_f64(rate) * self.per_unit[j];
                });
            }
        }
    }
}

/// Mean rate of change of each component of (q, q̇) from row `first` to `later` rows on. In double precision: the
/// difference of two close states.
fn mean_rates(motion: Motion<'_>, first: usize, later: usize, mut take: impl FnMut(usize, f64)) {
    let elapsed = motion.times[first + later] - motion.times[first];
    for (j, (end, start)) in motion.state(first + later).iter().zip(motion.state(first)).enumerate() {
        take(j, (end - start) / elapsed);
    }
}

/// Mean error over segments of a model in which nothing moves, from up to [`SAMPLED`] segments evenly spread over all;
/// 1 for data in which nothing does.
fn error_at_rest(segments: &Segments, loss: Loss, units: &[f64]) -> f64 {
    const SAMPLED: usize = 4096;
    let width = 2 * segments.trajectories().degrees_of_freedom();
    let later = segments.observations() - 1;
    let [mut observed, mut lambda] = [(); 2].map(|()| vec![0.0_f64; later * width]);
    let rest = vec![0.0; later * width];
    let count = segments.count().min(SAMPLED);
    let sum: f64 = (0..count)
        .map(|number| {
            let (trajectory, first) = segments.at((number as f64 + 0.5) / count as f64);
            let motion = segments.trajectories().motion(trajectory);
            for (observation, observed) in observed.chunks_exact_mut(width).enumerate() {
                mean_rates(motion, first, observation + 1, |j, rate| observed[j] = rate / units[j]);
            }
            loss.evaluate(&rest, &observed, later, &mut lambda).value
        })
        .sum();
    if sum > 0.0 { sum / count as f64 } else { 1.0 }
}

#[cfg(test)]
mod tests;
