//! The folder of one run: who may write to it, and when.
//!
//! `runs/<experiment>/<preset>-<seed>/` holds `config.ron`, from which the run can be repeated, and what
//! the run produces. A folder belongs to one configuration for ever; nothing in it is overwritten by a run
//! with another one, and at most one process writes to it at a time.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::atomic::{PARTIAL, create_folder, write_atomically};
use super::error::StoreError;
use crate::config::{ConfigError, Difference, ExperimentConfig, differences};

const CONFIG: &str = "config.ron";
const LOCK: &str = ".lock";
const SUMMARY: &str = "summary.json";
const FIGURES: &str = "figures";

/// An open run folder; other processes are kept out until it is dropped.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    // The lock lasts as long as the file is open; the system releases it when the process ends, however.
    _lock: File,
}

/// A configuration that a folder can belong to: kept there as text, and compared with the one asked for.
pub trait FolderConfiguration: Sized {
    /// The text of `config.ron`.
    ///
    /// # Errors
    /// [`ConfigError::Write`] if there is no such text.
    fn to_text(&self) -> Result<String, ConfigError>;
    /// The configuration in a text; `origin` names the text in errors.
    ///
    /// # Errors
    /// [`ConfigError::Syntax`].
    fn from_text(text: &str, origin: &str) -> Result<Self, ConfigError>;
    /// Fields that influence results and differ.
    ///
    /// # Errors
    /// If a configuration has no JSON form.
    fn differences(&self, other: &Self) -> Result<Vec<Difference>, serde_json::Error>;
}

impl FolderConfiguration for ExperimentConfig {
    fn to_text(&self) -> Result<String, ConfigError> {
        self.to_ron()
    }

    fn from_text(text: &str, origin: &str) -> Result<Self, ConfigError> {
        Self::from_ron(text, origin)
    }

    fn differences(&self, other: &Self) -> Result<Vec<Difference>, serde_json::Error> {
        differences(self, other)
    }
}

/// How far the run in a folder has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Nothing has been computed yet.
    New,
    /// Begun and to be resumed from its checkpoints.
    Unfinished,
    /// `summary.json` is there; the models can be judged and reported again, without training.
    Finished,
}

impl RunFolder {
    /// The default place of a run below `root`: `<root>/<experiment>/<preset>-<seed>`.
    pub fn default_path(root: &Path, config: &ExperimentConfig) -> PathBuf {
        root.join(&config.experiment).join(config.run_name())
    }

    /// Opens the folder for a run of `config`, creating it if needed, and writes `config.ron`.
    ///
    /// | in the folder | `resume` false | `resume` true |
    /// |---|---|---|
    /// | nothing | new run | new run |
    /// | unfinished run, same configuration | error | [`RunState::Unfinished`] |
    /// | finished run, same configuration | error | [`RunState::Finished`] |
    /// | run with another configuration | error with the differences | the same |
    /// | other files | error | the same |
    ///
    /// Fields that do not influence results may differ; see [`ExperimentConfig::canonical`].
    ///
    /// # Errors
    /// Every variant of [`StoreError`] that speaks of a folder, and [`StoreError::Write`]; nothing in an
    /// existing folder was changed then.
    pub fn open(path: &Path, config: &ExperimentConfig, resume: bool) -> Result<(Self, RunState), StoreError> {
        Self::open_for(path, config, resume)
    }

