//! How far a sample is from a standard normal distribution.

use std::f64::consts::{FRAC_1_SQRT_2, LN_2, PI};

/// Below this width, in units of the density's own scale, an interval's mass is its density times its width.
const NARROW: f64 = 1e-3;
/// Below this the normal distribution function is taken from its asymptotic series.
const FAR: f64 = -30.0;

/// The Kullback–Leibler divergence of a sample from N(0, 1), seen through `bins` bins of equal share of the sample.
///
/// ```text
/// D = Σ_k (1/K) ln( (1/K) / [Φ(x_k) − Φ(x_{k−1})] ),   x_0 = −∞, x_K = ∞, x_k the sample's (k/K)-quantile
/// ```
///
/// The bins' edges follow the sample (Wang, Kulkarni and Verdú 2005, "Divergence estimation of continuous
/// distributions based on data-dependent partitions"), so that nothing saturates where the sample is a thousand times
/// too wide or too narrow. It is the divergence of two distributions over K bins: never negative, 0 only if both agree
/// on every bin, and at most the divergence of the distributions themselves. What lies beyond the outermost edges
/// counts by its share alone. That is what makes it usable here: accelerations q̈ = H⁺r of a random network have the
/// tails of 1/x and their gradients those of 1/√x, whose second moment, and so whose divergence from any normal
/// distribution, is infinite. A moment estimate ½(s² + m² − 1 − ln s²) would be a statement about the largest of the
/// sample. The more bins, the more of the tails it sees.
///
/// Of N samples of N(0, 1) itself the expectation is about (K − 1) / 2N. The slice is sorted. A NaN counts as ∞.
/// Where more than a K-th of the sample is not finite, or is one and the same number, the result is ∞.
///
/// # Panics
/// If there are less than two bins or fewer samples than bins.
pub fn divergence_from_standard_normal(sample: &mut [f64], bins: usize) -> f64 {
    assert!(bins >= 2 && sample.len() >= bins, "{} samples do not fill {bins} bins", sample.len());
    for value in sample.iter_mut().filter(|value| value.is_nan()) {
        *value = f64::INFINITY;
    }
    sample.sort_unstable_by(f64::total_cmp);
    let share = 1.0 / bins as f64;
    let mut lower = f64::NEG_INFINITY;
    let mut sum = 0.0;
    for bin in 1..=bins {
        let upper = if bin == bins { f64::INFINITY } else { quantile(sample, bin as f64 * share) };
        sum += share.ln() - ln_normal_mass(lower, upper);
        lower = upper;
    }
    // Equal bins add up to 0 but for rounding.
    (sum * share).max(0.0)
}

/// The value below which the given share of a sorted sample lies, between the two samples nearest to it.
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = (share * sorted.len() as f64 - 0.5).clamp(0.0, (sorted.len() - 1) as f64);
    let index = place as usize;
    let part = place - index as f64;
    // An infinite neighbour must not be multiplied by 0.
    if part == 0.0 || sorted[index] == sorted[index + 1] {
        return sorted[index];
    }
    sorted[index] * (1.0 - part) + sorted[index + 1] * part
}

/// ln(Φ(b) − Φ(a)) for a ≤ b, without cancellation in either tail; −∞ for an empty interval.
fn ln_normal_mass(a: f64, b: f64) -> f64 {
    if a == b {
        return f64::NEG_INFINITY;
    }
    if a >= 0.0 {
        return ln_normal_mass(-b, -a);
    }
    let width = b - a;
    if width * a.abs().max(b.abs()).max(1.0) < NARROW {
        let middle = 0.5 * (a + b);
        let correction = (width * width * (middle * middle - 1.0) / 24.0).ln_1p();
        return width.ln() - 0.5 * middle * middle - 0.5 * (2.0 * PI).ln() + correction;
    }
    if b <= 0.0 {
        let (low, high) = (ln_normal_below(a), ln_normal_below(b));
        return high + (-(low - high).exp()).ln_1p();
    }
    (-(ln_normal_below(a).exp() + ln_normal_below(-b).exp())).ln_1p()
}

