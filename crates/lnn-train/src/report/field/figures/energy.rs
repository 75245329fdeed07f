//! `energy.svg`: error of the exact energy and drift of the learned one against time, a panel a motion.

use super::super::FieldReportInput;
use super::super::measure::{energy_errors, learned_drifts, sites};
use crate::field::FieldMotion;
use crate::report::axis::Axis;
use crate::report::figure::{Figure, Key, LegendEntry, Mark, Panel};
use crate::report::figures::{MODEL_WIDTH, amount, line_key};
use crate::report::number::grouped;
use crate::report::palette::{ModelStyle, companion};

/// Widths in quarters of a pixel: the learned energy lies under the exact one.
const LEARNED_WIDTH: u32 = 5;

/// Draws all motions; `None` if no model has an energy.
pub(super) fn figure(input: &FieldReportInput<'_>, models: &[ModelStyle]) -> Option<Figure> {
    let moved = |model: &&ModelStyle| {
        input.motions.iter().any(|motion| motion.models.get(&model.name).is_some_and(|found| !found.energy.is_empty()))
    };
    let models: Vec<&ModelStyle> = models.iter().filter(moved).collect();
    if models.is_empty() {
        return None;
    }
    let has_learned = |model: &ModelStyle| {
        input
            .motions
            .iter()
            .any(|motion| motion.models.get(&model.name).is_some_and(|found| !found.learned_energy.is_empty()))
    };
    let mut legend = Vec::new();
    for model in &models {
        legend.push(line_key(&model.label, model));
        if has_learned(model) {
            legend.push(LegendEntry {
                label: format!("{}: its learned energy", model.label),
                colour: companion(model.colour),
                key: Key::Line(LEARNED_WIDTH),
            });
        }
    }
    Some(Figure {
        name: "energy",
        title: "Do the models keep the energy?".to_owned(),
        caption: "The exact energy of the lattice, computed from each model’s states, should stay what it was at the \
                  start; the curves show by how much it does not, in percent and on a logarithmic axis, lower being \
                  better. Paler dashed curves are the change of the energy that a model itself has learned: its \
                  equation of motion conserves it exactly, so only the step of the integration is seen there. The \
                  distance between a model’s two curves is the error of what it has learned."
            .to_owned(),
        legend,
        panels: input.motions.iter().map(|motion| panel(input, motion, &models)).collect(),
    })
}

fn panel(input: &FieldReportInput<'_>, motion: &FieldMotion, models: &[&ModelStyle]) -> Panel {
    let series = |values: &[f64]| -> Vec<(f64, f64)> {
        // The error at the start is 0 by definition and has no place on a logarithmic axis.
        motion.times.iter().copied().zip(values.iter().copied()).skip(1).collect()
    };
    let mut marks = Vec::new();
    let mut values = Vec::new();
    let mut stopped = String::new();
    // The first model lies on top, and every exact energy on the learned ones.
    for learned in [true, false] {
        for model in models.iter().rev() {
            let Some(trajectory) = motion.models.get(&model.name) else { continue };
            let (errors, colour, quarter_width) = if learned {
                (learned_drifts(motion, trajectory), companion(model.colour), LEARNED_WIDTH)
            } else {
                (energy_errors(motion, trajectory), model.colour, MODEL_WIDTH)
            };
            values.extend(errors.iter().skip(1).copied());
            marks.push(Mark::Line { points: series(&errors), colour, quarter_width });
        }
    }
    for model in models {
        let seen = motion.models.get(&model.name).map(|trajectory| trajectory.energy.len());
        let summary = input.summary.models.get(&model.name).and_then(|model| model.motions.get(&motion.name));
        let reported = summary.is_some_and(|motion| motion.stopped.is_some());
        if let Some(seen) = seen.filter(|seen| reported || *seen < motion.times.len()) {
            let last = seen.checked_sub(1).map_or(motion.times[0], |frame| motion.times[frame]);
            stopped += &format!("; {} stopped at t = {}", model.label, amount(last));
        }
    }
    let last = motion.times[motion.times.len() - 1];
    Panel {
        title: format!("Energy error (%), state “{}”, {} sites{stopped}", motion.name, grouped(sites(motion) as u64)),
        x: Axis::linear_range(motion.times[0], last, 5),
        y: Axis::errors(values),
        x_label: "time (lattice units)".to_owned(),
        height: 170,
        marks,
    }
}
