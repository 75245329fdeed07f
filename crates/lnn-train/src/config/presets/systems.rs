//! Presets that follow from a system itself: its coordinates, the spread of its states, its own time.

use std::collections::BTreeMap;

use lnn_autodiff::Activation;
use lnn_physics::System;
use lnn_physics::sampling::StateSampler;

use super::super::evaluation::{EvaluationConfig, IntegratorConfig};
use super::super::experiment::ExperimentConfig;
use super::super::model::{AngleFeatures, CoordinateFeatures, FeaturesConfig, ModelConfig, ModelKind};
use super::super::system::SystemConfig;
use super::{BASELINE, CHECKPOINT_EVERY_SECONDS, LNN, fast_recipe, plain, relativistic};

/// States that spreads are measured on.
const STATES: usize = 4096;
/// Rollouts last so many times as long as the system's reference motion.
const MOTIONS: f64 = 10.0;
/// Frames of a rollout.
const FRAMES: f64 = 200.0;
/// Runge–Kutta steps between two frames.
const STEPS_A_FRAME: f64 = 50.0;

/// Residual mass in units of the inverse square of the velocities' scale: that of the double pendulum's preset, m = 1 for
/// q̇/5. Where velocities are small a mass of 1 is drowned by the network's curvature, and the training meets singular
/// mass matrices: with it the spring's error is 50 000 times as large.
const VELOCITY_CURVATURE: f64 = 25.0;

/// The preset `name` of a system with all its parameters, and as built from them.
pub(super) fn preset(system: SystemConfig, built: &dyn System, name: &str) -> ExperimentConfig {
    let spread = Spread::of(built);
    let mut models = every_kind(&spread);
    if name == "fast" {
        let chosen: &[&str] = match system.name.as_str() {
            "relativistic" => &relativistic::FAST,
            "charge" => &[LNN, "delan", "hnn-canonical", BASELINE],
            _ => &[LNN, BASELINE],
        };
        models.retain(|name, _| chosen.contains(&name.as_str()));
    }
    let particular: fn(ExperimentConfig) -> ExperimentConfig = match system.name.as_str() {
        "relativistic" => relativistic::adapt,
        _ => |config| config,
    };
    particular(ExperimentConfig {
        experiment: system.name.clone(),
        preset: name.to_owned(),
        seed: 0,
        ensemble: 1,
        protocol: None,
        sampling: None,
        sampling_tail: None,
        sampling_curriculum: None,
        models,
        evaluation: evaluation(built),
        log_every: 500,
        checkpoint_every_seconds: CHECKPOINT_EVERY_SECONDS,
        system,
    })
}

/// Every kind of model, with inputs and outputs in units of their spread.
fn every_kind(spread: &Spread) -> BTreeMap<String, ModelConfig> {
    let residual_mass = two_digits((VELOCITY_CURVATURE.sqrt() / spread.fastest()).powi(2));
    let kind = ModelKind::Lnn {
        residual_mass,
        pseudoinverse_tolerance: 1e-6,
        potential_scale: None,
        scaled_velocities: false,
    };
    let lnn = ModelConfig { kind, features: spread.features(), training: fast_recipe(3e-2), ..ModelConfig::default() };
    let plain = ModelConfig {
        hidden: vec![128; 3],
        features: spread.features(),
        training: fast_recipe(1e-2),
        activation: Activation::Silu,
        ..plain()
    };
    let of_kind = |name: &str, like: &ModelConfig, kind| (name.to_owned(), ModelConfig { kind, ..like.clone() });
    let (velocity_scale, output_scale) = (spread.velocity, spread.acceleration);
    let canonical = spread.canonical_features().map(|features| {
        (
            "hnn-canonical".to_owned(),
            ModelConfig { kind: ModelKind::HnnCanonical { potential_scale: None }, features, ..lnn.clone() },
        )
    });
    let mut models = BTreeMap::from([
        (LNN.to_owned(), lnn.clone()),
        of_kind(
            "delan",
            &lnn,
            ModelKind::Delan { diagonal: 1.0, regularisation: 0.01, potential_scale: spread.energy },
        ),
        of_kind("hnn", &lnn, ModelKind::Hnn),
        of_kind(BASELINE, &plain, ModelKind::Baseline { output_scale }),
        of_kind("baseline-first-order", &plain, ModelKind::BaselineFirstOrder { velocity_scale, output_scale }),
    ]);
    models.extend(canonical);
    models
}

/// Ten reference motions long, in the system's own time, with a thousand steps a motion.
fn evaluation(system: &dyn System) -> EvaluationConfig {
    let t_end = MOTIONS * system.reference_motion().duration;
    let frames_per_second = FRAMES / t_end;
    let dt = t_end / (FRAMES * STEPS_A_FRAME);
    EvaluationConfig {
        t_end,
        frames_per_second,
        integrator: IntegratorConfig::Rk4 { dt },
        ..EvaluationConfig::default()
    }
}

/// How widely a system's training states spread: root mean squares about 0.
struct Spread {
    coordinates: Vec<CoordinateFeatures>,
    /// Of each momentum, for systems that offer them.
    momenta: Option<Vec<f64>>,
    /// Of the conditionals together.
    conditional: f64,
    /// Of the velocities and accelerations together.
    velocity: f64,
    acceleration: f64,
    /// Of the potential energy about its mean.
    energy: f64,
}

