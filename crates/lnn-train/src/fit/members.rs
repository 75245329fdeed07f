//! The members of a training in step with each other: what the loop does to each of them that goes on.

use std::time::Instant;

use lnn_autodiff::Real;

use super::error::FitError;
use super::session::{FitPlan, FitResult, Judge, MemberEnd, next_logged};
use super::state::{Best, FitState, checkpoint, lost_checkpoint};
use super::trainer::{Advanced, Trainer};
use super::training::StepError;
use crate::optimiser::check_finite;
use crate::record::{Judged, MetricsLine};
use crate::spread::median;
use crate::store::{Element, MetricsLog, save_checkpoint};

/// Steps without an update, one after the other, after which a training is given up: it never recovers when
/// each step starts from the same parameters and meets an overflow in a fresh batch.
const MOST_SKIPPED_IN_A_ROW: u64 = 1000;

/// A trainer's members with what the loop knows of them.
pub(super) struct Members<'a, 'b, T: Real> {
    training: &'a mut dyn Trainer<T>,
    plan: &'a FitPlan<'b>,
    states: &'a mut [FitState],
    /// Of the last call.
    advanced: Vec<Advanced>,
    lost: Vec<Option<Loss>>,
    /// Up to here time is shared out.
    counted: Instant,
}

/// The end of a member that can learn no more.
struct Loss {
    step: u64,
    /// Steps that it had skipped by then; a trainer may go on to count.
    skipped: u64,
    fault: FitError,
}

impl<'a, 'b, T: Real + Element> Members<'a, 'b, T> {
    /// # Panics
    /// If plan, states and `training` have not as many members.
    pub(super) fn new(
        training: &'a mut dyn Trainer<T>,
        plan: &'a FitPlan<'b>,
        states: &'a mut [FitState],
        start: Instant,
    ) -> Self {
        let count = training.members();
        assert_eq!((plan.members.len(), states.len()), (count, count), "members of plan and state");
        let lost = (0..count).map(|_| None).collect();
        Self { training, plan, states, advanced: vec![Advanced::default(); count], lost, counted: start }
    }

    pub(super) fn step_count(&self) -> u64 {
        self.training.step_count()
    }

    pub(super) fn learning_rate(&self) -> f64 {
        self.advanced[0].learning_rate
    }

    fn goes_on(&self, member: usize) -> bool {
        self.lost[member].is_none()
    }

    /// Whether one of them goes on.
    pub(super) fn any(&self) -> bool {
        self.lost.iter().any(Option::is_none)
    }

    fn error(&self, member: usize, source: StepError) -> FitError {
        FitError::Step { model: self.plan.members[member].name.to_owned(), step: self.step_count(), source }
    }

    /// Steps to the next log line at most.
    pub(super) fn advance(&mut self) -> Result<(), FitError> {
        let next = next_logged(self.step_count(), self.plan);
        let outcome = self.training.advance(next, &mut self.advanced);
        if let Err(source) = outcome {
            return Err(FitError::Step { model: self.plan.model.to_owned(), step: self.step_count(), source });
        }
        for member in 0..self.states.len() {
            if !self.goes_on(member) {
                continue;
            }
            self.states[member].count(&self.advanced[member]);
            if let Some(fault) = self.advanced[member].fault.take() {
                self.lose(member, self.error(member, fault.into()))?;
            }
        }
        Ok(())
    }

    /// Mean since the last log line.
    pub(super) fn loss(&self) -> f64 {
        let going = (0..self.states.len()).filter(|&member| self.goes_on(member));
        median(going.map(|member| self.states[member].loss()))
    }

