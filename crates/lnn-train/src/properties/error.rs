//! What can end the measurement of the table.

use std::path::PathBuf;

use crate::config::ConfigError;
use crate::experiment::ExperimentError;
use crate::model::ModelError;
use crate::report::ReportError;
use crate::store::StoreError;
use crate::thread_pool::ThreadPoolError;

/// What can end the measurement early.
#[derive(Debug, thiserror::Error)]
pub enum PropertiesError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file or folder.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// One of the runs.
    #[error("run `{run}`: {source}")]
    Run {
        /// Name of the run.
        run: &'static str,
        /// What ended it.
        source: Box<ExperimentError>,
    },
    /// A trained model's file describes no model.
    #[error("the model in {} cannot be built: {source}; delete the run's folder and train it again", path.display())]
    Model {
        /// The model's file.
        path: PathBuf,
        /// What is wrong.
        source: ModelError,
    },
    /// The report.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A document without the place that the table belongs in.
    #[error(
        "the document has no lines `{begin}` and `{end}`, in this order, each once; add them where the table belongs"
    )]
    NoMarkers {
        /// First line.
        begin: &'static str,
        /// Last line.
        end: &'static str,
    },
    /// The thread pool.
    #[error(transparent)]
    Threads(#[from] ThreadPoolError),
}
