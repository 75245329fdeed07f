//! The part of the judgement that knows the system: its name and parameters, ranges of states, inputs.

use std::sync::Arc;

use lnn_physics::System;
use lnn_physics::systems::{SystemError, kind};

use super::super::model::{AngleFeatures, CoordinateFeatures, FeaturesConfig};
use super::super::nearest::suggestion;
use super::super::system::{Interval, SamplingConfig, SystemConfig};
use super::Check;

impl Check {
    /// The system with all its parameters and as built, unless something is wrong with it.
    pub(super) fn system(
        &mut self,
        experiment: &str,
        system: &SystemConfig,
    ) -> Option<(SystemConfig, Arc<dyn System>)> {
        // An experiment that is a system's is about that one.
        self.require(
            system.name == experiment || kind(experiment).is_none() || kind(&system.name).is_none(),
            "system.name",
            format_args!("{:?}", system.name),
            &format!("{experiment:?}, the system of the experiment; or name the experiment after the system"),
        );
        match system.complete().and_then(|complete| Ok((complete, system.build()?))) {
            Ok(found) => Some(found),
            Err(error) => {
                self.refused_system(system, &error);
                None
            }
        }
    }

    fn refused_system(&mut self, system: &SystemConfig, error: &SystemError) {
        let mut parameter = |name: &str, given: &dyn std::fmt::Display, expected: &str| {
            self.require(false, format!("system.parameters.{name}"), given, expected);
        };
        match error {
            SystemError::UnknownSystem { given, known } => {
                let hint = suggestion(given, known.iter().copied());
                let expected = format!("the name of a system; {hint}");
                self.require(false, "system.name", format_args!("{given:?}"), &expected);
            }
            SystemError::UnknownParameter { system: name, given, known } => {
                let hint = suggestion(given, known.iter().copied());
                let value = system.parameters.get(given).copied().unwrap_or(f64::NAN);
                parameter(
                    given,
                    &value,
                    &format!("no such field, since system `{name}` has no such parameter; {hint}"),
                );
            }
            SystemError::UnusedParameter { field, given, reason, .. } => {
                parameter(field, given, &format!("no such field here, since {reason}"));
            }
            SystemError::InvalidParameter { field, given, expected, .. } => parameter(field, given, expected),
            SystemError::UnequalCounts { .. } | SystemError::Range { .. } => {
                let expected = format!("parameters of a system that can be sampled: {error}");
                self.require(false, "system.parameters", format_args!("{:?}", system.parameters), &expected);
            }
        }
    }

    pub(super) fn sampling(&mut self, path: &str, sampling: &SamplingConfig) {
        self.interval(&format!("{path}.position"), sampling.position);
        self.interval(&format!("{path}.velocity"), sampling.velocity);
    }

    pub(super) fn interval(&mut self, path: &str, Interval { low, high }: Interval) {
        self.require(
            low.is_finite() && high.is_finite() && low < high && (high - low).is_finite(),
            path,
            format_args!("[{low}, {high})"),
            "finite bounds with low below high",
        );
    }

    pub(super) fn features(&mut self, path: &str, features: &FeaturesConfig, system: Option<&dyn System>) {
        let FeaturesConfig { angles, position_scale, velocity_scale, conditional_scale, coordinates } = features;
        if coordinates.is_empty() {
            let (angles, position_scale, velocity_scale) = (*angles, *position_scale, *velocity_scale);
            self.coordinate(path, CoordinateFeatures { angles, position_scale, velocity_scale });
        }
        for (index, &coordinate) in coordinates.iter().enumerate() {
            self.coordinate(&format!("{path}.coordinates[{index}]"), coordinate);
        }
        if let Some(system) = system {
            let d = system.degrees_of_freedom();
            self.require(
                coordinates.is_empty() || coordinates.len() == d,
                format!("{path}.coordinates"),
                format_args!("a list of {}", coordinates.len()),
                &format!("one entry for each of the {d} coordinates of system `{}`, or none", system.name()),
            );
        }
        self.positive(format!("{path}.conditional_scale"), *conditional_scale);
    }

    fn coordinate(&mut self, path: &str, coordinate: CoordinateFeatures) {
        let CoordinateFeatures { angles, position_scale, velocity_scale } = coordinate;
        if angles == AngleFeatures::SinCos {
            self.require(
                position_scale == 1.0,
                format!("{path}.position_scale"),
                position_scale,
                "1, because sine and cosine of an angle need no scale; for a scale, use Wrap or Identity",
            );
        } else {
            self.positive(format!("{path}.position_scale"), position_scale);
        }
        self.positive(format!("{path}.velocity_scale"), velocity_scale);
    }
}
