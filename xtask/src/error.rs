//! What can go wrong outside a check: starting programs, reading files, wrong usage.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// Exit code of wrong usage.
pub(crate) const USAGE: u8 = 2;

/// A task could not be carried out. A failed check is no such error: it is a
/// [`Part`](crate::summary::Part) of the summary.
#[derive(Debug)]
pub(crate) enum TaskError {
    /// The command line names something that does not exist; the message says what does.
    Usage(String),
    /// Something outside the repository is missing; the message says what, and how to get it.
    Missing(String),
    /// A program could not be started or waited for.
    Start { program: String, source: io::Error },
    /// A program that was needed ended with a failure; it has printed why.
    Failed { command: String, code: Option<i32> },
    /// A file or folder could not be read.
    Read { path: PathBuf, source: io::Error },
    /// A file or folder could not be written.
    Write { path: PathBuf, source: io::Error },
    /// Standard output could not be written.
    Output(io::Error),
    /// A program's machine-readable output, or a data file, is not what was expected.
    Format { origin: String, expected: String },
}

impl TaskError {
    /// 2 for wrong usage; else the failed program's own code, or 1.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(USAGE),
            Self::Failed { code: Some(code), .. } => ExitCode::from(u8::try_from(*code).unwrap_or(1)),
            _ => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Missing(message) => write!(f, "{message}"),
            Self::Start { program, source } => {
                write!(f, "cannot run `{program}`: {source}; check that it is installed and on PATH")
            }
            Self::Failed { command, code: Some(code) } => {
                write!(f, "`{command}` failed with exit code {code}; its own messages are above")
            }
            Self::Failed { command, code: None } => write!(f, "`{command}` was stopped by a signal"),
            Self::Read { path, source } => write!(f, "cannot read {}: {source}", path.display()),
            Self::Write { path, source } => write!(f, "cannot write {}: {source}", path.display()),
            Self::Output(source) => write!(f, "cannot write to standard output: {source}"),
            Self::Format { origin, expected } => write!(f, "{origin}: expected {expected}"),
        }
    }
}

impl std::error::Error for TaskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Start { source, .. }
            | Self::Read { source, .. }
            | Self::Write { source, .. }
            | Self::Output(source) => Some(source),
            Self::Usage(_) | Self::Missing(_) | Self::Failed { .. } | Self::Format { .. } => None,
        }
    }
}
