//! Every registered system, at its defaults and with other parameters, held against its own
//! Lagrangian: a new system is covered by its line in the registry.

#![allow(clippy::unwrap_used)] // In a test, a failed unwrap is a failure with its line.

mod canonical;
mod case;
mod closed_form;
mod motion;
mod registry;
mod relativistic;
