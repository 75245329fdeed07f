//! Scales from the data, so that a model learns the same in any units.

use super::measurements::Measurements;
use super::split::Part;
use crate::config::{AngleFeatures, ConditionalFeatures, CoordinateFeatures, FeaturesConfig};
use crate::fit::ResidualUnits;

/// How coordinates, velocities and conditionals become inputs of the network, by their sizes in `part`:
///
/// ```text
/// an angle        sin q, cos q
/// another         (q − mean) / deviation
/// velocity        q̇ / √mean(q̇²)
/// conditional     (c − mean) / deviation
/// ```
///
/// Velocities keep their zero: at rest means at rest. What is constant has the scale 1.
pub fn scaled_features(measurements: &Measurements, part: &Part) -> FeaturesConfig {
    let trajectories = &part.trajectories;
    let d = measurements.degrees_of_freedom();
    let column =
        |j: usize| trajectories.motions().flat_map(move |motion| motion.states.iter().skip(j).step_by(2 * d)).copied();
    let coordinates = (0..d).map(|j| {
        let velocity_scale = or_one(root_mean_square(column(d + j), 0.0));
        if measurements.angles[j] {
            return CoordinateFeatures {
                angles: AngleFeatures::SinCos,
                position_scale: 1.0,
                velocity_scale,
                position_centre: 0.0,
            };
        }
        let position_centre = mean(column(j));
        let position_scale = or_one(root_mean_square(column(j), position_centre));
        CoordinateFeatures { angles: AngleFeatures::Identity, position_scale, velocity_scale, position_centre }
    });
    let conditionals = (0..measurements.labels.conditionals.len()).map(|j| {
        let values = || trajectories.motions().map(move |motion| motion.conditionals[j]);
        let centre = mean(values());
        ConditionalFeatures { centre, scale: or_one(root_mean_square(values(), centre)) }
    });
    FeaturesConfig {
        conditionals: conditionals.collect(),
        coordinates: coordinates.collect(),
        // Of no effect beside the lists.
        angles: AngleFeatures::Identity,
        velocity_scale: 1.0,
        ..FeaturesConfig::default()
    }
}

/// Deviations of the rates of change in `part`, what errors are divided by: of q̇, and of q̈ where it was measured, else of
/// the mean accelerations from row to row. Without noise a prediction of the mean has an error of 1 in every component.
pub fn residual_units(measurements: &Measurements, part: &Part) -> ResidualUnits {
    let d = measurements.degrees_of_freedom();
    let motions = || part.trajectories.motions();
    let velocity = (0..d).map(|j| {
        let values = motions().flat_map(|motion| motion.states.iter().skip(d + j).step_by(2 * d));
        or_one(deviation(&values.copied().collect::<Vec<_>>()))
    });
    let acceleration = (0..d).map(|j| {
        if !part.accelerations.is_empty() {
            return or_one(deviation(&part.accelerations.iter().skip(j).step_by(d).copied().collect::<Vec<_>>()));
        }
        let rates = motions().flat_map(|motion| {
            let rate = move |row: usize| {
                let difference = motion.state(row)[d + j] - motion.state(row - 1)[d + j];
                difference / (motion.times[row] - motion.times[row - 1])
            };
            (1..motion.rows()).map(rate)
        });
        or_one(deviation(&rates.collect::<Vec<_>>()))
    });
    ResidualUnits { velocity: velocity.collect(), acceleration: acceleration.collect() }
}

/// √mean((x − mean)²).
pub(super) fn deviation(values: &[f64]) -> f64 {
    root_mean_square(values.iter().copied(), mean(values.iter().copied()))
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    // A running mean: sums of many large numbers would lose the digits of small deviations.
    values.zip(1_u64..).fold(0.0, |mean, (value, count)| mean + (value - mean) / count as f64)
}

/// √mean((x − centre)²).
fn root_mean_square(values: impl Iterator<Item = f64>, centre: f64) -> f64 {
    mean(values.map(|value| (value - centre).powi(2))).sqrt()
}

fn or_one(scale: f64) -> f64 {
    if scale > 0.0 { scale } else { 1.0 }
}
