//! Whole turns of angles, of which a model knows nothing and which cost digits in single precision.

use std::f64::consts::TAU;

use lnn_autodiff::features::{Feature, FeatureMap};

/// Coordinates that enter a model as angles only, so that a whole turn is the same configuration.
pub(super) struct Turning(Vec<usize>);

impl Turning {
    pub(super) fn of(features: &FeatureMap) -> Self {
        let enters = |j: usize, as_angle: bool| {
            features.features().iter().any(|feature| match *feature {
                Feature::Sine { index } | Feature::Cosine { index } | Feature::WrappedAngle { index, .. } => {
                    as_angle && index == j
                }
                Feature::Position { index, .. } => !as_angle && index == j,
                Feature::Velocity { .. } | Feature::Conditional { .. } => false,
            })
        };
        let angles = (0..features.degrees_of_freedom()).filter(|&j| enters(j, true) && !enters(j, false));
        Self(angles.collect())
    }

    /// Each angle of `q`, and the whole turns of that of `start` in it.
    pub(super) fn of_state<'a>(&'a self, start: &'a [f64]) -> impl Iterator<Item = (usize, f64)> + 'a {
        self.0.iter().map(|&j| (j, TAU * (start[j] / TAU).round()))
    }
}
