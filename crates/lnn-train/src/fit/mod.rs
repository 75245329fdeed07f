//! Fitting parameters to an objective: a model to a system's accelerations, or to observed motions, or whatever else
//! implements [`Objective`].
//!
//! [`Training`] is the state and one step of it, free of allocation and of files. [`fit`] drives it, or whatever else is a
//! [`Trainer`], with log lines and checkpoints.

mod curriculum;
mod dynamics;
mod error;
mod fresh_rows;
mod members;
mod objective;
mod partition;
mod plan;
mod reduce;
mod segment_worker;
mod session;
mod state;
mod trainer;
mod training;
mod trapezium;
mod turns;
mod worker;

pub use curriculum::Curriculum;
pub use dynamics::{
    Data, DynamicsObjective, DynamicsWorker, FreshStates, Observations, ObservedMotions, ResidualUnits, Tail,
};
pub use error::FitError;
pub use objective::{Objective, StepInput};
pub use partition::{NetworkSize, Partition};
pub use plan::TrainingPlan;
pub use session::{FitMember, FitPlan, FitResult, Judge, MemberEnd, Progress, fit};
pub use state::{Best, FitState, restore};
pub use trainer::{Advanced, Trainer, TrainingState};
pub use training::{StepError, StepReport, Training};
pub use trapezium::Rule;
