//! Random states that depend on a seed and a position only, never on history or on the number of
//! threads.
//!
//! ```text
//! (seed, domain, stream, index) → unit in [0, 1) → Distribution::at → one component of a state
//! ```

mod distribution;
mod interval;
mod sampler;

pub use distribution::{BoundedNormal, Distribution, InvalidDistribution, Normal};
pub use interval::{Interval, InvalidInterval};
pub use sampler::StateSampler;
