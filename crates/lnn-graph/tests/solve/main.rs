//! The linear solvers against dense ones, and against each other.

#![allow(clippy::unwrap_used)] // In a test, a failed unwrap is a failure with its line.

mod band;
mod colouring;
mod conjugate_gradient;
mod long;
mod matrix;
mod sparse;
mod vjp;
