//! The state sampler: the documented generator, determinism, independence, range and moments.

#![allow(clippy::unwrap_used)] // In a test, a failed unwrap is a failure with its line.

use lnn_physics::sampling::{Interval, StateSampler};
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

fn ranges() -> [Interval; 3] {
    [(0.0, 1.0), (-10.0, 10.0), (3.0, 3.5)].map(|(low, high)| Interval::new(low, high).unwrap())
}

proptest! {
    #[test]
    fn the_documentation_describes_the_generator(
        seed: u64, domain: u64, stream: u64, first in 0..1_000_000_u64, states in 1..30_usize,
    ) {
        let mut out = vec![f64::NAN; 3 * states];
        StateSampler::new(seed, domain).fill_from(stream, first, &ranges(), &mut out);
        for (k, value) in out.iter().enumerate() {
            let unit = documented_unit(seed, domain, stream, 3 * first + k as u64);
            let range = ranges()[k % 3];
            prop_assert_eq!(*value, range.low() + (range.high() - range.low()) * unit);
            prop_assert!(range.contains(*value));
        }
    }

    #[test]
    fn any_division_of_the_work_gives_the_same_states(seed: u64, stream: u64, cut in 0..=64_usize) {
        let sampler = StateSampler::new(seed, 3);
        let mut whole = [0.0; 192];
        sampler.fill(stream, &ranges(), &mut whole);
        let mut parts = [0.0; 192];
        let (head, tail) = parts.split_at_mut(3 * cut);
        sampler.fill_from(stream, cut as u64, &ranges(), tail);
        sampler.fill(stream, &ranges(), head);
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
        StateSampler::new(seed, domain).fill(stream, &ranges()[..1], &mut out);
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
    let range = [Interval::new(0.0, 1.0).unwrap()];
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
    StateSampler::new(0, 0).fill(0, &ranges(), &mut [0.0; 4]);
}
