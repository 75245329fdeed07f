//! `cargo xtask bench gpu`: kernels and whole steps on a graphics adapter, beside what it can do at best.

mod options;
mod result;
mod table;
mod targets;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::{document, machine};
use crate::error::TaskError;
use crate::{asks_for_help, cargo, print_help};
use options::Options;
use result::Results;

const HELP: &str = "\
The kernels of a training step and whole steps on a graphics adapter: time, rate, and fraction of what the adapter can do
at best, measured in the same run. Close other programs first.

Usage: cargo xtask bench gpu [--adapter NAME] [--quick] [--save] [FILTER…]

  --adapter NAME   best (default), discrete, integrated, virtual, cpu, or a part of an adapter's name
  --quick          tiny sizes and few rounds: shows that all runs, not how fast
  --save           write docs/benchmarks/gpu.json and docs/benchmarks.md; takes a whole run on a graphics card
  FILTER…          only cases with all of these words in their names; × may be written x

Times are medians by the device's own clock: a whole step as part of many in one submission, a kernel as a section of its
own within a step. Rates count the operations of the layer products, a multiplication and an addition being two, or the
bytes that must be moved, both without padding. Their ceilings are multiplications and additions in registers alone,
and copies in memory alone. A kernel whose arrays fit the cache may be faster than a copy in memory.

Below the tables stands what was asked for, and whether it is reached; the exit code is 0 whatever they are.

Examples:
  cargo xtask bench gpu                            all cases on the best adapter
  cargo xtask bench gpu 4x500 4096                 one case
  cargo xtask bench gpu --quick --adapter cpu      on a machine without a graphics card
  cargo xtask bench gpu --save                     for the document
";

/// Runs the bench, then prints and saves what it found.
pub(crate) fn run(arguments: &[OsString]) -> Result<ExitCode, TaskError> {
    if asks_for_help(arguments) {
        return print_help(HELP);
    }
    let options = Options::parse(arguments)?;
    let origin = machine::describe();
    let mut command = cargo::cargo(&["bench", "--package", "lnn-gpu", "--bench", "gpu", "--"]);
    let text = cargo::output(command.args(options.passed_on()))?;
    let mut report: Value = serde_json::from_str(&text).map_err(|error| TaskError::Format {
        origin: cargo::display(&command),
        expected: format!("one JSON document ({error})"),
    })?;
    let results = Results::new(&report)?;
    let heading = format!("\n{}, {}\n", results.adapter, origin["date"].as_str().unwrap_or("no date"));
    let text = heading + &table::tables(&results);
    std::io::stdout().write_all(text.as_bytes()).map_err(TaskError::Output)?;
    if options.save {
        if results.software {
            return Err(TaskError::Usage(format!(
                "nothing is saved: {} computes in software, and its times are no speeds of a graphics card",
                results.adapter
            )));
        }
        report["machine"] = origin;
        report["command"] = json!(options.command());
        report["targets"] = targets::document(&results);
        document::save(&cargo::root(), "gpu", &report)?;
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
pub(crate) mod tests {
    pub(crate) use super::result::tests::report;
    use super::*;

    /// What a saved report has of the targets.
    pub(crate) fn targets(report: &Value) -> Value {
        super::targets::document(&Results::new(report).expect("all entries are there"))
    }
}
