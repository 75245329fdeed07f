//! Draws a [`HeatFigure`] as SVG.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::axis::Axis;
use super::draw::{
    AXIS, Canvas, DrawError, INK, MARGIN, TEXT_SIZE, TICK_SIZE, TITLE_SIZE, UNITS, draw_header, finish, rgb, text,
    text_width, title_lines, units, wrap,
};
use super::heat::{ColourKey, HeatCell, HeatFigure, HeatMap, HeatRow};

/// Figures at least this wide use the wide arrangement.
const WIDE_FROM: u32 = 600;
/// Space between maps.
const GAP: u32 = 14;
/// Height of a map without an aspect of its own.
const HEIGHT: u32 = 180;
/// Height of one line of a title.
const LINE: u32 = TEXT_SIZE + 4;
/// Height of tick labels under a map.
const TICKS: u32 = TICK_SIZE + 8;
/// Height of a colour bar with its title and marks.
const KEY_HEIGHT: u32 = 58;
/// Width of a colour bar with its margins at most.
const KEY_WIDTH: u32 = 340;
/// Space beside a bar for its outermost marks' labels.
const KEY_MARGIN: u32 = 22;

/// Draws `figure` at `width` pixels; its height follows from the rows.
///
/// # Errors
///
/// What plotters reports of its drawing surface.
pub(crate) fn svg(figure: &HeatFigure, width: u32) -> Result<String, DrawError> {
    let rows = if width >= WIDE_FROM { &figure.wide } else { &figure.narrow };
    let title = title_lines(&figure.title, width - 2 * MARGIN);
    let layout = Layout::new(figure, rows, width);
    let header = MARGIN + title.len() as u32 * (TITLE_SIZE + 6) + 6;
    let height =
        header + rows.iter().enumerate().map(|(index, _)| layout.row_height(rows, index)).sum::<u32>() + MARGIN / 2;
    let mut images = String::new();
    let mut buffer = String::new();
    {
        let root = SVGBackend::with_string(&mut buffer, (width * UNITS, height * UNITS)).into_drawing_area();
        root.fill(&WHITE)?;
        draw_header(&root, &title, &[])?;
        let mut top = header;
        for (index, row) in rows.iter().enumerate() {
            draw_row(&root, figure, row, &layout, (index == 0, layout.last(rows, index)), top, &mut images)?;
            top += layout.row_height(rows, index);
        }
        root.present()?;
    }
    let document = finish(&buffer, &figure.title, Vec::new(), width, height);
    // Right after the background, so that axes lie on the maps.
    let background = document.find("<rect").and_then(|from| Some(from + document[from..].find("/>")? + 2));
    let at = background.expect("the document begins with the background that was filled above");
    Ok(format!("{}\n{images}{}", &document[..at], &document[at..]))
}

/// Sizes that all rows share, in pixels.
struct Layout {
    left: u32,
    row: u32,
    cell: u32,
    height: u32,
    bars: usize,
    /// Whether every row has the labels of the horizontal marks, or only the last one.
    every_row: bool,
}

impl Layout {
    fn new(figure: &HeatFigure, rows: &[HeatRow], width: u32) -> Self {
        let maps = || {
            rows.iter().flat_map(|row| &row.cells).filter_map(|cell| match cell {
                HeatCell::Map(map) => Some(&**map),
                HeatCell::Keys => None,
            })
        };
        let labels = maps().flat_map(|map| map.y.tick_labels());
        let widest = labels.map(|label| text_width(&label, TICK_SIZE)).max().unwrap_or(0);
        let left = MARGIN + widest.max(text_width(&figure.y_label, TICK_SIZE)) + 10;
        let columns = rows.iter().map(|row| row.cells.len()).max().unwrap_or(1).max(1) as u32;
        // The last mark's label reaches beyond the axis.
        let row = width.saturating_sub(left + MARGIN + 6);
        let cell = (row.saturating_sub((columns - 1) * GAP) / columns).max(8);
        let height = figure.aspect.map_or(HEIGHT, |aspect| ((f64::from(cell) * aspect).round() as u32).clamp(8, 900));
        Self { left, row, cell, height, bars: figure.keys.len(), every_row: figure.aspect.is_none() }
    }

