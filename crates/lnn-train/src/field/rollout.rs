//! Motions of the truth and of models from the same states, and what they are worth.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use lnn_graph::EvaluationError;
use lnn_graph::fields::{ExactWave, kink_position};
use lnn_physics::integrators::{
    DormandPrinceOptions, FixedStep, IntegrationError, IntegrationFailure, Method, Rk4, StepFailure, solve_at,
};

use super::config::KnownField;
use super::learned::LearnedEquation;
use super::model::FieldModel;
use super::record::{FieldMotion, FieldMotionSummary, FieldTrajectory};

/// Tolerances of the reference where no closed form is known.
const REFERENCE_TOLERANCE: f64 = 1e-11;

/// Times of the frames of motions, and the step of learned ones.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MotionPlan {
    /// From 0.
    pub(crate) times: Vec<f64>,
    /// Frame at one crossing, or the last if that is earlier.
    pub(crate) crossing_frame: usize,
    pub(crate) crossing_time: f64,
    pub(crate) dt: f64,
    /// Whether the motion of a kink is measured.
    pub(crate) has_kink: bool,
}

/// Why there is no motion to judge.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum MotionError {
    /// A stop was asked for.
    #[error("the motions were stopped on request")]
    Stopped,
    /// The true field's motion ends early.
    #[error("the true motion `{motion}` cannot be integrated: {reason}")]
    Reference {
        /// Name of the initial state.
        motion: String,
        /// What happened.
        reason: String,
    },
    /// A learned equation that cannot be evaluated at all.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
}

/// Why a right-hand side gave nothing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
enum NoRates {
    #[error("a stop was asked for")]
    Stopped,
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
}

fn go_on(stop: &AtomicBool) -> Result<(), NoRates> {
    if stop.load(Ordering::Relaxed) { Err(NoRates::Stopped) } else { Ok(()) }
}

impl MotionPlan {
    /// `frames` frames evenly over `t_end`, and one at the crossing time if none is there.
    pub(crate) fn new(t_end: f64, crossing_time: f64, frames: usize, dt: f64, has_kink: bool) -> Self {
        let mut times: Vec<f64> = (0..=frames).map(|frame| t_end * frame as f64 / frames as f64).collect();
        let near = |time: f64| (time - crossing_time).abs() <= 1e-9 * crossing_time;
        let crossing_frame = match times.iter().position(|&time| near(time) || time > crossing_time) {
            Some(frame) if near(times[frame]) => frame,
            Some(frame) => {
                times.insert(frame, crossing_time);
                frame
            }
            None => times.len() - 1,
        };
        Self { times, crossing_frame, crossing_time, dt, has_kink }
    }

    /// States of the truth from `start`, `[frames, 2 n c]`: in closed form where it is known, else by Dormand–Prince.
    ///
    /// # Errors
    /// A `stop` that was set, or a motion that cannot be integrated.
    pub(crate) fn truth(
        &self,
        name: &str,
        known: &KnownField,
        start: &[f64],
        stop: &AtomicBool,
    ) -> Result<Vec<f64>, MotionError> {
        if let KnownField::Wave(wave) = known
            && let Ok(mut exact) = ExactWave::new(wave, start)
        {
            let mut states = vec![0.0; self.times.len() * start.len()];
            for (&time, state) in self.times.iter().zip(states.chunks_exact_mut(start.len())) {
                go_on(stop).map_err(|_| MotionError::Stopped)?;
                exact.state_into(time, state);
            }
            return Ok(states);
        }
        let field = known.field();
        let right_hand_side = |_t: f64, state: &[f64], rates: &mut [f64]| {
            go_on(stop)?;
            field.state_derivative_into(state, rates);
            Ok::<(), NoRates>(())
        };
        let (relative_tolerance, absolute_tolerance) = (REFERENCE_TOLERANCE, REFERENCE_TOLERANCE);
        let options =
            DormandPrinceOptions { relative_tolerance, absolute_tolerance, ..DormandPrinceOptions::default() };
        match solve_at(&Method::DormandPrince(options), right_hand_side, start, &self.times) {
            Ok(solution) => Ok(solution.states),
            Err(IntegrationFailure {
                error: IntegrationError::Derivative { source: NoRates::Stopped, .. }, ..
            }) => Err(MotionError::Stopped),
            Err(failure) => Err(MotionError::Reference { motion: name.to_owned(), reason: failure.to_string() }),
        }
    }

