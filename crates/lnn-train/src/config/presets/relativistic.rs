//! The relativistic particle: what its velocities, which pile up at that of light, ask for.

use super::super::evaluation::{EvaluationConfig, IntegratorConfig};
use super::super::experiment::ExperimentConfig;
use super::super::model::{AngleFeatures, FeaturesConfig, ModelConfig, ModelKind, TrainingConfig};
use super::super::system::SamplingCurriculum;
use super::{BASELINE, LNN, soap_recipe};
use crate::loss::{Loss, LossWeight};
use crate::optimiser::Schedule;

/// The general preset with the paper's inputs, weights and protocol, and what lets the Lagrangian network leave its
/// plateau: a potential network beside it, and velocities that begin small.
pub(super) fn adapt(config: ExperimentConfig) -> ExperimentConfig {
    let models = config.models.into_iter().map(|(name, model)| {
        let (peak, steps) = if name == LNN { (3e-2, LNN_STEPS) } else { (1e-2, STEPS) };
        let kind = match model.kind {
            ModelKind::Lnn { .. } => ModelKind::Lnn {
                residual_mass: 0.3,
                pseudoinverse_tolerance: 1e-6,
                potential_scale: Some(POTENTIAL_SCALE),
                scaled_velocities: false,
            },
            ModelKind::Delan { diagonal, regularisation, .. } => {
                ModelKind::Delan { diagonal, regularisation, potential_scale: POTENTIAL_SCALE }
            }
            ModelKind::HnnCanonical { .. } => ModelKind::HnnCanonical { potential_scale: Some(POTENTIAL_SCALE) },
            other => other,
        };
        let velocity_scale = if matches!(kind, ModelKind::HnnCanonical { .. }) { MOMENTUM_SCALE } else { 1.0 };
        let features = FeaturesConfig { velocity_scale, ..features() };
        let adapted = ModelConfig { kind, features, training: recipe(peak, steps), ..model };
        (name, adapted)
    });
    ExperimentConfig {
        models: models.collect(),
        sampling_curriculum: Some(SamplingCurriculum { from: 0.3, to: 2.0, until: 0.5 }),
        evaluation: evaluation(),
        ..config
    }
}

/// Names of the models of preset `fast`.
pub(super) const FAST: [&str; 5] = [LNN, "hnn", "hnn-canonical", "delan", BASELINE];

/// The potential g q reaches hundreds where the kinetic part of most states is of order 1.
const POTENTIAL_SCALE: f64 = 10.0;
/// Momenta γ³ q̇ of half the states are below this; those near the speed of light reach 10⁷.
const MOMENTUM_SCALE: f64 = 3.0;
const LNN_STEPS: u64 = 60_000;
const STEPS: u64 = 20_000;

/// q/10 and g/10 as in the published notebook; velocities are below 1 of themselves.
fn features() -> FeaturesConfig {
    FeaturesConfig {
        angles: AngleFeatures::Identity,
        position_scale: 10.0,
        velocity_scale: 1.0,
        conditional_scale: 10.0,
        conditionals: Vec::new(),
        coordinates: Vec::new(),
    }
}

fn recipe(peak: f64, steps: u64) -> TrainingConfig {
    let schedule = Schedule::WarmupCosine { peak, warmup_steps: 0, total_steps: steps, final_fraction: 0.0 };
    TrainingConfig {
        loss: Loss::RelativePseudoHuber { scale: 0.1 },
        weight: LossWeight::Lorentz,
        ..soap_recipe(steps, schedule)
    }
}

/// The published time, t from 0 to 1, from a hundred starts.
fn evaluation() -> EvaluationConfig {
    EvaluationConfig {
        rollouts: 100,
        t_end: 1.0,
        frames_per_second: 100.0,
        integrator: IntegratorConfig::Rk4 { dt: 0.0025 },
        ..EvaluationConfig::default()
    }
}
