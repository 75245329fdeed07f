//! The project's own Rust source files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cargo;
use crate::error::TaskError;

/// A source file: its path from the root, with `/`, and its text.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// Path from the repository's root.
    pub(crate) path: String,
    /// The whole text.
    pub(crate) text: String,
}

/// Folders of the root that hold source files.
const FOLDERS: [&str; 6] = ["benches", "crates", "examples", "src", "tests", "xtask"];

/// All `.rs` files of the workspace in the order of their paths.
pub(crate) fn list() -> Result<Vec<Source>, TaskError> {
    let root = cargo::root();
    let mut paths = Vec::new();
    for folder in FOLDERS {
        let folder = root.join(folder);
        if folder.is_dir() {
            collect(&folder, &mut paths)?;
        }
    }
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).map_err(|source| TaskError::Read { path: path.clone(), source })?;
            let from_root = path.strip_prefix(&root).unwrap_or(&path);
            let words: Vec<_> = from_root.iter().map(|word| word.to_string_lossy()).collect();
            Ok(Source { path: words.join("/"), text })
        })
        .collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), TaskError> {
    let read = |source| TaskError::Read { path: folder.to_path_buf(), source };
    for entry in fs::read_dir(folder).map_err(read)? {
        let entry = entry.map_err(read)?;
        let path = entry.path();
        let name = entry.file_name();
        // Cargo's output and hidden folders hold generated files.
        if name == "target" || name.to_string_lossy().starts_with('.') {
            continue;
        }
        if path.is_dir() {
            collect(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
    Ok(())
}
