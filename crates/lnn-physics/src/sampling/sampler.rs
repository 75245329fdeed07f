//! States by seed and position: a counter-based generator, mapped by each component's distribution.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::distribution::Distribution;

/// Random states by position: the number at (seed, domain, stream, index) is always the same.
///
/// The generator is ChaCha with 8 rounds (D. J. Bernstein, ChaCha, a variant of Salsa20, 2008),
/// used as a function of a counter, so that any implementation can reproduce it:
///
/// - key: 32 bytes, `seed` as 8 little-endian bytes, then `domain` likewise, then 16 zero bytes;
/// - nonce: `stream`, 64 bits (words 14 and 15 of the initial state, low word first);
/// - block counter: 64 bits from 0 (words 12 and 13), 16 output words of 32 bits a block;
/// - number `index` takes the words `2·index` (low half) and `2·index + 1` (high half) as a 64-bit
///   integer `u`, and `unit = (u >> 11)·2⁻⁵³`, an exact multiple of 2⁻⁵³ in [0, 1);
/// - component j of state i, of d components, is number `i·d + j`, mapped by [`Distribution::at`].
///   For a uniform component that is one product, one sum, each rounded to nearest (not fused), the
///   same on every machine; the logarithms and hyperbolic tangents of the other distributions may
///   differ in the last bit from one machine's mathematical library to another's.
///
/// Use the training step as the stream and a domain for each purpose (training, held-out states,
/// rollouts): two different domains or streams never share numbers, and a resumed run continues
/// exactly.
///
/// ```
/// use lnn_physics::sampling::{Distribution, StateSampler};
///
/// let distribution = [Distribution::uniform(0.0, 1.0)?, Distribution::normal(0.0, 10.0)?];
/// let sampler = StateSampler::new(7, 0);
/// let mut batch = [0.0; 6]; // three states of two components
/// sampler.fill(42, &distribution, &mut batch);
/// // The third state alone, as another thread would draw it.
/// let mut third = [0.0; 2];
/// sampler.fill_from(42, 2, &distribution, &mut third);
/// assert_eq!(batch[4..], third);
/// # Ok::<(), lnn_physics::sampling::InvalidDistribution>(())
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

    /// Fills `out` `[states, distribution.len()]` with the first states of `stream`. Allocates
    /// nothing.
    ///
    /// # Panics
    /// As [`fill_from`](Self::fill_from).
    pub fn fill(&self, stream: u64, distribution: &[Distribution], out: &mut [f64]) {
        self.fill_from(stream, 0, distribution, out);
    }

    /// Fills `out` `[states, distribution.len()]` with the states `first`, `first + 1`, … of
    /// `stream`. Allocates nothing.
    ///
    /// # Panics
    /// When `distribution` is empty or `out` does not hold a whole number of states.
    pub fn fill_from(&self, stream: u64, first: u64, distribution: &[Distribution], out: &mut [f64]) {
        let width = distribution.len();
        assert!(
            width > 0 && out.len().is_multiple_of(width),
            "the output ({} numbers) does not hold whole states of {width} components",
            out.len(),
        );
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..16].copy_from_slice(&self.domain.to_le_bytes());
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream(stream);
        generator.set_word_pos(2 * u128::from(first) * width as u128);
        for state in out.chunks_exact_mut(width) {
            for (value, component) in state.iter_mut().zip(distribution) {
                *value = component.at(unit(generator.next_u64()));
            }
        }
    }
}

/// The upper 53 bits as a multiple of 2⁻⁵³ in [0, 1); exact, since 53 bits fit the significand.
fn unit(bits: u64) -> f64 {
    const SPACING: f64 = 1.0 / (1_u64 << 53) as f64;
    (bits >> 11) as f64 * SPACING
}
