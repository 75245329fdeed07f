//! Whole trainings as a person runs them: by `lnn experiment`, with its log lines and checkpoints.

use std::error::Error;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use lnn::train::backend::{Backend, Card, Choice};
use lnn::train::config::{EvaluationConfig, ExperimentConfig, TrainingConfig, preset, presets};
use lnn::train::experiment::{Event, Outcome, RunOptions, run};
use lnn::train::fit::Progress;
use lnn::train::optimiser::Schedule;
use lnn::train::record::{ModelSummary, Summary};
use serde_json::{Value, json};

/// The paper's acceleration L1.
const ACCURACY: f64 = 0.073;
/// Steps of the paper's training that are made for its rate, unless all of them are made.
const STEPS_OF_RATE: u64 = 4000;
/// Seconds from one checkpoint to the next where there is to be none: a day.
const LONGER_THAN_ANY: f64 = 86_400.0;
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

/// The double pendulum's Lagrangian network by the authors' own recipe: the time of all its steps, or that by the rate of
/// some and the time of a checkpoint.
fn paper(card: &Card, quick: bool, whole: bool) -> Result<Value, Box<dyn Error>> {
    let mut config = lagrangian("notebook")?;
    if quick {
        tiny(&mut config);
    }
    let (what, steps) = (in_words(&config), config.models[presets::LNN].training.steps);
    let (log_every, checkpoint_every) = (config.log_every, config.checkpoint_every_seconds);
    if !whole {
        shorten(&mut config, steps.min(STEPS_OF_RATE));
        // None but the one after the last step.
        config.checkpoint_every_seconds = LONGER_THAN_ANY;
    }
    let (summary, lines) = train(card, config)?;
    let ModelSummary { steps: made, train_seconds, acceleration_l1, .. } = summary.models[presets::LNN];
    if whole {
        return Ok(json!({
            "what": what,
            "steps": steps,
            "measured_steps": made,
            "seconds": train_seconds,
            "acceleration_l1": acceleration_l1,
        }));
    }
    let Stretch { steps: measured_steps, seconds: measured_seconds, checkpoint } =
        Stretch::of(&lines, log_every, train_seconds)?;
    let stepping = steps as f64 * measured_seconds / measured_steps as f64;
    Ok(json!({
        "what": what,
        "steps": steps,
        "measured_steps": measured_steps,
        "measured_seconds": measured_seconds,
        "checkpoint_seconds": checkpoint,
        "seconds": stepping + stepping / checkpoint_every * checkpoint,
        "acceleration_l1": null,
    }))
}

/// The part of a training from its first regular log line to its last one. Each line in it is judged as all are, and what a
/// training does but once lies before it.
struct Stretch {
    steps: u64,
    seconds: f64,
    /// Seconds of the checkpoint after it.
    checkpoint: f64,
}

impl Stretch {
    /// Of a training that took so many seconds with the checkpoint after its last line.
    fn of(lines: &[Line], log_every: u64, train_seconds: f64) -> Result<Self, String> {
        let first = lines.iter().find(|line| line.step == log_every);
        match (first, lines.last()) {
            (Some(first), Some(last)) if last.step > first.step => Ok(Self {
                steps: last.step - first.step,
                seconds: last.seconds - first.seconds,
                checkpoint: (train_seconds - last.seconds).max(0.0),
            }),
            _ => Err(format!("a training without two log lines that lie {log_every} steps apart has no steady rate")),
        }
    }
}

/// Preset `fast`: its time in all, and at the first log line at which it is as accurate as the paper.
fn fast(card: &Card, quick: bool) -> Result<Value, Box<dyn Error>> {
    let mut config = lagrangian("fast")?;
    if quick {
        tiny(&mut config);
    }
    let (summary, lines) = train(card, config)?;
    let accurate = lines.iter().find(|line| line.acceleration_l1.is_some_and(|l1| l1 <= ACCURACY));
    let ModelSummary { steps, train_seconds: seconds, acceleration_l1, .. } = summary.models[presets::LNN];
    Ok(json!({
        "steps": steps,
        "seconds": seconds,
        "acceleration_l1": acceleration_l1,
        "accuracy": ACCURACY,
        "seconds_to_accuracy": accurate.map(|line| line.seconds),
    }))
}

/// Many models of preset `fast` side by side: the time of all their trainings, and how accurate they became.
fn ensemble(card: &Card, quick: bool) -> Result<Value, Box<dyn Error>> {
    let mut config = lagrangian("fast")?;
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

/// A preset of the double pendulum with its Lagrangian network alone. Its log lines are judged on as many states as the
/// preset has them; only rollouts, which come after the training, are as few as there can be.
fn lagrangian(name: &str) -> Result<ExperimentConfig, Box<dyn Error>> {
    let mut config = preset("dblpend", name)?;
    config.models.retain(|name, _| name == presets::LNN);
    config.evaluation = EvaluationConfig { rollouts: 1, t_end: 0.1, ..config.evaluation };
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

/// To see that all runs, not how fast.
fn tiny(config: &mut ExperimentConfig) {
    config.log_every = 10;
    shorten(config, 20);
    for model in config.models.values_mut() {
        (model.hidden, model.training.batch) = (vec![16; 2], 32);
    }
}

/// A log line of a training.
struct Line {
    step: u64,
    /// From the training's start to the line's end.
    seconds: f64,
    acceleration_l1: Option<f64>,
}

/// Runs the experiment in a folder that is gone afterwards: its summary, and its log lines.
fn train(card: &Card, config: ExperimentConfig) -> Result<(Summary, Vec<Line>), Box<dyn Error>> {
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
    let (mut start, mut lines) = (Instant::now(), Vec::new());
    let mut observe = |event: Event<'_>| match event {
        Event::Training { .. } => start = Instant::now(),
        Event::Progress(Progress { step, acceleration_l1, logged: true, .. }) => {
            lines.push(Line { step, seconds: start.elapsed().as_secs_f64(), acceleration_l1 });
        }
        Event::Notice(text) => eprintln!("note: {text}"),
        _ => {}
    };
    match run(&options, &AtomicBool::new(false), &mut observe)? {
        Outcome::Finished { summary, .. } => Ok((*summary, lines)),
        Outcome::Interrupted => Err(format!("{origin}: it was interrupted, and nobody asked for that").into()),
    }
}
