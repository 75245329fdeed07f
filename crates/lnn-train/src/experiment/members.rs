//! The runs of single seeds that a run consists of: one, or the members of an ensemble.

use lnn_physics::System;

use super::ExperimentError;
use super::build::Purpose;
use super::starts::training_starts;
use crate::config::{ExperimentConfig, ModelKind};
use crate::evaluate::HeldOut;
use crate::loss::LossWeight;
use crate::store::member_name;
use crate::target::DataError;

/// The run of one seed: its own first weights, training states, held-out states and rollouts.
pub(super) struct Member {
    /// That of a run of this seed alone.
    pub(super) config: ExperimentConfig,
    /// Of that configuration.
    pub(super) fingerprint: String,
    pub(super) held_out: HeldOut,
    /// Whether it is one of an ensemble.
    of_ensemble: bool,
}

impl Member {
    /// Every member of the run that `config` describes, by rising seed.
    ///
    /// # Errors
    /// Held-out states that cannot be sampled, or have no finite acceleration, momentum or weight.
    pub(super) fn all(config: &ExperimentConfig, system: &dyn System) -> Result<Vec<Self>, ExperimentError> {
        let of_seed = |seed| {
            let of_ensemble = config.ensemble > 1;
            let config = config.of_seed(seed);
            let (fingerprint, held_out) = (config.fingerprint()?, held_out(&config, system)?);
            Ok(Self { config, fingerprint, held_out, of_ensemble })
        };
        config.seeds().map(of_seed).collect()
    }

    pub(super) fn seed(&self) -> u64 {
        self.config.seed
    }

    /// What its network of a model is called in the names of files.
    pub(super) fn file_name(&self, model: &str) -> String {
        member_name(model, self.of_ensemble.then_some(self.seed()))
    }

    /// Its network of a model in words.
    pub(super) fn title(&self, model: &str) -> String {
        if self.of_ensemble { format!("{model} of seed {}", self.seed()) } else { model.to_owned() }
    }
}

fn held_out(config: &ExperimentConfig, system: &dyn System) -> Result<HeldOut, ExperimentError> {
    let states = training_starts(config, system, Purpose::HeldOut, config.evaluation.held_out)?;
    let mut held_out = HeldOut::of_states(system, &states).map_err(DataError::from)?;
    let mut weights = config.models.values().map(|model| model.training.weight);
    if let Some(weight) = weights.find(|&weight| weight != LossWeight::Uniform) {
        // All models of the run, so that they can be compared.
        held_out = held_out.with_weight(weight).map_err(DataError::from)?;
    }
    if config.models.values().any(|model| matches!(model.kind, ModelKind::HnnCanonical { .. }))
        && let Some(canonical) = system.canonical()
    {
        held_out = held_out.with_momenta(canonical).map_err(DataError::from)?;
    }
    Ok(held_out)
}
