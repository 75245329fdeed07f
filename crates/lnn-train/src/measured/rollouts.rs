//! The model's motions from the first states of the held-out ones, as `lnn rollout` makes them.

use std::f64::consts::{PI, TAU};
use std::sync::atomic::AtomicBool;

use lnn_physics::integrators::{DormandPrinceOptions, Method};
use rayon::prelude::*;

use super::evaluate::{BLOCK, HeldOutMotions};
use super::record::{EnergyDrift, MeasuredRollout, RolloutErrors};
use super::scaling::deviation;
use crate::model::{Model, States};
use crate::motion::{LearnedMotion, MotionError, Starts};
use crate::record::RolloutFailure;
use crate::trajectory::Motion;

/// Tolerance of rollouts, in units of the deviations.
const TOLERANCE: f64 = 1e-8;
/// Most rows of a motion that are rolled out: a recording of an hour says no more of the model, and takes as long as the
/// training.
const LONGEST: usize = 2000;
/// Most steps for each row of a motion: a badly trained model can have accelerations that no step size can follow.
const MOST_STEPS_A_ROW: u64 = 300;
/// Most steps in all, some seconds' work.
const MOST_STEPS: u64 = 100_000;
/// Distance below which a rollout is called faithful.
const FAITHFUL: f64 = 0.1;

