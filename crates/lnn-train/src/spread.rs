//! How a figure spreads over the seeds that it was measured with.

use serde::{Deserialize, Serialize};

use crate::record::null_if_not_finite;

/// A figure over several seeds. A value that is not a number counts as the worst of all, also where it makes the mean one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Least value.
    #[serde(with = "null_if_not_finite")]
    pub min: f64,
    /// Median.
    #[serde(with = "null_if_not_finite")]
    pub median: f64,
    /// Arithmetic mean.
    #[serde(with = "null_if_not_finite")]
    pub mean: f64,
    /// Largest value.
    #[serde(with = "null_if_not_finite")]
    pub max: f64,
    /// Standard deviation of the population that the values are a sample of, with n − 1; NaN for one value.
    #[serde(with = "null_if_not_finite")]
    pub standard_deviation: f64,
}

impl Spread {
    /// The spread of some values; all NaN for none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let values = sorted(values);
        let (least, largest) = (values.first().copied(), values.last().copied());
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let standard_deviation = if values.len() > 1 { (squares / (n - 1.0)).sqrt() } else { f64::NAN };
        let end = |value: Option<f64>| value.unwrap_or(f64::NAN);
        Self { min: end(least), median: middle(&values), mean, max: end(largest), standard_deviation }
    }
}

/// The median of some values, as in [`Spread`]; NaN for none.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    middle(&sorted(values))
}

fn middle(sorted: &[f64]) -> f64 {
    match (sorted.len(), sorted.len() / 2) {
        (0, _) => f64::NAN,
        (n, half) if n % 2 == 1 => sorted[half],
        (_, half) => 0.5 * (sorted[half - 1] + sorted[half]),
    }
}

/// NaN last.
fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    // The total order puts this NaN above infinity, but one with a sign below everything.
    let one_nan = |value: f64| if value.is_nan() { f64::NAN } else { value };
    let mut values: Vec<f64> = values.into_iter().map(one_nan).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_of_five_values_is_theirs() {
        let Spread { min, median, mean, max, standard_deviation } = Spread::of([2.0, 9.0, 4.0, 4.0, 1.0]);
        assert_eq!([min, median, mean, max], [1.0, 4.0, 4.0, 9.0]);
        // Squares 4, 25, 0, 0, 9 over 4.
        assert_eq!(standard_deviation, 9.5_f64.sqrt());
    }

    #[test]
    fn what_is_no_number_is_the_worst_and_few_values_have_what_they_have() {
        let broken = Spread::of([-f64::NAN, 1.0, 2.0]);
        assert!(broken.min == 1.0 && broken.median == 2.0 && broken.mean.is_nan() && broken.max.is_nan());
        let one = Spread::of([3.0]);
        assert!(one.min == 3.0 && one.median == 3.0 && one.mean == 3.0 && one.standard_deviation.is_nan());
        let none = Spread::of([]);
        assert!([none.min, none.median, none.mean, none.max].iter().all(|value| value.is_nan()));
        assert_eq!(median([1.0, 4.0]), 2.5);
    }
}
