//! From the gradient of a step to new parameters, all models at once.
//!
//! What a step does is decided before by [`StepControl`](crate::step::StepControl), whose state the kernels here read.

mod adam;
mod soap;

pub use adam::{Adam, AdamSettings};
pub use soap::{BlockState, FactorState, ParameterBlock, Soap, SoapError, SoapSettings};
