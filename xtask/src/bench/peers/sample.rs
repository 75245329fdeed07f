//! One run of one program: the process, and the line of JSON that it prints.

use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::cases::Case;
use crate::cargo;
use crate::error::TaskError;

/// Beginnings of environment variables that would change how one side computes; neither side sees them.
const TUNING: [&str; 12] =
    ["JAX_", "XLA_", "TF_", "PJRT_", "RAYON_", "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "GOTO_", "NUMEXPR_"];

/// Whether an environment variable would change how one side computes, or with how many threads.
fn is_tuning(name: &str) -> bool {
    TUNING.iter().any(|start| name.starts_with(start)) || name.split('_').any(|word| word == "NPROC")
}

/// A program that prints such a line.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) executable: PathBuf,
    /// What comes before the work and its size.
    pub(crate) first_arguments: Vec<OsString>,
    /// Where JAX computes: `cpu` or `cuda`.
    pub(crate) platform: &'static str,
}

/// What one run of a case measured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    /// Seconds of each timing; not empty, all above zero.
    pub(crate) seconds: Vec<f64>,
    /// The work's own results, by which the two sides are compared.
    pub(crate) check: Vec<f64>,
    /// Operations of the layer products of one unit of the work, where the program counts them.
    pub(crate) operations: Option<f64>,
    /// Most bytes held at once, where the system says.
    pub(crate) peak_memory: Option<u64>,
    /// The whole line, for the record.
    pub(crate) report: Value,
}

