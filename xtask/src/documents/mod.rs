//! The commands and code of the documents, run as a reader would.

mod markdown;
mod shell;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use crate::cargo::{self, Artifact};
use crate::error::TaskError;
use crate::summary::Part;
use crate::test::python;
use crate::{asks_for_help, print_help, tidy};
use markdown::Code;
use shell::Shell;

/// Languages of blocks that are no code to run: formulas, outlines and what a program prints.
const READ_ONLY: [&str; 2] = ["math", "text"];

/// Folders of the root without documents of our own.
const PASSED_OVER: [&str; 3] = ["target", "runs", "xtask"];

/// Documents whose commands are not run, and why.
const LEFT_OUT: [(&str, &str); 3] = [
    ("CHANGELOG.md", "tells of other versions too"),
    ("docs/model-format.md", "is run by python/tests/test_model_format.py, which stands in for other frameworks"),
    ("golden/README.md", "makes the golden values anew, by another program, which is done by hand"),
];

/// Name of the part in the summary.
const NAME: &str = "documents";

const HELP: &str = "\
The commands and code of README and docs, run as a reader would, in folders under target/documents.

Usage: cargo xtask documents

  sh       experiments and `lnn train` run with --trial; a command that sets up the machine is noted and not run
  python   by the interpreter of the tests
  rust     must be a documentation test of a crate, which `cargo test` runs

What `cargo xtask test` runs of it is the same.
";

/// Builds `lnn` and runs the documents.
pub(crate) fn run(arguments: &[OsString]) -> Result<ExitCode, TaskError> {
    if asks_for_help(arguments) {
        return print_help(HELP);
    }
    if let Some(argument) = arguments.first() {
        let given = argument.to_string_lossy();
        return Err(TaskError::Usage(format!("`documents` takes no argument, but was given `{given}`")));
    }
    let start = Instant::now();
    // As the tests build it, with the features of the whole workspace: it is there already after these.
    let build = ["test", "--workspace", "--test", "program", "--no-run"];
    let (status, artifacts) = cargo::build(&build)?;
    if !status.success() {
        return Err(TaskError::Failed { command: format!("cargo {}", build.join(" ")), code: status.code() });
    }
    let python = python::environment();
    let (part, notes) = check(&artifacts, python.as_deref())?;
    tidy::finish(&[part], &notes, start)
}

/// Runs the documents with the program `lnn` among `artifacts` and the interpreter of the tests; also remarks on what was
/// left out, and why.
pub(crate) fn check(
    artifacts: &[Artifact],
    python: Result<&Path, &TaskError>,
) -> Result<(Part, Vec<String>), TaskError> {
    let start = Instant::now();
    eprintln!("--- documents");
    match (cargo::program(artifacts), python) {
        (Some(lnn), Ok(python)) => run_all(lnn, python),
        (None, _) => {
            Ok((Part::check(NAME, start.elapsed(), vec!["cargo built no program `lnn` to run".into()]), Vec::new()))
        }
        (_, Err(error)) => Ok((Part::check(NAME, start.elapsed(), vec![error.to_string()]), Vec::new())),
    }
}

/// Runs the shell and Python blocks of all documents with the built program `lnn`, each document in a folder of its own,
/// and looks that each Rust block is a documentation test.
fn run_all(lnn: &Path, python: &Path) -> Result<(Part, Vec<String>), TaskError> {
    let start = Instant::now();
    let root = cargo::root();
    let folder = cargo::target_directory(&cargo::metadata()?)?.join("documents");
    let shell = Shell::new(&root, &folder, lnn, python)?;
    let mut part = Part { name: NAME.into(), ..Part::default() };
    let mut seen = BTreeSet::new();
    let count = |part: &mut Part, place: String, problem: Option<String>| match problem {
        None => part.passed += 1,
        Some(problem) => {
            eprintln!("{place}: {problem}");
            part.failed += 1;
            part.remedy.push(format!("{place}: {}", problem.lines().next().unwrap_or_default()));
        }
    };
    let mut notes = Vec::new();
    for document in documents(&root)? {
        let text = fs::read_to_string(root.join(&document))
            .map_err(|source| TaskError::Read { path: document.clone(), source })?;
        let name = document.display().to_string().replace('\\', "/");
        if let Some((_, reason)) = LEFT_OUT.iter().find(|(left_out, _)| *left_out == name) {
            notes.push(format!("documents: {name} is left out: it {reason}"));
            continue;
        }
        let codes = markdown::code(&text);
        if codes.iter().any(|code| !READ_ONLY.contains(&code.language.as_str())) {
            eprintln!("--- {name}");
        }
        for code in codes {
            let Code { line, language, ignored, block, text } = code;
            let place = format!("{name}:{line}");
            let problem = match language.as_str() {
                "sh" | "python" => {
                    // A sentence may name a command that a block, or another sentence, has too.
                    if !block && seen.contains(&text) {
                        continue;
                    }
                    seen.extend(markdown::commands(&text));
                    shell.run(&name, &language, &text)?
                }
                "rust" if ignored => Some("its Rust code is marked `ignore`, so that no test compiles it".into()),
                "rust" => (!is_documentation_test(&root, &name)?).then(|| {
                    format!("its Rust code is no documentation test; add `#[doc = include_str!(…)]` of {name} to a crate, or call the block `text`")
                }),
                _ if READ_ONLY.contains(&language.as_str()) => continue,
                other => Some(format!("there is no rule for blocks of `{other}`; see xtask/src/documents")),
            };
            count(&mut part, place, problem);
        }
    }
    notes.extend(shell.not_run()?);
    part.time = Some(start.elapsed());
    Ok((part, notes))
}

/// The documents by their paths from the root, in order.
fn documents(root: &Path) -> Result<Vec<PathBuf>, TaskError> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let path = root.join(&folder);
        let read = |source| TaskError::Read { path: path.clone(), source };
        for entry in fs::read_dir(&path).map_err(read)? {
            let entry = entry.map_err(read)?;
            let (name, from_root) = (entry.file_name(), folder.join(entry.file_name()));
            let passed_over = folder.as_os_str().is_empty() && PASSED_OVER.iter().any(|folder| name == *folder);
            if name.to_string_lossy().starts_with('.') || passed_over {
                continue;
            }
            if entry.path().is_dir() {
                folders.push(from_root);
            } else if from_root.extension().is_some_and(|extension| extension == "md") {
                found.push(from_root);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a crate includes the document in its documentation, so that `cargo test` compiles and runs its code.
fn is_documentation_test(root: &Path, document: &str) -> Result<bool, TaskError> {
    let (folder, file) = document.rsplit_once('/').unwrap_or(("", document));
    let library = root.join(folder).join("src/lib.rs");
    if !library.is_file() {
        return Ok(false);
    }
    let text = fs::read_to_string(&library).map_err(|source| TaskError::Read { path: library, source })?;
    Ok(includes(&text, file))
}

/// Whether the text of a library's root makes the document beside its folder a part of its documentation.
fn includes(library: &str, file: &str) -> bool {
    let line = format!("[doc = include_str!(\"../{file}\")]");
    library.lines().any(|own| own.strip_prefix("#!").or_else(|| own.strip_prefix('#')) == Some(&line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_a_documentation_test_by_an_attribute_and_not_by_a_comment() {
        for line in ["#[doc = include_str!(\"../README.md\")]", "#![doc = include_str!(\"../README.md\")]"] {
            assert!(includes(&format!("//! A crate.\n{line}\nstruct Readme;\n"), "README.md"), "{line}");
            assert!(!includes(line, "OTHER.md") && !includes(&format!("// {line}\n"), "README.md"));
        }
    }
}
