//! The learned right-hand side, and what it does where a mass matrix has lost rank.

use std::sync::atomic::AtomicBool;

use super::integrate::RightHandSide;
use super::{EndCause, Singularity, Stopped, go_on};
use crate::rollout::{LearnedField, TrainedModel};

/// What happens to a motion at a state whose mass matrix has lost rank, by the model's own tolerance, is not finite, or has
/// another number of negative eigenvalues than at the start, so that a singular one lies between: a fixed step jumps
/// over it, and a matrix of one coordinate, which is large beside nothing else, has rank 1 until it is exactly 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtSingularity {
    /// The motion ends there.
    End,
    /// It goes on with the acceleration of least norm, by the pseudoinverse.
    GoOn,
}

/// Rates of change of a few states of a learned motion.
pub(super) struct LearnedRates<'a> {
    pub(super) trained: &'a TrainedModel<f64>,
    pub(super) field: LearnedField<f64>,
    /// `[rows, c]`.
    pub(super) conditionals: &'a [f64],
    pub(super) at_singularity: AtSingularity,
    /// Whether a refused state may be tried again closer by, as by an adaptive method: then only the last one counts.
    pub(super) retried: bool,
    pub(super) stop: &'a AtomicBool,
    /// One a row.
    pub(super) refused: Vec<Option<Box<Singularity>>>,
    /// Negative eigenvalues of each row's mass matrix at the start.
    pub(super) negative: Vec<Option<usize>>,
}

impl RightHandSide for LearnedRates<'_> {
    /// A singular state has no rates: NaN, which every integrator takes for a state that it must not enter.
    fn evaluate(&mut self, t: f64, states: &[f64], states_dot: &mut [f64]) -> Result<(), Stopped> {
        go_on(self.stop)?;
        self.field.evaluate(self.trained, states, self.conditionals, states_dot);
        if self.at_singularity == AtSingularity::GoOn {
            return Ok(());
        }
        let Some(factors) = self.field.mass_matrices() else { return Ok(()) };
        let width = states.len() / self.refused.len();
        for (row, refused) in self.refused.iter_mut().enumerate() {
            let state = &states[row * width..(row + 1) * width];
            let eigenvalues = if factors.is_finite(row) { factors.eigenvalues(row) } else { &[] };
            let negative = eigenvalues.iter().filter(|&&value| value < 0.0).count();
            let full_rank = factors.is_full_rank(row);
            let at_start = match self.negative[row] {
                None if full_rank => *self.negative[row].insert(negative),
                at_start => at_start.unwrap_or(negative),
            };
            let crossed = full_rank && negative != at_start;
            let regular = full_rank && !crossed;
            if !regular {
                states_dot[row * width..(row + 1) * width].fill(f64::NAN);
            }
            // A stage after a refused one stands nowhere and says nothing.
            if state.iter().any(|value| !value.is_finite()) || (refused.is_some() && !self.retried) {
                continue;
            }
            *refused = (!regular).then(|| Box::new(Singularity::new(t, state, eigenvalues, crossed)));
        }
        Ok(())
    }

    fn refusal(&mut self, row: usize) -> Option<EndCause> {
        self.refused[row].take().map(EndCause::SingularMassMatrix)
    }
}
