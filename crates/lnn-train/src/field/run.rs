//! One run: train every model on the small lattice, judge them on the large one, write the report.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::build::{build_judged_field, build_training_field};
use super::config::{FieldConfig, KnownField, LargeConfig, LatticeConfig, MotionConfig};
use super::density::compare_density;
use super::error::FieldRunError;
use super::evaluate::FieldHeldOut;
use super::model::FieldModel;
use super::record::{DensityComparison, FieldModelSummary, FieldMotion, FieldMotionSummary, FieldSummary};
use super::rollout::{MotionError, MotionPlan, large_motion};
use super::start::MotionStart;
use super::train::{TrainedField, TrainingContext, train_all};
use crate::experiment::{Event, Purpose, TrainedParameters, device, earlier_summary, sampler};
use crate::report::{FieldReportInput, ReportFiles, write_field};
use crate::store::{FolderConfiguration, RunFolder, RunState, StoreError, read_metrics, write_atomically};
use crate::thread_pool::thread_pool;

/// Frames on the large lattice.
const LARGE_FRAMES: usize = 20;
/// Name of the motion on the large lattice.
pub(super) const LARGE: &str = "large";

/// What to run, where and how.
#[derive(Clone, Debug)]
pub struct FieldRunOptions {
    /// The configuration.
    pub config: FieldConfig,
    /// The run's folder.
    pub folder: PathBuf,
    /// Go on with an unfinished run, or judge a finished one again.
    pub resume: bool,
    /// Threads; 0 takes one a core.
    pub threads: usize,
    /// Command line that repeats the run, for the report.
    pub command: String,
}

/// How a run ended.
#[derive(Debug)]
pub enum FieldOutcome {
    /// All done.
    Finished {
        /// The figures, as in `summary.json`.
        summary: Box<FieldSummary>,
        /// Where the report is.
        report: ReportFiles,
    },
    /// Stopped on request; a checkpoint holds the state.
    Interrupted,
}

/// What was judged of all models.
struct Judgement {
    models: BTreeMap<String, FieldModelSummary>,
    motions: Vec<FieldMotion>,
    densities: Vec<DensityComparison>,
}

/// A motion to be made by every model, and the field that it is of.
struct Judged {
    plan: MotionPlan,
    motion: FieldMotion,
    known: Arc<KnownField>,
    /// The start on the large lattice, whose states are not kept.
    large: Option<Vec<f64>>,
}

