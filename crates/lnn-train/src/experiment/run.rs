//! One run: train every model, judge them by the same protocol, write the report.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use lnn_autodiff::Real;
use lnn_physics::System;

use super::ExperimentError;
use super::build::{Purpose, build_model_for, build_system, build_training};
use super::description::{describe, energy_reference, published};
use super::starts::{rod_lengths, rollout_starts, training_starts};
use super::train::{ModelFile, TrainedParameters, TrainingSession, earlier_summary};
use crate::backend::{Backend, Choice, DeviceTraining};
use crate::config::{ExperimentConfig, ModelKind, Precision, Protocol, Validated};
use crate::evaluate::{
    HeldOut, LOGGED_STATES, RolloutError, RolloutPlan, energy_errors, relative_errors, velocity_errors,
};
use crate::fit::{FitError, FitResult, Progress, StepError, Trainer};
use crate::loss::LossWeight;
use crate::model::Model;
use crate::record::{EnergyReference, ModelSummary, Rollouts, Summary};
use crate::report::{self, ReportFiles, ReportInput};
use crate::store::{
    Element, Label, MetricsLog, ModelHeader, Provenance, RunFolder, RunState, load_model, read_metrics, save_model,
    write_atomically,
};
use crate::target::DataError;
use crate::thread_pool::thread_pool;

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
    /// What computes the trainings; all else is computed on the processor.
    pub computes: Choice,
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
        /// What computes the trainings: `cpu` or `gpu`.
        backend: &'static str,
        /// Processor or adapter, in words.
        device: &'a str,
        /// Why it was chosen, where that was left to the program.
        reason: Option<&'a str>,
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

/// A trained model.
struct Trained {
    model: Model,
    networks: TrainedParameters,
}

/// What [`train_all`] did.
struct Trainings {
    trained: Vec<Trained>,
    /// Seconds that earlier sessions spent.
    earlier_seconds: f64,
    /// Whether the processor had to go on where a graphics card failed.
    fell_back: bool,
}

/// What every model's training shares.
struct Context<'a> {
    config: &'a ExperimentConfig,
    fingerprint: String,
    folder: &'a RunFolder,
    system: Arc<dyn System>,
    held_out: HeldOut,
    backend: &'a Backend,
    stop: &'a AtomicBool,
}

