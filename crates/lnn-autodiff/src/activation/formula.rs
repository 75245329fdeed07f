//! One scalar formula an activation: `z → [σ, σ′, σ″, σ‴]`.

use super::Activation;
use super::elementary::{exp_m1_nonpositive, exp_nonpositive, ln_1p_unit};
use crate::Real;

/// A formula that a loop can be monomorphised over.
pub(crate) trait Formula {
    /// `[σ, σ′, σ″, σ‴]`; what is not used is not computed.
    fn derivatives<T: Real>(z: T) -> [T; 4];
}

/// Code that is compiled once for each activation.
pub(crate) trait WithFormula {
    /// What [`WithFormula::run`] gives.
    type Output;
    /// The code.
    fn run<F: Formula>(self) -> Self::Output;
}

/// Runs `code` with the formula of `activation`.
pub(crate) fn with_formula<C: WithFormula>(activation: Activation, code: C) -> C::Output {
    match activation {
        Activation::Softplus => code.run::<Softplus>(),
        Activation::Tanh => code.run::<Tanh>(),
        Activation::Sigmoid => code.run::<Sigmoid>(),
        Activation::Gelu => code.run::<Gelu>(),
        Activation::Silu => code.run::<Silu>(),
        Activation::Relu2 => code.run::<Relu2>(),
        Activation::Relu3 => code.run::<Relu3>(),
        Activation::Relu => code.run::<Relu>(),
    }
}

struct Softplus;
struct Tanh;
struct Sigmoid;
struct Gelu;
struct Silu;
struct Relu2;
struct Relu3;
struct Relu;

pub(super) fn derivatives<T: Real>(activation: Activation, z: T) -> [T; 4] {
    struct At<T>(T);
    impl<T: Real> WithFormula for At<T> {
        type Output = [T; 4];
        fn run<F: Formula>(self) -> [T; 4] {
            F::derivatives(self.0)
        }
    }
    with_formula(activation, At(z))
}

/// max(z, 0) that lets NaN through.
#[inline(always)]
fn positive_part<T: Real>(z: T) -> T {
    if z < T::ZERO { T::ZERO } else { z }
}

/// `(e^{-|z|}, s, 1 − s)` with s the logistic function; neither s nor 1 − s is formed by cancellation.
#[inline(always)]
fn logistic<T: Real>(z: T) -> (T, T, T) {
    let e = exp_nonpositive(-z.abs());
    let large = T::ONE / (T::ONE + e);
    let small = e * large;
    if z < T::ZERO { (e, small, large) } else { (e, large, small) }
}

impl Formula for Softplus {
    #[inline(always)]
    fn derivatives<T: Real>(z: T) -> [T; 4] {
        let (e, s, complement) = logistic(z);
        let second = s * complement;
        [positive_part(z) + ln_1p_unit(e), s, second, second * (complement - s)]
    }
}

impl Formula for Sigmoid {
    #[inline(always)]
    fn derivatives<T: Real>(z: T) -> [T; 4] {
        let (_, s, complement) = logistic(z);
        let first = s * complement;
        let six = T::from_f64(6.0);
        [s, first, first * (complement - s), first * (T::ONE - six * first)]
    }
}

impl Formula for Silu {
    #[inline(always)]
    fn derivatives<T: Real>(z: T) -> [T; 4] {
        let (_, s, complement) = logistic(z);
        // Far out the exponential is held at the smallest normal number, which a large z would magnify.
        let settled = z.abs() > T::from_f64(1e3);
        let p = if settled { T::ZERO } else { s * complement };
        let dp = p * (complement - s);
        let ddp = p * (T::ONE - T::from_f64(6.0) * p);
        let value = if settled { positive_part(z) } else { z * s };
        [value, s + z * p, T::from_f64(2.0) * p + z * dp, T::from_f64(3.0) * dp + z * ddp]
    }
}

impl Formula for Tanh {
    #[inline(always)]
    fn derivatives<T: Real>(z: T) -> [T; 4] {
        let two = T::from_f64(2.0);
        let m1 = exp_m1_nonpositive(-two * z.abs());
        let denominator = two + m1;
        let t = (-m1 / denominator).copysign(z);
        // 1 − t² = 4e/(1+e)² with e = 1 + m1; 1 + m1 cancels in the tail, so e is formed afresh.
        let e = exp_nonpositive(-two * z.abs());
        let first = two * two * e / (denominator * denominator);
        let second = -two * t * first;
        [t, first, second, -two * first * (first - two * t * t)]
    }
}

impl Formula for Gelu {
    #[inline(always)]
    fn derivatives<T: Real>(z: T) -> [T; 4] {
        let half = T::from_f64(0.5);
        let cumulative = half * (-z * T::from_f64(std::f64::consts::FRAC_1_SQRT_2)).erfc();
        let z2 = z * z;
        let density = T::from_f64(0.398_942_280_401_432_7) * exp_nonpositive(-half * z2);
        let two = T::from_f64(2.0);
        let four = T::from_f64(4.0);
        // Far out z² overflows before the density is exactly 0; the product is 0 there, not NaN.
        let settled = z.abs() > T::from_f64(1e3);
        let tail = |value: T| if settled { T::ZERO } else { value };
        let z_cumulative = if settled { positive_part(z) } else { z * cumulative };
        [z_cumulative, cumulative + tail(z * density), tail(density * (two - z2)), tail(density * z * (z2 - four))]
    }
}

impl Formula for Relu {
    #[inline(always)]
    fn derivatives<T: Real>(z: T) -> [T; 4] {
        let slope = if z > T::ZERO { T::ONE } else { T::ZERO };
        [positive_part(z), slope, T::ZERO, T::ZERO]
    }
}

