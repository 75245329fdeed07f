//! Configuration: typed, read from RON, judged once, written back in full.
//!
//! [`ExperimentConfig`] is everything that a run's result depends on. It comes from a [`preset`] or from a
//! file ([`ExperimentConfig::read`]), becomes [`Validated`] before anything is built from it, and is kept in
//! the run's folder as `config.ron`, from which alone the run can be repeated.
//!
//! ```
//! # use lnn_train::config::{ExperimentConfig, preset};
//! let fast = preset("dblpend", "fast")?;
//! let text = fast.to_ron()?;
//! assert_eq!(ExperimentConfig::from_ron(&text, "example")?, fast);
//! # Ok::<(), lnn_train::config::ConfigError>(())
//! ```

mod activation;
mod data;
mod difference;
mod error;
mod evaluation;
mod experiment;
mod model;
mod nearest;
pub mod presets;
mod protocol;
mod system;
mod text;
mod trial;
mod validation;

pub(crate) use activation::ActivationText;
pub use data::TrainingData;
pub(crate) use difference::value_differences;
pub use difference::{Difference, differences};
pub use error::{ConfigError, Problem, SyntaxError};
pub use evaluation::{EvaluationConfig, IntegratorConfig};
pub use experiment::ExperimentConfig;
pub use model::{
    AngleFeatures, ConditionalFeatures, CoordinateFeatures, FeaturesConfig, Initialisation, ModelConfig, ModelKind,
    Precision, TrainingConfig,
};
pub use nearest::nearest;
pub(crate) use nearest::suggestion;
pub use presets::{preset, preset_with};
pub use protocol::{CHNN_CHUNK, CHNN_DT, CHNN_LINKS, CHNN_ROWS, Protocol, chnn_chain};
pub use system::{Interval, SamplingConfig, SamplingCurriculum, SamplingTail, SystemConfig};
pub(crate) use text::{from_ron, to_ron};
pub(crate) use trial::{TRIAL, TRIAL_STEPS};
pub(crate) use validation::Check;
pub use validation::Validated;
