//! Experiments: from a configuration to a judged, reported run.

mod build;
mod description;
mod error;
mod judge;
mod members;
mod models;
mod observe;
mod one_model;
mod run;
mod starts;
mod train;

pub(crate) use build::{Purpose, blocks_of, build_plan, sampler};
pub use build::{
    build_model, build_model_for, build_system, build_training, parameter_blocks, rollout_distribution,
    training_distribution,
};
pub use description::device;
pub use error::ExperimentError;
pub use run::{Event, Outcome, RunOptions, run};
pub(crate) use train::{ModelFile, TrainedParameters, TrainingSession, earlier_summary};
