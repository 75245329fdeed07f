//! Figures of a training on measured data.

use super::MeasuredReportInput;
use crate::evaluate::LOGGED_STATES;
use crate::measured::{MEASURED_MODEL, MeasuredRollout};
use crate::report::axis::Axis;
use crate::report::figure::{Figure, Key, LegendEntry, Mark, Panel, thin};
use crate::report::figures::{Learning, amount, curves};
use crate::report::palette::{Colour, ModelStyle, REFERENCE, TRUTH, companion, series};
use crate::table::Column;

/// Coordinates shown at most.
const SHOWN: usize = 4;
/// Line widths in quarters of a pixel.
const WIDE: u32 = 14;
const THIN: u32 = 6;

/// Every figure that there are data for, in the page's order.
pub(super) fn all(input: &MeasuredReportInput<'_>) -> Vec<Figure> {
    let mut figures = Vec::new();
    if let Some(chosen) = representative(input.rollouts) {
        figures.push(rollout(input, chosen));
        figures.push(distance(input, chosen));
        figures.extend(energy(input, chosen));
    }
    figures.extend(learning(input));
    figures
}

/// The motion whose largest distance is the median one; that of a rollout that ended early is infinite.
fn representative(rollouts: &[MeasuredRollout]) -> Option<&MeasuredRollout> {
    let worst = |rollout: &MeasuredRollout| match rollout.failure {
        Some(_) => f64::INFINITY,
        None => rollout.distance.iter().copied().fold(0.0, f64::max),
    };
    let mut order: Vec<&MeasuredRollout> = rollouts.iter().collect();
    order.sort_by(|a, b| worst(a).total_cmp(&worst(b)));
    order.get(order.len() / 2).copied()
}

fn model() -> ModelStyle {
    ModelStyle { name: MEASURED_MODEL.to_owned(), label: "model".to_owned(), colour: series(0) }
}

/// `time (s)`, or `t` without a unit.
pub(super) fn with_unit(name: &str, column: &Column) -> String {
    column.unit.as_ref().map_or_else(|| name.to_owned(), |unit| format!("{name} ({unit})"))
}

fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return (0.0, 1.0);
    }
    let room = 0.06 * (high - low).max(1e-9 * high.abs()).max(f64::MIN_POSITIVE);
    (low - room, high + room)
}

fn key(label: &str, colour: Colour, width: u32) -> LegendEntry {
    LegendEntry { label: label.to_owned(), colour, key: Key::Line(width) }
}

/// The coordinates of one motion, measured and rolled out.
fn rollout(input: &MeasuredReportInput<'_>, chosen: &MeasuredRollout) -> Figure {
    let d = input.labels.q.len();
    let series_of = |states: &[f64], j: usize| -> Vec<(f64, f64)> {
        let values = states.iter().skip(j).step_by(2 * d).copied();
        thin(chosen.times.iter().copied().zip(values).collect())
    };
    let (start, end) = (chosen.times[0], chosen.times[chosen.times.len() - 1]);
    let panels = input.labels.q.iter().enumerate().take(SHOWN).map(|(j, column)| {
        let (measured, predicted) = (series_of(&chosen.measured, j), series_of(&chosen.predicted, j));
        // The model may leave the panel once it has left what was measured.
        let (low, high) = range(measured.iter().map(|point| point.1));
        let room = 0.15 * (high - low);
        Panel {
            title: with_unit(&column.name, column),
            x: Axis::linear_range(start, end, 5),
            y: if input.angles[j] {
                Axis::angle_range(low - room, high + room, 4)
            } else {
                Axis::linear_range(low - room, high + room, 4)
            },
            x_label: with_unit("time", &input.labels.time),
            height: 125,
            marks: vec![
                Mark::Line { points: measured, colour: TRUTH, quarter_width: WIDE },
                Mark::Line { points: predicted, colour: model().colour, quarter_width: THIN },
            ],
        }
    });
    let more = match d.saturating_sub(SHOWN) {
        0 => String::new(),
        n => format!(" {n} more coordinate(s) are in rollouts.csv."),
    };
    Figure {
        name: "rollout",
        title: "A motion that was not trained on, and the model's from the same first state".to_owned(),
        caption: format!(
            "{}: of {} held-out motion(s) the one whose largest distance is the median. The model sees the first state only.{more}",
            chosen.origin,
            input.rollouts.len()
        ),
        legend: vec![key("measured", TRUTH, WIDE), key("model", model().colour, THIN)],
        panels: panels.collect(),
    }
}

