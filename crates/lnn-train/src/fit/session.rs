//! A whole training: steps, log lines, checkpoints, resumption and interruption.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lnn_autodiff::Real;

use super::error::FitError;
use super::members::Members;
use super::state::FitState;
use super::trainer::Trainer;
use crate::record::Judged;
use crate::spread::median;
use crate::store::{Element, MetricsLog};

/// Time between two calls of the observer.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// Steps besides the multiples of [`FitPlan::log_every`] that are logged where they come before the first of
/// these: a learning curve on a logarithmic axis would otherwise miss its start.
const EARLY_LOGGED_STEPS: [u64; 8] = [1, 2, 5, 10, 20, 50, 100, 200];

/// What a training is called and how often it writes.
#[derive(Clone, Debug)]
pub struct FitPlan<'a> {
    /// Model name.
    pub model: &'a str,
    /// The networks that are trained together, in the trainer's order.
    pub members: &'a [FitMember<'a>],
    /// Whether these are members of an ensemble, also if it is one alone: log lines then say whose they are, and what ends one
    /// member is kept in place of its checkpoint, so that a resumed run does not begin with it again.
    pub ensemble: bool,
    /// Steps in all.
    pub steps: u64,
    /// Steps between log lines; the last step is always logged, and some early ones are.
    pub log_every: u64,
    /// Time between checkpoints.
    pub checkpoint_every: Duration,
    /// Folder of the checkpoints.
    pub folder: &'a Path,
    /// Whether the parameters with the least held-out error of all log lines, a sound mass matrix first, are kept, in [`FitState::best`].
    pub keep_best: bool,
}

/// A network in training, as its files know it.
#[derive(Clone, Copy, Debug)]
pub struct FitMember<'a> {
    /// Name of its checkpoint.
    pub name: &'a str,
    /// Fingerprint of its configuration.
    pub configuration: &'a str,
    /// Its seed.
    pub seed: u64,
}

/// Where a training stands; shown to a person. Of several members the medians.
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
    /// Seconds spent in [`fit`], log lines and checkpoints included; members that are trained together share them evenly.
    pub train_seconds: f64,
    /// Steps without an update, because the loss, the gradient or the updated parameters were not finite.
    pub skipped_steps: u64,
    /// Whether a stop was asked for before the last step; a checkpoint was written.
    pub interrupted: bool,
}

/// How a member's training ended.
#[derive(Debug)]
pub struct MemberEnd {
    /// How far it came.
    pub result: FitResult,
    /// Why it can learn no more, if that ended it: the others went on.
    pub fault: Option<FitError>,
}

/// What log lines say of members by their numbers and parameters, in double precision.
pub type Judge<'a> = dyn FnMut(&[(usize, Vec<f64>)]) -> Vec<Judged> + 'a;

/// Trains to the plan's last step, or until `stop` is set; a member that can learn no more leaves the others alone.
///
/// `judge` sees the parameters of each log line's step. Lines are appended before the checkpoints that cover them, so a
/// resumed run writes the same lines.
///
/// # Errors
/// A file that cannot be written, data that are not finite, or a device that fails. A state that
/// [`restore`](super::restore) would refuse is never written.
///
/// # Panics
/// If the plan, the states and `training` have not as many members.
pub fn fit<T: Real + Element>(
    training: &mut dyn Trainer<T>,
    plan: &FitPlan<'_>,
    states: &mut [FitState],
    judge: &mut Judge<'_>,
    log: &mut MetricsLog,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(Progress),
) -> Result<Vec<MemberEnd>, FitError> {
    let start = Instant::now();
    let first_step = training.step_count();
    let (mut last_checkpoint, mut last_progress) = (start, start);
    let (mut acceleration_l1, mut held_out_error) = (None, None);
    let mut members = Members::new(training, plan, states, start);
    while members.step_count() < plan.steps && members.any() {
        members.advance()?;
        let step = members.step_count();
        let logged = is_logged(step, plan);
        let due = logged || last_progress.elapsed() >= PROGRESS_INTERVAL;
        let loss = if due { members.loss() } else { f64::NAN };
        if logged && members.any() {
            let judged = members.write_lines(judge, log)?;
            let l1 = median(judged.iter().map(|judged| judged.acceleration_l1));
            acceleration_l1 = (!l1.is_nan()).then_some(l1);
            held_out_error = judged.first().and_then(|judged| judged.held_out_error);
        }
        members.give_up_the_hopeless()?;
        let now = Instant::now();
        if due && members.any() {
            last_progress = now;
            let steps_per_second = (step - first_step) as f64 / (now - start).as_secs_f64();
            let learning_rate = members.learning_rate();
            observe(Progress { step, loss, learning_rate, steps_per_second, acceleration_l1, held_out_error, logged });
        }
        let stopping = stop.load(Ordering::Relaxed);
        if stopping || step == plan.steps || now - last_checkpoint >= plan.checkpoint_every {
            last_checkpoint = now;
            members.save()?;
        }
        if stopping {
            break;
        }
    }
    members.spend_time();
    Ok(members.end())
}

fn is_logged(step: u64, plan: &FitPlan<'_>) -> bool {
    let early = step < plan.log_every && EARLY_LOGGED_STEPS.contains(&step);
    early || step.is_multiple_of(plan.log_every) || step == plan.steps
}

/// The first step after `step` that is logged, or the last one.
pub(super) fn next_logged(step: u64, plan: &FitPlan<'_>) -> u64 {
    let multiple = (step / plan.log_every + 1).saturating_mul(plan.log_every);
    let early = EARLY_LOGGED_STEPS.into_iter().find(|&early| early > step && early < plan.log_every);
    multiple.min(early.unwrap_or(u64::MAX)).min(plan.steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_logged_step_is_stopped_at_and_no_other() {
        for (log_every, steps) in [(1, 5), (3, 20), (25, 60), (100, 100), (1000, 250), (7, 500)] {
            let folder = Path::new("");
            let checkpoint_every = Duration::MAX;
            let (model, members, ensemble, keep_best) = ("m", &[], false, false);
            let plan = FitPlan { model, members, ensemble, steps, log_every, checkpoint_every, folder, keep_best };
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
}
