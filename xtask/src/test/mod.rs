//! `cargo xtask test`: everything, and one summary.

mod graphics;
pub(crate) mod python;
mod results;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::cargo::{self, Artifact};
use crate::error::TaskError;
use crate::summary::{self, Part};
use crate::{asks_for_help, documents, print_help, tidy};
use results::Results;

const HELP: &str = "\
The whole test suite: tidy, then all unit, integration and documentation tests, then what the documents tell their
readers to run, each example, the tests in Python, and each benchmark once without measuring. Python must be 3.10 to 3.13
with its module venv; the first time the network is needed, from which pip fetches numpy, scipy and safetensors into the
target folder. A missing rustfmt or clippy is added through rustup. The tests of kernels need a graphics driver: where
none is found and apt-get can be used without a password, Mesa's software driver is installed (mesa-vulkan-drivers).

Usage: cargo xtask test [FILTER…]

With filters, only the tests whose names contain one of them run, without tidy, documents, examples, Python and
benchmarks; nothing is fetched.
A part that fails does not keep the others from running. The last line reads `N passed, N failed`.

Examples:
  cargo xtask test
  cargo xtask test pseudoinverse euler_lagrange
";

/// Runs the suite, or the tests that match the filters.
pub(crate) fn run(arguments: &[OsString]) -> Result<ExitCode, TaskError> {
    if asks_for_help(arguments) {
        return print_help(HELP);
    }
    let filters = filters(arguments)?;
    let start = Instant::now();
    let mut notes = Vec::new();
    let mut parts = if filters.is_empty() { tidy::checks()? } else { Vec::new() };

    if filters.is_empty() {
        notes.extend(graphics::ensure_driver());
    }
    eprintln!("--- build of the tests");
    let (status, artifacts) = cargo::build(&["test", "--workspace", "--no-run"])?;
    if status.success() {
        let packages = package_names(&cargo::metadata()?);
        let test = ["test", "--workspace", "--no-fail-fast"];
        parts.extend(run_tests(&test, &filters, &artifacts, &packages, &mut notes)?);
        if filters.is_empty() {
            let python = python::environment();
            let (part, left_out) = documents::check(&artifacts, python.as_deref())?;
            parts.push(part);
            notes.extend(left_out);
            parts.extend(run_examples(&artifacts)?);
            parts.extend(python::run(python.as_deref(), &artifacts)?);
            parts.extend(run_benches()?);
        }
    } else {
        notes.push(
            "the workspace does not compile: each package was tested alone, documents, examples, Python and benchmarks did not run".into(),
        );
        parts.extend(run_package_by_package(&filters, &mut notes)?);
    }
    if !filters.is_empty() {
        let list = filters.join("`, `");
        notes.push(format!(
            "only tests matching `{list}` ran; tidy, documents, examples, Python and benchmarks did not"
        ));
        if summary::totals(&parts) == (0, 0) {
            notes.push(format!("no test has `{list}` in its name"));
        }
    }
    tidy::finish(&parts, &notes, start)
}

/// The filters; an option is refused, since it would silently change what `everything` means.
fn filters(arguments: &[OsString]) -> Result<Vec<String>, TaskError> {
    arguments
        .iter()
        .map(|argument| match argument.to_str() {
            Some(text) if !text.starts_with('-') => Ok(text.to_owned()),
            _ => Err(TaskError::Usage(format!(
                "`test` takes names of tests only, but was given `{}`; for cargo's own options use `cargo test`",
                argument.to_string_lossy()
            ))),
        })
        .collect()
}

/// Runs one `cargo test` command, showing its output, and counts by package.
fn run_tests(
    arguments: &[&str],
    filters: &[String],
    artifacts: &[Artifact],
    packages: &BTreeMap<String, String>,
    notes: &mut Vec<String>,
) -> Result<Vec<Part>, TaskError> {
    eprintln!("--- tests");
    let mut command = cargo::cargo(arguments);
    command.arg("--").args(filters);
    let start = |source| TaskError::Start { program: "cargo test".into(), source };
    // One pipe for both outputs: cargo names the program on one, the program reports on the other,
    // and only their order says which results are whose.
    let (reader, writer) = io::pipe().map_err(start)?;
    command.stdout(writer.try_clone().map_err(start)?).stderr(writer);
    let mut child = command.spawn().map_err(start)?;
    // The command holds the pipe's writing ends; the reader sees the end only once they are gone.
    drop(command);

    let mut results = Results::new(artifacts, packages);
    let mut stdout = io::stdout().lock();
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).map_err(start)? > 0 {
        stdout.write_all(&line).map_err(TaskError::Output)?;
        results.read(&String::from_utf8_lossy(&line));
        line.clear();
    }
    let status = child.wait().map_err(start)?;
    notes.extend(results.notes());
    Ok(results.finish(status.success()))
}

