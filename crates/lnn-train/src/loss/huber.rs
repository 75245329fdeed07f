//! Huber's loss (Huber 1964): squared near zero, absolute beyond.

use lnn_autodiff::Real;

/// ½e² and e for |e| ≤ δ; δ(|e| − ½δ) and δ sign e beyond.
#[inline(always)]
pub(super) fn component<T: Real>(error: T, delta: T) -> (T, T) {
    let half = T::from_f64(0.5);
    let size = error.abs();
    if size <= delta { (half * error * error, error) } else { (delta * (size - half * delta), delta.copysign(error)) }
}
