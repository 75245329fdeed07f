//! What the training loop keeps of a network beside its trainer, and all of it in a checkpoint.

use std::borrow::Cow;
use std::collections::BTreeMap;

use lnn_autodiff::Real;

use super::error::FitError;
use super::session::{FitMember, FitPlan};
use super::trainer::{Advanced, Trainer, TrainingState};
use super::training::StepError;
use crate::store::{
    Checkpoint, CheckpointRecord, Element, FallbackNotice, TensorProblem, checkpoint_path, load_checkpoint,
};

/// Name of the best parameters in a checkpoint.
const BEST: &str = "best_parameters";

/// Sums since the last log line, and what earlier sessions did.
#[derive(Clone, Debug, Default)]
pub struct FitState {
    loss_sum: f64,
    loss_count: u64,
    skipped_in_a_row: u64,
    earlier_seconds: f64,
    /// Of all sessions.
    seconds: f64,
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

    /// Seconds that all sessions spent.
    pub(super) fn seconds(&self) -> f64 {
        self.seconds
    }

    pub(super) fn spend(&mut self, seconds: f64) {
        self.seconds += seconds;
    }

    pub(super) fn count(&mut self, advanced: &Advanced) {
        self.loss_sum += advanced.loss_sum;
        self.loss_count += advanced.loss_count;
        let before = if advanced.loss_count == 0 { self.skipped_in_a_row } else { 0 };
        self.skipped_in_a_row = before + advanced.skipped_at_end;
    }

    /// Steps without an update at the end of those that were made.
    pub(super) fn skipped_in_a_row(&self) -> u64 {
        self.skipped_in_a_row
    }

    /// Mean loss since the last log line.
    pub(super) fn loss(&self) -> f64 {
        self.loss_sum / self.loss_count as f64
    }

    /// After a log line.
    pub(super) fn begin_line(&mut self) {
        (self.loss_sum, self.loss_count) = (0.0, 0);
    }

    /// Keeps `new` if it is better than what is kept.
    pub(super) fn keep_better(&mut self, new: Best) {
        let rank = |best: &Best| (best.sign_lost, best.error);
        if self.best.as_ref().is_none_or(|best| rank(&new) < rank(best)) {
            self.best = Some(new);
        }
    }
}

/// Brings `training` to the last usable checkpoints of its members in the plan's folder, if there are any.
///
/// The notices, to be shown, say where a previous checkpoint had to be used.
///
/// # Errors
/// Checkpoints that are all damaged, that belong to another training, or members that stand at different steps.
///
/// # Panics
/// If the plan has another number of members than `training`.
pub fn restore<T: Real + Element>(
    training: &mut dyn Trainer<T>,
    plan: &FitPlan<'_>,
) -> Result<(Vec<FitState>, Vec<FallbackNotice>), FitError> {
    assert_eq!(plan.members.len(), training.members(), "members of the plan");
    let mut found = Vec::with_capacity(plan.members.len());
    for member in plan.members {
        found.extend(load_checkpoint(plan.folder, member.name)?);
    }
    let Some(first) = found.first() else {
        return Ok((vec![FitState::default(); plan.members.len()], Vec::new()));
    };
    let step = first.checkpoint.record.step;
    let foreign = |member: &FitMember<'_>, reason: String| FitError::ForeignCheckpoint {
        path: checkpoint_path(plan.folder, member.name).display().to_string(),
        reason,
    };
    if found.len() < plan.members.len() {
        let path = foreign(&plan.members[0], "other members of the ensemble have none".to_owned());
        return Err(path);
    }
    let (mut states, mut tensors, mut notices) = (Vec::new(), Vec::new(), Vec::new());
    for (member, found) in plan.members.iter().zip(&found) {
        let Checkpoint { record, .. } = &found.checkpoint;
        if record.configuration != member.configuration {
            return Err(foreign(member, "it was written under another configuration".to_owned()));
        }
        if record.step != step {
            return Err(foreign(member, format!("it is of step {}, and another member's of step {step}", record.step)));
        }
        let problem = |problem: TensorProblem| foreign(member, problem.to_string());
        tensors.push(state_of::<T>(&found.checkpoint, training.parameter_count()).map_err(problem)?);
        states.push(loop_state::<T>(&found.checkpoint, training.parameter_count()).map_err(problem)?);
        notices.extend(found.notice.clone());
    }
    match training.restore(step, &tensors) {
        Ok(()) => Ok((states, notices)),
        Err(source @ StepError::Device(_)) => Err(FitError::Step { model: plan.model.to_owned(), step, source }),
        Err(error) => Err(foreign(&plan.members[0], error.to_string())),
    }
}

fn state_of<T: Real + Element>(
    checkpoint: &Checkpoint,
    parameters: usize,
) -> Result<TrainingState<'_, T>, TensorProblem> {
    Ok(TrainingState {
        parameters: Cow::Borrowed(checkpoint.vector::<T>("parameters", parameters)?),
        optimiser: checkpoint.state::<T>("optimiser")?,
        clip: checkpoint.state::<T>("clip")?,
    })
}

fn loop_state<T: Real + Element>(checkpoint: &Checkpoint, parameters: usize) -> Result<FitState, TensorProblem> {
    let record = &checkpoint.record;
    let sum = |name: &str| record.sums.get(name).copied().unwrap_or(0.0);
    let counter = |name: &str| record.counters.get(name).copied().unwrap_or(0);
    let best = match record.counters.get("best_step") {
        None => None,
        Some(&step) => {
            let parameters = checkpoint.vector::<T>(BEST, parameters)?.iter().map(|p| p.to_f64()).collect();
            let sign_lost = counter("best_sign_lost") == 1;
            Some(Best { step, sign_lost, error: sum("best_error"), parameters })
        }
    };
    Ok(FitState {
        loss_sum: sum("loss"),
        loss_count: counter("loss_count"),
        skipped_in_a_row: counter("skipped_in_a_row"),
        earlier_seconds: record.train_seconds,
        seconds: record.train_seconds,
        best,
    })
}

/// A member's checkpoint at `step`.
pub(super) fn checkpoint<T: Real + Element>(
    tensors: &TrainingState<'_, T>,
    step: u64,
    member: &FitMember<'_>,
    state: &FitState,
) -> Checkpoint {
    let counters = BTreeMap::from([
        ("loss_count".to_owned(), state.loss_count),
        ("skipped_in_a_row".to_owned(), state.skipped_in_a_row),
    ]);
    let sums = BTreeMap::from([("loss".to_owned(), state.loss_sum)]);
    let mut checkpoint = empty(step, member, state);
    (checkpoint.record.counters, checkpoint.record.sums) = (counters, sums);
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

/// What stays of a member that was lost at `step`: why, and no tensors.
pub(super) fn lost_checkpoint(
    step: u64,
    skipped: u64,
    fault: &FitError,
    member: &FitMember<'_>,
    state: &FitState,
) -> Checkpoint {
    let mut checkpoint = empty(step, member, state);
    checkpoint.record.lost = Some(fault.to_string());
    checkpoint.record.counters.insert("skipped".to_owned(), skipped);
    checkpoint
}

fn empty(step: u64, member: &FitMember<'_>, state: &FitState) -> Checkpoint {
    Checkpoint {
        record: CheckpointRecord {
            model: member.name.to_owned(),
            configuration: member.configuration.to_owned(),
            step,
            seed: member.seed,
            train_seconds: state.seconds,
            lost: None,
            counters: BTreeMap::new(),
            sums: BTreeMap::new(),
        },
        tensors: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
