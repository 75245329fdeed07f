//! Axes with the tick marks that a reader expects: round steps, powers of ten, multiples of π.

use std::f64::consts::PI;
use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use super::number::{power_of_ten, significant};

/// One axis: its range, its scale and where its marks are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis {
    low: f64,
    high: f64,
    scale: Scale,
    ticks: Vec<f64>,
    minor: Vec<f64>,
    rows: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Scale {
    Linear {
        decimals: usize,
    },
    /// Linear, with marks at multiples of `step`·π.
    Angle {
        step: f64,
    },
    Log,
    /// Named rows, the first at the top.
    Rows,
}

/// Decades that a logarithmic axis shows at most; smaller values lie on its lower edge.
const DECADES: f64 = 14.0;

/// Below it the marks of a linear axis are powers of ten, since decimals would be mostly zeros.
const SMALL: f64 = 1e-4;

impl Axis {
    /// A linear axis from `low` to `high` exactly.
    pub(crate) fn linear_range(low: f64, high: f64, marks: usize) -> Self {
        let (low, high) = proper(low, high);
        let step = round_step((high - low) / marks.max(2) as f64);
        let decimals = (-step.log10().floor()).max(0.0) as usize;
        Self {
            low,
            high,
            scale: Scale::Linear { decimals },
            ticks: multiples(step, low, high),
            minor: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// A linear axis of angles in radians, with marks at multiples of π or of a fraction of it.
    pub(crate) fn angle_range(low: f64, high: f64, marks: usize) -> Self {
        let (low, high) = proper(low, high);
        let turns = (high - low) / PI / marks.max(2) as f64;
        let step = match turns {
            t if t <= 0.25 => return Self::linear_range(low, high, marks),
            t if t <= 0.5 => 0.5,
            t if t <= 1.0 => 1.0,
            t if t <= 2.0 => 2.0,
            t => 2.0 * round_step(t / 2.0).max(1.0),
        };
        Self {
            low,
            high,
            scale: Scale::Angle { step },
            ticks: multiples(step * PI, low, high),
            minor: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// A logarithmic axis over exactly the positive finite `values`.
    pub(crate) fn logarithmic(values: impl IntoIterator<Item = f64>) -> Self {
        let logs = sorted_logarithms(values);
        match (logs.first(), logs.last()) {
            (Some(low), Some(high)) if low < high => Self::decades(*low, *high),
            (Some(low), _) => Self::decades(low - 0.5, low + 0.5),
            (None, _) => Self::decades(-3.0, 0.0),
        }
    }

    /// A logarithmic axis with room around the positive finite `values`.
    ///
    /// The lowest 0.5 % of many values do not widen it: a curve of absolute errors touches zero
    /// wherever the error changes sign, and those dips would flatten the rest.
    pub(crate) fn errors(values: impl IntoIterator<Item = f64>) -> Self {
        let logs = sorted_logarithms(values);
        let (low, high) = match (logs.get(logs.len() / 200), logs.last()) {
            (Some(low), Some(high)) => (*low, *high),
            _ => (-3.0, 0.0),
        };
        let pad = (0.04 * (high - low)).max(0.12);
        Self::decades(low - pad, high + pad)
    }

    /// A logarithmic axis between two powers of ten, cut below to [`DECADES`].
    fn decades(low: f64, high: f64) -> Self {
        let low = low.max(high - DECADES);
        let first = (low - 1e-9).ceil() as i32;
        let last = (high + 1e-9).floor() as i32;
        let decades = high - low;
        let stride = ((decades / 9.0).ceil() as i32).max(1);
        // The ends are marks if they are round, whatever the rounding of their logarithms.
        let inside = |value: &f64| (low - 1e-9..=high + 1e-9).contains(&value.log10());
        let multiples_of = |digits: &[f64]| -> Vec<f64> {
            (first - 1..=last)
                .flat_map(|exponent| digits.iter().map(move |d| d * 10f64.powi(exponent)))
                .filter(inside)
                .collect()
        };
        let ticks = if decades < 2.2 {
            multiples_of(&[1.0, 2.0, 5.0])
        } else {
            (first..=last)
                .filter(|exponent| exponent.rem_euclid(stride) == 0)
                .map(|exponent| 10f64.powi(exponent))
                .collect()
        };
        let minor = if stride > 1 {
            (first..=last).map(|exponent| 10f64.powi(exponent)).collect()
        } else if decades < 6.0 {
            multiples_of(&[2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0])
        } else {
            Vec::new()
        };
        Self { low: 10f64.powf(low), high: 10f64.powf(high), scale: Scale::Log, ticks, minor, rows: Vec::new() }
    }

    /// An axis of named rows, row k at the value −k, so that the first is at the top.
    pub(crate) fn rows(names: Vec<String>) -> Self {
        Self {
            low: 0.5 - names.len().max(1) as f64,
            high: 0.5,
            scale: Scale::Rows,
            ticks: (0..names.len()).map(|row| -(row as f64)).collect(),
            minor: Vec::new(),
            rows: names,
        }
    }

    /// The marks, from the lower end.
    pub(crate) fn ticks(&self) -> &[f64] {
        &self.ticks
    }

    /// The texts at the marks.
    pub(crate) fn tick_labels(&self) -> Vec<String> {
        self.ticks.iter().map(|tick| self.label(*tick)).collect()
    }

    /// The lower end.
    pub(crate) fn low(&self) -> f64 {
        self.low
    }

    /// The upper end.
    pub(crate) fn high(&self) -> f64 {
        self.high
    }

    /// Place of `value` along the axis, 0 at the lower end and 1 at the upper; NaN where it has none.
    pub(crate) fn position(&self, value: f64) -> f64 {
        if self.scale == Scale::Log {
            if value <= 0.0 {
                return f64::NAN;
            }
            let (low, high) = (self.low.log10(), self.high.log10());
            (value.log10() - low) / (high - low)
        } else {
            (value - self.low) / (self.high - self.low)
        }
    }

    /// The text at a mark.
    pub(crate) fn label(&self, value: f64) -> String {
        match self.scale {
            Scale::Linear { decimals } => {
                // A mark at −1e−17 is zero.
                let value = if value.abs() < 1e-9 * (self.high - self.low) { 0.0 } else { value };
                if value.abs() >= 1e6 {
                    return significant(value, 3);
                }
                let largest = self.low.abs().max(self.high.abs());
                if largest < SMALL {
                    // As many digits as tell a mark from the next.
                    let digits = decimals as f64 + largest.log10().floor() + 1.0;
                    return significant(value, digits.max(1.0) as usize);
                }
                format!("{value:.decimals$}").replace('-', "−")
            }
            Scale::Angle { step } => angle_label((value / PI / step).round() * step),
            Scale::Log => {
                let exponent = value.log10().floor() as i32;
                let digit = (value / 10f64.powi(exponent)).round();
                if digit == 1.0 {
                    power_of_ten(exponent)
                } else if digit == 10.0 {
                    power_of_ten(exponent + 1)
                } else if (-5..=4).contains(&exponent) {
                    format!("{value:.*}", (-exponent).max(0) as usize)
                } else {
                    format!("{digit}·{}", power_of_ten(exponent))
                }
            }
            Scale::Rows => self.rows.get((-value).round().max(0.0) as usize).cloned().unwrap_or_default(),
        }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let position = self.position(*value);
        // Only a value without a place (NaN, or not positive on a logarithmic axis) is not finite here;
        // it belongs to the lower end.
        let position = if position.is_nan() { 0.0 } else { position };
        let span = f64::from(limit.1 - limit.0);
        // Far enough outside to be cut, near enough not to overflow the pixel type.
        limit.0 + (position.clamp(-10.0, 10.0) * span).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { self.minor.clone() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        self.label(*value)
    }
}

fn sorted_logarithms(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut logs: Vec<f64> =
        values.into_iter().filter(|value| value.is_finite() && *value > 0.0).map(f64::log10).collect();
    logs.sort_by(f64::total_cmp);
    logs
}

/// A range of positive, finite width: a single value gets room around it.
fn proper(low: f64, high: f64) -> (f64, f64) {
    if !(low.is_finite() && (high - low).is_finite()) {
        return (0.0, 1.0);
    }
    // Below this width rounding of the values themselves would show.
    let least = 1e-9 * low.abs().max(high.abs());
    if high - low > least {
        (low, high)
    } else {
        let pad = (0.05 * low.abs()).max(0.5);
        (low - pad, high + pad)
    }
}

/// The smallest of 1, 2, 5 × 10ⁿ that is not below `step`.
fn round_step(step: f64) -> f64 {
    let magnitude = 10f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        // A step a rounding error above 2 is 2.
        .find(|factor| factor * magnitude >= step * (1.0 - 1e-9))
        .unwrap_or(10.0);
    factor * magnitude
}

fn multiples(step: f64, low: f64, high: f64) -> Vec<f64> {
    let slack = 1e-9;
    let first = (low / step - slack).ceil() as i64;
    let last = (high / step + slack).floor() as i64;
    (first..=last).map(|k| k as f64 * step).collect()
}

fn angle_label(turns: f64) -> String {
    if turns == 0.0 {
        return "0".to_owned();
    }
    let sign = if turns < 0.0 { "−" } else { "" };
    let size = turns.abs();
    if size.fract() == 0.5 {
        let halves = (2.0 * size).round();
        return if halves == 1.0 { format!("{sign}π/2") } else { format!("{sign}{halves}π/2") };
    }
    if size == 1.0 { format!("{sign}π") } else { format!("{sign}{}π", size.round()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_marks_are_round() {
        assert_eq!(Axis::linear_range(0.0, 100.0, 5).tick_labels(), ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(Axis::linear_range(-0.3, 0.3, 4).tick_labels(), ["−0.2", "0.0", "0.2"]);
    }

    #[test]
    fn small_numbers_have_an_axis_of_their_own_size() {
        let axis = Axis::linear_range(-1e-14, 3e-14, 4);
        assert!((axis.low(), axis.high()) == (-1e-14, 3e-14));
        assert_eq!(axis.tick_labels(), ["−1e−14", "0", "1e−14", "2e−14", "3e−14"]);
        assert_eq!(Axis::linear_range(1.02e-6, 1.06e-6, 4).tick_labels()[..2], ["1.02e−6", "1.03e−6"]);
        assert_eq!(Axis::linear_range(1.0, 1.0 + 4e-8, 4).tick_labels()[1], "1.00000001");
        // What rounding has made of one number is one number.
        assert!(Axis::linear_range(1.0, 1.0 + 1e-15, 4).high() > 1.4);
    }

    #[test]
    fn angle_marks_are_multiples_of_pi() {
        assert_eq!(Axis::angle_range(-4.0, 7.0, 4).tick_labels(), ["−π", "0", "π", "2π"]);
        assert_eq!(Axis::angle_range(-2.0, 2.0, 4).tick_labels(), ["−π/2", "0", "π/2"]);
    }

    #[test]
    fn log_marks_are_decades_and_zeros_are_left_out() {
        let axis = Axis::errors([0.0, f64::NAN, 3e-4, 25.0]);
        assert_eq!(axis.tick_labels(), ["0.001", "0.01", "0.1", "1", "10"]);
        assert!(axis.position(0.0).is_nan());
        let middle = (axis.low() * axis.high()).sqrt();
        assert!((axis.position(middle) - 0.5).abs() < 1e-14);
        let narrow = Axis::logarithmic([2.0, 30.0]);
        assert_eq!(narrow.tick_labels(), ["2", "5", "10", "20"]);
        let steps = Axis::logarithmic([50.0, 100.0, 10_000.0]);
        assert_eq!(steps.tick_labels(), ["100", "1000", "10000"]);
        assert!((steps.low() - 50.0).abs() < 1e-12 && (steps.high() - 1e4).abs() < 1e-9);
    }

    #[test]
    fn no_input_makes_an_empty_or_endless_range() {
        for axis in [
            Axis::linear_range(3.0, 3.0, 5),
            Axis::linear_range(1e300, 1e300, 5),
            Axis::linear_range(-1e300, 1e300, 5),
            Axis::linear_range(-f64::MAX, f64::MAX, 5),
            Axis::linear_range(f64::NAN, f64::INFINITY, 5),
            Axis::angle_range(2.0, 2.0, 5),
            Axis::logarithmic([]),
            Axis::logarithmic([0.0]),
            Axis::logarithmic([7.0]),
            Axis::logarithmic([1e-300, 1e300]),
            Axis::errors([]),
            Axis::errors([0.0, f64::INFINITY]),
            Axis::rows(Vec::new()),
            Axis::rows(vec!["one".to_owned()]),
        ] {
            assert!(axis.low() < axis.high(), "{axis:?}");
            assert!(axis.ticks.len() < 40, "{axis:?}");
            assert_eq!(axis.map(&axis.low(), (0, 100)), 0, "{axis:?}");
            assert_eq!(axis.map(&axis.high(), (0, 100)), 100, "{axis:?}");
        }
    }
}
