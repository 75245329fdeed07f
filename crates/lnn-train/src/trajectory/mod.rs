//! Observed motions: what a model is trained on where no acceleration is known.
//!
//! ```text
//! simulate | push | push_rows → Trajectories → with_noise, chunks → Segments → training
//! ```

mod chain_pendulum;
mod chunks;
mod data;
mod error;
mod metric;
mod noise;
mod segments;
mod simulate;

pub use chain_pendulum::{angles_into, cartesian_into, chain_pendulum_starts};
pub use chunks::chunks;
pub use data::{Motion, Trajectories};
pub use error::TrajectoryError;
pub use metric::geometric_mean_relative_error;
pub use segments::Segments;
pub use simulate::{simulate, simulate_from};
