//! Chain pendulums by the protocol of constrained Hamiltonian neural networks (arXiv:2010.13581).

use std::collections::BTreeMap;

use super::super::data::TrainingData;
use super::super::error::{ConfigError, Problem};
use super::super::evaluation::{EvaluationConfig, IntegratorConfig};
use super::super::experiment::ExperimentConfig;
use super::super::model::ModelConfig;
use super::super::protocol::{CHNN_CHUNK, CHNN_DT, CHNN_LINKS, CHNN_ROWS, Protocol, chnn_chain};
use super::super::system::SystemConfig;
use super::{LNN, NEURAL_ODE, systems};
use crate::optimiser::Schedule;

/// Motions that are trained on, one chunk of each.
const MOTIONS: usize = 800;
/// Motions that are judged.
const ROLLOUTS: usize = 100;
/// Tolerance of a model's rollouts.
const TOLERANCE: f64 = 1e-7;
/// Steps of the Lagrangian network, and of the others.
const STEPS: [u64; 2] = [10_000, 6_000];

/// The preset `chnn` of a chain, whose number of links is the only parameter.
pub(super) fn preset(parameters: &BTreeMap<String, f64>) -> Result<ExperimentConfig, ConfigError> {
    let origin = || format!("preset `{}` of `{}`", Protocol::Chnn.name(), Protocol::Chnn.system());
    let refused = |problems| ConfigError::Invalid { origin: origin(), problems };
    let others = parameters.iter().filter(|(name, _)| *name != "links");
    let problems: Vec<_> = others
        .map(|(name, value)| Problem {
            field: format!("system.parameters.{name}"),
            given: value.to_string(),
            expected: "nothing here, since the protocol gives masses, lengths and g; give only the number of links"
                .to_owned(),
        })
        .collect();
    if !problems.is_empty() {
        return Err(refused(problems));
    }
    let links = parameters.get("links").copied().unwrap_or(CHNN_LINKS as f64);
    let system = match chnn_chain(links) {
        Ok(system) => system,
        // In the words of every other chain.
        Err(_) => SystemConfig::new(Protocol::Chnn.system()).with("links", links),
    };
    let (system, built) = system.judged().map_err(refused)?;
    let general = systems::preset(system, &*built, "models");
    let models = general.models.iter().filter_map(|(name, model)| {
        let name = match name.as_str() {
            "baseline-first-order" => NEURAL_ODE,
            LNN | "delan" | "hnn-canonical" => name,
            _ => return None,
        };
        Some((name.to_owned(), adapted(name, model)))
    });
    Ok(ExperimentConfig {
        preset: Protocol::Chnn.name().to_owned(),
        protocol: Some(Protocol::Chnn),
        models: models.collect(),
        evaluation: EvaluationConfig {
            held_out: 10_000,
            rollouts: ROLLOUTS,
            t_end: CHNN_DT * (CHNN_ROWS - 1) as f64,
            frames_per_second: 1.0 / CHNN_DT,
            integrator: IntegratorConfig::DormandPrince {
                relative_tolerance: TOLERANCE,
                absolute_tolerance: TOLERANCE,
            },
            ..EvaluationConfig::default()
        },
        ..general
    })
}

/// A model of the general preset with the recipe for a few short chunks.
fn adapted(name: &str, model: &ModelConfig) -> ModelConfig {
    let [of_lagrangian, of_others] = STEPS;
    let (peak, steps) = match name {
        LNN => (3e-2, of_lagrangian),
        NEURAL_ODE => (1e-2, of_others),
        _ => (3e-2, of_others),
    };
    let mut training = model.training.clone();
    training.train_on(TrainingData::Trajectories {
        count: MOTIONS,
        t_end: CHNN_DT * (CHNN_ROWS - 1) as f64,
        dt: CHNN_DT,
        segment: CHNN_CHUNK,
        substeps: 2,
        noise: 0.0,
        chunk: Some(CHNN_CHUNK),
        time_reversal: true,
        reflection: true,
        warm_start: 0.5,
    });
    (training.steps, training.batch) = (steps, 256);
    training.schedule = Schedule::WarmupCosine { peak, warmup_steps: 0, total_steps: steps, final_fraction: 0.0 };
    ModelConfig { training, ..model.clone() }
}
