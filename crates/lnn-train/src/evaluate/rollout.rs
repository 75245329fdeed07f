//! Long rollouts of the truth and of models from the same initial states.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use lnn_physics::integrators::{
    DormandPrinceOptions, IntegrationError, IntegrationFailure, InvalidInput, Method, frame_times, solve_at,
    solve_batch_at,
};
use lnn_physics::sampling::{self, StateSampler};
use lnn_physics::{Canonical, System};
use rayon::prelude::*;

use crate::config::{EvaluationConfig, IntegratorConfig};
use crate::model::Model;
use crate::record::{Distribution, RolloutFailure, Trajectory};
use crate::rollout::{LearnedField, TrainedModel};

/// Trajectories a lockstep batch; fixed, so that results do not depend on the number of threads.
const BATCH: usize = 10;
/// Most steps that an adaptive method may take for a second of a learned motion: a badly trained model can
/// have accelerations that no step size can follow, and its rollout must fail within minutes.
const MOST_STEPS_A_SECOND: f64 = 5_000.0;

/// Initial states, frame times and integrators of an evaluation.
#[derive(Clone, Debug)]
pub struct RolloutPlan {
    dof: usize,
    /// `[rollouts, 2d]`.
    initial: Vec<f64>,
    /// `[rollouts, c]`.
    conditionals: Vec<f64>,
    times: Vec<f64>,
    integrator: IntegratorConfig,
    reference_integrator: IntegratorConfig,
}

/// What a right-hand side returns once a stop was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stop was asked for")]
pub struct Stopped;

/// Why there are no rollouts.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RolloutError {
    /// A setting or state that no integration can start from.
    #[error("the rollouts cannot be integrated: {0}")]
    Input(#[from] InvalidInput),
    /// An integrator that gave up for a whole batch, such as a step too small to advance the time.
    #[error("the rollouts cannot be integrated: {0}; change evaluation.integrator")]
    Integration(IntegrationError<Stopped>),
    /// The true system's trajectory ended early, so that there is nothing to judge a model against.
    #[error(
        "the true system's trajectory from initial state {start} ends at t = {time} s: {reason}; change \
         evaluation.reference_integrator, or the ranges of evaluation.initial_states"
    )]
    Reference {
        /// Number of the initial state, from 0.
        start: usize,
        /// Time of the last good frame.
        time: f64,
        /// What happened.
        reason: String,
    },
    /// A stop was asked for.
    #[error("the rollouts were stopped on request")]
    Stopped,
}

impl RolloutPlan {
    /// The rollouts that `config` asks for, with initial states drawn from `ranges`, distributions `[2d + c]` of
    /// (q, q̇, conditionals), by `sampler`.
    ///
    /// # Errors
    /// An end time or frame rate that gives no frames.
    ///
    /// # Panics
    /// If `ranges` has less than 2d entries.
    pub fn new(
        dof: usize,
        ranges: &[sampling::Distribution],
        sampler: StateSampler,
        config: &EvaluationConfig,
    ) -> Result<Self, RolloutError> {
        let width = ranges.len();
        assert!(width >= 2 * dof, "{width} distributions, fewer than the 2 × {dof} of (q, q̇)");
        let mut states = vec![0.0; config.rollouts * width];
        sampler.fill(0, ranges, &mut states);
        Self::from_states(dof, width, &states, config)
    }

    /// The rollouts from `states` `[rollouts, width]`, each (q, q̇, conditionals).
    ///
    /// # Errors
    /// As [`new`](Self::new).
    ///
    /// # Panics
    /// If there are not as many states as rollouts, or they are narrower than 2d.
    pub fn from_states(
        dof: usize,
        width: usize,
        states: &[f64],
        config: &EvaluationConfig,
    ) -> Result<Self, RolloutError> {
        assert!(width >= 2 * dof, "{width} numbers a state, fewer than the 2 × {dof} of (q, q̇)");
        assert_eq!(states.len(), config.rollouts * width, "states: rollouts × (2d + c)");
        let rows = || states.chunks_exact(width);
        Ok(Self {
            dof,
            initial: rows().flat_map(|state| &state[..2 * dof]).copied().collect(),
            conditionals: rows().flat_map(|state| &state[2 * dof..]).copied().collect(),
            times: frame_times(config.t_end, config.frames_per_second)?,
            integrator: config.integrator,
            reference_integrator: config.reference_integrator,
        })
    }

