//! The state sampler: the documented generator, determinism, independence, range and moments.

#![allow(clippy::unwrap_used)] // In a test, a failed unwrap is a failure with its line.

use lnn_physics::sampling::{BoundedNormal, Distribution, Interval, InvalidDistribution, Normal, StateSampler};
use proptest::prelude::*;

/// ChaCha with 8 rounds, written from its specification: words 4..12 key, 12..14 block counter,
/// 14..16 nonce.
fn chacha8_block(key: [u32; 8], counter: u64, nonce: u64) -> [u32; 16] {
    let halves = |x: u64| [x as u32, (x >> 32) as u32];
    let mut start = [0_u32; 16];
    start[..4].copy_from_slice(&[0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574]);
    start[4..12].copy_from_slice(&key);
    start[12..14].copy_from_slice(&halves(counter));
    start[14..].copy_from_slice(&halves(nonce));
    let mut x = start;
    let mut quarter = |a: usize, b: usize, c: usize, d: usize| {
        for (add_to, add, turn, by) in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)] {
            x[add_to] = x[add_to].wrapping_add(x[add]);
            x[turn] = (x[turn] ^ x[add_to]).rotate_left(by);
        }
    };
    for _ in 0..4 {
        for column in 0..4 {
            quarter(column, column + 4, column + 8, column + 12);
        }
        for i in 0..4 {
            quarter(i, (i + 1) % 4 + 4, (i + 2) % 4 + 8, (i + 3) % 4 + 12);
        }
    }
    std::array::from_fn(|i| x[i].wrapping_add(start[i]))
}

/// Number `index` of the documented stream, in [0, 1).
fn documented_unit(seed: u64, domain: u64, stream: u64, index: u64) -> f64 {
    let key = [seed as u32, (seed >> 32) as u32, domain as u32, (domain >> 32) as u32, 0, 0, 0, 0];
    let block = chacha8_block(key, index / 8, stream);
    let word = 2 * (index % 8) as usize;
    let bits = u64::from(block[word]) | u64::from(block[word + 1]) << 32;
    (bits >> 11) as f64 / 9_007_199_254_740_992.0
}

fn intervals() -> [Interval; 3] {
    [(0.0, 1.0), (-10.0, 10.0), (3.0, 3.5)].map(|(low, high)| Interval::new(low, high).unwrap())
}

fn uniform() -> [Distribution; 3] {
    intervals().map(Distribution::from)
}

proptest! {
    #[test]
    fn the_documentation_describes_the_generator(
        seed: u64, domain: u64, stream: u64, first in 0..1_000_000_u64, states in 1..30_usize,
    ) {
        let mut out = vec![f64::NAN; 3 * states];
        StateSampler::new(seed, domain).fill_from(stream, first, &uniform(), &mut out);
        for (k, value) in out.iter().enumerate() {
            let unit = documented_unit(seed, domain, stream, 3 * first + k as u64);
            let range = intervals()[k % 3];
            prop_assert_eq!(*value, range.low() + (range.high() - range.low()) * unit);
            prop_assert!(range.contains(*value));
        }
    }

    #[test]
    fn any_division_of_the_work_gives_the_same_states(seed: u64, stream: u64, cut in 0..=64_usize) {
        let sampler = StateSampler::new(seed, 3);
        let mut whole = [0.0; 192];
        sampler.fill(stream, &uniform(), &mut whole);
        let mut parts = [0.0; 192];
        let (head, tail) = parts.split_at_mut(3 * cut);
        sampler.fill_from(stream, cut as u64, &uniform(), tail);
        sampler.fill(stream, &uniform(), head);
        prop_assert_eq!(whole, parts);
    }

    #[test]
    fn an_interval_never_reaches_its_upper_end(low in -1e6..1e6_f64, width in 1e-9..1e6_f64) {
        let high = low + width;
        prop_assume!(low < high);
        let interval = Interval::new(low, high).unwrap();
        for unit in [0.0, 0.5, 1.0 - 0.5 * f64::EPSILON] {
            prop_assert!(interval.contains(interval.at(unit)), "{unit} left [{low}, {high})");
        }
    }
}

