//! The number that records what is done to it.

use std::fmt;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};
use std::ptr;

use super::{Adjoints, Tape};
use crate::Scalar;
use crate::scalar::elementary;

/// A number on a [`Tape`], or a constant that needs none.
///
/// A handle of the size of a value and a node reference, so it is `Copy` and ordinary control flow
/// on [`Scalar::value`] works. Constants (`Var::constant`, bare `f64` operands) leave no node.
///
/// # Panics
/// An operation on variables of two different tapes panics, as their derivatives have no common
/// record.
///
/// ```
/// use lnn_autodiff::{Scalar, Tape};
///
/// let tape = Tape::new();
/// let x = tape.variable(2.0);
/// let y = if x.value() > 0.0 { x.powi(3) } else { -x };
/// assert_eq!(y.value(), 8.0);
/// assert_eq!(y.gradient(&[x]), [12.0]);
/// ```
#[derive(Clone, Copy)]
pub struct Var<'t, T> {
    primal: T,
    node: Option<(&'t Tape<T>, u32)>,
}

impl<T: fmt::Debug> fmt::Debug for Var<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Var")
            .field("primal", &self.primal)
            .field("node", &self.node.map(|(_, index)| index))
            .finish()
    }
}

impl<'t, T: Scalar> Var<'t, T> {
    /// The value in the tape's own scalar: a dual on a tape of duals.
    ///
    /// [`Scalar::value`] in contrast strips every derivative.
    ///
    /// ```
    /// use lnn_autodiff::{Dual, Scalar, Tape};
    ///
    /// let tape = Tape::new();
    /// let y = tape.variable(Dual::variable(3.0)).square();
    /// assert_eq!(y.primal(), Dual::new(9.0, 6.0));
    /// assert_eq!(y.value(), 9.0);
    /// ```
    #[inline]
    pub fn primal(self) -> T {
        self.primal
    }

    /// `∂self/∂variables[i]`, shape `[variables.len()]`.
    ///
    /// Allocates; [`Tape::reverse`] with a reused [`Adjoints`] does not.
    ///
    /// # Panics
    /// When a variable belongs to another tape than `self`.
    ///
    /// ```
    /// use lnn_autodiff::{Scalar, Tape};
    ///
    /// let tape = Tape::new();
    /// let (x, y) = (tape.variable(0.0), tape.variable(5.0));
    /// assert_eq!((x.sin() * y).gradient(&[x, y]), [5.0, 0.0]);
    /// ```
    pub fn gradient(self, variables: &[Var<'_, T>]) -> Vec<T> {
        let Some((tape, _)) = self.node else {
            return vec![T::zero(); variables.len()];
        };
        let mut adjoints = Adjoints::with_capacity(tape.len());
        tape.reverse(self, &mut adjoints);
        variables
            .iter()
            .map(|variable| match variable.index_on(tape) {
                Some(_) => adjoints.of(*variable),
                None => T::zero(),
            })
            .collect()
    }

    pub(super) fn recorded(primal: T, tape: &'t Tape<T>, index: u32) -> Self {
        Self { primal, node: Some((tape, index)) }
    }

    /// The node's index, `None` for a constant.
    pub(super) fn index(self) -> Option<usize> {
        self.node.map(|(_, index)| index as usize)
    }

    /// The node's index on `tape`, `None` for a constant.
    pub(super) fn index_on(self, tape: &Tape<T>) -> Option<usize> {
        let (own, index) = self.node?;
        assert_same(own, tape);
        Some(index as usize)
    }

    #[inline]
    fn unary(self, (value, partial): (T, T)) -> Self {
        match self.node {
            Some((tape, index)) => tape.unary(value, index, partial),
            None => Self { primal: value, node: None },
        }
    }

    #[inline]
    fn binary(self, other: Self, value: T, by_self: T, by_other: T) -> Self {
        match (self.node, other.node) {
            (Some((tape, left)), Some((other_tape, right))) => {
                assert_same(tape, other_tape);
                tape.binary(value, [left, right], [by_self, by_other])
            }
            (Some(_), None) => self.unary((value, by_self)),
            (None, _) => other.unary((value, by_other)),
        }
    }
}

#[inline]
fn assert_same<T>(left: &Tape<T>, right: &Tape<T>) {
    assert!(ptr::eq(left, right), "a variable of another tape was given: record the whole program on one tape");
}

impl<T: Scalar> Add for Var<'_, T> {
    type Output = Self;
    #[inline]
    fn add(self, other: Self) -> Self {
        let value = self.primal + other.primal;
        self.binary(other, value, T::one(), T::one())
    }
}

impl<T: Scalar> Sub for Var<'_, T> {
    type Output = Self;
    #[inline]
    fn sub(self, other: Self) -> Self {
        let value = self.primal - other.primal;
        self.binary(other, value, T::one(), -T::one())
    }
}

impl<T: Scalar> Mul for Var<'_, T> {
    type Output = Self;
    #[inline]
    fn mul(self, other: Self) -> Self {
        let value = self.primal * other.primal;
        self.binary(other, value, other.primal, self.primal)
    }
}

impl<T: Scalar> Div for Var<'_, T> {
    type Output = Self;
    #[inline]
    fn div(self, other: Self) -> Self {
        let value = self.primal / other.primal;
        let by_self = other.primal.recip();
        self.binary(other, value, by_self, -(value * by_self))
    }
}

