//! Random numbers from a seed, for cases whose sizes proptest shrinks.

/// Numbers that `f32` holds exactly, so that both precisions see the same case (SplitMix64).
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }
    /// Uniform in (−1, 1).
    pub(crate) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^= bits >> 31;
        f64::from((bits >> 40) as i32 * 2 - (1 << 24) + 1) / f64::from(1 << 24)
    }
    /// `count` numbers in (−scale, scale), `scale` rounded to a power of two.
    pub(crate) fn take(&mut self, count: usize, scale: f64) -> Vec<f64> {
        let scale = scale.log2().round().exp2();
        (0..count).map(|_| self.next() * scale).collect()
    }
}
