//! Every kernel on a device, against its twin on the processor. They run on whatever adapter there is, software too;
//! without one they fail and say what to install.

#![allow(clippy::unwrap_used)] // In a test, a failed unwrap is a failure with its line.

mod activation;
mod adam;
mod buffers;
mod close;
mod deficient;
mod device;
mod euler_lagrange;
mod features;
mod forward;
mod golden;
mod ground;
mod lagrangian_example;
mod learned_motion;
mod loss;
mod mlp;
mod mlp_example;
mod narrow;
mod narrow_step;
mod precision;
mod profile;
mod pseudoinverse;
mod rollout;
mod roofline;
mod sampling;
mod soap;
mod steady;
mod step;
mod sum;
mod target;
mod tiles;
mod tuning;
mod whole_gradient;
