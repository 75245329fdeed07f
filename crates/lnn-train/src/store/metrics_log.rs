//! `metrics.jsonl`: one JSON object a line, safe to append to and to cut back when a run resumes.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::atomic::write_atomically;
use super::error::StoreError;
use super::run_folder::member_name;
use crate::record::MetricsLine;

/// An open metrics file.
///
/// Each line is handed to the operating system in one write, so a killed process loses no line that was
/// appended and leaves at most the last one incomplete. So that a resumed run's file equals an
/// uninterrupted run's, append the line of a step **before** saving that step's checkpoint, and train the
/// models one after the other.
#[derive(Debug)]
pub struct MetricsLog {
    path: PathBuf,
    file: File,
}

/// What decides whether a line stays when a run resumes; the rest of the line is not looked at.
#[derive(Deserialize)]
struct Position {
    model: String,
    #[serde(default)]
    seed: Option<u64>,
    step: u64,
}

impl MetricsLog {
    /// Starts the file afresh.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        Self::resume(path, &BTreeMap::new())
    }

    /// Opens the file after dropping every line that the checkpoints do not cover: lines of a model, or a member of an
    /// ensemble, beyond the step that `checkpoints` has under its [name](member_name), all lines of a model without an entry, and an incomplete last line.
    /// A missing file is created.
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::Write`], or [`StoreError::MetricsLine`] if a line other than the
    /// last is not whole; the file is untouched then.
    pub fn resume(path: &Path, checkpoints: &BTreeMap<String, u64>) -> Result<Self, StoreError> {
        let before = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(StoreError::read(path)(error)),
        };
        let mut kept = Vec::with_capacity(before.len());
        for line in whole_lines(&before).enumerate() {
            let (index, line) = line;
            let Position { model, seed, step } = serde_json::from_slice(line).map_err(bad_line(path, index))?;
            if checkpoints.get(&member_name(&model, seed)).is_some_and(|&saved| step <= saved) {
                kept.extend_from_slice(line);
            }
        }
        if kept != before {
            write_atomically(path, &kept)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(StoreError::write(path))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Adds a line.
    ///
    /// # Errors
    /// [`StoreError::Write`], with a remedy if the disk is full.
    pub fn append(&mut self, line: &MetricsLine) -> Result<(), StoreError> {
        let mut text = serde_json::to_vec(line)
            .map_err(|error| StoreError::Encode { path: self.path.clone(), message: error.to_string() })?;
        text.push(b'\n');
        self.file.write_all(&text).map_err(StoreError::write(&self.path))
    }

    /// Flushes the lines to the disk, so that a power failure does not lose them either.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub fn sync(&self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(StoreError::write(&self.path))
    }
}

/// Reads every whole line of a metrics file.
///
/// # Errors
/// [`StoreError::Read`], or [`StoreError::MetricsLine`] with the number of the first bad line.
pub fn read_metrics(path: &Path) -> Result<Vec<MetricsLine>, StoreError> {
    let bytes = fs::read(path).map_err(StoreError::read(path))?;
    whole_lines(&bytes)
        .enumerate()
        .map(|(index, line)| serde_json::from_slice(line).map_err(bad_line(path, index)))
        .collect()
}

/// The lines that end in a line break, with it.
fn whole_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n"))
}

fn bad_line(path: &Path, index: usize) -> impl FnOnce(serde_json::Error) -> StoreError {
    move |error| StoreError::MetricsLine { path: path.to_owned(), line: index + 1, message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(model: &str, step: u64) -> MetricsLine {
        MetricsLine {
            model: model.to_owned(),
            seed: None,
            step,
            samples: 512 * step,
            loss: 0.25 * step as f64,
            learning_rate: 0.01,
            gradient_norm: 0.1,
            skipped_steps: 0,
            acceleration_l1: 0.3,
            vector_field_l1: None,
            mass_matrix: None,
            held_out_error: None,
        }
    }

    /// The lines of an uninterrupted run: two models, one after the other.
    fn run() -> Vec<MetricsLine> {
        let steps = |model: &'static str| (0..=10).map(move |k| line(model, 100 * k));
        steps("baseline").chain(steps("lnn")).collect()
    }

    fn write(path: &Path, lines: &[MetricsLine]) {
        let mut log = MetricsLog::create(path).expect("writable");
        lines.iter().for_each(|line| log.append(line).expect("writable"));
        log.sync().expect("writable");
    }

    #[test]
    fn lines_return_and_creating_starts_afresh() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("metrics.jsonl");
        write(&path, &run());
        assert_eq!(read_metrics(&path).expect("written"), run());
        write(&path, &run()[..2]);
        assert_eq!(read_metrics(&path).expect("written"), run()[..2]);
    }

    #[test]
    fn a_broken_line_in_the_middle_is_named_and_nothing_changes() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("metrics.jsonl");
        let bytes = b"{\"model\":\"lnn\",\"step\":0}\n{\"model\":\n{\"model\":\"lnn\",\"step\":2}\n";
        fs::write(&path, bytes).expect("writable");
        let everything = BTreeMap::from([("lnn".to_owned(), 9)]);
        let message = MetricsLog::resume(&path, &everything).expect_err("broken").to_string();
        assert!(message.starts_with("line 2 of "), "{message}");
        assert_eq!(fs::read(&path).expect("present"), bytes);
        let message = read_metrics(&path).expect_err("not the full record").to_string();
        assert!(message.starts_with("line 1 of "), "{message}");
    }

    #[test]
    fn a_missing_file_is_created_on_resume() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("metrics.jsonl");
        let mut log = MetricsLog::resume(&path, &BTreeMap::new()).expect("writable");
        log.append(&line("lnn", 1)).expect("writable");
        assert_eq!(read_metrics(&path).expect("written"), [line("lnn", 1)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_resumed_run_writes_the_same_file(written in 0_usize..=22, behind in 0_usize..4, torn in 0_usize..60) {
            let folder = tempfile::tempdir().expect("temporary folder");
            let (whole, path) = (folder.path().join("whole"), folder.path().join("metrics.jsonl"));
            let lines = run();
            write(&whole, &lines);
            // Killed after some lines and a torn one, the last checkpoint of the model under way being older.
            write(&path, &lines[..written]);
            let next = fs::read(&whole).expect("written");
            let already = fs::read(&path).expect("written").len();
            let torn = (already + torn).min(next.len().saturating_sub(1)).max(already);
            fs::write(&path, &next[..torn]).expect("writable");

            let saved = written.saturating_sub(behind);
            let mut checkpoints = BTreeMap::new();
            for line in &lines[..saved] {
                checkpoints.insert(line.model.clone(), line.step);
            }
            let mut log = MetricsLog::resume(&path, &checkpoints).expect("whole lines");
            for line in &lines[saved..] {
                log.append(line).expect("writable");
            }
            prop_assert_eq!(fs::read(&path).expect("written"), fs::read(&whole).expect("written"));
        }
    }
}
