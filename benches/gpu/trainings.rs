//! Whole trainings as a person runs them: by `lnn experiment`, with its log lines and checkpoints.

use std::error::Error;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use lnn::train::backend::{Backend, Card, Choice};
use lnn::train::config::{EvaluationConfig, ExperimentConfig, TrainingConfig, preset, presets};
use lnn::train::experiment::{Event, Outcome, RunOptions, run};
use lnn::train::optimiser::Schedule;
use lnn::train::record::{ModelSummary, Summary};
use serde_json::{Value, json};

/// Acceleration L1 that preset `fast` is to reach: the paper's.
const ACCURACY: f64 = 0.073;
/// Steps from which the rate of the paper's training is taken, unless all of them are made.
const STEPS_OF_RATE: u64 = 4000;
/// Models of the ensemble.
const ENSEMBLE: usize = 64;

/// The trainings that were asked for, each as JSON.
pub(crate) fn measure(card: &Card, quick: bool, whole: bool) -> Result<Value, Box<dyn Error>> {
    eprintln!("training of the authors' notebook");
    let paper = paper(card, quick, whole)?;
    eprintln!("training of preset fast");
    let fast = fast(card, quick)?;
    eprintln!("trainings of preset fast side by side");
    Ok(json!({ "paper": paper, "fast": fast, "ensemble": ensemble(card, quick)? }))
}

/// The double pendulum's Lagrangian network by the authors' own recipe: the rate of its steps, and from that the time of
/// all of them, or that time itself.
fn paper(card: &Card, quick: bool, whole: bool) -> Result<Value, Box<dyn Error>> {
    let mut config = lagrangian("notebook")?;
    if quick {
        tiny(&mut config);
    }
    let (what, steps) = (in_words(&config), config.models[presets::LNN].training.steps);
    if !whole {
        config.evaluation = little();
        shorten(&mut config, steps.min(STEPS_OF_RATE));
    }
    let (summary, _) = train(card, config)?;
    let ModelSummary { steps: made, train_seconds: seconds, acceleration_l1, .. } = summary.models[presets::LNN];
    let rate = made as f64 / seconds;
    Ok(json!({
        "what": what,
        "steps": steps,
        "measured_steps": made,
        "measured_seconds": seconds,
        "steps_a_second": rate,
        // By the rate, unless all steps were made.
        "seconds": if made == steps { seconds } else { steps as f64 / rate },
        "acceleration_l1": (made == steps).then_some(acceleration_l1),
    }))
}

/// Preset `fast`: its time in all, and at the first log line at which it is as accurate as the paper.
fn fast(card: &Card, quick: bool) -> Result<Value, Box<dyn Error>> {
    let mut config = lagrangian("fast")?;
    // Only rollouts are left out, which come after the training.
    config.evaluation = EvaluationConfig { held_out: config.evaluation.held_out, ..little() };
    if quick {
        tiny(&mut config);
    }
    let (summary, seconds_to_accuracy) = train(card, config)?;
    let ModelSummary { steps, train_seconds: seconds, acceleration_l1, .. } = summary.models[presets::LNN];
    Ok(json!({
        "steps": steps,
        "seconds": seconds,
        "acceleration_l1": acceleration_l1,
        "accuracy": ACCURACY,
        "seconds_to_accuracy": seconds_to_accuracy,
    }))
}

/// Many models of preset `fast` side by side: the time of all their trainings, and how accurate they became.
fn ensemble(card: &Card, quick: bool) -> Result<Value, Box<dyn Error>> {
    let mut config = lagrangian("fast")?;
    config.evaluation = EvaluationConfig { held_out: config.evaluation.held_out, ..little() };
    config.ensemble = ENSEMBLE;
    if quick {
        tiny(&mut config);
        config.ensemble = 3;
    }
    let (summary, _) = train(card, config)?;
    let ensemble = summary.ensemble.ok_or("an ensemble without a summary of its members")?;
    let members = &ensemble.models[presets::LNN];
    Ok(json!({
        "models": ensemble.members,
        "lost": members.lost,
        "steps": summary.models[presets::LNN].steps,
        "seconds": members.train_seconds,
        "acceleration_l1": members.spread.acceleration_l1.median,
    }))
}

/// A preset of the double pendulum with its Lagrangian network alone.
fn lagrangian(name: &str) -> Result<ExperimentConfig, Box<dyn Error>> {
    let mut config = preset("dblpend", name)?;
    config.models.retain(|name, _| name == presets::LNN);
    Ok(config)
}

/// The network, and its steps.
fn in_words(config: &ExperimentConfig) -> String {
    let model = &config.models[presets::LNN];
    let TrainingConfig { steps, batch, .. } = model.training;
    format!("{}×{}, {steps} steps of {batch}", model.hidden.len(), model.hidden[0])
}

/// So many steps, at a rate that stays: a schedule ends with its steps.
fn shorten(config: &mut ExperimentConfig, steps: u64) {
    for model in config.models.values_mut() {
        (model.training.steps, model.training.schedule) = (steps, Schedule::Constant { rate: 1e-5 });
    }
}

/// As little of what comes after a training as there can be.
fn little() -> EvaluationConfig {
    EvaluationConfig { held_out: 100, rollouts: 1, t_end: 0.1, ..EvaluationConfig::default() }
}

/// To see that all runs, not how fast.
fn tiny(config: &mut ExperimentConfig) {
    config.log_every = 10;
    shorten(config, 20);
    for model in config.models.values_mut() {
        (model.hidden, model.training.batch) = (vec![16; 2], 32);
    }
}

/// Runs the experiment in a folder that is gone afterwards: its summary, and the seconds to the first log line at which a
/// model is as accurate as the paper's.
fn train(card: &Card, config: ExperimentConfig) -> Result<(Summary, Option<f64>), Box<dyn Error>> {
    let place = tempfile::tempdir()?;
    let origin = format!("preset {}", config.preset);
    let config = config.validate().map_err(|problems| format!("{origin}: {problems:?}"))?;
    let options = RunOptions {
        command: "cargo xtask bench gpu".to_owned(),
        config,
        folder: place.path().join("run"),
        resume: false,
        threads: 0,
        computes: Choice { backend: Backend::Gpu { card: Box::new(card.clone()), falls_back: false }, reason: None },
    };
    let (mut start, mut seconds_to_accuracy) = (Instant::now(), None);
    let mut observe = |event: Event<'_>| match event {
        Event::Training { .. } => start = Instant::now(),
        Event::Progress(progress) if progress.logged && progress.acceleration_l1.is_some_and(|l1| l1 <= ACCURACY) => {
            seconds_to_accuracy.get_or_insert_with(|| start.elapsed().as_secs_f64());
        }
        Event::Notice(text) => eprintln!("note: {text}"),
        _ => {}
    };
    match run(&options, &AtomicBool::new(false), &mut observe)? {
        Outcome::Finished { summary, .. } => Ok((*summary, seconds_to_accuracy)),
        Outcome::Interrupted => Err(format!("{origin}: it was interrupted, and nobody asked for that").into()),
    }
}
