//! The runs one after the other, what is measured of their models, and the report.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::cell::Cell;
use super::config::PropertiesConfig;
use super::error::PropertiesError;
use super::judge::judge;
use super::measure::{Measured, measure};
use super::table::properties_markdown;
use crate::backend::Choice;
use crate::config::{ExperimentConfig, Validated};
use crate::experiment::{self, ExperimentError, Outcome, RunOptions, build_system};
use crate::record::Summary;
use crate::report::{self, ReportFiles};
use crate::store::{FolderConfiguration, RunFolder, RunState, StoreError, load_model, write_atomically};
use crate::thread_pool::thread_pool;

/// What to measure, where and how.
#[derive(Clone, Debug)]
pub struct PropertiesOptions {
    /// The configuration.
    pub config: PropertiesConfig,
    /// The folder; the runs are in folders of their names in it.
    pub folder: PathBuf,
    /// Go on with an unfinished table, or measure the models of a finished one again.
    pub resume: bool,
    /// Threads; 0 takes one a core.
    pub threads: usize,
    /// Command line that repeats it, for the report.
    pub command: String,
}

/// What happens; shown to a person.
#[derive(Debug)]
pub enum PropertiesEvent<'a> {
    /// One of the runs begins.
    Run {
        /// Its name.
        name: &'a str,
        /// Its place, from 1.
        number: usize,
        /// Runs in all.
        runs: usize,
        /// Whether an earlier session finished it, so that nothing is trained.
        finished: bool,
    },
    /// Something happens in that run.
    Event(experiment::Event<'a>),
    /// A trained model is being measured.
    Measuring {
        /// Its name.
        model: &'a str,
    },
    /// The table is being written.
    Reporting,
}

/// `summary.json` of the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PropertiesSummary {
    /// Always `properties`.
    pub experiment: String,
    /// Preset or recipe.
    pub preset: String,
    /// Seed.
    pub seed: u64,
    /// Processor, in words.
    pub device: String,
    /// Threads of the runs.
    pub threads: usize,
    /// Time of the runs and of the session that finished the table, in seconds.
    pub wall_seconds: f64,
    /// What was measured, by run and model.
    pub measured: BTreeMap<String, BTreeMap<String, Measured>>,
    /// The cells, row by row.
    pub cells: Vec<Cell>,
}

/// How it ended.
#[derive(Debug)]
pub enum PropertiesOutcome {
    /// All done.
    Finished {
        /// The table, as in `summary.json`.
        summary: Box<PropertiesSummary>,
        /// Where the report is.
        report: ReportFiles,
    },
    /// Stopped on request; what was finished is on the disk.
    Interrupted,
}

