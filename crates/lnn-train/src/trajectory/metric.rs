//! How far a rollout is from the truth, over orders of magnitude.

/// Added to the relative error, so that an exact state does not make the mean 0.
const FLOOR: f64 = 1e-8;

/// The geometric mean over time of the relative error of a rollout,
///
/// ```text
/// exp( (1/T) ∫ ln(err(t) + 1e-8) dt ),   err = ‖ẑ − z‖ / ‖ẑ + z‖,
/// ```
///
/// the integral by the trapezium rule over `times` `[n]` and T from the first time to the last; `truth` z and
/// `prediction` ẑ are `[n, width]`. States of a mechanical system are best compared in Cartesian positions and
/// velocities, where equal differences mean equal distances (Finzi, Wang, Wilson, arXiv:2010.13581).
///
/// Where both states are 0 the error counts as 0. NaN if a prediction is not finite.
///
/// # Panics
/// If there are fewer than 2 times, or a length does not fit.
///
/// ```
/// use lnn_train::trajectory::geometric_mean_relative_error;
///
/// // A prediction that is 10 % off everywhere: err = 0.1 / 2.1.
/// let error = geometric_mean_relative_error(&[0.0, 1.0], &[1.0, 2.0], &[1.1, 2.2]);
/// assert!((error - (0.1 / 2.1 + 1e-8)).abs() < 1e-15);
/// ```
pub fn geometric_mean_relative_error(times: &[f64], truth: &[f64], prediction: &[f64]) -> f64 {
    assert!(times.len() >= 2, "a mean over time needs at least 2 times, not {}", times.len());
    assert_eq!(truth.len(), prediction.len(), "a prediction for every true state");
    assert!(truth.len().is_multiple_of(times.len()), "{} numbers at {} times", truth.len(), times.len());
    let width = truth.len() / times.len();
    let logarithm = |row: usize| {
        let (z, other) = (&truth[row * width..(row + 1) * width], &prediction[row * width..(row + 1) * width]);
        let norm = |combine: fn(f64, f64) -> f64| {
            z.iter().zip(other).map(|(&z, &other)| combine(other, z).powi(2)).sum::<f64>().sqrt()
        };
        let (difference, sum) = (norm(|a, b| a - b), norm(|a, b| a + b));
        let error = if difference == 0.0 { 0.0 } else { difference / sum };
        (error + FLOOR).ln()
    };
    let mut integral = 0.0;
    let mut before = logarithm(0);
    for row in 1..times.len() {
        let after = logarithm(row);
        integral += 0.5 * (before + after) * (times[row] - times[row - 1]);
        before = after;
    }
    (integral / (times[times.len() - 1] - times[0])).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_geometric_and_weighted_by_time() {
        // Errors e = |c − 1| / (c + 1) of predictions c·z: 1/3, 1/9 and 0 at unequal times.
        let (times, factors) = ([0.0, 1.0, 4.0], [2.0, 1.25, 1.0]);
        let truth = [3.0, -4.0, 1.0, 1.0, 0.0, 2.0];
        let prediction: Vec<f64> = truth.iter().enumerate().map(|(j, z)| z * factors[j / 2]).collect();
        let logs = [1.0 / 3.0, 1.0 / 9.0, 0.0].map(|error: f64| (error + 1e-8).ln());
        let want = ((0.5 * (logs[0] + logs[1]) + 1.5 * (logs[1] + logs[2])) / 4.0_f64).exp();
        let found = geometric_mean_relative_error(&times, &truth, &prediction);
        assert!((found / want - 1.0).abs() < 20.0 * f64::EPSILON * 8.0, "{found} {want}");
    }

    #[test]
    fn an_exact_rollout_is_at_the_floor_and_a_lost_one_is_no_number() {
        let truth = [0.0, 0.0, 1.0, 2.0];
        let exact = geometric_mean_relative_error(&[0.0, 0.5], &truth, &truth);
        assert!((exact / 1e-8 - 1.0).abs() < 1e-13, "{exact}");
        assert!(geometric_mean_relative_error(&[0.0, 0.5], &truth, &[0.0, 0.0, f64::NAN, 2.0]).is_nan());
        // The other way round each state is as far away as it can be.
        assert!(geometric_mean_relative_error(&[0.0, 0.5], &[1.0, 2.0], &[-1.0, -2.0]).is_infinite());
    }
}
