//! What graphics cards have kernels for.

use std::fmt;

use crate::config::{ExperimentConfig, ModelConfig, ModelKind, Precision, TrainingData};
use crate::optimiser::OptimiserConfig;

/// What there are kernels for, in words.
pub const KERNELS: &str =
    "Lagrangian networks (Lnn) and plain networks of accelerations (Baseline) in f32, trained on fresh states";

/// Widest layer of a network that SOAP's kernels take.
const WIDEST_FOR_SOAP: usize = 2048;

/// Something of a run that there are no kernels for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingKernel {
    /// Name of the model.
    pub model: String,
    /// What of it.
    pub what: String,
}

impl fmt::Display for MissingKernel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` {}", self.model, self.what)
    }
}

/// Everything of an experiment that there are no kernels for.
pub fn missing_kernels(config: &ExperimentConfig) -> Vec<MissingKernel> {
    let of_model = |(name, model): (&String, &ModelConfig)| {
        let name = name.clone();
        faults(model).into_iter().map(move |what| MissingKernel { model: name.clone(), what })
    };
    config.models.iter().flat_map(of_model).collect()
}

fn faults(model: &ModelConfig) -> Vec<String> {
    let mut faults = Vec::new();
    match model.kind {
        ModelKind::Lnn { .. } | ModelKind::Baseline { .. } => {}
        other => faults.push(format!("is a {}", other.describe())),
    }
    if model.precision == Precision::F64 {
        faults.push("is trained in f64".to_owned());
    }
    match model.training.data {
        TrainingData::States => {}
        TrainingData::Trajectories { .. } => faults.push("learns from trajectories".to_owned()),
        TrainingData::NextState { .. } => faults.push("learns from next states".to_owned()),
    }
    let widest = model.hidden.iter().copied().max().unwrap_or(0);
    if matches!(model.training.optimiser, OptimiserConfig::Soap { .. }) && widest > WIDEST_FOR_SOAP {
        faults.push(format!("is {widest} wide, and SOAP takes up to {WIDEST_FOR_SOAP} there"));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{preset, presets};

    fn missing(config: &ExperimentConfig) -> Vec<String> {
        missing_kernels(config).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_double_pendulum_of_the_paper_has_kernels_and_what_has_none_is_named() {
        for preset_name in ["fast", "best", "paper", "notebook"] {
            assert_eq!(missing(&preset("dblpend", preset_name).expect("listed")), [""; 0], "{preset_name}");
        }
        let models = missing(&presets::models());
        for words in ["`delan` is a deep Lagrangian network", "`hnn` is a Hamiltonian network"] {
            assert!(models.iter().any(|line| line.contains(words)), "{words}: {models:?}");
        }
        assert!(!models.iter().any(|line| line.starts_with("`lnn`") || line.starts_with("`baseline` ")), "{models:?}");
        let mut config = presets::fast();
        let lnn = config.models.get_mut(presets::LNN).expect("in every preset");
        lnn.precision = Precision::F64;
        lnn.hidden = vec![16, 4000];
        lnn.training.data = TrainingData::trajectories();
        let lines = missing(&config);
        let words = ["`lnn` is trained in f64", "`lnn` learns from trajectories", "`lnn` is 4000 wide"];
        assert!(lines.len() == 3 && words.iter().zip(&lines).all(|(words, line)| line.starts_with(words)), "{lines:?}");
        let relativistic = missing(&preset("relativistic", "fast").expect("listed"));
        assert!(!relativistic.iter().any(|line| line.starts_with("`lnn`")), "a second network: {relativistic:?}");
    }
}
