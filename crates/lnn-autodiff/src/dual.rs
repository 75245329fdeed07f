//! Forward mode: a number with one directional derivative.

use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

use crate::Scalar;
use crate::scalar::elementary;

/// A value and its derivative along one direction, `value + tangent · ε` with `ε² = 0`.
///
/// Seed an input with the direction's component as `tangent`; the result's `tangent` is then the
/// directional derivative `∇f · v`. Duals nest: with `Dual<Dual<f64>>` the tangent of the tangent is
/// a second derivative, and a [`Tape`](crate::Tape) of duals is forward over reverse.
///
/// Every function applies `f(x + x_tan ε) = f(x) + f'(x) x_tan ε` in IEEE arithmetic and never panics.
/// So √ at 0 has an infinite tangent, but NaN (`0 · ∞`) when the incoming tangent is 0, and its second
/// derivative there is NaN for the same reason.
///
/// ```
/// use lnn_autodiff::{Dual, Scalar};
///
/// // d/dx x³ = 3x² = 12 at x = 2.
/// let y = Dual::variable(2.0).powi(3);
/// assert_eq!((y.value, y.tangent), (8.0, 12.0));
///
/// // d²/dx² x³ = 6x = 12 at x = 2.
/// let y = Dual::variable(Dual::variable(2.0)).powi(3);
/// assert_eq!(y.tangent.tangent, 12.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Dual<T> {
    /// `f(x)`.
    pub value: T,
    /// `∇f(x) · v`, the derivative along the seeded direction `v`.
    pub tangent: T,
}

impl<T> Dual<T> {
    /// The number `value + tangent · ε`.
    ///
    /// ```
    /// use lnn_autodiff::Dual;
    ///
    /// // The product rule: (2 + 3ε)(5 + 7ε) = 10 + (2·7 + 3·5)ε.
    /// let product = Dual::new(2.0, 3.0) * Dual::new(5.0, 7.0);
    /// assert_eq!(product, Dual::new(10.0, 29.0));
    /// ```
    #[inline]
    pub const fn new(value: T, tangent: T) -> Self {
        Self { value, tangent }
    }
}

impl<T: Scalar> Dual<T> {
    /// The variable of differentiation: `value` with tangent 1.
    ///
    /// ```
    /// use lnn_autodiff::Dual;
    ///
    /// assert_eq!(Dual::variable(4.0), Dual::new(4.0, 1.0));
    /// ```
    #[inline]
    pub fn variable(value: T) -> Self {
        Self::new(value, T::one())
    }

    #[inline]
    fn chain(self, (value, partial): (T, T)) -> Self {
        Self::new(value, partial * self.tangent)
    }
}

impl<T: Scalar> Add for Dual<T> {
    type Output = Self;
    #[inline]
    fn add(self, other: Self) -> Self {
        Self::new(self.value + other.value, self.tangent + other.tangent)
    }
}

impl<T: Scalar> Sub for Dual<T> {
    type Output = Self;
    #[inline]
    fn sub(self, other: Self) -> Self {
        Self::new(self.value - other.value, self.tangent - other.tangent)
    }
}

impl<T: Scalar> Mul for Dual<T> {
    type Output = Self;
    #[inline]
    fn mul(self, other: Self) -> Self {
        Self::new(self.value * other.value, self.tangent * other.value + self.value * other.tangent)
    }
}

impl<T: Scalar> Div for Dual<T> {
    type Output = Self;
    #[inline]
    fn div(self, other: Self) -> Self {
        let value = self.value / other.value;
        Self::new(value, (self.tangent - value * other.tangent) / other.value)
    }
}

impl<T: Scalar> Neg for Dual<T> {
    type Output = Self;
    #[inline]
    fn neg(self) -> Self {
        Self::new(-self.value, -self.tangent)
    }
}

impl<T: Scalar> Add<f64> for Dual<T> {
    type Output = Self;
    #[inline]
    fn add(self, other: f64) -> Self {
        Self::new(self.value + other, self.tangent)
    }
}

impl<T: Scalar> Sub<f64> for Dual<T> {
    type Output = Self;
    #[inline]
    fn sub(self, other: f64) -> Self {
        Self::new(self.value - other, self.tangent)
    }
}

