//! What can go wrong with a run's files, in words for the person at the terminal.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::{ConfigError, Difference, SyntaxError};

/// A file or a run folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Writing, renaming or creating failed; what was there before is untouched.
    #[error("cannot write {}: {source}; {}", path.display(), write_remedy(source.kind()))]
    Write {
        /// File or folder that was to be written.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Reading failed.
    #[error("cannot read {}: {source}; check the path and its permissions", path.display())]
    Read {
        /// File or folder that was to be read.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The contents are not what was once written.
    #[error("{} is not a usable {what}: {damage}{}", path.display(), damage_remedy(damage))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Kind of file: `model file` or `checkpoint`.
        what: &'static str,
        /// What is wrong with it.
        damage: Damage,
    },
    /// The file was written by a program with another format.
    #[error(
        "{} is a {what} of format version {found}, but this program reads version {supported}; \
         use the version of the program that wrote it or train again",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Kind of file.
        what: &'static str,
        /// Version in the file.
        found: u32,
        /// Version that this program reads.
        supported: u32,
    },
    /// A model of the other sort: of a field where one of a system is needed, or the reverse.
    #[error(
        "{} holds a model {found}, expected a model {wanted}; give a file that an experiment {} wrote",
        path.display(),
        if *wanted == "of a field" { "on fields, such as `wave`," } else { "on a system, such as `dblpend`," }
    )]
    OtherModel {
        /// The file.
        path: PathBuf,
        /// What it is a model of.
        found: &'static str,
        /// What was needed.
        wanted: &'static str,
    },
    /// The file is intact, but its tensors do not fit together.
    #[error("{} cannot be used: {problem}", path.display())]
    Tensor {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        problem: TensorProblem,
    },
    /// The description of the contents cannot be written as text.
    #[error("the description for {} cannot be written: {message}", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// What the serialiser said.
        message: String,
    },
    /// Neither the checkpoint nor the one before it is usable.
    #[error(
        "training cannot be resumed: {} ({current_damage}) and {} ({previous_damage}) are both unusable; \
         choose another folder with --out, or remove this one to start again",
        current.display(),
        previous.display()
    )]
    CheckpointsUnusable {
        /// The latest checkpoint.
        current: PathBuf,
        /// What is wrong with it.
        current_damage: String,
        /// The checkpoint before.
        previous: PathBuf,
        /// What is wrong with it.
        previous_damage: String,
    },
    /// The folder belongs to a run with another configuration.
    #[error("{}", other_configuration(folder, differences))]
    OtherConfiguration {
        /// The run folder.
        folder: PathBuf,
        /// Fields that differ; left in the folder, right as requested.
        differences: Vec<Difference>,
    },
    /// The folder holds a finished run of the same configuration.
    #[error(
        "{} already holds a finished run of this configuration, and nothing was changed; add --resume to \
         judge it and write its report again without training, --out DIR to run it again elsewhere, or remove the folder",
        folder.display()
    )]
    AlreadyFinished {
        /// The run folder.
        folder: PathBuf,
    },
    /// The folder holds an unfinished run of the same configuration.
    #[error(
        "{} holds an unfinished run of this configuration, and nothing was changed; add --resume to \
         continue it, --out DIR to start afresh elsewhere, or remove the folder",
        folder.display()
    )]
    Unfinished {
        /// The run folder.
        folder: PathBuf,
    },
    /// The folder is not empty and not a run.
    #[error(
        "{} is not empty and holds no config.ron, so it is not a run folder (it contains {example}); choose \
         an empty or new folder with --out DIR",
        folder.display()
    )]
    NotARunFolder {
        /// The folder.
        folder: PathBuf,
        /// Name of something found in it.
        example: String,
    },
    /// The folder's own configuration cannot be read.
    #[error(
        "the configuration kept in {} cannot be read: {source}\nThe run may come from another version of the \
         program; choose another folder with --out DIR, or remove this one",
        folder.display()
    )]
    FolderConfiguration {
        /// The run folder.
        folder: PathBuf,
        /// What is wrong with its `config.ron`.
        source: Box<ConfigError>,
    },
    /// Another process writes to the folder.
    #[error(
        "another process is writing to {}; wait until it ends, or choose another folder with --out DIR",
        folder.display()
    )]
    Locked {
        /// The run folder.
        folder: PathBuf,
    },
    /// A line of a metrics file that is neither whole nor the last.
    #[error(
        "line {line} of {} is not a metrics record: {message}; the file was changed after it was written, so \
         restore it or remove the run folder",
        path.display()
    )]
    MetricsLine {
        /// The metrics file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong with the line.
        message: String,
    },
}

impl StoreError {
    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Write { path, source }
    }

    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Read { path, source }
    }
}

