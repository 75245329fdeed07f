//! Fitting a model to a system's accelerations, or to observed motions.
//!
//! [`Training`] is the state and one step of it, free of allocation and of files; [`fit`] drives it with
//! log lines and checkpoints.

mod curriculum;
mod partition;
mod plan;
mod reduce;
mod segment_worker;
mod session;
mod training;
mod trapezium;
mod worker;

pub use curriculum::Curriculum;
pub use partition::{NetworkSize, Partition};
pub use plan::{Data, FreshStates, ObservedMotions, Tail, TrainingPlan};
pub use session::{FitError, FitPlan, FitResult, FitState, LOGGED_STATES, Progress, fit, restore};
pub use training::{StepError, StepReport, Training};
pub use trapezium::Rule;
