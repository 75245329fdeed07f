//! From an initial state to the states at requested times.

use super::dormand_prince::{DormandPrince, DormandPrinceOptions};
use super::error::{IntegrationError, IntegrationFailure, InvalidInput};
use super::implicit_midpoint::ImplicitMidpoint;
use super::rk4::Rk4;
use super::trajectory::Trajectory;
use super::{FixedStep, positive};

/// A method of integration with its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// Classical Runge–Kutta, order 4, with steps of at most `dt`.
    Rk4 {
        /// Largest step in the unit of time.
        dt: f64,
    },
    /// Dormand–Prince 5(4) with error control and dense output.
    DormandPrince(DormandPrinceOptions),
    /// Implicit midpoint rule, order 2, with steps of at most `dt`.
    ImplicitMidpoint {
        /// Largest step in the unit of time.
        dt: f64,
    },
}

impl Method {
    /// Checks the settings once, before any work.
    ///
    /// # Errors
    /// [`InvalidInput`] that names the setting and the value given.
    pub fn validate(&self) -> Result<(), InvalidInput> {
        match self {
            Self::Rk4 { dt } | Self::ImplicitMidpoint { dt } => positive("dt", *dt),
            Self::DormandPrince(options) => options.validate(),
        }
    }
}

/// Integrates ẏ = f(t, y) from `initial` at `times[0]` and returns the state at each of `times`.
///
/// The first row is the initial state itself. Methods of fixed step divide each interval between
/// two requested times into the smallest number of equal steps that are not longer than `dt`, so
/// that every requested time is met exactly. Dormand–Prince chooses its steps freely and
/// interpolates.
///
/// # Errors
/// [`IntegrationFailure`] holds the reason and the rows reached before it: bad input, an error of
/// `derivative`, a state that is no longer finite, a step too small to advance the time, too many
/// steps, or an implicit equation that does not settle.
///
/// ```
/// use std::convert::Infallible;
/// use lnn_physics::integrators::{DormandPrinceOptions, Method, frame_times, solve_at};
///
/// // A harmonic oscillator, y = [x, v], x(t) = cos t.
/// let oscillator = |_t: f64, y: &[f64], y_dot: &mut [f64]| {
///     (y_dot[0], y_dot[1]) = (y[1], -y[0]);
///     Ok::<(), Infallible>(())
/// };
/// let times = frame_times(10.0, 2.0)?;
/// let method = Method::DormandPrince(DormandPrinceOptions::default());
/// let trajectory = solve_at(&method, oscillator, &[1.0, 0.0], &times)?;
/// for (t, state) in trajectory.rows() {
///     assert!((state[0] - t.cos()).abs() < 1e-7);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn solve_at<F, E>(
    method: &Method,
    derivative: F,
    initial: &[f64],
    times: &[f64],
) -> Result<Trajectory, IntegrationFailure<E>>
where
    F: FnMut(f64, &[f64], &mut [f64]) -> Result<(), E>,
    E: std::error::Error + 'static,
{
    let mut out = Trajectory::with_capacity(initial.len(), times.len());
    match run(method, derivative, initial, times, &mut out) {
        Ok(()) => Ok(out),
        Err(error) => Err(IntegrationFailure { error, partial: Box::new(out) }),
    }
}

fn run<F, E>(
    method: &Method,
    mut derivative: F,
    initial: &[f64],
    times: &[f64],
    out: &mut Trajectory,
) -> Result<(), IntegrationError<E>>
where
    F: FnMut(f64, &[f64], &mut [f64]) -> Result<(), E>,
{
    method.validate()?;
    validate_times(times)?;
    validate_state(initial)?;
    out.push(times[0], initial);
    let n = initial.len();
    let mut evaluations = 0;
    let mut counted = |t: f64, y: &[f64], y_dot: &mut [f64]| {
        evaluations += 1;
        derivative(t, y, y_dot)
    };
    let result = match method {
        Method::Rk4 { dt } => fixed(Rk4::new(n), *dt, &mut counted, initial, times, out),
        Method::ImplicitMidpoint { dt } => fixed(ImplicitMidpoint::new(n), *dt, &mut counted, initial, times, out),
        Method::DormandPrince(options) => DormandPrince::new(n).solve(options, &mut counted, initial, times, out),
    };
    out.statistics.evaluations = evaluations;
    result
}

fn fixed<S, F, E>(
    mut stepper: S,
    max_step: f64,
    derivative: &mut F,
    initial: &[f64],
    times: &[f64],
    out: &mut Trajectory,
) -> Result<(), IntegrationError<E>>
where
    S: FixedStep,
    F: FnMut(f64, &[f64], &mut [f64]) -> Result<(), E>,
{
    let mut state = initial.to_vec();
    for interval in times.windows(2) {
        let (start, end) = (interval[0], interval[1]);
        let (count, dt) = equal_steps(start, end, max_step).ok_or(IntegrationError::StepUnderflow {
            time: start,
            step: out.statistics.steps,
            dt: max_step,
        })?;
        for k in 0..count {
            let step = out.statistics.steps;
            // Not accumulated, so that a long run keeps the times exact.
            let time = start + k as f64 * dt;
            stepper
                .step(derivative, time, dt, &mut state)
                .map_err(|failure| IntegrationError::from_step(failure, time, dt, step))?;
            if let Some(component) = state.iter().position(|v| !v.is_finite()) {
                return Err(IntegrationError::NonFinite { time, step, component });
            }
            out.statistics.steps += 1;
        }
        out.push(end, &state);
    }
    Ok(())
}

