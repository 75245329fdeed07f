//! A run that is killed, interrupted or out of space, and then resumed, ends with the bits of a run that was not.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::Duration;

use lnn_train::config::{ExperimentConfig, IntegratorConfig};
use lnn_train::store::load_checkpoint;

use crate::small_run::{Workplace, assert_same_results, config};

const RESUME: &str = "experiment dblpend --config small.ron --out run --resume --threads 2";
/// Signal numbers that are the same on every Unix.
const SIGKILL: i32 = 9;

/// Steps of each model's training.
const STEPS: u64 = 8000;

/// Long enough to be killed at many moments: a checkpoint every 50 ms, judging of a noticeable length.
fn long_config() -> ExperimentConfig {
    let mut config = config(STEPS);
    config.log_every = 200;
    config.checkpoint_every_seconds = 0.05;
    config.evaluation.t_end = 10.0;
    config.evaluation.integrator = IntegratorConfig::Rk4 { dt: 0.0005 };
    config
}

/// The program under way.
pub(crate) struct Session {
    child: Child,
    stderr: BufReader<ChildStderr>,
    said: String,
}

impl Session {
    fn start(workplace: &Workplace) -> Self {
        Self::of(workplace, RESUME)
    }

    /// The program with these arguments.
    pub(crate) fn of(workplace: &Workplace, line: &str) -> Self {
        let mut command = workplace.command(line);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        Self { child, stderr, said: String::new() }
    }

    /// Waits until the program says a line that contains `words`.
    pub(crate) fn wait_for(&mut self, words: &str) {
        loop {
            let start = self.said.len();
            let read = self.stderr.read_line(&mut self.said).expect("text");
            assert!(read > 0, "ended before it said {words:?}:\n{}", self.said);
            if self.said[start..].contains(words) {
                return;
            }
        }
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the child has not been waited for");
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&self) {
        let script = format!("kill -INT {}", self.child.id());
        let status = Command::new("sh").args(["-c", &script]).status().expect("a shell");
        assert!(status.success(), "the program had already ended:\n{}", self.said);
    }

    /// The status and all that was said.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        self.stderr.read_to_string(&mut self.said).expect("text");
        (self.child.wait().expect("a child"), self.said)
    }
}

/// Numbers in [0, 1) that look random; the same ones in every run of the test.
struct Scatter(u64);

impl Scatter {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A folder in which the run has gone through without interruption, in `whole`.
fn with_whole_run() -> Workplace {
    let workplace = Workplace::new(&long_config());
    workplace.succeed("experiment dblpend --config small.ron --out whole --threads 1");
    workplace
}

#[test]
fn a_run_killed_at_many_moments_ends_with_the_same_bits() {
    let workplace = with_whole_run();
    let mut scatter = Scatter(20);
    let (mut kills, mut resumed_in_the_middle) = (0, 0);
    // What the program has just said when the clock starts, and the longest wait before the kill.
    let moments = [
        ("Backend", 0.02),
        ("lnn        training", 0.2),
        ("lnn        training", 0.2),
        ("lnn        training", 0.2),
        ("baseline   training", 0.2),
        ("baseline   training", 0.2),
        ("baseline   training", 0.2),
        ("lnn        rolling out", 0.1),
        ("baseline   rolling out", 0.1),
        ("writing the report", 0.02),
    ];
    for (words, longest) in moments {
        let mut session = Session::start(&workplace);
        session.wait_for(words);
        sleep(Duration::from_secs_f64(longest * scatter.next()));
        session.kill();
        let (status, said) = session.end();
        let killed = status.signal() == Some(SIGKILL);
        // Writing the report takes a few hundredths of a second: only there may the program win the race.
        assert!(killed || said.contains("writing the report"), "{status}:\n{said}");
        kills += usize::from(killed);
        resumed_in_the_middle += usize::from(starts_in_the_middle(&said));
    }
    assert!(kills >= 7 && resumed_in_the_middle >= 2, "{kills} kills, {resumed_in_the_middle} resumed trainings");
    workplace.succeed(RESUME);
    assert_same_results(&workplace.path("whole"), &workplace.path("run"));
}

/// Whether a session went on with a training that was neither new nor complete.
fn starts_in_the_middle(said: &str) -> bool {
    let complete = format!("from step {STEPS}");
    said.lines().any(|line| line.contains(" training: ") && line.contains("from step") && !line.ends_with(&complete))
}

#[test]
fn ctrl_c_writes_a_checkpoint_from_which_the_run_goes_on() {
    let workplace = with_whole_run();
    for (words, model) in [("lnn        step", "lnn"), ("baseline   step", "baseline"), ("rolling out", "baseline")] {
        let mut session = Session::start(&workplace);
        session.wait_for(words);
        session.interrupt();
        let (status, said) = session.end();
        assert_eq!(status.code(), Some(130), "{said}");
        let last = said.lines().last().unwrap_or_default();
        assert!(last.starts_with("Interrupted.") && last.contains("--resume"), "{said}");
        assert!(!workplace.path("run/summary.json").exists(), "an interrupted run is not finished");
        let found = load_checkpoint(&workplace.path("run"), model).expect("readable").expect("saved");
        assert!(found.notice.is_none() && found.checkpoint.record.step > 0);
    }
    workplace.succeed(RESUME);
    assert_same_results(&workplace.path("whole"), &workplace.path("run"));
}

#[test]
fn a_run_that_cannot_write_its_checkpoint_says_so_and_goes_on_later() {
    let workplace = Workplace::new(&ExperimentConfig { log_every: 300, ..config(300) });
    workplace.succeed("experiment dblpend --config small.ron --out whole");
    // The limit on a file's size stands in for a full disk: 8 KiB hold the configuration but no checkpoint.
    let line = "experiment dblpend --config small.ron --out run --quiet";
    let program = workplace.command(line);
    let mut limited = Command::new("sh");
    limited.args(["-c", r#"trap "" XFSZ; ulimit -f 16; exec "$0" "$@""#]).arg(program.get_program());
    limited.args(program.get_args()).current_dir(workplace.path("")).stdin(Stdio::null());
    let output = limited.output().expect("a shell");
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("error: cannot write") && said.contains("checkpoint-lnn"), "{said}");
    assert!(said.contains("--out") && !said.contains("panicked") && !said.trim_end().contains("\n\n"), "{said}");
    assert_eq!(output.stdout, b"");
    assert!(load_checkpoint(&workplace.path("run"), "lnn").expect("no half file").is_none());

    workplace.succeed(&format!("{line} --resume"));
    assert_same_results(&workplace.path("whole"), &workplace.path("run"));
}
