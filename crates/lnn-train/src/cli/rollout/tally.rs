//! What became of the motions, for whoever waits for them.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lnn_physics::integrators::Method;
use lnn_train::larger;
use lnn_train::motion::{EndCause, Ending, Motion};
use serde_json::{Value, json};

use super::Rollout;
use super::arguments::{Backend, Integrator};
use crate::cli::exit::IN_PART;
use crate::cli::output::{OutputArguments, print_json, say};

/// Early ends that are told one by one to a person.
const TOLD: usize = 10;

/// Counts motions as they are written, and tells of those that ended early.
pub(super) struct Tally {
    output: OutputArguments,
    bar: Option<ProgressBar>,
    started: Instant,
    motions: usize,
    written: usize,
    ended: usize,
    largest_energy_change: f64,
}

impl Tally {
    pub(super) fn new(output: OutputArguments, motions: usize) -> Self {
        let bar = (output.talks() && io::stderr().is_terminal()).then(|| {
            let style = ProgressStyle::with_template("{pos}/{len} motions [{bar:24}] {eta} left")
                .expect("a fixed template")
                .progress_chars("━━─");
            ProgressBar::with_draw_target(Some(motions as u64), ProgressDrawTarget::stderr()).with_style(style)
        });
        let started = Instant::now();
        Self { output, bar, started, motions, written: 0, ended: 0, largest_energy_change: 0.0 }
    }

    /// Counts motion `index`, which has been written.
    pub(super) fn count(&mut self, index: usize, motion: &Motion, energy_change: f64, rollout: &Rollout<'_>) {
        self.written += 1;
        self.largest_energy_change = larger(self.largest_energy_change, energy_change);
        if let Some(bar) = &self.bar {
            bar.set_position(self.written as u64);
        }
        let Some(ending) = &motion.ending else { return };
        self.ended += 1;
        let number = rollout.initial.numbers[index];
        if self.output.json {
            // A reader that has gone must not end the motions.
            let _ = print_json(&ending_line(number, ending));
            return;
        }
        let text = match self.ended {
            ended if ended <= TOLD => format!(
                "note: trajectory {number} ({}) ended at t = {}: {}",
                rollout.initial.place(index),
                ending.time,
                ending.cause
            ),
            ended if ended == TOLD + 1 => "note: more motions ended early; their number is below".to_owned(),
            _ => return,
        };
        match &self.bar {
            Some(bar) => bar.suspend(|| say(&text)),
            None => say(&text),
        }
    }

    pub(super) fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Prints what became of all motions, whose table has this many rows.
    pub(super) fn finish(&mut self, rollout: &Rollout<'_>, rows: u64) -> io::Result<()> {
        self.clear();
        let arguments = rollout.arguments;
        let seconds = self.started.elapsed().as_secs_f64();
        let complete = self.motions - self.ended;
        let change = rollout.has_energy.then_some(self.largest_energy_change);
        if self.output.json {
            return print_json(&json!({
                "event": "finished", "out": arguments.out, "rows": rows, "motions": self.motions, "complete": complete,
                "ended_early": self.ended, "t_end": arguments.t_end, "frames": rollout.times.len(),
                "integrator": integrator(rollout), "backend": arguments.backend.name(), "largest_energy_change": change, "seconds": seconds,
            }));
        }
        if self.output.quiet {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        writeln!(
            out,
            "{} motion(s) to t = {} by {} in {seconds:.1} s",
            self.motions,
            arguments.t_end,
            integrator(rollout)
        )?;
        writeln!(out, "  complete         {complete}")?;
        writeln!(out, "  ended early      {}", self.ended)?;
        if let Some(change) = change {
            writeln!(out, "  learned energy   changes by at most {change:.2e} along a motion")?;
        }
        writeln!(out, "  written          {rows} rows in {}", arguments.out.display())
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        if self.ended == 0 { ExitCode::SUCCESS } else { ExitCode::from(IN_PART) }
    }
}

/// The method with its settings, in words.
fn integrator(rollout: &Rollout<'_>) -> String {
    match rollout.method {
        Method::DormandPrince(options) => {
            format!("dopri5 (rtol {:e}, atol {:e})", options.relative_tolerance, options.absolute_tolerance)
        }
        Method::Rk4 { dt } | Method::ImplicitMidpoint { dt } => {
            let name = if rollout.arguments.integrator == Integrator::Rk4 { "rk4" } else { "implicit-midpoint" };
            let precision = if rollout.arguments.backend == Backend::Gpu { ", single precision" } else { "" };
            format!("{name} (step {dt}{precision})")
        }
    }
}

/// An early end as one line of JSON.
fn ending_line(number: f64, ending: &Ending) -> Value {
    let (cause, singularity) = match &ending.cause {
        EndCause::SingularMassMatrix(singularity) => ("singular_mass_matrix", Some(singularity)),
        EndCause::NonFinite { .. } => ("non_finite", None),
        EndCause::Integration(_) => ("integrator", None),
        EndCause::NoVelocity => ("no_velocity", None),
        EndCause::NoMomentum => ("no_momentum", None),
    };
    json!({
        "event": "ended_early", "trajectory": number, "time": ending.time, "cause": cause,
        "state": singularity.map(|s| &s.state), "smallest_eigenvalue": singularity.map(|s| s.smallest_eigenvalue),
        "message": ending.cause.to_string(),
    })
}
