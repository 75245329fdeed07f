//! The systems, one file each with its whole truth.

mod double_pendulum;

pub use double_pendulum::{DoublePendulum, InvalidPendulum};
