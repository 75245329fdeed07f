//! What computes a training: the processor, or a graphics card.
//!
//! [`choose`] decides before a run begins; a run's configuration, files and checkpoints are the same for both. What of a
//! run has no kernels is said by [`missing_kernels`], a [`DeviceMotion`] moves states by a trained model, and the graphics card's side of the training loop is a
//! [`Trainer`](crate::fit::Trainer) of its own. A [`Card`] is a device with what earlier runs have [kept](cache) for it.

mod batches;
pub mod cache;
mod card;
mod choice;
mod kernels;
mod motion;
mod pace;
mod recipe;
mod room;
mod state;
mod training;

pub use card::Card;
pub use choice::{Asked, Backend, BackendError, Choice, choose};
pub use kernels::{KERNELS, MissingKernel, missing_kernels};
pub use motion::{DeviceMotion, DeviceMotionError, require_motion_kernels};
pub use recipe::trained_side_by_side;
pub use training::DeviceTraining;
