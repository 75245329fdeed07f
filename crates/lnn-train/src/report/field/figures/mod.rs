//! The figures of a run on fields, built from its records as data.

mod density;
mod energy;

use super::{FieldReportInput, styles};
use crate::report::draw::{self, DrawError};
use crate::report::figure::Figure;
use crate::report::figures::{Learning, curves};
use crate::report::number::grouped;

/// One figure, of either family.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum FieldFigure {
    /// Curves on axes.
    Lines(Figure),
}

impl FieldFigure {
    /// File stem under `figures/`.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Lines(figure) => figure.name,
        }
    }

    /// What to look for, in a few sentences.
    pub(super) fn caption(&self) -> &str {
        match self {
            Self::Lines(figure) => &figure.caption,
        }
    }

    /// Draws the figure at `width` pixels.
    ///
    /// # Errors
    /// What the drawing surface reports.
    pub(super) fn svg(&self, width: u32) -> Result<String, DrawError> {
        match self {
            Self::Lines(figure) => draw::svg(figure, width),
        }
    }
}

/// Every figure that the run has data for, in the page's order.
pub(super) fn all(input: &FieldReportInput<'_>) -> Vec<FieldFigure> {
    let models = styles(input.summary, input.motions);
    let mut figures = Vec::new();
    figures.extend(energy::figure(input, &models).map(FieldFigure::Lines));
    figures.extend(density::figure(input, &models).map(FieldFigure::Lines));
    let held_out = input.summary.models.values().map(|model| model.held_out as u64).max();
    let learning = Learning {
        metrics: input.metrics,
        models: &models,
        published: Vec::new(),
        error: "Error of φ̈ on held-out states".to_owned(),
        caption: format!(
            "Both axes are logarithmic; lower is better. The upper panel is what the optimiser sees, and each \
             model may have its own loss, so compare the models in the lower panel: the error of the acceleration \
             on a fixed few of the {} states that are never trained on.",
            held_out.map_or_else(String::new, grouped)
        ),
    };
    figures.extend(curves(&learning).map(FieldFigure::Lines));
    figures
}
