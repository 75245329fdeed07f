//! Fields on lattices: models learn small ones and are judged on large ones.
//!
//! ```text
//! FieldConfig → KnownField, FieldModel on the small lattice
//!   → FieldObjective: random states → φ̈ → loss → gradient       `fit::Training` does the rest
//!   → the same networks on the large lattice: held-out states, motions, energies, the learned density
//!   → FieldSummary, report
//! ```

mod build;
pub mod config;
mod density;
mod error;
mod evaluate;
mod learned;
mod model;
mod objective;
mod record;
mod rollout;
mod run;
mod start;
mod train;
mod worker;

pub use build::{build_field_training, build_judged_field, build_training_field};
pub use error::FieldRunError;
pub use evaluate::{FieldHeldOut, FieldJudged};
pub use learned::LearnedEquation;
pub use model::{FieldBlock, FieldModel};
pub use objective::FieldObjective;
pub use record::{
    DensityComparison, DensityPanel, FieldModelSummary, FieldMotion, FieldMotionSummary, FieldSummary, FieldTrajectory,
};
pub use rollout::MotionError;
pub use run::{FieldOutcome, FieldRunOptions, run_field};
pub use worker::LatticeWorker;

#[cfg(test)]
mod tests;
