//! `phase`: velocity against position, a panel a coordinate.

use std::f64::consts::{PI, TAU};

use super::{Drawing, MotionTable, PlotError, Track};
use crate::report::axis::Axis;
use crate::report::figure::{Figure, Key, LegendEntry, Mark, Panel};
use crate::report::number::significant;
use crate::report::palette::{Colour, TRUTH, series};

/// Line widths in quarters of a pixel.
pub(super) const LINE: u32 = 6;
const TRUTH_LINE: u32 = 12;
/// Height of a portrait in pixels.
const HEIGHT: u32 = 320;
/// Times that a velocity changes its sign in what is drawn: more turns would fill the portrait.
const TURNS: usize = 16;
/// Points of one line. A drawing thins longer ones for curves against time, which would spoil a portrait.
const PIECE: usize = 1000;

/// The phase portrait of the motions, each up to the time by which a velocity has changed its sign sixteen times.
///
/// # Errors
/// [`PlotError::Draw`].
pub fn phase(table: &MotionTable) -> Result<Drawing, PlotError> {
    let d = table.degrees_of_freedom();
    let styles = styles(&table.tracks);
    // One time for all panels: that of the coordinate that turns most often.
    let turned =
        |j: usize| table.tracks.iter().map(|track| end_of_turns(track, d, j)).fold(f64::NEG_INFINITY, f64::max);
    let until = (0..d).map(turned).fold(f64::INFINITY, f64::min);
    let last = table.tracks.iter().filter_map(|track| track.times.last().copied()).fold(until, f64::max);
    let panel = |j: usize| {
        let coordinate = &table.coordinates[j];
        let lines: Vec<Vec<(f64, f64)>> =
            table.tracks.iter().map(|track| points(track, d, j, coordinate.angle, until)).collect();
        let (x_range, y_range) =
            (extent(lines.iter().flatten().map(|at| at.0)), extent(lines.iter().flatten().map(|at| at.1)));
        let x =
            if coordinate.angle { Axis::angle_range(-PI, PI, 4) } else { Axis::linear_range(x_range.0, x_range.1, 6) };
        let unit = |unit: &str| if unit.is_empty() { String::new() } else { format!(" ({unit})") };
        let rate = match (&coordinate.unit[..], &table.time_unit) {
            ("", _) => String::new(),
            (unit, Some(time)) => format!(" ({unit}/{time})"),
            (unit, None) => format!(" ({unit} over the unit of time)"),
        };
        let mut marks: Vec<(bool, Mark)> = Vec::new();
        for ((track, line), (_, colour)) in table.tracks.iter().zip(lines).zip(&styles) {
            let start = line.iter().copied().find(|at| at.0.is_finite());
            let quarter_width = if track.is_truth() { TRUTH_LINE } else { LINE };
            for points in pieces(&line) {
                marks.push((!track.is_truth(), Mark::Line { points, colour: *colour, quarter_width }));
            }
            marks.push((true, Mark::Dots { points: start.into_iter().collect(), colour: *colour, filled: true }));
        }
        // The truth lies wide under the models that follow it.
        marks.sort_by_key(|(above, _)| *above);
        let shown = if until < last && !table.has_times {
            format!(", the first {} rows of {}", until + 1.0, last + 1.0)
        } else if until < last {
            let time = table.time_unit.as_ref().map_or(String::new(), |unit| format!(" {unit}"));
            format!(", up to t = {}{time} of {}{time}", significant(until, 3), significant(last, 3))
        } else {
            String::new()
        };
        Panel {
            title: format!("d{symbol}/dt{rate} against {symbol}{shown}", symbol = coordinate.symbol),
            x,
            y: Axis::linear_range(y_range.0, y_range.1, 5),
            x_label: format!("{}{}", coordinate.symbol, unit(&coordinate.unit)),
            height: HEIGHT,
            marks: marks.into_iter().map(|(_, mark)| mark).collect(),
        }
    };
    let figure = Figure {
        name: "phase",
        title: "Phase portrait; a dot marks the start".to_owned(),
        caption: String::new(),
        legend: legend(&table.tracks, &styles),
        panels: (0..d).map(panel).collect(),
    };
    Drawing::of_curves("phase".to_owned(), &figure)
}

/// The time by which q̇ⱼ has changed its sign [`TURNS`] times; the last one if it has not.
fn end_of_turns(track: &Track, d: usize, j: usize) -> f64 {
    let velocities: Vec<f64> = track.states.chunks_exact(2 * d).map(|state| state[d + j]).collect();
    let turns = velocities.windows(2).enumerate().filter(|(_, pair)| pair[0] * pair[1] < 0.0);
    let end = turns.map(|(frame, _)| frame + 1).nth(TURNS - 1);
    end.or(track.times.len().checked_sub(1)).map_or(0.0, |frame| track.times[frame])
}

/// (qⱼ, q̇ⱼ) of a motion up to a time, with a gap where an angle leaves at one side and comes back at the other.
fn points(track: &Track, d: usize, j: usize, angle: bool, until: f64) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = Vec::with_capacity(track.times.len());
    let shown = track.times.iter().zip(track.states.chunks_exact(2 * d)).take_while(|(time, _)| **time <= until);
    for (_, state) in shown {
        let q = if angle { state[j] - TAU * ((state[j] + PI) / TAU).floor() } else { state[j] };
        if let Some(&(before, velocity)) = points.last().filter(|last| angle && (q - last.0).abs() > PI) {
            // Out at one side and in at the other, at the same velocity.
            let edge = PI.copysign(before - q);
            let share = (edge - before) / (q + 2.0 * edge - before);
            let at_edge = velocity + share * (state[d + j] - velocity);
            points.extend([(edge, at_edge), (f64::NAN, f64::NAN), (-edge, at_edge)]);
        }
        points.push((q, state[d + j]));
    }
    points
}

