//! The number type that a differentiable function is written over.
//!
//! A function generic over [`Scalar`] can be evaluated with plain `f64`, with [`Dual`](crate::Dual)
//! numbers (forward mode), on a tape of `f64` (reverse mode), or on a tape of duals (forward over
//! reverse, one Hessian-vector product a sweep) without being written twice.

pub(crate) mod elementary;

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

/// A real number that may carry derivatives.
///
/// All implementors are double precision at the bottom, so `f64` constants mix freely with scalars
/// on the right-hand side: `q_dot * q_dot * 0.5 + 1.0`. Single precision belongs to the batched
/// engine ([`Real`](crate::Real)), for which this trait is the oracle.
///
/// Functions follow IEEE semantics at the value level: outside its domain a function returns NaN or
/// an infinity, and the derivative follows from the same formula. Nothing panics.
pub trait Scalar:
    Copy
    + Debug
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + Add<f64, Output = Self>
    + Sub<f64, Output = Self>
    + Mul<f64, Output = Self>
    + Div<f64, Output = Self>
{
    /// The constant `value`, with zero derivatives.
    fn constant(value: f64) -> Self;
    /// The value without its derivatives.
    fn value(self) -> f64;

    /// Additive identity.
    fn zero() -> Self {
        Self::constant(0.0)
    }
    /// Multiplicative identity.
    fn one() -> Self {
        Self::constant(1.0)
    }
    /// `self²`.
    fn square(self) -> Self {
        self * self
    }
    /// `1 / self`.
    fn recip(self) -> Self {
        Self::one() / self
    }
    /// `self^n` for an integer exponent.
    fn powi(self, n: i32) -> Self;
    /// `self^p` for a constant real exponent.
    fn powf(self, p: f64) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Exponential.
    fn exp(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// `e^self − 1`, accurate near 0.
    fn exp_m1(self) -> Self;
    /// `ln(1 + self)`, accurate near 0.
    fn ln_1p(self) -> Self;
    /// Sine of an angle in radians.
    fn sin(self) -> Self;
    /// Cosine of an angle in radians.
    fn cos(self) -> Self;
    /// Tangent of an angle in radians.
    fn tan(self) -> Self;
    /// Four-quadrant arc tangent of `self / x`.
    fn atan2(self, x: Self) -> Self;
    /// Hyperbolic sine.
    fn sinh(self) -> Self;
    /// Hyperbolic cosine.
    fn cosh(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// Absolute value; its derivative at 0 is taken as 0.
    fn abs(self) -> Self;
}

impl Scalar for f64 {
    #[inline]
    fn constant(value: f64) -> Self {
        value
    }
    #[inline]
    fn value(self) -> f64 {
        self
    }
    #[inline]
    fn powi(self, n: i32) -> Self {
        f64::powi(self, n)
    }
    #[inline]
    fn powf(self, p: f64) -> Self {
        f64::powf(self, p)
    }
    #[inline]
    fn sqrt(self) -> Self {
        f64::sqrt(self)
    }
    #[inline]
    fn exp(self) -> Self {
        f64::exp(self)
    }
    #[inline]
    fn ln(self) -> Self {
        f64::ln(self)
    }
    #[inline]
    fn exp_m1(self) -> Self {
        f64::exp_m1(self)
    }
    #[inline]
    fn ln_1p(self) -> Self {
        f64::ln_1p(self)
    }
    #[inline]
    fn sin(self) -> Self {
        f64::sin(self)
    }
    #[inline]
    fn cos(self) -> Self {
        f64::cos(self)
    }
    #[inline]
    fn tan(self) -> Self {
        f64::tan(self)
    }
    #[inline]
    fn atan2(self, x: Self) -> Self {
        f64::atan2(self, x)
    }
    #[inline]
    fn sinh(self) -> Self {
        f64::sinh(self)
    }
    #[inline]
    fn cosh(self) -> Self {
        f64::cosh(self)
    }
    #[inline]
    fn tanh(self) -> Self {
        f64::tanh(self)
    }
    #[inline]
    fn abs(self) -> Self {
        f64::abs(self)
    }
}
