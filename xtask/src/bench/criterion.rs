//! Criterion's own results, read from the files that it leaves.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use serde_json::Value;

use crate::error::TaskError;

/// One benchmark's result.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Measurement {
    /// The bench it belongs to: `jets`.
    pub(crate) group: String,
    /// What was timed: `adjoint 3x64`.
    pub(crate) name: String,
    /// What is counted.
    pub(crate) unit: Unit,
    /// Units in one iteration.
    pub(crate) elements: f64,
    /// Median time of one iteration.
    pub(crate) seconds: f64,
}

impl Measurement {
    /// Units a second.
    pub(crate) fn rate(&self) -> f64 {
        self.elements / self.seconds
    }
}

/// What a benchmark counts: the last part of its name says it (`benches/work/mod.rs`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// `f32-2t`: multiplications and additions in this precision, by this many threads.
    Operations { precision: String, threads: u32 },
    /// `Hessians`: anything else.
    Other(String),
}

impl Unit {
    fn parse(text: &str) -> Self {
        let operations = || {
            let (precision, threads) = text.split_once('-')?;
            let threads = threads.strip_suffix('t')?.parse().ok()?;
            matches!(precision, "f32" | "f64").then(|| Self::Operations { precision: precision.into(), threads })
        };
        operations().unwrap_or_else(|| Self::Other(text.into()))
    }

    /// The unit of a rate: `FLOP/s`, `Hessians/s`.
    pub(crate) fn per_second(&self) -> String {
        match self {
            Self::Operations { .. } => "FLOP/s".into(),
            Self::Other(name) => format!("{name}/s"),
        }
    }
}

/// The results below criterion's folder that are not older than `since`, in the order in which they were made.
///
/// A folder that does not exist has none. Older results are another run's, perhaps of another version.
pub(crate) fn results(folder: &Path, since: SystemTime) -> Result<Vec<Measurement>, TaskError> {
    let mut found = Vec::new();
    collect(folder, since, &mut found)?;
    found.sort_by_key(|(time, _)| *time);
    Ok(found.into_iter().map(|(_, measurement)| measurement).collect())
}

/// Adds the results in `folder` and the folders in it; a result is a folder `new` with two files.
fn collect(folder: &Path, since: SystemTime, found: &mut Vec<(SystemTime, Measurement)>) -> Result<(), TaskError> {
    if !folder.is_dir() {
        return Ok(());
    }
    let failed = |path: &Path, source| TaskError::Read { path: path.to_path_buf(), source };
    for entry in fs::read_dir(folder).map_err(|source| failed(folder, source))? {
        let path = entry.map_err(|source| failed(folder, source))?.path();
        if !path.is_dir() {
            continue;
        }
        if path.file_name().is_none_or(|name| name != "new") {
            collect(&path, since, found)?;
            continue;
        }
        let estimates = path.join("estimates.json");
        let time = fs::metadata(&estimates).and_then(|data| data.modified());
        let time = time.map_err(|source| failed(&estimates, source))?;
        if time >= since {
            found.push((time, read(&path.join("benchmark.json"), &estimates)?));
        }
    }
    Ok(())
}

/// The measurement that criterion's two files describe.
fn read(benchmark: &Path, estimates: &Path) -> Result<Measurement, TaskError> {
    let id = json(benchmark)?;
    let text = |key: &str| id[key].as_str().ok_or_else(|| unexpected(benchmark, key)).map(str::to_owned);
    let elements = id["throughput"]["Elements"].as_f64();
    let nanoseconds = json(estimates)?["median"]["point_estimate"].as_f64();
    Ok(Measurement {
        group: text("group_id")?,
        name: text("function_id")?,
        unit: Unit::parse(&text("value_str")?),
        elements: elements.ok_or_else(|| unexpected(benchmark, "throughput.Elements"))?,
        seconds: 1e-9 * nanoseconds.ok_or_else(|| unexpected(estimates, "median.point_estimate"))?,
    })
}

fn json(path: &Path) -> Result<Value, TaskError> {
    let text = fs::read_to_string(path).map_err(|source| TaskError::Read { path: path.to_path_buf(), source })?;
    serde_json::from_str(&text).map_err(|error| TaskError::Format {
        origin: path.display().to_string(),
        expected: format!("JSON ({error}); remove the file and measure again"),
    })
}

