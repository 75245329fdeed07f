//! What can be missing for a comparison with a peer.

use std::fmt;
use std::path::PathBuf;

use super::python::{NEWEST, OLDEST, Version};
use crate::error::TaskError;

/// The peers cannot be timed.
#[derive(Debug)]
pub(crate) enum PeerError {
    /// No Python, or none of a version that the peer's packages exist for.
    NoPython {
        /// The programs that were found, with their versions.
        found: Vec<(String, Version)>,
    },
    /// Python is there, but not the modules that make a virtual environment.
    NoVenv {
        /// That Python.
        python: String,
    },
    /// The packages could not be installed.
    NotInstalled {
        /// What was to be installed, `name==version`.
        packages: Vec<String>,
        /// What to delete before another try from scratch.
        folder: PathBuf,
    },
    /// As any other task.
    Task(TaskError),
}

impl From<TaskError> for PeerError {
    fn from(error: TaskError) -> Self {
        Self::Task(error)
    }
}

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPython { found } => {
                write!(f, "the peer is a Python program and needs Python {OLDEST} to {NEWEST} on PATH. ")?;
                match &found[..] {
                    [] => write!(f, "No Python was found. ")?,
                    found => {
                        let list: Vec<String> = found.iter().map(|(name, at)| format!("`{name}` is {at}")).collect();
                        write!(f, "Found: {}. ", list.join(", "))?;
                    }
                }
                write!(
                    f,
                    "On Debian or Ubuntu: `sudo apt install python3 python3-venv`; on macOS: `brew install \
                     python@3.13`; elsewhere from https://www.python.org/downloads/. Our own benchmarks need no \
                     Python: `cargo xtask bench cpu`."
                )
            }
            Self::NoVenv { python } => write!(
                f,
                "the peer's packages go into a virtual environment of their own, but `{python}` lacks the module \
                 `venv` or `ensurepip` that makes one. On Debian or Ubuntu: `sudo apt install python3-venv`; \
                 Python from python.org or Homebrew has both."
            ),
            Self::NotInstalled { packages, folder } => write!(
                f,
                "{} could not be installed; pip's own messages are above. pip fetches them from the Python package \
                 index, some 100 MB, the first time only: check the network, or a proxy's setting (HTTPS_PROXY), or \
                 name an index within reach (PIP_INDEX_URL), and that a wheel exists for this system and this \
                 Python. To start afresh, delete {}.",
                packages.join(", "),
                folder.display()
            ),
            Self::Task(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for PeerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Task(error) => Some(error),
            Self::NoPython { .. } | Self::NoVenv { .. } | Self::NotInstalled { .. } => None,
        }
    }
}