    /// Frame times.
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// Conditionals `[rollouts, c]` of the rollouts.
    pub fn conditionals(&self) -> &[f64] {
        &self.conditionals
    }

    /// Conditionals of rollouts `rows`.
    fn conditionals_of(&self, rows: Range<usize>) -> &[f64] {
        let rollouts = self.initial.len() / (2 * self.dof);
        let c = self.conditionals.len() / rollouts.max(1);
        &self.conditionals[rows.start * c..rows.end * c]
    }

    /// The true system's trajectories, all of them complete.
    ///
    /// # Errors
    /// An integrator setting that is out of range, a trajectory that ends early, or a `stop` that was set.
    pub fn truth(&self, system: &dyn System, stop: &AtomicBool) -> Result<Vec<Trajectory>, RolloutError> {
        let shown = Frames { system, canonical: None };
        let reference = method(self.reference_integrator);
        let truth = self.one_by_one(reference, &self.initial, shown, stop, |rollout| {
            let conditionals = self.conditionals_of(rollout..rollout + 1);
            move |_t: f64, state: &[f64], state_dot: &mut [f64]| {
                go_on(stop)?;
                system.state_derivative_into(state, conditionals, state_dot);
                Ok(())
            }
        })?;
        let failure = |trajectory: &Trajectory| trajectory.failure.clone();
        match truth.iter().enumerate().find_map(|(start, trajectory)| Some((start, failure(trajectory)?))) {
            Some((start, RolloutFailure { time, reason })) => Err(RolloutError::Reference { start, time, reason }),
            None => Ok(truth),
        }
    }

    /// The model's trajectories; energies are the true system's.
    ///
    /// Fixed-step RK4 advances batches in lockstep; other methods integrate one trajectory at a time.
    ///
    /// A model in canonical coordinates is integrated in (q, p); its frames are (q, q̇) as those of all others.
    ///
    /// A trajectory that ends early says so in its [`failure`](Trajectory::failure).
    ///
    /// # Errors
    /// An integrator setting that is out of range, or a `stop` that was set.
    ///
    /// # Panics
    /// If the model is in canonical coordinates and the system offers none.
    pub fn model(
        &self,
        model: &Model,
        parameters: &[f64],
        system: &dyn System,
        stop: &AtomicBool,
    ) -> Result<Vec<Trajectory>, RolloutError> {
        let trained = &TrainedModel::new(model, parameters);
        let canonical = model
            .is_canonical()
            .then(|| system.canonical().expect("a model in canonical coordinates is of a system that offers them"));
        let shown = Frames { system, canonical };
        let initial = &self.initial_in(canonical);
        let right_hand_side = |rows: Range<usize>| {
            let mut field = LearnedField::new(model, rows.len());
            let conditionals = self.conditionals_of(rows);
            move |_t: f64, states: &[f64], states_dot: &mut [f64]| {
                go_on(stop)?;
                field.evaluate(trained, states, conditionals, states_dot);
                Ok(())
            }
        };
        let IntegratorConfig::Rk4 { dt } = self.integrator else {
            let mut method = method(self.integrator);
            if let Method::DormandPrince(options) = &mut method {
                let end = self.times.last().copied().unwrap_or(0.0);
                options.max_steps = (MOST_STEPS_A_SECOND * end.max(1.0)) as u64;
            }
            return self.one_by_one(method, initial, shown, stop, |rollout| right_hand_side(rollout..rollout + 1));
        };
        let width = 2 * self.dof;
        let batches: Result<Vec<Vec<Trajectory>>, RolloutError> = initial
            .par_chunks(BATCH * width)
            .enumerate()
            .map(|(batch, initial)| {
                let (first, rows) = (batch * BATCH, initial.len() / width);
                match solve_batch_at(dt, right_hand_side(first..first + rows), initial, width, &self.times) {
                    Ok(batch) => Ok((0..rows)
                        .map(|row| {
                            let failure = batch.failure(row);
                            let frames = failure.map_or(self.times.len(), |failure| failure.valid_times);
                            let states = (0..frames).flat_map(|frame| batch.state(frame, row).to_vec()).collect();
                            let failure = failure.map(|failure| RolloutFailure {
                                time: self.times[failure.valid_times.saturating_sub(1)],
                                reason: format!("the state was no longer finite after t = {} s", failure.time),
                            });
                            self.trajectory(first + row, states, failure, shown)
                        })
                        .collect()),
                    Err(failure) => Err(refused(failure, stop)),
                }
            })
            .collect();
        Ok(batches?.into_iter().flatten().collect())
    }

