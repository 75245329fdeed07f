//! The program's interface: arguments, what a person sees, exit codes.

mod arguments;
mod completions;
mod display;
mod ending;
mod error;
mod eval;
mod event_line;
mod exit;
mod experiment;
mod info;
mod interrupt;
mod man;
mod model_names;
mod output;
mod plot;
mod rollout;
mod train;

use std::error::Error;
use std::process::ExitCode;

use clap::FromArgMatches;

use arguments::{Arguments, Verb};
use output::say;

/// Parses the command line, runs it, and maps the outcome to an exit code: see [`exit`].
pub(crate) fn main() -> ExitCode {
    let matches = arguments::command().get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let result = match arguments.verb {
        Verb::Train(train) => train::run(&train),
        Verb::Eval(eval) => eval::run(&eval),
        Verb::Rollout(rollout) => rollout::run(&rollout),
        Verb::Plot(plot) => plot::run(&plot),
        Verb::Info(info) => info::run(&info),
        Verb::Experiment(experiment) => experiment::run(&experiment),
        Verb::Completions(completions) => completions::run(&completions),
        Verb::Man(man) => man::run(&man),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            say(&format!("error: {}", chain(&*error)));
            ExitCode::from(exit::FAILURE)
        }
    }
}

/// An error and its causes in one paragraph.
fn chain(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // A transparent wrapper repeats its cause.
        if !message.contains(&cause_text) {
            message.push_str(": ");
            message.push_str(&cause_text);
        }
        source = cause.source();
    }
    message
}
