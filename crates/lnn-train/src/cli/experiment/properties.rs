//! `lnn experiment properties`: the paper's table of which model can learn what, measured.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use lnn_train::backend::Backend;
use lnn_train::properties::{
    EXPERIMENT, PropertiesConfig, PropertiesEvent, PropertiesOptions, PropertiesOutcome, PropertiesSummary,
    around_section, measure_properties, properties_table, replace_section,
};
use lnn_train::store::{FolderConfiguration, write_atomically};
use serde_json::json;

use super::arguments::ExperimentArguments;
use super::{RUNS, repeat_command};
use crate::cli::display::Display;
use crate::cli::ending::{finished, interrupted};
use crate::cli::error::CommandError;
use crate::cli::output::{OutputArguments, print_json, say};

pub(super) fn run(arguments: &ExperimentArguments, stop: &AtomicBool) -> Result<ExitCode, Box<dyn Error>> {
    let config = configuration(arguments)?;
    if let Some(document) = &arguments.write_docs {
        // Before minutes of training, not after them.
        around_section(&read(document)?)?;
    }
    let folder = match &arguments.out {
        Some(folder) => folder.clone(),
        None => Path::new(RUNS).join(EXPERIMENT).join(config.run_name()),
    };
    let options = PropertiesOptions {
        command: repeat_command(arguments, config.seed, &Backend::Cpu, &folder),
        config,
        folder: folder.clone(),
        resume: arguments.resume,
        threads: arguments.threads.map_or(0, usize::from),
    };
    let output = arguments.output;
    let mut display = Display::new(output);
    let outcome = measure_properties(&options, stop, &mut |event| show(event, &mut display, output));
    display.finish();
    match outcome? {
        PropertiesOutcome::Finished { summary, report } => {
            finished(output, &folder, &*summary, &report, |colour| properties_table(&summary, colour))?;
            if let Some(document) = &arguments.write_docs {
                write_section(document, &summary)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        PropertiesOutcome::Interrupted => Ok(interrupted(output, &folder, "What is finished is")),
    }
}

/// The preset or file, with the command line's seed, judged.
fn configuration(arguments: &ExperimentArguments) -> Result<PropertiesConfig, Box<dyn Error>> {
    let of_one_system = [
        (arguments.models.is_some(), "--models"),
        (arguments.seeds.is_some(), "--seeds"),
        (!arguments.system.is_empty(), "--system"),
        (arguments.links.is_some(), "--links"),
        (arguments.train_on.is_some(), "--train-on"),
    ];
    for (given, option) in of_one_system {
        if given {
            return Err(CommandError::OptionOfOneSystem { option }.into());
        }
    }
    let config = match &arguments.config {
        Some(path) => PropertiesConfig::from_text(&read(path)?, &path.display().to_string())?,
        None => PropertiesConfig::preset(&arguments.preset)?,
    };
    let config = match arguments.seed {
        Some(seed) => config.with_seed(seed),
        None => config,
    };
    let config = if arguments.trial { config.trial() } else { config };
    config.validated_runs()?;
    Ok(config)
}

fn show(event: PropertiesEvent<'_>, display: &mut Display, output: OutputArguments) {
    if output.json {
        let line = match &event {
            PropertiesEvent::Event(_) => None,
            PropertiesEvent::Run { name, number, runs, finished } => Some(json!({
                "event": "run", "name": name, "number": number, "runs": runs, "finished": finished,
            })),
            PropertiesEvent::Measuring { model } => Some(json!({ "event": "measuring", "model": model })),
            PropertiesEvent::Reporting => Some(json!({ "event": "reporting" })),
        };
        if let Some(line) = line {
            // A reader that has gone must not end a training.
            let _ = print_json(&line);
            return;
        }
    }
    match event {
        PropertiesEvent::Event(event) => display.show(event),
        _ if output.quiet => {}
        PropertiesEvent::Run { name, number, runs, finished } => {
            display.finish();
            let state = if finished { ", trained by an earlier session" } else { "" };
            say(&format!("{number}/{runs}  {name}{state}"));
        }
        PropertiesEvent::Measuring { model } => {
            display.finish();
            say(&format!("{model:<10} measuring"));
        }
        PropertiesEvent::Reporting => say("writing the table"),
    }
}

fn read(path: &Path) -> Result<String, CommandError> {
    fs::read_to_string(path).map_err(|source| CommandError::FileRead { path: path.to_owned(), source })
}

/// Puts the table between the document's markers.
fn write_section(document: &Path, summary: &PropertiesSummary) -> Result<(), Box<dyn Error>> {
    let text = replace_section(&read(document)?, summary)?;
    write_atomically(document, text.as_bytes())?;
    Ok(())
}