#[test]
fn seeds_domains_and_streams_share_nothing() {
    let draw = |seed, domain, stream| {
        let mut out = [0.0; 300];
        StateSampler::new(seed, domain).fill(stream, &uniform()[..1], &mut out);
        out
    };
    let all = [draw(1, 0, 0), draw(2, 0, 0), draw(1, 1, 0), draw(1, 0, 1), draw(0, 1, 1)];
    for i in 0..all.len() {
        for j in 0..i {
            let shared = all[i].iter().filter(|x| all[j].contains(x)).count();
            assert_eq!(shared, 0, "draws {i} and {j} share numbers");
        }
    }
}

#[test]
fn moments_and_correlation_are_those_of_independent_uniform_numbers() {
    const N: usize = 200_000;
    let range = [Distribution::uniform(0.0, 1.0).unwrap()];
    let draw = |stream| {
        let mut out = vec![0.0; N];
        StateSampler::new(2020, 0).fill(stream, &range, &mut out);
        out
    };
    let (x, y) = (draw(0), draw(1));
    let n = N as f64;
    let mean = x.iter().sum::<f64>() / n;
    let variance = x.iter().map(|v| (v - 0.5).powi(2)).sum::<f64>() / n;
    let product = |a: &[f64], b: &[f64]| {
        let pairs = a.iter().zip(b);
        pairs.map(|(a, b)| (a - 0.5) * (b - 0.5)).sum::<f64>() / n
    };
    // Standard errors: √(1/12 n); the fourth moment 1/80 gives √((1/80 − 1/144)/n); products
    // √(1/144 n).
    assert!((mean - 0.5).abs() < 5.0 * (1.0 / 12.0 / n).sqrt(), "mean {mean}");
    let spread = ((1.0 / 80.0 - 1.0 / 144.0) / n).sqrt();
    assert!((variance - 1.0 / 12.0).abs() < 5.0 * spread, "variance {variance}");
    let spread = 5.0 / 12.0 / n.sqrt();
    assert!(product(&x, &y).abs() < spread, "streams are correlated");
    assert!(product(&x[1..], &x[..N - 1]).abs() < spread, "successive numbers are correlated");
    assert!(product(&x, &x) > spread, "the correlation test sees a repeated stream");
}

#[test]
fn intervals_are_checked() {
    for (low, high) in [(1.0, 1.0), (2.0, 1.0), (f64::NAN, 1.0), (0.0, f64::INFINITY), (-1e308, 1e308)] {
        let error = Interval::new(low, high).unwrap_err();
        assert!(error.to_string().contains(&format!("{low}")), "{error}");
    }
}

#[test]
#[should_panic(expected = "does not hold whole states")]
fn a_ragged_output_panics() {
    StateSampler::new(0, 0).fill(0, &uniform(), &mut [0.0; 4]);
}

/// What the sampler gave before it knew of other distributions than the uniform one.
#[test]
fn uniform_draws_keep_their_bits() {
    let ranges = [(0.0, std::f64::consts::TAU), (-10.0, 10.0), (3.0, 3.5)];
    let distribution = ranges.map(|(low, high)| Distribution::uniform(low, high).unwrap());
    let mut out = [0.0; 6];
    StateSampler::new(2020, 1).fill_from(7, 1000, &distribution, &mut out);
    let golden = [
        0x4013_29b0_dae5_48c9,
        0x4020_857d_56fc_59b0,
        0x400b_97ff_e307_e1e4,
        0x400f_99ec_c6a2_c4e0,
        0xc018_28ca_0ef4_27b1,
        0x400a_6026_bc63_437b,
    ];
    assert_eq!(out.map(f64::to_bits), golden);
}

/// The sampler's units next to 0, next to 1/2 and next to 1.
const CELL: f64 = 0.5 * f64::EPSILON;

