//! Losses on accelerations, or on all rates of a model of first order: the value and its cotangent λ.
//!
//! Where q̇ is learned too, the losses of both halves add up as they are, in their own units.

mod huber;
mod l1;
mod l2;
mod relative_pseudo_huber;
mod weight;

use lnn_autodiff::Real;
use serde::{Deserialize, Serialize};

pub use weight::{LossWeight, VelocityOutOfRange};

use crate::optimiser::{SettingProblem, check_setting};

/// A loss, summed over components and averaged over samples.
///
/// With e = q̈ − q̈* per component:
///
/// | loss | value | λ |
/// |---|---|---|
/// | `L1` | \|e\| | sign e, and 0 at e = 0 |
/// | `L2` | e² | 2e |
/// | `Huber` | ½e² for \|e\| ≤ δ, else δ(\|e\| − ½δ) | e clamped to ±δ |
/// | `RelativePseudoHuber` | √(s² + e²) − s, s = scale·(1 + \|q̈*\|) | e / √(s² + e²) |
///
/// In RON: `L1`, `L2`, `Huber(delta: 1.0)`, `RelativePseudoHuber(scale: 0.02)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Loss {
    /// Absolute error: the paper's.
    L1,
    /// Squared error, without a factor ½.
    L2,
    /// Squared near zero, absolute beyond `delta`.
    Huber {
        /// δ, where the two meet, in the acceleration's units; above 0.
        delta: f64,
    },
    /// Smooth absolute error whose smoothing grows with the target.
    RelativePseudoHuber {
        /// Smoothing per unit of 1 + |q̈*|; above 0.
        #[serde(default = "scale")]
        scale: f64,
    },
}

fn scale() -> f64 {
    0.02
}

impl Default for Loss {
    /// The relative pseudo-Huber loss with scale 0.02.
    fn default() -> Self {
        Self::RelativePseudoHuber { scale: scale() }
    }
}

/// What [`Loss::evaluate`] found; the parts of a batch add up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BatchLoss {
    /// Share of the batch loss: the sum over the given components, divided by the batch size. NaN if a
    /// component is not finite.
    pub value: f64,
    /// Components whose error q̈ − q̈* is infinite or NaN.
    pub non_finite: usize,
    /// Share of the batch's mean weight: the sum over the given samples, divided by the batch size. 0 without weights.
    pub weight: f64,
}

impl std::ops::AddAssign for BatchLoss {
    fn add_assign(&mut self, other: Self) {
        self.value += other.value;
        self.non_finite += other.non_finite;
        self.weight += other.weight;
    }
}

impl Loss {
    /// Loss and cotangent of one block of samples.
    ///
    /// `prediction`, `target` and `cotangent` are `[samples, d]` in any common layout, in the
    /// acceleration's units. `batch` is the number of samples of the whole batch, of which this may be a
    /// part: the batch loss is the sum of the parts' values, and `cotangent` becomes λ / `batch`. Values
    /// add up in double precision. Where an error is not finite, the cotangent is NaN, so that no
    /// gradient made from it can pass for a good one.
    ///
    /// # Panics
    /// If the slices differ in length or `batch` is 0.
    pub fn evaluate<T: Real>(&self, prediction: &[T], target: &[T], batch: usize, cotangent: &mut [T]) -> BatchLoss {
        match *self {
            Self::L1 => sum(prediction, target, batch, cotangent, |error, _| l1::component(error)),
            Self::L2 => sum(prediction, target, batch, cotangent, |error, _| l2::component(error)),
            Self::Huber { delta } => {
                let delta = T::from_f64(delta);
                sum(prediction, target, batch, cotangent, |error, _| huber::component(error, delta))
            }
            Self::RelativePseudoHuber { scale } => {
                let scale = T::from_f64(scale);
                sum(prediction, target, batch, cotangent, |error, target| {
                    relative_pseudo_huber::component(error, target, scale)
                })
            }
        }
    }

    /// As [`evaluate`](Self::evaluate) for rows that count by their `weights` `[samples]`: value and cotangent of each
    /// are multiplied by its own, and the result's [`weight`](BatchLoss::weight) is what they are yet to be divided by.
    ///
    /// # Panics
    /// As [`evaluate`](Self::evaluate), or if there is no weight for each sample.
    pub fn evaluate_weighted<T: Real>(
        &self,
        prediction: &[T],
        target: &[T],
        weights: &[f64],
        batch: usize,
        cotangent: &mut [T],
    ) -> BatchLoss {
        assert!(!weights.is_empty() && prediction.len().is_multiple_of(weights.len()), "one weight a sample");
        assert_eq!(prediction.len(), cotangent.len(), "one cotangent per prediction");
        let d = prediction.len() / weights.len();
        let mut loss = BatchLoss::default();
        for (row, &weight) in weights.iter().enumerate() {
            let range = row * d..(row + 1) * d;
            let cotangent = &mut cotangent[range.clone()];
            let one = self.evaluate(&prediction[range.clone()], &target[range], batch, cotangent);
            let factor = T::from_f64(weight);
            for component in cotangent {
                *component *= factor;
            }
            loss += BatchLoss { value: weight * one.value, weight: weight / batch as f64, ..one };
        }
        loss
    }

    /// Every setting out of range.
    #[must_use]
    pub fn validate(&self) -> Vec<SettingProblem> {
        let mut problems = Vec::new();
        let (field, value) = match *self {
            Self::L1 | Self::L2 => return problems,
            Self::Huber { delta } => ("delta", delta),
            Self::RelativePseudoHuber { scale } => ("scale", scale),
        };
        // Single precision must hold it as a normal number: a smoothing of zero divides 0 by 0.
        check_setting(&mut problems, (1e-30..=1e30).contains(&value), field, value, "between 1e-30 and 1e30");
        problems
    }
}

/// Sum of a per-component loss, given as (value, λ) of (error, target).
fn sum<T: Real>(
    prediction: &[T],
    target: &[T],
    batch: usize,
    cotangent: &mut [T],
    component: impl Fn(T, T) -> (T, T),
) -> BatchLoss {
    assert_eq!(prediction.len(), target.len(), "one target per prediction");
    assert_eq!(prediction.len(), cotangent.len(), "one cotangent per prediction");
    assert!(batch > 0, "a batch has at least one sample");
    let weight = T::from_f64(1.0 / batch as f64);
    let mut total = 0.0;
    let mut non_finite = 0;
    for ((&prediction, &target), cotangent) in prediction.iter().zip(target).zip(cotangent) {
        let error = prediction - target;
        if error.is_finite() {
            let (value, slope) = component(error, target);
            total += value.to_f64();
            *cotangent = weight * slope;
        } else {
            non_finite += 1;
            total = f64::NAN;
            *cotangent = T::from_f64(f64::NAN);
        }
    }
    BatchLoss { value: total / batch as f64, non_finite, weight: 0.0 }
}

#[cfg(test)]
mod tests;
