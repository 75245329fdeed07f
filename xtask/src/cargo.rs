//! Starting cargo and reading its machine-readable answers.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use serde_json::Value;

use crate::error::TaskError;

/// The repository's root: the folder above this package's.
pub(crate) fn root() -> PathBuf {
    // The run-time variable comes first: with a target folder shared by several clones, the path
    // compiled in may be another clone's.
    if let Some(package) = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from) {
        return package.parent().map_or_else(|| package.clone(), Path::to_path_buf);
    }
    // Without cargo this program is on another machine, or was started by its path.
    match Path::new(env!("CARGO_MANIFEST_DIR")).parent().filter(|root| root.is_dir()) {
        Some(root) => root.to_path_buf(),
        None => PathBuf::from("."),
    }
}

/// The cargo that started this program, run in the repository's root.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    command
}

/// The command as a person would type it.
pub(crate) fn display(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_stem().unwrap_or(command.get_program());
    std::iter::once(program)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Runs the command with this program's own input and output.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus, TaskError> {
    command.status().map_err(|source| TaskError::Start { program: display(command), source })
}

/// Standard output of a command that must succeed; its standard error is shown.
pub(crate) fn output(command: &mut Command) -> Result<String, TaskError> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| TaskError::Start { program: display(command), source })?;
    if !output.status.success() {
        return Err(TaskError::Failed { command: display(command), code: output.status.code() });
    }
    String::from_utf8(output.stdout)
        .map_err(|_| TaskError::Format { origin: display(command), expected: "UTF-8 text".into() })
}

/// `cargo metadata` of the workspace's own packages.
pub(crate) fn metadata() -> Result<Value, TaskError> {
    let text = output(&mut cargo(&["metadata", "--no-deps", "--format-version", "1"]))?;
    serde_json::from_str(&text)
        .map_err(|error| TaskError::Format { origin: "cargo metadata".into(), expected: format!("JSON ({error})") })
}

/// The target folder, by cargo's metadata.
pub(crate) fn target_directory(metadata: &Value) -> Result<PathBuf, TaskError> {
    metadata["target_directory"].as_str().map(PathBuf::from).ok_or_else(|| TaskError::Format {
        origin: "cargo metadata".into(),
        expected: "an entry `target_directory`".into(),
    })
}

/// The program `lnn` among what cargo built.
pub(crate) fn program(artifacts: &[Artifact]) -> Option<&Path> {
    // Tests of the program itself have its name too, with a hash behind.
    let named = |path: &Path| path.file_stem().is_some_and(|stem| stem == "lnn");
    let mut programs = artifacts.iter().filter(|artifact| artifact.kind == "bin" && artifact.target == "lnn");
    programs.find(|artifact| named(&artifact.executable)).map(|artifact| artifact.executable.as_path())
}

/// A program that cargo built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Artifact {
    /// Cargo's identifier of the package it belongs to.
    pub(crate) package_id: String,
    /// Target name: `lnn` for `src/main.rs`, the file's stem for a test or example.
    pub(crate) target: String,
    /// `bin`, `lib`, `test`, `example`, …
    pub(crate) kind: String,
    /// Where the program is.
    pub(crate) executable: PathBuf,
}

/// Runs a cargo build, showing its messages, and lists the programs it made or found up to date.
///
/// Cargo itself says where they are, so that every way to move the target folder is respected.
pub(crate) fn build(arguments: &[&str]) -> Result<(ExitStatus, Vec<Artifact>), TaskError> {
    let mut command = cargo(arguments);
    command.arg("--message-format=json-render-diagnostics").stdout(Stdio::piped());
    let start = |source| TaskError::Start { program: "cargo build".into(), source };
    let mut child = command.spawn().map_err(start)?;
    let mut artifacts = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            artifacts.extend(artifact(&line.map_err(start)?));
        }
    }
    Ok((child.wait().map_err(start)?, artifacts))
}

/// The program that one line of cargo's JSON messages reports, if it reports one.
fn artifact(line: &str) -> Option<Artifact> {
    let message: Value = serde_json::from_str(line).ok()?;
    if message["reason"] != "compiler-artifact" {
        return None;
    }
    Some(Artifact {
        package_id: message["package_id"].as_str()?.to_owned(),
        target: message["target"]["name"].as_str()?.to_owned(),
        kind: message["target"]["kind"][0].as_str()?.to_owned(),
        executable: PathBuf::from(message["executable"].as_str()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_artifact_line_with_a_program_is_read() {
        let line = r#"{"reason":"compiler-artifact","package_id":"path+file:///p#lnn-train@0.1.0",
            "target":{"kind":["bin"],"name":"lnn"},"executable":"/elsewhere/release/lnn","fresh":true}"#;
        let found = artifact(line).expect("the line reports a program");
        assert_eq!(found.target, "lnn");
        assert_eq!(found.kind, "bin");
        assert_eq!(found.executable, Path::new("/elsewhere/release/lnn"));
    }

    #[test]
    fn lines_without_a_program_are_passed_over() {
        let library =
            r#"{"reason":"compiler-artifact","package_id":"p","target":{"kind":["lib"],"name":"x"},"executable":null}"#;
        for line in [library, r#"{"reason":"build-finished","success":true}"#, "warning: not JSON", ""] {
            assert_eq!(artifact(line), None, "{line}");
        }
    }

    #[test]
    fn the_root_holds_this_package() {
        assert!(root().join("xtask/Cargo.toml").is_file());
    }
}
