//! A whole training: steps, log lines, checkpoints, resumption and interruption.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lnn_autodiff::Real;

use super::trainer::{Advanced, Trainer, TrainingState};
use super::training::StepError;
use crate::optimiser::check_finite;
use crate::record::{Judged, MetricsLine};
use crate::store::{
    Checkpoint, CheckpointRecord, Element, FallbackNotice, MetricsLog, StoreError, TensorProblem, checkpoint_path,
    load_checkpoint, save_checkpoint,
};

/// Time between two calls of the observer.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// Steps besides the multiples of [`FitPlan::log_every`] that are logged where they come before the first of
/// these: a learning curve on a logarithmic axis would otherwise miss its start.
const EARLY_LOGGED_STEPS: [u64; 8] = [1, 2, 5, 10, 20, 50, 100, 200];
/// Steps without an update, one after the other, after which a training is given up: it never recovers when
/// each step starts from the same parameters and meets an overflow in a fresh batch.
const MOST_SKIPPED_IN_A_ROW: u64 = 1000;

/// What a training is called and how often it writes.
#[derive(Clone, Debug)]
pub struct FitPlan<'a> {
    /// Model name.
    pub model: &'a str,
    /// Steps in all.
    pub steps: u64,
    /// Steps between log lines; the last step is always logged, and some early ones are.
    pub log_every: u64,
    /// Time between checkpoints.
    pub checkpoint_every: Duration,
    /// Folder of the checkpoints.
    pub folder: &'a Path,
    /// Fingerprint of the configuration.
    pub configuration: &'a str,
    /// Seed of the run.
    pub seed: u64,
    /// Whether the parameters with the least held-out error of all log lines, a sound mass matrix first, are kept, in [`FitState::best`].
    pub keep_best: bool,
}

/// Where a training stands; shown to a person.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Steps done, earlier sessions included.
    pub step: u64,
    /// Mean loss over the steps since the last log line.
    pub loss: f64,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Steps a second in this session.
    pub steps_per_second: f64,
    /// Acceleration L1 at the last log line of this session, of a model that has accelerations.
    pub acceleration_l1: Option<f64>,
    /// Held-out error at that line, of a training on measured data.
    pub held_out_error: Option<f64>,
    /// Whether a log line was written at this step.
    pub logged: bool,
}

/// How a training ended, over all sessions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FitResult {
    /// Steps done.
    pub steps: u64,
    /// Seconds spent in [`fit`], log lines and checkpoints included.
    pub train_seconds: f64,
    /// Steps without an update, because the loss, the gradient or the updated parameters were not finite.
    pub skipped_steps: u64,
    /// Whether a stop was asked for before the last step; a checkpoint was written.
    pub interrupted: bool,
}

/// What ends a training early.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// A file.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The data or the optimiser.
    #[error("training of `{model}` cannot go on after step {step}: {source}")]
    Step {
        /// Model name.
        model: String,
        /// Steps done.
        step: u64,
        /// What went wrong.
        source: StepError,
    },
    /// Nothing, or nothing any more, can be learned: step after step overflows.
    #[error(
        "training of `{model}` learns nothing: {skipped} of {step} steps were skipped, the last ones all, because \
         the loss, the gradient or the updated weights were not finite; lower the learning rate, scale the inputs \
         (features) or outputs, or narrow the sampling ranges"
    )]
    NothingLearned {
        /// Model name.
        model: String,
        /// Steps done.
        step: u64,
        /// Steps skipped.
        skipped: u64,
    },
    /// Not one of the logged steps had a held-out error.
    #[error(
        "training of `{model}` led to no usable model: the held-out error was not finite at any logged step up to {step}; lower \
         the learning rate, raise its warm-up, or try another seed"
    )]
    NeverJudged {
        /// Model name.
        model: String,
        /// Steps done.
        step: u64,
    },
    /// A checkpoint of another training.
    #[error(
        "the checkpoint {path} does not fit this training: {reason}; remove it to start afresh, or use the configuration that wrote it"
    )]
    ForeignCheckpoint {
        /// The checkpoint's path.
        path: String,
        /// What does not fit.
        reason: String,
    },
}

/// Name of the best parameters in a checkpoint.
const BEST: &str = "best_parameters";

