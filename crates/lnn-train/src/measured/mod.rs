//! Training on a person's own measurements: tables in, a judged model file out.
//!
//! ```text
//! tables → Measurements → Findings            what the data are, and what is odd about them
//!                       → split → scaling → fit → held-out motions → report
//! ```
//!
//! [`Measurements::read`] refuses what is no motion by file, row and column. [`run_measured`] does the rest; the model that
//! it writes takes states in the data's own units.

mod config;
mod error;
mod evaluate;
mod findings;
mod measurements;
mod plausible;
mod read;
mod record;
mod rollouts;
mod run;
mod scaling;
mod split;
mod trial;

pub use config::{DataConfig, Learn, MeasuredConfig, MeasuredModelConfig, MeasuredTrainingConfig};
pub use error::{MeasuredError, RowPlace};
pub use findings::{ColumnFindings, Consistency, Findings, Spread};
pub use measurements::{Labels, LeftOut, Measurements, Origin};
pub use record::{CoordinateErrors, EnergyDrift, MeasuredRollout, MeasuredSummary, RolloutErrors};
pub use run::{MEASURED_MODEL, MeasuredOptions, MeasuredOutcome, run_measured};
pub use scaling::{residual_units, scaled_features};
pub use split::Split;

#[cfg(test)]
mod tests;
