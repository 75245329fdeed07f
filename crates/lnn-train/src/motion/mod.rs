//! Motions of a learned model: from initial states to states at requested times, and where and why a motion ended early.
//!
//! [`LearnedMotion`] integrates many starts at once, in double precision, by any [`Method`]: batches in lockstep for
//! RK4, one motion at a time for the others. A state alone takes about a fifth longer than in a batch, so that what
//! another step size for each motion saves is worth more. Results do not depend on the number of threads.

mod ending;
mod integrate;
mod learned;
mod rates;
mod starts;
mod units;

use std::sync::atomic::{AtomicBool, Ordering};

use lnn_physics::integrators::{IntegrationError, InvalidInput, Statistics};

pub use ending::{EndCause, Ending, Singularity};
pub(crate) use integrate::{RightHandSide, one_by_one};
pub use learned::LearnedMotion;
pub use rates::AtSingularity;
pub use starts::Starts;

use crate::quantities::MissingMomenta;

#[cfg(doc)]
use lnn_physics::integrators::Method;

/// One motion, frame by frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Motion {
    /// States `[frames, 2d]`, each (q, q̇). Fewer frames than times if it ended early, the first always among them.
    pub states: Vec<f64>,
    /// Why it ended before the last time, if it did.
    pub ending: Option<Ending>,
    /// The work done; of a batch in lockstep, that of the batch.
    pub statistics: Statistics,
}

/// What a right-hand side returns once a stop was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stop was asked for")]
pub struct Stopped;

/// Why there are no motions at all.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum MotionError {
    /// A setting or a time that no integration can start from.
    #[error(transparent)]
    Input(#[from] InvalidInput),
    /// An initial state that is not finite.
    #[error("component {component} of initial state {start} (from 0) is {given}; start from a finite state")]
    Start {
        /// Number of the start, from 0.
        start: usize,
        /// Component of (q, q̇, conditionals), from 0.
        component: usize,
        /// Its value.
        given: f64,
    },
    /// An integrator that gave up for a whole batch, such as a step too small to advance the time.
    #[error(transparent)]
    Integration(IntegrationError<Stopped>),
    /// A model in canonical coordinates without a way from velocities to momenta.
    #[error(transparent)]
    Momenta(#[from] MissingMomenta),
    /// A stop was asked for.
    #[error("the motions were stopped on request")]
    Stopped,
}

/// Refuses to evaluate once a stop was asked for.
pub(crate) fn go_on(stop: &AtomicBool) -> Result<(), Stopped> {
    if stop.load(Ordering::Relaxed) { Err(Stopped) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