/// ln Φ(x) for x ≤ 0.
fn ln_normal_below(x: f64) -> f64 {
    if x >= FAR {
        return libm::erfc(-x * FRAC_1_SQRT_2).ln() - LN_2;
    }
    if x == f64::NEG_INFINITY {
        return x;
    }
    let y = 1.0 / (x * x);
    // Abramowitz and Stegun 26.2.12; the next term is below 1e-9 of the sum.
    let series = (-y * (1.0 - 3.0 * y * (1.0 - 5.0 * y))).ln_1p();
    -0.5 * x * x - (-x).ln() - 0.5 * (2.0 * PI).ln() + series
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::StandardNormal;

    /// `deviation`·N(0, 1) + `mean`.
    fn normal(count: usize, mean: f64, deviation: f64, seed: u64) -> Vec<f64> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        (0..count).map(|_| mean + deviation * random.sample::<f64, _>(StandardNormal)).collect()
    }

    /// KL(N(m, s²) ‖ N(0, 1)).
    fn closed_form(mean: f64, deviation: f64) -> f64 {
        0.5 * (deviation * deviation + mean * mean - 1.0) - deviation.ln()
    }

    #[test]
    fn normal_samples_come_near_the_closed_form_from_below() {
        for (mean, deviation) in [(0.0, 0.01), (0.0, 0.3), (0.0, 1.7), (0.0, 3.0), (1.0, 0.5), (-2.0, 1.0)] {
            let exact = closed_form(mean, deviation);
            let mut sample = normal(200_000, mean, deviation, 3);
            let by_bins = [4, 32, 500].map(|bins| divergence_from_standard_normal(&mut sample, bins));
            // (K − 1) / 2N is 1e-3 at 500 bins.
            assert!(by_bins[2] <= exact + 0.01, "{mean}, {deviation}: {by_bins:?} above {exact}");
            assert!(by_bins[0] < by_bins[1] && by_bins[1] < by_bins[2], "finer bins see more: {by_bins:?}");
            // The two outermost bins of 500 hide what is within them.
            assert!((by_bins[2] - exact).abs() < 0.03 * exact, "{mean}, {deviation}: {by_bins:?}, not {exact}");
        }
    }

    #[test]
    fn standard_normal_samples_have_the_expected_remainder() {
        let (count, bins, repeats) = (2_000, 16, 200);
        let values: Vec<f64> = (0..repeats)
            .map(|seed| divergence_from_standard_normal(&mut normal(count, 0.0, 1.0, seed), bins))
            .collect();
        let mean = values.iter().sum::<f64>() / repeats as f64;
        let expected = (bins - 1) as f64 / (2 * count) as f64;
        // 2N·D is χ² with K − 1 degrees of freedom: its mean has the relative deviation √(2/(K − 1)/repeats).
        let deviation = (2.0 / (bins - 1) as f64 / repeats as f64).sqrt();
        assert!((mean / expected - 1.0).abs() < 4.0 * deviation, "{mean} against {expected}");
    }

    #[test]
    fn quartiles_alone_are_smallest_at_deviation_one() {
        let unit = normal(100_000, 0.0, 1.0, 9);
        let at = |deviation: f64| {
            let mut sample: Vec<f64> = unit.iter().map(|x| deviation * x).collect();
            divergence_from_standard_normal(&mut sample, 4)
        };
        assert!(at(1.0) < at(0.95) && at(1.0) < at(1.05));
        for pair in [0.9, 0.3, 0.01, 1e-6, 1e-12].windows(2) {
            assert!(at(pair[0]) < at(pair[1]), "narrower is farther");
        }
        for pair in [1.1, 3.0, 100.0, 1e6].windows(2) {
            assert!(at(pair[0]) < at(pair[1]), "wider is farther");
        }
    }

    #[test]
    fn what_lies_beyond_the_edges_counts_by_its_share() {
        let mut sample = normal(1_000, 0.0, 1.0, 4);
        let before = divergence_from_standard_normal(&mut sample, 8);
        for outlier in [1e3, 1e300, f64::INFINITY, f64::NAN] {
            let mut spoilt = sample.clone();
            *spoilt.last_mut().expect("not empty") = outlier;
            assert_eq!(divergence_from_standard_normal(&mut spoilt, 8), before, "{outlier}");
        }
        let mut broken = sample.clone();
        broken[..200].fill(f64::NAN);
        assert_eq!(divergence_from_standard_normal(&mut broken, 8), f64::INFINITY);
        assert_eq!(divergence_from_standard_normal(&mut [0.0; 64], 8), f64::INFINITY);
    }

    #[test]
    fn masses_add_up_and_meet_their_series() {
        // Φ(1) − Φ(0) and Φ(−30) the second by the continued fraction of the Mills ratio to sixty digits.
        assert!((ln_normal_mass(0.0, 1.0).exp() - 0.341_344_746_068_542_9).abs() < 4.0 * f64::EPSILON);
        assert!((ln_normal_below(-30.0) / -454.321_243_956_343_2 - 1.0).abs() < 1e-13);
        for cut in [-300.0, -40.0, -30.0, -29.999, -8.0, -1.0, 0.0, 0.3, 5.0] {
            // The wide interval beside the sum of two, one of them narrow.
            let (a, b, c) = (cut - 1.0, cut - 1e-5, cut);
            let sum = (ln_normal_mass(a, b) - ln_normal_mass(a, c)).exp()
                + (ln_normal_mass(b, c) - ln_normal_mass(a, c)).exp();
            // The asymptotic series leaves 1e-9 at −30, less beyond.
            assert!((sum - 1.0).abs() < 1e-7, "{cut}: {sum}");
            assert_eq!(ln_normal_mass(a, c), ln_normal_mass(-c, -a));
        }
    }
}
