//! Many starts to many motions, for any right-hand side.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use lnn_physics::integrators::{IntegrationError, IntegrationFailure, Method, solve_at, solve_batch_at};
use rayon::prelude::*;

use super::{EndCause, Ending, Motion, MotionError, Starts, Stopped};

/// Motions a lockstep batch; fixed, so that results do not depend on the number of threads.
pub(super) const BATCH: usize = 10;

/// Rates of change of one state, or of a batch of states.
pub(crate) trait RightHandSide {
    /// Writes the rates of `states` `[rows, 2d]`, at time `t`, to `states_dot`.
    ///
    /// # Errors
    /// [`Stopped`] once a stop was asked for.
    fn evaluate(&mut self, t: f64, states: &[f64], states_dot: &mut [f64]) -> Result<(), Stopped>;

    /// Why the state of `row` had no rates when it was asked for last, if that was no overflow.
    fn refusal(&mut self, _row: usize) -> Option<EndCause> {
        None
    }
}

/// Integrates each start by itself, in parallel; `rates` makes the right-hand side of one.
///
/// # Errors
/// [`MotionError`]; a motion that ends early is none.
pub(crate) fn one_by_one<R: RightHandSide>(
    method: &Method,
    starts: Starts<'_>,
    stop: &AtomicBool,
    rates: impl Fn(Range<usize>) -> R + Sync,
) -> Result<Vec<Motion>, MotionError> {
    method.validate()?;
    let integrate = |(start, initial): (usize, &[f64])| {
        let mut rates = rates(start..start + 1);
        let derivative = |t: f64, state: &[f64], state_dot: &mut [f64]| rates.evaluate(t, state, state_dot);
        match solve_at(method, derivative, initial, starts.times) {
            Ok(solved) => Ok(Motion { states: solved.states, ending: None, statistics: solved.statistics }),
            Err(failure) if failure.partial.is_empty() || stop.load(Ordering::Relaxed) => Err(refused(failure, stop)),
            Err(IntegrationFailure { error, partial }) => {
                let cause = match error {
                    IntegrationError::NonFinite { .. } | IntegrationError::StepUnderflow { .. } => rates.refusal(0),
                    _ => None,
                };
                let time = starts.times[partial.len() - 1];
                let ending = Some(Ending { time, cause: cause.unwrap_or(EndCause::Integration(error)) });
                Ok(Motion { states: partial.states, ending, statistics: partial.statistics })
            }
        }
    };
    starts.states.par_chunks(2 * starts.degrees_of_freedom).enumerate().map(integrate).collect()
}

/// Integrates batches in lockstep by RK4 with steps of at most `dt`, in parallel; `rates` makes the right-hand side of
/// one batch.
///
/// # Errors
/// As [`one_by_one`].
pub(super) fn in_lockstep<R: RightHandSide>(
    dt: f64,
    starts: Starts<'_>,
    stop: &AtomicBool,
    rates: impl Fn(Range<usize>) -> R + Sync,
) -> Result<Vec<Motion>, MotionError> {
    let (width, times) = (2 * starts.degrees_of_freedom, starts.times);
    let integrate = |(batch, initial): (usize, &[f64])| -> Result<Vec<Motion>, MotionError> {
        let (first, rows) = (batch * BATCH, initial.len() / width);
        let mut rates = rates(first..first + rows);
        let derivative = |t: f64, states: &[f64], states_dot: &mut [f64]| rates.evaluate(t, states, states_dot);
        let solved = solve_batch_at(dt, derivative, initial, width, times).map_err(|failure| refused(failure, stop))?;
        let motion = |row: usize| {
            let failure = solved.failure(row);
            let frames = failure.map_or(times.len(), |failure| failure.valid_times);
            let mut states = Vec::with_capacity(frames * width);
            for frame in 0..frames {
                states.extend_from_slice(solved.state(frame, row));
            }
            let ending = failure.map(|failure| Ending {
                time: times[failure.valid_times.saturating_sub(1)],
                cause: rates.refusal(row).unwrap_or(EndCause::NonFinite { time: failure.time }),
            });
            Motion { states, ending, statistics: solved.rows.statistics }
        };
        Ok((0..rows).map(motion).collect())
    };
    let batches: Result<Vec<Vec<Motion>>, MotionError> =
        starts.states.par_chunks(BATCH * width).enumerate().map(integrate).collect();
    Ok(batches?.into_iter().flatten().collect())
}

/// Why a whole batch, or a motion without a frame, failed. The flag is asked instead of the error: an adaptive method
/// answers a refusal by shorter steps, and ends with an error of its own.
fn refused(failure: IntegrationFailure<Stopped>, stop: &AtomicBool) -> MotionError {
    if stop.load(Ordering::Relaxed) {
        return MotionError::Stopped;
    }
    match failure.error {
        IntegrationError::Input(input) => MotionError::Input(input),
        other => MotionError::Integration(other),
    }
}
