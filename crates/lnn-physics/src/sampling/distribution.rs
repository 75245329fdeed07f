//! What one component of a random state is drawn from.

use std::f64::consts::SQRT_2;

use statrs::function::erf::erfc_inv;
use thiserror::Error;

use super::interval::{Interval, InvalidInterval};

/// Half the spacing 2⁻⁵³ of the sampler's units.
const HALF_CELL: f64 = 0.5 / (1_u64 << 53) as f64;

/// Bound on |N| for the units of the sampler: the quantile of 2⁻⁵⁴ is −8.2925….
const REACH: f64 = 8.3;

/// A distribution that cannot be sampled.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum InvalidDistribution {
    /// The interval of a uniform distribution.
    #[error(transparent)]
    Interval(#[from] InvalidInterval),
    /// A field that must be a positive finite number.
    #[error("{field} = {given}: a {distribution} distribution needs a positive finite {field}")]
    NotPositive {
        /// Name of the distribution.
        distribution: &'static str,
        /// Name of the field.
        field: &'static str,
        /// Value that was given.
        given: f64,
    },
    /// A normal distribution whose draws would overflow.
    #[error(
        "mean = {mean}, deviation = {deviation}: a normal distribution needs a finite mean, and a draw 8.3 \
         deviations from it must be finite too; choose smaller units"
    )]
    Overflow {
        /// Mean that was given.
        mean: f64,
        /// Standard deviation that was given.
        deviation: f64,
    },
}

/// The normal distribution of a finite mean and a positive standard deviation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normal {
    mean: f64,
    deviation: f64,
}

impl Normal {
    /// The normal distribution of `mean` and standard deviation `deviation`.
    ///
    /// # Errors
    /// [`InvalidDistribution`] unless the deviation is positive and mean ± 8.3 deviations are finite.
    pub fn new(mean: f64, deviation: f64) -> Result<Self, InvalidDistribution> {
        if !(deviation > 0.0 && deviation.is_finite()) {
            return Err(InvalidDistribution::NotPositive {
                distribution: "normal",
                field: "deviation",
                given: deviation,
            });
        }
        if !Self::fits(mean, deviation) {
            return Err(InvalidDistribution::Overflow { mean, deviation });
        }
        Ok(Self { mean, deviation })
    }

    /// The same for numbers known when the program is compiled.
    ///
    /// # Panics
    /// When [`new`](Self::new) would refuse them; in a constant, compilation fails.
    #[must_use]
    pub const fn constant(mean: f64, deviation: f64) -> Self {
        assert!(
            deviation > 0.0 && deviation.is_finite() && Self::fits(mean, deviation),
            "a normal distribution needs a finite mean and a positive deviation"
        );
        Self { mean, deviation }
    }

    const fn fits(mean: f64, deviation: f64) -> bool {
        (mean.abs() + REACH * deviation).is_finite()
    }

    /// Mean.
    #[must_use]
    pub const fn mean(&self) -> f64 {
        self.mean
    }

    /// Standard deviation.
    #[must_use]
    pub const fn deviation(&self) -> f64 {
        self.deviation
    }

    /// `mean + deviation·N(unit)` for `unit` in [0, 1); see [`Distribution::at`].
    #[must_use]
    pub fn at(&self, unit: f64) -> f64 {
        self.mean + self.deviation * standard_normal(unit)
    }
}

/// `bound · tanh(spread · N)` with N standard normal: a symmetric distribution on [−bound, bound].
///
/// A small spread gives a normal distribution of deviation bound·spread, a large one piles the
/// draws up at the bounds: velocities up to just below that of light
/// (Cranmer et al. 2020, the published notebook, bound 0.99999 and spread 2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoundedNormal {
    bound: f64,
    spread: f64,
}

impl BoundedNormal {
    /// The distribution of `bound · tanh(spread · N)`.
    ///
    /// # Errors
    /// [`InvalidDistribution::NotPositive`] unless both are positive finite numbers.
    pub fn new(bound: f64, spread: f64) -> Result<Self, InvalidDistribution> {
        for (field, given) in [("bound", bound), ("spread", spread)] {
            if !(given > 0.0 && given.is_finite()) {
                return Err(InvalidDistribution::NotPositive { distribution: "bounded normal", field, given });
            }
        }
        Ok(Self { bound, spread })
    }

    /// The same for numbers known when the program is compiled.
    ///
    /// # Panics
    /// When [`new`](Self::new) would refuse them; in a constant, compilation fails.
    #[must_use]
    pub const fn constant(bound: f64, spread: f64) -> Self {
        assert!(
            bound > 0.0 && bound.is_finite() && spread > 0.0 && spread.is_finite(),
            "a bounded normal distribution needs a positive bound and spread"
        );
        Self { bound, spread }
    }

