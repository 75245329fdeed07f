//! `energy`: energies against time, and how far they go from where they began.

use super::phase::{LINE, extent, legend, styles};
use super::{Drawing, MotionTable, PlotError, Track};
use crate::report::axis::Axis;
use crate::report::figure::{Figure, Mark, Panel};

/// Height of a panel in pixels.
const HEIGHT: u32 = 190;

/// Every energy of the motions against time, with its change; `None` for a table without energies.
///
/// # Errors
/// [`PlotError::Draw`].
pub fn energy(table: &MotionTable) -> Result<Option<Drawing>, PlotError> {
    let columns: Vec<_> = table.tracks[0].energies.iter().map(|energy| energy.column.clone()).collect();
    if columns.is_empty() {
        return Ok(None);
    }
    let styles = styles(&table.tracks);
    let times = || table.tracks.iter().flat_map(|track| track.times.iter().copied());
    let (first, last) = times().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), t| (low.min(t), high.max(t)));
    let x = Axis::linear_range(first, last, 6);
    let x_label = match &table.time_unit {
        _ if !table.has_times => "row of the motion".to_owned(),
        Some(unit) => format!("time ({unit})"),
        None => "time".to_owned(),
    };
    let mut panels = Vec::new();
    for (index, column) in columns.iter().enumerate() {
        let values = |track: &Track| track.energies[index].values.clone();
        let change = |track: &Track| {
            let energies = values(track);
            energies.iter().map(|energy| (energy - energies[0]).abs()).collect::<Vec<_>>()
        };
        let lines = |value: &dyn Fn(&Track) -> Vec<f64>| -> Vec<Mark> {
            let line = |(track, (_, colour)): (&Track, &(String, _))| Mark::Line {
                points: track.times.iter().copied().zip(value(track)).collect(),
                colour: *colour,
                quarter_width: if track.is_truth() { 2 * LINE } else { LINE },
            };
            // The truth lies wide under the models.
            let (truth, others): (Vec<_>, Vec<_>) =
                table.tracks.iter().zip(&styles).partition(|(track, _)| track.is_truth());
            truth.into_iter().chain(others).map(line).collect()
        };
        let unit = column.unit.as_ref().map_or(String::new(), |unit| format!(" ({unit})"));
        let (low, high) = extent(table.tracks.iter().flat_map(values));
        let panel = |title: String, y: Axis, marks: Vec<Mark>| Panel {
            title,
            x: x.clone(),
            y,
            x_label: x_label.clone(),
            height: HEIGHT,
            marks,
        };
        panels.push(panel(format!("{}{unit}", column.name), Axis::linear_range(low, high, 5), lines(&values)));
        let changes = Axis::errors(table.tracks.iter().flat_map(change));
        panels.push(panel(
            format!("change of {} since the start, |E − E₀|{unit}", column.name),
            changes,
            lines(&change),
        ));
    }
    let figure = Figure {
        name: "energy",
        title: "Energy along the motions".to_owned(),
        caption: String::new(),
        legend: legend(&table.tracks, &styles),
        panels,
    };
    Drawing::of_curves("energy".to_owned(), &figure).map(Some)
}
