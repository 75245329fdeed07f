//! Value and local partial of each elementary function, written once for duals and tape alike.
//!
//! Each function takes the argument in the scalar *below* (`f64` for a first derivative, a dual for
//! a second one) and returns `(f(x), f'(x))` in that scalar, so that the partial is itself
//! differentiable. The formulas are chosen so that neither tail overflows into NaN nor cancels.

use super::Scalar;

pub(crate) fn square<T: Scalar>(x: T) -> (T, T) {
    (x.square(), x * 2.0)
}

pub(crate) fn recip<T: Scalar>(x: T) -> (T, T) {
    let inverse = x.recip();
    (inverse, -inverse.square())
}

pub(crate) fn powi<T: Scalar>(x: T, n: i32) -> (T, T) {
    // n = 0 apart, because 0·x⁻¹ is NaN at x = 0 where the derivative is 0.
    let partial = if n == 0 {
        T::zero()
    } else {
        let lower = match n.checked_sub(1) {
            Some(lower) => x.powi(lower),
            None => x.powf(f64::from(n) - 1.0),
        };
        lower * f64::from(n)
    };
    (x.powi(n), partial)
}

pub(crate) fn powf<T: Scalar>(x: T, p: f64) -> (T, T) {
    let partial = if p == 0.0 { T::zero() } else { x.powf(p - 1.0) * p };
    (x.powf(p), partial)
}

pub(crate) fn sqrt<T: Scalar>(x: T) -> (T, T) {
    let root = x.sqrt();
    (root, root.recip() * 0.5)
}

pub(crate) fn exp<T: Scalar>(x: T) -> (T, T) {
    let value = x.exp();
    (value, value)
}

pub(crate) fn ln<T: Scalar>(x: T) -> (T, T) {
    (x.ln(), x.recip())
}

pub(crate) fn exp_m1<T: Scalar>(x: T) -> (T, T) {
    // exp(x), not the value + 1: the sum has no correct digit left for large negative x.
    (x.exp_m1(), x.exp())
}

pub(crate) fn ln_1p<T: Scalar>(x: T) -> (T, T) {
    (x.ln_1p(), (x + 1.0).recip())
}

pub(crate) fn sin<T: Scalar>(x: T) -> (T, T) {
    (x.sin(), x.cos())
}

pub(crate) fn cos<T: Scalar>(x: T) -> (T, T) {
    (x.cos(), -x.sin())
}

pub(crate) fn tan<T: Scalar>(x: T) -> (T, T) {
    let value = x.tan();
    (value, value.square() + 1.0)
}

pub(crate) fn sinh<T: Scalar>(x: T) -> (T, T) {
    (x.sinh(), x.cosh())
}

pub(crate) fn cosh<T: Scalar>(x: T) -> (T, T) {
    (x.cosh(), x.sinh())
}

pub(crate) fn tanh<T: Scalar>(x: T) -> (T, T) {
    // sech² = 4e / (1 + e)² with e = exp(−2|x|). 1 − tanh² cancels from |x| ≈ 18 on, and 1 / cosh²
    // has a NaN second derivative once cosh overflows. The sign is chosen by value instead of by
    // `abs`, whose derivative at 0 would spoil the higher derivatives there.
    let minus_magnitude = if x.value() < 0.0 { x } else { -x };
    let e = (minus_magnitude * 2.0).exp();
    (x.tanh(), e * 4.0 / (e + 1.0).square())
}

pub(crate) fn abs<T: Scalar>(x: T) -> (T, T) {
    let value = x.value();
    let sign = if value == 0.0 {
        0.0
    } else {
        // NaN stays NaN.
        value.signum()
    };
    (x.abs(), T::constant(sign))
}

/// `(atan2(y, x), ∂/∂y, ∂/∂x)`.
pub(crate) fn atan2<T: Scalar>(y: T, x: T) -> (T, T, T) {
    // x / (x² + y²) is homogeneous of degree −1, so a constant scale keeps the squares in range.
    let scale = y.value().abs().max(x.value().abs());
    let (y_scaled, x_scaled) = (y / scale, x / scale);
    let radius = (x_scaled.square() + y_scaled.square()) * scale;
    (y.atan2(x), x_scaled / radius, -y_scaled / radius)
}
