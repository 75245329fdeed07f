//! Kernels as a driver compiled them, in a file.

use std::path::PathBuf;

use lnn_gpu::device::{AdapterSummary, PipelineCacheData};

use super::{CacheFolder, CacheProblem, read};
use crate::store::{create_folder, write_atomically};

/// Those of this version of the program: kernels of an older one would only be carried along.
fn path(folder: &CacheFolder, adapter: &AdapterSummary) -> PathBuf {
    folder.file(concat!("kernels-", env!("CARGO_PKG_VERSION")), adapter, "bin")
}

/// What an earlier run kept for this adapter and driver; nothing if there was none.
///
/// # Errors
/// The file cannot be read or is damaged.
pub(in crate::backend) fn load_pipelines(
    folder: &CacheFolder,
    adapter: &AdapterSummary,
) -> Result<Option<PipelineCacheData>, CacheProblem> {
    let path = path(folder, adapter);
    let Some(bytes) = read(&path)? else { return Ok(None) };
    PipelineCacheData::from_bytes(&bytes).map(Some).ok_or(CacheProblem::Pipelines { path })
}

/// # Errors
/// The file cannot be written.
pub(in crate::backend) fn save_pipelines(
    folder: &CacheFolder,
    adapter: &AdapterSummary,
    data: &PipelineCacheData,
) -> Result<(), CacheProblem> {
    create_folder(folder.path())?;
    Ok(write_atomically(&path(folder, adapter), &data.to_bytes())?)
}
