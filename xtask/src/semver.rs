//! `cargo xtask semver`: what a release would break for those who link against the crates.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use crate::cargo;
use crate::error::TaskError;
use crate::{asks_for_help, print_help};

const HELP: &str = "\
Compares the public interface of every library with an earlier revision's and says which version must come next.

Usage: cargo xtask semver [REVISION]

Without a revision, the newest tag. It needs cargo-semver-checks: `cargo install cargo-semver-checks --locked`.

Example:
  cargo xtask semver HEAD~20
";

/// Runs cargo-semver-checks against the revision, or the newest tag.
pub(crate) fn run(arguments: &[OsString]) -> Result<ExitCode, TaskError> {
    if asks_for_help(arguments) {
        return print_help(HELP);
    }
    let revision = match arguments {
        [] => newest_tag()?,
        [revision] => revision.to_string_lossy().into_owned(),
        _ => return Err(TaskError::Usage("`semver` takes one revision; see `cargo xtask semver --help`".into())),
    };
    let mut probe = cargo::cargo(&["semver-checks", "--version"]);
    probe.stdout(Stdio::null()).stderr(Stdio::null());
    if !cargo::status(&mut probe)?.success() {
        return Err(TaskError::Missing(
            "cargo-semver-checks is not installed; run `cargo install cargo-semver-checks --locked`".into(),
        ));
    }
    let mut command =
        cargo::cargo(&["semver-checks", "--workspace", "--exclude", "xtask", "--baseline-rev", &revision]);
    // It documents each package in a workspace of its own, without our lock file: what is newer than this Rust can
    // build must be passed over there too.
    command.env("CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS", "fallback");
    for new in packages_since(&revision)? {
        eprintln!("{new} has no interface in {revision}, and so none that it could break");
        command.args(["--exclude", &new]);
    }
    let status = cargo::status(&mut command)?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Our packages that the revision does not have.
fn packages_since(revision: &str) -> Result<Vec<String>, TaskError> {
    let packages = cargo::metadata()?["packages"].as_array().cloned().unwrap_or_default();
    let mut new = Vec::new();
    for package in packages {
        let (Some(name), Some(manifest)) = (package["name"].as_str(), package["manifest_path"].as_str()) else {
            continue;
        };
        let Ok(path) = Path::new(manifest).strip_prefix(cargo::root()) else { continue };
        let mut command = Command::new("git");
        let object = format!("{revision}:{}", path.display());
        command.args(["cat-file", "-e", &object]).current_dir(cargo::root()).stderr(Stdio::null());
        if !cargo::status(&mut command)?.success() {
            new.push(name.to_owned());
        }
    }
    Ok(new)
}

fn newest_tag() -> Result<String, TaskError> {
    let mut command = Command::new("git");
    command.args(["describe", "--tags", "--abbrev=0"]).current_dir(cargo::root()).stderr(Stdio::null());
    let output = command.output().map_err(|source| TaskError::Start { program: cargo::display(&command), source })?;
    let tag = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && !tag.is_empty() {
        Ok(tag)
    } else {
        Err(TaskError::Usage("there is no tag to compare with; give a revision: `cargo xtask semver HEAD~20`".into()))
    }
}
