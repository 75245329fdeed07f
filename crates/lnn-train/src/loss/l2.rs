//! Squared error.

use lnn_autodiff::Real;

/// e² and 2e.
#[inline(always)]
pub(super) fn component<T: Real>(error: T) -> (T, T) {
    (error * error, error + error)
}
