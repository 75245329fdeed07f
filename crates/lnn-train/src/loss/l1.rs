//! Absolute error.

use lnn_autodiff::Real;

/// |e| and sign e, with slope 0 at e = 0: the subgradient that leaves an exact prediction alone.
#[inline(always)]
pub(super) fn component<T: Real>(error: T) -> (T, T) {
    let slope = if error == T::ZERO { T::ZERO } else { T::ONE.copysign(error) };
    (error.abs(), slope)
}