    /// Lines of the longest title of a map in the row.
    fn title_lines(&self, row: &HeatRow) -> usize {
        row.cells
            .iter()
            .map(|cell| match cell {
                HeatCell::Map(map) if map.title.is_empty() => 0,
                HeatCell::Map(map) => wrap(&map.title, TEXT_SIZE, self.cell + GAP / 2).len(),
                HeatCell::Keys => 0,
            })
            .max()
            .unwrap_or(0)
    }

    /// Height of what stands above the maps of a row.
    fn head(&self, row: &HeatRow) -> u32 {
        let own = if row.title.is_empty() { 0 } else { LINE + 4 };
        own + self.title_lines(row) as u32 * LINE + 4
    }

    /// Whether a row has the labels of the horizontal marks.
    fn labelled(&self, last: bool) -> bool {
        last || self.every_row
    }

    /// Whether the row is the last one of maps, which carries the label of the horizontal axis.
    fn last(&self, rows: &[HeatRow], index: usize) -> bool {
        let has_maps = |row: &HeatRow| row.cells.iter().any(|cell| matches!(cell, HeatCell::Map(_)));
        has_maps(&rows[index]) && !rows[index + 1..].iter().any(has_maps)
    }

    fn row_height(&self, rows: &[HeatRow], index: usize) -> u32 {
        let row = &rows[index];
        if row.cells == [HeatCell::Keys] {
            return KEY_HEIGHT + 6;
        }
        let last = self.last(rows, index);
        let label = if last { TEXT_SIZE + 6 } else { 0 };
        let ticks = if self.labelled(last) { TICKS } else { 4 };
        // Bars one above the other may need more than a map.
        let body = if row.cells.contains(&HeatCell::Keys) {
            self.height.max(self.bars as u32 * KEY_HEIGHT)
        } else {
            self.height
        };
        self.head(row) + body + ticks + label + 8
    }
}

fn draw_row(
    root: &Canvas<'_>,
    figure: &HeatFigure,
    row: &HeatRow,
    layout: &Layout,
    (first, last): (bool, bool),
    top: u32,
    images: &mut String,
) -> Result<(), DrawError> {
    if !row.title.is_empty() {
        let mut style = text(TEXT_SIZE, INK, HPos::Left, VPos::Top);
        style.font = style.font.style(FontStyle::Bold);
        root.draw(&Text::new(row.title.clone(), (units(layout.left), units(top + 2)), style))?;
    }
    let above = top + layout.head(row);
    for (column, cell) in row.cells.iter().enumerate() {
        let x = layout.left + column as u32 * (layout.cell + GAP);
        match cell {
            HeatCell::Map(map) => {
                images.push_str(&map.picture.element(
                    units(x),
                    units(above),
                    layout.cell * UNITS,
                    layout.height * UNITS,
                ));
                let place = Place { leftmost: column == 0, top: first, bottom: last };
                draw_map(root, figure, map, layout, (x, above), place)?;
            }
            HeatCell::Keys if row.cells.len() == 1 => {
                // A strip of its own, with the bars side by side.
                let each = (layout.row / layout.bars.max(1) as u32).min(KEY_WIDTH);
                for (index, key) in figure.keys.iter().enumerate() {
                    draw_key(root, key, (x + index as u32 * each, top + 4), each, images)?;
                }
            }
            HeatCell::Keys => {
                for (index, key) in figure.keys.iter().enumerate() {
                    let y = above + index as u32 * KEY_HEIGHT;
                    draw_key(root, key, (x, y), layout.cell.min(KEY_WIDTH), images)?;
                }
            }
        }
    }
    Ok(())
}

/// Which labels a map carries for all.
#[derive(Clone, Copy)]
struct Place {
    leftmost: bool,
    top: bool,
    bottom: bool,
}

