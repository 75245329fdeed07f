//! `space_time-<motion>.svg`: a field on a line, sites to the right and time upwards.

use super::super::measure::sites;
use super::capital;
use super::maps::Maps;
use crate::field::FieldMotion;
use crate::report::axis::Axis;
use crate::report::colour_map::ColourMap;
use crate::report::heat::{HeatCell, HeatFigure, HeatMap, HeatRow};
use crate::report::palette::{Colour, ModelStyle};
use crate::report::picture::Picture;
use crate::report::raster::RasterError;

/// Pixels of a map at most; more are not seen.
const COLUMNS: usize = 600;
const ROWS: usize = 400;
/// Maps beside each other on a wide screen at most.
const ABREAST: usize = 4;

/// Draws one motion on a line; `None` without a truth.
///
/// # Errors
/// [`RasterError`].
pub(super) fn figure(motion: &FieldMotion, models: &[ModelStyle]) -> Result<Option<HeatFigure>, RasterError> {
    let Some(maps) = Maps::new(motion, models) else { return Ok(None) };
    let map = |title: String, colours: ColourMap, places: &dyn Fn(usize) -> Vec<f64>| {
        Ok::<_, RasterError>(HeatCell::Map(Box::new(HeatMap {
            title,
            picture: picture(motion, colours, places)?,
            x: Axis::linear_range(-0.5, sites(motion) as f64 - 0.5, 3),
            y: Axis::linear_range(motion.times[0], motion.times[motion.times.len() - 1], 5),
        })))
    };
    // Truth over the colour bars, then every model over its error.
    let mut pairs = vec![[map("Truth".to_owned(), ColourMap::Field, &|frame| maps.truth(frame))?, HeatCell::Keys]];
    for index in 0..maps.models.len() {
        pairs.push([
            map(maps.title(index), ColourMap::Field, &|frame| maps.model(index, frame))?,
            map(maps.error_title(index), ColourMap::Error, &|frame| maps.error(index, frame))?,
        ]);
    }
    let row = |cells: Vec<HeatCell>| HeatRow { title: String::new(), cells };
    let upper_and_lower =
        |block: &[[HeatCell; 2]]| [0, 1].map(|part| row(block.iter().map(|pair| pair[part].clone()).collect()));
    Ok(Some(HeatFigure {
        name: format!("space_time-{}", motion.name),
        title: format!("{} in space and time: {}", capital(&motion.name), motion.description),
        caption: format!(
            "Sites lie to the right and time runs upwards, so a wave that travels draws a slanted line. {}",
            maps.caption()
        ),
        keys: maps.keys()?,
        wide: pairs.chunks(ABREAST).flat_map(upper_and_lower).collect(),
        narrow: pairs.into_iter().map(|pair| row(pair.into())).collect(),
        x_label: "site".to_owned(),
        y_label: "time".to_owned(),
        aspect: None,
    }))
}

/// Paints the frames that `places` gives, the last at the top.
fn picture(
    motion: &FieldMotion,
    colours: ColourMap,
    places: &dyn Fn(usize) -> Vec<f64>,
) -> Result<Picture, RasterError> {
    let (n, times) = (sites(motion), &motion.times);
    let (columns, rows) = (n.min(COLUMNS), times.len().min(ROWS));
    let (first, span) = (times[0], times[times.len() - 1] - times[0]);
    let mut pixels: Vec<Colour> = Vec::with_capacity(columns * rows);
    for row in 0..rows {
        // Rows are even in time, whatever the frames are.
        let t = first + span * (1.0 - (row as f64 + 0.5) / rows as f64);
        let after = times.partition_point(|time| *time < t).min(times.len() - 1);
        let nearer = after > 0 && t - times[after - 1] < times[after] - t;
        let line = places(if nearer { after - 1 } else { after });
        pixels.extend((0..columns).map(|column| {
            let site = (2 * column + 1) * n / (2 * columns);
            colours.colour(line.get(site).copied().unwrap_or(f64::NAN))
        }));
    }
    Picture::new(columns as u32, rows as u32, pixels.into_iter())
}
