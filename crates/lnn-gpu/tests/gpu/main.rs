//! Every kernel on a device, against its twin on the processor. They run on whatever adapter there is, software too;
//! without one they fail and say what to install.

#![allow(clippy::unwrap_used)] // In a test, a failed unwrap is a failure with its line.

mod activation;
mod adam;
mod close;
mod device;
mod ground;
mod mlp;
mod mlp_example;
mod narrow;
mod soap;
mod step;
mod sum;
