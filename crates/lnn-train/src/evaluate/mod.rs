//! Judging a trained model: accelerations on held-out states, and long rollouts. Double precision.

mod held_out;
mod relative_error;
mod rollout;

pub use held_out::{HeldOut, HeldOutResult, LOGGED_STATES};
pub use relative_error::relative_errors;
pub use rollout::{RolloutError, RolloutPlan, energy_errors, largest_kinetic_energy, velocity_errors};
