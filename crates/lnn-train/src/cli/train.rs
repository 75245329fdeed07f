//! `lnn train`.

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use lnn_train::experiment::Event;
use lnn_train::measured::{
    Findings, Learn, MeasuredConfig, MeasuredOptions, MeasuredOutcome, MeasuredSummary, run_measured,
};
use lnn_train::report::{findings_table, measured_table};

use serde_json::json;

use super::display::Display;
use super::ending::interrupted;
use super::experiment::{beside, quoted};
use super::interrupt::stop_on_signal;
use super::output::{OutputArguments, colours, print_json, say};

/// Learn a Lagrangian from your own measurements: tables of states in, a model file and a report out.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct TrainArguments {
    /// Tables of measured motions: CSV with a line of names, NPY or NPZ. Columns: `trajectory` (rows of one number are one
    /// motion), `t`, `q0`, `q1`, …, `q_dot0`, …, if measured `q_ddot0`, …. A unit may stand behind a name: `q0 [rad]`.
    #[arg(long, value_name = "FILE", num_args = 1.., required_unless_present = "config")]
    pub(super) data: Vec<PathBuf>,

    /// Folder of the run: model file, report, configuration, checkpoint.
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,

    /// Read the recipe from a RON file; `config.ron` of any run is such a file, and repeats it. With --data it is applied to
    /// these data instead.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// Coordinates that are angles, in radians, separated by commas: `--angles q0,q1`. Jumps by full turns are undone.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) angles: Option<Vec<String>>,

    /// Columns of what is constant along a motion and differs between motions, such as a mass: `--conditionals m,g`.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) conditionals: Option<Vec<String>>,

    /// Names of the columns of a file that has none: `--columns trajectory,t,q0,q_dot0`.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) columns: Option<Vec<String>>,

    /// Seed of the first weights and the batches [default: 0]. What is held out is chosen by data.split_seed of a configuration.
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,

    /// Go through everything in seconds, with 20 steps of training: to see before the long run that the data are read and
    /// understood as meant. Its model is worth nothing.
    #[arg(long)]
    pub(super) trial: bool,

    /// Go on with the unfinished run in the folder, or judge a finished one again.
    #[arg(long)]
    pub(super) resume: bool,

    /// Threads [default: one a core]. Results do not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) threads: Option<u16>,

    #[command(flatten)]
    pub(super) output: OutputArguments,
}

const EXAMPLES: &str = "\
Examples:
  lnn train --data swings.csv --angles q0,q1 --out runs/swings
      Learn from all motions in one table; a tenth of them is held out and judges the model.
  lnn train --data monday.npz tuesday.npz --conditionals payload --out runs/arm
      Several files; `payload` differs from motion to motion.
  lnn train --data log.npy --columns t,q0,q_dot0,q_ddot0 --out runs/log
      A plain array; with accelerations in it the training is on these.
  lnn train --data swings.csv --angles q0,q1 --trial --out runs/trial
      See within seconds what is found in the data and whether everything goes through.
  lnn train --config runs/swings/config.ron --out runs/swings-again
      Repeat a run; the data must be the same.

With the columns q_ddot0, … the model learns accelerations; without, it is rolled out along short segments of the motions,
and learns to follow them. Rows that repeat a time, text, NaN, degrees and the like are refused with the file and the row.";

