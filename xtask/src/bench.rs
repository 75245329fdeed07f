//! `cargo xtask bench`: the root package's benchmarks.

use std::ffi::OsString;
use std::process::ExitCode;

use serde_json::Value;

use crate::error::TaskError;
use crate::{asks_for_help, cargo, print_help, verb};

const HELP: &str = "\
The benchmarks, built optimised and run one after the other. Close other programs first.

Usage: cargo xtask bench [cpu] [ARGUMENTS]

The arguments go to every benchmark (criterion): a filter, --save-baseline NAME, --baseline NAME, …

Examples:
  cargo xtask bench                                   all of them
  cargo xtask bench cpu training_step                 those with this in their name
  cargo xtask bench cpu --save-baseline before        remember these timings
  cargo xtask bench cpu --baseline before             compare with them
";

/// The groups of benchmarks that exist.
const GROUPS: [&str; 1] = ["cpu"];

/// Runs every benchmark target of the root package with the arguments passed through.
pub(crate) fn run(arguments: &[OsString]) -> Result<ExitCode, TaskError> {
    if asks_for_help(arguments) {
        return print_help(HELP);
    }
    let passed_on = passed_on(arguments)?;
    let targets = targets(&cargo::metadata()?);
    if targets.is_empty() {
        return Err(TaskError::Usage(
            "the root package has no benchmark: put one at `benches/NAME.rs` and declare it in Cargo.toml \
             as a [[bench]] with `harness = false`"
                .into(),
        ));
    }
    let mut command = cargo::cargo(&["bench", "--package", "lnn"]);
    // Named one by one: a bare `cargo bench` would also start the library's test harness, which
    // does not know criterion's options.
    for target in &targets {
        command.args(["--bench", target]);
    }
    command.arg("--").args(passed_on);
    let status = cargo::status(&mut command)?;
    match status.success() {
        true => Ok(ExitCode::SUCCESS),
        false => Err(TaskError::Failed { command: cargo::display(&command), code: status.code() }),
    }
}

/// The arguments after the optional group; a first word that is no group is an error.
fn passed_on(arguments: &[OsString]) -> Result<&[OsString], TaskError> {
    match arguments.first() {
        Some(word) if !word.to_string_lossy().starts_with('-') => {
            if !GROUPS.iter().any(|group| word == group) {
                let given = word.to_string_lossy();
                let message = verb::unknown("group of benchmarks", &given, &GROUPS);
                return Err(TaskError::Usage(format!(
                    "{message} A filter comes after the group: `cargo xtask bench cpu {given}`."
                )));
            }
            Ok(&arguments[1..])
        }
        _ => Ok(arguments),
    }
}

/// Names of the root package's benchmark targets.
fn targets(metadata: &Value) -> Vec<String> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages
        .filter(|package| package["name"] == "lnn")
        .flat_map(|package| package["targets"].as_array().into_iter().flatten())
        .filter(|target| target["kind"][0] == "bench")
        .filter_map(|target| target["name"].as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn the_group_is_taken_off_and_the_rest_passed_on() {
        for (given, expected) in [("", ""), ("cpu", ""), ("cpu step --quick", "step --quick"), ("--quick", "--quick")] {
            assert_eq!(passed_on(&words(given)).ok().map(<[_]>::to_vec), Some(words(expected)), "{given}");
        }
    }

    #[test]
    fn an_unknown_group_is_refused() {
        let message = passed_on(&words("gpu")).expect_err("no such group yet").to_string();
        assert!(message.contains("`gpu`") && message.contains("`cpu`"), "{message}");
    }

    #[test]
    fn only_the_root_packages_benches_are_run() {
        let metadata = serde_json::json!({ "packages": [
            { "name": "lnn", "targets": [
                { "kind": ["lib"], "name": "lnn" }, { "kind": ["bench"], "name": "training_step" }] },
            { "name": "lnn-train", "targets": [{ "kind": ["bench"], "name": "other" }] },
        ]});
        assert_eq!(targets(&metadata), ["training_step"]);
    }
}
