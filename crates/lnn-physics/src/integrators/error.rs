//! What can go wrong in an integration, and the part of the solution that was reached.

use thiserror::Error;

use super::trajectory::Trajectory;

/// An argument that no integration can start from.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum InvalidInput {
    /// A step size, tolerance or rate that is not a positive finite number.
    #[error("{name} = {given} is not a positive finite number; give a value above 0")]
    NotPositive {
        /// Name of the argument.
        name: &'static str,
        /// Value that was given.
        given: f64,
    },
    /// A limit on a count that leaves no room for a single step or iteration.
    #[error("{name} = 0 forbids every step; give at least 1")]
    ZeroLimit {
        /// Name of the argument.
        name: &'static str,
    },
    /// More frames than can sensibly be kept.
    #[error("{frames:e} frames were asked for, at most {limit:e} are made; lower the duration or the rate")]
    TooManyFrames {
        /// Duration times rate.
        frames: f64,
        /// The limit.
        limit: f64,
    },
    /// No requested time at all.
    #[error("no time was requested; the first entry of `times` is the time of the initial state")]
    NoTimes,
    /// A requested time is NaN or infinite.
    #[error("times[{index}] = {given} is not finite; give finite times in increasing order")]
    NonFiniteTime {
        /// Index into the requested times.
        index: usize,
        /// Value that was given.
        given: f64,
    },
    /// The requested times do not strictly increase.
    #[error(
        "times[{index}] = {given} does not lie after times[{}] = {previous}; \
         sort the times and remove repeated ones", index - 1
    )]
    UnsortedTimes {
        /// Index of the first time out of order.
        index: usize,
        /// The time before it.
        previous: f64,
        /// The time at `index`.
        given: f64,
    },
    /// The initial state has no component.
    #[error("the initial state is empty; give at least one component")]
    EmptyState,
    /// The initial state has a NaN or infinite component.
    #[error("initial_state[{component}] = {given} is not finite; start from a finite state")]
    NonFiniteInitialState {
        /// Index of the first such component.
        component: usize,
        /// Value that was given.
        given: f64,
    },
    /// A batch whose length is no multiple of the length of one state.
    #[error(
        "a batch of {length} numbers does not divide into states of {dimension} components; \
         give [trajectories, {dimension}] row by row"
    )]
    BatchShape {
        /// Numbers that were given.
        length: usize,
        /// Components of one state.
        dimension: usize,
    },
}

/// Why one step of a [`FixedStep`](super::FixedStep) method was not taken; the state is left as it
/// was.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum StepFailure<E> {
    /// The right-hand side refused the state it was asked about.
    #[error("the derivative could not be evaluated")]
    Derivative(#[source] E),
    /// The iteration of an implicit method met a NaN or an infinity.
    #[error("the implicit equation gave a non-finite value in component {component}")]
    NonFinite {
        /// First component concerned.
        component: usize,
    },
    /// The iteration of an implicit method did not settle.
    #[error(
        "the implicit equation did not settle in {iterations} iterations \
         (last relative change {change:e}); take a smaller step"
    )]
    NotConverged {
        /// Iterations that were made.
        iterations: usize,
        /// Last change relative to the size of the state.
        change: f64,
    },
}

/// Why an integration stopped.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum IntegrationError<E> {
    /// The arguments cannot be integrated; nothing was evaluated.
    #[error(transparent)]
    Input(#[from] InvalidInput),
    /// The right-hand side returned an error.
    #[error("the derivative could not be evaluated in step {step} from t = {time}")]
    Derivative {
        /// Time at which the step starts.
        time: f64,
        /// Number of the step, from 0.
        step: u64,
        /// The error that it returned.
        #[source]
        source: E,
    },
    /// A component of the state became NaN or infinite.
    #[error(
        "component {component} of the state is no longer finite in step {step} from t = {time}; \
         the solution up to that time is kept. Take a smaller step, or look for a singularity"
    )]
    NonFinite {
        /// Time at which the step starts.
        time: f64,
        /// Number of the step, from 0.
        step: u64,
        /// First component concerned.
        component: usize,
    },
    /// The step that the tolerance demands does not advance the time any more.
    #[error(
        "the step {dt:e} no longer advances t = {time} (step {step}); the solution up to that time \
         is kept. Loosen the tolerance, or look for a singularity"
    )]
    StepUnderflow {
        /// Time that was reached.
        time: f64,
        /// Number of the step, from 0.
        step: u64,
        /// The step that was too small.
        dt: f64,
    },
    /// The limit on the number of steps was reached before the last requested time.
    #[error(
        "{limit} steps were made and t = {time} was reached, short of {end}; the solution up to that \
         time is kept. Raise max_steps or loosen the tolerance"
    )]
    TooManySteps {
        /// Time that was reached.
        time: f64,
        /// The last requested time.
        end: f64,
        /// The limit.
        limit: u64,
    },
    /// The iteration of an implicit method did not settle.
    #[error(
        "the implicit equation did not settle in {iterations} iterations in step {step} from \
         t = {time} (dt = {dt}, last relative change {change:e}); take a smaller step"
    )]
    NotConverged {
        /// Time at which the step starts.
        time: f64,
        /// Number of the step, from 0.
        step: u64,
        /// Step size.
        dt: f64,
        /// Iterations that were made.
        iterations: usize,
        /// Last change relative to the size of the state.
        change: f64,
    },
}

impl<E> IntegrationError<E> {
    pub(super) fn from_step(failure: StepFailure<E>, time: f64, dt: f64, step: u64) -> Self {
        match failure {
            StepFailure::Derivative(source) => Self::Derivative { time, step, source },
            StepFailure::NonFinite { component } => Self::NonFinite { time, step, component },
            StepFailure::NotConverged { iterations, change } => {
                Self::NotConverged { time, step, dt, iterations, change }
            }
        }
    }
}

/// An integration that stopped early: the reason, and every requested state reached before it.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{error}")]
pub struct IntegrationFailure<E: std::error::Error + 'static> {
    /// Why it stopped.
    #[source]
    pub error: IntegrationError<E>,
    /// The rows for the requested times that were reached; empty when the input was refused.
    pub partial: Box<Trajectory>,
}
