//! Every model of a run, trained to its end and kept in its file.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use lnn_autodiff::Real;

use super::build::build_field_training;
use super::config::{FieldConfig, FieldModelConfig, FieldModelKind, KnownField};
use super::error::FieldRunError;
use super::evaluate::{FieldHeldOut, LOGGED_STATES};
use super::model::FieldModel;
use crate::config::Precision;
use crate::experiment::Event;
use crate::fit::{FitPlan, FitResult, fit, restore};
use crate::record::Judged;
use crate::store::{
    Element, FieldModelHeader, MetricsLog, Provenance, RunFolder, RunState, StoreError, load_checkpoint,
    load_field_model, save_field_model,
};

/// A trained model with its parameters in double precision.
pub(super) struct TrainedField {
    pub(super) name: String,
    /// On the lattice that it was trained on.
    pub(super) model: FieldModel,
    pub(super) parameters: Vec<f64>,
    pub(super) result: FitResult,
    pub(super) batch: usize,
    /// Whether this session made a step.
    pub(super) stepped: bool,
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

/// Trains the models one after the other, Lagrangian ones first; `None` if a stop was asked for. Also the seconds that
/// earlier sessions spent.
pub(super) fn train_all(
    context: &TrainingContext<'_>,
    state: RunState,
    observe: &mut dyn FnMut(Event<'_>),
) -> Result<Option<(Vec<TrainedField>, f64)>, FieldRunError> {
    let mut models: Vec<(&String, &FieldModelConfig)> = context.config.models.iter().collect();
    models.sort_by_key(|(_, model)| !matches!(model.kind, FieldModelKind::Lgn { .. }));
    let mut log = open_log(context, state, models.iter().map(|&(name, _)| name))?;
    let mut trained = Vec::new();
    let mut earlier_seconds = 0.0;
    for (name, model) in models {
        let (model, earlier) = match model.precision {
            Precision::F32 => train::<f32>(context, name, &mut log, observe)?,
            Precision::F64 => train::<f64>(context, name, &mut log, observe)?,
        };
        earlier_seconds += earlier;
        if model.result.interrupted {
            return Ok(None);
        }
        trained.push(model);
    }
    log.sync()?;
    Ok(Some((trained, earlier_seconds)))
}

fn open_log<'a>(
    context: &TrainingContext<'_>,
    state: RunState,
    names: impl Iterator<Item = &'a String>,
) -> Result<MetricsLog, FieldRunError> {
    let path = context.folder.metrics_path();
    if state == RunState::New {
        return Ok(MetricsLog::create(&path)?);
    }
    let mut steps = BTreeMap::new();
    for name in names {
        if let Some(found) = load_checkpoint(context.folder.path(), name)? {
            steps.insert(name.clone(), found.checkpoint.record.step);
        }
    }
    Ok(MetricsLog::resume(&path, &steps)?)
}

/// Trains one model to its end and writes its file; also the seconds that earlier sessions spent.
fn train<T: Real + Element>(
    context: &TrainingContext<'_>,
    name: &str,
    log: &mut MetricsLog,
    observe: &mut dyn FnMut(Event<'_>),
) -> Result<(TrainedField, f64), FieldRunError> {
    let config = context.config;
    let recipe = &config.models[name].training;
    let mut training = build_field_training::<T>(config, name)?;
    let plan = FitPlan {
        model: name,
        steps: recipe.steps,
        log_every: config.log_every,
        // A validated number of seconds fits; one that does not means never.
        checkpoint_every: Duration::try_from_secs_f64(config.checkpoint_every_seconds).unwrap_or(Duration::MAX),
        folder: context.folder.path(),
        configuration: &context.fingerprint,
        seed: config.seed,
    };
    let (state, notice) = restore(&mut training, &plan)?;
    if let Some(notice) = notice {
        observe(Event::Notice(notice.to_string()));
    }
    let parameters = training.parameters().len();
    observe(Event::Training { model: name, parameters, from_step: training.step_count(), steps: plan.steps });
    let threads = rayon::current_num_threads();
    if let Some(used) = training.threads_left_idle(threads) {
        observe(Event::IdleThreads { model: name, used, threads });
    }
    let (earlier, first_step) = (state.earlier_seconds(), training.step_count());
    let mut progress = |progress| observe(Event::Progress(progress));
    let model = training.plan().objective.model().clone();
    let large =
        model.on(context.known.field()).map_err(|source| FieldRunError::Model { name: name.to_owned(), source })?;
    let never = AtomicBool::new(false);
    // A mass matrix that cannot be factored for lack of memory ends the run where all states are judged.
    let mut judge = |parameters: &[f64]| {
        let judged = context.held_out.judge(&large, parameters, LOGGED_STATES, &never);
        judged.ok().flatten().map_or(NOTHING_JUDGED, Judged::from)
    };
    let result = fit(&mut training, &plan, state, &mut judge, log, context.stop, &mut progress)?;
    observe(Event::Trained(result));
    if !result.interrupted {
        let header = header(config, name, &model, &context.fingerprint);
        let path = context.folder.model_path(name);
        if let Some(problem) = path.exists().then(|| load_field_model(&path).err()).flatten() {
            let reason = match problem {
                StoreError::Damaged { damage, .. } => damage.to_string(),
                other => other.to_string(),
            };
            let path = path.display();
            observe(Event::Notice(format!("{path}: {reason}; the model is written again from its checkpoint")));
        }
        save_field_model(&path, &header, training.parameters())?;
    }
    let trained = TrainedField {
        name: name.to_owned(),
        model,
        parameters: training.parameters().iter().map(|p| p.to_f64()).collect(),
        result,
        batch: recipe.batch,
        stepped: training.step_count() > first_step,
    };
    Ok((trained, earlier))
}

/// A log line without a judgement.
const NOTHING_JUDGED: Judged = Judged { acceleration_l1: f64::NAN, vector_field_l1: None, mass_matrix: None };

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
        },
    }
}
