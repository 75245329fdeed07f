//! `cargo xtask experiment`: build the `lnn` program, then become it.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use crate::cargo;
use crate::error::TaskError;

/// Builds `lnn` in release mode and runs `lnn experiment` with the arguments, help included.
///
/// The program runs in the caller's folder, so `--out` and `runs/` mean what the caller expects.
pub(crate) fn run(arguments: &[OsString]) -> Result<ExitCode, TaskError> {
    eprintln!("Building the `lnn` program, optimised. The first build takes minutes, later ones seconds.");
    let build = ["build", "--release", "--package", "lnn-train", "--bin", "lnn"];
    let (status, artifacts) = cargo::build(&build)?;
    if !status.success() {
        return Err(TaskError::Failed { command: format!("cargo {}", build.join(" ")), code: status.code() });
    }
    let program = artifacts.into_iter().find(|artifact| artifact.kind == "bin" && artifact.target == "lnn").ok_or(
        TaskError::Format { origin: "cargo build".into(), expected: "a message that says where `lnn` is".into() },
    )?;
    let mut command = Command::new(program.executable);
    command.arg("experiment").args(arguments);
    hand_over(command)
}

/// Replaces this process by the program: Ctrl-C, signals and the exit code are then its own.
#[cfg(unix)]
fn hand_over(mut command: Command) -> Result<ExitCode, TaskError> {
    use std::os::unix::process::CommandExt;

    let source = command.exec();
    Err(TaskError::Start { program: cargo::display(&command), source })
}

/// Runs the program to its end and passes on its exit code.
///
/// Ctrl-C reaches every process of the console; this one ignores it, so that the program can stop in
/// its own time and its exit code is not lost.
#[cfg(not(unix))]
fn hand_over(mut command: Command) -> Result<ExitCode, TaskError> {
    #[cfg(windows)]
    ctrlc::set_handler(|| {}).map_err(|error| TaskError::Format {
        origin: format!("console handler: {error}"),
        expected: "to be allowed to pass Ctrl-C on".into(),
    })?;
    let status = cargo::status(&mut command)?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
