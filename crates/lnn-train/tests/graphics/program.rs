//! The program with a graphics card: a whole experiment, and what it refuses.

use std::path::Path;
use std::process::{Command, Output};

use lnn_gpu::device::AdapterChoice;
use lnn_train::backend::Asked;
use lnn_train::backend::cache::CacheFolder;
use lnn_train::config::{EvaluationConfig, ExperimentConfig, ModelKind, presets};
use lnn_train::optimiser::SoapSettings;
use lnn_train::store::{checkpoint_path, load_checkpoint, previous_checkpoint_path, read_metrics};
use serde_json::Value;

use crate::trainings::{config, device, lagrangian};

fn lnn(folder: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lnn"));
    // Not the cache of whoever runs the tests.
    command.env(CacheFolder::VARIABLE, "cache");
    command.args(line.split_whitespace()).current_dir(folder).output().expect("the program starts")
}

fn succeed(folder: &Path, line: &str) -> String {
    let output = lnn(folder, line);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{line}\n{said}");
    said
}

fn refused(folder: &Path, line: &str) -> String {
    let output = lnn(folder, line);
    assert_eq!(output.status.code(), Some(1), "{line}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Both models of the paper, a Lagrangian and a plain network, judged on little.
fn small() -> ExperimentConfig {
    let mut config = config(lagrangian(), SoapSettings::default().into());
    let lnn = config.models[presets::LNN].clone();
    let baseline = lnn_train::config::ModelConfig { kind: ModelKind::Baseline { output_scale: 10.0 }, ..lnn };
    config.models.insert(presets::BASELINE.to_owned(), baseline);
    config.preset = "small".to_owned();
    config.log_every = 5;
    config.evaluation = EvaluationConfig { held_out: 100, rollouts: 3, t_end: 0.5, ..EvaluationConfig::default() };
    config
}

/// The adapter of the other tests, by its kind.
fn adapter() -> String {
    device().adapter().kind.name().to_owned()
}

fn kind() -> AdapterChoice {
    adapter().parse().expect("the name of a kind")
}

fn summary(folder: &Path) -> Value {
    let text = std::fs::read(folder.join("summary.json")).expect("a finished run");
    serde_json::from_slice(&text).expect("JSON")
}

#[test]
fn an_experiment_has_the_losses_of_the_processor_and_says_what_computed() {
    let place = tempfile::tempdir().expect("a folder");
    let place = place.path();
    std::fs::write(place.join("small.ron"), small().to_ron().expect("plain data")).expect("writable");
    let said = succeed(
        place,
        &format!("experiment dblpend --config small.ron --out card --backend gpu --adapter {}", adapter()),
    );
    let name = &device().adapter().name;
    assert!(said.contains("Backend gpu: ") && said.contains(name.as_str()), "{said}");
    assert!(said.contains("default tiles"), "{said}");
    succeed(place, "experiment dblpend --config small.ron --out processor --backend cpu");
    let [card, processor] =
        ["card", "processor"].map(|run| read_metrics(&place.join(run).join("metrics.jsonl")).expect("written"));
    assert_eq!(card.len(), processor.len());
    assert!(card.len() > 20, "{}", card.len());
    for (a, b) in card.iter().zip(&processor) {
        assert_eq!((&a.model, a.step, a.samples, a.skipped_steps), (&b.model, b.step, b.samples, b.skipped_steps));
        assert!((a.loss - b.loss).abs() <= 0.01 * b.loss, "{} at {}: {} and {}", a.model, a.step, a.loss, b.loss);
        assert_eq!(a.learning_rate, b.learning_rate);
    }
    let (of_card, of_processor) = (summary(&place.join("card")), summary(&place.join("processor")));
    assert_eq!((&of_card["backend"], &of_processor["backend"]), (&"gpu".into(), &"cpu".into()));
    assert!(of_card["device"].as_str().is_some_and(|device| device.contains(name.as_str())), "{of_card}");
    let page = std::fs::read_to_string(place.join("card/report.html")).expect("written");
    assert!(page.contains("--backend gpu"), "the command that repeats the run");
    // Judged again without a card, what computed the trainings stays what it was.
    succeed(place, "experiment dblpend --config small.ron --out card --resume --backend cpu");
    assert_eq!(summary(&place.join("card"))["backend"], "gpu");
}

/// The preset that is made for it: losses of the first 200 steps within 1 %, and an accuracy of the same class, where
/// seeds differ by a third.
#[test]
fn a_whole_training_ends_with_the_accuracy_of_the_processor() {
    let place = tempfile::tempdir().expect("a folder");
    let place = place.path();
    let line = "experiment dblpend --preset small --models lnn";
    succeed(place, &format!("{line} --out card --backend gpu --adapter {}", adapter()));
    succeed(place, &format!("{line} --out processor --backend cpu"));
    let [card, processor] =
        ["card", "processor"].map(|run| read_metrics(&place.join(run).join("metrics.jsonl")).expect("written"));
    let early = card.iter().zip(&processor).take_while(|(line, _)| line.step <= 200);
    let mut compared = 0;
    for (a, b) in early {
        assert_eq!(a.step, b.step);
        assert!((a.loss - b.loss).abs() <= 0.01 * b.loss, "step {}: {} and {}", a.step, a.loss, b.loss);
        compared = a.step;
    }
    assert_eq!(compared, 200);
    let [card, processor] = ["card", "processor"].map(|run| {
        let lnn = &summary(&place.join(run))["models"]["lnn"];
        assert_eq!((&lnn["steps"], &lnn["skipped_steps"]), (&4000.into(), &0.into()));
        assert_eq!(lnn["energy_error_percent"]["failed"], 0, "{lnn}");
        lnn["acceleration_l1"].as_f64().expect("a number")
    });
    // The true accelerations are some tens.
    assert!(processor < 2.0, "{processor}");
    assert!((0.5..2.0).contains(&(card / processor)), "{card} and {processor}");
}

/// Resident memory of a process, in bytes.
#[cfg(target_os = "linux")]
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("a running process");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("its resident memory");
    let kilobytes: u64 = line.split_whitespace().nth(1).expect("a number").parse().expect("a number");
    1024 * kilobytes
}

/// Six thousand steps, in submissions that have all grown to their full size in the first thousand.
#[cfg(target_os = "linux")]
#[test]
fn a_long_run_holds_its_memory() {
    use std::io::{BufRead as _, BufReader};

    use lnn_train::optimiser::Schedule;

    const STEPS: u64 = 6000;
    let place = tempfile::tempdir().expect("a folder");
    let mut config = config(lagrangian(), SoapSettings::default().into());
    let training = &mut config.models.get_mut(presets::LNN).expect("there").training;
    (training.steps, training.batch) = (STEPS, 16);
    training.schedule = Schedule::WarmupCosine { peak: 1e-3, warmup_steps: 0, total_steps: STEPS, final_fraction: 0.0 };
    config.log_every = 250;
    config.evaluation = EvaluationConfig { held_out: 100, rollouts: 1, t_end: 0.1, ..EvaluationConfig::default() };
    std::fs::write(place.path().join("long.ron"), config.to_ron().expect("plain data")).expect("writable");
    let line = format!("experiment dblpend --config long.ron --backend gpu --adapter {} --json", adapter());
    let mut child = Command::new(env!("CARGO_BIN_EXE_lnn"))
        .args(line.split_whitespace())
        .current_dir(place.path())
        .env(CacheFolder::VARIABLE, "cache")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut held = Vec::new();
    for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
        let event: Value = serde_json::from_str(&line.expect("text")).expect("JSON");
        if let Some(step) = event["step"].as_u64()
            && event["event"] == "progress"
        {
            held.push((step, resident(child.id())));
        }
    }
    assert!(child.wait().expect("its end").success());
    let at = |wanted: u64| held.iter().find(|(step, _)| *step >= wanted).expect("a log line").1;
    let (early, late) = (at(STEPS / 4), held.last().expect("log lines").1);
    // 256 bytes a step, which would be 24 MiB in 10⁵ steps; what the allocator does in pages is below it.
    assert!(late <= early + 256 * STEPS, "{early} bytes at first, {late} at last: {held:?}");
}

