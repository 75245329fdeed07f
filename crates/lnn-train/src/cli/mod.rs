//! The program's interface: arguments, what a person sees, exit codes.

mod arguments;
mod display;
mod error;
mod experiment;
mod field;
mod initialisation;
mod properties;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Verb};

/// Something could not be done; standard error says what.
const FAILURE: u8 = 1;
/// Stopped by Ctrl-C after a checkpoint, as shells number it.
const INTERRUPTED: u8 = 130;

/// Parses the command line, runs it, and maps the outcome to an exit code: 0 done, 1 failed, 2 wrong
/// usage, 130 interrupted.
pub(crate) fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.verb {
        Verb::Experiment(experiment) => experiment::run(&experiment),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            say(&format!("error: {}", chain(&*error)));
            ExitCode::from(FAILURE)
        }
    }
}

/// Writes a line to standard error.
///
/// A reader that has gone, as in `lnn … 2>&1 | head`, must not end a training, and there is nobody left to
/// tell: the failure is dropped.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
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