/// Sums since the last log line, and what earlier sessions did.
#[derive(Clone, Debug, Default)]
pub struct FitState {
    loss_sum: f64,
    loss_count: u64,
    skipped_in_a_row: u64,
    earlier_seconds: f64,
    best: Option<Best>,
}

/// The parameters of the log line with the least held-out error, of those first whose mass matrix keeps its sign.
#[derive(Clone, Debug, PartialEq)]
pub struct Best {
    /// Steps done.
    pub step: u64,
    /// Whether the mass matrix [has lost its sign](crate::record::MassMatrixSpectrum::sign_is_lost) on the held-out states.
    pub sign_lost: bool,
    /// The held-out error.
    pub error: f64,
    /// The parameters, in double precision.
    pub parameters: Vec<f64>,
}

impl FitState {
    /// The best parameters so far, of a training that [keeps](FitPlan::keep_best) them.
    pub fn best(&self) -> Option<&Best> {
        self.best.as_ref()
    }

    /// Seconds that earlier sessions spent.
    pub fn earlier_seconds(&self) -> f64 {
        self.earlier_seconds
    }

    fn count(&mut self, advanced: &Advanced) {
        self.loss_sum += advanced.loss_sum;
        self.loss_count += advanced.loss_count;
        let before = if advanced.loss_count == 0 { self.skipped_in_a_row } else { 0 };
        self.skipped_in_a_row = before + advanced.skipped_at_end;
    }
}

/// Brings `training` to the last usable checkpoint of its model in the plan's folder, if there is one.
///
/// The notice, to be shown, says that the previous checkpoint had to be used.
///
/// # Errors
/// Checkpoints that are all damaged, or that belong to another training.
pub fn restore<T: Real + Element>(
    training: &mut dyn Trainer<T>,
    plan: &FitPlan<'_>,
) -> Result<(FitState, Option<FallbackNotice>), FitError> {
    let Some(found) = load_checkpoint(plan.folder, plan.model)? else {
        return Ok((FitState::default(), None));
    };
    let foreign = |reason: String| FitError::ForeignCheckpoint {
        path: checkpoint_path(plan.folder, plan.model).display().to_string(),
        reason,
    };
    let Checkpoint { record, .. } = &found.checkpoint;
    if record.configuration != plan.configuration {
        return Err(foreign("it was written under another configuration".to_owned()));
    }
    match load_tensors(training, &found.checkpoint) {
        Ok(()) => {}
        Err(NotLoaded::Foreign(reason)) => return Err(foreign(reason)),
        Err(NotLoaded::Step(source)) => return Err(step_error(plan, record.step, source)),
    }
    let sum = |name: &str| record.sums.get(name).copied().unwrap_or(0.0);
    let counter = |name: &str| record.counters.get(name).copied().unwrap_or(0);
    let state = FitState {
        loss_sum: sum("loss"),
        loss_count: counter("loss_count"),
        skipped_in_a_row: counter("skipped_in_a_row"),
        earlier_seconds: record.train_seconds,
        best: match record.counters.get("best_step") {
            None => None,
            Some(&step) => {
                let parameters = found.checkpoint.vector::<T>(BEST, training.parameter_count());
                let parameters = parameters.map_err(|problem| foreign(problem.to_string()))?;
                let parameters = parameters.iter().map(|p| p.to_f64()).collect();
                let sign_lost = counter("best_sign_lost") == 1;
                Some(Best { step, sign_lost, error: sum("best_error"), parameters })
            }
        },
    };
    Ok((state, found.notice))
}

/// Why a checkpoint's tensors could not be taken over.
enum NotLoaded {
    /// They are not of this training.
    Foreign(String),
    /// Their device has a fault.
    Step(StepError),
}

fn load_tensors<T: Real + Element>(training: &mut dyn Trainer<T>, checkpoint: &Checkpoint) -> Result<(), NotLoaded> {
    let problem = |problem: TensorProblem| NotLoaded::Foreign(problem.to_string());
    let parameters = checkpoint.vector::<T>("parameters", training.parameter_count()).map_err(problem)?;
    let state = TrainingState {
        parameters: Cow::Borrowed(parameters),
        optimiser: checkpoint.state::<T>("optimiser").map_err(problem)?,
        clip: checkpoint.state::<T>("clip").map_err(problem)?,
    };
    training.restore(checkpoint.record.step, &state).map_err(|error| match error {
        StepError::Device(_) => NotLoaded::Step(error),
        StepError::Optimiser(_) | StepError::Data(_) => NotLoaded::Foreign(error.to_string()),
    })
}

