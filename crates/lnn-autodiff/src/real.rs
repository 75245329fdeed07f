//! The two machine precisions of the batched engine.

use std::fmt::{Debug, Display};
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use faer::traits::RealField;

/// `f32` or `f64`: what the batched kernels compute in.
///
/// Only what a kernel needs; the transcendental functions live in the crate's vectorised elementwise
/// kernels, whose error bounds are stated there.
pub trait Real:
    RealField
    + bytemuck::Pod
    + Copy
    + Default
    + Debug
    + Display
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
    + 'static
{
    /// Additive identity.
    const ZERO: Self;
    /// Multiplicative identity.
    const ONE: Self;
    /// Distance from 1 to the next larger number.
    const EPSILON: Self;
    /// The type's name in files and messages: `"f32"` or `"f64"`.
    const NAME: &'static str;

    /// Nearest value of this type.
    fn from_f64(value: f64) -> Self;
    /// Exact conversion.
    fn to_f64(self) -> f64;
    /// Absolute value.
    fn abs(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Neither infinite nor NaN.
    fn is_finite(self) -> bool;
    /// `magnitude` of `self` with the sign of `sign`.
    fn copysign(self, sign: Self) -> Self;
    /// Sine and cosine of an angle in radians.
    fn sin_cos(self) -> (Self, Self);
    /// Gauss error function's complement, `1 − erf(self)`.
    fn erfc(self) -> Self;
    /// Exponential.
    fn exp(self) -> Self;
    /// `2^n · self` for `n` an integer stored in floating point, |n| within the exponent range of
    /// normal numbers; branch-free.
    fn scale_by_power_of_two(self, n: Self) -> Self;
    /// Round to the nearest integer, ties to even, for |self| < 2^20; branch-free.
    fn round_small(self) -> Self;
}

macro_rules! real {
    ($t:ty, $int:ty, $mantissa_bits:expr, $bias:expr, $name:literal, $erfc:path) => {
        impl Real for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const EPSILON: Self = <$t>::EPSILON;
            const NAME: &'static str = $name;

            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as $t
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                <$t>::abs(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                <$t>::sqrt(self)
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                <$t>::is_finite(self)
            }
            #[inline(always)]
            fn copysign(self, sign: Self) -> Self {
                <$t>::copysign(self, sign)
            }
            #[inline(always)]
            fn sin_cos(self) -> (Self, Self) {
                <$t>::sin_cos(self)
            }
            #[inline(always)]
            fn erfc(self) -> Self {
                $erfc(self)
            }
            #[inline(always)]
            fn exp(self) -> Self {
                <$t>::exp(self)
            }
            #[inline(always)]
            fn scale_by_power_of_two(self, n: Self) -> Self {
                // Adding 1.5 · 2^mantissa puts the integer n into the low mantissa bits; shifted into
                // the exponent field it is 2^n.
                const SHIFT: $t = 1.5 * ((1u64 << $mantissa_bits) as $t);
                let low_bits = (n + SHIFT).to_bits();
                let power = <$t>::from_bits((low_bits << $mantissa_bits).wrapping_add($bias << $mantissa_bits));
                self * power
            }
            #[inline(always)]
            fn round_small(self) -> Self {
                const SHIFT: $t = 1.5 * ((1u64 << $mantissa_bits) as $t);
                (self + SHIFT) - SHIFT
            }
        }
    };
}

real!(f32, u32, 23, 127u32, "f32", libm::erfcf);
real!(f64, u64, 52, 1023u64, "f64", libm::erfc);