    fn one_by_one<F, G>(
        &self,
        method: Method,
        initial: &[f64],
        frames: Frames<'_>,
        stop: &AtomicBool,
        make: F,
    ) -> Result<Vec<Trajectory>, RolloutError>
    where
        F: Fn(usize) -> G + Sync,
        G: FnMut(f64, &[f64], &mut [f64]) -> Result<(), Stopped>,
    {
        method.validate()?;
        initial
            .par_chunks(2 * self.dof)
            .enumerate()
            .map(|(rollout, initial)| match solve_at(&method, make(rollout), initial, &self.times) {
                Ok(solution) => Ok(self.trajectory(rollout, solution.states, None, frames)),
                Err(failure) if failure.partial.is_empty() || stop.load(Ordering::Relaxed) => {
                    Err(refused(failure, stop))
                }
                Err(failure) => {
                    let IntegrationFailure { error, partial } = failure;
                    let time = self.times[partial.len() - 1];
                    let failure = RolloutFailure { time, reason: error.to_string() };
                    Ok(self.trajectory(rollout, partial.states, Some(failure), frames))
                }
            })
            .collect()
    }

    /// The initial states `[rollouts, 2d]`, as (q, p) where `canonical` says how.
    fn initial_in(&self, canonical: Option<&dyn Canonical>) -> Vec<f64> {
        let mut initial = self.initial.clone();
        let Some(canonical) = canonical else { return initial };
        let mut p = vec![0.0; self.dof];
        for (rollout, state) in initial.chunks_exact_mut(2 * self.dof).enumerate() {
            let (q, q_dot) = state.split_at_mut(self.dof);
            canonical.momentum_into(q, q_dot, self.conditionals_of(rollout..rollout + 1), &mut p);
            q_dot.copy_from_slice(&p);
        }
        initial
    }

    /// A trajectory from the states as they were integrated.
    fn trajectory(
        &self,
        rollout: usize,
        mut states: Vec<f64>,
        mut failure: Option<RolloutFailure>,
        frames: Frames<'_>,
    ) -> Trajectory {
        let conditionals = self.conditionals_of(rollout..rollout + 1);
        let width = 2 * self.dof;
        if let Some(canonical) = frames.canonical {
            let mut velocity = vec![0.0; self.dof];
            for state in states.chunks_exact_mut(width) {
                let (q, p) = state.split_at_mut(self.dof);
                canonical.velocity_into(q, p, conditionals, &mut velocity);
                p.copy_from_slice(&velocity);
            }
            // A learned motion may reach momenta that no velocity has.
            if let Some(lost) = states.chunks_exact(width).position(|state| state.iter().any(|x| !x.is_finite())) {
                states.truncate(lost * width);
                let time = self.times[lost.saturating_sub(1)];
                failure = Some(RolloutFailure { time, reason: "the momentum has no finite velocity".to_owned() });
            }
        }
        let energy = |state| frames.system.state_energy(state, conditionals);
        let energies = states.chunks_exact(width).map(energy).collect();
        Trajectory { states, energies, failure }
    }
}

/// How integrated states become frames: the system whose energy they have, and its canonical form where they are (q, p).
#[derive(Clone, Copy)]
struct Frames<'a> {
    system: &'a dyn System,
    canonical: Option<&'a dyn Canonical>,
}

