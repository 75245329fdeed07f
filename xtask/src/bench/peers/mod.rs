//! `cargo xtask bench peers`: the same work by another program, in turn with ours.

mod cases;
mod error;
mod options;
mod python;
mod result;
mod sample;
mod table;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::{document, machine};
use crate::error::TaskError;
use crate::{asks_for_help, cargo, print_help};
use cases::{Case, Reference};
use error::PeerError;
use options::Options;
use result::{Outcome, Round};
use sample::{Program, Sample};

const HELP: &str = "\
The same work by JAX and by us, in turn, and the ratio of the times. Close other programs first.

Usage: cargo xtask bench peers [--rounds N] [--only WORDS…] [--save]

  --rounds N       how often each case is measured by both sides (5)
  --only WORDS…    only cases with all of these words in their names; × may be written x
  --save           write docs/benchmarks/peers.json and docs/benchmarks.md; takes a run of all cases

JAX is installed once into a virtual environment in the target folder; this needs Python 3.10 to 3.13 and, the
first time, the network. Each measurement is a process of its own, and the two sides change places from round to
round. A ratio is that of the medians over all timings of all rounds; the spread is that of the rounds. The last
case is our own step against the rate of the matrix product alone.

The exit code is 0 whatever the ratios: this measures, it does not test.

Examples:
  cargo xtask bench peers                         all cases, some minutes
  cargo xtask bench peers --only rk4 3x64         two cases
  cargo xtask bench peers --rounds 7 --save
";

/// Timings of each kind of product in one round.
const PRODUCT_REPEAT: usize = 5;

