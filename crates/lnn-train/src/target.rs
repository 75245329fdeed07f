//! Accelerations to learn from, and the check that they are numbers.

use lnn_autodiff::Real;
use lnn_physics::System;

/// An acceleration that cannot be learned: infinite, NaN, or beyond the precision of the training.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "the training data are unusable: at q = {q:?}, q_dot = {q_dot:?} the system's acceleration is {q_ddot:?}, not all \
     of it finite in {precision}; check the system's parameters and units, narrow the sampling ranges, or, if only \
     f32 is too small, set the model's precision to f64"
)]
pub struct NonFiniteTarget {
    /// Position, `[d]`.
    pub q: Vec<f64>,
    /// Velocity, `[d]`.
    pub q_dot: Vec<f64>,
    /// Acceleration, `[d]`.
    pub q_ddot: Vec<f64>,
    /// Name of the precision that must hold it.
    pub precision: &'static str,
}

/// Writes the system's q̈ at (q, q̇) to `q_ddot`; all `[d]`.
///
/// # Errors
/// A component that is not a finite number in the precision `T`.
pub(crate) fn acceleration_into<T: Real>(
    system: &dyn System,
    q: &[f64],
    q_dot: &[f64],
    q_ddot: &mut [f64],
) -> Result<(), NonFiniteTarget> {
    system.acceleration_into(q, q_dot, &[], q_ddot);
    if q_ddot.iter().all(|&component| T::from_f64(component).is_finite()) {
        return Ok(());
    }
    Err(NonFiniteTarget { q: q.to_vec(), q_dot: q_dot.to_vec(), q_ddot: q_ddot.to_vec(), precision: T::NAME })
}
