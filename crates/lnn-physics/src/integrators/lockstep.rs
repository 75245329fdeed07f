//! Many trajectories advanced together, so that a batched right-hand side is evaluated once a
//! stage.

use super::error::{IntegrationError, IntegrationFailure, InvalidInput};
use super::rk4::Rk4;
use super::solve::{equal_steps, validate_state, validate_times};
use super::trajectory::Trajectory;
use super::{FixedStep, positive};

/// A trajectory of a batch that stopped being finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowFailure {
    /// Index of the trajectory in the batch.
    pub trajectory: usize,
    /// Time at which the failing step starts.
    pub time: f64,
    /// Number of that step, from 0.
    pub step: u64,
    /// Requested times that this trajectory reached, the initial one included; its later rows
    /// repeat its last finite state and mean nothing.
    pub valid_times: usize,
}

/// Trajectories of a batch at the same requested times.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchTrajectory {
    /// Number of trajectories.
    pub trajectories: usize,
    /// Components of one state.
    pub dimension: usize,
    /// States `[times, trajectories · dimension]`: a row holds the whole batch at one time.
    pub rows: Trajectory,
    /// The trajectories that failed, in the order of failure.
    pub failures: Vec<RowFailure>,
}

impl BatchTrajectory {
    /// State of one trajectory at `times[row]`, `[dimension]`.
    ///
    /// # Panics
    /// When either index is out of range.
    #[must_use]
    pub fn state(&self, row: usize, trajectory: usize) -> &[f64] {
        &self.rows.state(row)[trajectory * self.dimension..(trajectory + 1) * self.dimension]
    }

    /// The failure of one trajectory, or `None` when it reached the last time.
    #[must_use]
    pub fn failure(&self, trajectory: usize) -> Option<&RowFailure> {
        self.failures.iter().find(|f| f.trajectory == trajectory)
    }
}

/// Integrates a batch of states `[trajectories, dimension]` in lockstep by RK4 with steps of at
/// most `dt`.
///
/// `derivative(t, states, states_dot)` sees the whole batch. A trajectory whose state becomes NaN
/// or infinite is recorded, set back to its last finite state and left there, while the others go
/// on; within the failing step its stages may hold non-finite values, which the right-hand side
/// must keep to that row.
///
/// # Errors
/// [`IntegrationFailure`] for bad input, or when `derivative` refuses the whole batch.
pub fn solve_batch_at<F, E>(
    dt: f64,
    mut derivative: F,
    initial: &[f64],
    dimension: usize,
    times: &[f64],
) -> Result<BatchTrajectory, IntegrationFailure<E>>
where
    F: FnMut(f64, &[f64], &mut [f64]) -> Result<(), E>,
    E: std::error::Error + 'static,
{
    let mut batch = BatchTrajectory {
        trajectories: initial.len().checked_div(dimension).unwrap_or(0),
        dimension,
        rows: Trajectory::with_capacity(initial.len(), times.len()),
        failures: Vec::new(),
    };
    match run(dt, &mut derivative, initial, times, &mut batch) {
        Ok(()) => Ok(batch),
        Err(error) => Err(IntegrationFailure { error, partial: Box::new(batch.rows) }),
    }
}

fn run<F, E>(
    max_step: f64,
    derivative: &mut F,
    initial: &[f64],
    times: &[f64],
    batch: &mut BatchTrajectory,
) -> Result<(), IntegrationError<E>>
where
    F: FnMut(f64, &[f64], &mut [f64]) -> Result<(), E>,
{
    positive("dt", max_step)?;
    validate_times(times)?;
    validate_state(initial)?;
    let dimension = batch.dimension;
    if dimension == 0 || !initial.len().is_multiple_of(dimension) {
        let length = initial.len();
        return Err(InvalidInput::BatchShape { length, dimension }.into());
    }
    batch.rows.push(times[0], initial);
    let mut counted = |t: f64, y: &[f64], y_dot: &mut [f64], evaluations: &mut u64| {
        *evaluations += 1;
        derivative(t, y, y_dot)
    };
    let mut stepper = Rk4::new(initial.len());
    let mut state = initial.to_vec();
    let mut before = initial.to_vec();
    let mut stopped = vec![false; batch.trajectories];
    for interval in times.windows(2) {
        let (start, end) = (interval[0], interval[1]);
        let (count, dt) = equal_steps(start, end, max_step).ok_or(IntegrationError::StepUnderflow {
            time: start,
            step: batch.rows.statistics.steps,
            dt: max_step,
        })?;
        for k in 0..count {
            let step = batch.rows.statistics.steps;
            let time = start + k as f64 * dt;
            before.copy_from_slice(&state);
            let evaluations = &mut batch.rows.statistics.evaluations;
            stepper
                .step(
                    &mut |t: f64, y: &[f64], y_dot: &mut [f64]| counted(t, y, y_dot, evaluations),
                    time,
                    dt,
                    &mut state,
                )
                .map_err(|failure| IntegrationError::from_step(failure, time, dt, step))?;
            let rows = state.chunks_exact_mut(dimension).zip(before.chunks_exact(dimension));
            for (trajectory, (row, last)) in rows.enumerate() {
                if stopped[trajectory] {
                    row.copy_from_slice(last);
                } else if row.iter().any(|v| !v.is_finite()) {
                    row.copy_from_slice(last);
                    stopped[trajectory] = true;
                    batch.failures.push(RowFailure { trajectory, time, step, valid_times: batch.rows.len() });
                }
            }
            batch.rows.statistics.steps += 1;
            if batch.failures.len() == batch.trajectories {
                // Nothing is left to integrate; the remaining rows repeat the last finite states.
                for &time in &times[batch.rows.len()..] {
                    batch.rows.push(time, &state);
                }
                return Ok(());
            }
        }
        batch.rows.push(end, &state);
    }
    Ok(())
}