/// How far every rollout is from what was measured.
fn distance(input: &MeasuredReportInput<'_>, chosen: &MeasuredRollout) -> Figure {
    let elapsed = |rollout: &MeasuredRollout| -> Vec<(f64, f64)> {
        let times = rollout.times.iter().map(|time| time - rollout.times[0]);
        thin(times.zip(rollout.distance.iter().copied()).skip(1).collect())
    };
    let longest = input.rollouts.iter().map(|rollout| rollout.times[rollout.times.len() - 1] - rollout.times[0]);
    let end = longest.fold(0.0, f64::max);
    let all = || input.rollouts.iter().flat_map(|rollout| rollout.distance.iter().copied().skip(1));
    let mut marks: Vec<Mark> = input
        .rollouts
        .iter()
        .map(|rollout| Mark::Line { points: elapsed(rollout), colour: companion(model().colour), quarter_width: 4 })
        .collect();
    marks.push(Mark::Line { points: elapsed(chosen), colour: model().colour, quarter_width: 8 });
    marks.push(Mark::Line { points: vec![(0.0, 0.1), (end, 0.1)], colour: REFERENCE, quarter_width: THIN });
    Figure {
        name: "distance",
        title: "How far the model is from what was measured".to_owned(),
        caption: "Root mean square over the components of (q, q̇) of the error, each in units of its deviation in the data, \
                  on a logarithmic axis. Where the motion is chaotic any error grows exponentially, a straight slope, \
                  until it is as large as the motion itself, about 1; then only the energy tells a good model from a bad one."
            .to_owned(),
        legend: vec![
            key("each held-out motion", companion(model().colour), 4),
            key("the motion above", model().colour, 8),
            key("a tenth of the deviations", REFERENCE, THIN),
        ],
        panels: vec![Panel {
            title: "Distance from the measured state (deviations)".to_owned(),
            x: Axis::linear_range(0.0, end, 5),
            y: Axis::errors(all().chain([0.1])),
            x_label: with_unit("time since the first state", &input.labels.time),
            height: 190,
            marks,
        }],
    }
}

/// The learned energy along both motions; `None` for a model without one.
fn energy(input: &MeasuredReportInput<'_>, chosen: &MeasuredRollout) -> Option<Figure> {
    if chosen.measured_energy.is_empty() {
        return None;
    }
    let points = |energies: &[f64]| thin(chosen.times.iter().copied().zip(energies.iter().copied()).collect());
    // All held-out motions give the scale: the energy of one alone would fill any panel.
    let (low, high) = range(input.rollouts.iter().flat_map(|rollout| rollout.measured_energy.iter().copied()));
    let (start, end) = (chosen.times[0], chosen.times[chosen.times.len() - 1]);
    let change = |energies: &[f64]| -> Vec<(f64, f64)> {
        let changes = energies.iter().map(|energy| (energy - energies[0]).abs());
        thin(chosen.times.iter().copied().zip(changes).skip(1).collect())
    };
    let changes = [change(&chosen.measured_energy), change(&chosen.predicted_energy)];
    let y_of_changes = Axis::errors(changes.iter().flatten().map(|point| point.1));
    let [of_measured, of_model] = changes;
    let lines = |measured: Vec<(f64, f64)>, of_model: Vec<(f64, f64)>| {
        vec![
            Mark::Line { points: measured, colour: TRUTH, quarter_width: WIDE },
            Mark::Line { points: of_model, colour: model().colour, quarter_width: THIN },
        ]
    };
    Some(Figure {
        name: "energy",
        title: "Is the learned energy conserved?".to_owned(),
        caption: "The learned energy q̇ · ∂L/∂q̇ − L, in units of its own: a Lagrangian is known up to a factor only. Along \
                  the model's motion it is constant but for the integration's error. Along the measured one it varies by \
                  what the model got wrong, by noise, and by what no Lagrangian of the state describes, such as friction. The \
                  upper axis spans the energies of all held-out motions; the lower one is logarithmic."
            .to_owned(),
        legend: vec![key("along what was measured", TRUTH, WIDE), key("along the model's motion", model().colour, THIN)],
        panels: vec![
            Panel {
                title: "Learned energy".to_owned(),
                x: Axis::linear_range(start, end, 5),
                y: Axis::linear_range(low, high, 4),
                x_label: with_unit("time", &input.labels.time),
                height: 130,
                marks: lines(points(&chosen.measured_energy), points(&chosen.predicted_energy)),
            },
            Panel {
                title: "Its change since the first state".to_owned(),
                x: Axis::linear_range(start, end, 5),
                y: y_of_changes,
                x_label: with_unit("time", &input.labels.time),
                height: 150,
                marks: lines(of_measured, of_model),
            },
        ],
    })
}

fn learning(input: &MeasuredReportInput<'_>) -> Option<Figure> {
    let models = [model()];
    curves(&Learning {
        metrics: input.metrics,
        models: &models,
        published: Vec::new(),
        error: format!("Error on up to {LOGGED_STATES} held-out rows (deviations)"),
        error_of: |line| line.held_out_error.unwrap_or(f64::NAN),
        caption: format!(
            "Both axes are logarithmic; lower is better. The parameters of step {}, with the least error in the lower panel \
             of those whose mass matrix keeps its sign, are in the model file. Where that error rises while the loss still falls, the model learns the noise: give it \
             more data, fewer steps, or a penalty (l2_penalty).",
            amount(input.summary.kept_step as f64)
        ),
    })
}
