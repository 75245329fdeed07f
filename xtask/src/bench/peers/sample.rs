//! One run of one program: the process, and the line of JSON that it prints.

use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Map, Value};

use crate::cargo;
use crate::error::TaskError;

/// Beginnings of environment variables that would change how one side computes; neither side sees them.
const TUNING: [&str; 4] = ["JAX_", "XLA_", "RAYON_", "OMP_"];

/// A program that prints such a line.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) executable: PathBuf,
    /// What comes before the work and its size.
    pub(crate) first_arguments: Vec<OsString>,
}

/// What one run measured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    /// Seconds of each timing, or operations a second where the work is the product itself.
    pub(crate) measured: Measured,
    /// Operations of one unit of the work, where the program counts them.
    pub(crate) operations: Option<f64>,
    /// Most bytes held at once, where the system says.
    pub(crate) peak_memory: Option<u64>,
    /// The program's own version and those of its packages.
    pub(crate) versions: Map<String, Value>,
    /// The whole line, for the record.
    pub(crate) report: Value,
}

/// The measured quantity.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Measured {
    /// Seconds of each timing; not empty, all above zero.
    Seconds(Vec<f64>),
    /// Operations a second.
    Rate(f64),
}

impl Program {
    /// Runs the program; its messages are shown.
    ///
    /// It ends with this process, whatever ends this process: Ctrl-C reaches both, and otherwise the pipe that is
    /// held here is closed by the system, upon which the program stops.
    pub(crate) fn run(&self, arguments: &[String]) -> Result<Sample, TaskError> {
        let mut command = Command::new(&self.executable);
        command.args(&self.first_arguments).args(arguments).arg("--end-with-stdin");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).env("JAX_PLATFORMS", "cpu");
        let tuning = |name: &OsString| TUNING.iter().any(|start| name.to_string_lossy().starts_with(start));
        for (name, _) in std::env::vars_os().filter(|(name, _)| tuning(name) && name != "JAX_PLATFORMS") {
            command.env_remove(name);
        }
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
        Sample::parse(&line).map_err(|expected| TaskError::Format { origin: shown, expected })
    }
}

impl Sample {
    /// Reads the line that a program prints; else what was expected.
    fn parse(line: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(line).map_err(|error| format!("one line of JSON ({error})"))?;
        let positive = |value: &Value| value.as_f64().filter(|number| *number > 0.0);
        let measured = match (&value["seconds"], &value["operations_per_second"]) {
            (Value::Array(list), _) => {
                let seconds: Option<Vec<f64>> = list.iter().map(positive).collect();
                let seconds = seconds.filter(|seconds| !seconds.is_empty());
                Measured::Seconds(seconds.ok_or("`seconds` to be numbers above zero, and at least one")?)
            }
            (_, rate) => Measured::Rate(positive(rate).ok_or("`seconds` or `operations_per_second`")?),
        };
        Ok(Self {
            measured,
            operations: positive(&value["operations"]),
            peak_memory: value["peak_memory_bytes"].as_u64(),
            versions: value["versions"].as_object().cloned().ok_or("`versions`")?,
            report: value,
        })
    }

    /// Units of the work a second, by the median of the timings.
    pub(crate) fn speed(&self) -> f64 {
        match &self.measured {
            Measured::Seconds(seconds) => 1.0 / median(seconds),
            Measured::Rate(rate) => *rate,
        }
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
    use super::*;

    const LINE: &str = r#"{"program": "jax", "work": "step", "median_seconds": 2.0, "seconds": [2.0, 1.0, 4.0],
        "result": 45.5, "peak_memory_bytes": 300000000, "device": "TFRT_CPU_0",
        "versions": {"jax": "0.4.38", "numpy": "2.2.6"}}"#;

    #[test]
    fn a_line_with_timings_is_read() {
        let sample = Sample::parse(LINE).expect("well-formed");
        assert_eq!(sample.measured, Measured::Seconds(vec![2.0, 1.0, 4.0]));
        assert_eq!((sample.operations, sample.peak_memory), (None, Some(300_000_000)));
        assert_eq!((&sample.report["device"], &sample.versions["numpy"]), (&"TFRT_CPU_0".into(), &"2.2.6".into()));
        assert_eq!(sample.speed(), 0.5);
    }

    #[test]
    fn a_line_with_a_rate_and_without_memory_is_read() {
        let line =
            r#"{"operations_per_second": 2e11, "peak_memory_bytes": null, "device": "2 threads", "versions": {}}"#;
        let sample = Sample::parse(line).expect("well-formed");
        assert_eq!((sample.measured.clone(), sample.peak_memory), (Measured::Rate(2e11), None));
        assert_eq!(sample.speed(), 2e11);
    }

    #[test]
    fn a_line_that_is_not_as_expected_is_refused_with_what_is_missing() {
        for (line, named) in [
            ("Traceback (most recent call last):".to_owned(), "JSON"),
            (LINE.replace("[2.0, 1.0, 4.0]", "[]"), "`seconds`"),
            (LINE.replace("[2.0, 1.0, 4.0]", "[2.0, -1.0]"), "`seconds`"),
            (LINE.replace("[2.0, 1.0, 4.0]", "3"), "`operations_per_second`"),
            (LINE.replace("versions", "version"), "`versions`"),
        ] {
            let message = Sample::parse(&line).expect_err(&line);
            assert!(message.contains(named), "{line}: {message}");
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
        };
        // At the end of the input the background part would spoil the line. It reads a copy, since its own
        // input is not this one.
        let script = r#"exec 3<&0; { read -r _ <&3; echo ended; } & waiter=$!; sleep 0.2
            printf '{"operations_per_second": %s, "device": "%s", "versions": {}}' "$2" "$3"; kill "$waiter""#;
        let sample = shell(script).run(&["--rate".to_owned(), "7".to_owned()]).expect("the shell is there");
        assert_eq!((sample.speed(), &sample.report["device"]), (7.0, &"--end-with-stdin".into()));
        let message = shell("exit 5").run(&[]).expect_err("it failed").to_string();
        assert!(message.contains("exit code 5"), "{message}");
    }
}
