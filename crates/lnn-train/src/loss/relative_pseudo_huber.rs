//! Pseudo-Huber loss whose smoothing grows with the target.

use lnn_autodiff::Real;

/// √(s² + e²) − s and e / √(s² + e²) with s = `scale` · (1 + |target|).
///
/// With t the smaller of s and |e| over the larger, the root is the larger times √(1 + t²): squaring e
/// itself would overflow single precision near 1e19 and turn the slope of a huge error into 0. The value
/// is e² / (root + s), free of the cancellation in root − s for small errors.
#[inline(always)]
pub(super) fn component<T: Real>(error: T, target: T, scale: T) -> (T, T) {
    let smoothing = scale * (T::ONE + target.abs());
    let size = error.abs();
    let (large, small) = if size > smoothing { (size, smoothing) } else { (smoothing, size) };
    let ratio = small / large;
    let root = large * (T::ONE + ratio * ratio).sqrt();
    let slope = error / root;
    (error * (error / (root + smoothing)), slope)
}
