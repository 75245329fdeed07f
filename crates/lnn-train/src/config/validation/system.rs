//! The part of the judgement that knows the system: its name and parameters, ranges of states, inputs.

use std::sync::Arc;

use lnn_physics::System;
use lnn_physics::sampling::Distribution;
use lnn_physics::systems::{SystemError, kind};

use super::super::data::TrainingData;
use super::super::experiment::ExperimentConfig;
use super::super::model::{AngleFeatures, ConditionalFeatures, CoordinateFeatures, FeaturesConfig, ModelKind};
use super::super::nearest::suggestion;
use super::super::protocol::Protocol;
use super::super::system::{Interval, SamplingConfig, SamplingCurriculum, SystemConfig};
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

    /// A protocol is for one system and for observed motions, and takes no ranges beside it.
    pub(super) fn protocol(&mut self, protocol: Protocol, config: &ExperimentConfig) {
        let name = &config.system.name;
        self.require(
            name == protocol.system(),
            "protocol",
            format_args!("{protocol:?} for system `{name}`"),
            &format!("none, or system `{}`, which it was published for", protocol.system()),
        );
        let ranges = [
            ("sampling", config.sampling.is_some()),
            ("sampling_tail", config.sampling_tail.is_some()),
            ("sampling_curriculum", config.sampling_curriculum.is_some()),
            ("evaluation.initial_states", config.evaluation.initial_states.is_some()),
        ];
        for (field, given) in ranges {
            self.require(!given, field, "given beside a protocol", "none, since the protocol says where motions start");
        }
        for (name, model) in &config.models {
            self.require(
                model.training.data != TrainingData::States,
                format!("models.{name}.training.data"),
                "States under a protocol",
                "Trajectories, since a protocol is about observed motions",
            );
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

    pub(super) fn curriculum(
        &mut self,
        curriculum: &SamplingCurriculum,
        sampling: Option<&SamplingConfig>,
        system: &dyn System,
    ) {
        let SamplingCurriculum { from, to, until } = *curriculum;
        self.positive("sampling_curriculum.from", from);
        self.positive("sampling_curriculum.to", to);
        self.require(until > 0.0 && until <= 1.0, "sampling_curriculum.until", until, "a share above 0 and at most 1");
        let d = system.degrees_of_freedom();
        let bounded = |velocity: &Distribution| matches!(velocity, Distribution::BoundedNormal(_));
        self.require(
            sampling.is_none() && system.training_distribution()[d..2 * d].iter().any(bounded),
            "sampling_curriculum",
            format_args!("given for uniform or unbounded velocities of system `{}`", system.name()),
            "none, since a curriculum widens velocities bound·tanh(κN), such as those of system `relativistic` without \
             sampling ranges",
        );
    }

    /// Every velocity that can be drawn must be below that of light.
    pub(super) fn lorentz_weight(&mut self, field: &str, config: &ExperimentConfig, system: &dyn System) {
        let d = system.degrees_of_freedom();
        let largest = |velocity: &Distribution| match velocity {
            Distribution::Uniform(interval) => interval.low().abs().max(interval.high().next_down().abs()),
            Distribution::BoundedNormal(bounded) => bounded.bound(),
            Distribution::Normal(_) => f64::INFINITY,
        };
        let of_range = |range: Interval| range.low.abs().max(range.high.next_down().abs());
        let own = || system.training_distribution()[d..2 * d].iter().map(|v| largest(v).powi(2)).sum::<f64>().sqrt();
        let core = config.sampling.map_or_else(own, |sampling| of_range(sampling.velocity) * (d as f64).sqrt());
        let tail = config.sampling_tail.map_or(0.0, |tail| of_range(tail.velocity) * (d as f64).sqrt());
        let fastest = core.max(tail);
        self.require(
            fastest < 1.0,
            field,
            format_args!("Lorentz for training states up to |q_dot| = {fastest}"),
            "Uniform, or states with |q_dot| < 1, in which 1 + 1/√(1 − |q_dot|²) is a number",
        );
    }

    /// The system must offer momenta.
    pub(super) fn canonical(&mut self, field: &str, system: &dyn System) {
        self.require(
            system.canonical().is_some(),
            field,
            format_args!("HnnCanonical for system `{}`, which offers no momenta", system.name()),
            &format!("one of {}", ModelKind::serving(system).join(", ")),
        );
    }

    pub(super) fn features(&mut self, path: &str, features: &FeaturesConfig, system: Option<&dyn System>) {
        let FeaturesConfig { angles, position_scale, velocity_scale, conditional_scale, conditionals, coordinates } =
            features;
        if coordinates.is_empty() {
            let (angles, position_scale, velocity_scale) = (*angles, *position_scale, *velocity_scale);
            let position_centre = 0.0;
            self.coordinate(path, CoordinateFeatures { angles, position_scale, velocity_scale, position_centre });
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
            let c = system.conditionals().len();
            self.require(
                conditionals.is_empty() || conditionals.len() == c,
                format!("{path}.conditionals"),
                format_args!("a list of {}", conditionals.len()),
                &format!("one entry for each of the {c} conditionals of system `{}`, or none", system.name()),
            );
        }
        for (index, ConditionalFeatures { centre, scale }) in conditionals.iter().enumerate() {
            let field = format!("{path}.conditionals[{index}]");
            self.require(centre.is_finite(), format!("{field}.centre"), centre, "a finite number");
            self.positive(format!("{field}.scale"), *scale);
        }
        self.positive(format!("{path}.conditional_scale"), *conditional_scale);
    }

    fn coordinate(&mut self, path: &str, coordinate: CoordinateFeatures) {
        let CoordinateFeatures { angles, position_scale, velocity_scale, position_centre } = coordinate;
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
        if angles == AngleFeatures::Identity {
            self.require(
                position_centre.is_finite(),
                format!("{path}.position_centre"),
                position_centre,
                "a finite number",
            );
        } else {
            self.require(
                position_centre == 0.0,
                format!("{path}.position_centre"),
                position_centre,
                "0, because an angle has no centre; for one, use Identity",
            );
        }
    }
}
