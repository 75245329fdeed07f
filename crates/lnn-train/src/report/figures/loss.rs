//! `loss.svg`: training loss and held-out acceleration error against the steps.

use super::super::axis::Axis;
use super::super::figure::{Figure, Key, LegendEntry, Mark, Panel};
use super::super::input::ReportInput;
use super::super::number::significant;
use super::super::palette::{ModelStyle, REFERENCE};
use super::{MODEL_WIDTH, REFERENCE_WIDTH, line_key, logged_states};
use crate::record::MetricsLine;

/// What [`curves`] draws.
pub(in crate::report) struct Learning<'a> {
    /// The training log.
    pub(in crate::report) metrics: &'a [MetricsLine],
    /// Models in the report's order.
    pub(in crate::report) models: &'a [ModelStyle],
    /// Published errors, drawn as levels.
    pub(in crate::report) published: Vec<(&'a ModelStyle, f64)>,
    /// Title of the panel of errors.
    pub(in crate::report) error: String,
    /// The error of a line.
    pub(in crate::report) error_of: fn(&MetricsLine) -> f64,
    /// What the two panels show.
    pub(in crate::report) caption: String,
}

/// Draws both curves of every model of a run that has a training log; `None` without one.
pub(super) fn figure(input: &ReportInput<'_>, models: &[ModelStyle]) -> Option<Figure> {
    let of_paper = |model: &ModelStyle| input.summary.paper.get(&model.name)?.acceleration_l1;
    curves(&Learning {
        metrics: input.metrics,
        models,
        published: models.iter().filter_map(|model| Some((model, of_paper(model)?))).collect(),
        error: format!("Acceleration L1 on {} ({})", logged_states(input.summary), input.system.acceleration_unit),
        error_of: |line| line.acceleration_l1,
        caption: "Both axes are logarithmic; lower is better. The upper panel is what the optimiser \
                  sees and each model may have its own loss, so compare the models in the lower \
                  panel: the mean over states never trained on of the summed absolute error of the \
                  accelerations."
            .to_owned(),
    })
}

/// Training loss and held-out error of every model that has a training log; `None` without one.
pub(in crate::report) fn curves(learning: &Learning<'_>) -> Option<Figure> {
    let metrics = learning.metrics;
    if metrics.is_empty() {
        return None;
    }
    let logged = |model: &ModelStyle| metrics.iter().any(|line| line.model == model.name);
    let trained: Vec<&ModelStyle> = learning.models.iter().filter(|model| logged(model)).collect();
    let published: Vec<&(&ModelStyle, f64)> = learning.published.iter().filter(|(model, _)| logged(model)).collect();
    let x = Axis::logarithmic(metrics.iter().map(|line| line.step as f64));
    let curve = |model: &ModelStyle, value: fn(&MetricsLine) -> f64| Mark::Line {
        points: metrics
            .iter()
            .filter(|line| line.model == model.name)
            .map(|line| (line.step as f64, value(line)))
            .collect(),
        colour: model.colour,
        quarter_width: MODEL_WIDTH,
    };
    let panel = |title: String, value: fn(&MetricsLine) -> f64, lines: &[f64]| {
        let values = metrics.iter().map(value);
        let mut marks: Vec<Mark> = lines
            .iter()
            .map(|level| Mark::Line {
                points: vec![(x.low(), *level), (x.high(), *level)],
                colour: REFERENCE,
                quarter_width: REFERENCE_WIDTH,
            })
            .collect();
        // The first model lies on top.
        marks.extend(trained.iter().rev().map(|model| curve(model, value)));
        Panel {
            title,
            x: x.clone(),
            y: Axis::errors(values.chain(lines.iter().copied())),
            x_label: "optimiser steps".to_owned(),
            height: 190,
            marks,
        }
    };
    let levels: Vec<f64> = published.iter().map(|(_, level)| *level).collect();
    let panels = vec![
        panel("Training loss".to_owned(), |line| line.loss, &[]),
        panel(learning.error.clone(), learning.error_of, &levels),
    ];
    let mut legend: Vec<LegendEntry> = trained.iter().map(|model| line_key(&model.label, model)).collect();
    if !published.is_empty() {
        let values: Vec<String> =
            published.iter().map(|(model, level)| format!("{} {}", model.label, significant(*level, 2))).collect();
        legend.push(LegendEntry {
            label: format!("Paper ({})", values.join(", ")),
            colour: REFERENCE,
            key: Key::Line(REFERENCE_WIDTH),
        });
    }
    Some(Figure {
        name: "loss",
        title: if trained.len() == 1 { "How the model learns" } else { "How the models learn" }.to_owned(),
        caption: learning.caption.clone(),
        legend,
        panels,
    })
}