/// Why a file's contents are not what was once written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The file has another length than its header says.
    #[error("it has {length} bytes where its header promises {expected}, so it was cut short or added to")]
    Length {
        /// Bytes in the file.
        length: u64,
        /// Bytes that the header promises.
        expected: u64,
    },
    /// A byte changed since the file was written.
    #[error(
        "its contents do not match its checksum ({computed} instead of {stored}), so it was altered (if on \
         purpose, leave `checksum` out of its record)"
    )]
    Checksum {
        /// Checksum kept in the file.
        stored: String,
        /// Checksum of the contents as they are.
        computed: String,
    },
    /// A checksum that cannot be checked.
    #[error("its checksum `{0}` is not of the form `crc32:` and eight digits; leave `checksum` out of the record")]
    ChecksumForm(String),
    /// Not a safetensors file.
    #[error("it is not a safetensors file ({0})")]
    NotSafetensors(String),
    /// A safetensors file without this program's record.
    #[error(
        "it is a safetensors file without the record `{key}` in its metadata, which says what the tensors are; \
         docs/model-format.md shows how to write one"
    )]
    NoRecord {
        /// Metadata key of the record.
        key: &'static str,
    },
    /// The record cannot be read.
    #[error("its record cannot be read: {0}")]
    Record(Box<SyntaxError>),
    /// A tensor of an element type that this program does not write.
    #[error("its tensor `{tensor}` has elements of type {found}; expected F32 or F64 (in checkpoints also U64)")]
    ElementType {
        /// Name of the tensor.
        tensor: String,
        /// Type found.
        found: String,
    },
}

/// How the tensors of an intact file fail to fit together.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TensorProblem {
    /// A tensor that the description asks for is not there.
    #[error("the tensor `{name}` is missing")]
    Missing {
        /// Name of the tensor.
        name: String,
    },
    /// A tensor that the description does not know.
    #[error("there is a tensor `{name}` that the described network does not have")]
    Unexpected {
        /// Name of the tensor.
        name: String,
    },
    /// A tensor of another shape.
    #[error("the tensor `{name}` has the shape {}, expected {}", shape_text(found), shape_text(expected))]
    Shape {
        /// Name of the tensor.
        name: String,
        /// Shape in the file.
        found: Vec<usize>,
        /// Shape that the description asks for.
        expected: Vec<usize>,
    },
    /// A weight that is no matrix.
    #[error("the tensor `{name}` has the shape {}, expected a matrix [out, in]", shape_text(found))]
    NotAMatrix {
        /// Name of the tensor.
        name: String,
        /// Shape in the file.
        found: Vec<usize>,
    },
    /// A tensor of another element type.
    #[error("the tensor `{name}` has elements of type {found}, expected {expected}")]
    ElementType {
        /// Name of the tensor.
        name: String,
        /// Type in the file.
        found: &'static str,
        /// Type expected.
        expected: &'static str,
    },
    /// A weight that is not a number or infinite.
    #[error("the tensor `{name}` has the non-finite value {value} at index {index}")]
    NonFinite {
        /// Name of the tensor.
        name: String,
        /// First such index in row-major order.
        index: usize,
        /// The value.
        value: f64,
    },
    /// The parameter vector has another length than the network.
    #[error("the network has {expected} parameters, but {found} were given")]
    ParameterCount {
        /// Length given.
        found: usize,
        /// Length that the description asks for.
        expected: usize,
    },
    /// The description contradicts itself.
    #[error("{0}")]
    Architecture(String),
}

/// A shape as `[3, 4]`.
fn shape_text(shape: &[usize]) -> String {
    let sizes: Vec<String> = shape.iter().map(ToString::to_string).collect();
    format!("[{}]", sizes.join(", "))
}

/// What to do about a damaged file; a record by another program's hand says itself what to change.
fn damage_remedy(damage: &Damage) -> &'static str {
    match damage {
        Damage::Length { .. } | Damage::Checksum { .. } | Damage::NotSafetensors(_) => {
            "; use another copy of the file or train again"
        }
        Damage::ChecksumForm(_) | Damage::NoRecord { .. } | Damage::Record(_) | Damage::ElementType { .. } => "",
    }
}

/// What to do about a failed write.
fn write_remedy(kind: io::ErrorKind) -> &'static str {
    use io::ErrorKind as K;
    match kind {
        K::PermissionDenied | K::ReadOnlyFilesystem => {
            "choose a folder that you may write to with --out, or change the permissions"
        }
        K::StorageFull | K::QuotaExceeded => "free some space, or choose a folder on another disk with --out",
        K::FileTooLarge => {
            "the file system or a limit of the session (`ulimit -f`) allows no larger file; raise it, or choose another \
             folder with --out"
        }
        K::NotADirectory | K::AlreadyExists => {
            "a part of the path is a file where a folder is needed; choose another folder with --out"
        }
        K::IsADirectory => "a folder has the name of the file to write; remove it or choose another folder",
        K::NotFound => "the folder does not exist; create it or choose another with --out",
        _ => "check the disk and the path, or choose another folder with --out",
    }
}

fn other_configuration(folder: &Path, differences: &[Difference]) -> String {
    use fmt::Write as _;
    let mut text =
        format!("{} holds a run with another configuration, and nothing was changed. It differs in:", folder.display());
    let width = differences.iter().map(|d| d.field.chars().count()).max().unwrap_or(0);
    for Difference { field, left, right } in differences {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n  {field:width$}  in the folder: {left}, requested: {right}");
    }
    text.push_str("\nChoose another folder with --out DIR, or remove this one.");
    text
}