impl HeldOutMotions<'_> {
    /// The model's motion from the first state of every held-out trajectory, over its times; one that meets a singular mass
    /// matrix ends there. `None` once a stop was asked for.
    ///
    /// Integrated in units of the deviations, so that the tolerance means the same for every component.
    ///
    /// # Errors
    /// Times that cannot be followed.
    pub(super) fn rollouts(
        &self,
        model: &Model,
        parameters: &[f64],
        stop: &AtomicBool,
    ) -> Result<Option<Vec<MeasuredRollout>>, MotionError> {
        let learned = LearnedMotion::new(model, parameters).in_units(self.deviations.clone());
        let numbers = self.part.numbers.par_iter().enumerate();
        let rollouts = numbers.map(|(place, &number)| {
            let motion = self.part.trajectories.motion(place);
            self.rollout(&learned, (model, parameters), (number, motion), stop)
        });
        match rollouts.collect() {
            Ok(rollouts) => Ok(Some(rollouts)),
            Err(MotionError::Stopped) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn rollout(
        &self,
        learned: &LearnedMotion<'_>,
        (model, parameters): (&Model, &[f64]),
        (number, motion): (usize, Motion<'_>),
        stop: &AtomicBool,
    ) -> Result<MeasuredRollout, MotionError> {
        let (d, rows) = (self.dof(), motion.rows().min(LONGEST));
        let (times, measured) = (&motion.times[..rows], &motion.states[..rows * 2 * d]);
        let method = Method::DormandPrince(DormandPrinceOptions {
            relative_tolerance: TOLERANCE,
            absolute_tolerance: TOLERANCE,
            max_steps: MOST_STEPS_A_ROW.saturating_mul(rows as u64).min(MOST_STEPS),
            ..DormandPrinceOptions::default()
        });
        let (states, conditionals) = (motion.state(0), motion.conditionals);
        let start = Starts { degrees_of_freedom: d, states, conditionals, times };
        let mut motions = learned.integrate(&method, start, stop)?;
        let moved = motions.pop().expect("a motion for the start");
        let energy = |states: &[f64]| energies(model, parameters, d, states, conditionals);
        Ok(MeasuredRollout {
            number,
            origin: self.measurements.origins[number].describe(),
            times: times.to_vec(),
            measured: measured.to_vec(),
            measured_energy: energy(measured),
            predicted_energy: energy(&moved.states),
            distance: self.distances(&moved.states, measured),
            predicted: moved.states,
            conditionals: conditionals.to_vec(),
            cut: rows < motion.rows(),
            failure: moved.ending.map(|ending| RolloutFailure { time: ending.time, reason: ending.cause.to_string() }),
        })
    }

    fn distances(&self, predicted: &[f64], measured: &[f64]) -> Vec<f64> {
        let (d, angles) = (self.dof(), &self.measurements.angles);
        let rows = predicted.chunks_exact(2 * d).zip(measured.chunks_exact(2 * d));
        rows.map(|(a, b)| {
            let squares = a.iter().zip(b).enumerate().map(|(j, (a, b))| {
                let difference = if j < d && angles[j] { (a - b + PI).rem_euclid(TAU) - PI } else { a - b };
                (difference / self.deviations[j]).powi(2)
            });
            (squares.sum::<f64>() / (2 * d) as f64).sqrt()
        })
        .collect()
    }

    /// How far these rollouts are from what was measured.
    pub(super) fn rollout_errors(rollouts: &[MeasuredRollout]) -> RolloutErrors {
        let elapsed = |rollout: &MeasuredRollout, row: usize| rollout.times[row] - rollout.times[0];
        let duration = |rollout: &MeasuredRollout| elapsed(rollout, rollout.times.len() - 1);
        let at = |rollout: &MeasuredRollout, tenth: usize| {
            let time = duration(rollout) * tenth as f64 / 10.0;
            let row = (0..rollout.times.len()).find(|&row| elapsed(rollout, row) >= time * (1.0 - 1e-12));
            // Of a rollout that ended before, nothing is known but that it is lost.
            row.and_then(|row| rollout.distance.get(row).copied()).unwrap_or(f64::INFINITY)
        };
        let faithful = |rollout: &MeasuredRollout| {
            let row = rollout.distance.iter().position(|&distance| distance > FAITHFUL);
            let lost = row.unwrap_or(rollout.distance.len());
            elapsed(rollout, lost.saturating_sub(1).min(rollout.times.len() - 1))
        };
        let failures = || rollouts.iter().filter_map(|rollout| rollout.failure.as_ref());
        RolloutErrors {
            by_tenth: (1..=10)
                .map(|tenth| Some(median(rollouts.iter().map(|rollout| at(rollout, tenth)))).filter(|x| x.is_finite()))
                .collect(),
            faithful_time: median(rollouts.iter().map(faithful)),
            duration: median(rollouts.iter().map(duration)),
            failed: failures().count(),
            first_failure: failures().next().map(|failure| failure.reason.clone()),
            count: rollouts.len(),
            cut: rollouts.iter().filter(|rollout| rollout.cut).count(),
        }
    }

    /// How the learned energy varies along motions that should keep it; `None` for a model without energy.
    pub(super) fn energy_drift(
        &self,
        model: &Model,
        parameters: &[f64],
        rollouts: &[MeasuredRollout],
    ) -> Option<EnergyDrift> {
        let d = self.dof();
        let kinetic = |rollout: &MeasuredRollout| {
            let mut at_rest = rollout.measured.clone();
            for state in at_rest.chunks_exact_mut(2 * d) {
                state[d..].fill(0.0);
            }
            let at_rest = energies(model, parameters, d, &at_rest, &rollout.conditionals);
            let differences = rollout.measured_energy.iter().zip(at_rest).map(|(energy, rest)| (energy - rest).abs());
            (differences.sum::<f64>(), rollout.measured_energy.len())
        };
        let sums = rollouts.iter().map(kinetic).fold((0.0, 0), |(sum, n), (more, rows)| (sum + more, n + rows));
        if sums.1 == 0 {
            return None;
        }
        let percent = 100.0 * sums.1 as f64 / sums.0;
        let measured = rollouts.iter().map(|rollout| deviation(&rollout.measured_energy));
        // One that ended kept nothing, though what there is of it may hardly vary.
        let predicted = rollouts.iter().map(|rollout| match rollout.failure {
            Some(_) => f64::INFINITY,
            None => deviation(&rollout.predicted_energy),
        });
        Some(EnergyDrift { measured_percent: percent * median(measured), rollout_percent: percent * median(predicted) })
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Learned energies of states `[rows, 2d]` with the same conditionals; nothing for a model without one.
fn energies(model: &Model, parameters: &[f64], d: usize, states: &[f64], conditionals: &[f64]) -> Vec<f64> {
    let mut energies = vec![0.0; states.len() / (2 * d)];
    let mut block = model.block::<f64>(BLOCK, false);
    for (states, energies) in states.chunks(BLOCK * 2 * d).zip(energies.chunks_mut(BLOCK)) {
        let half = |first: usize| -> Vec<f64> {
            states.chunks_exact(2 * d).flat_map(|state| &state[first..first + d]).copied().collect()
        };
        let (q, q_dot) = (half(0), half(d));
        let conditionals = conditionals.repeat(energies.len());
        let states = States { q: &q, q_dot: &q_dot, conditionals: &conditionals };
        if !block.energy(model.bind(parameters), states, energies) {
            return Vec::new();
        }
    }
    energies
}
