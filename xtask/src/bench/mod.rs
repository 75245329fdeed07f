//! `cargo xtask bench`: measurements, alone and against other programs.

mod cpu;
mod criterion;
mod document;
mod gpu;
mod lattice;
mod machine;
mod number;
mod peers;
mod rates;
mod roofline;
mod verdict;

#[cfg(test)]
pub(crate) use criterion::tests::Folder;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::error::TaskError;
use crate::{asks_for_help, print_help, verb};

const HELP: &str = "\
Benchmarks, built optimised and run one after the other. Close other programs first.

Usage: cargo xtask bench [GROUP] [ARGUMENTS]

Groups:
  cpu      the engine's parts and whole steps, with their rates beside that of the matrix product (default)
  gpu      kernels, whole steps and rollouts on a graphics card, beside what it can do at best
  peers    the same work by JAX, in turn with ours, on the processor and on a card for which JAX is installed

Each group has its own help: `cargo xtask bench cpu --help`.

Examples:
  cargo xtask bench                                   all of `cpu`
  cargo xtask bench cpu training_step product         those with one of these words in their name
  cargo xtask bench cpu --save                        all, and write docs/benchmarks.md
  cargo xtask bench gpu
  cargo xtask bench peers
";

/// The groups of benchmarks that exist.
const GROUPS: [&str; 3] = ["cpu", "gpu", "peers"];

/// Runs the group that the first argument names, `cpu` if there is none.
pub(crate) fn run(arguments: &[OsString]) -> Result<ExitCode, TaskError> {
    let (group, rest) = group(arguments)?;
    match group {
        Some("gpu") => gpu::run(rest),
        Some("peers") => peers::run(rest),
        None if asks_for_help(rest) => print_help(HELP),
        _ => cpu::run(rest),
    }
}

/// The group, if one is named, and the arguments after it; a first word that is no group is an error.
fn group(arguments: &[OsString]) -> Result<(Option<&'static str>, &[OsString]), TaskError> {
    let Some((first, rest)) = arguments.split_first().filter(|(word, _)| !word.to_string_lossy().starts_with('-'))
    else {
        return Ok((None, arguments));
    };
    let Some(group) = GROUPS.into_iter().find(|group| first == group) else {
        let given = first.to_string_lossy();
        let message = verb::unknown("group of benchmarks", &given, &GROUPS);
        return Err(TaskError::Usage(format!(
            "{message} A filter comes after the group: `cargo xtask bench cpu {given}`."
        )));
    };
    Ok((Some(group), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn the_group_is_taken_off_and_the_rest_passed_on() {
        for (given, name, rest) in [
            ("", None, ""),
            ("cpu", Some("cpu"), ""),
            ("cpu step --quick", Some("cpu"), "step --quick"),
            ("gpu --quick", Some("gpu"), "--quick"),
            ("peers --rounds 3", Some("peers"), "--rounds 3"),
            ("--quick", None, "--quick"),
        ] {
            let given = words(given);
            let found = group(&given).expect("known");
            assert_eq!((found.0, found.1), (name, &*words(rest)), "{given:?}");
        }
    }

    #[test]
    fn an_unknown_group_is_refused_with_the_known_ones() {
        let message = group(&words("gpus")).expect_err("no such group").to_string();
        assert!(["`gpus`", "`cpu`", "`gpu`", "`peers`"].iter().all(|name| message.contains(name)), "{message}");
    }
}
