//! Branch-free exponential and logarithm for the vectorised activation kernels.
//!
//! Plain arithmetic on one lane, always inlined, so that a loop over a slice becomes vector code at
//! whatever width the dispatched instruction set has. No fused multiply-add is written: the same bits
//! come out on every machine. NaN in, NaN out: every comparison is ordered so that NaN passes.
//!
//! Error bounds, checked against the standard library in the tests: `exp_nonpositive` 2 ulp where
//! its result is a normal number, `exp_m1_nonpositive` 3 ulp, `ln_1p_unit` 3 ulp.

use crate::Real;

/// `1/k!` for k = 0..=13.
const INVERSE_FACTORIAL: [f64; 14] = {
    let mut table = [1.0; 14];
    let mut k = 1;
    while k < 14 {
        table[k] = table[k - 1] / k as f64;
        k += 1;
    }
    table
};

#[inline(always)]
fn is_single<T>() -> bool {
    size_of::<T>() == 4
}

/// Below this the exponential would leave the normal numbers; the argument is held there.
#[inline(always)]
fn smallest_exponent<T: Real>() -> T {
    T::from_f64(if is_single::<T>() { -87.0 } else { -708.0 })
}

/// Splits `x ≤ 0` into `n ln 2 + r`, |r| ≤ ½ ln 2, and returns `(n, e^r − 1)`.
#[inline(always)]
fn reduced_exp_m1<T: Real>(x: T) -> (T, T) {
    let lowest = smallest_exponent::<T>();
    let x = if x < lowest { lowest } else { x };
    let n = (x * T::from_f64(std::f64::consts::LOG2_E)).round_small();
    // ln 2 in two parts: the high part has trailing zero bits, so n · high is exact.
    let (high, low) = if is_single::<T>() {
        (0.693_359_375, -2.121_944_400_546_905_8e-4)
    } else {
        (0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10)
    };
    let r = (x - n * T::from_f64(high)) - n * T::from_f64(low);
    // Taylor remainder at |r| = ½ ln 2, relative: 5e-9 after degree 7, 4e-18 after degree 13.
    let degree = if is_single::<T>() { 7 } else { 13 };
    let mut series = T::from_f64(INVERSE_FACTORIAL[degree]);
    for k in (2..degree).rev() {
        series = series * r + T::from_f64(INVERSE_FACTORIAL[k]);
    }
    (n, r + r * r * series)
}

/// `e^x` for `x ≤ 0`; at least the smallest normal number.
#[inline(always)]
pub(super) fn exp_nonpositive<T: Real>(x: T) -> T {
    let (n, m1) = reduced_exp_m1(x);
    (T::ONE + m1).scale_by_power_of_two(n)
}

/// `e^x − 1` for `x ≤ 0`, accurate near 0.
#[inline(always)]
pub(super) fn exp_m1_nonpositive<T: Real>(x: T) -> T {
    let (n, m1) = reduced_exp_m1(x);
    let power = T::ONE.scale_by_power_of_two(n);
    power * m1 + (power - T::ONE)
}

