//! What ends a training early.

use super::training::StepError;
use crate::store::StoreError;

/// What ends a training early.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// A file.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The data or the optimiser.
    #[error("training of `{model}` cannot go on after step {step}: {source}")]
    Step {
        /// Model name.
        model: String,
        /// Steps done.
        step: u64,
        /// What went wrong.
        source: StepError,
    },
    /// Nothing, or nothing any more, can be learned: step after step overflows.
    #[error(
        "training of `{model}` learns nothing: {skipped} of {step} steps were skipped, the last ones all, because \
         the loss, the gradient or the updated weights were not finite; lower the learning rate, scale the inputs \
         (features) or outputs, or narrow the sampling ranges"
    )]
    NothingLearned {
        /// Model name.
        model: String,
        /// Steps done.
        step: u64,
        /// Steps skipped.
        skipped: u64,
    },
    /// Not one of the logged steps had a held-out error.
    #[error(
        "training of `{model}` led to no usable model: the held-out error was not finite at any logged step up to {step}; lower \
         the learning rate, raise its warm-up, or try another seed"
    )]
    NeverJudged {
        /// Model name.
        model: String,
        /// Steps done.
        step: u64,
    },
    /// A checkpoint of another training.
    #[error(
        "the checkpoint {path} does not fit this training: {reason}; remove it to start afresh, or use the configuration that wrote it"
    )]
    ForeignCheckpoint {
        /// The checkpoint's path.
        path: String,
        /// What does not fit.
        reason: String,
    },
}
