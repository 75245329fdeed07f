//! `lnn experiment initialisation`: the paper's search for first weights.

use std::error::Error;
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lnn_train::backend::Backend;
use lnn_train::config::ConfigError;
use lnn_train::initialisation_search::{
    Cell, EXPERIMENT, SearchConfig, SearchEvent, SearchOptions, SearchOutcome, search,
};
use lnn_train::report::initialisation_table;
use lnn_train::store::RunState;
use serde_json::{Value, json};

use super::arguments::ExperimentArguments;
use super::{RUNS, repeat_command};
use crate::cli::ending::{finished, interrupted};
use crate::cli::error::CommandError;
use crate::cli::event_line::state_name;
use crate::cli::output::{OutputArguments, print_json, say};

/// Time between two plain lines.
const LINE_INTERVAL: Duration = Duration::from_secs(2);

pub(super) fn run(arguments: &ExperimentArguments, stop: &AtomicBool) -> Result<ExitCode, Box<dyn Error>> {
    let config = configuration(arguments)?;
    let folder = match &arguments.out {
        Some(folder) => folder.clone(),
        None => Path::new(RUNS).join(EXPERIMENT).join(config.run_name()),
    };
    let options = SearchOptions {
        command: repeat_command(arguments, config.seed, &Backend::Cpu, &folder),
        config,
        folder: folder.clone(),
        resume: arguments.resume,
        threads: arguments.threads.map_or(0, usize::from),
    };
    let mut display = SearchDisplay::new(arguments.output);
    let outcome = search(&options, stop, &mut |event| display.show(&event));
    display.clear();
    match outcome? {
        SearchOutcome::Finished { summary, report } => {
            finished(arguments.output, &folder, &*summary, &report, |colour| initialisation_table(&summary, colour))?;
            Ok(ExitCode::SUCCESS)
        }
        SearchOutcome::Interrupted => Ok(interrupted(arguments.output, &folder, "The finished cells are")),
    }
}

/// The preset or file, with the command line's seed, judged.
fn configuration(arguments: &ExperimentArguments) -> Result<SearchConfig, Box<dyn Error>> {
    let of_training = [
        (arguments.models.is_some(), "--models"),
        (arguments.seeds.is_some(), "--seeds"),
        (!arguments.system.is_empty(), "--system"),
        (arguments.links.is_some(), "--links"),
    ];
    for (given, option) in of_training {
        if given {
            return Err(CommandError::OptionOfTraining { option }.into());
        }
    }
    let (mut config, origin) = match &arguments.config {
        Some(path) => (SearchConfig::read(path)?, path.display().to_string()),
        None => (SearchConfig::preset(&arguments.preset)?, format!("preset `{}`", arguments.preset)),
    };
    if let Some(seed) = arguments.seed {
        config.seed = seed;
    }
    if arguments.trial {
        config = config.trial();
    }
    let problems = config.problems();
    if problems.is_empty() { Ok(config) } else { Err(ConfigError::Invalid { origin, problems }.into()) }
}

/// Shows a search's events on standard error.
struct SearchDisplay {
    output: OutputArguments,
    terminal: bool,
    bar: Option<ProgressBar>,
    cell: String,
    last_line: Instant,
}

impl SearchDisplay {
    fn new(output: OutputArguments) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { output, terminal, bar: None, cell: String::new(), last_line: Instant::now() }
    }

    fn show(&mut self, event: &SearchEvent<'_>) {
        if self.output.json
            && let Some(line) = search_line(event)
        {
            // A reader that has gone must not end a search.
            let _ = print_json(&line);
        }
        if !self.output.talks() {
            return;
        }
        match event {
            SearchEvent::Started { folder, threads, state, found, cells } => {
                say(&format!("Backend cpu, {threads} thread(s). Run folder: {}", folder.display()));
                match state {
                    RunState::New => say(&format!("Searching {cells} cells of width × hidden layers.")),
                    RunState::Unfinished => say(&format!("Going on with {found} of {cells} cells found.")),
                    RunState::Finished => say("The search is finished; writing its report again."),
                }
            }
            SearchEvent::Searching { width, hidden_layers, number, cells } => {
                self.clear();
                self.cell = format!("{number:>2}/{cells}  {:<8}", format!("{width} × {hidden_layers}"));
                self.last_line = Instant::now();
                if self.terminal {
                    let style = ProgressStyle::with_template("{prefix}  {spinner} {msg}").expect("a fixed template");
                    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style);
                    bar.set_prefix(self.cell.clone());
                    self.bar = Some(bar);
                }
            }
            SearchEvent::Evaluated { evaluations, least } => {
                let message = format!("{evaluations} evaluations, J {least:.4}");
                if let Some(bar) = &self.bar {
                    bar.set_message(message);
                    bar.tick();
                } else if self.last_line.elapsed() >= LINE_INTERVAL {
                    self.last_line = Instant::now();
                    say(&format!("{}  {message}", self.cell));
                }
            }
            SearchEvent::Found { cell, seconds } => {
                self.clear();
                say(&format!("{}  {} in {seconds:.1} s", self.cell, found(cell)));
            }
            SearchEvent::Reporting => {
                self.clear();
                say("writing the report");
            }
        }
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// An event as one line of JSON; evaluations between two cells are left out.
fn search_line(event: &SearchEvent<'_>) -> Option<Value> {
    Some(match event {
        SearchEvent::Started { folder, threads, state, found, cells } => json!({
            "event": "started", "folder": folder, "backend": "cpu", "threads": threads, "state": state_name(*state),
            "found": found, "cells": cells,
        }),
        SearchEvent::Searching { width, hidden_layers, number, cells } => json!({
            "event": "searching", "width": width, "hidden_layers": hidden_layers, "number": number, "cells": cells,
        }),
        SearchEvent::Evaluated { .. } => return None,
        SearchEvent::Found { cell, seconds } => json!({ "event": "found", "cell": cell, "seconds": seconds }),
        SearchEvent::Reporting => json!({ "event": "reporting" }),
    })
}

/// A finished cell in a few words.
fn found(cell: &Cell) -> String {
    let deviations: Vec<String> = cell.deviations.iter().map(|deviation| format!("{deviation:.3}")).collect();
    let (found, published) = (cell.divergences.total(), cell.published.total());
    let evaluations = cell.evaluations;
    let ended = if cell.converged { "" } else { ", not converged" };
    format!("σ {}  J {found:.3}, Eq. 16 {published:.3}  {evaluations} evaluations{ended}", deviations.join(" "))
}
