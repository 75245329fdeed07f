//! Long rollouts of the truth and of models from the same initial states.

use std::ops::Range;
use std::sync::atomic::AtomicBool;

use lnn_physics::System;
use lnn_physics::integrators::{DormandPrinceOptions, IntegrationError, InvalidInput, Method, frame_times};
use lnn_physics::sampling::{self, StateSampler};

use crate::config::{EvaluationConfig, IntegratorConfig};
use crate::model::Model;
use crate::motion::{
    AtSingularity, LearnedMotion, Motion, MotionError, RightHandSide, Starts, Stopped, go_on, one_by_one,
};
use crate::record::{Distribution, RolloutFailure, Trajectory};

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
    /// An initial state that is not finite.
    #[error("the rollouts cannot be integrated: {0}")]
    Start(MotionError),
    /// A stop was asked for.
    #[error("the rollouts were stopped on request")]
    Stopped,
}

impl From<MotionError> for RolloutError {
    fn from(error: MotionError) -> Self {
        match error {
            MotionError::Input(input) => Self::Input(input),
            MotionError::Integration(error) => Self::Integration(error),
            MotionError::Stopped => Self::Stopped,
            MotionError::Start { .. } | MotionError::Momenta(_) => Self::Start(error),
        }
    }
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

    /// The true system's trajectories, all of them complete.
    ///
    /// # Errors
    /// An integrator setting that is out of range, a trajectory that ends early, or a `stop` that was set.
    pub fn truth(&self, system: &dyn System, stop: &AtomicBool) -> Result<Vec<Trajectory>, RolloutError> {
        let starts = self.starts();
        let rates = |rollout: Range<usize>| TrueRates { system, conditionals: starts.conditionals_of(rollout), stop };
        let motions = one_by_one(&method(self.reference_integrator), starts, stop, rates)?;
        let truth = self.trajectories(motions, system);
        let failure = |trajectory: &Trajectory| trajectory.failure.clone();
        match truth.iter().enumerate().find_map(|(start, trajectory)| Some((start, failure(trajectory)?))) {
            Some((start, RolloutFailure { time, reason })) => Err(RolloutError::Reference { start, time, reason }),
            None => Ok(truth),
        }
    }

    /// The model's trajectories; energies are the true system's.
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
        let canonical = model
            .is_canonical()
            .then(|| system.canonical().expect("a model in canonical coordinates is of a system that offers them"));
        // As in the paper: the pseudoinverse has an acceleration at every state.
        let learned = LearnedMotion::new(model, parameters).with_canonical(canonical);
        let learned = learned.at_singularity(AtSingularity::GoOn);
        let mut method = method(self.integrator);
        if let Method::DormandPrince(options) = &mut method {
            let end = self.times.last().copied().unwrap_or(0.0);
            options.max_steps = (MOST_STEPS_A_SECOND * end.max(1.0)) as u64;
        }
        Ok(self.trajectories(learned.integrate(&method, self.starts(), stop)?, system))
    }

    fn starts(&self) -> Starts<'_> {
        let (states, conditionals) = (&self.initial, &self.conditionals);
        Starts { degrees_of_freedom: self.dof, states, conditionals, times: &self.times }
    }

    /// The motions with the true system's energies.
    fn trajectories(&self, motions: Vec<Motion>, system: &dyn System) -> Vec<Trajectory> {
        let starts = self.starts();
        let trajectory = |(rollout, Motion { states, ending, .. }): (usize, Motion)| {
            let conditionals = starts.conditionals_of(rollout..rollout + 1);
            let energy = |state| system.state_energy(state, conditionals);
            let energies = states.chunks_exact(2 * self.dof).map(energy).collect();
            let failure = ending.map(|end| RolloutFailure { time: end.time, reason: end.cause.to_string() });
            Trajectory { states, energies, failure }
        };
        motions.into_iter().enumerate().map(trajectory).collect()
    }
}

/// Rates of the true system.
struct TrueRates<'a> {
    system: &'a dyn System,
    conditionals: &'a [f64],
    stop: &'a AtomicBool,
}

impl RightHandSide for TrueRates<'_> {
    fn evaluate(&mut self, _t: f64, state: &[f64], state_dot: &mut [f64]) -> Result<(), Stopped> {
        go_on(self.stop)?;
        self.system.state_derivative_into(state, self.conditionals, state_dot);
        Ok(())
    }
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
    let starts = plan.starts();
    let kinetic = |(rollout, trajectory): (usize, &Trajectory)| {
        let conditionals = starts.conditionals_of(rollout..rollout + 1);
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

#[cfg(test)]
mod tests;
