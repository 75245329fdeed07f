//! A small experiment with every part of a real one, run by the real program in a folder of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use lnn_train::config::presets::{BASELINE, LNN};
use lnn_train::config::{
    EvaluationConfig, ExperimentConfig, IntegratorConfig, ModelConfig, ModelKind, SamplingConfig, TrainingConfig,
    TrainingData,
};
use lnn_train::loss::{Loss, LossWeight};
use lnn_train::optimiser::{ClippingConfig, Schedule, SoapSettings};
use serde_json::Value;
use tempfile::TempDir;

/// SOAP with a warmed-up cosine over `steps` steps; the batch is six blocks, so that threads share it unevenly.
pub(crate) fn recipe(steps: u64) -> TrainingConfig {
    TrainingConfig {
        steps,
        batch: 96,
        loss: Loss::RelativePseudoHuber { scale: 0.02 },
        weight: LossWeight::Uniform,
        l2_penalty: 0.0,
        optimiser: SoapSettings::default().into(),
        schedule: Schedule::WarmupCosine {
            peak: 1e-2,
            warmup_steps: steps / 20,
            total_steps: steps,
            final_fraction: 0.0,
        },
        clipping: ClippingConfig::default(),
        gradient_parts: None,
        data: TrainingData::States,
    }
}

/// Both models with two layers of 16, `steps` steps each, judged on a few states and short rollouts.
pub(crate) fn config(steps: u64) -> ExperimentConfig {
    let lnn = ModelConfig { hidden: vec![16, 16], training: recipe(steps), ..ModelConfig::default() };
    let baseline = ModelConfig { kind: ModelKind::Baseline { output_scale: 10.0 }, ..lnn.clone() };
    ExperimentConfig {
        preset: "small".to_owned(),
        // The ranges that the system has of its own, written out.
        sampling: Some(SamplingConfig::default()),
        models: BTreeMap::from([(LNN.to_owned(), lnn), (BASELINE.to_owned(), baseline)]),
        evaluation: EvaluationConfig {
            held_out: 300,
            rollouts: 12,
            t_end: 1.0,
            integrator: IntegratorConfig::Rk4 { dt: 0.01 },
            reference_integrator: IntegratorConfig::DormandPrince {
                relative_tolerance: 1e-10,
                absolute_tolerance: 1e-10,
            },
            ..EvaluationConfig::default()
        },
        log_every: 25,
        ..ExperimentConfig::default()
    }
}

/// A temporary folder in which the program runs, with `small.ron` in it.
pub(crate) struct Workplace {
    root: TempDir,
}

impl Workplace {
    /// A folder with the given configuration in `small.ron`.
    pub(crate) fn new(config: &ExperimentConfig) -> Self {
        let workplace = Self::empty();
        workplace.write("small.ron", &config.to_ron().expect("plain data"));
        workplace
    }

    /// A folder with nothing in it.
    pub(crate) fn empty() -> Self {
        Self { root: tempfile::tempdir().expect("temporary folder") }
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Writes a text file in the folder.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("writable");
    }

    /// The program in the folder, ready to start; `line` is split at blanks. Experiments are computed on the processor
    /// unless `line` says otherwise: a graphics card that happens to be there rounds otherwise.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lnn"));
        let processor = line.starts_with("experiment") && !line.contains("--backend") && !line.contains("--help");
        let line = if processor { format!("{line} --backend cpu") } else { line.to_owned() };
        // A panic would show its backtrace: the tests look for one.
        command.args(line.split_whitespace()).current_dir(&self.root).env("RUST_BACKTRACE", "1").stdin(Stdio::null());
        command
    }

    /// Runs the program in the folder.
    pub(crate) fn run(&self, line: &str) -> Ended {
        Ended::from(self.command(line).output().expect("the program starts"))
    }

    /// Runs the program and insists on success.
    pub(crate) fn succeed(&self, line: &str) -> Ended {
        let ended = self.run(line);
        assert_eq!(ended.code, Some(0), "{line}\n{}", ended.stderr);
        ended
    }
}

/// How the program ended and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// Every file below a folder with its bytes; empty if there is no folder.
pub(crate) fn snapshot(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return files;
    };
    for entry in entries {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            files.extend(snapshot(&path));
        } else {
            let bytes = fs::read(&path).expect("readable");
            files.insert(path, bytes);
        }
    }
    files
}

/// The files of a run that no clock and no number of threads has a part in, by their names in the folder.
pub(crate) fn results(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let timed =
        |name: &str| name.starts_with("checkpoint-") || matches!(name, "summary.json" | "report.html" | ".lock");
    snapshot(folder)
        .into_iter()
        .map(|(path, bytes)| (path.strip_prefix(folder).expect("below").display().to_string(), bytes))
        .filter(|(name, _)| !timed(name))
        .collect()
}

/// `summary.json` without times and threads.
pub(crate) fn timeless_summary(folder: &Path) -> Value {
    let text = fs::read(folder.join("summary.json")).expect("a finished run");
    let mut summary: Value = serde_json::from_slice(&text).expect("JSON");
    let top = summary.as_object_mut().expect("an object");
    for field in ["wall_seconds", "threads"] {
        assert!(top.remove(field).is_some(), "{field}");
    }
    for (name, model) in top["models"].as_object_mut().expect("an object") {
        let removed = model.as_object_mut().expect("an object").remove("train_seconds");
        assert!(removed.is_some(), "{name}");
    }
    summary
}

/// Two finished runs hold the same weights, metrics, trajectories and figures, bit for bit.
pub(crate) fn assert_same_results(left: &Path, right: &Path) {
    let (a, b) = (results(left), results(right));
    assert_eq!(a.keys().collect::<BTreeSet<_>>(), b.keys().collect::<BTreeSet<_>>());
    for needed in ["model-lnn.safetensors", "metrics.jsonl", "trajectories.csv", "config.ron"] {
        assert!(a.contains_key(needed), "{needed}");
    }
    for (name, bytes) in &a {
        assert!(*bytes == b[name], "{name} differs between {} and {}", left.display(), right.display());
    }
    assert_eq!(timeless_summary(left), timeless_summary(right));
}