/// A line in pieces of [`PIECE`] steps; the last point of each is the first of the next.
fn pieces(line: &[(f64, f64)]) -> impl Iterator<Item = Vec<(f64, f64)>> {
    (0..line.len()).step_by(PIECE).map(|from| line[from..line.len().min(from + PIECE + 1)].to_vec())
}

/// Name and colour of each motion: by model in the table of a run, else by trajectory.
pub(super) fn styles(tracks: &[Track]) -> Vec<(String, Colour)> {
    let mut models: Vec<&str> = Vec::new();
    tracks
        .iter()
        .enumerate()
        .map(|(index, track)| match track.model.as_deref() {
            None => (format!("trajectory {}", track.number), series(index)),
            Some(_) if track.is_truth() => ("truth".to_owned(), TRUTH),
            Some(model) => {
                let place = models.iter().position(|known| *known == model).unwrap_or_else(|| {
                    models.push(model);
                    models.len() - 1
                });
                (model.to_owned(), series(place))
            }
        })
        .collect()
}

/// One entry a name.
pub(super) fn legend(tracks: &[Track], styles: &[(String, Colour)]) -> Vec<LegendEntry> {
    let mut entries: Vec<LegendEntry> = Vec::new();
    for (track, (label, colour)) in tracks.iter().zip(styles) {
        if entries.iter().all(|entry| entry.label != *label) {
            let width = if track.is_truth() { TRUTH_LINE } else { LINE };
            entries.push(LegendEntry { label: label.clone(), colour: *colour, key: Key::Line(width) });
        }
    }
    // A single motion needs no key.
    if entries.len() == 1 && tracks[0].model.is_none() { Vec::new() } else { entries }
}

/// Smallest and largest finite value, with some room.
pub(super) fn extent(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let finite = values.filter(|value| value.is_finite());
    let (low, high) =
        finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    let room = 0.06 * (high - low);
    (low - room, high + room)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One coordinate, frame by frame at times 0, 1, 2, ….
    fn track(states: &[(f64, f64)]) -> Track {
        Track {
            number: 0.0,
            model: None,
            times: (0..states.len()).map(|frame| frame as f64).collect(),
            states: states.iter().flat_map(|&(q, q_dot)| [q, q_dot]).collect(),
            conditionals: Vec::new(),
            energies: Vec::new(),
        }
    }

    #[test]
    fn an_angle_leaves_at_one_side_and_comes_in_at_the_other() {
        for sign in [1.0, -1.0] {
            // From 0.1 short of the edge to 0.3 behind it: there the velocity is a quarter of the way on.
            let turning = track(&[(sign * (PI - 0.1), 2.0), (sign * (PI + 0.3), 4.0)]);
            let points = points(&turning, 1, 0, true, 10.0);
            let want = [(sign * (PI - 0.1), 2.0), (sign * PI, 2.5), (-sign * PI, 2.5), (sign * (0.3 - PI), 4.0)];
            assert!(points.len() == 5 && points[2].0.is_nan(), "{points:?}");
            for (found, want) in [points[0], points[1], points[3], points[4]].into_iter().zip(want) {
                // Some roundings of numbers of size 2π.
                assert!((found.0 - want.0).abs() < 1e-14 && (found.1 - want.1).abs() < 1e-13, "{found:?} {want:?}");
            }
        }
        let straight = points(&track(&[(3.0, 2.0), (3.5, 4.0)]), 1, 0, false, 10.0);
        assert_eq!(straight, [(3.0, 2.0), (3.5, 4.0)]);
        assert_eq!(points(&track(&[(0.0, 1.0), (1.0, 1.0), (2.0, 1.0)]), 1, 0, true, 1.0).len(), 2);
    }

    #[test]
    fn a_portrait_ends_with_the_sixteenth_turn() {
        // The velocity changes its sign at every frame.
        let swings =
            |frames: i32| track(&(0..frames).map(|frame| (0.0, f64::from(1 - 2 * (frame % 2)))).collect::<Vec<_>>());
        assert_eq!(end_of_turns(&swings(40), 1, 0), 16.0);
        assert_eq!(end_of_turns(&swings(16), 1, 0), 15.0);
        assert_eq!(end_of_turns(&track(&[(0.0, 1.0); 9]), 1, 0), 8.0);
    }

    /// A long line is drawn in pieces that meet, so that nothing of it is thinned or lost.
    #[test]
    fn pieces_of_a_long_line_meet() {
        let count = 2 * PIECE + 7;
        let motion = track(&(0..count).map(|frame| (frame as f64, 1.0)).collect::<Vec<_>>());
        let line = points(&motion, 1, 0, false, f64::INFINITY);
        let pieces: Vec<Vec<(f64, f64)>> = pieces(&line).collect();
        assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), [PIECE + 1, PIECE + 1, 7]);
        assert!(pieces.windows(2).all(|pair| pair[0].last() == pair[1].first()));
        let drawn: usize = pieces.iter().map(|piece| piece.len() - 1).sum();
        assert_eq!(drawn, count - 1);
    }
}
