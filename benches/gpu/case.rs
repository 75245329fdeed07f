//! The sizes that are measured, and what is measured of each.

use std::error::Error;

use lnn::train::backend::Card;
use lnn_gpu::kernels::KernelSource;
use serde_json::{Value, json};

use crate::count;
use crate::step::{COORDINATES, MOST_STEPS, OptimiserKind, REFRESH_EVERY, Step};
use crate::timing::{median, rounds};
use crate::work::Work;

/// A network and a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    width: usize,
    layers: usize,
    batch: usize,
}

/// Those of the document.
const CASES: [Case; 4] = [
    Case { width: 500, layers: 4, batch: 4096 },
    Case { width: 500, layers: 4, batch: 512 },
    Case { width: 600, layers: 3, batch: 512 },
    Case { width: 64, layers: 3, batch: 512 },
];

/// Those that a processor runs in a moment: one a kind of kernels.
const QUICK: [Case; 2] = [Case { width: 72, layers: 2, batch: 40 }, Case { width: 12, layers: 2, batch: 40 }];

impl Case {
    /// As tables have it.
    pub(crate) fn name(&self) -> String {
        format!("{}×{}, batch {}", self.layers, self.width, self.batch)
    }
}

/// All cases.
pub(crate) fn all(quick: bool) -> &'static [Case] {
    if quick { &QUICK } else { &CASES }
}

/// Whole steps with each optimiser, and every kernel in them.
pub(crate) fn measure(card: &Card, case: &Case, times: usize, quick: bool) -> Result<Value, Box<dyn Error>> {
    let mut steps = Vec::new();
    let mut kernels = Vec::new();
    let (mut engine, mut parameters, mut operations, mut kernel_seconds, mut tuned_on) = ("", 0, 0.0, 0.0, None);
    for (kind, name) in [(OptimiserKind::Adam, "Adam"), (OptimiserKind::Soap, "SOAP")] {
        let mut step = Step::new(card, &vec![case.width; case.layers], case.batch, kind)?;
        let count = submission(&mut step, quick)?;
        let seconds = rounds(times, || step.seconds(count))?;
        let timed = profile(&mut step, times)?;
        let work = step.work();
        let lines = lines(&work, &timed)?;
        if kind == OptimiserKind::Adam {
            (engine, parameters, tuned_on) = (step.engine(), step.parameters(), step.tuned_on.clone());
            kernel_seconds = timed.iter().map(|(_, seconds)| seconds).sum();
            operations = work.iter().filter_map(|work| work.operations).sum();
        }
        // What the steps share is shown once.
        let own = |line: &&Line<'_>| kind == OptimiserKind::Adam || line.is_soap();
        kernels.extend(lines.iter().filter(own).map(Line::document));
        steps.push(json!({
            "optimiser": name,
            "seconds": seconds,
            "steps_a_submission": count,
            "rate": operations / seconds,
        }));
    }
    Ok(json!({
        "name": case.name(),
        "width": case.width,
        "layers": case.layers,
        "batch": case.batch,
        "coordinates": COORDINATES,
        "engine": engine,
        "tuned_on": tuned_on,
        "parameters": parameters,
        "operations": operations,
        "kernel_seconds": kernel_seconds,
        "refresh_every": REFRESH_EVERY,
        "steps": steps,
        "kernels": kernels,
    }))
}

/// Steps of a submission that lasts about as long as those of a training, with one refresh in each ten steps.
fn submission(step: &mut Step, quick: bool) -> Result<usize, Box<dyn Error>> {
    /// Seconds that a training lets a submission take.
    const SECONDS: f64 = 0.1;
    let seconds = step.seconds(REFRESH_EVERY)?.min(step.seconds(REFRESH_EVERY)?);
    if quick {
        return Ok(REFRESH_EVERY);
    }
    Ok(((SECONDS / seconds) as usize).next_multiple_of(REFRESH_EVERY).clamp(2 * REFRESH_EVERY, MOST_STEPS))
}

/// The kernels of a step with their median seconds.
fn profile(step: &mut Step, times: usize) -> Result<Vec<(&'static KernelSource, f64)>, Box<dyn Error>> {
    let mut all: Vec<(&'static KernelSource, Vec<f64>)> = Vec::new();
    for _ in 0..times {
        for (place, (kernel, seconds)) in step.profile()?.into_iter().enumerate() {
            match all.get_mut(place) {
                Some((_, own)) => own.push(seconds),
                None => all.push((kernel, vec![seconds])),
            }
        }
    }
    Ok(all.into_iter().map(|(kernel, seconds)| (kernel, median(seconds))).collect())
}

/// Dispatches of one kernel for the same work, together.
struct Line<'a> {
    work: &'a Work,
    dispatches: usize,
    seconds: f64,
    operations: Option<f64>,
    bytes: Option<f64>,
}

impl Line<'_> {
    fn is_soap(&self) -> bool {
        self.work.kernel.starts_with("soap")
    }

    fn document(&self) -> Value {
        let rate = |work: Option<f64>| count(work.map(|work| work / self.seconds));
        json!({
            "kernel": self.work.kernel,
            "what": self.work.what,
            "dispatches": self.dispatches,
            "seconds": self.seconds,
            "operations": count(self.operations),
            "operations_a_second": rate(self.operations),
            "bytes": count(self.bytes),
            "bytes_a_second": rate(self.bytes),
        })
    }
}

/// The work of each dispatch with its time.
///
/// # Errors
/// The step dispatches other kernels than its list of work has.
fn lines<'a>(work: &'a [Work], timed: &[(&'static KernelSource, f64)]) -> Result<Vec<Line<'a>>, String> {
    let (expected, got): (Vec<_>, Vec<_>) =
        (work.iter().map(|work| work.kernel).collect(), timed.iter().map(|(source, _)| source.entry).collect());
    if expected != got {
        return Err(format!("a step dispatches\n{}\nbut its work is that of\n{}", got.join(" "), expected.join(" ")));
    }
    let mut lines: Vec<Line<'_>> = Vec::new();
    for (work, &(_, seconds)) in work.iter().zip(timed) {
        let same = |line: &&mut Line<'_>| line.work.kernel == work.kernel && line.work.what == work.what;
        match lines.iter_mut().find(same) {
            Some(line) => {
                line.dispatches += 1;
                line.seconds += seconds;
                line.operations = line.operations.zip(work.operations).map(|(sum, more)| sum + more);
                line.bytes = line.bytes.zip(work.bytes).map(|(sum, more)| sum + more);
            }
            None => {
                let (operations, bytes) = (work.operations, work.bytes);
                lines.push(Line { work, dispatches: 1, seconds, operations, bytes });
            }
        }
    }
    Ok(lines)
}
