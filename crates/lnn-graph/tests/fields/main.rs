//! The true fields: closed forms against automatic differentiation, what is conserved, exact motions,
//! random states, refusals.

#![allow(clippy::unwrap_used)] // In a test, a failed unwrap is a failure with its line.

mod case;
mod closed_form;
mod conservation;
mod kink;
mod random;
mod refusals;
mod waves;
