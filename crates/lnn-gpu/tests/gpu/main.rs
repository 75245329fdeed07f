//! Every kernel on a device, against its twin on the processor. They run on whatever adapter there is, software too;
//! without one they fail and say what to install.

mod adam;
mod close;
mod device;
mod ground;
mod soap;
mod step;
mod sum;
