//! Composes every shader variant, validates it, and writes the table of kernels that the crate includes.
//!
//! A shader that does not compose or does not validate fails the build with its file and line.

#![allow(clippy::print_stdout)] // Cargo reads a build script's output.

mod compose;
mod generate;
mod inspect;
mod translate;
mod variants;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    println!("cargo::rerun-if-changed=build");
    let root = shaders()?;
    // A folder is watched with all that is in it, new files included.
    println!("cargo::rerun-if-changed={}", root.display());
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: this is a build script of cargo")?);

    let files = kernel_files(&root)?;
    let variants = variants::all(&files)?;
    let mut kernels = Vec::new();
    for variant in &variants {
        let composed = compose::compose(&root, variant)?;
        let path = out.join(format!("{}.wgsl", variant.name()));
        fs::write(&path, &composed.wgsl).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        let inspected = inspect::inspect(&root, variant, &composed, &path)?;
        kernels.push((variant, inspected));
    }
    let path = out.join("kernels.rs");
    fs::write(&path, generate::table(&kernels)).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// The folder of shaders: that of the repository, or in a packaged crate the copy beside the manifest.
fn shaders() -> Result<PathBuf, String> {
    let crate_folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("CARGO_MANIFEST_DIR is not set")?);
    // The repository's own folder comes first: where git makes no symbolic links, the one beside the manifest is a file.
    let candidates = [crate_folder.join("../../shaders"), crate_folder.join("shaders")];
    let found = candidates.iter().find(|path| path.join("shared").is_dir());
    found
        .cloned()
        .ok_or_else(|| format!("no shaders: neither {} nor {}", candidates[0].display(), candidates[1].display()))
}

/// Every shader with an entry point, as `stage/kernel`, sorted; functions without bindings are in `shared`.
fn kernel_files(root: &Path) -> Result<Vec<String>, String> {
    let list = |path: &Path| -> Result<Vec<PathBuf>, String> {
        let entries = fs::read_dir(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let mut paths = Vec::new();
        for entry in entries {
            paths.push(entry.map_err(|error| format!("cannot read {}: {error}", path.display()))?.path());
        }
        paths.sort();
        Ok(paths)
    };
    let mut kernels = Vec::new();
    for folder in list(root)? {
        if !folder.is_dir() || folder.ends_with("shared") {
            continue;
        }
        let stage = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for file in list(&folder)? {
            if file.extension().is_some_and(|extension| extension == "wgsl") {
                let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                kernels.push(format!("{stage}/{stem}"));
            }
        }
    }
    Ok(kernels)
}
