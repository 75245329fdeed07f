//! The command line: the program and its verbs.

use clap::{CommandFactory, Parser, Subcommand};

use super::completions::CompletionsArguments;
use super::eval::EvalArguments;
use super::exit::EXIT_CODES;
use super::experiment::ExperimentArguments;
use super::info::InfoArguments;
use super::man::ManArguments;
use super::plot::PlotArguments;
use super::rollout::RolloutArguments;
use super::train::TrainArguments;

/// Learn a Lagrangian from data and obey its Euler–Lagrange equation.
#[derive(Debug, Parser)]
#[command(name = "lnn", version, propagate_version = true, arg_required_else_help = true, after_help = FIRST_STEP)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    Train(Box<TrainArguments>),
    Eval(EvalArguments),
    Rollout(RolloutArguments),
    Plot(PlotArguments),
    Info(InfoArguments),
    Experiment(Box<ExperimentArguments>),
    Completions(CompletionsArguments),
    Man(ManArguments),
}

/// The program's whole interface, with the exit codes under every verb's long help.
pub(super) fn command() -> clap::Command {
    Arguments::command().after_long_help(format!("{FIRST_STEP}\n\n{EXIT_CODES}")).mut_subcommands(|verb| {
        let examples = verb.get_after_long_help().map(|text| format!("{text}\n\n")).unwrap_or_default();
        verb.after_long_help(format!("{examples}{EXIT_CODES}"))
    })
}

const FIRST_STEP: &str =
    "Start with `cargo xtask experiment dblpend`; `lnn VERB --help` explains every option and gives examples.";