/// Number and size of equal steps of at most `max_step` from `start` to `end`, as the methods of fixed step take them between
/// two times; `None` when a step would not advance the time.
pub fn equal_steps(start: f64, end: f64, max_step: f64) -> Option<(u64, f64)> {
    let span = end - start;
    let magnitude = start.abs().max(end.abs());
    // Times such as 0.1·k are off by an ulp of their size; that must not cost one more step.
    let slack = 4.0 * f64::EPSILON * magnitude / max_step;
    let count = (span / max_step - slack).ceil().max(1.0);
    let dt = span / count;
    (magnitude + dt > magnitude && count < 9.0e15).then_some((count as u64, dt))
}

/// Refuses times that no motion can be looked at.
///
/// # Errors
/// There is none, one is not finite, or they do not increase.
pub fn validate_times(times: &[f64]) -> Result<(), InvalidInput> {
    if times.is_empty() {
        return Err(InvalidInput::NoTimes);
    }
    if let Some(index) = times.iter().position(|t| !t.is_finite()) {
        let given = times[index];
        return Err(InvalidInput::NonFiniteTime { index, given });
    }
    match times.windows(2).position(|pair| pair[1] <= pair[0]) {
        Some(at) => Err(InvalidInput::UnsortedTimes { index: at + 1, previous: times[at], given: times[at + 1] }),
        None => Ok(()),
    }
}

pub(super) fn validate_state(initial: &[f64]) -> Result<(), InvalidInput> {
    if initial.is_empty() {
        return Err(InvalidInput::EmptyState);
    }
    match initial.iter().position(|v| !v.is_finite()) {
        Some(component) => Err(InvalidInput::NonFiniteInitialState { component, given: initial[component] }),
        None => Ok(()),
    }
}

/// Most times that [`frame_times`] makes.
const MAX_FRAMES: f64 = 1e8;

/// Times 0, 1/rate, 2/rate, … before `duration`, and `duration` itself.
///
/// `duration` is in the unit of time and `frames_per_unit` in frames a unit of time. When the
/// duration is no whole number of frames, the last interval is shorter.
///
/// # Errors
/// [`InvalidInput::NotPositive`] when either argument is not a positive finite number,
/// [`InvalidInput::TooManyFrames`] when their product is above 10⁸.
///
/// ```
/// use lnn_physics::integrators::frame_times;
/// assert_eq!(frame_times(1.0, 4.0)?, [0.0, 0.25, 0.5, 0.75, 1.0]);
/// assert!(frame_times(0.0, 4.0).is_err());
/// # Ok::<(), lnn_physics::integrators::InvalidInput>(())
/// ```
pub fn frame_times(duration: f64, frames_per_unit: f64) -> Result<Vec<f64>, InvalidInput> {
    positive("duration", duration)?;
    positive("frames_per_unit", frames_per_unit)?;
    times_before(duration, duration * frames_per_unit, |k| k / frames_per_unit)
}

/// Times 0, `interval`, 2·`interval`, … before `duration`, and `duration` itself, all in the unit of time.
///
/// When the duration is no whole number of intervals, the last one is shorter.
///
/// # Errors
/// [`InvalidInput::NotPositive`] when either argument is not a positive finite number,
/// [`InvalidInput::TooManyFrames`] when there would be more than 10⁸.
///
/// ```
/// use lnn_physics::integrators::frames_every;
/// assert_eq!(frames_every(0.9, 0.25)?, [0.0, 0.25, 0.5, 0.75, 0.9]);
/// assert_eq!(frames_every(0.3, 0.1)?.len(), 4);
/// # Ok::<(), lnn_physics::integrators::InvalidInput>(())
/// ```
pub fn frames_every(duration: f64, interval: f64) -> Result<Vec<f64>, InvalidInput> {
    positive("duration", duration)?;
    positive("interval", interval)?;
    times_before(duration, duration / interval, |k| k * interval)
}

/// The times of frames 0, 1, … before `duration`, which is frame number `exact`, and `duration` itself.
fn times_before(duration: f64, exact: f64, time: impl Fn(f64) -> f64) -> Result<Vec<f64>, InvalidInput> {
    if exact > MAX_FRAMES {
        return Err(InvalidInput::TooManyFrames { frames: exact, limit: MAX_FRAMES });
    }
    // A product such as 0.3·10 may fall an ulp short of the whole number that was meant.
    let whole = (exact * (1.0 - 4.0 * f64::EPSILON)).ceil().max(1.0) as usize;
    let mut times: Vec<f64> = (0..whole).map(|k| time(k as f64)).collect();
    times.push(duration);
    Ok(times)
}
