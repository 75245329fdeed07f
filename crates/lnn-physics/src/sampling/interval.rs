//! Half-open intervals, the supports of uniform distributions.

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
