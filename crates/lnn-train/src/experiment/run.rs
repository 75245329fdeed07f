//! One run: train every model, judge them by the same protocol, write the report.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use lnn_physics::System;

use super::ExperimentError;
use super::build::build_system;
use super::description::{describe, published};
use super::judge::{JudgedMembers, ensemble, judge_members};
use super::members::Member;
use super::models::{Context, Fate, train_all};
use super::train::earlier_summary;
use crate::backend::{Backend, Choice};
use crate::config::Validated;
use crate::fit::{FitResult, Progress};
use crate::record::{MetricsLine, Rollouts, Summary};
use crate::report::{self, ReportFiles, ReportInput};
use crate::store::{RunFolder, RunState, read_metrics, write_atomically};
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
    /// A model's kernels are ready on a graphics card.
    Planned {
        /// Model name.
        model: &'a str,
        /// Where the tiles of its kernels are from, in words.
        tiles: String,
    },
    /// A model's training begins or goes on.
    Training {
        /// Model name.
        model: &'a str,
        /// Seeds of the members of an ensemble that are trained together; empty in a run of one seed.
        seeds: &'a [u64],
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
    /// A model's training ended; of members that were trained together the time and the skipped steps are those of all.
    Trained(FitResult),
    /// A model is being judged.
    Judging {
        /// Model name; of a member of an ensemble also its seed.
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
    // Before the folder is claimed: data that no model can learn leave nothing behind.
    let members = Member::all(config, &*system)?;
    let (folder, state) = RunFolder::open(&options.folder, config, options.resume)?;
    let Choice { backend: chosen, reason } = &options.computes;
    let (backend, device) = (chosen.name(), chosen.device());
    let threads = rayon::current_num_threads();
    let reason = reason.as_deref();
    observe(Event::Started { folder: folder.path().to_owned(), backend, device: &device, reason, threads, state });
    if let Backend::Gpu { card, .. } = chosen {
        card.notices().iter().for_each(|notice| observe(Event::Notice(notice.clone())));
    }

    let context = Context {
        config,
        folder: &folder,
        system: Arc::clone(&system),
        members: &members,
        backend: chosen,
        fell_back: AtomicBool::new(false),
        stop,
    };
    let Some(trained) = train_all(&context, state, observe)? else {
        return Ok(Outcome::Interrupted);
    };
    let (backend, device) = if context.fell_back.load(Ordering::Relaxed) {
        (format!("{backend}, then {}", Backend::Cpu.name()), format!("{device}, then {}", Backend::Cpu.device()))
    } else {
        (backend.to_owned(), device)
    };
    let sessions = || trained.iter().flat_map(|model| &model.fates).map(Fate::session);
    let earlier_seconds: f64 = sessions().map(|(_, seconds)| seconds).sum();

    // From here on a stop loses nothing: the checkpoints are complete, and a resumed run judges all models again.
    let Some(JudgedMembers { shown, figures, reference, rollouts }) =
        judge_members(&members, &trained, &*system, stop, observe)?
    else {
        return Ok(Outcome::Interrupted);
    };
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
        paper: published(config, trained.iter().map(|model| &model.name)),
        models: figures[shown].clone(),
        ensemble: (config.ensemble > 1).then(|| ensemble(&members, &trained, figures, shown)),
    };
    if state == RunState::Finished && sessions().all(|(stepped, _)| !stepped) {
        match earlier_summary::<Summary>(&folder) {
            Ok(earlier) => summary.keep_session(earlier),
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

fn write_report(
    options: &RunOptions,
    folder: &RunFolder,
    system: &dyn System,
    summary: &Summary,
    rollouts: &Rollouts,
) -> Result<ReportFiles, ExperimentError> {
    let config = &options.config;
    let all = read_metrics(&folder.metrics_path())?;
    let shown = summary.ensemble.as_ref().map(|ensemble| ensemble.shown_seed);
    let metrics: Vec<MetricsLine> = all.iter().filter(|line| line.seed == shown).cloned().collect();
    let system = describe(&config.system, system, &summary.energy_reference);
    let kinds = config.models.iter().map(|(name, model)| (name.clone(), model.kind)).collect();
    let config_ron = config.to_ron()?;
    let input = ReportInput {
        summary,
        metrics: &metrics,
        member_metrics: &all,
        rollouts,
        system: &system,
        kinds: &kinds,
        config_ron: &config_ron,
        command: &options.command,
    };
    Ok(report::write(folder.path(), &input, &write_atomically)?)
}