/// Prepares both sides, measures, prints and saves.
pub(crate) fn run(arguments: &[OsString]) -> Result<ExitCode, TaskError> {
    if asks_for_help(arguments) {
        return print_help(HELP);
    }
    let options = Options::parse(arguments)?;
    let sides = match Sides::prepare(&options.cases) {
        Ok(sides) => sides,
        Err(PeerError::Task(error)) => return Err(error),
        Err(missing) => {
            eprintln!("xtask: {missing}");
            return Ok(ExitCode::FAILURE);
        }
    };
    let outcomes = measure(&sides, &options)?;
    let text = format!("\n{}", table::table(&outcomes));
    std::io::stdout().write_all(text.as_bytes()).map_err(TaskError::Output)?;
    if options.save {
        let mut value = result::document(&outcomes, options.rounds);
        value["machine"] = machine::describe();
        value["command"] = json!(options.command());
        document::save(&cargo::root(), "peers", &value)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The programs, ready to run.
struct Sides {
    ours: Program,
    /// Absent where no case needs it.
    jax: Option<Program>,
}

impl Sides {
    fn prepare(cases: &[&Case]) -> Result<Self, PeerError> {
        // Python first: what it lacks is known at once, and our build may take minutes.
        let jax = match cases.iter().any(|case| case.reference == Reference::Jax) {
            true => Some(jax()?),
            false => None,
        };
        eprintln!("Building our side, optimised. The first build takes minutes, later ones seconds.");
        Ok(Self { ours: Program { executable: peer_work()?, first_arguments: Vec::new() }, jax })
    }

    /// One measurement of our side of `case`.
    fn ours(&self, case: &Case) -> Result<Sample, TaskError> {
        let sample = self.ours.run(&case.arguments())?;
        match (case.reference, sample.operations) {
            (Reference::Product, None) => Err(TaskError::Format {
                origin: format!("peer_work {}", case.arguments().join(" ")),
                expected: "`operations`, which a rate is made from".into(),
            }),
            _ => Ok(sample),
        }
    }

    /// One measurement of the reference of `case`.
    fn reference(&self, case: &Case) -> Result<Sample, TaskError> {
        match (&self.jax, case.reference) {
            (Some(jax), Reference::Jax) => jax.run(&case.arguments()),
            _ => self.ours.run(&["product", "--repeat", &PRODUCT_REPEAT.to_string()].map(str::to_owned)),
        }
    }
}

/// JAX's side, installed if need be.
fn jax() -> Result<Program, PeerError> {
    let metadata = cargo::metadata()?;
    let target = metadata["target_directory"]
        .as_str()
        .map(PathBuf::from)
        .ok_or_else(|| TaskError::Format { origin: "cargo metadata".into(), expected: "`target_directory`".into() })?;
    let folder = cargo::root().join("benches/peers");
    let python = python::environment(&target.join("peers/venv"), &folder.join("requirements.txt"))?;
    Ok(Program { executable: python, first_arguments: vec!["-I".into(), folder.join("jax_peer.py").into()] })
}

/// Builds our side and says where it is.
fn peer_work() -> Result<PathBuf, TaskError> {
    let build = ["bench", "--package", "lnn", "--bench", "peer_work", "--no-run"];
    let (status, artifacts) = cargo::build(&build)?;
    if !status.success() {
        return Err(TaskError::Failed { command: format!("cargo {}", build.join(" ")), code: status.code() });
    }
    let program = artifacts.into_iter().find(|artifact| artifact.kind == "bench" && artifact.target == "peer_work");
    program.map(|program| program.executable).ok_or(TaskError::Format {
        origin: "cargo bench".into(),
        expected: "a message that says where `peer_work` is".into(),
    })
}

/// Runs all rounds of all cases, a line of progress for each.
fn measure(sides: &Sides, options: &Options) -> Result<Vec<Outcome>, TaskError> {
    let mut outcomes: Vec<Outcome> = options.cases.iter().map(|case| Outcome { case, rounds: Vec::new() }).collect();
    for number in 1..=options.rounds {
        for outcome in &mut outcomes {
            let case = outcome.case;
            // Neither side always runs on a processor that the other has warmed.
            let round = if number % 2 == 1 {
                let reference = sides.reference(case)?;
                Round { reference, ours: sides.ours(case)? }
            } else {
                let ours = sides.ours(case)?;
                Round { reference: sides.reference(case)?, ours }
            };
            eprintln!("round {number} of {}  {}", options.rounds, table::line(case, &round));
            outcome.rounds.push(round);
        }
    }
    Ok(outcomes)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::options::DEFAULT_ROUNDS;
    use super::*;

    #[test]
    fn the_help_names_the_default_number_of_rounds() {
        assert!(HELP.contains(&format!("by both sides ({DEFAULT_ROUNDS})")));
    }

    #[test]
    fn the_document_shows_each_case_and_the_memory() {
        let mut value = result::document(&result::tests::outcomes(), 2);
        value["machine"] = json!({ "processor": "P", "threads": 2, "system": "S", "rustc": "R", "date": "2026-01-02" });
        value["command"] = json!("cargo xtask bench peers --rounds 2 --save");
        let text = render(&value);
        for line in [
            "P, 2 threads, S; R; 2026-01-02; `cargo xtask bench peers --rounds 2 --save`.",
            "| training step 4×500, batch 512 | 7.25 ms | 2.00 ms | 3.63× | 3.00–4.00× | 4.00× | 4.60× | no |",
            "| whole-step rate 4×500, batch 512, of the product rate | product 200 GF/s | 165 GF/s | 82.5 % | \
             82.5 %–82.5 % | 78.0 % | 88.0 % | must |",
            "Peak memory of the training step 4×500, batch 512: 50.0 MB, JAX 900 MB (must: under 200 MB).",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\nis not in\n{text}");
        }
        assert!(!text.contains("\n\n\n"), "{text}");
        value["memory"] = Value::Null;
        value["machine"]["processor"] = Value::Null;
        let text = render(&value);
        assert!(!text.contains("Peak memory") && text.contains("An unnamed processor"), "{text}");
    }

    fn render(value: &Value) -> String {
        let context = json!({ "peers": value }).as_object().cloned().expect("an object");
        document::render(&context).expect("the template fits the data")
    }
}
