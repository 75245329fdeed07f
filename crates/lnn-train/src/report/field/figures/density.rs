//! `density.svg`: derivatives of the learned Lagrangian beside those of the true one.

use super::super::FieldReportInput;
use super::super::measure::largest;
use crate::field::DensityPanel;
use crate::report::axis::Axis;
use crate::report::figure::{Figure, LegendEntry, Mark, Panel};
use crate::report::figures::{MODEL_WIDTH, TRUTH_WIDTH, line_key, truth_key};
use crate::report::palette::{ModelStyle, TRUTH};

/// Height of an axis at least, as a share of the largest true value: smaller differences are no feature.
const LEAST_ROOM: f64 = 0.1;

/// Draws each quantity with the truth and every model in one panel; `None` without a comparison.
pub(super) fn figure(input: &FieldReportInput<'_>, models: &[ModelStyle]) -> Option<Figure> {
    let compared: Vec<(&ModelStyle, &[DensityPanel])> = models
        .iter()
        .filter_map(|model| {
            let comparison = input.densities.iter().find(|comparison| comparison.model == model.name)?;
            Some((model, comparison.panels.as_slice()))
        })
        .collect();
    let mut quantities: Vec<(&str, &str)> = Vec::new();
    for panel in compared.iter().flat_map(|(_, panels)| *panels) {
        let quantity = (panel.quantity.as_str(), panel.argument.as_str());
        if !quantities.contains(&quantity) {
            quantities.push(quantity);
        }
    }
    if quantities.is_empty() {
        return None;
    }
    let mut legend: Vec<LegendEntry> = vec![truth_key()];
    legend.extend(compared.iter().map(|(model, _)| line_key(&model.label, model)));
    // What is 0 in truth has no size of its own.
    let size = largest(compared.iter().flat_map(|(_, panels)| *panels).flat_map(|panel| panel.truth.iter().copied()));
    let panels = quantities
        .into_iter()
        .map(|(quantity, argument)| {
            let drawn: Vec<(&ModelStyle, &DensityPanel)> = compared
                .iter()
                .filter_map(|(model, panels)| {
                    let same = |panel: &&DensityPanel| panel.quantity == quantity && panel.argument == argument;
                    Some((*model, panels.iter().find(same)?))
                })
                .collect();
            panel(quantity, argument, &drawn, size)
        })
        .collect();
    Some(Figure {
        name: "density",
        title: "What was learned, beside the true Lagrangian".to_owned(),
        caption: "A Lagrangian is known only up to a factor, a constant and total derivatives, which change no \
                  motion. So the curves are second derivatives that none of these changes, after one factor that fits \
                  the mean mass has been taken out. A linear field has further Lagrangians of the same motion, whose \
                  masses couple neighbours, so the second panel need not be 0. The responses −∂φ̈/∂φ are the motion’s \
                  own: where these leave the truth, look whether the training states reach there."
            .to_owned(),
        legend,
        panels,
    })
}

fn panel(quantity: &str, argument: &str, drawn: &[(&ModelStyle, &DensityPanel)], size: f64) -> Panel {
    let arguments = || drawn.iter().flat_map(|(_, panel)| panel.x.iter().copied()).filter(|x| x.is_finite());
    let values = || {
        let both = drawn.iter().flat_map(|(_, panel)| panel.truth.iter().chain(&panel.learned).copied());
        both.filter(|value| value.is_finite())
    };
    let range = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
    };
    let (low, high) = range(&mut values());
    let own = largest(drawn.iter().flat_map(|(_, panel)| panel.truth.iter().copied()));
    let scale = if own > 0.0 { own } else { size };
    let room = (0.06 * (high - low)).max(0.5 * (LEAST_ROOM * scale - (high - low)));
    let (from, to) = range(&mut arguments());
    let line = |x: &[f64], y: &[f64], colour, quarter_width| Mark::Line {
        points: x.iter().copied().zip(y.iter().copied()).collect(),
        colour,
        quarter_width,
    };
    let mut marks: Vec<Mark> =
        drawn.iter().take(1).map(|(_, panel)| line(&panel.x, &panel.truth, TRUTH, TRUTH_WIDTH)).collect();
    let models = drawn.iter().rev();
    marks.extend(models.map(|(model, panel)| line(&panel.x, &panel.learned, model.colour, MODEL_WIDTH)));
    Panel {
        title: quantity.to_owned(),
        x: Axis::linear_range(from, to, 5),
        y: Axis::linear_range(low - room, high + room, 4),
        x_label: argument.to_owned(),
        height: 150,
        marks,
    }
}