/// Tests each package by itself, so that one that does not compile hides no other's results.
fn run_package_by_package(filters: &[String], notes: &mut Vec<String>) -> Result<Vec<Part>, TaskError> {
    let packages = package_names(&cargo::metadata()?);
    let mut parts = Vec::new();
    for name in packages.values() {
        let start = Instant::now();
        let (status, artifacts) = cargo::build(&["test", "--package", name, "--no-run"])?;
        if status.success() {
            let arguments = ["test", "--package", name, "--no-fail-fast"];
            parts.extend(run_tests(&arguments, filters, &artifacts, &packages, notes)?);
        } else {
            let finding = format!("it does not compile: see the errors above, or `cargo test --package {name}`");
            parts.push(Part::check(name, start.elapsed(), vec![finding]));
        }
    }
    Ok(parts)
}

/// Runs each example as a user would, from the root.
fn run_examples(artifacts: &[Artifact]) -> Result<Vec<Part>, TaskError> {
    let examples = artifacts.iter().filter(|artifact| artifact.kind == "example");
    let programs = examples.map(|example| Program {
        name: format!("example {}", example.target),
        remedy: format!("cargo run --example {}", example.target),
        command: Command::new(&example.executable),
    });
    run_programs("examples", programs.collect())
}

/// Runs each benchmark's code once, without measuring.
fn run_benches() -> Result<Vec<Part>, TaskError> {
    const RECIPE: &str = "benches/peers/recipe.json";
    const NETWORK: [&str; 10] =
        ["--hidden", "8", "--layers", "2", "--repeat", "1", "--threads", "2", "--recipe", RECIPE];
    const ON_CARD: [&str; 8] = ["--hidden", "8", "--layers", "2", "--repeat", "1", "--recipe", RECIPE];
    eprintln!("--- build of the benches");
    let start = Instant::now();
    // The whole workspace again, so that cargo chooses the same features and builds nothing a second time.
    let (status, artifacts) = cargo::build(&["test", "--workspace", "--benches", "--no-run"])?;
    if !status.success() {
        let finding = "they do not compile: see the errors above, or `cargo test --benches --no-run`".into();
        return Ok(vec![Part::check("benches", start.elapsed(), vec![finding])]);
    }
    let mut programs = Vec::new();
    for bench in artifacts.iter().filter(|artifact| artifact.kind == "bench") {
        let calls = match &*bench.target {
            "peer_work" => vec![
                [&["step", "--batch", "40"], &NETWORK[..]].concat(),
                [&["rollout", "--batch", "40"], &NETWORK[..]].concat(),
                [&["lattice", "--points", "40"], &NETWORK[..]].concat(),
                vec!["product", "--repeat", "1", "--threads", "2"],
            ],
            "gpu" => vec![
                vec!["--quick"],
                vec!["--quick", "--tune"],
                [&["peer", "step", "--batch", "40"], &ON_CARD[..]].concat(),
                [&["peer", "rollout", "--batch", "40"], &ON_CARD[..]].concat(),
            ],
            // Criterion's own way to run everything once.
            _ => vec![vec!["--test"]],
        };
        for arguments in calls {
            let call = format!("{} {}", bench.target, arguments.join(" "));
            let mut command = Command::new(&bench.executable);
            // Not the cache of whoever runs the tests.
            command.args(arguments).env("LNN_CACHE_DIR", "");
            let remedy = format!("cargo test --bench {}", call.replacen(' ', " -- ", 1));
            programs.push(Program { name: format!("bench {call}"), remedy, command });
        }
    }
    run_programs("benches", programs)
}

/// A program that succeeds or fails as a whole.
struct Program {
    name: String,
    /// What to type to see it again.
    remedy: String,
    command: Command,
}

/// Runs programs from the root, one after the other; the output of one is shown only if it fails.
fn run_programs(part: &str, programs: Vec<Program>) -> Result<Vec<Part>, TaskError> {
    let start = Instant::now();
    let mut part = Part { name: part.into(), ..Part::default() };
    for Program { name, remedy, mut command } in programs {
        eprintln!("--- {name}");
        let output = command
            .current_dir(cargo::root())
            .stdin(Stdio::null())
            .output()
            .map_err(|source| TaskError::Start { program: cargo::display(&command), source })?;
        if output.status.success() {
            part.passed += 1;
            continue;
        }
        part.failed += 1;
        let mut stderr = io::stderr().lock();
        stderr.write_all(&output.stdout).and_then(|()| stderr.write_all(&output.stderr)).map_err(TaskError::Output)?;
        part.remedy.push(format!("`{remedy}` failed ({})", output.status));
    }
    part.time = Some(start.elapsed());
    Ok(if part.passed + part.failed == 0 { vec![] } else { vec![part] })
}

/// Cargo's package identifiers and the names of the workspace's packages.
fn package_names(metadata: &Value) -> BTreeMap<String, String> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages
        .filter_map(|package| Some((package["id"].as_str()?.to_owned(), package["name"].as_str()?.to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_names_and_options_are_refused() {
        let words = |list: &[&str]| list.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(filters(&words(&["tape", "dual"])).ok(), Some(vec!["tape".to_owned(), "dual".to_owned()]));
        let message = filters(&words(&["--release"])).expect_err("an option").to_string();
        assert!(message.contains("`--release`"), "{message}");
    }
}