#[test]
fn normal_quantiles_are_exact() {
    let normal = Distribution::normal(0.0, 1.0).unwrap();
    // (probability, quantile), by another program; the first is the centre of the first cell.
    for (unit, quantile) in [
        (0.0, -8.292_361_075_813_595_f64),
        (1e-10, -6.361_340_902_404_056),
        (0.001, -3.090_232_306_167_813),
        (0.25, -0.674_489_750_196_081_7),
        (0.9, 1.281_551_565_544_600_8),
        (0.975, 1.959_963_984_540_053_6),
        (0.995, 2.575_829_303_548_9),
    ] {
        let found = normal.at(unit);
        // The centre of the cell lies 2⁻⁵⁴ above the unit; to second order in what that shifts.
        let density = (-0.5 * quantile * quantile).exp() / std::f64::consts::TAU.sqrt();
        let shift = if unit == 0.0 { 0.0 } else { 0.5 * CELL / density };
        let allowed = 8.0 * f64::EPSILON * quantile.abs() + shift * shift * quantile.abs()
            // The unit itself is known to half an ulp.
            + 0.5 * unit * f64::EPSILON / density;
        let expected = quantile + shift;
        assert!((found - expected).abs() <= allowed, "{unit}: {found} against {expected}");
        assert!((found * (1.0 + 1e-12) - expected).abs() > allowed, "{unit}");
    }
    // Mean and deviation scale it.
    let scaled = Distribution::normal(-3.0, 10.0).unwrap();
    assert_eq!(scaled.at(0.975), -3.0 + 10.0 * normal.at(0.975));
}

#[test]
fn extreme_units_are_finite_and_mirrored() {
    let normal = Distribution::normal(0.0, 1.0).unwrap();
    let bounded = Distribution::bounded_normal(0.999_99, 2.0).unwrap();
    let steep = Distribution::bounded_normal(3.0, 1e300).unwrap();
    let units = [0.0, f64::MIN_POSITIVE, 1e-300, CELL, 2.0 * CELL, 0.1, 0.25, 0.5 - CELL, 0.5, 0.75, 1.0 - CELL];
    for distribution in [normal, bounded, steep] {
        let mut previous = f64::NEG_INFINITY;
        for unit in units {
            let value = distribution.at(unit);
            assert!(value.is_finite() && distribution.contains(value), "{unit}: {value}");
            assert!(value >= previous, "{unit}: {value} after {previous}");
            previous = value;
            // A multiple of the cell has its mirror image among the units.
            if (unit / CELL).fract() == 0.0 && unit > CELL {
                assert_eq!(distribution.at((1.0 - unit) - CELL), -value, "{unit}");
            }
        }
        assert!(distribution.at(0.5 - CELL) < 0.0 && distribution.at(0.5) > 0.0);
        assert_eq!(distribution.at(0.0), -distribution.at(1.0 - CELL));
    }
    assert!(bounded.at(0.0).abs() < 1.0);
    // The largest normal distribution that is accepted.
    let wide = Distribution::normal(0.0, f64::MAX / 8.31).unwrap();
    assert!(wide.at(0.0).is_finite() && wide.at(1.0 - CELL).is_finite());
}

proptest! {
    #[test]
    fn bounded_draws_stay_in_their_bounds(
        bound in 1e-6..1e6_f64, spread in 1e-3..1e3_f64, unit in 0.0..1.0_f64,
    ) {
        let bounded = BoundedNormal::new(bound, spread).unwrap();
        let value = bounded.at(unit);
        prop_assert!(value.abs() <= bound);
        // tanh of the normal quantile, whatever the bound.
        let normal = Normal::new(0.0, 1.0).unwrap().at(unit);
        prop_assert_eq!(value, bound * (spread * normal).tanh());
        prop_assert_eq!(value < 0.0, unit < 0.5);
    }
}

/// Mean and variance of `f(N)` by Simpson's rule on [−10, 10].
fn moments_of(f: impl Fn(f64) -> f64) -> (f64, f64, f64) {
    const STEPS: u32 = 20_000;
    let integral = |g: &dyn Fn(f64) -> f64| {
        let h = 20.0 / f64::from(STEPS);
        let term = |k: u32| {
            let x = -10.0 + f64::from(k) * h;
            let weight = if k == 0 || k == STEPS { 1.0 } else { 2.0 + 2.0 * f64::from(k % 2) };
            weight * g(x) * (-0.5 * x * x).exp()
        };
        (0..=STEPS).map(term).sum::<f64>() * h / 3.0 / std::f64::consts::TAU.sqrt()
    };
    let mean = integral(&|x| f(x));
    (mean, integral(&|x| (f(x) - mean).powi(2)), integral(&|x| (f(x) - mean).powi(4)))
}

