//! `cargo xtask tidy`: every check that needs no test program.

mod dependencies;
mod file_lengths;
mod module_headers;
mod rules;
mod sources;
mod toolchain;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Instant;

use crate::error::TaskError;
use crate::summary::{self, Part};
use crate::{asks_for_help, print_help};

const HELP: &str = "\
The checks that need no test program.

Usage: cargo xtask tidy

  module headers    each source file starts with a `//!` line that says what it is
  file lengths      no source file over 500 lines, but those listed with a reason in xtask/tidy.json
  dependencies      each crate uses only what xtask/tidy.json allows it, and serialisation, files and
                    plots stay out of the numerical crates
  formatting        cargo fmt --all -- --check
  lints             cargo clippy --workspace --all-targets -- -D warnings
  documentation     cargo doc --no-deps --workspace, warnings being errors
  packages          cargo package of every library

A missing rustfmt or clippy is installed through rustup, where there is one.
";

/// Runs all checks and prints the summary.
pub(crate) fn run(arguments: &[OsString]) -> Result<ExitCode, TaskError> {
    if asks_for_help(arguments) {
        return print_help(HELP);
    }
    if let Some(argument) = arguments.first() {
        let given = argument.to_string_lossy();
        return Err(TaskError::Usage(format!("`tidy` takes no argument, but was given `{given}`")));
    }
    let start = Instant::now();
    let parts = checks()?;
    finish(&parts, &[], start)
}

/// All checks, the quick ones first; each runs whatever the others found.
pub(crate) fn checks() -> Result<Vec<Part>, TaskError> {
    let rules = rules::Rules::load()?;
    let sources = sources::list()?;
    Ok(vec![
        timed("module headers", || Ok(module_headers::findings(&sources)))?,
        timed("file lengths", || Ok(file_lengths::findings(&sources, &rules.long_files)))?,
        timed("dependencies", || dependencies::findings(&rules))?,
        timed("formatting", toolchain::formatting)?,
        timed("lints", toolchain::lints)?,
        timed("documentation", toolchain::documentation)?,
        timed("packages", toolchain::packages)?,
    ])
}

/// Writes the summary to standard output; the exit code says whether everything passed.
pub(crate) fn finish(parts: &[Part], notes: &[String], start: Instant) -> Result<ExitCode, TaskError> {
    summary::write(&mut std::io::stdout().lock(), parts, notes, start.elapsed()).map_err(TaskError::Output)?;
    let (passed, failed) = summary::totals(parts);
    // A run in which nothing passed has shown nothing.
    Ok(if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn timed(name: &str, check: impl FnOnce() -> Result<Vec<String>, TaskError>) -> Result<Part, TaskError> {
    eprintln!("--- {name}");
    let start = Instant::now();
    let findings = check()?;
    Ok(Part::check(name, start.elapsed(), findings))
}
