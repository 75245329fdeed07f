//! Random states that depend on a seed and a position only, never on history or on the number of
//! threads.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use thiserror::Error;

/// An interval that cannot be sampled.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error("the interval [{low}, {high}) is empty, not finite, or wider than the largest number; give finite low < high")]
pub struct InvalidInterval {
    /// Lower end that was given.
    pub low: f64,
    /// Upper end that was given.
    pub high: f64,
}

/// A half-open interval [low, high) with finite ends and low < high.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    low: f64,
    high: f64,
}

impl Interval {
    /// The interval [low, high).
    ///
    /// # Errors
    /// [`InvalidInterval`] unless both ends and their difference are finite and low < high.
    pub fn new(low: f64, high: f64) -> Result<Self, InvalidInterval> {
        if low < high && (high - low).is_finite() { Ok(Self { low, high }) } else { Err(InvalidInterval { low, high }) }
    }

    /// The interval [low, high) for ends known when the program is compiled.
    ///
    /// # Panics
    /// When low is not below high or an end is not finite; in a constant, compilation fails.
    #[must_use]
    pub const fn constant(low: f64, high: f64) -> Self {
        assert!(low < high && (high - low).is_finite(), "an interval needs finite low < high");
        Self { low, high }
    }

    /// Lower end, inside the interval.
    #[must_use]
    pub const fn low(&self) -> f64 {
        self.low
    }

    /// Upper end, outside the interval.
    #[must_use]
    pub const fn high(&self) -> f64 {
        self.high
    }

    /// `low + (high − low)·unit` for `unit` in [0, 1), kept below `high` where rounding would reach
    /// it.
    #[must_use]
    pub fn at(&self, unit: f64) -> f64 {
        let value = self.low + (self.high - self.low) * unit;
        if value < self.high { value } else { self.high.next_down() }
    }

    /// True when `value` lies in [low, high).
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value < self.high
    }
}

/// Uniform states by position: the number at (seed, domain, stream, index) is always the same.
///
/// The generator is ChaCha with 8 rounds (D. J. Bernstein, ChaCha, a variant of Salsa20, 2008),
/// used as a function of a counter, so that any implementation can reproduce it:
///
/// - key: 32 bytes, `seed` as 8 little-endian bytes, then `domain` likewise, then 16 zero bytes;
/// - nonce: `stream`, 64 bits (words 14 and 15 of the initial state, low word first);
/// - block counter: 64 bits from 0 (words 12 and 13), 16 output words of 32 bits a block;
/// - number `index` takes the words `2·index` (low half) and `2·index + 1` (high half) as a 64-bit
///   integer `u`, and `unit = (u >> 11)·2⁻⁵³`, an exact multiple of 2⁻⁵³ in [0, 1);
/// - component j of state i, of d components, is number `i·d + j`, mapped by [`Interval::at`]: one
///   product, one sum, each rounded to nearest (not fused).
///
/// Use the training step as the stream and a domain for each purpose (training, held-out states,
/// rollouts): two different domains or streams never share numbers, and a resumed run continues
/// exactly.
///
/// ```
/// use lnn_physics::sampling::{Interval, StateSampler};
///
/// let ranges = [Interval::new(0.0, 1.0)?, Interval::new(-10.0, 10.0)?];
/// let sampler = StateSampler::new(7, 0);
/// let mut batch = [0.0; 6]; // three states of two components
/// sampler.fill(42, &ranges, &mut batch);
/// // The third state alone, as another thread would draw it.
/// let mut third = [0.0; 2];
/// sampler.fill_from(42, 2, &ranges, &mut third);
/// assert_eq!(batch[4..], third);
/// # Ok::<(), lnn_physics::sampling::InvalidInterval>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateSampler {
    seed: u64,
    domain: u64,
}

impl StateSampler {
    /// The sampler of `seed` for the purpose numbered `domain`.
    #[must_use]
    pub const fn new(seed: u64, domain: u64) -> Self {
        Self { seed, domain }
    }

    /// Fills `out` `[states, ranges.len()]` with the first states of `stream`. Allocates nothing.
    ///
    /// # Panics
    /// As [`fill_from`](Self::fill_from).
    pub fn fill(&self, stream: u64, ranges: &[Interval], out: &mut [f64]) {
        self.fill_from(stream, 0, ranges, out);
    }

    /// Fills `out` `[states, ranges.len()]` with the states `first`, `first + 1`, … of `stream`.
    /// Allocates nothing.
    ///
    /// # Panics
    /// When `ranges` is empty or `out` does not hold a whole number of states.
    pub fn fill_from(&self, stream: u64, first: u64, ranges: &[Interval], out: &mut [f64]) {
        assert!(
            !ranges.is_empty() && out.len().is_multiple_of(ranges.len()),
            "the output ({} numbers) does not hold whole states of {} components",
            out.len(),
            ranges.len()
        );
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..16].copy_from_slice(&self.domain.to_le_bytes());
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream(stream);
        generator.set_word_pos(2 * u128::from(first) * ranges.len() as u128);
        for state in out.chunks_exact_mut(ranges.len()) {
            for (value, range) in state.iter_mut().zip(ranges) {
                *value = range.at(unit(generator.next_u64()));
            }
        }
    }
}

/// The upper 53 bits as a multiple of 2⁻⁵³ in [0, 1); exact, since 53 bits fit the significand.
fn unit(bits: u64) -> f64 {
    const SPACING: f64 = 1.0 / (1_u64 << 53) as f64;
    (bits >> 11) as f64 * SPACING
}
