//! Trains every model of a run, each for all members: side by side on a graphics card that can, else one after the other.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use lnn_physics::System;

use super::ExperimentError;
use super::build::build_model_for;
use super::members::Member;
use super::one_model::OneModel;
use super::run::Event;
use super::train::{TrainedParameters, TrainingSession};
use crate::backend::{Backend, trained_side_by_side};
use crate::config::ExperimentConfig;
use crate::model::Model;
use crate::record::LostMember;
use crate::store::{MetricsLog, RunFolder, RunState, align_checkpoints};

/// What every model's training shares.
pub(super) struct Context<'a> {
    pub(super) config: &'a ExperimentConfig,
    pub(super) folder: &'a RunFolder,
    pub(super) system: Arc<dyn System>,
    pub(super) members: &'a [Member],
    pub(super) backend: &'a Backend,
    /// Whether the processor had to go on where the graphics card failed.
    pub(super) fell_back: AtomicBool,
    pub(super) stop: &'a AtomicBool,
}

/// A model with what became of its network of each member.
pub(super) struct TrainedModel {
    pub(super) name: String,
    pub(super) model: Model,
    pub(super) fates: Vec<Fate>,
}

/// What became of a member's network.
pub(super) enum Fate {
    Trained(TrainedParameters),
    Lost {
        lost: LostMember,
        /// Seconds that earlier sessions spent.
        earlier_seconds: f64,
    },
}

impl Fate {
    /// The same, of which earlier sessions spent so many seconds.
    pub(super) fn since(self, earlier_seconds: f64) -> Self {
        match self {
            Self::Trained(trained) => Self::Trained(TrainedParameters { earlier_seconds, ..trained }),
            Self::Lost { lost, .. } => Self::Lost { lost, earlier_seconds },
        }
    }

    /// Whether this session made a step of it, and the seconds that earlier sessions spent.
    pub(super) fn session(&self) -> (bool, f64) {
        match self {
            Self::Trained(trained) => (trained.stepped, trained.earlier_seconds),
            Self::Lost { earlier_seconds, .. } => (false, *earlier_seconds),
        }
    }
}

/// Trains the models one after the other, Lagrangian ones first; `None` if a stop was asked for.
pub(super) fn train_all(
    context: &Context<'_>,
    state: RunState,
    observe: &mut dyn FnMut(Event<'_>),
) -> Result<Option<Vec<TrainedModel>>, ExperimentError> {
    let config = context.config;
    let mut names: Vec<&String> = config.models.keys().collect();
    names.sort_by_key(|&name| !config.models[name].kind.differentiates_network());
    let mut models = Vec::with_capacity(names.len());
    for name in names {
        let model = build_model_for(&config.models[name], &*context.system)
            .map_err(|source| ExperimentError::Model { name: name.clone(), source })?;
        if context.side_by_side(&model) {
            align_checkpoints(context.folder.path(), &context.file_names(name))?;
        }
        models.push((name, model));
    }
    let mut log = context.open_log(state)?;
    let mut trained = Vec::new();
    for (name, model) in models {
        let fates =
            OneModel { context, name, model: &model, planned: AtomicBool::new(false) }.train(&mut log, observe)?;
        let Some(fates) = fates else { return Ok(None) };
        trained.push(TrainedModel { name: name.clone(), model, fates });
    }
    log.sync()?;
    Ok(Some(trained))
}

impl Context<'_> {
    pub(super) fn session(&self) -> TrainingSession<'_> {
        let ExperimentConfig { seed, log_every, checkpoint_every_seconds, .. } = *self.config;
        let (folder, fingerprint, stop) = (self.folder, self.members[0].fingerprint.as_str(), self.stop);
        TrainingSession { folder, fingerprint, seed, log_every, checkpoint_every_seconds, keep_best: false, stop }
    }

    pub(super) fn is_ensemble(&self) -> bool {
        self.config.ensemble > 1
    }

    pub(super) fn side_by_side(&self, model: &Model) -> bool {
        self.is_ensemble() && matches!(self.backend, Backend::Gpu { .. }) && trained_side_by_side(model)
    }

    fn file_names(&self, model: &str) -> Vec<String> {
        self.members.iter().map(|member| member.file_name(model)).collect()
    }

    pub(super) fn open_log(&self, state: RunState) -> Result<MetricsLog, ExperimentError> {
        let names: Vec<String> = self.config.models.keys().flat_map(|model| self.file_names(model)).collect();
        Ok(self.session().open_log(state, names.iter().map(String::as_str))?)
    }
}