/// Side by side where there are kernels for it and else one after the other; killed between the saves of two members it goes on
/// from the earlier one, and ends with the same bytes.
#[test]
fn an_ensemble_has_the_losses_of_the_processor_and_survives_a_kill_between_two_saves() {
    let place = tempfile::tempdir().expect("a folder");
    let place = place.path();
    let config = ExperimentConfig { ensemble: 2, checkpoint_every_seconds: 0.01, ..small() };
    std::fs::write(place.join("small.ron"), config.to_ron().expect("plain data")).expect("writable");
    let line = format!("experiment dblpend --config small.ron --out card --backend gpu --adapter {}", adapter());
    let said = succeed(place, &line);
    assert!(said.contains("lnn        training seeds 0 to 1 side by side, 401 parameters each"), "{said}");
    assert!(said.contains("note: baseline: its 2 members are trained one after the other"), "{said}");
    succeed(place, "experiment dblpend --config small.ron --out processor --backend cpu");
    let lines = |run: &str| {
        let mut lines = read_metrics(&place.join(run).join("metrics.jsonl")).expect("written");
        // The card writes those of both members at a step, the processor those of one after the other.
        lines.sort_by_key(|line| (line.model.clone(), line.seed, line.step));
        lines
    };
    let (card, processor) = (lines("card"), lines("processor"));
    assert!(card.len() == processor.len() && card.len() > 40, "{} {}", card.len(), processor.len());
    for (a, b) in card.iter().zip(&processor) {
        assert_eq!((&a.model, a.seed, a.step, a.skipped_steps), (&b.model, b.seed, b.step, b.skipped_steps));
        let name = format!("{} of seed {:?} at {}", a.model, a.seed, a.step);
        assert!((a.loss - b.loss).abs() <= 0.01 * b.loss, "{name}: {} and {}", a.loss, b.loss);
    }

    let run = place.join("card");
    let files = ["model-lnn.seed0", "model-lnn.seed1"].map(|name| run.join(format!("{name}.safetensors")));
    let whole = files.each_ref().map(|file| std::fs::read(file).expect("written"));
    let log = std::fs::read(run.join("metrics.jsonl")).expect("written");
    let step = |name: &str| load_checkpoint(&run, name).expect("readable").expect("saved").checkpoint.record.step;
    std::fs::rename(previous_checkpoint_path(&run, "lnn.seed1"), checkpoint_path(&run, "lnn.seed1"))
        .expect("two saves");
    let (ahead, behind) = (step("lnn.seed0"), step("lnn.seed1"));
    assert!(ahead == 50 && behind < ahead, "{ahead} {behind}");
    for file in files.iter().chain([&run.join("summary.json")]) {
        std::fs::remove_file(file).expect("there");
    }
    let said = succeed(place, &format!("{line} --resume"));
    assert!(said.contains(&format!("side by side, 401 parameters each, 50 steps, from step {behind}")), "{said}");
    assert!(files.each_ref().map(|file| std::fs::read(file).expect("written")) == whole, "the same bytes");
    let sorted = |bytes: &[u8]| {
        let mut lines: Vec<String> = String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    // The lines of the model that is trained last are written again.
    assert_eq!(sorted(&std::fs::read(run.join("metrics.jsonl")).expect("written")), sorted(&log));
}

#[test]
fn an_ensemble_without_room_is_refused_or_computed_by_the_processor() {
    let mut config = ExperimentConfig { ensemble: 1024, ..small() };
    let lnn = config.models.get_mut(presets::LNN).expect("there");
    (lnn.hidden, lnn.training.batch) = (vec![64; 8], 1 << 12);
    let choose = |asked| lnn_train::backend::choose(asked, Some(&kind()), None, &config);
    let message = choose(Asked::Gpu).expect_err("hundreds of GiB").to_string();
    for words in ["1024 members of `lnn` side by side need about", "offers", "smaller --ensemble"] {
        assert!(message.contains(words), "{words}: {message}");
    }
    // Eight hidden layers keep six numbers a unit and sample.
    let kept = 1024 * 8 * 6 * 64 * (1 << 12) * 4 / (1 << 20);
    let megabytes = message.split("about ").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<u64>().ok());
    assert!(megabytes.is_some_and(|megabytes| (kept..2 * kept).contains(&megabytes)), "{kept}: {message}");
    let choice = choose(Asked::Auto).expect("the processor");
    assert_eq!(choice.backend.name(), "cpu");
    assert!(choice.reason.is_some_and(|reason| reason.contains("1024 members of `lnn`")));
}