impl Program {
    /// Runs the program and reads its line as JSON; its messages are shown.
    ///
    /// It ends with this process, whatever ends this process: Ctrl-C reaches both, and otherwise the pipe that is
    /// held here is closed by the system, upon which the program stops.
    pub(crate) fn run(&self, arguments: &[OsString]) -> Result<Value, TaskError> {
        let mut command = Command::new(&self.executable);
        command.args(&self.first_arguments).args(arguments).arg("--end-with-stdin");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_tuning(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        command.env("JAX_PLATFORMS", self.platform);
        let shown = cargo::display(&command);
        let failure = |source| TaskError::Start { program: shown.clone(), source };
        let mut child = command.spawn().map_err(failure)?;
        // `wait` closes the child's input, and would end it early, unless it is taken out.
        let input = child.stdin.take();
        let mut line = String::new();
        if let Some(mut stdout) = child.stdout.take() {
            stdout.read_to_string(&mut line).map_err(failure)?;
        }
        let status = child.wait().map_err(failure)?;
        drop(input);
        if !status.success() {
            return Err(TaskError::Failed { command: shown, code: status.code() });
        }
        serde_json::from_str(&line)
            .map_err(|error| TaskError::Format { origin: shown, expected: format!("one line of JSON ({error})") })
    }
}

impl Sample {
    /// Reads the line of a program that was to run `case`, by so many threads if it is told of them.
    pub(crate) fn read(report: Value, case: &Case, threads: Option<usize>) -> Result<Self, TaskError> {
        let program = report["program"].as_str().unwrap_or("a program without a name");
        let unexpected = |expected: String| TaskError::Format { origin: format!("{program}, {}", case.name), expected };
        let size = [
            ("work", Value::from(case.work.name())),
            ("hidden", case.hidden.into()),
            ("layers", case.layers.into()),
            (case.work.size_name(), case.size.into()),
        ];
        for (name, asked) in size.into_iter().chain(threads.map(|threads| ("threads", threads.into()))) {
            if report[name] != asked {
                return Err(unexpected(format!("`{name}` to be {asked}, which was asked for, not {}", report[name])));
            }
        }
        let numbers = |name: &str| -> Option<Vec<f64>> { report[name].as_array()?.iter().map(Value::as_f64).collect() };
        let seconds = numbers("seconds").filter(|list| list.len() == case.repeat && list.iter().all(|&x| x > 0.0));
        let seconds =
            seconds.ok_or_else(|| unexpected(format!("`seconds` to be {} numbers above zero", case.repeat)))?;
        let check = numbers("check").ok_or_else(|| unexpected("`check` to be numbers".into()))?;
        report["versions"].as_object().ok_or_else(|| unexpected("`versions`".into()))?;
        Ok(Self {
            seconds,
            check,
            operations: report["operations"].as_f64(),
            peak_memory: report["peak_memory_bytes"].as_u64(),
            report,
        })
    }
}

/// The middle value, or the mean of the two middle ones; NaN of nothing.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[middle],
        _ => 0.5 * (sorted[middle - 1] + sorted[middle]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::cases::TARGETS;
    use super::*;

    fn line() -> Value {
        json!({ "program": "jax", "work": "step", "hidden": 500, "layers": 4, "batch": 512, "threads": 2,
            "seconds": [2.0, 1.0, 4.0, 3.0, 3.0, 3.0, 3.0, 3.0], "check": [45.5, 0.5],
            "peak_memory_bytes": 300_000_000, "device": "TFRT_CPU_0", "versions": { "jax": "0.4.38" } })
    }

    #[test]
    fn a_line_with_timings_is_read() {
        let sample = Sample::read(line(), &TARGETS[0].case, Some(2)).expect("well-formed");
        assert_eq!(sample.seconds[..3], [2.0, 1.0, 4.0]);
        assert_eq!((sample.operations, sample.peak_memory), (None, Some(300_000_000)));
        assert_eq!((&*sample.check, &sample.report["device"]), (&[45.5, 0.5][..], &"TFRT_CPU_0".into()));
        let mut with_count = line();
        with_count["operations"] = 12_000_000_000_u64.into();
        assert_eq!(Sample::read(with_count, &TARGETS[0].case, Some(2)).expect("well-formed").operations, Some(1.2e10));
    }

    #[test]
    fn a_line_of_other_work_or_without_an_entry_is_refused_by_its_name() {
        for (name, wrong) in [
            ("work", json!("rollout")),
            ("hidden", json!(64)),
            ("layers", json!(3)),
            ("batch", json!(32)),
            ("threads", json!(1)),
            ("threads", Value::Null),
            ("seconds", json!([])),
            ("seconds", json!([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0])),
            ("seconds", json!([1.0, 1.0])),
            ("check", json!([1.0, "x"])),
            ("versions", Value::Null),
        ] {
            let mut line = line();
            line[name] = wrong;
            let message = Sample::read(line, &TARGETS[0].case, Some(2)).expect_err(name).to_string();
            assert!(message.contains(&format!("`{name}`")) && message.contains("jax"), "{message}");
        }
    }

    #[test]
    fn a_lattice_is_asked_for_by_its_points() {
        let case = TARGETS
            .iter()
            .map(|target| &target.case)
            .find(|case| case.work.name() == "lattice")
            .expect("one of the works");
        let mut line = line();
        for (name, value) in [("work", json!("lattice")), ("hidden", json!(400)), ("layers", json!(3))] {
            line[name] = value;
        }
        line["seconds"] = json!(vec![0.1; case.repeat]);
        // A batch of as many is another work.
        line["batch"] = case.size.into();
        let message = Sample::read(line.clone(), case, Some(2)).expect_err("no points").to_string();
        assert!(message.contains("`points`"), "{message}");
        line["points"] = case.size.into();
        assert!(Sample::read(line, case, Some(2)).is_ok());
    }

    #[test]
    fn variables_that_tune_either_side_are_known() {
        for name in [
            "NPROC",
            "PJRT_NPROC",
            "JAX_ENABLE_X64",
            "XLA_FLAGS",
            "TF_NUM_INTRAOP_THREADS",
            "OMP_NUM_THREADS",
            "MKL_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "RAYON_NUM_THREADS",
        ] {
            assert!(is_tuning(name), "{name}");
        }
        for name in ["PATH", "HOME", "CARGO_TARGET_DIR", "JAXON", "NPROCESSES", "LD_LIBRARY_PATH"] {
            assert!(!is_tuning(name), "{name}");
        }
    }

    #[test]
    fn the_median_is_the_middle_or_between_the_middle_two() {
        for (values, middle) in [(&[3.0][..], 3.0), (&[5.0, 1.0, 2.0], 2.0), (&[4.0, 1.0, 3.0, 100.0], 3.5)] {
            assert_eq!(median(values), middle);
        }
        assert!(median(&[]).is_nan());
    }

    #[cfg(unix)]
    #[test]
    fn a_program_is_run_without_the_end_of_its_input_and_its_failure_is_told() {
        let shell = |script: &str| Program {
            executable: "sh".into(),
            first_arguments: ["-c", script, "sh"].map(OsString::from).into(),
            platform: "cpu",
        };
        // At the end of the input the background part would spoil the line. It reads a copy, since its own
        // input is not this one.
        let script = r#"exec 3<&0; { read -r _ <&3; echo ended; } & waiter=$!; sleep 0.2
            printf '{"rate": %s, "last": "%s", "platform": "%s"}' "$2" "$3" "$JAX_PLATFORMS"; kill "$waiter""#;
        let line = shell(script).run(&["--rate", "7"].map(OsString::from)).expect("the shell is there");
        assert_eq!(line, json!({ "rate": 7, "last": "--end-with-stdin", "platform": "cpu" }));
        let message = shell("exit 5").run(&[]).expect_err("it failed").to_string();
        assert!(message.contains("exit code 5"), "{message}");
        let message = shell("echo Traceback").run(&[]).expect_err("no JSON").to_string();
        assert!(message.contains("JSON"), "{message}");
    }
}
