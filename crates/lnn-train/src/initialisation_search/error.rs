//! What can end a search.

use std::path::PathBuf;

use crate::config::ConfigError;
use crate::model::ModelError;
use crate::report::ReportError;
use crate::store::StoreError;
use crate::target::NonFiniteTarget;
use crate::thread_pool::ThreadPoolError;

/// What can end a search early.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file or folder.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The data.
    #[error(transparent)]
    Data(#[from] NonFiniteTarget),
    /// The networks.
    #[error("the networks of the search cannot be built: {0}")]
    Model(#[from] ModelError),
    /// The system's parameters.
    #[error("the system cannot be built: {0}")]
    System(#[from] lnn_physics::systems::SystemError),
    /// A system whose networks would have further inputs.
    #[error("system `{system}` has conditional inputs, which the search passes to no network; choose one without any")]
    ConditionalInputs {
        /// The system.
        system: &'static str,
    },
    /// A system whose accelerations are all the same.
    #[error("the accelerations of system `{system}` have no spread to measure others by; choose another system")]
    NoSpread {
        /// The system.
        system: &'static str,
    },
    /// Every place of a search had an infinite objective.
    #[error(
        "no standard deviations were found with finite gradients and accelerations for {hidden_layers} hidden layers \
         of {width}; choose other widths, or a smaller `reach`"
    )]
    NothingFinite {
        /// Width of the networks.
        width: usize,
        /// Their hidden layers.
        hidden_layers: usize,
    },
    /// A line of the file of finished cells that is not one of this configuration's.
    #[error(
        "line {line} of {} is not a cell of this search: {message}; the file was changed after it was written, so \
         restore it or remove the run folder",
        path.display()
    )]
    CellLine {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong with the line.
        message: String,
    },
    /// The report.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The thread pool.
    #[error(transparent)]
    Threads(#[from] ThreadPoolError),
}
