//! What can end an experiment.

use crate::backend::BackendError;
use crate::config::ConfigError;
use crate::evaluate::RolloutError;
use crate::fit::FitError;
use crate::model::ModelError;
use crate::optimiser::OptimiserError;
use crate::report::ReportError;
use crate::store::StoreError;
use crate::target::DataError;
use crate::thread_pool::ThreadPoolError;
use crate::trajectory::TrajectoryError;

/// What can end an experiment early.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file or folder.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Training.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// An ensemble of which nothing is left.
    #[error("all {members} members of the ensemble of `{name}` are lost; of the first: {reason}")]
    AllLost {
        /// Model name.
        name: String,
        /// Number of members.
        members: usize,
        /// Why the first one can learn no more.
        reason: String,
    },
    /// A model that cannot be built.
    #[error("model `{name}`: {source}")]
    Model {
        /// Model name.
        name: String,
        /// What is wrong.
        source: ModelError,
    },
    /// A model in canonical coordinates of a system that offers none.
    #[error(
        "model `{name}` is HnnCanonical, but system `{system}` offers no momenta; choose one of {}",
        valid.join(", ")
    )]
    NoMomenta {
        /// Model name.
        name: String,
        /// The system.
        system: &'static str,
        /// Kinds of model that it can be learned by.
        valid: Vec<&'static str>,
    },
    /// An optimiser that cannot be built.
    #[error("model `{name}`: {source}")]
    Optimiser {
        /// Model name.
        name: String,
        /// What is wrong.
        source: OptimiserError,
    },
    /// Motions that a model cannot be trained on.
    #[error("model `{name}` cannot be trained on trajectories: {source}")]
    Trajectories {
        /// Model name.
        name: String,
        /// What is wrong.
        source: TrajectoryError,
    },
    /// States of a published protocol that cannot be made.
    #[error("the states of protocol `{}` cannot be made: {source}", protocol.name())]
    Protocol {
        /// The protocol.
        protocol: crate::config::Protocol,
        /// What is wrong.
        source: TrajectoryError,
    },
    /// The system's parameters.
    #[error("the system cannot be built: {0}")]
    System(#[from] lnn_physics::systems::SystemError),
    /// A sampling range.
    #[error("a sampling range is unusable: {0}")]
    Range(#[from] lnn_physics::sampling::InvalidDistribution),
    /// The rollouts.
    #[error(transparent)]
    Rollout(#[from] RolloutError),
    /// The report.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// What is to compute.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The thread pool.
    #[error(transparent)]
    Threads(#[from] ThreadPoolError),
}