impl Spread {
    fn of(system: &dyn System) -> Self {
        let d = system.degrees_of_freedom();
        let distribution = system.training_distribution();
        let width = distribution.len();
        let mut states = vec![0.0; STATES * width];
        StateSampler::new(0, 0).fill(0, distribution, &mut states);
        let rows = || states.chunks_exact(width);
        let mut q_ddot = vec![0.0; d];
        let (mut accelerations, mut energies) = (Vec::new(), Vec::new());
        for state in rows() {
            let (q, q_dot, conditionals) = (&state[..d], &state[d..2 * d], &state[2 * d..]);
            system.acceleration_into(q, q_dot, conditionals, &mut q_ddot);
            accelerations.extend_from_slice(&q_ddot);
            energies.push(system.potential_energy(q, conditionals));
        }
        let column = |index: usize| root_mean_square(rows().map(|state| state[index]));
        let columns =
            |from: usize, to: usize| root_mean_square(rows().flat_map(|state| state[from..to].iter().copied()));
        // One scale for all, since the residual mass is one.
        let fastest = (d..2 * d).map(column).fold(0.0, f64::max);
        let coordinate = |(index, coordinate): (usize, &lnn_physics::Coordinate)| {
            let (angles, position_scale) = if coordinate.is_angle {
                (AngleFeatures::SinCos, 1.0)
            } else {
                (AngleFeatures::Identity, column(index))
            };
            CoordinateFeatures { angles, position_scale, velocity_scale: fastest, position_centre: 0.0 }
        };
        let momenta = system.canonical().map(|canonical| {
            let mut momenta = Vec::with_capacity(STATES * d);
            let mut p = vec![0.0; d];
            for state in rows() {
                canonical.momentum_into(&state[..d], &state[d..2 * d], &state[2 * d..], &mut p);
                momenta.extend_from_slice(&p);
            }
            (0..d).map(|index| root_mean_square(momenta.iter().skip(index).step_by(d).copied())).collect()
        });
        let mean = energies.iter().sum::<f64>() / energies.len() as f64;
        Self {
            coordinates: system.coordinates().iter().enumerate().map(coordinate).collect(),
            momenta,
            conditional: columns(2 * d, width),
            velocity: columns(d, 2 * d),
            acceleration: root_mean_square(accelerations.into_iter()),
            energy: root_mean_square(energies.into_iter().map(|energy| energy - mean)),
        }
    }

    /// The scale of the velocities.
    fn fastest(&self) -> f64 {
        self.coordinates.iter().map(|coordinate| coordinate.velocity_scale).fold(0.0, f64::max)
    }

    fn features(&self) -> FeaturesConfig {
        FeaturesConfig {
            coordinates: self.coordinates.clone(),
            conditional_scale: self.conditional,
            ..FeaturesConfig::default()
        }
    }

    /// Features of (q, p), where there are momenta.
    fn canonical_features(&self) -> Option<FeaturesConfig> {
        let mut features = self.features();
        for (coordinate, &scale) in features.coordinates.iter_mut().zip(self.momenta.as_ref()?) {
            coordinate.velocity_scale = scale;
        }
        Some(features)
    }
}

/// To two digits, which are enough of a scale; 1 where there is no spread, or no value.
fn root_mean_square(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0);
    for value in values {
        sum += value * value;
        count += 1;
    }
    let root = (sum / f64::from(count)).sqrt();
    if !(root.is_normal() && root > 1e-12) {
        return 1.0;
    }
    two_digits(root)
}

fn two_digits(value: f64) -> f64 {
    format!("{value:.1e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_those_of_the_states() {
        let kepler = SystemConfig::new("kepler").build().expect("a system");
        let spread = Spread::of(&*kepler);
        // r uniform on [0.35, 2.5): √((0.35² + 0.35·2.5 + 2.5²)/3) = 1.55; the direction enters as sine and cosine.
        assert_eq!(spread.coordinates[0].angles, AngleFeatures::Identity);
        assert!((spread.coordinates[0].position_scale - 1.55).abs() < 0.06, "{:?}", spread.coordinates);
        assert_eq!((spread.coordinates[1].angles, spread.coordinates[1].position_scale), (AngleFeatures::SinCos, 1.0));
        // φ̇ uniform on ±5√2: 5√2/√3 = 4.08.
        assert!((spread.coordinates[1].velocity_scale - 4.08).abs() < 0.2, "{:?}", spread.coordinates);
        assert_eq!(spread.coordinates[0].velocity_scale, spread.coordinates[1].velocity_scale);
        let ModelKind::Lnn { residual_mass, .. } = every_kind(&spread)[LNN].kind else {
            panic!("a Lagrangian network")
        };
        // Two digits of each.
        assert!((residual_mass * spread.fastest().powi(2) / VELOCITY_CURVATURE - 1.0).abs() < 0.1, "{residual_mass}");
        assert_eq!(spread.conditional, 1.0);
        assert_eq!(root_mean_square([3.0, 4.0, 0.0, 0.0].into_iter()), 2.5);
        assert_eq!(root_mean_square([0.0; 3].into_iter()), 1.0);
    }
}
