//! `mass_matrix.svg`: spectrum and conditioning of the learned mass matrix during training.

use super::super::axis::Axis;
use super::super::figure::{Figure, Key, LegendEntry, Mark, Panel};
use super::super::input::ReportInput;
use super::super::palette::ModelStyle;
use super::{MODEL_WIDTH, line_key, logged_states};
use crate::record::MassMatrixSpectrum;

/// Draws every model that has a mass matrix; `None` if none has.
pub(super) fn figure(input: &ReportInput<'_>, models: &[ModelStyle]) -> Option<Figure> {
    let curves: Vec<(&ModelStyle, Vec<(f64, MassMatrixSpectrum)>)> = models
        .iter()
        .map(|model| {
            let spectra = input
                .metrics
                .iter()
                .filter(|line| line.model == model.name)
                .filter_map(|line| Some((line.step as f64, line.mass_matrix?)))
                .collect::<Vec<_>>();
            (model, spectra)
        })
        .filter(|(_, spectra)| !spectra.is_empty())
        .collect();
    if curves.is_empty() {
        return None;
    }
    let spectra = || curves.iter().flat_map(|(_, spectra)| spectra.iter());
    let x = Axis::logarithmic(spectra().map(|(step, _)| *step));
    let eigenvalues = Axis::errors(spectra().flat_map(|(_, s)| [s.eigenvalue_min, s.eigenvalue_max]));
    let conditions = Axis::errors(spectra().flat_map(|(_, s)| [s.condition_median, s.condition_max]));
    let mut eigenvalue_marks = Vec::new();
    let mut condition_marks = Vec::new();
    let mut indefinite = false;
    for (model, spectra) in curves.iter().rev() {
        let line = |value: fn(&MassMatrixSpectrum) -> f64| Mark::Line {
            points: spectra.iter().map(|(x, s)| (*x, value(s))).collect(),
            colour: model.colour,
            quarter_width: MODEL_WIDTH,
        };
        let band = |low: fn(&MassMatrixSpectrum) -> f64, high: fn(&MassMatrixSpectrum) -> f64| Mark::Band {
            points: spectra.iter().map(|(x, s)| (*x, low(s), high(s))).collect(),
            colour: model.colour,
        };
        eigenvalue_marks.push(band(|s| s.eigenvalue_min, |s| s.eigenvalue_max));
        eigenvalue_marks.push(line(|s| s.eigenvalue_min));
        eigenvalue_marks.push(line(|s| s.eigenvalue_max));
        let below: Vec<(f64, f64)> =
            spectra.iter().filter(|(_, s)| s.eigenvalue_min <= 0.0).map(|(x, _)| (*x, eigenvalues.low())).collect();
        indefinite |= !below.is_empty();
        eigenvalue_marks.push(Mark::Dots { points: below, colour: model.colour, filled: false });
        condition_marks.push(band(|s| s.condition_median, |s| s.condition_max));
        condition_marks.push(line(|s| s.condition_median));
    }
    let mut legend: Vec<LegendEntry> = curves.iter().map(|(model, _)| line_key(&model.label, model)).collect();
    if indefinite {
        legend.push(LegendEntry {
            label: "smallest eigenvalue is not positive".to_owned(),
            colour: curves[0].0.colour,
            key: Key::Ring,
        });
    }
    let states = logged_states(input.summary);
    let panel = |title: String, y: Axis, marks: Vec<Mark>| Panel {
        title,
        x: x.clone(),
        y,
        x_label: "optimiser steps".to_owned(),
        height: 160,
        marks,
    };
    Some(Figure {
        name: "mass_matrix",
        title: "Is the learned mass matrix healthy?".to_owned(),
        caption: "The accelerations come from solving with the mass matrix, the Lagrangian's second \
                  derivative in the velocities. Its eigenvalues should stay \
                  positive and its condition number, the ratio of largest to smallest, moderate: large \
                  ones magnify every error of the network."
            .to_owned(),
        legend,
        panels: vec![
            panel(format!("Eigenvalues: the range over {states}"), eigenvalues, eigenvalue_marks),
            panel(
                format!("Condition number: the median (line) up to the largest over {states}"),
                conditions,
                condition_marks,
            ),
        ],
    })
}