/// `ln(1 + e)` for `0 ≤ e ≤ 1`.
///
/// `2 artanh(s)` with `s = e/(2+e)`; above √2 − 1 the argument is halved first, so |s| ≤ 0.172.
#[inline(always)]
pub(super) fn ln_1p_unit<T: Real>(e: T) -> T {
    let halve = e > T::from_f64(std::f64::consts::SQRT_2 - 1.0);
    let two = T::from_f64(2.0);
    let (numerator, denominator, offset) = if halve {
        (e - T::ONE, e + T::from_f64(3.0), T::from_f64(std::f64::consts::LN_2))
    } else {
        (e, e + two, T::ZERO)
    };
    let s = numerator / denominator;
    let s2 = s * s;
    // Series remainder, relative: 2e-9 after s⁹, 7e-19 after s²¹.
    let terms = if is_single::<T>() { 4 } else { 10 };
    let mut series = T::from_f64(1.0 / (2 * terms + 1) as f64);
    for k in (1..terms).rev() {
        series = series * s2 + T::from_f64(1.0 / (2 * k + 1) as f64);
    }
    offset + (two * s + two * s * s2 * series)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ulps(got: f64, want: f64, epsilon: f64) -> f64 {
        (got - want).abs() / (want.abs() * epsilon)
    }

    fn grid(lowest: f64) -> impl Iterator<Item = f64> {
        (0..40_000).map(move |k| lowest * (f64::from(k) / 40_000.0).powi(3))
    }

    #[test]
    fn exponential_stays_within_its_bound() {
        for x in grid(-708.0).chain([0.0, -0.0, -f64::EPSILON]) {
            assert!(ulps(exp_nonpositive(x), x.exp(), f64::EPSILON) <= 2.0, "{x}");
            if x != 0.0 {
                assert!(ulps(exp_m1_nonpositive(x), x.exp_m1(), f64::EPSILON) <= 3.0, "{x}");
            }
        }
        for x in grid(-87.0) {
            let single = x as f32;
            let (exact, single_epsilon) = (f64::from(single), f64::from(f32::EPSILON));
            assert!(ulps(f64::from(exp_nonpositive(single)), exact.exp(), single_epsilon) <= 2.0, "{x}");
            if single != 0.0 {
                let got = f64::from(exp_m1_nonpositive(single));
                assert!(ulps(got, exact.exp_m1(), single_epsilon) <= 3.0, "{x}");
            }
        }
    }

    #[test]
    fn logarithm_stays_within_its_bound() {
        for k in 0..=40_000 {
            let e = (f64::from(k) / 40_000.0).powi(5);
            if e > 0.0 {
                assert!(ulps(ln_1p_unit(e), e.ln_1p(), f64::EPSILON) <= 3.0, "{e}");
            }
            let single = e as f32;
            if single > 0.0 {
                let got = f64::from(ln_1p_unit(single));
                assert!(ulps(got, f64::from(single).ln_1p(), f64::from(f32::EPSILON)) <= 3.0, "{e}");
            }
        }
        assert_eq!(ln_1p_unit(0.0_f64), 0.0);
    }

    /// Error in units of the last place of `want`, subnormal numbers having the smallest one's.
    fn single_ulps(got: f32, want: f64) -> f64 {
        let unit = (want.abs() * f64::from(f32::EPSILON)).max(f64::from(f32::MIN_POSITIVE * f32::EPSILON));
        (f64::from(got) - want).abs() / unit
    }

    /// Every 61st non-negative single precision number up to `last`, zero, subnormal and the last included.
    fn singles(last: f32) -> impl Iterator<Item = f32> {
        (0..=last.to_bits()).step_by(61).map(f32::from_bits).chain([last])
    }

    #[test]
    fn the_whole_range_of_single_precision_stays_within_the_bounds() {
        // 87 = the clamp; beyond it the exponential is that of the clamp.
        for x in singles(87.0).map(|x| -x) {
            let exact = f64::from(x);
            assert!(single_ulps(exp_nonpositive(x), exact.exp()) <= 2.0, "exp {x:e}");
            assert!(single_ulps(exp_m1_nonpositive(x), exact.exp_m1()) <= 3.0, "exp_m1 {x:e}");
        }
        for x in [87.0_f32.next_up(), 88.0, 103.9, 1e4, f32::MAX, f32::INFINITY].map(|x| -x) {
            assert_eq!(exp_nonpositive(x), exp_nonpositive(-87.0_f32), "{x:e}");
            assert_eq!(exp_m1_nonpositive(x), -1.0, "{x:e}");
        }
        for e in singles(1.0) {
            assert!(single_ulps(ln_1p_unit(e), f64::from(e).ln_1p()) <= 3.0, "ln_1p {e:e}");
        }
    }

    #[test]
    fn double_precision_stays_within_the_bounds_at_every_magnitude() {
        // From the smallest subnormal number up, 40 fractions a power of two.
        let magnitudes = || {
            (-1074..10).flat_map(|exponent| {
                (0..40).map(move |k| (1.0 + f64::from(k) / 40.0 + 1e-3) * f64::from(exponent).exp2())
            })
        };
        let ulps = |got: f64, want: f64| {
            (got - want).abs() / (want.abs() * f64::EPSILON).max(f64::MIN_POSITIVE * f64::EPSILON)
        };
        for x in magnitudes().filter(|&x| x <= 708.0).map(|x| -x) {
            assert!(ulps(exp_nonpositive(x), x.exp()) <= 2.0, "exp {x:e}");
            assert!(ulps(exp_m1_nonpositive(x), x.exp_m1()) <= 3.0, "exp_m1 {x:e}");
        }
        for e in magnitudes().filter(|&e| e <= 1.0) {
            assert!(ulps(ln_1p_unit(e), e.ln_1p()) <= 3.0, "ln_1p {e:e}");
        }
    }

    #[test]
    fn not_a_number_passes_through() {
        assert!(exp_nonpositive(f64::NAN).is_nan());
        assert!(exp_m1_nonpositive(f32::NAN).is_nan());
        assert!(ln_1p_unit(f32::NAN).is_nan());
    }

    #[test]
    fn far_tail_is_tiny_and_positive() {
        for x in [-1e3, -1e30, f64::NEG_INFINITY] {
            let value = exp_nonpositive(x);
            assert!(value > 0.0 && value < 1e-300, "{x}: {value}");
        }
        assert!(exp_nonpositive(f32::NEG_INFINITY) < 2e-38);
    }
}
