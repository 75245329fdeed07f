//! From the gradient of a step to new parameters, all models at once.
//!
//! What a step does is decided before by [`StepControl`](crate::step::StepControl), whose state the kernels here read.

mod adam;

pub use adam::{Adam, AdamSettings};
