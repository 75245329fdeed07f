//! One run: train every model, judge them by the same protocol, write the report.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lnn_autodiff::Real;
use lnn_physics::System;

use super::ExperimentError;
use super::build::{Purpose, build_system, build_training};
use super::description::{describe, device, energy_reference, published};
use super::starts::{rod_lengths, rollout_starts, training_starts};
use crate::config::{ExperimentConfig, ModelKind, Precision, Protocol, Validated};
use crate::evaluate::{
    HeldOut, LOGGED_STATES, RolloutError, RolloutPlan, energy_errors, relative_errors, velocity_errors,
};
use crate::fit::{FitPlan, FitResult, Progress, fit, restore};
use crate::loss::LossWeight;
use crate::model::Model;
use crate::record::{EnergyReference, ModelSummary, Rollouts, Summary};
use crate::report::{self, ReportFiles, ReportInput};
use crate::store::{
    Element, Label, MetricsLog, ModelHeader, Provenance, RunFolder, RunState, StoreError, load_checkpoint, load_model,
    read_metrics, save_model, write_atomically,
};
use crate::target::DataError;

/// What to run, where and how.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The configuration.
    pub config: Validated,
    /// The run's folder.
    pub folder: PathBuf,
    /// Go on with an unfinished run, or judge a finished one again.
    pub resume: bool,
    /// Threads; 0 takes one a core.
    pub threads: usize,
    /// Command line that repeats the run, for the report.
    pub command: String,
}

/// What happens during a run; shown to a person.
#[derive(Debug)]
pub enum Event<'a> {
    /// The folder is claimed and the threads run.
    Started {
        /// The run's folder.
        folder: PathBuf,
        /// What computes, in words.
        device: &'a str,
        /// Number of threads.
        threads: usize,
        /// How far the folder's run had come.
        state: RunState,
    },
    /// Something the user should know, such as a damaged checkpoint.
    Notice(String),
    /// A model's training begins or goes on.
    Training {
        /// Model name.
        model: &'a str,
        /// Number of parameters.
        parameters: usize,
        /// Steps done by earlier sessions.
        from_step: u64,
        /// Steps in all.
        steps: u64,
    },
    /// The recipe lets fewer threads share a step than there are; `gradient_parts` could employ more.
    IdleThreads {
        /// Model name.
        model: &'a str,
        /// Threads that share a step.
        used: usize,
        /// Threads there are.
        threads: usize,
    },
    /// A model is in training.
    Progress(Progress),
    /// A model's training ended.
    Trained(FitResult),
    /// A model is being judged.
    Judging {
        /// Model name.
        model: &'a str,
    },
    /// The report is being written.
    Reporting,
}

/// How a run ended.
#[derive(Debug)]
pub enum Outcome {
    /// All done.
    Finished {
        /// The figures, as in `summary.json`.
        summary: Box<Summary>,
        /// Where the report is.
        report: ReportFiles,
    },
    /// Stopped on request; a checkpoint holds the state.
    Interrupted,
}

/// A trained model with its parameters in double precision.
struct Trained {
    name: String,
    model: Model,
    parameters: Vec<f64>,
    result: FitResult,
    batch: usize,
    /// Whether this session made a step.
    stepped: bool,
}

/// What every model's training shares.
struct Context<'a> {
    config: &'a ExperimentConfig,
    fingerprint: String,
    folder: &'a RunFolder,
    system: Arc<dyn System>,
    held_out: HeldOut,
    stop: &'a AtomicBool,
}

/// Runs an experiment on its own thread pool.
///
/// # Errors
/// See [`ExperimentError`]; what was computed so far stays in the folder.
pub fn run(
    options: &RunOptions,
    stop: &AtomicBool,
    observe: &mut (dyn FnMut(Event<'_>) + Send),
) -> Result<Outcome, ExperimentError> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads)
        .build()
        .map_err(|source| ExperimentError::Threads { threads: options.threads, source })?;
    pool.install(|| run_in_pool(options, stop, observe))
}

