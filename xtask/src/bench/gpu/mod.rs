//! `cargo xtask bench gpu`: kernels, whole steps and rollouts on a graphics adapter, beside what it can do at best.

mod options;
pub(super) mod peers;
mod result;
mod table;
mod targets;
mod tuning;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use serde_json::{Value, json};

use super::peers::bench;
use super::{document, machine};
use crate::error::TaskError;
use crate::{asks_for_help, cargo, print_help};
pub(super) use options::DEFAULT_ROUNDS;
use options::Options;
use peers::{Comparison, Jax, OurAdapter};
use result::{Compared, Results};

const HELP: &str = "\
The kernels of a training step, whole steps, rollouts and whole trainings on a graphics adapter, beside what the adapter can
do at best, measured in the same run, and beside JAX on the same card. Close other programs first.

Usage: cargo xtask bench gpu [--adapter NAME] [--quick] [--whole] [--save] [FILTER…]
       cargo xtask bench gpu --tune [--adapter NAME] [--shape LxW,B[,M]]… [FILTER…]

  --adapter NAME   best (default), discrete, integrated, virtual, cpu, or a part of an adapter's name
  --quick          tiny sizes and few rounds: shows that all runs, not how fast
  --whole          make all 600 000 steps of the authors' training, instead of 4000 that give its rate
  --save           write docs/benchmarks/gpu.json and docs/benchmarks.md; takes a whole run on a graphics card
  --tune           time every tile on this adapter and keep the fastest, which later runs and `lnn` read
  --shape …        what to tune for: layers x width, batch, models side by side; 4x500,4096 or 3x64,512,64
  --python PATH    the Python whose JAX is the peer (python3)
  --rounds N       rounds of the comparison with JAX (3)
  --require-peers  fail if there is no JAX on the same card
  --program PATH   the bench, already built, for a machine without cargo
  FILTER…          only cases with all of these words in their names; × may be written x

Times are medians: a kernel by the device's own clock as a section of its own within a step, a whole step by the wall clock as
part of many in one submission, and in the same way a Runge–Kutta step, which is four learned accelerations of every state. Rates
count the operations of the layer products, a multiplication and an addition being two, or the bytes that must be moved, both
without padding. Their ceilings are multiplications and additions in registers alone, and copies in memory alone. A kernel whose
arrays fit the cache may be faster than a copy in memory. Trainings are those of `lnn experiment`, with its log lines and
checkpoints.

Below the tables stands what was asked for, and whether it is reached; the exit code is 0 whatever they are. Tuned tiles
are in the user's cache folder, or in that of LNN_CACHE_DIR.

Examples:
  cargo xtask bench gpu --tune                     first, once for a card and its driver
  cargo xtask bench gpu                            everything on the best adapter
  cargo xtask bench gpu 4x500 4096                 one case
  cargo xtask bench gpu rk4                        rollouts
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
    let program = built(options.program.as_deref())?;
    let mut report = report(&program, &options.passed_on())?;
    let date = origin["date"].as_str().unwrap_or("no date");
    if options.tune {
        print(&tuning::tables(&report, date)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    // What was measured by itself is shown and saved in any case.
    let compared = peers::measure(&program, &OurAdapter::read(&report)?, &options.comparison());
    report["peers"] = match &compared {
        Ok(found) => found.clone(),
        Err(error) => json!({ "left_out": format!("it failed: {error}") }),
    };
    let results = Results::new(&report)?;
    print(&format!("\n{}, {date}\n{}", results.adapter, table::tables(&results)))?;
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
    compared?;
    match results.peers {
        Err(why) if options.require_peers => {
            Err(TaskError::Missing(format!("JAX on the same card was not measured: {why}")))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// JAX on a graphics card in turn with us, for `bench peers`, or why not.
///
/// # Errors
/// One side fails, or the two do not do the same work.
pub(super) fn against_jax(comparison: &Comparison, program: Option<&str>) -> Result<Compared, TaskError> {
    // JAX first: whether it is there is known at once, and our build may take minutes.
    let jax = match Jax::find(comparison.python.as_deref(), "cuda") {
        Ok(jax) => jax,
        Err(why) => return Ok(Err(why)),
    };
    let program = built(program)?;
    let choice = comparison.adapter.iter().flat_map(|name| ["--adapter", name]);
    let adapter = match report(&program, &["adapter"].into_iter().chain(choice).collect::<Vec<_>>()) {
        Ok(report) => OurAdapter::read(&report)?,
        Err(error @ TaskError::Failed { .. }) => return Ok(Err(error.to_string())),
        Err(error) => return Err(error),
    };
    if adapter.software {
        return Ok(Err(format!(
            "{} computes in software on the processor, where JAX has a card, {}: its driver for Vulkan is missing, or \
             `--adapter` chooses another; `lnn info` lists them",
            adapter.name,
            jax.device()
        )));
    }
    result::compared(&peers::measure_with(&jax, &program, &adapter, comparison)?)
}

/// What [`against_jax`] found, for the terminal.
pub(super) fn comparison_table(found: &Compared) -> String {
    table::peers(found, "card")
}

/// The bench, built unless it is given.
fn built(given: Option<&str>) -> Result<PathBuf, TaskError> {
    match given {
        Some(path) => Ok(PathBuf::from(path)),
        None => {
            eprintln!("Building the bench, optimised. The first build takes minutes, later ones seconds.");
            bench("gpu")
        }
    }
}

/// What the bench prints.
fn report(program: &Path, arguments: &[&str]) -> Result<Value, TaskError> {
    let mut command = Command::new(program);
    let output = cargo::output(command.args(arguments))?;
    serde_json::from_str(&output).map_err(|error| TaskError::Format {
        origin: cargo::display(&command),
        expected: format!("one JSON document ({error})"),
    })
}

fn print(text: &str) -> Result<(), TaskError> {
    std::io::stdout().write_all(text.as_bytes()).map_err(TaskError::Output)
}

#[cfg(test)]
pub(crate) mod tests {
    pub(crate) use super::result::tests::report;
    use super::*;

    #[test]
    fn the_help_names_the_default_number_of_rounds() {
        assert!(HELP.contains(&format!("comparison with JAX ({DEFAULT_ROUNDS})")));
        assert!(HELP.lines().all(|line| line.chars().count() <= 130), "{HELP}");
    }

    /// What a saved report has of the targets.
    pub(crate) fn targets(report: &Value) -> Value {
        super::targets::document(&Results::new(report).expect("all entries are there"))
    }
}
