//! What can end an experiment on fields.

use lnn_graph::fields::FieldError;
use lnn_graph::topology::TopologyError;
use lnn_graph::{DensityError, EvaluationError};

use super::rollout::MotionError;
use crate::config::ConfigError;
use crate::fit::FitError;
use crate::optimiser::OptimiserError;
use crate::report::ReportError;
use crate::store::StoreError;
use crate::thread_pool::ThreadPoolError;

/// What can end an experiment on fields early.
#[derive(Debug, thiserror::Error)]
pub enum FieldRunError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file or folder.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A lattice.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// A field or a state of one.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// Training.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// A model that cannot be built.
    #[error("model `{name}`: {source}")]
    Model {
        /// Model name.
        name: String,
        /// What is wrong.
        source: DensityError,
    },
    /// An optimiser that cannot be built.
    #[error("model `{name}`: {source}")]
    Optimiser {
        /// Model name.
        name: String,
        /// What is wrong.
        source: OptimiserError,
    },
    /// A learned equation that cannot be evaluated.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    /// The motions.
    #[error(transparent)]
    Motion(#[from] MotionError),
    /// The report.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The thread pool.
    #[error(transparent)]
    Threads(#[from] ThreadPoolError),
}