/// Runs an experiment on a field, on its own thread pool.
///
/// # Errors
/// See [`FieldRunError`]; what was computed so far stays in the folder.
pub fn run_field(
    options: &FieldRunOptions,
    stop: &AtomicBool,
    observe: &mut (dyn FnMut(Event<'_>) + Send),
) -> Result<FieldOutcome, FieldRunError> {
    options.config.require_usable(&format!("preset `{}`", options.config.preset))?;
    thread_pool(options.threads)?.install(|| run_in_pool(options, stop, observe))
}

fn run_in_pool(
    options: &FieldRunOptions,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(Event<'_>),
) -> Result<FieldOutcome, FieldRunError> {
    let start = Instant::now();
    let config = &options.config;
    let known = Arc::new(build_judged_field(config)?);
    let held_out = held_out(config, &known)?;
    let (folder, state) = RunFolder::open_for(&options.folder, config, options.resume)?;
    let device = device();
    let threads = rayon::current_num_threads();
    let (backend, reason) = ("cpu", None);
    observe(Event::Started { folder: folder.path().to_owned(), backend, device: &device, reason, threads, state });
    let context =
        TrainingContext { config, fingerprint: config.fingerprint()?, folder: &folder, known: &known, held_out, stop };
    let Some((trained, earlier_seconds)) = train_all(&context, state, observe)? else {
        return Ok(FieldOutcome::Interrupted);
    };
    // From here on a stop loses nothing: the checkpoints are complete, and a resumed run judges all models again.
    let judgement = match judge_all(&context, &known, &trained, observe) {
        Err(FieldRunError::Motion(MotionError::Stopped)) => return Ok(FieldOutcome::Interrupted),
        other => other?,
    };
    if stop.load(Ordering::Relaxed) {
        return Ok(FieldOutcome::Interrupted);
    }
    observe(Event::Reporting);
    let mut summary = FieldSummary {
        experiment: config.experiment.clone(),
        preset: config.preset.clone(),
        seed: config.seed,
        backend: backend.to_owned(),
        device,
        threads,
        field: config.field.describe(),
        training_sites: config.lattice.sites(),
        sites: config.evaluation.lattice.sites(),
        wall_seconds: earlier_seconds + start.elapsed().as_secs_f64(),
        models: judgement.models.clone(),
    };
    if state == RunState::Finished && trained.iter().all(|trained| !trained.networks.stepped) {
        match earlier_summary(&folder) {
            Ok(earlier) => keep_times(&mut summary, earlier),
            Err(problem) => observe(Event::Notice(format!(
                "{problem}; it is written again, with the machine and the time of this session"
            ))),
        }
    }
    let report = write_report(options, &folder, &summary, &judgement)?;
    // Last: its presence says that the run is finished.
    let path = folder.summary_path();
    let json = serde_json::to_vec_pretty(&summary)
        .map_err(|error| StoreError::Encode { path: path.clone(), message: error.to_string() })?;
    write_atomically(&path, &json)?;
    Ok(FieldOutcome::Finished { summary: Box::new(summary), report })
}

fn held_out(config: &FieldConfig, known: &Arc<KnownField>) -> Result<FieldHeldOut, FieldRunError> {
    let field = known.field();
    let on_judged = (&config.evaluation.lattice, &**field.topology());
    let distribution = config.states.distribution_on(on_judged, &config.lattice, field.components())?;
    let sampler = sampler(config.seed, Purpose::HeldOut);
    Ok(FieldHeldOut::new(Arc::clone(known), &distribution, sampler, config.evaluation.held_out))
}

fn keep_times(summary: &mut FieldSummary, earlier: FieldSummary) {
    for (name, model) in &mut summary.models {
        // The checkpoint does not know the time that writing it took.
        model.train_seconds = earlier.models.get(name).map_or(model.train_seconds, |model| model.train_seconds);
    }
    let FieldSummary { device, threads, wall_seconds, .. } = earlier;
    *summary = FieldSummary { device, threads, wall_seconds, ..summary.clone() };
}

fn write_report(
    options: &FieldRunOptions,
    folder: &RunFolder,
    summary: &FieldSummary,
    judgement: &Judgement,
) -> Result<ReportFiles, FieldRunError> {
    let config = &options.config;
    let metrics = read_metrics(&folder.metrics_path())?;
    let kinds = config.models.iter().map(|(name, model)| (name.clone(), model.kind.describe())).collect();
    let config_ron = config.to_text()?;
    let input = FieldReportInput {
        summary,
        metrics: &metrics,
        motions: &judgement.motions,
        densities: &judgement.densities,
        kinds: &kinds,
        config_ron: &config_ron,
        command: &options.command,
    };
    Ok(write_field(folder.path(), &input, &write_atomically)?)
}

/// The motions of the truth, then every model on held-out states and motions.
fn judge_all(
    context: &TrainingContext<'_>,
    known: &Arc<KnownField>,
    trained: &[TrainedField],
    observe: &mut dyn FnMut(Event<'_>),
) -> Result<Judgement, FieldRunError> {
    let config = context.config;
    let small = build_training_field(config)?;
    let mut judged = motions(config, known, context.stop)?;
    let (mut models, mut densities) = (BTreeMap::new(), Vec::new());
    for trained in trained {
        let TrainedField { model, networks } = trained;
        let TrainedParameters { name, parameters, result, batch, .. } = networks;
        observe(Event::Judging { model: name });
        let on = |known: &KnownField| {
            model.on(known.field()).map_err(|source| FieldRunError::Model { name: name.clone(), source })
        };
        let large = on(known)?;
        let stopped = || FieldRunError::Motion(MotionError::Stopped);
        let held_out = &context.held_out;
        let accelerations = held_out.judge(&large, parameters, held_out.len(), context.stop)?.ok_or_else(stopped)?;
        let compared = compare_density(name, (model, parameters), &small, &config.states)
            .map_err(lnn_graph::EvaluationError::Factorisation)?;
        let factor = compared.as_ref().map_or(1.0, |(factor, _)| *factor);
        densities.extend(compared.map(|(_, comparison)| comparison));
        let mut of_model: BTreeMap<String, FieldMotionSummary> = BTreeMap::new();
        for Judged { plan, motion, known, large: start } in &mut judged {
            let model: &FieldModel = &on(known)?;
            let learned = (model, &parameters[..], factor);
            let (trajectory, summary) = match start {
                None => plan.model(learned, known, motion, context.stop)?,
                Some(start) => large_motion(learned, (known, start), plan, context.stop)?,
            };
            motion.models.insert(name.clone(), trajectory);
            of_model.insert(motion.name.clone(), summary);
        }
        models.insert(
            name.clone(),
            FieldModelSummary {
                parameters: parameters.len(),
                train_seconds: result.train_seconds,
                steps: result.steps,
                samples: result.steps * *batch as u64,
                skipped_steps: result.skipped_steps,
                held_out: held_out.len(),
                acceleration_relative: accelerations.acceleration_relative,
                solved: accelerations.solved,
                motions: of_model,
            },
        );
    }
    Ok(Judgement { models, motions: judged.into_iter().map(|judged| judged.motion).collect(), densities })
}

/// The true motions that models are judged by, that on the large lattice last.
fn motions(config: &FieldConfig, known: &Arc<KnownField>, stop: &AtomicBool) -> Result<Vec<Judged>, FieldRunError> {
    let evaluation = &config.evaluation;
    let lattice = &evaluation.lattice;
    let crossing_time = config.field.crossing_time(lattice);
    let mut judged = Vec::new();
    for (name, motion) in &evaluation.motions {
        let start = MotionStart::new(motion, (&config.field, known), lattice, evaluation.crossings, config.seed)?;
        let plan = MotionPlan::new(start.t_end, crossing_time, evaluation.frames, evaluation.dt, start.is_kink);
        let truth = plan.truth(name, known, &start.state, stop)?;
        let motion = FieldMotion {
            name: name.clone(),
            description: start.description,
            shape: lattice.shape(),
            components: known.field().components(),
            times: plan.times.clone(),
            energy: known.field().state_energy(&start.state),
            truth,
            models: BTreeMap::new(),
        };
        judged.push(Judged { plan, motion, known: Arc::clone(known), large: None });
    }
    if let Some(large) = evaluation.large {
        let bump = evaluation.motions.values().find(|motion| matches!(motion, MotionConfig::Bump { .. }));
        if let Some(bump) = bump {
            judged.push(on_large(config, large, known, bump)?);
        }
    }
    Ok(judged)
}

/// The bump of the judged lattice, repeated along a large one; what is left over at the end stays at rest.
fn on_large(
    config: &FieldConfig,
    LargeConfig { sites, t_end }: LargeConfig,
    known: &KnownField,
    bump: &MotionConfig,
) -> Result<Judged, FieldRunError> {
    let lattice = match config.evaluation.lattice {
        LatticeConfig::Line { boundary, .. } | LatticeConfig::Grid { boundary, .. } => {
            LatticeConfig::Line { sites, boundary }
        }
    };
    let large = config.field.on(&lattice, Arc::new(lattice.topology()?))?;
    let start = MotionStart::new(bump, (&config.field, known), &config.evaluation.lattice, 1.0, config.seed)?;
    let period = known.field().unknowns();
    let mut state = vec![0.0; 2 * large.field().unknowns()];
    let (phi, phi_dot) = state.split_at_mut(large.field().unknowns());
    for (out, half) in [(phi, &start.state[..period]), (phi_dot, &start.state[period..])] {
        for place in out.chunks_exact_mut(period) {
            place.copy_from_slice(half);
        }
    }
    let crossing_time = config.field.crossing_time(&lattice);
    let plan = MotionPlan::new(t_end, crossing_time, LARGE_FRAMES, config.evaluation.dt, false);
    let motion = FieldMotion {
        name: LARGE.to_owned(),
        description: format!("{}, repeated {} times", start.description, sites / known.field().topology().sites()),
        shape: lattice.shape(),
        components: large.field().components(),
        times: plan.times.clone(),
        truth: Vec::new(),
        energy: large.field().state_energy(&state),
        models: BTreeMap::new(),
    };
    Ok(Judged { plan, motion, known: Arc::new(large), large: Some(state) })
}
