//! Damaged files of a run: found, said, and mended from what is whole; otherwise refused and left alone.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use lnn_train::backend::Choice;
use lnn_train::config::ExperimentConfig;
use lnn_train::experiment::{Event, Outcome, RunOptions, run};
use lnn_train::store::{StoreError, checkpoint_path, load_checkpoint, load_model, previous_checkpoint_path};

use crate::bad_input::refused;
use crate::small_run::{Workplace, assert_same_results, config, snapshot};

const RESUME: &str = "experiment dblpend --config small.ron --out run --resume --quiet";

/// A checkpoint after every step.
fn checkpointed_config() -> ExperimentConfig {
    ExperimentConfig { checkpoint_every_seconds: 1e-9, ..config(100) }
}

/// A workplace with a finished run in `whole` and, in `run`, the same run stopped in the middle of `model`'s
/// training.
fn stopped_run(model: &str) -> Workplace {
    let config = checkpointed_config();
    let workplace = Workplace::new(&config);
    workplace.succeed("experiment dblpend --config small.ron --out whole");
    let options = RunOptions {
        config: config.validate().expect("usable"),
        folder: workplace.path("run"),
        resume: false,
        threads: 1,
        computes: Choice::default(),
        command: String::new(),
    };
    let stop = AtomicBool::new(false);
    let mut training = String::new();
    let outcome = run(&options, &stop, &mut |event| match event {
        Event::Training { model, .. } => model.clone_into(&mut training),
        Event::Progress(progress) if training == model && progress.step >= 50 => stop.store(true, Ordering::Relaxed),
        _ => {}
    });
    assert!(matches!(outcome, Ok(Outcome::Interrupted)), "{outcome:?}");
    workplace
}

/// Flips one bit in the middle of a file, which lies in its tensors.
fn flip(path: &Path) {
    let mut bytes = fs::read(path).expect("present");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(path, bytes).expect("writable");
}

/// Cuts off a file's second half.
fn truncate(path: &Path) {
    let bytes = fs::read(path).expect("present");
    fs::write(path, &bytes[..bytes.len() / 2]).expect("writable");
}

#[test]
fn a_damaged_checkpoint_is_said_and_the_one_before_is_used() {
    type Harm = fn(&Path);
    let cases: [(&str, Harm, &str); 3] = [
        ("lnn", flip, "do not match its checksum"),
        ("baseline", truncate, "cut short"),
        ("baseline", |path| fs::remove_file(path).expect("present"), "is missing"),
    ];
    for (model, harm, words) in cases {
        let workplace = stopped_run(model);
        let folder = workplace.path("run");
        let step = load_checkpoint(&folder, model).expect("usable").expect("saved").checkpoint.record.step;
        harm(&checkpoint_path(&folder, model));
        let said = workplace.succeed(RESUME).stderr;
        assert!(said.starts_with("note: ") && said.contains(words), "{said}");
        assert!(said.contains(&format!("checkpoint-{model}.safetensors")), "{said}");
        assert!(said.contains("continuing from the previous checkpoint"), "{said}");
        assert!(said.trim_end().ends_with(&format!("at step {}", step - 1)), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert_same_results(&workplace.path("whole"), &folder);
    }
}

#[test]
fn two_damaged_checkpoints_end_the_run_and_nothing_is_overwritten() {
    let workplace = stopped_run("lnn");
    let folder = workplace.path("run");
    flip(&checkpoint_path(&folder, "lnn"));
    truncate(&previous_checkpoint_path(&folder, "lnn"));
    let message = refused(&workplace, RESUME);
    assert!(message.contains("both unusable") && message.contains("--out"), "{message}");
    assert!(message.contains("checksum") && message.contains("cut short"), "{message}");
}

#[test]
fn a_checkpoint_of_another_model_or_configuration_is_not_used() {
    let workplace = stopped_run("lnn");
    let folder = workplace.path("run");
    // From a run with another seed: whole, but not this run's.
    let other = ExperimentConfig { seed: 9, ..checkpointed_config() };
    workplace.write("other.ron", &other.to_ron().expect("plain data"));
    workplace.succeed("experiment dblpend --config other.ron --out other");
    let copy = |from: &Path| {
        for path in [checkpoint_path(&folder, "lnn"), previous_checkpoint_path(&folder, "lnn")] {
            fs::copy(from, path).expect("writable");
        }
    };
    copy(&checkpoint_path(&workplace.path("other"), "lnn"));
    let message = refused(&workplace, RESUME);
    assert!(message.contains("does not fit this training") && message.contains("another configuration"), "{message}");
    copy(&checkpoint_path(&workplace.path("whole"), "baseline"));
    let message = refused(&workplace, RESUME);
    assert!(message.contains("belongs to the model `baseline`"), "{message}");
}

#[test]
fn a_damaged_model_file_is_refused_by_name_and_written_again_by_its_run() {
    let workplace = Workplace::new(&config(30));
    workplace.succeed("experiment dblpend --config small.ron --out run --quiet");
    let path = workplace.path("run/model-lnn.safetensors");
    let before = fs::read(&path).expect("written");
    for (harm, words) in [(flip as fn(&Path), "checksum"), (truncate, "cut short")] {
        harm(&path);
        let error = load_model(&path).expect_err("damaged");
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        let message = error.to_string();
        assert!(message.contains("model-lnn.safetensors") && message.contains(words), "{message}");
        let said = workplace.succeed(RESUME).stderr;
        assert!(said.starts_with("note: ") && said.contains("model-lnn.safetensors"), "{said}");
        assert!(said.contains(words) && said.contains("written again from its checkpoint"), "{said}");
        assert!(fs::read(&path).expect("written") == before, "the same model as before");
    }
    assert_eq!(workplace.succeed(RESUME).stderr, "", "nothing is damaged any more");
}

#[test]
fn a_damaged_metrics_file_or_configuration_of_a_run_is_refused_with_its_line() {
    let workplace = stopped_run("baseline");
    let metrics = workplace.path("run/metrics.jsonl");
    let text = fs::read_to_string(&metrics).expect("written");
    let mut lines: Vec<&str> = text.lines().collect();
    let half = &lines[1][..lines[1].len() / 2];
    lines[1] = half;
    fs::write(&metrics, lines.join("\n") + "\n").expect("writable");
    let message = refused(&workplace, RESUME);
    assert!(message.starts_with("error: line 2 of ") && message.contains("metrics.jsonl"), "{message}");

    let kept = workplace.path("run/config.ron");
    truncate(&kept);
    let message = refused(&workplace, RESUME);
    assert!(message.contains("config.ron, line ") && message.contains("column "), "{message}");
    assert!(!snapshot(&workplace.path("run")).is_empty());
}
