//! Tables as people have them, read and refused.

mod arrays;
mod text;
mod write;

use std::fs;
use std::path::PathBuf;

use super::*;

/// A folder with one file.
struct Case {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Case {
    fn new(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("writable");
        Self { _folder: folder, path }
    }

    fn open(&self) -> TableReader {
        TableReader::open(&self.path, None).expect("a table")
    }

    fn refused(&self) -> String {
        match TableReader::open(&self.path, None) {
            Err(error) => self.message(&error),
            Ok(mut reader) => {
                let error = reader.read(100, &mut Vec::new()).expect_err("a fault");
                self.message(&error)
            }
        }
    }

    /// The message, which names the file.
    fn message(&self, error: &TableError) -> String {
        let message = error.to_string();
        assert!(message.contains(&*self.path.to_string_lossy()), "{message}");
        message
    }
}

/// Column names and all numbers, in blocks of `most` rows.
fn everything(reader: &mut TableReader, most: usize) -> (Vec<String>, Vec<f64>) {
    let names = reader.columns().iter().map(ToString::to_string).collect();
    let mut values = Vec::new();
    let mut rows = 0;
    loop {
        let more = reader.read(most, &mut values).expect("numbers");
        assert!(more <= most);
        if more == 0 {
            break;
        }
        rows += more as u64;
    }
    assert!(reader.rows().is_none_or(|known| known == rows));
    (names, values)
}

fn names(given: &[&str]) -> Vec<String> {
    given.iter().map(ToString::to_string).collect()
}

#[test]
fn states_are_found_by_name_in_any_order() {
    let columns = |given: &[&str]| given.iter().map(|name| Column::parse(name)).collect::<Vec<_>>();
    let path = PathBuf::from("swing.csv");
    let find = |given: &[&str], conditionals: &[&str]| StateColumns::find(&path, &columns(given), &names(conditionals));
    let found = find(&["q_dot1", "g", "t [s]", "q1", "q_dot0 [rad/s]", "q0", "note", "trajectory"], &["g"]);
    let found = found.expect("all there");
    let expected = StateColumns {
        trajectory: Some(7),
        time: Some(2),
        q: vec![5, 3],
        q_dot: vec![4, 0],
        q_ddot: vec![],
        conditionals: vec![1],
    };
    assert_eq!(found, expected);
    assert_eq!(found.degrees_of_freedom(), 2);
    let dimension = found.require(&path, 3).expect_err("two").to_string();
    assert_eq!(dimension, "swing.csv has 2 coordinate(s) (`q0` to `q1`), but 3 are needed");

    for (given, conditionals, words) in [
        (&["q", "q_dot"][..], &[][..], "has no column `q0`; did you mean `q`? Valid names: `q`, `q_dot`"),
        (&["q0", "q1", "q_dot0", "qdot1"], &[], "has no column `q_dot1`; did you mean `qdot1`?"),
        (&["q0", "q_dot0", "q_ddot0", "q2"], &[], "has a column `q2`, but its coordinates end with `q0`"),
        (&["q0", "q_dot0", "q_dot1"], &[], "has a column `q_dot1`, but its coordinates end with `q0`"),
        (&["q0", "q1", "q_ddot0"], &[], "has no column `q_ddot1`"),
        (&["q0", "gravity"], &["g"], "has no column `g`"),
        (&["q0"], &["mass"], "has no column `mass`; valid names: `q0`"),
    ] {
        let message = find(given, conditionals).expect_err(words).to_string();
        assert!(message.starts_with("swing.csv ") && message.contains(words), "{words}\n{message}");
    }
    let positions = columns(&["q0", "time"]);
    let found = StateColumns::find(&path, &positions, &[]).expect("positions");
    let message = found.require_velocities(&path, &positions).expect_err("none").to_string();
    assert!(message.contains("has no column `q_dot0`; "), "{message}");
    let message = found.require_time(&path, &positions).expect_err("none").to_string();
    assert!(message.contains("has no column `t`; valid names: `q0`, `time`"), "{message}");
}