    /// A model's motion from the state that `motion` starts from, in double precision, with what it is worth; learned
    /// energies are divided by `energy_factor`.
    ///
    /// # Errors
    /// A `stop` that was set, or no memory for sparse factors.
    pub(crate) fn model(
        &self,
        (model, parameters, energy_factor): (&FieldModel, &[f64], f64),
        known: &KnownField,
        motion: &FieldMotion,
        stop: &AtomicBool,
    ) -> Result<(FieldTrajectory, FieldMotionSummary), MotionError> {
        let began = Instant::now();
        let length = 2 * known.field().unknowns();
        let mut equation = LearnedEquation::new(model, parameters)?;
        let right_hand_side = |_t: f64, state: &[f64], rates: &mut [f64]| {
            go_on(stop)?;
            equation.rates_into(state, rates)?;
            Ok::<(), NoRates>(())
        };
        let method = Method::Rk4 { dt: self.dt };
        let (states, stopped) = match solve_at(&method, right_hand_side, &motion.truth[..length], &self.times) {
            Ok(solution) => (solution.states, None),
            Err(IntegrationFailure {
                error: IntegrationError::Derivative { source: NoRates::Stopped, .. }, ..
            }) => {
                return Err(MotionError::Stopped);
            }
            Err(failure) => (failure.partial.states, Some(in_words(&failure.error))),
        };
        let frames = || states.chunks_exact(length);
        let energy: Vec<f64> = frames().map(|state| known.field().state_energy(state)).collect();
        let learned: Option<Vec<f64>> = frames().map(|state| Some(equation.energy(state)? / energy_factor)).collect();
        let rollout_seconds = began.elapsed().as_secs_f64();
        let largest = |state: &[f64]| state[..length / 2].iter().fold(0.0_f64, |most, phi| most.max(phi.abs()));
        let unit = largest(&motion.truth[..length]);
        let field_error = |frame: usize| match frames().nth(frame) {
            Some(state) => {
                let truth = &motion.truth[frame * length..][..length / 2];
                let errors = state.iter().zip(truth).map(|(phi, truth)| (phi - truth).abs());
                errors.fold(0.0, f64::max) / unit
            }
            None => f64::INFINITY,
        };
        let last = self.times.len() - 1;
        let summary = FieldMotionSummary {
            sites: known.field().topology().sites(),
            t_end: self.times[last],
            crossing_time: self.crossing_time,
            field_error: field_error(self.crossing_frame),
            field_error_end: field_error(last),
            energy_error_percent: spread_percent(&energy, motion.energy, motion.energy),
            learned_energy_drift_percent: learned
                .as_ref()
                .map(|learned| spread_percent(learned, learned.first().copied().unwrap_or(f64::NAN), motion.energy)),
            kink_velocity_error: self.has_kink.then(|| self.kink_velocity_error(&states, &motion.truth, length)),
            stopped,
            rollout_seconds,
        };
        Ok((FieldTrajectory { states, energy, learned_energy: learned.unwrap_or_default() }, summary))
    }

    /// Relative error of the mean velocity of the place where φ = π; infinite if there is none at the end.
    fn kink_velocity_error(&self, states: &[f64], truth: &[f64], length: usize) -> f64 {
        let last = self.times.len() - 1;
        let way = |states: &[f64]| {
            let position = |frame: usize| kink_position(states.get(frame * length..)?.get(..length / 2)?);
            Some(position(last)? - position(0)?)
        };
        match (way(states), way(truth)) {
            (Some(way), Some(truth)) => ((way - truth) / truth).abs(),
            _ => f64::INFINITY,
        }
    }
}

