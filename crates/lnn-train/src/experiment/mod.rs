//! Experiments: from a configuration to a judged, reported run.

mod build;
mod description;
mod error;
mod run;

pub use build::{build_model, build_system, build_training, parameter_blocks};
pub use error::ExperimentError;
pub use run::{Event, Outcome, RunOptions, run};