fn run_in_pool(
    options: &RunOptions,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(Event<'_>),
) -> Result<Outcome, ExperimentError> {
    let start = Instant::now();
    let config = &options.config;
    let system = build_system(&config.system)?;
    let dof = system.degrees_of_freedom();
    // Before the folder is claimed: data that no model can learn leave nothing behind.
    let held_out_states = training_starts(config, &*system, Purpose::HeldOut, config.evaluation.held_out)?;
    let mut held_out = HeldOut::of_states(&*system, &held_out_states).map_err(DataError::from)?;
    drop(held_out_states);
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
    let (folder, state) = RunFolder::open(&options.folder, config, options.resume)?;
    let device = device();
    let threads = rayon::current_num_threads();
    observe(Event::Started { folder: folder.path().to_owned(), device: &device, threads, state });

    let context = Context {
        config,
        fingerprint: config.fingerprint()?,
        folder: &folder,
        held_out,
        system: Arc::clone(&system),
        stop,
    };
    let Some((trained, earlier_seconds)) = train_all(&context, state, observe)? else {
        return Ok(Outcome::Interrupted);
    };

    let width = 2 * dof + system.conditionals().len();
    let plan = RolloutPlan::from_states(dof, width, &rollout_starts(config, &*system)?, &config.evaluation)?;
    let rods = config.protocol.map(|Protocol::Chnn| rod_lengths(&config.system)).transpose()?;
    // From here on a stop loses nothing: the checkpoints are complete, and a resumed run judges all models again.
    let Some(truth) = unless_stopped(plan.truth(&*system, stop))? else {
        return Ok(Outcome::Interrupted);
    };
    let reference = energy_reference(&*system, &plan, &truth);
    let mut rollouts = Rollouts {
        dof,
        times: plan.times().to_vec(),
        conditional_names: system.conditionals().iter().map(|conditional| conditional.name.to_owned()).collect(),
        conditionals: plan.conditionals().to_vec(),
        truth,
        models: BTreeMap::new(),
    };
    let mut models = BTreeMap::new();
    for trained in &trained {
        observe(Event::Judging { model: &trained.name });
        let rolled_out = plan.model(&trained.model, &trained.parameters, &*system, stop);
        let Some(trajectories) = unless_stopped(rolled_out)? else {
            return Ok(Outcome::Interrupted);
        };
        let Some(judged) = judge(trained, &context, &reference, &rollouts, &trajectories, rods.as_deref()) else {
            return Ok(Outcome::Interrupted);
        };
        models.insert(trained.name.clone(), judged);
        rollouts.models.insert(trained.name.clone(), trajectories);
    }

    if stop.load(Ordering::Relaxed) {
        return Ok(Outcome::Interrupted);
    }
    observe(Event::Reporting);
    let mut summary = Summary {
        experiment: config.experiment.clone(),
        preset: config.preset.clone(),
        seed: config.seed,
        backend: "cpu".to_owned(),
        device,
        threads,
        energy_reference: reference,
        wall_seconds: earlier_seconds + start.elapsed().as_secs_f64(),
        paper: published(config, models.keys()),
        models,
    };
    if state == RunState::Finished && trained.iter().all(|trained| !trained.stepped) {
        match earlier_summary(&folder) {
            Ok(earlier) => {
                for (name, model) in &mut summary.models {
                    // The checkpoint does not know the time that writing it took.
                    model.train_seconds = earlier.models.get(name).map_or(model.train_seconds, |m| m.train_seconds);
                }
                let Summary { device, threads, wall_seconds, .. } = earlier;
                summary = Summary { device, threads, wall_seconds, ..summary };
            }
            Err(problem) => observe(Event::Notice(format!(
                "{problem}; it is written again, with the machine and the time of this session"
            ))),
        }
    }
    let files = write_report(options, &folder, &*system, &summary, &rollouts)?;
    // Last: its presence says that the run is finished.
    let json = serde_json::to_string_pretty(&summary).expect("numbers and strings serialise");
    write_atomically(&folder.summary_path(), json.as_bytes())?;
    Ok(Outcome::Finished { summary: Box::new(summary), report: files })
}

/// The result, or `None` if it is missing because a stop was asked for.
fn unless_stopped<T>(result: Result<T, RolloutError>) -> Result<Option<T>, RolloutError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(RolloutError::Stopped) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What the run that trained the models said of itself: judging again must not claim its machine and time.
fn earlier_summary(folder: &RunFolder) -> Result<Summary, String> {
    let path = folder.summary_path();
    let text = std::fs::read(&path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{} is damaged: {error}", path.display()))
}

/// Trains the models one after the other, Lagrangian ones first; `None` if a stop was asked for. Also the
/// seconds that earlier sessions spent.
fn train_all(
    context: &Context<'_>,
    state: RunState,
    observe: &mut dyn FnMut(Event<'_>),
) -> Result<Option<(Vec<Trained>, f64)>, ExperimentError> {
    let mut names: Vec<&String> = context.config.models.keys().collect();
    names.sort_by_key(|&name| !context.config.models[name].kind.differentiates_network());
    let mut log = open_log(context, state, &names)?;
    let mut trained = Vec::new();
    let mut earlier_seconds = 0.0;
    for name in names {
        let next = match context.config.models[name].precision {
            Precision::F32 => train::<f32>(context, name, &mut log, observe)?,
            Precision::F64 => train::<f64>(context, name, &mut log, observe)?,
        };
        let (model, earlier) = next;
        earlier_seconds += earlier;
        if model.result.interrupted {
            return Ok(None);
        }
        trained.push(model);
    }
    log.sync()?;
    Ok(Some((trained, earlier_seconds)))
}

fn open_log(context: &Context<'_>, state: RunState, names: &[&String]) -> Result<MetricsLog, ExperimentError> {
    let path = context.folder.metrics_path();
    if state == RunState::New {
        return Ok(MetricsLog::create(&path)?);
    }
    let mut steps = BTreeMap::new();
    for &name in names {
        if let Some(found) = load_checkpoint(context.folder.path(), name)? {
            steps.insert(name.clone(), found.checkpoint.record.step);
        }
    }
    Ok(MetricsLog::resume(&path, &steps)?)
}

/// Trains one model to its end and writes its file; also the seconds that earlier sessions spent.
fn train<T: Real + Element>(
    context: &Context<'_>,
    name: &str,
    log: &mut MetricsLog,
    observe: &mut dyn FnMut(Event<'_>),
) -> Result<(Trained, f64), ExperimentError> {
    let config = context.config;
    let recipe = &config.models[name].training;
    let mut training = build_training::<T>(config, name, Arc::clone(&context.system))?;
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
    let mut judge = |parameters: &[f64]| context.held_out.judge(&model, parameters, LOGGED_STATES).into();
    let result = fit(&mut training, &plan, state, &mut judge, log, context.stop, &mut progress)?;
    observe(Event::Trained(result));
    if !result.interrupted {
        let header = header(config, name, &model, context);
        let path = context.folder.model_path(name);
        if let Some(problem) = path.exists().then(|| load_model(&path).err()).flatten() {
            let reason = match problem {
                StoreError::Damaged { damage, .. } => damage.to_string(),
                other => other.to_string(),
            };
            let path = path.display();
            observe(Event::Notice(format!("{path}: {reason}; the model is written again from its checkpoint")));
        }
        save_model(&path, &header, training.parameters())?;
    }
    let trained = Trained {
        name: name.to_owned(),
        model,
        parameters: training.parameters().iter().map(|p| p.to_f64()).collect(),
        result,
        batch: recipe.batch,
        stepped: training.step_count() > first_step,
    };
    Ok((trained, earlier))
}

fn header(config: &ExperimentConfig, name: &str, model: &Model, context: &Context<'_>) -> ModelHeader {
    let system = &*context.system;
    let label = |name: &str, unit: &str| Label { name: name.to_owned(), unit: Some(unit.to_owned()) };
    let model_config = &config.models[name];
    let recipe = &model_config.training;
    ModelHeader {
        name: name.to_owned(),
        kind: model_config.kind,
        degrees_of_freedom: model.features().degrees_of_freedom(),
        conditionals: model.features().conditionals(),
        dimensions: model.shape().dimensions().to_vec(),
        activation: model_config.activation,
        features: model_config.features.clone(),
        system: Some(config.system.clone()),
        provenance: Provenance {
            program: format!("lnn {}", env!("CARGO_PKG_VERSION")),
            experiment: config.experiment.clone(),
            preset: config.preset.clone(),
            seed: config.seed,
            steps: recipe.steps,
            samples: recipe.steps * recipe.batch as u64,
            configuration: context.fingerprint.clone(),
        },
        coordinates: system.coordinates().iter().map(|q| label(q.name, q.unit)).collect(),
        conditional_labels: system.conditionals().iter().map(|c| label(c.name, c.unit)).collect(),
        time_unit: Some(system.time_unit().to_owned()),
    }
}

/// The model's figures; `None` if a stop was asked for.
fn judge(
    trained: &Trained,
    context: &Context<'_>,
    reference: &EnergyReference,
    rollouts: &Rollouts,
    trajectories: &[crate::record::Trajectory],
    rods: Option<&[f64]>,
) -> Option<ModelSummary> {
    let held_out = &context.held_out;
    let judged = held_out.judge_unless(context.stop, &trained.model, &trained.parameters, held_out.len())?;
    let (last, largest) = energy_errors(&rollouts.truth, trajectories, reference.value);
    Some(ModelSummary {
        parameters: trained.parameters.len(),
        train_seconds: trained.result.train_seconds,
        steps: trained.result.steps,
        samples: trained.result.steps * trained.batch as u64,
        held_out: held_out.len(),
        acceleration_l1: judged.acceleration_l1,
        acceleration_relative: judged.acceleration_relative,
        weighted_acceleration_l1: judged.weighted_acceleration_l1,
        vector_field_l1: judged.vector_field_l1,
        weighted_vector_field_l1: judged.weighted_vector_field_l1,
        energy_error_percent: last,
        energy_error_max_frame_percent: largest,
        velocity_error_max: velocity_errors(&rollouts.truth, trajectories, rollouts.dof),
        geometric_mean_relative_error: rods
            .map(|rods| relative_errors(&rollouts.times, rods, &rollouts.truth, trajectories)),
        skipped_steps: trained.result.skipped_steps,
    })
}

fn write_report(
    options: &RunOptions,
    folder: &RunFolder,
    system: &dyn System,
    summary: &Summary,
    rollouts: &Rollouts,
) -> Result<ReportFiles, ExperimentError> {
    let config = &options.config;
    let metrics = read_metrics(&folder.metrics_path())?;
    let system = describe(&config.system, system, &summary.energy_reference);
    let kinds = config.models.iter().map(|(name, model)| (name.clone(), model.kind)).collect();
    let config_ron = config.to_ron()?;
    let input = ReportInput {
        summary,
        metrics: &metrics,
        rollouts,
        system: &system,
        kinds: &kinds,
        config_ron: &config_ron,
        command: &options.command,
    };
    Ok(report::write(folder.path(), &input, &write_atomically)?)
}
