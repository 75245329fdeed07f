//! Training checkpoints that survive a kill at any moment.
//!
//! A model has at most two: `checkpoint-<model>.safetensors` and, one save older,
//! `checkpoint-<model>.previous.safetensors`. A save writes the new one beside them, renames the current
//! one to previous, and the new one to current; a process killed between any two of these leaves at least
//! one whole checkpoint. Every file carries a checksum, and a damaged one is never silently used.

mod align;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::atomic::{PARTIAL, folder_of, sync_folder};
use super::container::{self, Checksum, FileKind};
use super::error::StoreError;
use super::model_file::refused;
use super::tensor::{Elements, Tensor};

pub use align::align_checkpoints;

const KIND: FileKind = FileKind { key: "lnn.checkpoint", version: 1, what: "checkpoint", checksum: Checksum::Required };

/// Everything that training of one model needs to go on bit for bit.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Where training stands.
    pub record: CheckpointRecord,
    /// Parameters and optimiser state: flat tensors by name.
    pub tensors: BTreeMap<String, Elements>,
}

/// Where training of one model stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointRecord {
    /// Model name.
    pub model: String,
    /// Fingerprint of the run's configuration.
    pub configuration: String,
    /// Optimiser steps done.
    pub step: u64,
    /// Seed of the run.
    pub seed: u64,
    /// Seconds of training so far, over all sessions.
    pub train_seconds: f64,
    /// Of a member of an ensemble that can learn no more: why. There are no tensors then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
    /// Whole numbers by name, such as skipped steps.
    pub counters: BTreeMap<String, u64>,
    /// Running sums by name, such as the loss since the last log line; finite values return bit for bit.
    pub sums: BTreeMap<String, f64>,
}

/// A checkpoint and where it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundCheckpoint {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// Present if the latest checkpoint could not be used; to be shown to the user.
    pub notice: Option<FallbackNotice>,
}

/// Says that the previous checkpoint is used and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FallbackNotice {
    /// What is wrong with the latest checkpoint.
    pub reason: String,
    /// The checkpoint used instead.
    pub used: PathBuf,
    /// Its step.
    pub step: u64,
}

impl fmt::Display for FallbackNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reason, used, step } = self;
        write!(f, "{reason}; continuing from the previous checkpoint {} at step {step}", used.display())
    }
}

/// Path of a model's latest checkpoint.
pub fn checkpoint_path(folder: &Path, model: &str) -> PathBuf {
    folder.join(format!("checkpoint-{model}.safetensors"))
}

/// Path of a model's checkpoint before the latest.
pub fn previous_checkpoint_path(folder: &Path, model: &str) -> PathBuf {
    folder.join(format!("checkpoint-{model}.previous.safetensors"))
}

/// Saves a checkpoint and keeps the one before it.
///
/// The caller holds the run's lock; two processes that save the same model at once could lose both.
///
/// # Errors
/// [`StoreError::Encode`] or [`StoreError::Write`]; what was saved before is still there then.
pub fn save_checkpoint(folder: &Path, checkpoint: &Checkpoint) -> Result<(), StoreError> {
    for operation in operations(folder, checkpoint)? {
        operation.perform()?;
    }
    Ok(())
}

/// Loads the latest usable checkpoint of a model, or `None` if none was ever saved.
///
/// # Errors
/// [`StoreError::Read`] if a file is there but cannot be read, [`StoreError::CheckpointsUnusable`] if no
/// file is usable.
pub fn load_checkpoint(folder: &Path, model: &str) -> Result<Option<FoundCheckpoint>, StoreError> {
    let current = checkpoint_path(folder, model);
    let previous = previous_checkpoint_path(folder, model);
    let current_state = examine(&current, model)?;
    if let Slot::Usable(checkpoint) = current_state {
        return Ok(Some(FoundCheckpoint { checkpoint: *checkpoint, notice: None }));
    }
    let previous_state = examine(&previous, model)?;
    match (current_state, previous_state) {
        (Slot::Absent, Slot::Absent) => Ok(None),
        (state, Slot::Usable(checkpoint)) => {
            let reason = match state {
                Slot::Damaged(reason) => reason,
                _ => format!("{} is missing: the program was stopped while saving it", current.display()),
            };
            let notice = FallbackNotice { reason, used: previous, step: checkpoint.record.step };
            Ok(Some(FoundCheckpoint { checkpoint: *checkpoint, notice: Some(notice) }))
        }
        (current_state, previous_state) => Err(StoreError::CheckpointsUnusable {
            current,
            current_damage: current_state.describe(),
            previous,
            previous_damage: previous_state.describe(),
        }),
    }
}

/// What is under a checkpoint's name.
enum Slot {
    Absent,
    Damaged(String),
    Usable(Box<Checkpoint>),
}

impl Slot {
    fn describe(self) -> String {
        match self {
            Self::Absent => "missing".to_owned(),
            Self::Damaged(reason) => reason,
            Self::Usable(_) => "usable".to_owned(),
        }
    }
}

