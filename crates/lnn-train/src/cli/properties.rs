//! `lnn experiment properties`: the paper's table of which model can learn what, measured.

use std::error::Error;
use std::fs;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use lnn_train::properties::{
    EXPERIMENT, PropertiesConfig, PropertiesEvent, PropertiesOptions, PropertiesOutcome, PropertiesSummary,
    around_section, measure_properties, properties_table, replace_section,
};
use lnn_train::store::{FolderConfiguration, write_atomically};

use super::arguments::ExperimentArguments;
use super::display::Display;
use super::error::CommandError;
use super::experiment::{RUNS, repeat_command};
use super::{INTERRUPTED, say};

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
        command: repeat_command(arguments, config.seed, &folder),
        config,
        folder: folder.clone(),
        resume: arguments.resume,
        threads: arguments.threads.map_or(0, usize::from),
    };
    let quiet = arguments.quiet;
    let mut display = Display::new(quiet);
    let outcome = measure_properties(&options, stop, &mut |event| show(event, &mut display, quiet));
    display.finish();
    match outcome? {
        PropertiesOutcome::Finished { summary, report } => {
            let mut out = std::io::stdout().lock();
            let colour = out.is_terminal() && std::env::var_os("NO_COLOR").is_none();
            writeln!(out, "{}", properties_table(&summary, colour))?;
            if !quiet {
                writeln!(out, "Report: {}", report.page.display())?;
            }
            if let Some(document) = &arguments.write_docs {
                write_section(document, &summary)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        PropertiesOutcome::Interrupted => {
            let folder = folder.display();
            say(&format!("Interrupted. What is finished is in {folder}; go on with the same command and --resume."));
            Ok(ExitCode::from(INTERRUPTED))
        }
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

fn show(event: PropertiesEvent<'_>, display: &mut Display, quiet: bool) {
    match event {
        PropertiesEvent::Event(event) => display.show(event),
        _ if quiet => {}
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
