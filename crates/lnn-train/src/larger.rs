//! A maximum that a NaN is not lost in.

/// The larger of two numbers, or NaN if one of them is: where the largest of many errors is told, one that is no number is
/// not a small one, while `f64::max` passes over it.
///
/// ```
/// use lnn_train::larger;
///
/// assert_eq!([0.5, 2.0, 1.0].into_iter().fold(0.0, larger), 2.0);
/// assert!([0.5, f64::NAN, 1.0].into_iter().fold(0.0, larger).is_nan());
/// ```
pub fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || b <= a { a } else { b }
}