impl Formula for Relu2 {
    #[inline(always)]
    fn derivatives<T: Real>(z: T) -> [T; 4] {
        let p = positive_part(z);
        let two = T::from_f64(2.0);
        let second = if z > T::ZERO { two } else { T::ZERO };
        [p * p, two * p, second, T::ZERO]
    }
}

impl Formula for Relu3 {
    #[inline(always)]
    fn derivatives<T: Real>(z: T) -> [T; 4] {
        let p = positive_part(z);
        let six = T::from_f64(6.0);
        let third = if z > T::ZERO { six } else { T::ZERO };
        [p * p * p, T::from_f64(3.0) * p * p, six * p, third]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dual, Scalar};

    /// σ written over a differentiable scalar: the independent route for the derivatives.
    fn reference<S: Scalar>(activation: Activation, z: S) -> S {
        let positive = z.value() > 0.0;
        let logistic = |z: S| {
            if positive { S::one() / ((-z).exp() + 1.0) } else { z.exp() / (z.exp() + 1.0) }
        };
        match activation {
            Activation::Softplus if positive => z + (-z).exp().ln_1p(),
            Activation::Softplus => z.exp().ln_1p(),
            Activation::Tanh => z.tanh(),
            Activation::Sigmoid => logistic(z),
            Activation::Silu => z * logistic(z),
            Activation::Relu => {
                if positive {
                    z
                } else {
                    S::zero()
                }
            }
            Activation::Relu2 => {
                if positive {
                    z.powi(2)
                } else {
                    S::zero()
                }
            }
            Activation::Relu3 => {
                if positive {
                    z.powi(3)
                } else {
                    S::zero()
                }
            }
            Activation::Gelu => unreachable!("erf is no Scalar function; see gelu_matches_quadrature"),
        }
    }

    /// Third-order derivatives by nesting duals three deep.
    fn by_duals(activation: Activation, z: f64) -> [f64; 4] {
        type D1 = Dual<f64>;
        type D2 = Dual<D1>;
        let one = |value: f64| D1 { value, tangent: 1.0 };
        let two = D2 { value: one(z), tangent: D1::constant(1.0) };
        let three = Dual { value: two, tangent: D2::constant(1.0) };
        let y = reference(activation, three);
        [y.value.value.value, y.value.value.tangent, y.value.tangent.tangent, y.tangent.tangent.tangent]
    }

    #[test]
    fn derivatives_match_nested_duals() {
        for activation in Activation::ALL.into_iter().filter(|&a| a != Activation::Gelu) {
            for k in -400..=400 {
                let z = f64::from(k) * 0.0937 + 0.01;
                let (got, want) = (activation.derivatives(z), by_duals(activation, z));
                for order in 0..4 {
                    // Near a zero of a derivative its terms, of σ′'s size, cancel; the reference cancels by up to
                    // a few powers of z in the tails.
                    let scale = want[order].abs() + f64::EPSILON * (1.0 + z.abs()).powi(2) * want[0].abs().max(1e-300);
                    let error = (got[order] - want[order]).abs();
                    assert!(
                        error <= 64.0 * f64::EPSILON * (1.0 + z.abs()) * scale.max(want[1].abs()),
                        "{activation} order {order} at {z}: {} against {}",
                        got[order],
                        want[order]
                    );
                }
            }
        }
    }

    #[test]
    fn gelu_derivatives_match_finite_differences() {
        // Differences of the order below, step h: truncation h²/6 · |f‴| ≤ h², round-off ε/h.
        let h = f64::EPSILON.cbrt();
        for k in -100..=100 {
            let z = f64::from(k) * 0.081;
            let centre = Activation::Gelu.derivatives(z);
            let (plus, minus) = (Activation::Gelu.derivatives(z + h), Activation::Gelu.derivatives(z - h));
            for order in 0..3 {
                let difference = (plus[order] - minus[order]) / (2.0 * h);
                assert!(
                    (difference - centre[order + 1]).abs() <= 8.0 * h * h + 8.0 * f64::EPSILON * z.abs().max(1.0) / h
                );
            }
        }
        let value = Activation::Gelu.derivatives(1.0_f64)[0];
        assert!((value - 0.841_344_746_068_542_9).abs() <= 4.0 * f64::EPSILON);
    }

    #[test]
    fn tails_are_finite_and_settle() {
        for activation in Activation::ALL {
            for z in [-1e38_f64, -1e30, -1e4, -800.0, -90.0, 90.0, 800.0, 1e4, 1e9] {
                let double = activation.derivatives(z);
                let single = activation.derivatives(z as f32);
                for order in 0..4 {
                    assert!(double[order].is_finite(), "{activation} {z} {double:?}");
                    assert!(single[order].is_finite(), "{activation} {z} {single:?}");
                }
                if z < 0.0 && !matches!(activation, Activation::Tanh) {
                    assert!(double[0].abs() < 1e-30 && double[1].abs() < 1e-30, "{activation} {z} {double:?}");
                }
            }
            assert!(activation.derivatives(f32::NAN)[0].is_nan(), "{activation}");
        }
    }

    #[test]
    fn lower_tail_keeps_relative_accuracy() {
        // softplus(z) → eᶻ; tanh′ → 4e^{2z}; a formula that cancels would give 0.
        let z = -40.0_f64;
        for (got, want) in [
            (Activation::Softplus.derivatives(z)[0], z.exp()),
            (Activation::Softplus.derivatives(-z)[2], z.exp()),
            (Activation::Tanh.derivatives(z)[1], 4.0 * (2.0 * z).exp()),
            (Activation::Sigmoid.derivatives(z)[3], z.exp()),
        ] {
            assert!((got / want - 1.0).abs() < 16.0 * f64::EPSILON, "{got} against {want}");
        }
    }
}
