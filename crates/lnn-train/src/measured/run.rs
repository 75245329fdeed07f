//! One training on measured data: read, split, scale, train, judge, report.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use lnn_autodiff::{MlpShape, Real};

use super::config::{Learn, MeasuredConfig};
use super::error::MeasuredError;
use super::evaluate::HeldOutMotions;
use super::findings::Findings;
use super::measurements::Measurements;
use super::record::{MeasuredRollout, MeasuredSummary};
use super::scaling::{residual_units, scaled_features};
use super::split::Split;
use crate::config::{AngleFeatures, FeaturesConfig, ModelConfig, Precision};
use crate::experiment::{
    Event, ModelFile, Purpose, TrainedParameters, TrainingSession, device, earlier_summary, parameter_blocks, sampler,
};
use crate::fit::{Data, DynamicsObjective, ObservedMotions, ResidualUnits, Rule, Training, TrainingPlan};
use crate::model::{Model, ModelError};
use crate::optimiser::RunningNormClip;
use crate::record::Judged;
use crate::report::{MeasuredReportInput, ReportFiles, write_measured};
use crate::store::{
    Element, FolderConfiguration, Label, ModelHeader, Provenance, RunFolder, RunState, StoreError, load_model,
    read_metrics, save_model, write_atomically,
};
use crate::thread_pool::thread_pool;
use crate::trajectory::Segments;

/// Name of the model of a training on measured data, as in its file's name.
pub const MEASURED_MODEL: &str = "lnn";

/// What to train on what, where and how.
#[derive(Clone, Debug)]
pub struct MeasuredOptions {
    /// The configuration; what it leaves open follows from the data.
    pub config: MeasuredConfig,
    /// The run's folder.
    pub folder: PathBuf,
    /// Go on with an unfinished run, or judge a finished one again.
    pub resume: bool,
    /// Threads; 0 takes one a core.
    pub threads: usize,
    /// Command line that repeats the run, for the report.
    pub command: String,
}

/// How a training ended.
#[derive(Debug)]
pub enum MeasuredOutcome {
    /// All done.
    Finished {
        /// The figures, as in `summary.json`.
        summary: Box<MeasuredSummary>,
        /// The model file.
        model: PathBuf,
        /// Where the report is.
        report: ReportFiles,
    },
    /// Stopped on request; a checkpoint holds the state.
    Interrupted,
}

/// Everything that follows from data and configuration.
pub(super) struct Prepared {
    /// With everything filled in.
    pub(super) config: MeasuredConfig,
    fingerprint: String,
    model_config: ModelConfig,
    model: Model,
    learn: Learn,
    pub(super) split: Split,
    units: ResidualUnits,
}

