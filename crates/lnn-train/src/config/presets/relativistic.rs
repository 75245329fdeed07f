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
        let steps = if name == LNN { LNN_STEPS } else { STEPS };
        let kind = match model.kind {
            ModelKind::Lnn { .. } => ModelKind::Lnn {
                residual_mass: 0.3,
                pseudoinverse_tolerance: 1e-6,
                potential_scale: Some(POTENTIAL_SCALE),
            },
            ModelKind::Delan { diagonal, regularisation, .. } => {
                ModelKind::Delan { diagonal, regularisation, potential_scale: POTENTIAL_SCALE }
            }
            other => other,
        };
        let adapted = ModelConfig { kind, features: features(), training: recipe(steps), ..model };
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
pub(super) const FAST: [&str; 4] = [LNN, "hnn", "delan", BASELINE];

/// The potential g q reaches hundreds where the kinetic part of most states is of order 1.
const POTENTIAL_SCALE: f64 = 10.0;
const LNN_STEPS: u64 = 30_000;
const STEPS: u64 = 20_000;

/// q/10 and g/10 as in the published notebook; velocities are below 1 of themselves.
fn features() -> FeaturesConfig {
    FeaturesConfig {
        angles: AngleFeatures::Identity,
        position_scale: 10.0,
        velocity_scale: 1.0,
        conditional_scale: 10.0,
        coordinates: Vec::new(),
    }
}

fn recipe(steps: u64) -> TrainingConfig {
    let schedule = Schedule::WarmupCosine { peak: 1e-2, warmup_steps: 0, total_steps: steps, final_fraction: 0.0 };
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
