//! The figures of a run on fields, built from its records as data.

mod density;
mod energy;
mod maps;
mod snapshots;
mod space_time;
#[cfg(test)]
mod tests;

use super::measure::is_line;
use super::{FieldReportInput, styles};
use crate::report::draw::{self, DrawError};
use crate::report::figure::Figure;
use crate::report::figures::{Learning, curves};
use crate::report::heat::HeatFigure;
use crate::report::number::grouped;
use crate::report::raster::RasterError;
use crate::report::{ReportError, draw_heat};

/// One figure, of either family.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum FieldFigure {
    /// Curves on axes.
    Lines(Figure),
    /// Heat maps.
    Heat(HeatFigure),
}

impl FieldFigure {
    /// File stem under `figures/`.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Lines(figure) => figure.name,
            Self::Heat(figure) => &figure.name,
        }
    }

    /// What to look for, in a few sentences.
    pub(super) fn caption(&self) -> &str {
        match self {
            Self::Lines(figure) => &figure.caption,
            Self::Heat(figure) => &figure.caption,
        }
    }

    /// Draws the figure at `width` pixels.
    ///
    /// # Errors
    /// What the drawing surface reports.
    pub(super) fn svg(&self, width: u32) -> Result<String, DrawError> {
        match self {
            Self::Lines(figure) => draw::svg(figure, width),
            Self::Heat(figure) => draw_heat::svg(figure, width),
        }
    }
}

/// Every figure that the run has data for, in the page's order.
///
/// # Errors
/// [`ReportError::Raster`] if a heat map's picture cannot be made.
pub(super) fn all(input: &FieldReportInput<'_>) -> Result<Vec<FieldFigure>, ReportError> {
    let models = styles(input.summary, input.motions);
    let mut figures = Vec::new();
    for motion in input.motions {
        let summaries = || input.summary.models.values().filter_map(|model| model.motions.get(&motion.name));
        let crossing = summaries().map(|motion| motion.crossing_time).find(|time| time.is_finite() && *time > 0.0);
        let maps = if is_line(motion) {
            space_time::figure(motion, &models)
        } else {
            snapshots::figure(motion, crossing, &models)
        };
        let unpainted =
            |source: RasterError| ReportError::Raster { figure: format!("maps of {}", motion.name), source };
        figures.extend(maps.map_err(unpainted)?.map(FieldFigure::Heat));
    }
    figures.extend(energy::figure(input, &models).map(FieldFigure::Lines));
    figures.extend(density::figure(input, &models).map(FieldFigure::Lines));
    let held_out = input.summary.models.values().map(|model| model.held_out as u64).max();
    let learning = Learning {
        metrics: input.metrics,
        models: &models,
        published: Vec::new(),
        error: "Error of φ̈ a site, mean over held-out states".to_owned(),
        error_of: |line| line.acceleration_l1,
        caption: format!(
            "Both axes are logarithmic; lower is better. The upper panel is what the optimiser sees, and each \
             model may have its own loss, so compare the models in the lower panel: the error of the acceleration \
             at a fixed few of the {} states that are never trained on.",
            held_out.map_or_else(String::new, grouped)
        ),
    };
    figures.extend(curves(&learning).map(FieldFigure::Lines));
    Ok(figures)
}

/// The text with a capital first letter.
pub(super) fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