impl<T: Scalar> Neg for Var<'_, T> {
    type Output = Self;
    #[inline]
    fn neg(self) -> Self {
        self.unary((-self.primal, -T::one()))
    }
}

impl<T: Scalar> Add<f64> for Var<'_, T> {
    type Output = Self;
    #[inline]
    fn add(self, other: f64) -> Self {
        self.unary((self.primal + other, T::one()))
    }
}

impl<T: Scalar> Sub<f64> for Var<'_, T> {
    type Output = Self;
    #[inline]
    fn sub(self, other: f64) -> Self {
        self.unary((self.primal - other, T::one()))
    }
}

impl<T: Scalar> Mul<f64> for Var<'_, T> {
    type Output = Self;
    #[inline]
    fn mul(self, other: f64) -> Self {
        self.unary((self.primal * other, T::constant(other)))
    }
}

impl<T: Scalar> Div<f64> for Var<'_, T> {
    type Output = Self;
    #[inline]
    fn div(self, other: f64) -> Self {
        self.unary((self.primal / other, T::constant(other.recip())))
    }
}

impl<T: Scalar> AddAssign for Var<'_, T> {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl<T: Scalar> SubAssign for Var<'_, T> {
    #[inline]
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl<T: Scalar> MulAssign for Var<'_, T> {
    #[inline]
    fn mul_assign(&mut self, other: Self) {
        *self = *self * other;
    }
}

impl<T: Scalar> Scalar for Var<'_, T> {
    #[inline]
    fn constant(value: f64) -> Self {
        Self { primal: T::constant(value), node: None }
    }
    #[inline]
    fn value(self) -> f64 {
        self.primal.value()
    }
    #[inline]
    fn square(self) -> Self {
        self.unary(elementary::square(self.primal))
    }
    #[inline]
    fn recip(self) -> Self {
        self.unary(elementary::recip(self.primal))
    }
    #[inline]
    fn powi(self, n: i32) -> Self {
        self.unary(elementary::powi(self.primal, n))
    }
    #[inline]
    fn powf(self, p: f64) -> Self {
        self.unary(elementary::powf(self.primal, p))
    }
    #[inline]
    fn sqrt(self) -> Self {
        self.unary(elementary::sqrt(self.primal))
    }
    #[inline]
    fn exp(self) -> Self {
        self.unary(elementary::exp(self.primal))
    }
    #[inline]
    fn ln(self) -> Self {
        self.unary(elementary::ln(self.primal))
    }
    #[inline]
    fn exp_m1(self) -> Self {
        self.unary(elementary::exp_m1(self.primal))
    }
    #[inline]
    fn ln_1p(self) -> Self {
        self.unary(elementary::ln_1p(self.primal))
    }
    #[inline]
    fn sin(self) -> Self {
        self.unary(elementary::sin(self.primal))
    }
    #[inline]
    fn cos(self) -> Self {
        self.unary(elementary::cos(self.primal))
    }
    #[inline]
    fn tan(self) -> Self {
        self.unary(elementary::tan(self.primal))
    }
    #[inline]
    fn atan2(self, x: Self) -> Self {
        let (value, by_y, by_x) = elementary::atan2(self.primal, x.primal);
        self.binary(x, value, by_y, by_x)
    }
    #[inline]
    fn sinh(self) -> Self {
        self.unary(elementary::sinh(self.primal))
    }
    #[inline]
    fn cosh(self) -> Self {
        self.unary(elementary::cosh(self.primal))
    }
    #[inline]
    fn tanh(self) -> Self {
        self.unary(elementary::tanh(self.primal))
    }
    #[inline]
    fn abs(self) -> Self {
        self.unary(elementary::abs(self.primal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_leave_no_node() {
        let tape = Tape::new();
        let x = tape.variable(2.0);
        let c = Var::constant(3.0).sin() * Var::constant(4.0) + 1.0;
        assert_eq!(tape.len(), 1);
        assert_eq!(c.gradient(&[x]), [0.0]);
        let _ = x * c;
        assert_eq!(tape.len(), 2);
    }

    #[test]
    fn a_constant_on_either_side_gives_the_same_derivatives() {
        let tape = Tape::new();
        let x = tape.variable(2.0);
        let c = Var::constant(3.0);
        assert_eq!((c - x).gradient(&[x]), [-1.0]);
        assert_eq!((c / x).gradient(&[x]), [-0.75]);
        assert_eq!((x / c).gradient(&[x]), [1.0 / 3.0]);
        assert_eq!((x - c).gradient(&[x]), [1.0]);
    }

    #[test]
    fn compound_assignment_records() {
        let tape = Tape::new();
        let x = tape.variable(2.0);
        let mut y = x;
        y += x; // 2x
        y *= x; // 2x²
        y -= x; // 2x² − x
        assert_eq!((y.value(), y.gradient(&[x])), (6.0, vec![7.0]));
    }

    #[test]
    fn tapes_nest_for_reverse_over_reverse() {
        let inner = Tape::new();
        let outer = Tape::new();
        let x = inner.variable(2.0);
        let lifted = outer.variable(x);
        let first = lifted.powi(3).gradient(&[lifted])[0];
        assert_eq!(first.value(), 12.0);
        assert_eq!(first.gradient(&[x]), [12.0]);
    }

    #[test]
    #[should_panic(expected = "another tape")]
    fn mixing_tapes_is_refused() {
        let (first, second) = (Tape::new(), Tape::new());
        let _ = first.variable(1.0) * second.variable(2.0);
    }
}
