//! What becomes of a training step, decided on the device, so that many steps go in one submission.
//!
//! Between the gradient and the optimiser [`StepControl::record_decision`] sums the losses, adds the penalty, takes the
//! gradient's norm, clips it, and says whether the step is made; the optimiser's kernels read that from [`StepState`].
//! After it [`StepControl::record_restoration`] takes back an update that overflowed. The rules are those of the
//! processor's training: a loss or gradient that is not finite leaves parameters and averages alone and is counted; after an
//! overflow the parameters are those before the update, and the averages keep the gradient, which was finite.

mod control;
mod settings;
mod state;

pub use control::{StepBuffers, StepControl};
pub use settings::{Clipping, StepSettings, Terms};
pub use state::{Outcome, StepReport, StepState};