impl<T: Scalar> Mul<f64> for Dual<T> {
    type Output = Self;
    #[inline]
    fn mul(self, other: f64) -> Self {
        Self::new(self.value * other, self.tangent * other)
    }
}

impl<T: Scalar> Div<f64> for Dual<T> {
    type Output = Self;
    #[inline]
    fn div(self, other: f64) -> Self {
        Self::new(self.value / other, self.tangent / other)
    }
}

impl<T: Scalar> AddAssign for Dual<T> {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl<T: Scalar> SubAssign for Dual<T> {
    #[inline]
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl<T: Scalar> MulAssign for Dual<T> {
    #[inline]
    fn mul_assign(&mut self, other: Self) {
        *self = *self * other;
    }
}

impl<T: Scalar> Scalar for Dual<T> {
    #[inline]
    fn constant(value: f64) -> Self {
        Self::new(T::constant(value), T::zero())
    }
    #[inline]
    fn value(self) -> f64 {
        self.value.value()
    }
    #[inline]
    fn square(self) -> Self {
        self.chain(elementary::square(self.value))
    }
    #[inline]
    fn recip(self) -> Self {
        self.chain(elementary::recip(self.value))
    }
    #[inline]
    fn powi(self, n: i32) -> Self {
        self.chain(elementary::powi(self.value, n))
    }
    #[inline]
    fn powf(self, p: f64) -> Self {
        self.chain(elementary::powf(self.value, p))
    }
    #[inline]
    fn sqrt(self) -> Self {
        self.chain(elementary::sqrt(self.value))
    }
    #[inline]
    fn exp(self) -> Self {
        self.chain(elementary::exp(self.value))
    }
    #[inline]
    fn ln(self) -> Self {
        self.chain(elementary::ln(self.value))
    }
    #[inline]
    fn exp_m1(self) -> Self {
        self.chain(elementary::exp_m1(self.value))
    }
    #[inline]
    fn ln_1p(self) -> Self {
        self.chain(elementary::ln_1p(self.value))
    }
    #[inline]
    fn sin(self) -> Self {
        self.chain(elementary::sin(self.value))
    }
    #[inline]
    fn cos(self) -> Self {
        self.chain(elementary::cos(self.value))
    }
    #[inline]
    fn tan(self) -> Self {
        self.chain(elementary::tan(self.value))
    }
    #[inline]
    fn atan2(self, x: Self) -> Self {
        let (value, by_y, by_x) = elementary::atan2(self.value, x.value);
        Self::new(value, by_y * self.tangent + by_x * x.tangent)
    }
    #[inline]
    fn sinh(self) -> Self {
        self.chain(elementary::sinh(self.value))
    }
    #[inline]
    fn cosh(self) -> Self {
        self.chain(elementary::cosh(self.value))
    }
    #[inline]
    fn tanh(self) -> Self {
        self.chain(elementary::tanh(self.value))
    }
    #[inline]
    fn abs(self) -> Self {
        self.chain(elementary::abs(self.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derivatives(f: impl Fn(Dual<Dual<f64>>) -> Dual<Dual<f64>>, x: f64) -> (f64, f64, f64) {
        let y = f(Dual::variable(Dual::variable(x)));
        (y.value.value, y.value.tangent, y.tangent.tangent)
    }

    #[test]
    fn integer_powers_at_zero_follow_the_polynomial() {
        assert_eq!(derivatives(|x| x.powi(0), 0.0), (1.0, 0.0, 0.0));
        assert_eq!(derivatives(|x| x.powi(1), 0.0), (0.0, 1.0, 0.0));
        assert_eq!(derivatives(|x| x.powi(2), 0.0), (0.0, 0.0, 2.0));
        assert_eq!(derivatives(|x| x.powi(3), 0.0), (0.0, 0.0, 0.0));
        assert_eq!(derivatives(|x| x.powf(0.0), 0.0), (1.0, 0.0, 0.0));
        assert_eq!(derivatives(|x| x.powf(1.0), 0.0), (0.0, 1.0, 0.0));
        assert_eq!(derivatives(|x| x.powf(2.0), 0.0), (0.0, 0.0, 2.0));
    }

    #[test]
    fn the_most_negative_exponent_does_not_overflow() {
        // (±1)ⁿ = 1 for the even n = i32::MIN, and d/dx xⁿ = n xⁿ⁻¹ = ±n.
        let n = f64::from(i32::MIN);
        assert_eq!(Dual::variable(1.0).powi(i32::MIN), Dual::new(1.0, n));
        assert_eq!(Dual::variable(-1.0).powi(i32::MIN), Dual::new(1.0, -n));
    }

    #[test]
    fn singular_points_give_infinities_and_nan_but_no_panic() {
        assert_eq!(Dual::variable(0.0).sqrt(), Dual::new(0.0, f64::INFINITY));
        let (value, first, second) = derivatives(Scalar::sqrt, 0.0);
        assert_eq!((value, first), (0.0, f64::INFINITY));
        assert!(second.is_nan());
        assert_eq!(Dual::variable(0.0).ln().tangent, f64::INFINITY);
        assert!(Dual::variable(-1.0).sqrt().value.is_nan());
        assert!(Dual::variable(f64::NAN).abs().tangent.is_nan());
        let origin = Dual::variable(0.0).atan2(Dual::constant(0.0));
        assert!(origin.tangent.is_nan());
    }

    #[test]
    fn abs_has_the_documented_derivative() {
        assert_eq!(Dual::variable(-3.0).abs(), Dual::new(3.0, -1.0));
        assert_eq!(Dual::variable(3.0).abs(), Dual::new(3.0, 1.0));
        assert_eq!(Dual::variable(0.0).abs(), Dual::new(0.0, 0.0));
        assert_eq!(Dual::variable(-0.0).abs(), Dual::new(0.0, 0.0));
    }

    #[test]
    fn atan2_is_right_in_every_quadrant_and_at_extreme_scales() {
        for scale in [1e-200, 1.0, 1e200] {
            for (y, x) in [(1.0, 2.0), (1.0, -2.0), (-1.0, -2.0), (-1.0, 2.0), (1.0, 0.0)] {
                let (y, x) = (y * scale, x * scale);
                let by_y = Dual::variable(y).atan2(Dual::constant(x));
                let by_x = Dual::constant(y).atan2(Dual::variable(x));
                let radius = y.hypot(x);
                assert_eq!(by_y.value, y.atan2(x));
                // Six roundings on our side, three on the reference's.
                let tolerance = 9.0 * f64::EPSILON / radius;
                assert!((by_y.tangent - x / radius / radius).abs() <= tolerance);
                assert!((by_x.tangent + y / radius / radius).abs() <= tolerance);
            }
        }
    }

    #[test]
    fn tanh_keeps_relative_accuracy_and_finite_curvature_in_both_tails() {
        for x in [-800.0, -300.0, -20.0, -1.0, 0.0, 1.0, 20.0, 300.0, 800.0_f64] {
            let (value, first, second) = derivatives(Scalar::tanh, x);
            assert_eq!(value, x.tanh());
            // sech x = 2e⁻|x| / (1 + e⁻²|x|); the exponent's rounding is magnified by |2x|.
            let sech = 2.0 * (-x.abs()).exp() / (1.0 + (-2.0 * x.abs()).exp());
            let relative = (16.0 + 4.0 * x.abs()) * f64::EPSILON;
            assert!((first - sech * sech).abs() <= relative * sech * sech);
            let curvature = -2.0 * x.tanh() * sech * sech;
            assert!((second - curvature).abs() <= relative * curvature.abs(), "{x}: {second}");
        }
    }

    #[test]
    fn the_third_derivative_of_tanh_at_zero_is_minus_two() {
        // The partial of tanh picks a branch by sign; at 0 the branch must still be differentiable.
        for zero in [0.0, -0.0] {
            let x = Dual::variable(Dual::variable(Dual::variable(zero)));
            let y = x.tanh();
            assert_eq!(y.tangent.value.value, 1.0);
            assert_eq!(y.tangent.tangent.value, 0.0);
            assert_eq!(y.tangent.tangent.tangent, -2.0);
        }
    }
}
