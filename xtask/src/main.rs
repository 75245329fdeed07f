//! `cargo xtask <verb>`: the workspace's one entry point.
//!
//! A file per verb. This program depends on none of the workspace's crates: it starts cargo and the
//! programs that cargo built, so that it compiles in seconds and works while the crates do not.

mod bench;
mod cargo;
mod documents;
mod error;
mod experiment;
mod python;
mod semver;
mod summary;
mod test;
mod tidy;
mod verb;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use error::TaskError;
use verb::Verb;

const HELP: &str = "\
The workspace's tasks.

Usage: cargo xtask <VERB> [ARGUMENTS]

Verbs:
  experiment NAME [OPTIONS]   build the `lnn` program and run one of its experiments
  test [FILTER…]              the whole test suite, tidy included; with filters, matching tests only
  tidy                        formatting, lints, docs, module headers, file lengths, dependencies
  documents                   the commands and code of README and docs, as a reader would run them
  semver [REVISION]           what a release would break for those who link against the crates
  bench [cpu [FILTER…]]       the engine's benchmarks, their rates beside the matrix product's
  bench gpu [FILTER…]         kernels, steps and rollouts on a graphics card, beside what it can do at best
  bench peers                 the same work by JAX, in turn with ours, on the processor and on a card
  help                        this text

Examples:
  cargo xtask experiment dblpend                       train, evaluate and report, in minutes
  cargo xtask experiment dblpend --preset best --seed 3
  cargo xtask experiment --help                        the experiments and all their options
  cargo xtask test                                     what continuous integration runs
  cargo xtask test pseudoinverse                       only tests with this in their name
  cargo xtask bench cpu training_step --save-baseline before

The last line of `test` and `tidy` reads `N passed, N failed`.
Exit codes: 0 success, 1 something failed, 2 wrong usage; `experiment` passes on the program's own.
";

fn main() -> ExitCode {
    let mut arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if arguments.is_empty() {
        eprint!("{HELP}");
        return ExitCode::from(error::USAGE);
    }
    let name = arguments.remove(0);
    let outcome = match name.to_str() {
        Some("help" | "--help" | "-h") => print_help(HELP),
        _ => Verb::parse(&name).and_then(|verb| match verb {
            Verb::Experiment => experiment::run(&arguments),
            Verb::Test => test::run(&arguments),
            Verb::Tidy => tidy::run(&arguments),
            Verb::Documents => documents::run(&arguments),
            Verb::Semver => semver::run(&arguments),
            Verb::Bench => bench::run(&arguments),
        }),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("xtask: {error}");
        error.exit_code()
    })
}

/// Writes a help text to standard output.
fn print_help(text: &str) -> Result<ExitCode, TaskError> {
    std::io::stdout().write_all(text.as_bytes()).map_err(TaskError::Output)?;
    Ok(ExitCode::SUCCESS)
}

/// Whether the arguments ask for help.
fn asks_for_help(arguments: &[OsString]) -> bool {
    arguments.iter().any(|argument| argument == "--help" || argument == "-h")
}
