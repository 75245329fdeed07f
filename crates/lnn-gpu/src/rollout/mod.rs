//! Motions of many states forward in time, in lockstep and without a way to the host.
//!
//! [`LearnedMotion`] is that of a Lagrangian network, whole: many steps in one submission, frames kept on the device, and
//! where each row had to end. [`RungeKutta4`] makes the steps, with whatever gives the accelerations.

mod learned;
mod runge_kutta;

pub use learned::{EndCause, LearnedMotion, MotionEnd};
pub use runge_kutta::RungeKutta4;