fn examine(path: &Path, model: &str) -> Result<Slot, StoreError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Slot::Absent),
        Err(error) => return Err(StoreError::read(path)(error)),
    };
    Ok(match container::decode::<CheckpointRecord>(KIND, &bytes) {
        Ok((record, _)) if record.model != model => {
            Slot::Damaged(format!("{} belongs to the model `{}` instead of `{model}`", path.display(), record.model))
        }
        Ok((record, tensors)) => {
            let tensors = tensors.into_iter().map(|(name, tensor)| (name, tensor.elements)).collect();
            Slot::Usable(Box::new(Checkpoint { record, tensors }))
        }
        Err(refusal) => Slot::Damaged(refused(path, KIND, refusal).to_string()),
    })
}

/// One change to the disk that happens wholly or not at all, except `Write`, whose target is never read
/// before it has been renamed. A save is data so that a test can stop it after any of them.
#[derive(Debug)]
enum Operation {
    Write { path: PathBuf, bytes: Vec<u8> },
    Rename { from: PathBuf, to: PathBuf },
    SyncFolder { path: PathBuf },
}

impl Operation {
    fn perform(&self) -> Result<(), StoreError> {
        match self {
            Self::Write { path, bytes } => write_and_flush(path, bytes).map_err(StoreError::write(path)),
            Self::Rename { from, to } => fs::rename(from, to).map_err(StoreError::write(to)),
            Self::SyncFolder { path } => sync_folder(path).map_err(StoreError::write(path)),
        }
    }
}

