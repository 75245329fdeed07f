//! `cargo xtask bench cpu`: the criterion benches of the root package, and their rates beside the product's.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::criterion::{self, Measurement};
use super::{document, lattice, machine, rates, roofline};
use crate::error::TaskError;
use crate::{asks_for_help, cargo, print_help};

const HELP: &str = "\
The engine's parts and whole steps: time, rate, and the rate as a fraction of the matrix product's.

Usage: cargo xtask bench cpu [--save] [FILTER…] [CRITERION'S OPTIONS]

  FILTER…   only benchmarks with one of these words in their name, or all of a bench:
            product, jets, optimiser, training_step, rollout, eval, pseudoinverse, generic, roofline, lattice
  --save    write cpu.json, roofline.json and lattice.json in docs/benchmarks, and docs/benchmarks.md;
            takes a run without filter and without criterion's options

What comes after the filters, from the first word that starts with a dash, goes to criterion: --quick,
--save-baseline NAME, --baseline NAME, --list, …

Rates are in operations: a multiplication and an addition are two, so that 1 GFLOP/s is 10⁹ of them a second.
The fraction is that of faer's best matrix product in the same run at the same precision and number of threads;
with a filter, add the word `product` to have it.

Examples:
  cargo xtask bench cpu                                  all of them
  cargo xtask bench cpu training_step product            training steps with their fractions
  cargo xtask bench cpu rollout --save-baseline before   remember these timings
  cargo xtask bench cpu rollout --baseline before        compare with them
  cargo xtask bench cpu --save                           all of them, for the document
";

/// Bench targets that are no criterion benches.
const OTHERS: [&str; 2] = ["gpu", "peer_work"];

/// Options with which criterion measures nothing.
const NOT_MEASURING: [&str; 6] = ["--list", "--test", "--profile-time", "--load-baseline", "--version", "-V"];

/// Runs the benches, then prints and saves what they found.
pub(crate) fn run(arguments: &[OsString]) -> Result<ExitCode, TaskError> {
    if asks_for_help(arguments) {
        return print_help(HELP);
    }
    let options = Options::parse(arguments)?;
    let metadata = cargo::metadata()?;
    let targets = targets(&metadata);
    if targets.is_empty() {
        return Err(TaskError::Usage(
            "the root package has no benchmark: put one at `benches/NAME.rs` and declare it in Cargo.toml \
             as a [[bench]] with `harness = false`"
                .into(),
        ));
    }
    let results = match std::env::var_os("CRITERION_HOME") {
        // Relative to this program's folder, while a bench runs in its package's.
        Some(folder) => absolute(folder.into())?,
        None => cargo::target_directory(&metadata)?.join("criterion"),
    };
    let origin = machine::describe();
    let start = SystemTime::now();
    let mut command = cargo::cargo(&["bench", "--package", "lnn"]);
    // Named one by one: a bare `cargo bench` would also start the library's test harness, which
    // does not know criterion's options.
    for target in &targets {
        command.args(["--bench", target]);
    }
    command.env("CRITERION_HOME", &results).arg("--").args(options.pattern(&targets)).args(&options.passed_on);
    let status = cargo::status(&mut command)?;
    if !status.success() {
        return Err(TaskError::Failed { command: cargo::display(&command), code: status.code() });
    }
    if options.measures_nothing() {
        return Ok(ExitCode::SUCCESS);
    }
    let measurements = criterion::results(&results, start)?;
    if measurements.is_empty() {
        return Err(options.nothing_measured());
    }
    let ceilings = rates::ceilings(&measurements);
    let steps = roofline::steps(&measurements, &ceilings);
    let lines = lattice::lines(&measurements, &ceilings, &lattice::memory(&results, start)?);
    print(&measurements, &ceilings, &steps, &lines)?;
    if options.save {
        complete(&targets, &measurements)?;
        save("cpu", rates::document(&measurements, &ceilings), &origin)?;
        save("roofline", roofline::document(&steps), &origin)?;
        save("lattice", lattice::document(&lines), &origin)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the tables to standard output.
fn print(
    measurements: &[Measurement],
    ceilings: &[rates::Ceiling],
    steps: &[roofline::Step],
    lines: &[lattice::Line],
) -> Result<(), TaskError> {
    let mut text = format!("\n{}\n", rates::table(measurements, ceilings));
    if ceilings.is_empty() {
        text += "No fraction: no matrix product was measured. Add the word `product` to the filters.\n";
    }
    if !steps.is_empty() {
        text += &format!("\nWhere the time of a training step goes, on one thread:\n{}\n", roofline::tables(steps));
    }
    if !lines.is_empty() {
        text += &format!("\nAccelerations of fields on lines:\n{}", lattice::table(lines));
    }
    std::io::stdout().write_all(text.as_bytes()).map_err(TaskError::Output)
}

/// Refuses to save a run in which a bench left no result.
fn complete(targets: &[String], measurements: &[Measurement]) -> Result<(), TaskError> {
    let is_missing = |target: &&String| !measurements.iter().any(|measurement| measurement.group == **target);
    let missing: Vec<&str> = targets.iter().filter(is_missing).map(String::as_str).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(TaskError::Format {
        origin: format!("nothing is saved: the bench `{}`", missing.join("`, `")),
        expected: "a result in this run, in a group of the bench's name".into(),
    })
}

/// The path from the root of the file system.
fn absolute(path: PathBuf) -> Result<PathBuf, TaskError> {
    std::path::absolute(&path).map_err(|source| TaskError::Read { path, source })
}

/// Saves one part of the document with the machine and the command that it came from.
fn save(name: &str, mut value: Value, origin: &Value) -> Result<(), TaskError> {
    value["machine"] = origin.clone();
    value["command"] = json!("cargo xtask bench cpu --save");
    document::save(&cargo::root(), name, &value)
}

/// The command line.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    save: bool,
    filters: Vec<String>,
    passed_on: Vec<OsString>,
}

impl Options {
    fn parse(arguments: &[OsString]) -> Result<Self, TaskError> {
        let mut options = Self::default();
        for argument in arguments {
            let text = argument.to_string_lossy();
            if argument == "--save" {
                options.save = true;
            } else if options.passed_on.is_empty() && !text.starts_with('-') {
                options.filters.push(text.into_owned());
            } else {
                options.passed_on.push(argument.clone());
            }
        }
        if options.save && !options.filters.is_empty() {
            return Err(TaskError::Usage(format!(
                "`--save` writes the document from a run of all benchmarks; leave out `{}`, or leave out `--save`",
                options.filters.join(" ")
            )));
        }
        if options.save && !options.passed_on.is_empty() {
            let list: Vec<_> = options.passed_on.iter().map(|word| word.to_string_lossy()).collect();
            return Err(TaskError::Usage(format!(
                "`--save` writes the document from a whole run with the benchmarks' own settings; leave out `{}`, or \
                 leave out `--save`",
                list.join(" ")
            )));
        }
        Ok(options)
    }

    /// Criterion takes one regular expression; words are its alternatives. The name of a bench means that
    /// bench alone, not also the stage `products` of another.
    fn pattern(&self, benches: &[String]) -> Option<String> {
        let word = |word: &String| if benches.contains(word) { format!("^{word}/") } else { word.clone() };
        (!self.filters.is_empty()).then(|| self.filters.iter().map(word).collect::<Vec<_>>().join("|"))
    }

    fn measures_nothing(&self) -> bool {
        let option = |argument: &OsString| argument.to_string_lossy().split('=').next().map(str::to_owned);
        self.passed_on.iter().filter_map(option).any(|option| NOT_MEASURING.contains(&&*option))
    }

    fn nothing_measured(&self) -> TaskError {
        let filters = self.filters.join("` or `");
        TaskError::Usage(match filters.is_empty() {
            true => "no benchmark left a result; its own messages are above".into(),
            false => format!("no benchmark has `{filters}` in its name; `cargo xtask bench cpu --list` lists them"),
        })
    }
}

/// Names of the root package's criterion benches.
fn targets(metadata: &Value) -> Vec<String> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages
        .filter(|package| package["name"] == "lnn")
        .flat_map(|package| package["targets"].as_array().into_iter().flatten())
        .filter(|target| target["kind"][0] == "bench")
        .filter_map(|target| target["name"].as_str())
        .filter(|name| !OTHERS.contains(name))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::rates::tests::{f32s, measurement};
    use super::*;

    fn parse(text: &str) -> Result<Options, TaskError> {
        Options::parse(&text.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn filters_come_first_and_the_rest_is_criterions() {
        let options = parse("jets product --baseline before --quick").expect("well-formed");
        assert_eq!(options.pattern(&["product".into()]).as_deref(), Some("jets|^product/"));
        assert_eq!(options.passed_on, ["--baseline", "before", "--quick"]);
        assert!(!options.save && !options.measures_nothing());
        assert_eq!(parse("").expect("well-formed"), Options::default());
        assert_eq!(parse("").expect("well-formed").pattern(&[]), None);
    }

    /// One that is neither would be run with criterion's options, or not at all.
    #[test]
    fn every_bench_is_a_filter_of_the_help_or_no_criterion_bench() {
        let mut targets = targets(&cargo::metadata().expect("of this workspace"));
        let (_, list) = HELP.split_once("all of a bench:").expect("in the help");
        let (list, _) = list.split_once("--save").expect("the next option");
        let mut filters: Vec<_> = list.split(',').map(|name| name.trim().to_owned()).collect();
        targets.sort();
        filters.sort();
        assert_eq!(filters, targets);
    }

    #[test]
    fn saving_takes_a_whole_run_with_the_benches_own_settings() {
        assert!(parse("--save").expect("well-formed").save);
        for (given, named) in [
            ("jets --save", "`jets`"),
            ("--save --quick", "`--quick`"),
            ("--save --list", "`--list`"),
            ("--sample-size 10 --save", "`--sample-size 10`"),
        ] {
            let error = parse(given).expect_err(given);
            assert!(matches!(error, TaskError::Usage(_)) && error.to_string().contains(named), "{given}: {error}");
        }
    }

    #[test]
    fn a_run_in_which_a_bench_left_no_result_is_not_saved() {
        let run = [measurement("jets", "a", f32s(1), 1.0), measurement("product", "b", f32s(1), 1.0)];
        let targets = ["product", "jets"].map(str::to_owned);
        assert!(complete(&targets, &run).is_ok());
        let message = complete(&targets, &run[1..]).expect_err("one is missing").to_string();
        assert!(message.contains("`jets`") && !message.contains("`product`"), "{message}");
    }

    #[test]
    fn the_results_folder_does_not_depend_on_who_reads_the_path() {
        let path = absolute("a/b".into()).expect("there is a current folder");
        assert!(path.is_absolute() && path.ends_with("a/b"), "{}", path.display());
    }

    #[test]
    fn options_without_measurement_are_known_with_and_without_a_value() {
        for (text, expected) in
            [("--list", true), ("--profile-time=5", true), ("jets --test", true), ("--sample-size 10", false)]
        {
            assert_eq!(parse(text).expect("well-formed").measures_nothing(), expected, "{text}");
        }
    }

    #[test]
    fn a_run_without_result_names_the_filters() {
        let message = parse("jest steps").expect("well-formed").nothing_measured().to_string();
        assert!(message.contains("`jest` or `steps`") && message.contains("--list"), "{message}");
        let message = Options::default().nothing_measured().to_string();
        assert!(message.contains("no benchmark left a result"), "{message}");
    }

    #[test]
    fn only_the_root_packages_criterion_benches_are_run() {
        let metadata = json!({ "packages": [
            { "name": "lnn", "targets": [
                { "kind": ["lib"], "name": "lnn" },
                { "kind": ["bench"], "name": "jets" },
                { "kind": ["bench"], "name": "peer_work" }] },
            { "name": "lnn-train", "targets": [{ "kind": ["bench"], "name": "other" }] },
        ]});
        assert_eq!(targets(&metadata), ["jets"]);
    }
}
