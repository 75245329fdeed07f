//! `snapshots-<motion>.svg`: a field on a grid at four times.

use super::super::measure::sites;
use super::capital;
use super::maps::Maps;
use crate::field::FieldMotion;
use crate::report::axis::Axis;
use crate::report::colour_map::ColourMap;
use crate::report::figures::amount;
use crate::report::heat::{HeatCell, HeatFigure, HeatMap, HeatRow};
use crate::report::palette::ModelStyle;
use crate::report::picture::Picture;
use crate::report::raster::RasterError;

/// Pixels of a map in one direction at most.
const PIXELS: usize = 400;

/// Draws one motion on a grid, at the start, half a crossing (`crossing` is its time), a crossing and the end, or evenly
/// where a crossing has no meaning; `None` without a truth.
///
/// # Errors
/// [`RasterError`].
pub(super) fn figure(
    motion: &FieldMotion,
    crossing: Option<f64>,
    models: &[ModelStyle],
) -> Result<Option<HeatFigure>, RasterError> {
    let Some(maps) = Maps::new(motion, models) else { return Ok(None) };
    let frames = frames(motion, crossing);
    let [rows, columns] = motion.shape;
    let row = |title: String, timed: bool, colours: ColourMap, places: &dyn Fn(usize) -> Vec<f64>| {
        let cells = frames.iter().map(|&frame| {
            let title = if timed { format!("t = {}", amount(motion.times[frame])) } else { String::new() };
            Ok(HeatCell::Map(Box::new(HeatMap {
                title,
                picture: picture(motion, colours, &places(frame))?,
                x: Axis::linear_range(-0.5, columns as f64 - 0.5, 2),
                y: Axis::linear_range(-0.5, rows as f64 - 0.5, 2),
            })))
        });
        Ok::<_, RasterError>(HeatRow { title, cells: cells.collect::<Result<_, RasterError>>()? })
    };
    let mut drawn = vec![row("Truth".to_owned(), true, ColourMap::Field, &|frame| maps.truth(frame))?];
    for index in 0..maps.models.len() {
        drawn.push(row(maps.title(index), false, ColourMap::Field, &|frame| maps.model(index, frame))?);
        drawn.push(row(maps.error_title(index), false, ColourMap::Error, &|frame| maps.error(index, frame))?);
    }
    drawn.push(HeatRow { title: String::new(), cells: vec![HeatCell::Keys] });
    Ok(Some(HeatFigure {
        name: format!("snapshots-{}", motion.name),
        title: format!("{} on a grid: {}", capital(&motion.name), motion.description),
        caption: format!("Each column is one time, each row the truth, a model or its error. {}", maps.caption()),
        keys: maps.keys()?,
        wide: drawn.clone(),
        narrow: drawn,
        x_label: "column".to_owned(),
        y_label: "row".to_owned(),
        aspect: Some(rows as f64 / columns as f64),
    }))
}

/// The frames that are shown, increasing; fewer than four of a short motion.
fn frames(motion: &FieldMotion, crossing: Option<f64>) -> Vec<usize> {
    let (times, last) = (&motion.times, motion.times.len() - 1);
    let (start, end) = (times[0], times[last]);
    let inner = match crossing {
        Some(crossing) if start + 1.5 * crossing <= end => [start + 0.5 * crossing, start + crossing],
        _ => [1.0, 2.0].map(|third| start + third * (end - start) / 3.0),
    };
    let mut frames = vec![0];
    frames.extend(inner.map(|t| times.partition_point(|time| *time < t * (1.0 - 1e-12)).min(last)));
    frames.push(last);
    frames.dedup();
    frames
}

/// Paints the sites as they lie, row 0 at the bottom as on the axis.
fn picture(motion: &FieldMotion, colours: ColourMap, places: &[f64]) -> Result<Picture, RasterError> {
    let [rows, columns] = motion.shape;
    debug_assert!(places.is_empty() || places.len() == sites(motion), "one place a site");
    let (wide, high) = (columns.min(PIXELS), rows.min(PIXELS));
    let pixels: Vec<_> = (0..wide * high)
        .map(|pixel| {
            let (line, column) = (high - 1 - pixel / wide, pixel % wide);
            let site = (2 * line + 1) * rows / (2 * high) * columns + (2 * column + 1) * columns / (2 * wide);
            colours.colour(places.get(site).copied().unwrap_or(f64::NAN))
        })
        .collect();
    Picture::new(wide as u32, high as u32, pixels.into_iter())
}
