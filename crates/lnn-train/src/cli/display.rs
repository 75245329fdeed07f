//! What a person sees while an experiment runs: progress bars on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use lnn_train::experiment::Event;
use lnn_train::fit::Progress;
use lnn_train::store::{RunState, member_name};

use super::event_line::event_line;
use super::output::{OutputArguments, print_json, say};

/// Time between two plain lines.
const LINE_INTERVAL: Duration = Duration::from_secs(2);
/// Time after which a long training's remaining time is announced from its measured rate.
const ESTIMATE_AFTER: Duration = Duration::from_secs(3);
/// Remaining time that is worth an announcement.
const LONG: Duration = Duration::from_secs(120);

/// Shows events: to a person on standard error, to a program as lines of JSON on standard output.
pub(super) struct Display {
    output: OutputArguments,
    terminal: bool,
    /// Whether the configuration holds `model`, and not `models` by name.
    one_model: bool,
    bar: Option<ProgressBar>,
    model: String,
    steps: u64,
    started: Instant,
    announced: bool,
    last_line: Option<Instant>,
}

impl Display {
    /// For a run whose configuration holds one model.
    pub(super) fn of_one_model(output: OutputArguments) -> Self {
        Self { one_model: true, ..Self::new(output) }
    }

    pub(super) fn new(output: OutputArguments) -> Self {
        Self {
            output,
            one_model: false,
            terminal: std::io::stderr().is_terminal(),
            bar: None,
            model: String::new(),
            steps: 0,
            started: Instant::now(),
            announced: false,
            last_line: None,
        }
    }

    pub(super) fn show(&mut self, event: Event<'_>) {
        if self.output.json {
            if let Event::Training { model, .. } = &event {
                self.model = (*model).to_owned();
            }
            if let Some(line) = event_line(&event, &self.model) {
                // A reader that has gone must not end a training.
                let _ = print_json(&line);
            }
            return;
        }
        // A damaged file is said even when nothing else is.
        if let Event::Notice(text) = &event {
            self.line(&format!("note: {text}"));
            return;
        }
        if self.output.quiet {
            return;
        }
        match event {
            Event::Started { folder, backend, device, reason, threads, state } => {
                self.line(&format!(
                    "Backend {backend}: {device}, {threads} thread(s). Run folder: {}",
                    folder.display()
                ));
                if let Some(reason) = reason {
                    self.line(&format!("--backend auto chose {backend}: {reason}."));
                }
                match state {
                    RunState::New => {}
                    RunState::Unfinished => self.line("Going on with the unfinished run."),
                    RunState::Finished => self.line("The run is finished; judging its models again."),
                }
            }
            Event::Planned { model, tiles } => self.line(&format!("{model:<10} {tiles}")),
            Event::Training { model, seeds, parameters, from_step, steps } => {
                self.start((model, seeds), parameters, from_step, steps);
            }
            Event::Progress(progress) => self.progress(&progress),
            Event::Trained(result) => {
                self.clear();
                let skipped = match result.skipped_steps {
                    0 => "no step skipped".to_owned(),
                    n => format!("{n} step(s) skipped for a loss or gradient that was not finite"),
                };
                let seconds = result.train_seconds;
                self.line(&format!("{:<10} {} steps in {seconds:.1} s, {skipped}", self.model, result.steps));
            }
            Event::Judging { model } => self.spinner(format!("{model:<10} rolling out and judging")),
            Event::Reporting => self.spinner("writing the report".to_owned()),
            Event::Notice(_) => {}
            Event::IdleThreads { model, used, threads } => self.line(&format!(
                "note: a step of {model} is shared by at most {used} of the {threads} threads; \
                 {}.training.gradient_parts can raise that",
                if self.one_model { "model".to_owned() } else { format!("models.{model}") }
            )),
        }
    }

    pub(super) fn finish(&mut self) {
        self.clear();
    }

    fn start(&mut self, (model, seeds): (&str, &[u64]), parameters: usize, from_step: u64, steps: u64) {
        self.clear();
        self.model = member_name(model, if let [seed] = seeds { Some(*seed) } else { None });
        let model = &self.model;
        self.steps = steps;
        (self.started, self.announced, self.last_line) = (Instant::now(), false, None);
        let resumed = if from_step > 0 { format!(", from step {from_step}") } else { String::new() };
        let what = match seeds {
            [] | [_] => format!("training: {parameters} parameters"),
            _ => format!("training {} side by side, {parameters} parameters each", listed(seeds)),
        };
        self.line(&format!("{model:<10} {what}, {steps} steps{resumed}"));
        if self.terminal {
            let style = ProgressStyle::with_template("{prefix:<10} [{bar:24}] {pos}/{len}  {msg}")
                .expect("a fixed template")
                .progress_chars("━━─");
            let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
            bar.set_style(style);
            bar.set_prefix(model.clone());
            bar.set_position(from_step);
            self.bar = Some(bar);
        }
    }

    fn progress(&mut self, progress: &Progress) {
        let remaining = (self.steps - progress.step) as f64 / progress.steps_per_second;
        let remaining = Duration::try_from_secs_f64(remaining).unwrap_or(Duration::MAX);
        if !self.announced && self.started.elapsed() >= ESTIMATE_AFTER {
            self.announced = true;
            if remaining >= LONG {
                self.line(&format!(
                    "{:<10} {:.1} steps/s measured: about {} to go. Ctrl-C writes a checkpoint.",
                    self.model,
                    progress.steps_per_second,
                    HumanDuration(remaining)
                ));
            }
        }
        let error = match (progress.held_out_error, progress.acceleration_l1) {
            (Some(error), _) => format!("  held out {}", number(error, 4)),
            (None, Some(l1)) => format!("  q̈ L1 {}", number(l1, 4)),
            (None, None) => String::new(),
        };
        let message = format!(
            "loss {}{error}  lr {:.1e}  {:.0}/s  {}",
            number(progress.loss, 5),
            progress.learning_rate,
            progress.steps_per_second,
            clock(remaining)
        );
        if let Some(bar) = &self.bar {
            bar.set_position(progress.step);
            bar.set_message(message);
        } else if progress.logged && self.last_line.is_none_or(|last| last.elapsed() >= LINE_INTERVAL) {
            self.last_line = Some(Instant::now());
            self.line(&format!("{:<10} step {}/{}  {message} left", self.model, progress.step, self.steps));
        }
    }

    fn spinner(&mut self, text: String) {
        self.clear();
        if self.terminal {
            let bar = ProgressBar::new_spinner().with_message(text);
            bar.enable_steady_tick(Duration::from_millis(120));
            self.bar = Some(bar);
        } else {
            self.line(&text);
        }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(text)),
            None => say(text),
        }
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// `seeds 0 to 7`, or one by one where some are missing.
fn listed(seeds: &[u64]) -> String {
    let (first, last) = (seeds[0], seeds[seeds.len() - 1]);
    if last - first + 1 == seeds.len() as u64 {
        return format!("seeds {first} to {last}");
    }
    let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
    format!("seeds {}", seeds.join(", "))
}

/// A number with `decimals` decimals, in scientific notation where it would be long or lose its digits.
fn number(value: f64, decimals: usize) -> String {
    let size = value.abs();
    let plain = (size < 1e5 && size >= 10_f64.powi(1 - decimals as i32)) || size == 0.0 || !value.is_finite();
    if plain { format!("{value:.decimals$}") } else { format!("{value:.2e}") }
}

/// `m:ss`, or `h:mm:ss` from an hour on.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}