/// Largest |x − reference| in percent of `unit`; infinite if one is not finite.
fn spread_percent(values: &[f64], reference: f64, unit: f64) -> f64 {
    let worst = values
        .iter()
        .map(|value| (value - reference).abs())
        .fold(0.0, |worst: f64, error| if error.is_finite() { worst.max(error) } else { f64::INFINITY });
    100.0 * worst / unit.abs()
}

/// Why a rollout ended early, with its time.
fn in_words(error: &IntegrationError<NoRates>) -> String {
    match error {
        IntegrationError::NonFinite { time, .. } => format!("the state was no longer finite after t = {time:.6}"),
        IntegrationError::Derivative { time, source, .. } => format!("after t = {time:.6}: {source}"),
        other => other.to_string(),
    }
}

/// A motion on a lattice too large to keep its states: in single precision, with the energies of its frames.
///
/// # Errors
/// A `stop` that was set, or no memory.
pub(crate) fn large_motion(
    (model, parameters, energy_factor): (&FieldModel, &[f64], f64),
    (known, start): (&KnownField, &[f64]),
    plan: &MotionPlan,
    stop: &AtomicBool,
) -> Result<(FieldTrajectory, FieldMotionSummary), MotionError> {
    let began = Instant::now();
    let single: Vec<f32> = parameters.iter().map(|&parameter| parameter as f32).collect();
    let mut equation = LearnedEquation::new(model, &single)?;
    // Energies of many sites are summed in double precision.
    let mut exact = LearnedEquation::new(model, parameters)?;
    let mut state: Vec<f32> = start.iter().map(|&value| value as f32).collect();
    let mut rk4 = Rk4::<f32>::new(state.len());
    let mut right_hand_side = |_t: f64, state: &[f32], rates: &mut [f32]| {
        go_on(stop)?;
        equation.rates_into(state, rates)?;
        Ok::<(), NoRates>(())
    };
    let mut frame = vec![0.0; state.len()];
    let (mut energy, mut learned) = (Vec::new(), Vec::new());
    let mut stopped = None;
    'frames: for (index, &time) in plan.times.iter().enumerate() {
        if index > 0 {
            let since = plan.times[index - 1];
            let steps = ((time - since) / plan.dt * (1.0 - 4.0 * f64::EPSILON)).ceil().max(1.0);
            let dt = (time - since) / steps;
            for step in 0..steps as u64 {
                let now = since + step as f64 * dt;
                match rk4.step(&mut right_hand_side, now, dt, &mut state) {
                    Ok(()) => {}
                    Err(StepFailure::Derivative(NoRates::Stopped)) => return Err(MotionError::Stopped),
                    Err(StepFailure::Derivative(error)) => stopped = Some(format!("after t = {now:.6}: {error}")),
                    Err(other) => stopped = Some(format!("after t = {now:.6}: {other}")),
                }
                if stopped.is_none() && !state.iter().all(|value| value.is_finite()) {
                    stopped = Some(format!("the state was no longer finite after t = {now:.6}"));
                }
                if stopped.is_some() {
                    break 'frames;
                }
            }
        }
        for (wide, &narrow) in frame.iter_mut().zip(&state) {
            *wide = f64::from(narrow);
        }
        energy.push(known.field().state_energy(&frame));
        learned.extend(exact.energy(&frame).map(|energy| energy / energy_factor));
    }
    let unit = known.field().state_energy(start);
    let no_truth = f64::NAN;
    let summary = FieldMotionSummary {
        sites: known.field().topology().sites(),
        t_end: plan.times.last().copied().unwrap_or(0.0),
        crossing_time: plan.crossing_time,
        field_error: no_truth,
        field_error_end: no_truth,
        energy_error_percent: spread_percent(&energy, unit, unit),
        learned_energy_drift_percent: learned.first().map(|&first| spread_percent(&learned, first, unit)),
        kink_velocity_error: None,
        stopped,
        rollout_seconds: began.elapsed().as_secs_f64(),
    };
    Ok((FieldTrajectory { states: Vec::new(), energy, learned_energy: learned }, summary))
}
