//! What is kept from run to run for a graphics card: kernels as its driver compiled them, and tiles that were tuned.
//!
//! Nothing of it changes a result beyond rounding, and all of it may be removed at any time. A file that is damaged or was made for
//! something else is left aside, with a [`CacheProblem`] that names it.

mod pipelines;
mod tiles;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use lnn_gpu::device::{AdapterSummary, DeviceError};
use lnn_gpu::tuning::ShapeClass;

pub(super) use pipelines::{load_pipelines, save_pipelines};
pub use tiles::{TunedEntry, TunedTiles};

use crate::config::SyntaxError;
use crate::store::StoreError;

/// The folder for what can be found out again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheFolder(PathBuf);

/// Why something that was kept is not used, or could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum CacheProblem {
    /// The file is there and cannot be read.
    #[error("{path} cannot be read and is left aside: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is no file of tuned tiles.
    #[error("tuned tiles are left aside (`cargo xtask bench gpu --tune` writes them anew): {0}")]
    Syntax(Box<SyntaxError>),
    /// The file is in a form that another version of the program writes.
    #[error(
        "{path} has format {found}, and this program reads format {known}: the tuned tiles are left aside; \
         `cargo xtask bench gpu --tune` writes them anew"
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The program's format.
        known: u32,
    },
    /// The file was made for another adapter or driver.
    #[error("{path} was made for {found}, not for {wanted}: it is left aside")]
    OtherAdapter {
        /// The file.
        path: PathBuf,
        /// What it was made for.
        found: String,
        /// The adapter that was opened.
        wanted: String,
    },
    /// A tile that there is no kernel for, or that the adapter has no room for.
    #[error("{path}: the tiles for {class} are left aside: {source}")]
    Tiles {
        /// The file.
        path: PathBuf,
        /// What they are for.
        class: ShapeClass,
        /// What is wrong with them.
        source: Box<DeviceError>,
    },
    /// Compiled kernels that are damaged.
    #[error("{path} is damaged, and is written anew: kernels are compiled again")]
    Pipelines {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("nothing is kept for later runs on this graphics card: {0}")]
    Write(#[from] StoreError),
    /// The tiles cannot be put into text.
    #[error("the tuned tiles cannot be written as RON: {0}")]
    Ron(#[from] ron::Error),
}

impl CacheFolder {
    /// The environment variable that names another folder, or nothing, in which case nothing is kept.
    pub const VARIABLE: &str = "LNN_CACHE_DIR";

    /// The one that the environment names, or `lnn` in the folder that the system has for a user's caches.
    ///
    /// None if the variable is there and empty, or if the system knows no home for the user.
    pub fn of_user() -> Option<Self> {
        let system = || etcetera::choose_base_strategy().ok().map(|folders| folders.cache_dir());
        Self::chosen(std::env::var_os(Self::VARIABLE), system)
    }

    /// A folder; it is made when something is to be kept.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    fn chosen(variable: Option<OsString>, system: impl FnOnce() -> Option<PathBuf>) -> Option<Self> {
        match variable {
            Some(path) if path.is_empty() => None,
            Some(path) => Some(Self(path.into())),
            None => Some(Self(system()?.join("lnn"))),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// `<kind>-<adapter>-<checksum of adapter, driver and interface>.<ending>`.
    fn file(&self, kind: &str, adapter: &AdapterSummary, ending: &str) -> PathBuf {
        let AdapterSummary { name, driver, backend, .. } = adapter;
        let letters = name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { ' ' });
        let words: String = letters.collect();
        let words: Vec<String> = words.split_whitespace().map(str::to_lowercase).take(4).collect();
        let identity = crc32fast::hash(format!("{name}\n{driver}\n{backend}").as_bytes());
        self.0.join(format!("{kind}-{}-{identity:08x}.{ending}", words.join("-")))
    }
}

/// The content of a file, or nothing if there is none.
fn read(path: &Path) -> Result<Option<Vec<u8>>, CacheProblem> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(CacheProblem::Read { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use lnn_gpu::device::AdapterKind;

    use super::*;

    pub(in crate::backend) fn adapter() -> AdapterSummary {
        AdapterSummary {
            name: "NVIDIA H100 80GB HBM3 (a/b)".to_owned(),
            kind: AdapterKind::Discrete,
            backend: "vulkan".to_owned(),
            driver: "NVIDIA 550.54".to_owned(),
            largest_buffer: 1 << 30,
            largest_binding: 1 << 30,
            workgroup_memory: 48 << 10,
            workgroup_invocations: 1024,
            storage_buffers: 16,
            subgroup_sizes: [32, 32],
            timestamps: true,
            float64: true,
            subgroup: true,
        }
    }

    #[test]
    fn the_variable_comes_before_the_system_and_empty_it_keeps_nothing() {
        let system = || Some(PathBuf::from("/home/someone/.cache"));
        assert_eq!(CacheFolder::chosen(None, system), Some(CacheFolder::at("/home/someone/.cache/lnn")));
        assert_eq!(CacheFolder::chosen(Some("elsewhere".into()), system), Some(CacheFolder::at("elsewhere")));
        assert_eq!(CacheFolder::chosen(Some("".into()), system), None);
        assert_eq!(CacheFolder::chosen(None, || None), None);
    }

    #[test]
    fn each_adapter_and_driver_has_files_of_its_own_with_plain_names() {
        let folder = CacheFolder::at("cache");
        let name = |adapter: &AdapterSummary| folder.file("tiles", adapter, "ron");
        let own = name(&adapter());
        let text = own.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(text.starts_with("tiles-nvidia-h100-80gb-hbm3-") && text.ends_with(".ron"), "{text}");
        assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c)), "{text}");
        for other in [
            AdapterSummary { driver: "NVIDIA 560.1".to_owned(), ..adapter() },
            AdapterSummary { backend: "dx12".to_owned(), ..adapter() },
            AdapterSummary { name: "NVIDIA H100 80GB HBM3 (a/c)".to_owned(), ..adapter() },
        ] {
            assert_ne!(name(&other), own);
        }
    }
}