    /// As [`open`](Self::open) for a configuration of any kind.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_for<C: FolderConfiguration>(
        path: &Path,
        config: &C,
        resume: bool,
    ) -> Result<(Self, RunState), StoreError> {
        if let Some(example) = foreign_entry(path)? {
            return Err(StoreError::NotARunFolder { folder: path.to_owned(), example });
        }
        create_folder(path)?;
        let lock = lock(path)?;
        let folder = Self { path: path.to_owned(), _lock: lock };
        let state = folder.claim(config, resume)?;
        remove_partial_files(path)?;
        let figures = path.join(FIGURES);
        if figures.is_dir() {
            remove_partial_files(&figures)?;
        }
        Ok((folder, state))
    }

    fn claim<C: FolderConfiguration>(&self, config: &C, resume: bool) -> Result<RunState, StoreError> {
        let config_path = self.config_path();
        let text = match fs::read_to_string(&config_path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let text = config.to_text().map_err(|error| encode_error(&config_path, &error))?;
                write_atomically(&config_path, text.as_bytes())?;
                return Ok(RunState::New);
            }
            Err(error) => return Err(StoreError::read(&config_path)(error)),
        };
        let kept = C::from_text(&text, &config_path.display().to_string()).map_err(|source| {
            StoreError::FolderConfiguration { folder: self.path.clone(), source: Box::new(source) }
        })?;
        let differences = kept.differences(config).map_err(|error| encode_error(&config_path, &error))?;
        if !differences.is_empty() {
            return Err(StoreError::OtherConfiguration { folder: self.path.clone(), differences });
        }
        let folder = self.path.clone();
        match (self.summary_path().exists(), resume) {
            (true, true) => Ok(RunState::Finished),
            (true, false) => Err(StoreError::AlreadyFinished { folder }),
            (false, true) => Ok(RunState::Unfinished),
            (false, false) => Err(StoreError::Unfinished { folder }),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `config.ron`.
    pub fn config_path(&self) -> PathBuf {
        self.path.join(CONFIG)
    }

    /// `metrics.jsonl`.
    pub fn metrics_path(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// `summary.json`; write it last, since its presence says that the run is finished.
    pub fn summary_path(&self) -> PathBuf {
        self.path.join(SUMMARY)
    }

    /// `model-<name>.safetensors`; the name of a member of an ensemble is [`member_name`].
    pub fn model_path(&self, name: &str) -> PathBuf {
        self.path.join(format!("model-{name}.safetensors"))
    }
}

/// What a model, or a member of an ensemble by its seed, is called in the names of its files: `lnn`, or `lnn.seed3`.
///
/// No model has such a name, since those have no dot.
pub fn member_name(model: &str, seed: Option<u64>) -> String {
    match seed {
        Some(seed) => format!("{model}.seed{seed}"),
        None => model.to_owned(),
    }
}

fn encode_error(path: &Path, error: &dyn std::error::Error) -> StoreError {
    StoreError::Encode { path: path.to_owned(), message: error.to_string() }
}

/// Removes what a killed process was writing; the lock says that nobody is writing it now.
fn remove_partial_files(folder: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(folder).map_err(StoreError::read(folder))? {
        let entry = entry.map_err(StoreError::read(folder))?;
        if is_partial(&entry.file_name()) {
            let path = entry.path();
            fs::remove_file(&path).map_err(StoreError::write(&path))?;
        }
    }
    Ok(())
}

fn is_partial(name: &OsStr) -> bool {
    name.to_string_lossy().ends_with(PARTIAL)
}

/// Something in a folder that is not a run; `None` for a run, an empty folder or none at all.
fn foreign_entry(path: &Path) -> Result<Option<String>, StoreError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // A file in the folder's place; creating the folder says so, with a remedy.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(None),
        Err(error) => return Err(StoreError::read(path)(error)),
    };
    let mut foreign = None;
    for entry in entries {
        let name = entry.map_err(StoreError::read(path))?.file_name();
        if name == CONFIG {
            return Ok(None);
        }
        if name != LOCK && !is_partial(&name) {
            foreign = Some(name.to_string_lossy().into_owned());
        }
    }
    Ok(foreign)
}