fn draw_map(
    root: &Canvas<'_>,
    figure: &HeatFigure,
    map: &HeatMap,
    layout: &Layout,
    (x, y): (u32, u32),
    place: Place,
) -> Result<(), DrawError> {
    let (width, height) = (layout.cell, layout.height);
    if !map.title.is_empty() {
        let lines = wrap(&map.title, TEXT_SIZE, width + GAP / 2);
        let style = text(TEXT_SIZE, INK, HPos::Left, VPos::Bottom);
        for (index, line) in lines.iter().rev().enumerate() {
            let at = (units(x), units(y - 4 - index as u32 * LINE));
            root.draw(&Text::new(line.clone(), at, style.clone()))?;
        }
    }
    let axis = rgb(AXIS).stroke_width(UNITS);
    let (right, bottom) = (x + width, y + height);
    root.draw(&Rectangle::new([(units(x), units(y)), (units(right), units(bottom))], axis))?;
    let label = |horizontal, vertical| text(TICK_SIZE, INK, horizontal, vertical);
    let mut free = 0;
    for (tick, words) in marks(&map.x) {
        let at = x + (tick * f64::from(width)).round() as u32;
        root.draw(&PathElement::new(vec![(units(at), units(bottom)), (units(at), units(bottom + 3))], axis))?;
        let half = text_width(&words, TICK_SIZE) / 2 + 2;
        if layout.labelled(place.bottom) && at >= half + free {
            root.draw(&Text::new(words, (units(at), units(bottom + 5)), label(HPos::Center, VPos::Top)))?;
            free = at + half;
        }
    }
    for (tick, words) in marks(&map.y) {
        let at = units(bottom) - (tick * f64::from(height * UNITS)).round() as i32;
        root.draw(&PathElement::new(vec![(units(x) - units(3), at), (units(x), at)], axis))?;
        if place.leftmost {
            root.draw(&Text::new(words, (units(x) - units(6), at), label(HPos::Right, VPos::Center)))?;
        }
    }
    if place.leftmost && place.top {
        // Higher than the titles: a mark's label may reach above the map.
        let at = (units(x) - units(6), units(y - 9));
        root.draw(&Text::new(figure.y_label.clone(), at, label(HPos::Right, VPos::Bottom)))?;
    }
    if place.bottom {
        let at = (units(x + width / 2), units(bottom + TICKS + 2));
        root.draw(&Text::new(figure.x_label.clone(), at, label(HPos::Center, VPos::Top)))?;
    }
    Ok(())
}

/// Places from 0 to 1 and texts of an axis' marks.
fn marks(axis: &Axis) -> Vec<(f64, String)> {
    axis.ticks().iter().map(|tick| (axis.position(*tick), axis.label(*tick))).collect()
}

fn draw_key(
    root: &Canvas<'_>,
    key: &ColourKey,
    (x, y): (u32, u32),
    width: u32,
    images: &mut String,
) -> Result<(), DrawError> {
    let style = text(TICK_SIZE, INK, HPos::Center, VPos::Top);
    root.draw(&Text::new(key.title.clone(), (units(x + width / 2), units(y)), style))?;
    let (x, width) = (x + KEY_MARGIN, width.saturating_sub(2 * KEY_MARGIN).max(1));
    let (top, bottom) = (y + LINE, y + LINE + 12);
    images.push_str(&key.picture.element(units(x), units(top), width * UNITS, 12 * UNITS));
    let axis = rgb(AXIS).stroke_width(UNITS);
    root.draw(&Rectangle::new([(units(x), units(top)), (units(x + width), units(bottom))], axis))?;
    let mut taken: Vec<(f64, f64)> = Vec::new();
    for (position, words) in &key.ticks {
        let place = f64::from(x) + 0.5 * (position + 1.0) * f64::from(width);
        // Both signs as wide as the wider one, so that either both have labels or none.
        let same = key.ticks.iter().filter(|(other, _)| other.abs() == position.abs());
        let widest = same.map(|(_, words)| text_width(words, TICK_SIZE)).max().unwrap_or(0);
        let half = 0.5 * f64::from(widest) + 2.0;
        let at = (place * f64::from(UNITS)).round() as i32;
        root.draw(&PathElement::new(vec![(at, units(bottom)), (at, units(bottom + 3))], axis))?;
        if taken.iter().all(|(low, high)| place + half < *low || place - half > *high) {
            let style = text(TICK_SIZE, INK, HPos::Center, VPos::Top);
            root.draw(&Text::new(words.clone(), (at, units(bottom + 5)), style))?;
            taken.push((place - half, place + half));
        }
    }
    Ok(())
}
