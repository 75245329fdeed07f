//! The paper's choice of activation as an experiment: the same Lagrangian network with each of seven.

use lnn_autodiff::Activation;

use super::super::experiment::ExperimentConfig;
use super::super::model::{ModelConfig, TrainingConfig};
use super::{ACTIVATIONS, LNN, best, fast, soap_recipe};
use crate::optimiser::Schedule;

/// The activations that the paper's appendix compares, and sigmoid's smooth relatives.
const COMPARED: [Activation; 7] = [
    Activation::Relu2,
    Activation::Relu3,
    Activation::Tanh,
    Activation::Sigmoid,
    Activation::Softplus,
    Activation::Gelu,
    Activation::Silu,
];

/// The preset `name`: half the steps of preset `fast` of the double pendulum, or the steps and width of half its `best`.
pub(super) fn preset(name: &str) -> ExperimentConfig {
    let (like, steps) = if name == "best" { (best(), 100_000) } else { (fast(), 10_000) };
    let lnn = ModelConfig { training: recipe(steps), ..like.models[LNN].clone() };
    let models = COMPARED.map(|activation| (activation.name().to_owned(), ModelConfig { activation, ..lnn.clone() }));
    ExperimentConfig {
        experiment: ACTIVATIONS.to_owned(),
        models: models.into(),
        sampling_tail: None,
        log_every: steps / 40,
        ..like
    }
}

/// The recipe of the double pendulum, at a rate at which every activation can be trained.
fn recipe(steps: u64) -> TrainingConfig {
    const PEAK: f64 = 1e-2;
    soap_recipe(steps, Schedule::WarmupCosine { peak: PEAK, warmup_steps: 0, total_steps: steps, final_fraction: 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_differ_in_their_activation_alone() {
        for name in ["fast", "best"] {
            let config = preset(name);
            assert_eq!(config.models.len(), COMPARED.len());
            for (name, model) in &config.models {
                assert_eq!(model.activation.name(), name);
                let softplus = ModelConfig { activation: Activation::Softplus, ..model.clone() };
                assert_eq!(softplus, config.models["softplus"]);
            }
        }
    }
}
