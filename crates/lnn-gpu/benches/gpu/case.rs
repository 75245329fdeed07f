//! The sizes that are measured, and what is measured of each.

use std::error::Error;

use lnn_gpu::device::Device;
use serde_json::{Value, json};

use crate::count;
use crate::step::{OptimiserKind, REFRESH_EVERY, Step};
use crate::timing::{dispatches, whole};
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

/// The cases with all of these words in their names.
///
/// # Errors
/// There is none; the message names those that are.
pub(crate) fn matching(quick: bool, words: &[String]) -> Result<Vec<Case>, String> {
    let all = if quick { &QUICK[..] } else { &CASES[..] };
    let plain = |text: &str| text.to_lowercase().replace('×', "x");
    let fits = |case: &&Case| words.iter().all(|word| plain(&case.name()).contains(&plain(word)));
    let found: Vec<Case> = all.iter().filter(fits).copied().collect();
    if found.is_empty() {
        let names: Vec<_> = all.iter().map(Case::name).collect();
        let (words, names) = (words.join("`, `"), names.join("; "));
        return Err(format!("no case has all of the words `{words}` in its name; the cases are: {names}"));
    }
    Ok(found)
}

/// Whole steps with each optimiser, and every kernel in them.
pub(crate) fn measure(device: &Device, case: &Case, rounds: usize, quick: bool) -> Result<Value, Box<dyn Error>> {
    let mut steps = Vec::new();
    let mut kernels = Vec::new();
    let (mut engine, mut parameters, mut operations, mut kernel_seconds) = ("", 0, 0.0, 0.0);
    for (kind, name) in [(OptimiserKind::Adam, "Adam"), (OptimiserKind::Soap, "SOAP")] {
        // With one refresh in each ten steps.
        let count = if quick || kind == OptimiserKind::Soap { REFRESH_EVERY } else { 2 * REFRESH_EVERY };
        let step = Step::new(device, &vec![case.width; case.layers], case.batch, count, kind)?;
        let refreshes = |number: usize| (number + 1).is_multiple_of(REFRESH_EVERY);
        let seconds = whole(device, rounds, |recorder| {
            (0..count).for_each(|number| step.record(recorder, number, refreshes(number)));
        })? / count as f64;
        let timed = dispatches(device, rounds, |recorder| step.record(recorder, 0, true))?;
        step.require_updates(device)?;
        let work = step.work(true);
        let lines = lines(&work, &timed)?;
        if kind == OptimiserKind::Adam {
            (engine, parameters) = (step.engine(), step.parameters());
            kernel_seconds = timed.iter().map(|(_, seconds)| seconds).sum();
            operations = work.iter().filter_map(|work| work.operations).sum();
        }
        // What the steps share is shown once.
        let own = |line: &&Line<'_>| kind == OptimiserKind::Adam || line.is_soap();
        kernels.extend(lines.iter().filter(own).map(Line::document));
        steps.push(json!({
            "optimiser": name,
            "seconds": seconds,
            "rate": operations / seconds,
        }));
    }
    Ok(json!({
        "name": case.name(),
        "width": case.width,
        "layers": case.layers,
        "batch": case.batch,
        "coordinates": 2,
        "engine": engine,
        "parameters": parameters,
        "operations": operations,
        "kernel_seconds": kernel_seconds,
        "refresh_every": REFRESH_EVERY,
        "steps": steps,
        "kernels": kernels,
    }))
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
fn lines<'a>(
    work: &'a [Work],
    timed: &[(&'static lnn_gpu::kernels::KernelSource, f64)],
) -> Result<Vec<Line<'a>>, String> {
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
