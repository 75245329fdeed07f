//! `lnn experiment`.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{IsTerminal, Write};
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lnn_train::config::{ConfigError, ExperimentConfig, Validated, preset};
use lnn_train::experiment::{Outcome, RunOptions, run as run_experiment};
use lnn_train::record::Summary;
use lnn_train::report::{seeds_table, terminal_table};
use lnn_train::store::{RunFolder, RunState, write_atomically};

use super::INTERRUPTED;
use super::arguments::{Backend, ExperimentArguments};
use super::display::Display;

/// Where runs go unless `--out` says otherwise.
const RUNS: &str = "runs";

pub(super) fn run(arguments: &ExperimentArguments) -> Result<ExitCode, Box<dyn Error>> {
    let config = configuration(arguments)?;
    // Every build computes on the processor; the choice is kept for builds with another backend.
    let (Backend::Auto | Backend::Cpu) = arguments.backend;
    let stop = stop_on_signal()?;
    match &arguments.seeds {
        Some(seeds) => run_seeds(arguments, config, seeds.clone(), &stop),
        None => {
            let folder = match &arguments.out {
                Some(folder) => folder.clone(),
                None => RunFolder::default_path(Path::new(RUNS), &config),
            };
            Ok(match run_one(arguments, config, &folder, &stop)? {
                Some(_) => ExitCode::SUCCESS,
                None => ExitCode::from(INTERRUPTED),
            })
        }
    }
}

/// Runs one seed and prints its table; `None` if it was interrupted.
fn run_one(
    arguments: &ExperimentArguments,
    config: Validated,
    folder: &Path,
    stop: &AtomicBool,
) -> Result<Option<Summary>, Box<dyn Error>> {
    let options = RunOptions {
        command: repeat_command(arguments, &config),
        config,
        folder: folder.to_owned(),
        resume: arguments.resume,
        threads: arguments.threads.map_or(0, usize::from),
    };
    let mut display = Display::new(arguments.quiet);
    let outcome = run_experiment(&options, stop, &mut |event| display.show(event));
    display.finish();
    match outcome? {
        Outcome::Finished { summary, report } => {
            let mut out = std::io::stdout().lock();
            let colour = out.is_terminal() && std::env::var_os("NO_COLOR").is_none();
            writeln!(out, "{}", terminal_table(&summary, colour))?;
            if !arguments.quiet {
                writeln!(out, "Report: {}", report.page.display())?;
            }
            Ok(Some(*summary))
        }
        Outcome::Interrupted => {
            eprintln!(
                "Interrupted. A checkpoint is in {}; go on with the same command and --resume.",
                folder.display()
            );
            Ok(None)
        }
    }
}

/// Runs seed after seed and compares them; with `--resume` finished seeds are taken as they are.
fn run_seeds(
    arguments: &ExperimentArguments,
    config: Validated,
    seeds: RangeInclusive<u64>,
    stop: &AtomicBool,
) -> Result<ExitCode, Box<dyn Error>> {
    let mut summaries = Vec::new();
    let root = match &arguments.out {
        Some(root) => root.clone(),
        None => Path::new(RUNS).join(&config.experiment),
    };
    let name = format!("{}-seeds-{}-{}.md", config.preset, seeds.start(), seeds.end());
    let template = config.into_inner();
    for seed in seeds {
        let config = ExperimentConfig { seed, ..template.clone() };
        let folder = root.join(config.run_name());
        let config =
            config.validate().map_err(|problems| ConfigError::Invalid { origin: format!("seed {seed}"), problems })?;
        let finished = if arguments.resume { finished_summary(&folder, &config)? } else { None };
        let summary = match finished {
            Some(summary) => Some(summary),
            None => run_one(arguments, config, &folder, stop)?,
        };
        match summary {
            Some(summary) => summaries.push(summary),
            None => return Ok(ExitCode::from(INTERRUPTED)),
        }
    }
    let table = seeds_table(&summaries);
    let path = root.join(name);
    write_atomically(&path, format!("{table}\n").as_bytes())?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{table}")?;
    if !arguments.quiet {
        writeln!(out, "Table: {}", path.display())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The summary of a finished run of exactly this configuration.
fn finished_summary(folder: &Path, config: &ExperimentConfig) -> Result<Option<Summary>, Box<dyn Error>> {
    if !folder.join("summary.json").exists() {
        return Ok(None);
    }
    // Opening judges the folder: another configuration is refused as in a single run.
    let (folder, state) = RunFolder::open(folder, config, true)?;
    if state != RunState::Finished {
        return Ok(None);
    }
    let path = folder.summary_path();
    let text = std::fs::read_to_string(&path)?;
    let summary = serde_json::from_str(&text).map_err(|error| format!("{} is damaged: {error}", path.display()))?;
    Ok(Some(summary))
}

/// The preset or file, with the command line's seed and models, judged.
fn configuration(arguments: &ExperimentArguments) -> Result<Validated, ConfigError> {
    // The name is judged first, so that a misspelt experiment is not reported as something else.
    let preset_config = preset(&arguments.name, &arguments.preset)?;
    let (mut config, origin) = match &arguments.config {
        Some(path) => (ExperimentConfig::read(path)?.into_inner(), path.display().to_string()),
        None => (preset_config, format!("preset `{}`", arguments.preset)),
    };
    if let Some(seed) = arguments.seed {
        config.seed = seed;
    }
    if let Some(names) = &arguments.models {
        let mut chosen = BTreeMap::new();
        for name in names {
            let Some(model) = config.models.get(name) else {
                return Err(ConfigError::unknown_name("model", name, config.models.keys().map(String::as_str)));
            };
            chosen.insert(name.clone(), model.clone());
        }
        config.models = chosen;
    }
    config.validate().map_err(|problems| ConfigError::Invalid { origin, problems })
}

/// A command that repeats the run anywhere.
fn repeat_command(arguments: &ExperimentArguments, config: &ExperimentConfig) -> String {
    let mut command = format!("cargo xtask experiment {}", arguments.name);
    match &arguments.config {
        Some(path) => command += &format!(" --config {}", quoted(path)),
        None => command += &format!(" --preset {}", arguments.preset),
    }
    command += &format!(" --seed {}", config.seed);
    if let Some(models) = &arguments.models {
        command += &format!(" --models {}", models.join(","));
    }
    command
}

fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    if text.contains(|c: char| c.is_whitespace() || c == '\'') { format!("{text:?}") } else { text }
}

/// A flag that Ctrl-C (or a termination request) sets; a second one ends the program at once.
fn stop_on_signal() -> Result<Arc<AtomicBool>, ctrlc::Error> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(INTERRUPTED));
        }
    })?;
    Ok(stop)
}
