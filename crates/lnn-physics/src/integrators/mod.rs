//! Initial-value problems ẏ = f(t, y): fixed and adaptive steps, states at requested times.
//!
//! The right-hand side is a closure `f(t, y, y_dot) -> Result<(), E>` that writes the derivative;
//! the state is a flat vector of any length. A step works in place in the method's own workspace
//! and allocates nothing.
//!
//! | method | order | use |
//! |---|---|---|
//! | [`Rk4`] | 4 | fixed step; batches in lockstep ([`solve_batch_at`]) |
//! | [`DormandPrince`] | 5(4) | adaptive step, dense output; the default for accuracy |
//! | [`ImplicitMidpoint`] | 2 | fixed step, symmetric, long runs; symplectic only where the mass matrix is constant |

mod dormand_prince;
mod error;
mod implicit_midpoint;
mod lockstep;
mod rk4;
mod solve;
mod trajectory;

pub use dormand_prince::{DormandPrince, DormandPrinceOptions};
pub use error::{IntegrationError, IntegrationFailure, InvalidInput, StepFailure};
pub use implicit_midpoint::ImplicitMidpoint;
pub use lockstep::{BatchTrajectory, RowFailure, solve_batch_at};
pub use rk4::Rk4;
pub use solve::{Method, equal_steps, frame_times, frames_every, solve_at, validate_times};
pub use trajectory::{Statistics, Trajectory};

/// One step of a given size with a method that keeps its own workspace. States are of `f64`; [`Rk4`] also takes `f32`.
pub trait FixedStep<T = f64> {
    /// Advances `state` in place from `t` to `t + dt`; a negative `dt` goes backwards.
    ///
    /// # Errors
    /// [`StepFailure`]: the right-hand side refused, or an implicit equation could not be solved.
    /// The state is then left as it was.
    ///
    /// # Panics
    /// When `state` has another length than the workspace was made for.
    fn step<F, E>(&mut self, derivative: &mut F, t: f64, dt: f64, state: &mut [T]) -> Result<(), StepFailure<E>>
    where
        F: FnMut(f64, &[T], &mut [T]) -> Result<(), E>;
}

/// Accepts positive finite numbers only.
fn positive(name: &'static str, given: f64) -> Result<(), InvalidInput> {
    if given.is_finite() && given > 0.0 { Ok(()) } else { Err(InvalidInput::NotPositive { name, given }) }
}