fn write_and_flush(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn operations(folder: &Path, checkpoint: &Checkpoint) -> Result<Vec<Operation>, StoreError> {
    let model = &checkpoint.record.model;
    let current = checkpoint_path(folder, model);
    let previous = previous_checkpoint_path(folder, model);
    let partial = folder.join(format!("checkpoint-{model}{PARTIAL}"));
    let tensors: BTreeMap<String, Tensor> =
        checkpoint.tensors.iter().map(|(name, elements)| (name.clone(), Tensor::flat(elements.clone()))).collect();
    let bytes = container::encode(KIND, &checkpoint.record, &tensors)
        .map_err(|error| StoreError::Encode { path: current.clone(), message: error.to_string() })?;
    let mut operations = vec![Operation::Write { path: partial.clone(), bytes }];
    // A current checkpoint that has gone bad on disk must not take the place of a good previous one.
    if let Slot::Usable(_) = examine(&current, model)? {
        operations.push(Operation::Rename { from: current.clone(), to: previous });
    }
    let folder = folder_of(&current).to_owned();
    operations.push(Operation::Rename { from: partial, to: current });
    operations.push(Operation::SyncFolder { path: folder });
    Ok(operations)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(super) fn checkpoint(step: u64) -> Checkpoint {
        Checkpoint {
            record: CheckpointRecord {
                model: "lnn".to_owned(),
                configuration: "00ff".to_owned(),
                step,
                seed: 1,
                train_seconds: 0.1 * step as f64,
                lost: None,
                counters: BTreeMap::from([("skipped".to_owned(), 2)]),
                sums: BTreeMap::from([("loss".to_owned(), 1.0 / 3.0)]),
            },
            tensors: BTreeMap::from([
                ("parameters".to_owned(), Elements::F32(vec![step as f32, 0.5])),
                ("optimiser.steps".to_owned(), Elements::U64(vec![step])),
            ]),
        }
    }

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("temporary folder")
    }

    fn load(folder: &Path) -> Option<FoundCheckpoint> {
        load_checkpoint(folder, "lnn").expect("usable")
    }

    #[test]
    fn the_latest_is_loaded_and_the_one_before_kept() {
        let folder = folder();
        assert_eq!(load(folder.path()), None);
        for step in 1..=4 {
            save_checkpoint(folder.path(), &checkpoint(step)).expect("writable");
            let found = load(folder.path()).expect("saved");
            assert_eq!(found, FoundCheckpoint { checkpoint: checkpoint(step), notice: None });
        }
        let previous = examine(&previous_checkpoint_path(folder.path(), "lnn"), "lnn").expect("readable");
        assert!(matches!(previous, Slot::Usable(found) if *found == checkpoint(3)));
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 2, "nothing is left over");
        assert_eq!(load_checkpoint(folder.path(), "baseline").expect("none"), None);
    }

    #[test]
    fn a_kill_after_any_operation_leaves_a_whole_checkpoint() {
        for saved_before in 0..3 {
            let probe = folder();
            (1..=saved_before).for_each(|step| {
                save_checkpoint(probe.path(), &checkpoint(step)).expect("writable");
            });
            let count = operations(probe.path(), &checkpoint(9)).expect("plain data").len();
            for done in 0..=count {
                for cut in [0, 1, 100, usize::MAX] {
                    let folder = folder();
                    for step in 1..=saved_before {
                        save_checkpoint(folder.path(), &checkpoint(step)).expect("writable");
                    }
                    let operations = operations(folder.path(), &checkpoint(9)).expect("plain data");
                    operations[..done].iter().for_each(|operation| operation.perform().expect("writable"));
                    // The operation under way when the kill came: half a file, for those that can be halved.
                    if let Some(Operation::Write { path, bytes }) = operations.get(done) {
                        fs::write(path, &bytes[..cut.min(bytes.len())]).expect("writable");
                    }
                    let step = load(folder.path()).map(|found| found.checkpoint.record.step);
                    let renamed = done + 1 >= count;
                    let expected = if renamed { Some(9) } else { (saved_before > 0).then_some(saved_before) };
                    assert_eq!(step, expected, "{saved_before} before, killed after {done} of {count}");
                    // The next session saves and loads as if nothing had happened.
                    save_checkpoint(folder.path(), &checkpoint(10)).expect("writable");
                    let found = load(folder.path()).expect("saved");
                    assert_eq!(found, FoundCheckpoint { checkpoint: checkpoint(10), notice: None });
                }
            }
        }
    }

    #[test]
    fn a_missing_latest_is_said() {
        let folder = folder();
        save_checkpoint(folder.path(), &checkpoint(1)).expect("writable");
        save_checkpoint(folder.path(), &checkpoint(2)).expect("writable");
        fs::remove_file(checkpoint_path(folder.path(), "lnn")).expect("present");
        let found = load(folder.path()).expect("previous");
        assert_eq!(found.checkpoint, checkpoint(1));
        let notice = found.notice.expect("must be said").to_string();
        assert!(notice.contains("is missing"), "{notice}");
        assert!(notice.ends_with("at step 1"), "{notice}");
    }

    #[test]
    fn a_damaged_latest_never_replaces_a_good_previous() {
        let folder = folder();
        save_checkpoint(folder.path(), &checkpoint(1)).expect("writable");
        save_checkpoint(folder.path(), &checkpoint(2)).expect("writable");
        fs::write(checkpoint_path(folder.path(), "lnn"), b"disk trouble").expect("writable");
        for operation in operations(folder.path(), &checkpoint(3)).expect("plain data") {
            assert!(load(folder.path()).is_some());
            operation.perform().expect("writable");
        }
        assert_eq!(load(folder.path()).expect("saved").checkpoint, checkpoint(3));
        let previous = examine(&previous_checkpoint_path(folder.path(), "lnn"), "lnn").expect("readable");
        assert!(matches!(previous, Slot::Usable(found) if *found == checkpoint(1)));
    }

    #[test]
    fn two_damaged_checkpoints_are_an_error_that_names_both() {
        let folder = folder();
        save_checkpoint(folder.path(), &checkpoint(1)).expect("writable");
        fs::write(checkpoint_path(folder.path(), "lnn"), b"{").expect("writable");
        let message = load_checkpoint(folder.path(), "lnn").expect_err("no usable one").to_string();
        assert!(message.contains("checkpoint-lnn.safetensors"), "{message}");
        assert!(message.contains("checkpoint-lnn.previous.safetensors (missing)"), "{message}");
        fs::write(previous_checkpoint_path(folder.path(), "lnn"), b"").expect("writable");
        let message = load_checkpoint(folder.path(), "lnn").expect_err("no usable one").to_string();
        assert!(message.contains("both unusable"), "{message}");
    }

    #[test]
    fn another_model_s_checkpoint_is_not_taken() {
        let folder = folder();
        save_checkpoint(folder.path(), &checkpoint(1)).expect("writable");
        let (from, to) = (checkpoint_path(folder.path(), "lnn"), checkpoint_path(folder.path(), "baseline"));
        fs::copy(from, to).expect("writable");
        let message = load_checkpoint(folder.path(), "baseline").expect_err("of lnn").to_string();
        assert!(message.contains("belongs to the model `lnn` instead of `baseline`"), "{message}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_truncation_or_bit_flip_is_found_and_said(at in any::<prop::sample::Index>(), bit in 0_u32..8, cut: bool) {
            let folder = folder();
            save_checkpoint(folder.path(), &checkpoint(5)).expect("writable");
            save_checkpoint(folder.path(), &checkpoint(6)).expect("writable");
            let path = checkpoint_path(folder.path(), "lnn");
            let mut bytes = fs::read(&path).expect("saved");
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] ^= 1_u8 << bit }
            fs::write(&path, bytes).expect("writable");
            let found = load(folder.path()).expect("previous");
            prop_assert_eq!(found.checkpoint, checkpoint(5));
            let notice = found.notice.expect("must be said");
            prop_assert_eq!(notice.step, 5);
            prop_assert!(notice.to_string().contains("checkpoint-lnn.safetensors is not a usable checkpoint"));
        }

        #[test]
        fn finite_sums_return_bit_for_bit(bits in any::<u64>(), counter in any::<u64>()) {
            let sum = f64::from_bits(bits);
            prop_assume!(sum.is_finite());
            let mut saved = checkpoint(1);
            saved.record.sums.insert("loss".to_owned(), sum);
            saved.record.counters.insert("skipped".to_owned(), counter);
            let folder = folder();
            save_checkpoint(folder.path(), &saved).expect("writable");
            let found = load(folder.path()).expect("saved").checkpoint;
            prop_assert_eq!(found.record.sums["loss"].to_bits(), bits);
            prop_assert_eq!(found, saved);
        }
    }
}