    /// What was judged of those that go on.
    pub(super) fn write_lines(&mut self, judge: &mut Judge<'_>, log: &mut MetricsLog) -> Result<Vec<Judged>, FitError> {
        let step = self.step_count();
        let mut parameters = Vec::with_capacity(self.states.len());
        for member in 0..self.states.len() {
            if !self.goes_on(member) {
                continue;
            }
            match self.training.parameters(member) {
                Ok(read) => parameters.push((member, read.iter().map(|p| p.to_f64()).collect::<Vec<f64>>())),
                Err(source) => return Err(self.error(member, source)),
            }
        }
        let judged = judge(&parameters);
        for ((member, parameters), judged) in parameters.into_iter().zip(&judged) {
            let (state, advanced) = (&mut self.states[member], &self.advanced[member]);
            let Judged { acceleration_l1, vector_field_l1, mass_matrix, held_out_error } = *judged;
            log.append(&MetricsLine {
                model: self.plan.model.to_owned(),
                seed: self.plan.ensemble.then_some(self.plan.members[member].seed),
                step,
                samples: step * self.training.batch() as u64,
                loss: state.loss(),
                learning_rate: advanced.learning_rate,
                gradient_norm: advanced.gradient_norm,
                skipped_steps: self.training.skipped_steps(member),
                acceleration_l1,
                vector_field_l1,
                mass_matrix,
                held_out_error,
            })?;
            // The error is a mean: with half of the states on the wrong side of a singular mass matrix it may still be the least.
            let sign_lost = mass_matrix.is_some_and(|matrix| matrix.sign_is_lost());
            if let Some(error) = held_out_error.filter(|error| self.plan.keep_best && error.is_finite()) {
                state.keep_better(Best { step, sign_lost, error, parameters });
            }
            state.begin_line();
        }
        Ok(judged)
    }

    /// Those that have only skipped steps, for long or to the end.
    pub(super) fn give_up_the_hopeless(&mut self) -> Result<(), FitError> {
        let step = self.step_count();
        for member in 0..self.states.len() {
            if !self.goes_on(member) {
                continue;
            }
            let skipped = self.training.skipped_steps(member);
            let all = step == self.plan.steps && skipped == step;
            if all || self.states[member].skipped_in_a_row() >= MOST_SKIPPED_IN_A_ROW {
                let model = self.plan.members[member].name.to_owned();
                self.lose(member, FitError::NothingLearned { model, step, skipped })?;
            }
        }
        Ok(())
    }

    /// A member ends and the others go on.
    fn lose(&mut self, member: usize, fault: FitError) -> Result<(), FitError> {
        self.spend_time();
        let (step, skipped) = (self.step_count(), self.training.skipped_steps(member));
        if self.plan.ensemble {
            let kept = lost_checkpoint(step, skipped, &fault, &self.plan.members[member], &self.states[member]);
            save_checkpoint(self.plan.folder, &kept)?;
        }
        self.lost[member] = Some(Loss { step, skipped, fault });
        Ok(())
    }

    /// Shares out the time since the last call among those that go on.
    pub(super) fn spend_time(&mut self) {
        let now = Instant::now();
        let share = (now - self.counted).as_secs_f64() / self.lost.iter().filter(|lost| lost.is_none()).count() as f64;
        self.counted = now;
        for (state, lost) in self.states.iter_mut().zip(&self.lost) {
            if lost.is_none() {
                state.spend(share);
            }
        }
    }

    /// A checkpoint for each that goes on.
    pub(super) fn save(&mut self) -> Result<(), FitError> {
        self.spend_time();
        let step = self.step_count();
        for member in 0..self.states.len() {
            if !self.goes_on(member) {
                continue;
            }
            let saved = self.training.state(member).and_then(|tensors| {
                check_finite(&tensors.optimiser)?;
                Ok(checkpoint(&tensors, step, &self.plan.members[member], &self.states[member]))
            });
            match saved {
                Ok(checkpoint) => save_checkpoint(self.plan.folder, &checkpoint)?,
                Err(source @ StepError::Optimiser(_)) => self.lose(member, self.error(member, source))?,
                Err(source) => return Err(self.error(member, source)),
            }
        }
        Ok(())
    }

    pub(super) fn end(self) -> Vec<MemberEnd> {
        let last = self.training.step_count();
        let end = |(member, lost): (usize, Option<Loss>)| {
            let steps = lost.as_ref().map_or(last, |loss| loss.step);
            let skipped_steps = lost.as_ref().map_or_else(|| self.training.skipped_steps(member), |loss| loss.skipped);
            let result = FitResult {
                steps,
                train_seconds: self.states[member].seconds(),
                skipped_steps,
                interrupted: lost.is_none() && steps < self.plan.steps,
            };
            MemberEnd { result, fault: lost.map(|loss| loss.fault) }
        };
        self.lost.into_iter().enumerate().map(end).collect()
    }
}

#[cfg(test)]
mod tests;