/// Trains a model on measured data, on its own thread pool; `found` is called with what the data are before the first
/// step, and nothing is written before that.
///
/// # Errors
/// See [`MeasuredError`]; what was computed so far stays in the folder.
pub fn run_measured(
    options: &MeasuredOptions,
    stop: &AtomicBool,
    found: &mut (dyn FnMut(&Findings, &MeasuredConfig) + Send),
    observe: &mut (dyn FnMut(Event<'_>) + Send),
) -> Result<MeasuredOutcome, MeasuredError> {
    options.config.require_usable("the options")?;
    thread_pool(options.threads)?.install(|| run_in_pool(options, stop, found, observe))
}

fn run_in_pool(
    options: &MeasuredOptions,
    stop: &AtomicBool,
    found: &mut dyn FnMut(&Findings, &MeasuredConfig),
    observe: &mut dyn FnMut(Event<'_>),
) -> Result<MeasuredOutcome, MeasuredError> {
    let start = Instant::now();
    let measurements = Measurements::read(&options.config.data)?;
    let (measurements, learn) = usable(&options.config, measurements)?;
    let findings = Findings::of(&measurements);
    let prepared = prepare(&options.config, &measurements, learn)?;
    found(&findings, &prepared.config);
    let (folder, state) = RunFolder::open_for(&options.folder, &prepared.config, options.resume)?;
    write_json(&folder.path().join("data.json"), &findings)?;
    let (device, threads) = (device(), rayon::current_num_threads());
    let (backend, reason) = ("cpu", None);
    observe(Event::Started { folder: folder.path().to_owned(), backend, device: &device, reason, threads, state });

    let Prepared { config, model, split, units, learn, .. } = &prepared;
    let by_accelerations = *learn == Learn::Accelerations;
    let held_out = HeldOutMotions::new(&measurements, (&split.held_out, &split.training), units, by_accelerations);
    let session = TrainingSession {
        folder: &folder,
        fingerprint: &prepared.fingerprint,
        seed: config.seed,
        log_every: config.log_every,
        checkpoint_every_seconds: config.checkpoint_every_seconds,
        keep_best: true,
        stop,
    };
    let judge = &mut |parameters: &[f64]| held_out.judge(model, parameters);
    let trained = match prepared.model_config.precision {
        Precision::F32 => train::<f32>(&prepared, &measurements, &session, state, judge, observe)?,
        Precision::F64 => train::<f64>(&prepared, &measurements, &session, state, judge, observe)?,
    };
    if trained.result.interrupted {
        return Ok(MeasuredOutcome::Interrupted);
    }
    observe(Event::Judging { model: MEASURED_MODEL });
    let earlier = trained.earlier_seconds;
    let parameters = &trained.parameters;
    // From here on a stop loses nothing: the checkpoint is complete, and a resumed run judges the model again.
    let Ok(mass_matrix) = held_out.mass_matrix(model, parameters, stop) else {
        return Ok(MeasuredOutcome::Interrupted);
    };
    let Ok(acceleration) = held_out.acceleration_errors(model, parameters, stop) else {
        return Ok(MeasuredOutcome::Interrupted);
    };
    let Ok(one_row) = held_out.one_row_errors(model, parameters, stop) else {
        return Ok(MeasuredOutcome::Interrupted);
    };
    let Some(rollouts) = held_out.rollouts(model, parameters, stop)? else {
        return Ok(MeasuredOutcome::Interrupted);
    };
    let mut summary = MeasuredSummary {
        learned: describe_learning(*learn),
        model: prepared.model_config.kind.describe().to_owned(),
        seed: config.seed,
        backend: backend.to_owned(),
        device,
        threads,
        wall_seconds: 0.0,
        parameters: parameters.len(),
        train_seconds: trained.result.train_seconds,
        steps: trained.result.steps,
        kept_step: trained.kept_step,
        held_out_error: trained.kept_error.unwrap_or(f64::NAN),
        samples: trained.result.steps * trained.batch as u64,
        skipped_steps: trained.result.skipped_steps,
        training_trajectories: split.training.trajectories.len(),
        held_out: split.held_out.numbers.clone(),
        of_one: split.of_one,
        acceleration,
        one_row,
        rollouts: HeldOutMotions::rollout_errors(&rollouts),
        energy: held_out.energy_drift(model, parameters, &rollouts),
        mass_matrix,
        data: findings,
    };
    if stop.load(Ordering::Relaxed) {
        return Ok(MeasuredOutcome::Interrupted);
    }
    observe(Event::Reporting);
    summary.wall_seconds = earlier + start.elapsed().as_secs_f64();
    if state == RunState::Finished && !trained.stepped {
        match earlier_summary::<MeasuredSummary>(&folder) {
            Ok(MeasuredSummary { device, threads, wall_seconds, train_seconds, .. }) => {
                summary = MeasuredSummary { device, threads, wall_seconds, train_seconds, ..summary };
            }
            Err(problem) => observe(Event::Notice(format!(
                "{problem}; it is written again, with the machine and the time of this session"
            ))),
        }
    }
    let report = report(options, &folder, &prepared, &measurements, (&summary, &rollouts))?;
    // Last: its presence says that the run is finished.
    write_json(&folder.summary_path(), &summary)?;
    let model = folder.model_path(MEASURED_MODEL);
    Ok(MeasuredOutcome::Finished { summary: Box::new(summary), model, report })
}

fn write_json<S: serde::Serialize>(path: &Path, value: &S) -> Result<(), StoreError> {
    let json = serde_json::to_vec_pretty(value)
        .map_err(|error| StoreError::Encode { path: path.to_owned(), message: error.to_string() })?;
    write_atomically(path, &json)
}

fn describe_learning(learn: Learn) -> String {
    match learn {
        Learn::Accelerations => "accelerations".to_owned(),
        Learn::Segments { rows, .. } => format!("segments of {rows} rows"),
    }
}

/// What of the data is long enough for what is to be learned of them.
pub(super) fn usable(
    config: &MeasuredConfig,
    measurements: Measurements,
) -> Result<(Measurements, Learn), MeasuredError> {
    if let Some(expected) = config.data.fingerprint.as_ref().filter(|&expected| *expected != measurements.fingerprint) {
        let (expected, found) = (expected.clone(), measurements.fingerprint.clone());
        return Err(MeasuredError::OtherData { expected, found });
    }
    let learn = match config.model.training.learn {
        Some(Learn::Accelerations) if !measurements.has_accelerations() => return Err(MeasuredError::NoAccelerations),
        Some(learn) => learn,
        None if measurements.has_accelerations() => Learn::Accelerations,
        None => Learn::segments(),
    };
    Ok((measurements.without_short(learn.rows(), &config.data)?, learn))
}

/// Splits the data, and fills in what the configuration leaves to them.
pub(super) fn prepare(
    config: &MeasuredConfig,
    measurements: &Measurements,
    learn: Learn,
) -> Result<Prepared, MeasuredError> {
    let (d, c) = (measurements.degrees_of_freedom(), measurements.labels.conditionals.len());
    let split = Split::new(measurements, config.held_out, config.data.split_seed, learn.rows())?;
    let features = match &config.model.features {
        None => scaled_features(measurements, &split.training),
        Some(features) => {
            require_features(features, measurements)?;
            features.clone()
        }
    };
    let units = match &config.model.training.units {
        None => residual_units(measurements, &split.training),
        Some(units) => {
            for (field, units) in [
                ("model.training.units.velocity", &units.velocity),
                ("model.training.units.acceleration", &units.acceleration),
            ] {
                require_length(field, units.len(), "coordinate(s)", d)?;
            }
            units.clone()
        }
    };
    let model_config = config.model.complete(learn, &features);
    let mut complete = config.clone();
    complete.data.fingerprint = Some(measurements.fingerprint.clone());
    complete.model.features = Some(features);
    let training = &mut complete.model.training;
    training.learn = Some(learn);
    training.steps = Some(model_config.training.steps);
    training.batch = Some(model_config.training.batch);
    training.schedule = Some(model_config.training.schedule);
    training.units = Some(units.clone());
    complete.require_usable("the options and the data")?;
    let shape = MlpShape::new(&model_config.dimensions(d, c), model_config.activation).map_err(ModelError::from)?;
    let model = Model::new(model_config.kind, &model_config.features, shape, d, c)?;
    Ok(Prepared { fingerprint: complete.fingerprint()?, config: complete, model_config, model, learn, split, units })
}

/// Refuses features of other columns than those of the data, or that take an angle for another coordinate.
fn require_features(features: &FeaturesConfig, measurements: &Measurements) -> Result<(), MeasuredError> {
    let labels = &measurements.labels;
    let coordinates = &features.coordinates;
    if !coordinates.is_empty() {
        require_length("model.features.coordinates", coordinates.len(), "coordinate(s)", labels.q.len())?;
    }
    // An empty list too: its one scale for all would be that of no column.
    let conditionals = features.conditionals.len();
    require_length("model.features.conditionals", conditionals, "conditional(s)", labels.conditionals.len())?;
    for (j, (column, &declared)) in labels.q.iter().zip(&measurements.angles).enumerate() {
        let treatment = coordinates.get(j).map_or(features.angles, |coordinate| coordinate.angles);
        if declared != (treatment != AngleFeatures::Identity) {
            let treatment = format!("{treatment:?}");
            return Err(MeasuredError::AngleFeatures { column: column.name.clone(), declared, treatment });
        }
    }
    Ok(())
}

fn require_length(field: &'static str, given: usize, what: &'static str, expected: usize) -> Result<(), MeasuredError> {
    if given == expected { Ok(()) } else { Err(MeasuredError::ConfigLength { field, given, what, expected }) }
}

/// Trains to the end and writes the model file.
fn train<T: Real + Element>(
    prepared: &Prepared,
    measurements: &Measurements,
    session: &TrainingSession<'_>,
    state: RunState,
    judge: &mut dyn FnMut(&[f64]) -> Judged,
    observe: &mut dyn FnMut(Event<'_>),
) -> Result<TrainedParameters, MeasuredError> {
    let mut training = build::<T>(prepared)?;
    let file = ModelFile {
        damage: &|path| load_model(path).err(),
        save: &|path, step, parameters: &[T]| save_model(path, &header(prepared, measurements, step), parameters),
    };
    let mut log = session.open_log(state, std::iter::once(MEASURED_MODEL))?;
    let steps = prepared.model_config.training.steps;
    let trained = session.train((MEASURED_MODEL, steps), &mut training, judge, &file, &mut log, observe)?;
    log.sync()?;
    Ok(trained)
}

/// The training at step 0.
fn build<T: Real>(prepared: &Prepared) -> Result<Training<T>, MeasuredError> {
    let Prepared { config, model_config, model, learn, split, units, .. } = prepared;
    let recipe = &model_config.training;
    let motions = &split.training.trajectories;
    motions.require_finite_in::<T>()?;
    let data = match *learn {
        Learn::Accelerations => Data::Observations(Arc::new(split.training.observations())),
        Learn::Segments { rows, substeps, warm_start } => Data::Motions(ObservedMotions {
            segments: Segments::new(Arc::clone(motions), rows, substeps)?,
            warm_start_steps: (warm_start * recipe.steps as f64).round() as u64,
            rule: Rule::Trapezium,
        }),
    };
    let objective = DynamicsObjective::new(model.clone(), data, sampler(config.seed, Purpose::Training), recipe.loss);
    Ok(Training::new(TrainingPlan {
        parameters: model_config.initialisation.draw(model, config.seed),
        optimiser: recipe.optimiser.build(&parameter_blocks(model))?,
        clip: RunningNormClip::new(recipe.clipping)?,
        l2_penalty: recipe.l2_penalty,
        batch: recipe.batch,
        gradient_parts: recipe.gradient_parts,
        schedule: recipe.schedule,
        objective: objective.in_units(units.clone()),
    }))
}

/// What the model file says of parameters that were kept at `step`.
fn header(prepared: &Prepared, measurements: &Measurements, step: u64) -> ModelHeader {
    let Prepared { config, fingerprint, model_config, model, .. } = prepared;
    let labels = &measurements.labels;
    let recipe = &model_config.training;
    ModelHeader {
        provenance: Provenance {
            program: format!("lnn {}", env!("CARGO_PKG_VERSION")),
            experiment: "measured data".to_owned(),
            preset: String::new(),
            seed: config.seed,
            steps: step,
            samples: step * recipe.batch as u64,
            configuration: fingerprint.clone(),
            data: measurements.fingerprint.clone(),
        },
        coordinates: labels.q.iter().map(Label::from).collect(),
        conditional_labels: labels.conditionals.iter().map(Label::from).collect(),
        time_unit: labels.time.unit.clone(),
        ..ModelHeader::new(MEASURED_MODEL, model_config, model)
    }
}

fn report(
    options: &MeasuredOptions,
    folder: &RunFolder,
    prepared: &Prepared,
    measurements: &Measurements,
    (summary, rollouts): (&MeasuredSummary, &[MeasuredRollout]),
) -> Result<ReportFiles, MeasuredError> {
    let metrics = read_metrics(&folder.metrics_path())?;
    let config_ron = prepared.config.to_text()?;
    let input = MeasuredReportInput {
        summary,
        metrics: &metrics,
        rollouts,
        labels: &measurements.labels,
        angles: &measurements.angles,
        config_ron: &config_ron,
        command: &options.command,
    };
    Ok(write_measured(folder.path(), &input, &write_atomically)?)
}
