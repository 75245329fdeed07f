//! The checks that cargo and its components carry out.

use std::process::{Command, Stdio};

use crate::cargo;
use crate::error::TaskError;

/// `cargo fmt --all -- --check`.
pub(crate) fn formatting() -> Result<Vec<String>, TaskError> {
    if let Some(missing) = missing_component("fmt", "rustfmt")? {
        return Ok(vec![missing]);
    }
    check(&mut cargo::cargo(&["fmt", "--all", "--", "--check"]), "run `cargo fmt --all`")
}

/// `cargo clippy` over all targets, each warning being an error.
pub(crate) fn lints() -> Result<Vec<String>, TaskError> {
    if let Some(missing) = missing_component("clippy", "clippy")? {
        return Ok(vec![missing]);
    }
    let mut command = cargo::cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    check(&mut command, "repair what clippy names above; allow a lint only with the reason beside it")
}

/// `cargo doc` of the workspace, each warning being an error.
pub(crate) fn documentation() -> Result<Vec<String>, TaskError> {
    let flags = std::env::var("RUSTDOCFLAGS").unwrap_or_default();
    let mut command = cargo::cargo(&["doc", "--no-deps", "--workspace"]);
    command.env("RUSTDOCFLAGS", format!("{flags} -D warnings").trim());
    check(&mut command, "repair the documentation that rustdoc names above")
}

/// `cargo package` of every library, without building what it would pack.
pub(crate) fn packages() -> Result<Vec<String>, TaskError> {
    let mut command =
        cargo::cargo(&["package", "--workspace", "--exclude", "xtask", "--no-verify", "--allow-dirty", "--quiet"]);
    check(&mut command, "repair the manifest that cargo names above")
}

fn check(command: &mut Command, remedy: &str) -> Result<Vec<String>, TaskError> {
    let status = cargo::status(command)?;
    Ok(if status.success() { vec![] } else { vec![format!("`{}` failed: {remedy}", cargo::display(command))] })
}

/// Makes sure that the cargo subcommand is there, by way of rustup if need be; else says what to install.
fn missing_component(subcommand: &str, component: &str) -> Result<Option<String>, TaskError> {
    let mut probe = cargo::cargo(&[subcommand, "--version"]);
    probe.stdout(Stdio::null()).stderr(Stdio::null());
    if cargo::status(&mut probe)?.success() {
        return Ok(None);
    }
    eprintln!("{component} is not installed; asking rustup for it");
    let installed =
        Command::new("rustup").args(["component", "add", component]).status().is_ok_and(|status| status.success());
    if installed && cargo::status(&mut probe)?.success() {
        return Ok(None);
    }
    Ok(Some(format!(
        "`cargo {subcommand}` is not installed and rustup could not add it: run `rustup component add {component}`, \
         or install your distribution's package (rustfmt, rust-clippy)"
    )))
}