/// Trains to the plan's last step, or until `stop` is set.
///
/// `judge` sees the parameters of each log line's step, in double precision. A line is appended before the checkpoint
/// that covers it, so a resumed run writes the same lines.
///
/// # Errors
/// A file that cannot be written, data that are not finite, an optimiser that cannot go on, or a training that learns nothing: 1000 skipped
/// steps in a row, or a whole run of them. A state that [`restore`] would refuse is never written.
pub fn fit<T: Real + Element>(
    training: &mut dyn Trainer<T>,
    plan: &FitPlan<'_>,
    state: &mut FitState,
    judge: &mut dyn FnMut(&[f64]) -> Judged,
    log: &mut MetricsLog,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(Progress),
) -> Result<FitResult, FitError> {
    let start = Instant::now();
    let first_step = training.step_count();
    let (mut last_checkpoint, mut last_progress) = (start, start);
    let (mut acceleration_l1, mut held_out_error) = (None, None);
    while training.step_count() < plan.steps {
        let before = training.step_count();
        let advanced = training.advance(next_logged(before, plan));
        let step = training.step_count();
        let advanced = advanced.map_err(|source| step_error(plan, step, source))?;
        state.count(&advanced);
        let loss = state.loss_sum / state.loss_count as f64;
        let logged = is_logged(step, plan);
        if logged {
            let parameters = training.parameters().map_err(|source| step_error(plan, step, source))?;
            let parameters: Vec<f64> = parameters.iter().map(|p| p.to_f64()).collect();
            let judged = judge(&parameters);
            acceleration_l1 = Some(judged.acceleration_l1).filter(|l1| !l1.is_nan());
            held_out_error = judged.held_out_error;
            log.append(&MetricsLine {
                model: plan.model.to_owned(),
                step,
                samples: step * training.batch() as u64,
                loss,
                learning_rate: advanced.learning_rate,
                gradient_norm: advanced.gradient_norm,
                skipped_steps: training.skipped_steps(),
                acceleration_l1: judged.acceleration_l1,
                vector_field_l1: judged.vector_field_l1,
                mass_matrix: judged.mass_matrix,
                held_out_error,
            })?;
            // The error is a mean: with half of the states on the wrong side of a singular mass matrix it may still be the least.
            let sign_lost = judged.mass_matrix.is_some_and(|matrix| matrix.sign_is_lost());
            if let Some(error) = held_out_error.filter(|error| plan.keep_best && error.is_finite())
                && state.best.as_ref().is_none_or(|best| (sign_lost, error) < (best.sign_lost, best.error))
            {
                state.best = Some(Best { step, sign_lost, error, parameters });
            }
            (state.loss_sum, state.loss_count) = (0.0, 0);
        }
        give_up_if_hopeless([step, training.skipped_steps()], plan, state)?;
        let now = Instant::now();
        if logged || now - last_progress >= PROGRESS_INTERVAL {
            last_progress = now;
            let steps_per_second = (step - first_step) as f64 / (now - start).as_secs_f64();
            let learning_rate = advanced.learning_rate;
            observe(Progress { step, loss, learning_rate, steps_per_second, acceleration_l1, held_out_error, logged });
        }
        let stopping = stop.load(Ordering::Relaxed);
        if stopping || step == plan.steps || now - last_checkpoint >= plan.checkpoint_every {
            last_checkpoint = now;
            let tensors = training.state().map_err(|source| step_error(plan, step, source))?;
            check_finite(&tensors.optimiser).map_err(|source| step_error(plan, step, source.into()))?;
            let seconds = state.earlier_seconds + start.elapsed().as_secs_f64();
            save_checkpoint(plan.folder, &checkpoint(&tensors, step, plan, state, seconds))?;
        }
        if stopping {
            break;
        }
    }
    Ok(FitResult {
        steps: training.step_count(),
        train_seconds: state.earlier_seconds + start.elapsed().as_secs_f64(),
        skipped_steps: training.skipped_steps(),
        interrupted: training.step_count() < plan.steps,
    })
}