impl Context<'_> {
    fn session(&self) -> TrainingSession<'_> {
        let ExperimentConfig { seed, log_every, checkpoint_every_seconds, .. } = *self.config;
        let Self { folder, fingerprint, stop, .. } = self;
        TrainingSession { folder, fingerprint, seed, log_every, checkpoint_every_seconds, keep_best: false, stop }
    }
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
    thread_pool(options.threads)?.install(|| run_in_pool(options, stop, observe))
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
    let Choice { backend: chosen, reason } = &options.computes;
    let (backend, device) = (chosen.name(), chosen.device());
    let threads = rayon::current_num_threads();
    let reason = reason.as_deref();
    observe(Event::Started { folder: folder.path().to_owned(), backend, device: &device, reason, threads, state });

    let context = Context {
        config,
        fingerprint: config.fingerprint()?,
        folder: &folder,
        held_out,
        system: Arc::clone(&system),
        backend: chosen,
        stop,
    };
    let Some(Trainings { trained, earlier_seconds, fell_back }) = train_all(&context, state, observe)? else {
        return Ok(Outcome::Interrupted);
    };
    let (backend, device) = if fell_back {
        (format!("{backend}, then {}", Backend::Cpu.name()), format!("{device}, then {}", Backend::Cpu.device()))
    } else {
        (backend.to_owned(), device)
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
        let TrainedParameters { name, parameters, .. } = &trained.networks;
        observe(Event::Judging { model: name });
        let rolled_out = plan.model(&trained.model, parameters, &*system, stop);
        let Some(trajectories) = unless_stopped(rolled_out)? else {
            return Ok(Outcome::Interrupted);
        };
        let Some(judged) = judge(trained, &context, &reference, &rollouts, &trajectories, rods.as_deref()) else {
            return Ok(Outcome::Interrupted);
        };
        models.insert(name.clone(), judged);
        rollouts.models.insert(name.clone(), trajectories);
    }

    if stop.load(Ordering::Relaxed) {
        return Ok(Outcome::Interrupted);
    }
    observe(Event::Reporting);
    let mut summary = Summary {
        experiment: config.experiment.clone(),
        preset: config.preset.clone(),
        seed: config.seed,
        backend,
        device,
        threads,
        energy_reference: reference,
        wall_seconds: earlier_seconds + start.elapsed().as_secs_f64(),
        paper: published(config, models.keys()),
        models,
    };
    if state == RunState::Finished && trained.iter().all(|trained| !trained.networks.stepped) {
        match earlier_summary::<Summary>(&folder) {
            Ok(earlier) => {
                for (name, model) in &mut summary.models {
                    // The checkpoint does not know the time that writing it took.
                    model.train_seconds = earlier.models.get(name).map_or(model.train_seconds, |m| m.train_seconds);
                }
                let Summary { backend, device, threads, wall_seconds, .. } = earlier;
                summary = Summary { backend, device, threads, wall_seconds, ..summary };
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

/// Trains the models one after the other, Lagrangian ones first; `None` if a stop was asked for.
fn train_all(
    context: &Context<'_>,
    state: RunState,
    observe: &mut dyn FnMut(Event<'_>),
) -> Result<Option<Trainings>, ExperimentError> {
    let mut names: Vec<&String> = context.config.models.keys().collect();
    names.sort_by_key(|&name| !context.config.models[name].kind.differentiates_network());
    let mut log = context.session().open_log(state, names.iter().map(|name| name.as_str()))?;
    let mut all = Trainings { trained: Vec::new(), earlier_seconds: 0.0, fell_back: false };
    for name in names {
        let next = match (context.config.models[name].precision, context.backend) {
            (Precision::F32, Backend::Gpu { device, falls_back }) if !all.fell_back => {
                let mut training = DeviceTraining::new(device, context.config, name, Arc::clone(&context.system))?;
                match train::<f32>(context, name, &mut training, &mut log, observe) {
                    Err(ExperimentError::Fit(FitError::Step { source: StepError::Device(fault), .. }))
                        if *falls_back =>
                    {
                        all.fell_back = true;
                        observe(Event::Notice(format!("{fault}; the processor goes on from the last checkpoint")));
                        // Steps after that checkpoint are made again.
                        let names = context.config.models.keys().map(String::as_str);
                        log = context.session().open_log(RunState::Unfinished, names)?;
                        train_on_processor::<f32>(context, name, &mut log, observe)?
                    }
                    trained => trained?,
                }
            }
            (Precision::F32, _) => train_on_processor::<f32>(context, name, &mut log, observe)?,
            (Precision::F64, _) => train_on_processor::<f64>(context, name, &mut log, observe)?,
        };
        all.earlier_seconds += next.networks.earlier_seconds;
        if next.networks.result.interrupted {
            return Ok(None);
        }
        all.trained.push(next);
    }
    log.sync()?;
    Ok(Some(all))
}

fn train_on_processor<T: Real + Element>(
    context: &Context<'_>,
    name: &str,
    log: &mut MetricsLog,
    observe: &mut dyn FnMut(Event<'_>),
) -> Result<Trained, ExperimentError> {
    let mut training = build_training::<T>(context.config, name, Arc::clone(&context.system))?;
    train(context, name, &mut training, log, observe)
}

/// Trains one model to its end and writes its file.
fn train<T: Real + Element>(
    context: &Context<'_>,
    name: &str,
    training: &mut dyn Trainer<T>,
    log: &mut MetricsLog,
    observe: &mut dyn FnMut(Event<'_>),
) -> Result<Trained, ExperimentError> {
    let config = context.config;
    let model = build_model_for(&config.models[name], &*context.system)
        .map_err(|source| ExperimentError::Model { name: name.to_owned(), source })?;
    let header = header(config, name, &model, context);
    let file = ModelFile {
        damage: &|path| load_model(path).err(),
        save: &|path, _, parameters: &[T]| save_model(path, &header, parameters),
    };
    let mut judge = |parameters: &[f64]| context.held_out.judge(&model, parameters, LOGGED_STATES).into();
    let steps = config.models[name].training.steps;
    let networks = context.session().train((name, steps), training, &mut judge, &file, log, observe)?;
    Ok(Trained { model, networks })
}

fn header(config: &ExperimentConfig, name: &str, model: &Model, context: &Context<'_>) -> ModelHeader {
    let system = &*context.system;
    let label = |name: &str, unit: &str| Label { name: name.to_owned(), unit: Some(unit.to_owned()) };
    let model_config = &config.models[name];
    let recipe = &model_config.training;
    ModelHeader {
        system: Some(config.system.clone()),
        provenance: Provenance {
            program: format!("lnn {}", env!("CARGO_PKG_VERSION")),
            experiment: config.experiment.clone(),
            preset: config.preset.clone(),
            seed: config.seed,
            steps: recipe.steps,
            samples: recipe.steps * recipe.batch as u64,
            configuration: context.fingerprint.clone(),
            data: String::new(),
        },
        coordinates: system.coordinates().iter().map(|q| label(q.name, q.unit)).collect(),
        conditional_labels: system.conditionals().iter().map(|c| label(c.name, c.unit)).collect(),
        time_unit: Some(system.time_unit().to_owned()),
        ..ModelHeader::new(name, model_config, model)
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
    let TrainedParameters { parameters, result, batch, .. } = &trained.networks;
    let judged = held_out.judge_unless(context.stop, &trained.model, parameters, held_out.len())?;
    let (last, largest) = energy_errors(&rollouts.truth, trajectories, reference.value);
    Some(ModelSummary {
        parameters: parameters.len(),
        train_seconds: result.train_seconds,
        steps: result.steps,
        samples: result.steps * *batch as u64,
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
        skipped_steps: result.skipped_steps,
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
