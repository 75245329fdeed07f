//! The tests in Python, of what is used from Python: each file of `python/tests` as a program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::{Program, run_programs};
use crate::cargo::{self, Artifact};
use crate::error::TaskError;
use crate::python::{self, Purpose};
use crate::summary::Part;

/// The variable by which the tests find the built program.
const PROGRAM: &str = "LNN_PROGRAM";

/// A Python with the packages that the tests need, made the first time.
pub(crate) fn environment() -> Result<PathBuf, TaskError> {
    let target = cargo::target_directory(&cargo::metadata()?)?;
    let purpose = Purpose {
        who: "a part of the test suite, that of what is used from Python,",
        size: "some 60 MB",
        otherwise: "All other tests run without: `cargo test --workspace`.",
    };
    python::environment(&target.join("python-tests"), &folder().join("requirements.txt"), purpose)
}

fn folder() -> PathBuf {
    cargo::root().join("python/tests")
}

/// Runs each file of tests; without a Python the part has failed and says what is missing.
pub(super) fn run(python: Result<&Path, &TaskError>, artifacts: &[Artifact]) -> Result<Vec<Part>, TaskError> {
    let start = Instant::now();
    let failed = |finding| Ok(vec![Part::check("python", start.elapsed(), vec![finding])]);
    let python = match python {
        Ok(python) => python,
        Err(error) => return failed(error.to_string()),
    };
    let Some(program) = cargo::program(artifacts) else {
        return failed("cargo built no program `lnn` to test".into());
    };
    let read = |source| TaskError::Read { path: folder(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder()).map_err(read)? {
        let path = entry.map_err(read)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with("test_") && name.ends_with(".py") {
            files.push((name, path));
        }
    }
    files.sort();
    let programs = files.into_iter().map(|(name, path)| {
        let mut command = Command::new(python);
        // No folder of compiled files beside the sources.
        let remedy = format!("{PROGRAM}={} {} {}", program.display(), python.display(), path.display());
        command.arg("-B").arg(path).env(PROGRAM, program);
        Program { name: format!("python {name}"), remedy, command }
    });
    run_programs("python", programs.collect())
}