fn unexpected(path: &Path, key: &str) -> TaskError {
    TaskError::Format {
        origin: path.display().to_string(),
        expected: format!("an entry `{key}`, as criterion 0.8 writes it for names made by benches/work/mod.rs"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;

    /// A folder of its own below the system's for temporary files, removed at the end.
    pub(crate) struct Folder(pub(crate) PathBuf);

    impl Folder {
        pub(crate) fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("xtask-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).expect("the system's temporary folder can be written");
            Self(path)
        }
        fn result(&self, place: &str, benchmark: &str, estimates: &str) {
            let folder = self.0.join(place).join("new");
            fs::create_dir_all(&folder).expect("a fresh folder");
            fs::write(folder.join("benchmark.json"), benchmark).expect("a fresh file");
            fs::write(folder.join("estimates.json"), estimates).expect("a fresh file");
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            // A folder that stays behind harms nobody; a panic here would hide the test's own.
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const BENCHMARK: &str = r#"{ "group_id": "jets", "function_id": "adjoint 3x64", "value_str": "f32-2t",
        "throughput": { "Elements": 3000000 }, "full_id": "jets/adjoint 3x64/f32-2t" }"#;
    const ESTIMATES: &str = r#"{ "mean": { "point_estimate": 1.0 }, "median": { "point_estimate": 15000.0 } }"#;

    #[test]
    fn a_result_is_read_with_its_median_and_its_unit() {
        let folder = Folder::new("read");
        folder.result("jets/adjoint 3x64/f32-2t", BENCHMARK, ESTIMATES);
        let found = results(&folder.0, SystemTime::UNIX_EPOCH).expect("well-formed");
        assert_eq!(found.len(), 1);
        assert_eq!((&*found[0].group, &*found[0].name), ("jets", "adjoint 3x64"));
        assert_eq!(found[0].unit, Unit::Operations { precision: "f32".into(), threads: 2 });
        // 3e6 operations in 15 µs; one rounding in each of two divisions.
        assert!((found[0].rate() / 2e11 - 1.0).abs() < 4.0 * f64::EPSILON, "{}", found[0].rate());
    }

    #[test]
    fn results_of_earlier_runs_and_other_folders_are_left_out() {
        let folder = Folder::new("old");
        folder.result("jets/a/f32-1t", BENCHMARK, ESTIMATES);
        assert!(results(&folder.0, SystemTime::now() + Duration::from_secs(60)).expect("well-formed").is_empty());
        assert!(results(&folder.0.join("missing"), SystemTime::UNIX_EPOCH).expect("no folder, no result").is_empty());
        fs::rename(folder.0.join("jets/a/f32-1t/new"), folder.0.join("jets/a/f32-1t/base")).expect("a fresh folder");
        assert!(results(&folder.0, SystemTime::UNIX_EPOCH).expect("well-formed").is_empty());
    }

    #[test]
    fn a_damaged_result_is_an_error_that_names_the_file_and_the_entry() {
        for (place, benchmark, estimates, named) in [
            ("json", "{", ESTIMATES, "benchmark.json"),
            ("elements", &*BENCHMARK.replace("Elements", "Bytes"), ESTIMATES, "throughput.Elements"),
            ("value", &*BENCHMARK.replace("\"f32-2t\"", "null"), ESTIMATES, "value_str"),
            ("median", BENCHMARK, "{}", "median.point_estimate"),
        ] {
            let folder = Folder::new(place);
            folder.result("a/b", benchmark, estimates);
            let message = results(&folder.0, SystemTime::UNIX_EPOCH).expect_err("damaged").to_string();
            assert!(message.contains(named), "{message}");
        }
    }

    #[test]
    fn units_other_than_operations_keep_their_name() {
        for text in ["Hessians", "f16-1t", "f32", "f32-2", "f32-xt"] {
            assert_eq!(Unit::parse(text), Unit::Other(text.into()));
        }
        assert_eq!(Unit::parse("Hessians").per_second(), "Hessians/s");
        assert_eq!(Unit::parse("f64-16t"), Unit::Operations { precision: "f64".into(), threads: 16 });
    }
}
