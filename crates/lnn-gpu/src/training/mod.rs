//! Training of networks, whole steps on the device, many in one submission.
//!
//! Narrow networks of one shape are trained side by side in the same launches, each from its own parameters, on its own
//! batches, with its own skipped steps and clipping: a small network leaves most of a large card idle.
//!
//! The file `pipeline` reads as the data flow: its statements are the stages in their order. Everything is planned when a
//! [`Training`] is made; a step allocates nothing and reads nothing back. States are drawn on the device where
//! it knows the system, and else uploaded for many steps at once.
//!
//! Samples whose mass matrix is not of full rank have their acceleration and its cotangent by the pseudoinverse, and two
//! constant-rank terms in their gradient. In tiled products these are two sweeps more of a whole batch, made only where a step
//! has such a sample, which the device finds out and [`Training::run`] answers; the kernel of a narrow network finds it out
//! block by block. The samples are counted in [`Submitted`].

mod lagrangian;
mod network;
mod optimiser;
mod pipeline;
mod settings;
mod source;

pub use optimiser::OptimiserState;
pub use pipeline::{ModelState, Submitted, Training};
pub use settings::{
    LagrangianModel, Model, OptimiserSettings, PlainModel, PotentialModel, Source, TrainingSettings, TrueSystem,
};
pub use source::Batches;