/// Trains what is not trained yet, measures every model, and writes `properties.md`, `report.html` and `summary.json`.
///
/// # Errors
/// See [`PropertiesError`]; finished runs and checkpoints stay in the folder.
pub fn measure_properties(
    options: &PropertiesOptions,
    stop: &AtomicBool,
    observe: &mut (dyn FnMut(PropertiesEvent<'_>) + Send),
) -> Result<PropertiesOutcome, PropertiesError> {
    let config = &options.config;
    let runs = config.validated_runs()?;
    let (folder, _state) = RunFolder::open_for(&options.folder, config, options.resume)?;
    let pool = thread_pool(options.threads)?;
    let mut measured = BTreeMap::new();
    let (mut device, mut threads, mut wall_seconds) = (String::new(), 0, 0.0);
    let count = runs.len();
    for (index, (name, config)) in runs.into_iter().enumerate() {
        let of_run = |source: ExperimentError| PropertiesError::Run { run: name, source: Box::new(source) };
        let path = folder.path().join(name);
        let earlier = finished(&path, &config)?;
        let event = PropertiesEvent::Run { name, number: index + 1, runs: count, finished: earlier.is_some() };
        observe(event);
        let summary = match earlier {
            Some(summary) => summary,
            None => {
                let options = RunOptions {
                    config: config.clone(),
                    folder: path.clone(),
                    // The folder around it was claimed: what is in it is this table's.
                    resume: true,
                    threads: options.threads,
                    computes: Choice::default(),
                    command: options.command.clone(),
                };
                let mut pass_on = |event: experiment::Event<'_>| observe(PropertiesEvent::Event(event));
                match experiment::run(&options, stop, &mut pass_on).map_err(of_run)? {
                    Outcome::Finished { summary, .. } => *summary,
                    Outcome::Interrupted => return Ok(PropertiesOutcome::Interrupted),
                }
            }
        };
        let since = Instant::now();
        let Some(models) = pool.install(|| measure_run(name, &config, &path, stop, observe))? else {
            return Ok(PropertiesOutcome::Interrupted);
        };
        measured.insert(name.to_owned(), models);
        wall_seconds += summary.wall_seconds + since.elapsed().as_secs_f64();
        (device, threads) = (summary.device, summary.threads);
    }
    observe(PropertiesEvent::Reporting);
    let cells = judge(&measured);
    let (experiment, preset, seed) = (config.experiment.clone(), config.preset.clone(), config.seed);
    let summary = PropertiesSummary { experiment, preset, seed, device, threads, wall_seconds, measured, cells };
    let report = write(&folder, config, &summary, &options.command)?;
    Ok(PropertiesOutcome::Finished { summary: Box::new(summary), report })
}

/// The summary of a finished run of exactly this configuration.
fn finished(folder: &Path, config: &ExperimentConfig) -> Result<Option<Summary>, StoreError> {
    if !folder.join("summary.json").exists() {
        return Ok(None);
    }
    let (folder, state) = RunFolder::open(folder, config, true)?;
    if state != RunState::Finished {
        return Ok(None);
    }
    let path = folder.summary_path();
    let bytes = fs::read(&path).map_err(StoreError::read(&path))?;
    // A damaged summary is written again by judging the models again.
    Ok(serde_json::from_slice(&bytes).ok())
}

/// What is measured of a finished run's models; `None` if `stop` was set.
fn measure_run(
    run: &'static str,
    config: &Validated,
    folder: &Path,
    stop: &AtomicBool,
    observe: &mut (dyn FnMut(PropertiesEvent<'_>) + Send),
) -> Result<Option<BTreeMap<String, Measured>>, PropertiesError> {
    let of_run = |source: ExperimentError| PropertiesError::Run { run, source: Box::new(source) };
    let system = build_system(&config.system).map_err(of_run)?;
    let mut models = BTreeMap::new();
    for (name, model_config) in &config.models {
        observe(PropertiesEvent::Measuring { model: name });
        let path = folder.join(format!("model-{name}.safetensors"));
        let loaded = load_model(&path)?;
        let model = loaded.model().map_err(|source| PropertiesError::Model { path, source })?;
        let parameters = loaded.parameters.to_f64();
        let Some(measured) = measure(config, model_config, &*system, &model, &parameters, stop).map_err(of_run)? else {
            return Ok(None);
        };
        models.insert(name.clone(), measured);
    }
    Ok(Some(models))
}

fn write(
    folder: &RunFolder,
    config: &PropertiesConfig,
    summary: &PropertiesSummary,
    command: &str,
) -> Result<ReportFiles, PropertiesError> {
    let markdown = folder.path().join("properties.md");
    write_atomically(&markdown, format!("{}\n", properties_markdown(summary)).as_bytes())?;
    let config_ron = config.to_text()?;
    let report = report::write_properties(folder.path(), summary, &config_ron, command, &write_atomically)?;
    // Last: its presence says that the table is finished.
    let path = folder.summary_path();
    let text = serde_json::to_vec_pretty(summary)
        .map_err(|error| StoreError::Encode { path: path.clone(), message: error.to_string() })?;
    write_atomically(&path, &text)?;
    Ok(report)
}
