//! `lnn experiment`.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lnn_train::config::{ConfigError, ExperimentConfig, Validated, preset};
use lnn_train::experiment::{Outcome, RunOptions, run as run_experiment};
use lnn_train::report::terminal_table;
use lnn_train::store::RunFolder;

use super::INTERRUPTED;
use super::arguments::{Backend, ExperimentArguments};
use super::display::Display;

pub(super) fn run(arguments: &ExperimentArguments) -> Result<ExitCode, Box<dyn Error>> {
    let config = configuration(arguments)?;
    let folder = match &arguments.out {
        Some(folder) => folder.clone(),
        None => RunFolder::default_path(Path::new("runs"), &config),
    };
    // Every build computes on the processor; the choice is kept for builds with another backend.
    let (Backend::Auto | Backend::Cpu) = arguments.backend;
    let options = RunOptions {
        command: repeat_command(arguments, &config),
        config,
        folder: folder.clone(),
        resume: arguments.resume,
        threads: arguments.threads.map_or(0, usize::from),
    };
    let stop = stop_on_signal()?;
    let mut display = Display::new(arguments.quiet);
    let outcome = run_experiment(&options, &stop, &mut |event| display.show(event));
    display.finish();
    match outcome? {
        Outcome::Finished { summary, report } => {
            let mut out = std::io::stdout().lock();
            let colour = out.is_terminal() && std::env::var_os("NO_COLOR").is_none();
            writeln!(out, "{}", terminal_table(&summary, colour))?;
            if !arguments.quiet {
                writeln!(out, "Report: {}", report.page.display())?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Outcome::Interrupted => {
            eprintln!(
                "Interrupted. A checkpoint is in {}; go on with the same command and --resume.",
                folder.display()
            );
            Ok(ExitCode::from(INTERRUPTED))
        }
    }
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

fn quoted(path: &PathBuf) -> String {
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