    /// The same bound with another spread, as a curriculum ramps it.
    ///
    /// # Errors
    /// [`InvalidDistribution::NotPositive`] unless the spread is a positive finite number.
    pub fn with_spread(self, spread: f64) -> Result<Self, InvalidDistribution> {
        Self::new(self.bound, spread)
    }

    /// Largest magnitude of a draw.
    #[must_use]
    pub const fn bound(&self) -> f64 {
        self.bound
    }

    /// Factor of N inside the hyperbolic tangent.
    #[must_use]
    pub const fn spread(&self) -> f64 {
        self.spread
    }

    /// `bound · tanh(spread · N(unit))` for `unit` in [0, 1); see [`Distribution::at`].
    #[must_use]
    pub fn at(&self, unit: f64) -> f64 {
        self.bound * (self.spread * standard_normal(unit)).tanh()
    }
}

/// What one component of a random state is drawn from.
///
/// ```
/// use lnn_physics::sampling::Distribution;
///
/// let angle = Distribution::uniform(-1.0, 3.0)?;
/// assert_eq!((angle.at(0.0), angle.at(0.25)), (-1.0, 0.0));
/// let field = Distribution::normal(5.0, 10.0)?;
/// // The quartiles of a normal distribution lie 0.6745 deviations from its mean.
/// assert!((field.at(0.75) - 11.745).abs() < 1e-3);
/// assert!(Distribution::normal(0.0, -1.0).unwrap_err().to_string().contains("deviation = -1"));
/// # Ok::<(), lnn_physics::sampling::InvalidDistribution>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distribution {
    /// Uniform on [low, high).
    Uniform(Interval),
    /// mean + deviation · N.
    Normal(Normal),
    /// bound · tanh(spread · N).
    BoundedNormal(BoundedNormal),
}

impl Distribution {
    /// Uniform on [low, high).
    ///
    /// # Errors
    /// As [`Interval::new`].
    pub fn uniform(low: f64, high: f64) -> Result<Self, InvalidDistribution> {
        Ok(Self::Uniform(Interval::new(low, high)?))
    }

    /// Normal with `mean` and standard deviation `deviation`.
    ///
    /// # Errors
    /// As [`Normal::new`].
    pub fn normal(mean: f64, deviation: f64) -> Result<Self, InvalidDistribution> {
        Ok(Self::Normal(Normal::new(mean, deviation)?))
    }

    /// `bound · tanh(spread · N)`.
    ///
    /// # Errors
    /// As [`BoundedNormal::new`].
    pub fn bounded_normal(bound: f64, spread: f64) -> Result<Self, InvalidDistribution> {
        Ok(Self::BoundedNormal(BoundedNormal::new(bound, spread)?))
    }

    /// The draw that belongs to `unit` in [0, 1): the inverse distribution function.
    ///
    /// Uniform: [`Interval::at`]. The other two take N at the centre of the cell of width 2⁻⁵³ that
    /// starts at `unit`, N = −√2 erfc⁻¹(2·unit + 2⁻⁵³). So unit 0 gives −8.29… and not −∞, every
    /// draw is finite, and the cells of `unit` and 1 − 2⁻⁵³ − `unit` give exactly opposite N.
    #[must_use]
    pub fn at(&self, unit: f64) -> f64 {
        match self {
            Self::Uniform(interval) => interval.at(unit),
            Self::Normal(normal) => normal.at(unit),
            Self::BoundedNormal(bounded) => bounded.at(unit),
        }
    }

    /// True when `value` lies in the support: in [low, high), finite, or in [−bound, bound].
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        match self {
            Self::Uniform(interval) => interval.contains(value),
            Self::Normal(_) => value.is_finite(),
            Self::BoundedNormal(bounded) => value.abs() <= bounded.bound,
        }
    }
}

impl From<Interval> for Distribution {
    fn from(interval: Interval) -> Self {
        Self::Uniform(interval)
    }
}

/// N at the centre of the cell [unit, unit + 2⁻⁵³).
///
/// Each half is measured from its own end, where the sum is exact: adding 2⁻⁵⁴ to a unit above 1/2
/// would need 54 bits.
fn standard_normal(unit: f64) -> f64 {
    if unit < 0.5 {
        -SQRT_2 * erfc_inv(2.0 * (unit + HALF_CELL))
    } else {
        SQRT_2 * erfc_inv(2.0 * ((1.0 - unit) - HALF_CELL))
    }
}