/// Energy errors of a model's rollouts against the complete `truth`, in percent of `reference`: at the last
/// frame, and the largest over all frames.
pub fn energy_errors(truth: &[Trajectory], model: &[Trajectory], reference: f64) -> (Distribution, Distribution) {
    let percent = |error: f64| 100.0 * error / reference;
    let (mut last, mut largest) = (Vec::new(), Vec::new());
    let mut failed = 0;
    for (truth, model) in truth.iter().zip(model) {
        if model.failure.is_some() {
            failed += 1;
            continue;
        }
        let errors = truth.energies.iter().zip(&model.energies).map(|(a, b)| (a - b).abs());
        largest.push(percent(errors.clone().fold(0.0, f64::max)));
        last.push(percent(errors.clone().next_back().unwrap_or(0.0)));
    }
    (distribution(last, failed), distribution(largest, failed))
}

/// Velocity errors of a model's rollouts against the complete `truth`: the largest |q̇ⱼ − q̇*ⱼ| over the frames and the
/// `dof` components of each.
pub fn velocity_errors(truth: &[Trajectory], model: &[Trajectory], dof: usize) -> Distribution {
    let (mut largest, mut failed) = (Vec::new(), 0);
    for (truth, model) in truth.iter().zip(model) {
        if model.failure.is_some() {
            failed += 1;
            continue;
        }
        let frames = truth.states.chunks_exact(2 * dof).zip(model.states.chunks_exact(2 * dof));
        let errors = frames.flat_map(|(truth, model)| truth[dof..].iter().zip(&model[dof..]));
        largest.push(errors.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max));
    }
    distribution(largest, failed)
}

/// The largest |kinetic energy| over the frames of the true rollouts: a scale for energy errors in a system whose own
/// [`reference_energy`](System::reference_energy) is 0.
pub fn largest_kinetic_energy(plan: &RolloutPlan, system: &dyn System, truth: &[Trajectory]) -> f64 {
    let kinetic = |(rollout, trajectory): (usize, &Trajectory)| {
        let conditionals = plan.conditionals_of(rollout..rollout + 1);
        let frames = trajectory.states.chunks_exact(2 * plan.dof);
        let energies = frames.map(|state| state.split_at(plan.dof));
        energies.map(|(q, q_dot)| system.kinetic_energy(q, q_dot, conditionals).abs()).fold(0.0, f64::max)
    };
    truth.iter().enumerate().map(kinetic).fold(0.0, f64::max)
}

pub(super) fn distribution(mut values: Vec<f64>, failed: usize) -> Distribution {
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len();
    let quantile = |share: f64| match n {
        0 => f64::INFINITY,
        _ => {
            // Linear interpolation between order statistics.
            let place = share * (n - 1) as f64;
            let below = place.floor() as usize;
            let above = (below + 1).min(n - 1);
            values[below] + (place - below as f64) * (values[above] - values[below])
        }
    };
    Distribution {
        mean: if n == 0 { f64::INFINITY } else { values.iter().sum::<f64>() / n as f64 },
        median: quantile(0.5),
        p90: quantile(0.9),
        max: quantile(1.0),
        failed,
    }
}

fn method(integrator: IntegratorConfig) -> Method {
    match integrator {
        IntegratorConfig::Rk4 { dt } => Method::Rk4 { dt },
        IntegratorConfig::ImplicitMidpoint { dt } => Method::ImplicitMidpoint { dt },
        IntegratorConfig::DormandPrince { relative_tolerance, absolute_tolerance } => {
            Method::DormandPrince(DormandPrinceOptions {
                relative_tolerance,
                absolute_tolerance,
                ..DormandPrinceOptions::default()
            })
        }
    }
}

/// Refuses to evaluate once a stop was asked for.
fn go_on(stop: &AtomicBool) -> Result<(), Stopped> {
    if stop.load(Ordering::Relaxed) { Err(Stopped) } else { Ok(()) }
}

/// Why a whole batch, or a trajectory without a frame, failed. The flag is asked instead of the error: an
/// adaptive method answers a refusal by shorter steps, and ends with an error of its own.
fn refused(failure: IntegrationFailure<Stopped>, stop: &AtomicBool) -> RolloutError {
    if stop.load(Ordering::Relaxed) {
        return RolloutError::Stopped;
    }
    match failure.error {
        IntegrationError::Input(input) => RolloutError::Input(input),
        other => RolloutError::Integration(other),
    }
}

#[cfg(test)]
mod tests;
