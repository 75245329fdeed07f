//! A graphics card that fails in the middle of a training.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use lnn_gpu::device::{AdapterChoice, Device, DeviceError};
use lnn_gpu::kernels;
use lnn_train::backend::{Backend, Card, Choice};
use lnn_train::config::{EvaluationConfig, ExperimentConfig, presets};
use lnn_train::experiment::{Event, ExperimentError, Outcome, RunOptions, run};
use lnn_train::fit::{FitError, StepError};
use lnn_train::record::{MetricsLine, Summary};
use lnn_train::store::read_metrics;

use crate::trainings::{BY_ADAM, adam, config, lagrangian};

/// A Lagrangian network that is judged on little, with a checkpoint at every look.
fn small() -> ExperimentConfig {
    let mut config = config(lagrangian(), adam());
    config.log_every = 5;
    config.checkpoint_every_seconds = 1e-3;
    config.evaluation = EvaluationConfig { held_out: 50, rollouts: 2, t_end: 0.3, ..EvaluationConfig::default() };
    config
}

/// Gives the card a command that its validation refuses; nothing that comes after it is computed.
fn spoil(device: &Device) {
    let kernel = device.kernel(kernels::SUM_BLOCKS.only(), &[]).expect("compiled");
    let lengths = device.constants("lengths", 8_u32).expect("room");
    let values = device.buffer::<f32>("values", 8).expect("room");
    // One buffer cannot be read and written by the same dispatch.
    let bound = kernel.bind(device, &[(&lengths).into(), (&values).into(), (&values).into()]).expect("bound");
    let mut recorder = device.recorder("conflict");
    recorder.dispatch(&bound, [1, 1, 1]);
    let error = recorder.submit().expect_err("a conflict");
    assert!(matches!(error, DeviceError::Refusal { .. }), "{error}");
}

struct Run {
    outcome: Result<Outcome, ExperimentError>,
    notices: Vec<String>,
    /// Where each session of the training began.
    sessions: Vec<u64>,
}

/// Runs `small` in `folder`; a device is spoiled as soon as `at` steps are logged.
fn run_in(folder: &Path, backend: Backend, resume: bool, at: u64) -> Run {
    let device = match &backend {
        Backend::Gpu { card, .. } => Some(card.device().clone()),
        Backend::Cpu => None,
    };
    let options = RunOptions {
        config: small().validate().expect("usable"),
        folder: folder.to_owned(),
        resume,
        threads: 2,
        computes: Choice { backend, reason: None },
        command: "a test".to_owned(),
    };
    let (mut notices, mut sessions, mut spoiled) = (Vec::new(), Vec::new(), false);
    let outcome = run(&options, &AtomicBool::new(false), &mut |event| match event {
        Event::Notice(notice) => notices.push(notice),
        Event::Training { from_step, .. } => sessions.push(from_step),
        Event::Progress(progress) if progress.logged && progress.step >= at && !spoiled => {
            spoiled = true;
            device.iter().for_each(spoil);
        }
        _ => {}
    });
    Run { outcome, notices, sessions }
}

/// Of its own, since it is of no use afterwards.
fn card(falls_back: bool) -> Backend {
    let card = Card::open(&AdapterChoice::Best, None).expect("an adapter");
    Backend::Gpu { card: Box::new(card), falls_back }
}

/// Every line once, each with the loss of a training that nothing happened to.
fn lines_are_whole(folder: &Path, whole: &[MetricsLine]) {
    let lines = read_metrics(&folder.join("metrics.jsonl")).expect("written");
    let steps = |lines: &[MetricsLine]| lines.iter().map(|line| (line.model.clone(), line.step)).collect::<Vec<_>>();
    assert_eq!(steps(&lines), steps(whole));
    for (line, whole) in lines.iter().zip(whole) {
        assert!((line.loss - whole.loss).abs() <= BY_ADAM * whole.loss, "{line:?} {whole:?}");
    }
}

#[test]
fn the_processor_goes_on_where_the_card_has_failed_or_the_user_is_told_how() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = |name: &str| place.path().join(name);
    let whole = run_in(&folder("processor"), Backend::Cpu, false, 0);
    assert!(matches!(whole.outcome, Ok(Outcome::Finished { .. })));
    let whole = read_metrics(&folder("processor").join("metrics.jsonl")).expect("written");

    let run = run_in(&folder("either"), card(true), false, 20);
    let Ok(Outcome::Finished { summary, .. }) = run.outcome else { panic!("{:?}", run.outcome) };
    assert!(run.notices.iter().any(|notice| notice.contains("the processor goes on")), "{:?}", run.notices);
    let [0, from] = run.sessions[..] else { panic!("{:?}", run.sessions) };
    // What is logged is seen before the checkpoint of the same step is written.
    assert!((10..50).contains(&from), "from the last checkpoint: {from}");
    lines_are_whole(&folder("either"), &whole);
    let Summary { backend, device, .. } = *summary;
    assert_eq!(backend, "gpu, then cpu");
    assert!(device.contains(", then "), "{device}");

    let run = run_in(&folder("card"), card(false), false, 20);
    let error = run.outcome.expect_err("the card has failed");
    let ExperimentError::Fit(FitError::Step { step, source: StepError::Device(_), .. }) = &error else {
        panic!("{error}")
    };
    assert!((20..50).contains(step), "{step}");
    let said = error.to_string();
    assert!(
        said.contains("the last checkpoint is kept") && said.contains("--resume") && said.contains("--backend cpu"),
        "{said}"
    );
    let run = run_in(&folder("card"), Backend::Cpu, true, 0);
    assert!(matches!(run.outcome, Ok(Outcome::Finished { .. })), "{:?}", run.outcome);
    assert!(run.sessions[0] >= 10, "{:?}", run.sessions);
    lines_are_whole(&folder("card"), &whole);
}

#[test]
fn a_batch_that_the_adapter_has_no_room_for_names_the_limit() {
    let place = tempfile::tempdir().expect("a folder");
    let mut config = small();
    let Backend::Gpu { card, .. } = card(false) else { unreachable!("a card") };
    let adapter = card.device().adapter();
    // Four channels of a layer's units for each sample of a batch.
    let width = adapter.largest_binding.min(adapter.largest_buffer) / (4 * 4096 * 4) + 1;
    let lnn = config.models.get_mut(presets::LNN).expect("there");
    (lnn.training.batch, lnn.hidden) = (4096, vec![width as usize]);
    let config = config.validate().expect("usable");
    let options = RunOptions {
        config,
        folder: place.path().join("run"),
        resume: false,
        threads: 2,
        computes: Choice { backend: Backend::Gpu { card, falls_back: false }, reason: None },
        command: "a test".to_owned(),
    };
    let error = run(&options, &AtomicBool::new(false), &mut |_| {}).expect_err("too large").to_string();
    for words in ["bytes a b", "offers", "use a smaller batch or network"] {
        assert!(error.contains(words), "{words}: {error}");
    }
}