pub(super) fn run(arguments: &TrainArguments) -> Result<ExitCode, Box<dyn Error>> {
    let (config, scaled_anew) = configuration(arguments)?;
    let stop = stop_on_signal()?;
    let folder = &arguments.out;
    let options = MeasuredOptions {
        // The folder's own configuration holds everything that was chosen for the data.
        command: format!("lnn train --config {} --out {}", quoted(&folder.join("config.ron")), quoted(&beside(folder))),
        config,
        folder: folder.clone(),
        resume: arguments.resume,
        threads: arguments.threads.map_or(0, usize::from),
    };
    let mut display = Display::of_one_model(arguments.output);
    let output = arguments.output;
    if scaled_anew && !output.quiet {
        let text = "the scales in the configuration are of other data; they are left out and follow from these";
        display.show(Event::Notice(text.to_owned()));
    }
    let mut found = |findings: &Findings, config: &MeasuredConfig| {
        if output.json {
            // A reader that has gone must not end a training.
            let _ = print_json(&json!({ "event": "data", "findings": findings }));
        } else if output.talks() {
            say(&findings_table(findings));
            say(plan(config));
        }
    };
    let outcome = run_measured(&options, &stop, &mut found, &mut |event| display.show(event));
    display.finish();
    match outcome? {
        MeasuredOutcome::Finished { summary, model, report } => {
            if output.json {
                print_json(&json!({
                    "event": "finished", "folder": folder, "model": model, "report": report.page, "summary": summary,
                }))?;
                return Ok(ExitCode::SUCCESS);
            }
            let mut out = std::io::stdout().lock();
            writeln!(out, "{}", measured_table(&summary, colours()))?;
            if output.talks() {
                writeln!(out, "\nModel:  {}", model.display())?;
                writeln!(out, "Report: {}", report.page.display())?;
                writeln!(out, "\n{}", next_steps(&model, folder, &summary))?;
            }
            Ok(ExitCode::SUCCESS)
        }
        MeasuredOutcome::Interrupted => Ok(interrupted(output, folder, "A checkpoint is")),
    }
}

/// The file or the defaults, with what the command line says, and whether scales of other data were left out.
fn configuration(arguments: &TrainArguments) -> Result<(MeasuredConfig, bool), Box<dyn Error>> {
    let mut config = match &arguments.config {
        Some(path) => MeasuredConfig::read(path)?,
        None => MeasuredConfig::default(),
    };
    let before = config.data.clone();
    let data = &mut config.data;
    if !arguments.data.is_empty() {
        data.files.clone_from(&arguments.data);
    }
    for (given, field) in [(&arguments.angles, &mut data.angles), (&arguments.conditionals, &mut data.conditionals)] {
        if let Some(given) = given {
            field.clone_from(given);
        }
    }
    if arguments.columns.is_some() {
        data.columns.clone_from(&arguments.columns);
    }
    config.seed = arguments.seed.unwrap_or(config.seed);
    // Files of the same names may hold other numbers.
    let other_data = !arguments.data.is_empty() || config.data != before;
    let scaled_anew = other_data && config.forget_data();
    Ok((if arguments.trial { config.trial() } else { config }, scaled_anew))
}

/// What is going to be learned, in words.
fn plan(config: &MeasuredConfig) -> &'static str {
    match config.model.training.learn {
        Some(Learn::Accelerations) => "Learning the measured accelerations.",
        _ => "Learning to follow segments of the motions; no acceleration is needed.",
    }
}

/// What a person may do with the model, as commands that work in this folder.
fn next_steps(model: &Path, folder: &Path, summary: &MeasuredSummary) -> String {
    let (model, run, states) = (quoted(model), quoted(folder), quoted(&folder.join("rollouts.csv")));
    let names: Vec<&str> = summary.data.conditionals().iter().map(|column| column.name.as_str()).collect();
    let conditionals = if names.is_empty() { String::new() } else { format!(" --conditionals {}", names.join(",")) };
    let [t_end, dt] = [summary.rollouts.duration, summary.data.interval.median].map(rounded);
    format!(
        "Next:\n  lnn eval --model {model} --states {states}{conditionals} \\\n      --out accelerations.csv\n  \
         lnn rollout --model {model} --initial {states}{conditionals} \\\n      \
         --first-rows --t-end {t_end} --dt {dt} --out motions.csv\n  lnn plot {run}"
    )
}

/// A number with three digits, which are enough to type.
fn rounded(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}