#[test]
fn moments_are_those_of_the_distributions() {
    const N: usize = 200_000;
    let cases: [(Distribution, &dyn Fn(f64) -> f64); 4] = [
        (Distribution::normal(0.0, 1.0).unwrap(), &|x| x),
        (Distribution::normal(5.0, 10.0).unwrap(), &|x| 5.0 + 10.0 * x),
        (Distribution::bounded_normal(0.999_99, 2.0).unwrap(), &|x| 0.999_99 * (2.0 * x).tanh()),
        (Distribution::bounded_normal(4.0, 0.3).unwrap(), &|x| 4.0 * (0.3 * x).tanh()),
    ];
    for (number, (distribution, f)) in cases.iter().enumerate() {
        let (mean, variance, fourth) = moments_of(f);
        let mut out = vec![0.0; N];
        StateSampler::new(11, 5).fill(number as u64, &[*distribution], &mut out);
        let n = N as f64;
        let found = out.iter().sum::<f64>() / n;
        let spread = out.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        // Five standard errors of the mean and of the mean square.
        let mean_error = 5.0 * (variance / n).sqrt();
        let variance_error = 5.0 * ((fourth - variance * variance) / n).sqrt();
        assert!((found - mean).abs() < mean_error, "{distribution:?}: mean {found}, expected {mean}");
        assert!((spread - variance).abs() < variance_error, "{distribution:?}: variance {spread}, expected {variance}");
        assert!((1.05 * spread - variance).abs() > variance_error, "a deviation off by 2.5 % is seen");
        // The share below each quartile of N is a quarter.
        for (quantile, share) in [(-0.674_489_750_196_081_7, 0.25), (0.0, 0.5), (0.674_489_750_196_081_7, 0.75)] {
            let below = out.iter().filter(|x| **x < f(quantile)).count() as f64 / n;
            assert!((below - share).abs() < 5.0 * (share * (1.0 - share) / n).sqrt(), "{below} below {share}");
        }
    }
}

#[test]
fn mixed_components_share_one_stream_of_units() {
    let mixed = [Distribution::uniform(0.0, 1.0).unwrap(), Distribution::normal(0.0, 1.0).unwrap()];
    let units = [Distribution::uniform(0.0, 1.0).unwrap(); 2];
    let (mut values, mut plain) = ([0.0; 100], [0.0; 100]);
    StateSampler::new(3, 0).fill(1, &mixed, &mut values);
    StateSampler::new(3, 0).fill(1, &units, &mut plain);
    for k in (0..100).step_by(2) {
        assert_eq!(values[k], plain[k]);
        assert_eq!(values[k + 1], mixed[1].at(plain[k + 1]));
    }
}

#[test]
fn distributions_are_checked() {
    for given in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = Distribution::normal(0.0, given).unwrap_err();
        assert!(error.to_string().contains(&format!("deviation = {given}")), "{error}");
        let error = Distribution::bounded_normal(given, 1.0).unwrap_err();
        assert!(error.to_string().contains(&format!("bound = {given}")), "{error}");
        let error = Distribution::bounded_normal(1.0, given).unwrap_err();
        assert!(error.to_string().contains(&format!("spread = {given}")), "{error}");
        let bounded = BoundedNormal::new(1.0, 2.0).unwrap();
        assert_eq!(bounded.with_spread(given).unwrap_err().to_string(), error.to_string());
    }
    for (mean, deviation) in [(f64::NAN, 1.0), (f64::INFINITY, 1.0), (0.0, 1e308), (1.7e308, 1e307)] {
        let error = Distribution::normal(mean, deviation).unwrap_err();
        assert!(matches!(error, InvalidDistribution::Overflow { .. }), "{error}");
    }
    let error = Distribution::uniform(2.0, 1.0).unwrap_err();
    assert!(matches!(error, InvalidDistribution::Interval(_)) && error.to_string().contains("[2, 1)"), "{error}");
}

#[test]
fn a_spread_can_be_ramped() {
    let bounded = BoundedNormal::constant(0.999_99, 0.3);
    let wider = bounded.with_spread(2.0).unwrap();
    assert_eq!((wider.bound(), wider.spread()), (0.999_99, 2.0));
    assert!(wider.at(0.9) > bounded.at(0.9));
    let normal = Normal::constant(1.0, 2.0);
    assert_eq!((normal.mean(), normal.deviation()), (1.0, 2.0));
    let inside = Distribution::BoundedNormal(bounded);
    assert!(inside.contains(0.9) && !inside.contains(1.0) && !inside.contains(f64::NAN));
}
