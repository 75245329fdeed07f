//! Every model of a run, trained to its end and kept in its file.

use std::sync::atomic::AtomicBool;

use lnn_autodiff::Real;

use super::build::build_field_training;
use super::config::{FieldConfig, FieldModelConfig, FieldModelKind, KnownField};
use super::error::FieldRunError;
use super::evaluate::{FieldHeldOut, LOGGED_STATES};
use super::model::FieldModel;
use crate::config::Precision;
use crate::experiment::{Event, ModelFile, TrainedParameters, TrainingSession};
use crate::record::Judged;
use crate::store::{
    Element, FieldModelHeader, MetricsLog, Provenance, RunFolder, RunState, load_field_model, save_field_model,
};

/// A trained model.
pub(super) struct TrainedField {
    /// On the lattice that it was trained on.
    pub(super) model: FieldModel,
    pub(super) networks: TrainedParameters,
}

/// What every model's training shares.
pub(super) struct TrainingContext<'a> {
    pub(super) config: &'a FieldConfig,
    pub(super) fingerprint: String,
    pub(super) folder: &'a RunFolder,
    /// On the lattice that is judged.
    pub(super) known: &'a KnownField,
    pub(super) held_out: FieldHeldOut,
    pub(super) stop: &'a AtomicBool,
}

impl TrainingContext<'_> {
    fn session(&self) -> TrainingSession<'_> {
        let FieldConfig { seed, log_every, checkpoint_every_seconds, .. } = *self.config;
        let Self { folder, fingerprint, stop, .. } = self;
        TrainingSession { folder, fingerprint, seed, log_every, checkpoint_every_seconds, keep_best: false, stop }
    }
}

/// Trains the models one after the other, Lagrangian ones first; `None` if a stop was asked for. Also the seconds that
/// earlier sessions spent.
pub(super) fn train_all(
    context: &TrainingContext<'_>,
    state: RunState,
    observe: &mut dyn FnMut(Event<'_>),
) -> Result<Option<(Vec<TrainedField>, f64)>, FieldRunError> {
    let mut models: Vec<(&String, &FieldModelConfig)> = context.config.models.iter().collect();
    models.sort_by_key(|(_, model)| !matches!(model.kind, FieldModelKind::Lgn { .. }));
    let mut log = context.session().open_log(state, models.iter().map(|(name, _)| name.as_str()))?;
    let mut trained = Vec::new();
    let mut earlier_seconds = 0.0;
    for (name, model) in models {
        let next = match model.precision {
            Precision::F32 => train::<f32>(context, name, &mut log, observe)?,
            Precision::F64 => train::<f64>(context, name, &mut log, observe)?,
        };
        earlier_seconds += next.networks.earlier_seconds;
        if next.networks.result.interrupted {
            return Ok(None);
        }
        trained.push(next);
    }
    log.sync()?;
    Ok(Some((trained, earlier_seconds)))
}

/// Trains one model to its end and writes its file.
fn train<T: Real + Element>(
    context: &TrainingContext<'_>,
    name: &str,
    log: &mut MetricsLog,
    observe: &mut dyn FnMut(Event<'_>),
) -> Result<TrainedField, FieldRunError> {
    let config = context.config;
    let mut training = build_field_training::<T>(config, name)?;
    let model = training.plan().objective.model().clone();
    let header = header(config, name, &model, &context.fingerprint);
    let file = ModelFile {
        damage: &|path| load_field_model(path).err(),
        save: &|path, _, parameters: &[T]| save_field_model(path, &header, parameters),
    };
    let large =
        model.on(context.known.field()).map_err(|source| FieldRunError::Model { name: name.to_owned(), source })?;
    let never = AtomicBool::new(false);
    // A mass matrix that cannot be factored for lack of memory ends the run where all states are judged.
    let mut judge = |parameters: &[f64]| {
        let judged = context.held_out.judge(&large, parameters, LOGGED_STATES, &never);
        judged.ok().flatten().map_or(NOTHING_JUDGED, Judged::from)
    };
    let steps = config.models[name].training.steps;
    let networks = context.session().train((name, steps), &mut training, &mut judge, &file, log, observe)?;
    Ok(TrainedField { model, networks })
}

/// A log line without a judgement.
const NOTHING_JUDGED: Judged =
    Judged { acceleration_l1: f64::NAN, vector_field_l1: None, mass_matrix: None, held_out_error: None };

fn header(config: &FieldConfig, name: &str, model: &FieldModel, fingerprint: &str) -> FieldModelHeader {
    let FieldModelConfig { kind, hidden, activation, features, training, .. } = &config.models[name];
    FieldModelHeader {
        name: name.to_owned(),
        kind: *kind,
        neighbourhood: model.density().neighbourhood(),
        components: model.density().components(),
        site_attributes: model.density().features().site_attribute_scales.len(),
        hidden: hidden.clone(),
        activation: *activation,
        features: *features,
        field: Some(config.field),
        provenance: Provenance {
            program: format!("lnn {}", env!("CARGO_PKG_VERSION")),
            experiment: config.experiment.clone(),
            preset: config.preset.clone(),
            seed: config.seed,
            steps: training.steps,
            samples: training.steps * training.batch as u64,
            configuration: fingerprint.to_owned(),
            data: String::new(),
        },
    }
}
