//! `angles.svg`: the coordinates of one rollout against time, and how far the models are off.

use std::f64::consts::PI;

use super::super::axis::Axis;
use super::super::figure::{Figure, Mark, Panel};
use super::super::input::ReportInput;
use super::super::measure::{Representative, continuous_coordinate, coordinate_error};
use super::super::palette::{Colour, ModelStyle, TRUTH};
use super::{MODEL_WIDTH, TRUTH_WIDTH, line_key, truth_key};
use crate::record::Trajectory;

/// Frames shown of the coordinates themselves: more would merge into a solid block.
const SHOWN_FRAMES: usize = 200;
/// Coordinates shown at most.
const SHOWN_COORDINATES: usize = 4;

/// Draws the chosen rollout; `None` if the truth has no frame.
pub(super) fn figure(input: &ReportInput<'_>, models: &[ModelStyle], chosen: &Representative) -> Option<Figure> {
    let (rollouts, system) = (input.rollouts, input.system);
    let truth = rollouts.truth.get(chosen.index)?;
    let shown = rollouts.times.len().min(SHOWN_FRAMES + 1);
    let (start, last) = (*rollouts.times.first()?, *rollouts.times.last()?);
    let window = rollouts.times[shown - 1];
    let followers: Vec<(&ModelStyle, &Trajectory)> =
        models.iter().filter_map(|model| Some((model, rollouts.models.get(&model.name)?.get(chosen.index)?))).collect();
    let all_angles = system.coordinates.iter().all(|coordinate| coordinate.angle);

    let mut panels = Vec::new();
    for (j, coordinate) in system.coordinates.iter().enumerate().take(SHOWN_COORDINATES) {
        let series = |trajectory: &Trajectory| -> Vec<(f64, f64)> {
            let values = continuous_coordinate(trajectory, &rollouts.times, system, j);
            rollouts.times.iter().copied().zip(values).take(shown).collect()
        };
        let line =
            |points: Vec<(f64, f64)>, colour: Colour, quarter_width: u32| Mark::Line { points, colour, quarter_width };
        let reference = series(truth);
        let (low, high) = reference
            .iter()
            .map(|point| point.1)
            .filter(|value| value.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        // Room around the truth: a model that has left it may leave the panel too.
        let room = if coordinate.angle {
            (0.25 * (high - low)).max(0.5)
        } else {
            (0.25 * (high - low)).max(1e-3 * high.abs())
        };
        let y = if coordinate.angle {
            Axis::angle_range(low - room, high + room, 4)
        } else {
            Axis::linear_range(low - room, high + room, 4)
        };
        let mut marks = vec![line(reference, TRUTH, TRUTH_WIDTH)];
        marks.extend(
            followers.iter().rev().map(|(model, trajectory)| line(series(trajectory), model.colour, MODEL_WIDTH)),
        );
        let extent = if window < last { format!(", the first {window:.0} s of {last:.0} s") } else { String::new() };
        panels.push(Panel {
            title: format!("{} ({}){extent}", coordinate.symbol, coordinate.unit),
            x: Axis::linear_range(start, window, 5),
            y,
            x_label: "time (s)".to_owned(),
            height: 125,
            marks,
        });
    }

    let errors: Vec<(&ModelStyle, Vec<f64>)> =
        followers.iter().map(|(model, trajectory)| (*model, coordinate_error(trajectory, truth, system))).collect();
    let unit = system.coordinates.first().map_or("", |first| &first.unit);
    let same_unit = system.coordinates.iter().all(|c| c.unit == unit);
    let (noun, bound) =
        if all_angles { ("angle", format!(", at most π = {PI:.2}")) } else { ("coordinate", String::new()) };
    panels.push(Panel {
        title: format!(
            "Largest {noun} error{}{bound}, the whole rollout",
            if same_unit { format!(" ({unit})") } else { String::new() },
        ),
        x: Axis::linear_range(start, last, 5),
        y: Axis::errors(errors.iter().flat_map(|(_, errors)| errors.iter().copied())),
        x_label: "time (s)".to_owned(),
        height: 150,
        marks: errors
            .into_iter()
            .rev()
            .map(|(model, errors)| Mark::Line {
                points: rollouts.times.iter().copied().zip(errors).collect(),
                colour: model.colour,
                quarter_width: MODEL_WIDTH,
            })
            .collect(),
    });

    let mut legend = vec![truth_key()];
    legend.extend(followers.iter().map(|(model, _)| line_key(&model.label, model)));
    Some(Figure {
        name: if all_angles { "angles" } else { "coordinates" },
        title: format!("Truth and models from the same start, {noun}s against time"),
        caption: format!(
            "{} Look for the moment when a line leaves the black one. Where the motion is chaotic, \
             even a tiny error grows exponentially, a straight slope in the lowest panel, and after it \
             has saturated only quantities such as the energy still tell a good model from a bad one.",
            chosen.reason
        ),
        legend,
        panels,
    })
}
