//! `potential`: the learned potential along lines through the configuration.

use super::learned::fitted;
use super::phase::extent;
use super::{Drawing, LearnedView, PlotError};
use crate::report::axis::Axis;
use crate::report::figure::{Figure, Key, LegendEntry, Mark, Panel};
use crate::report::number::significant;
use crate::report::palette::{TRUTH, series};

/// Points along a line.
const POINTS: usize = 361;
/// Line widths in quarters of a pixel.
const LEARNED: u32 = 7;
const TRUE: u32 = 14;

/// The energy at rest, which is the potential −L(q, 0), along each of the coordinates `along`, or along all; over it that
/// of the true system where it is known.
///
/// # Errors
/// A model without energy, or a name that is no coordinate.
pub fn potential(view: &LearnedView, along: &[String]) -> Result<Drawing, PlotError> {
    let d = view.degrees_of_freedom();
    if !view.model().has_energy() {
        return Err(view.refused("energy, so that there is no potential", "draw a learned Lagrangian or Hamiltonian"));
    }
    let coordinates = if along.is_empty() {
        (0..d).collect()
    } else {
        let coordinate = |name: &String| match view.place(name, "go along")? {
            place if place < d => Ok(place),
            _ => Err(PlotError::UnknownVariable {
                given: name.clone(),
                purpose: "go along; a potential is one of the coordinates",
                valid: view.variables()[..d].iter().map(|variable| variable.name.clone()).collect(),
            }),
        };
        along.iter().map(coordinate).collect::<Result<Vec<usize>, PlotError>>()?
    };
    let mut panels = Vec::new();
    let mut has_truth = false;
    for j in coordinates {
        let variable = &view.variables()[j];
        let (low, high) = variable.range;
        let place = |index: usize| low + (high - low) * index as f64 / (POINTS - 1) as f64;
        let points = view.points(POINTS, |index, point| {
            point[j] = place(index);
            point[d..2 * d].fill(0.0);
        });
        let learned = view.evaluate(&points).energy;
        let truth = view.system().map(|system| {
            points.iter().map(|point| system.potential_energy(&point[..d], &point[2 * d..])).collect::<Vec<f64>>()
        });
        let fit = truth.as_ref().and_then(|truth| fitted(truth, &learned, true));
        let curve = |values: &[f64]| values.iter().enumerate().map(|(index, value)| (place(index), *value)).collect();
        let mut marks = Vec::new();
        let mut factor_in_words = String::new();
        if let (Some(truth), Some((factor, constant))) = (&truth, fit) {
            has_truth = true;
            let truth: Vec<f64> = truth.iter().map(|value| factor * value + constant).collect();
            marks.push(Mark::Line { points: curve(&truth), colour: TRUTH, quarter_width: TRUE });
            factor_in_words = format!("; truth times {}", significant(factor, 4));
        }
        marks.push(Mark::Line { points: curve(&learned), colour: series(0), quarter_width: LEARNED });
        let (bottom, top) = extent(learned.iter().copied());
        let varied: Vec<usize> = [j].into_iter().chain(d..2 * d).collect();
        panels.push(Panel {
            title: format!("−L at rest along {}{}{factor_in_words}", variable.symbol, view.at(&varied)),
            x: if variable.angle { Axis::angle_range(low, high, 4) } else { Axis::linear_range(low, high, 6) },
            y: Axis::linear_range(bottom, top, 5),
            x_label: variable.label(),
            height: 220,
            marks,
        });
    }
    let mut legend = vec![LegendEntry { label: view.name().to_owned(), colour: series(0), key: Key::Line(LEARNED) }];
    if has_truth {
        let label = "truth, with the factor and the constant that a Lagrangian leaves open".to_owned();
        legend.push(LegendEntry { label, colour: TRUTH, key: Key::Line(TRUE) });
    }
    let figure = Figure {
        name: "potential",
        title: format!("Learned potential of {}", view.name()),
        caption: String::new(),
        legend,
        panels,
    };
    Drawing::of_curves(format!("potential-{}", view.file_name()), &figure)
}
