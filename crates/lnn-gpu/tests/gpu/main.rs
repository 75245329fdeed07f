//! Every kernel on a device, against its twin on the processor. They run on whatever adapter there is, software too;
//! without one they fail and say what to install.

mod adam;
mod buffers;
mod close;
mod device;
mod euler_lagrange;
mod features;
mod ground;
mod loss;
mod pseudoinverse;
mod sampling;
mod sum;
mod target;