fn is_logged(step: u64, plan: &FitPlan<'_>) -> bool {
    let early = step < plan.log_every && EARLY_LOGGED_STEPS.contains(&step);
    early || step.is_multiple_of(plan.log_every) || step == plan.steps
}

/// The first step after `step` that is logged, or the last one.
fn next_logged(step: u64, plan: &FitPlan<'_>) -> u64 {
    let multiple = (step / plan.log_every + 1).saturating_mul(plan.log_every);
    let early = EARLY_LOGGED_STEPS.into_iter().find(|&early| early > step && early < plan.log_every);
    multiple.min(early.unwrap_or(u64::MAX)).min(plan.steps)
}

fn step_error(plan: &FitPlan<'_>, step: u64, source: StepError) -> FitError {
    FitError::Step { model: plan.model.to_owned(), step, source }
}

fn give_up_if_hopeless([step, skipped]: [u64; 2], plan: &FitPlan<'_>, state: &FitState) -> Result<(), FitError> {
    if state.skipped_in_a_row < MOST_SKIPPED_IN_A_ROW && (step < plan.steps || skipped < step) {
        return Ok(());
    }
    Err(FitError::NothingLearned { model: plan.model.to_owned(), step, skipped })
}

fn checkpoint<T: Real + Element>(
    tensors: &TrainingState<'_, T>,
    step: u64,
    plan: &FitPlan<'_>,
    state: &FitState,
    train_seconds: f64,
) -> Checkpoint {
    let mut checkpoint = Checkpoint {
        record: CheckpointRecord {
            model: plan.model.to_owned(),
            configuration: plan.configuration.to_owned(),
            step,
            seed: plan.seed,
            train_seconds,
            counters: BTreeMap::from([
                ("loss_count".to_owned(), state.loss_count),
                ("skipped_in_a_row".to_owned(), state.skipped_in_a_row),
            ]),
            sums: BTreeMap::from([("loss".to_owned(), state.loss_sum)]),
        },
        tensors: BTreeMap::new(),
    };
    checkpoint.insert("parameters", &tensors.parameters);
    checkpoint.insert_state("optimiser", &tensors.optimiser);
    checkpoint.insert_state("clip", &tensors.clip);
    if let Some(Best { step, sign_lost, error, parameters }) = &state.best {
        checkpoint.record.counters.insert("best_step".to_owned(), *step);
        checkpoint.record.counters.insert("best_sign_lost".to_owned(), u64::from(*sign_lost));
        checkpoint.record.sums.insert("best_error".to_owned(), *error);
        let parameters: Vec<T> = parameters.iter().map(|&p| T::from_f64(p)).collect();
        checkpoint.insert(BEST, &parameters);
    }
    checkpoint
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_logged_step_is_stopped_at_and_no_other() {
        for (log_every, steps) in [(1, 5), (3, 20), (25, 60), (100, 100), (1000, 250), (7, 500)] {
            let folder = Path::new("");
            let checkpoint_every = Duration::MAX;
            let (model, configuration, seed, keep_best) = ("m", "", 0, false);
            let plan = FitPlan { model, steps, log_every, checkpoint_every, folder, configuration, seed, keep_best };
            let logged: Vec<u64> = (1..=steps).filter(|&step| is_logged(step, &plan)).collect();
            let mut step = 0;
            let mut stops = Vec::new();
            while step < steps {
                step = next_logged(step, &plan);
                stops.push(step);
            }
            assert_eq!(stops, logged, "{log_every} {steps}");
        }
    }

    #[test]
    fn skipped_steps_in_a_row_add_up_over_calls_until_one_is_made() {
        let mut state = FitState::default();
        let skipped = |at_end, made| Advanced { skipped_at_end: at_end, loss_count: made, ..Advanced::default() };
        for (advanced, in_a_row) in [(skipped(3, 0), 3), (skipped(4, 0), 7), (skipped(2, 1), 2), (skipped(0, 5), 0)] {
            state.count(&advanced);
            assert_eq!(state.skipped_in_a_row, in_a_row);
        }
        assert_eq!(state.loss_count, 6);
    }
}
