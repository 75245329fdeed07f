//! `angles.svg`: the coordinates of one rollout against time, and how far the models are off.

use std::f64::consts::PI;

use super::super::axis::Axis;
use super::super::figure::{Figure, Mark, Panel};
use super::super::input::ReportInput;
use super::super::measure::{Representative, continuous_coordinate, coordinate_error};
use super::super::palette::{Colour, ModelStyle, TRUTH};
use super::{MODEL_WIDTH, TRUTH_WIDTH, amount, line_key, truth_key};
use crate::record::Trajectory;

/// Intervals between frames of which the coordinates themselves are shown at least.
const LEAST_SHOWN: usize = 200;
/// And at most: more would merge into a solid block.
const MOST_SHOWN: usize = 400;
/// Angle error in radians at which a model has left the truth for the eye.
const PARTED: f64 = 1.0;
/// Seconds shown after the first model has left.
const AFTERWARDS: f64 = 4.0;
/// Coordinates shown at most.
const SHOWN_COORDINATES: usize = 4;

/// Draws the chosen rollout; `None` if the truth has no frame.
pub(super) fn figure(input: &ReportInput<'_>, models: &[ModelStyle], chosen: &Representative) -> Option<Figure> {
    let (rollouts, system) = (input.rollouts, input.system);
    let truth = rollouts.truth.get(chosen.index)?;
    let (start, last) = (*rollouts.times.first()?, *rollouts.times.last()?);
    let followers: Vec<(&ModelStyle, &Trajectory)> =
        models.iter().filter_map(|model| Some((model, rollouts.models.get(&model.name)?.get(chosen.index)?))).collect();
    let all_angles = system.coordinates.iter().all(|coordinate| coordinate.angle);
    let errors: Vec<(&ModelStyle, Vec<f64>)> =
        followers.iter().map(|(model, trajectory)| (*model, coordinate_error(trajectory, truth, system))).collect();
    // Other coordinates have no error that the eye finds large at every scale.
    let parted = |errors: &[f64]| if all_angles { errors.iter().position(|error| *error > PARTED) } else { None };
    let shown = shown_frames(&rollouts.times, errors.first().and_then(|(_, errors)| parted(errors)));
    let window = rollouts.times[shown - 1];
    let leaves = errors.iter().any(|(_, errors)| parted(errors).is_some_and(|frame| frame < shown));

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
        let extent = if window < last {
            format!(", the first {} {unit} of {} {unit}", amount(window), amount(last), unit = system.time_unit)
        } else {
            String::new()
        };
        panels.push(Panel {
            title: format!("{} ({}){extent}", coordinate.symbol, coordinate.unit),
            x: Axis::linear_range(start, window, 5),
            y,
            x_label: format!("time ({})", system.time_unit),
            height: 125,
            marks,
        });
    }

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
        x_label: format!("time ({})", system.time_unit),
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
            "{} {} Where the motion is chaotic, \
             even a tiny error grows exponentially, a straight slope in the lowest panel, and after it \
             has saturated only quantities such as the energy still tell a good model from a bad one.",
            chosen.reason,
            if leaves {
                "Look for the moment when a line leaves the black one."
            } else {
                "See whether a line leaves the black one."
            }
        ),
        legend,
        panels,
    })
}

/// Number of frames to show of a rollout that the first model leaves at frame `parted`: enough to see it
/// happen, if the picture stays readable.
fn shown_frames(times: &[f64], parted: Option<usize>) -> usize {
    let needed = parted.map_or(0, |frame| {
        let end = times[frame] + AFTERWARDS;
        times.partition_point(|time| *time < end) + 1
    });
    needed.clamp(LEAST_SHOWN + 1, MOST_SHOWN + 1).min(times.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_reaches_past_the_parting_within_bounds() {
        // Quarters of a second are exact.
        let times: Vec<f64> = (0..1001).map(|k| 0.25 * f64::from(k)).collect();
        for (parted, frames) in [(None, 201), (Some(30), 201), (Some(250), 267), (Some(395), 401), (Some(999), 401)] {
            assert_eq!(shown_frames(&times, parted), frames, "{parted:?}");
        }
        assert_eq!(shown_frames(&times[..50], Some(40)), 50);
        assert_eq!(shown_frames(&times[..1], None), 1);
    }
}