fn lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join(LOCK);
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(StoreError::write(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { folder: folder.to_owned() }),
        Err(TryLockError::Error(error)) => Err(StoreError::write(&path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::presets;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("folder exists");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect();
        names.sort_unstable();
        names
    }

    fn refused(path: &Path, config: &ExperimentConfig, resume: bool) -> String {
        RunFolder::open(path, config, resume).expect_err("must be refused").to_string()
    }

    #[test]
    fn a_run_goes_through_its_states() {
        let root = tempfile::tempdir().expect("temporary folder");
        let config = presets::fast();
        let path = RunFolder::default_path(root.path(), &config);
        assert!(path.ends_with("dblpend/fast-0"));

        let (folder, state) = RunFolder::open(&path, &config, false).expect("nothing there");
        assert_eq!(state, RunState::New);
        assert_eq!(names(&path), [".lock", "config.ron"]);
        let kept = fs::read_to_string(folder.config_path()).expect("written");
        assert_eq!(ExperimentConfig::from_ron(&kept, "kept").expect("own text"), config);
        drop(folder);

        let message = refused(&path, &config, false);
        assert!(message.contains("unfinished run") && message.contains("--resume"), "{message}");
        let (folder, state) = RunFolder::open(&path, &config, true).expect("same configuration");
        assert_eq!(state, RunState::Unfinished);
        fs::write(folder.summary_path(), b"{}").expect("writable");
        drop(folder);

        let message = refused(&path, &config, false);
        assert!(message.contains("finished run") && message.contains("--out"), "{message}");
        let (_folder, state) = RunFolder::open(&path, &config, true).expect("same configuration");
        assert_eq!(state, RunState::Finished);
    }

    #[test]
    fn resuming_where_there_is_nothing_starts_a_run() {
        let root = tempfile::tempdir().expect("temporary folder");
        let path = root.path().join("a").join("b");
        let (_folder, state) = RunFolder::open(&path, &presets::fast(), true).expect("nothing there");
        assert_eq!(state, RunState::New);
    }

    #[test]
    fn another_configuration_is_refused_with_the_differences() {
        let root = tempfile::tempdir().expect("temporary folder");
        let config = presets::fast();
        drop(RunFolder::open(root.path(), &config, false).expect("empty"));
        let before = fs::read(root.path().join("config.ron")).expect("written");
        let mut other = config.clone();
        other.seed = 5;
        other.models.get_mut(presets::LNN).expect("present").hidden = vec![8];
        for resume in [false, true] {
            let message = refused(root.path(), &other, resume);
            assert!(message.contains("seed               in the folder: 0, requested: 5"), "{message}");
            assert!(message.contains("models.lnn.hidden  in the folder: [64,64,64], requested: [8]"), "{message}");
            assert!(message.contains("--out DIR"), "{message}");
        }
        assert_eq!(fs::read(root.path().join("config.ron")).expect("written"), before);

        let other_timing = ExperimentConfig { checkpoint_every_seconds: 1.0, ..config };
        RunFolder::open(root.path(), &other_timing, true).expect("results do not depend on it");
    }

    #[test]
    fn a_folder_that_is_no_run_is_left_alone() {
        let root = tempfile::tempdir().expect("temporary folder");
        fs::write(root.path().join("thesis.tex"), b"years of work").expect("writable");
        let message = refused(root.path(), &presets::fast(), false);
        assert!(message.contains("thesis.tex"), "{message}");
        assert_eq!(names(root.path()), ["thesis.tex"]);

        let file = root.path().join("thesis.tex");
        let message = refused(&file, &presets::fast(), false);
        assert!(message.contains("a file where a folder is needed"), "{message}");
        let below = file.join("run");
        let message = refused(&below, &presets::fast(), false);
        assert!(message.contains("a file where a folder is needed"), "{message}");
    }

    #[test]
    fn a_damaged_configuration_is_shown_and_kept() {
        let root = tempfile::tempdir().expect("temporary folder");
        fs::write(root.path().join("config.ron"), b"(sed: 1)").expect("writable");
        let message = refused(root.path(), &presets::fast(), true);
        assert!(message.contains("no field `sed`") && message.contains("line 1, column 2"), "{message}");
        assert!(message.contains("did you mean `seed`?"), "{message}");
        assert_eq!(fs::read(root.path().join("config.ron")).expect("kept"), b"(sed: 1)");
    }

    #[test]
    fn two_writers_exclude_each_other_until_the_first_ends() {
        let root = tempfile::tempdir().expect("temporary folder");
        let config = presets::fast();
        let (first, _) = RunFolder::open(root.path(), &config, false).expect("empty");
        let message = refused(root.path(), &config, true);
        assert!(message.contains("another process is writing"), "{message}");
        drop(first);
        RunFolder::open(root.path(), &config, true).expect("free again");
    }

    #[test]
    fn what_a_killed_process_left_half_written_is_removed() {
        let root = tempfile::tempdir().expect("temporary folder");
        let config = presets::fast();
        // Killed before config.ron had its name: the folder is still as good as empty.
        fs::write(root.path().join(".abc123.partial"), b"(see").expect("writable");
        drop(RunFolder::open(root.path(), &config, false).expect("as good as empty"));
        fs::write(root.path().join("checkpoint-lnn.partial"), b"half").expect("writable");
        fs::create_dir(root.path().join("figures")).expect("writable");
        fs::write(root.path().join("figures").join(".def456.partial"), b"<sv").expect("writable");
        drop(RunFolder::open(root.path(), &config, true).expect("same configuration"));
        assert_eq!(names(root.path()), [".lock", "config.ron", "figures"]);
        assert_eq!(names(&root.path().join("figures")), [""; 0]);
    }
}