#[test]
fn what_has_no_kernels_is_refused_before_anything_is_written() {
    let place = tempfile::tempdir().expect("a folder");
    let place = place.path();
    for (line, words) in [
        ("experiment dblpend --preset models --backend gpu", "`delan` is a deep Lagrangian network"),
        ("experiment dblpend --train-on trajectories --backend gpu", "`lnn` learns from trajectories"),
        ("experiment wave --backend gpu", "no kernels for `wave`"),
        ("experiment properties --backend gpu", "no kernels for `properties`"),
        ("experiment initialisation --adapter best", "no kernels for `initialisation`"),
        ("experiment dblpend --backend cpu --adapter best", "leave one of them out"),
        ("experiment dblpend --backend gpu --adapter abacus", "no graphics adapter fits `abacus`"),
        ("experiment dblpend --adapter abacus", "no graphics adapter fits `abacus`"),
    ] {
        let said = refused(place, line);
        assert!(said.contains(words), "{line}\n{said}");
        assert!(!place.join("runs").exists(), "{line}");
    }
}

#[test]
fn what_is_left_to_the_program_is_said_with_the_reason() {
    let place = tempfile::tempdir().expect("a folder");
    let said = succeed(place.path(), "experiment dblpend --preset models --models delan --trial");
    assert!(said.contains("--backend auto chose cpu: graphics cards have no kernels"), "{said}");
    let output = lnn(place.path(), "experiment dblpend --models lnn --trial --out b --json");
    let text = String::from_utf8(output.stdout).expect("text");
    let started: Value = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
    let hardware = matches!(device().adapter().kind.name(), "discrete" | "integrated" | "virtual");
    assert_eq!(started["backend"], if hardware { "gpu" } else { "cpu" }, "{started}");
    assert!(started["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{started}");
}
