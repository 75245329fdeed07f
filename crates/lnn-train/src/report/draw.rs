//! Draws a [`Figure`] as SVG; the only module that knows plotters' drawing calls.

use std::io;

use plotters::coord::Shift;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;
use super::figure::{Figure, Key, LegendEntry, Mark, Panel, clip, thin};
use super::palette::{Colour, REFERENCE, dash};

/// Why a figure could not be drawn.
pub(crate) type DrawError = DrawingAreaErrorKind<io::Error>;

/// Width in pixels of the figures that are written to files and shown on wide screens.
pub(crate) const WIDE: u32 = 760;
/// Width in pixels of the figures shown on narrow screens.
pub(crate) const NARROW: u32 = 380;

/// Canvas units a pixel: plotters places marks on whole units, and quarters of a pixel look smooth.
pub(super) const UNITS: u32 = 4;
/// The font family asked of a browser; the PNG files use the first.
const FONT: &str = "DejaVu Sans, Verdana, sans-serif";

pub(super) const TITLE_SIZE: u32 = 16;
pub(super) const TEXT_SIZE: u32 = 13;
pub(super) const TICK_SIZE: u32 = 12;
pub(super) const MARGIN: u32 = 10;
pub(super) const INK: Colour = Colour(0x22, 0x22, 0x22);
pub(super) const AXIS: Colour = Colour(0x80, 0x80, 0x80);
const GRID: Colour = Colour(0xE2, 0xE2, 0xE2);
const MINOR_GRID: Colour = Colour(0xF2, 0xF2, 0xF2);

pub(super) type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws `figure` at `width` pixels; its height follows from the panels and from how the text wraps.
///
/// # Errors
///
/// What plotters reports of its drawing surface.
pub(crate) fn svg(figure: &Figure, width: u32) -> Result<String, DrawError> {
    let inner = width - 2 * MARGIN;
    let title = title_lines(&figure.title, inner);
    let legend = legend_rows(&figure.legend, inner);
    let left = figure
        .panels
        .iter()
        .flat_map(|panel| panel.y.tick_labels())
        .map(|label| text_width(&label, TICK_SIZE))
        .max()
        .unwrap_or(0)
        + 12;
    let header = MARGIN + title.len() as u32 * (TITLE_SIZE + 6) + legend.len() as u32 * 21 + 4;
    let layouts: Vec<PanelLayout> = figure
        .panels
        .iter()
        .enumerate()
        .map(|(index, panel)| {
            let next = figure.panels.get(index + 1);
            PanelLayout {
                title: wrap(&panel.title, TEXT_SIZE, inner),
                left,
                // A label shared with the panel below is written once.
                x_label: next.is_none_or(|next| next.x_label != panel.x_label || next.x != panel.x),
            }
        })
        .collect();
    let panels: u32 = figure.panels.iter().zip(&layouts).map(|(panel, layout)| layout.height(panel)).sum();
    let height = header + panels + MARGIN / 2;

    let mut buffer = String::new();
    {
        let root = SVGBackend::with_string(&mut buffer, (width * UNITS, height * UNITS)).into_drawing_area();
        root.fill(&WHITE)?;
        let (top, mut rest) = root.split_vertically(header * UNITS);
        draw_header(&top, &title, &legend)?;
        for (panel, layout) in figure.panels.iter().zip(&layouts) {
            let (area, below) = rest.split_vertically(layout.height(panel) * UNITS);
            draw_panel(&area, panel, layout, width)?;
            rest = below;
        }
        root.present()?;
    }
    let colours = figure.legend.iter().map(|entry| entry.colour).chain([REFERENCE]).collect();
    Ok(finish(&buffer, &figure.title, colours, width, height))
}

struct PanelLayout {
    title: Vec<String>,
    left: u32,
    x_label: bool,
}

impl PanelLayout {
    fn title_height(&self) -> u32 {
        self.title.len() as u32 * (TEXT_SIZE + 5) + 8
    }

    fn bottom(&self) -> u32 {
        if self.x_label { TICK_SIZE + TEXT_SIZE + 26 } else { TICK_SIZE + 18 }
    }

    fn height(&self, panel: &Panel) -> u32 {
        self.title_height() + panel.height + self.bottom()
    }
}

pub(super) fn rgb(colour: Colour) -> RGBColor {
    RGBColor(colour.0, colour.1, colour.2)
}

/// A text style; plotters divides every SVG font size by 1.24.
pub(super) fn text(size: u32, colour: Colour, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    let size = f64::from(size * UNITS) * 1.24;
    TextStyle {
        font: (FONT, size).into_font(),
        color: rgb(colour).to_backend_color(),
        pos: Pos::new(horizontal, vertical),
    }
}

pub(super) fn units(pixels: u32) -> i32 {
    (pixels * UNITS) as i32
}

/// Width of a text in pixels, near enough for a layout: the classes of widths of DejaVu Sans, which is
/// wider than the fonts a browser may put in its place.
pub(super) fn text_width(text: &str, size: u32) -> u32 {
    let ems: f64 = text
        .chars()
        .map(|character| match character {
            'i' | 'j' | 'l' | '\'' | '|' => 0.29,
            ' ' | ',' | '.' | ':' | ';' | '(' | ')' | 'f' | 'r' | 't' | 'I' => 0.4,
            'm' | 'w' | 'M' | 'W' | '−' | '%' => 0.97,
            'A'..='Z' => 0.73,
            _ => 0.63,
        })
        .sum();
    (ems * f64::from(size)).ceil() as u32
}

/// Breaks `line` between words so that each part is about `width` pixels at most.
pub(super) fn wrap(line: &str, size: u32, width: u32) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in line.split(' ') {
        match lines.last_mut() {
            Some(current) if text_width(&format!("{current} {word}"), size) <= width => {
                current.push(' ');
                current.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Breaks a figure's title, whose bold letters are an eighth wider.
pub(super) fn title_lines(title: &str, width: u32) -> Vec<String> {
    wrap(title, TITLE_SIZE, width * 8 / 9)
}

/// Distributes the legend over rows: each entry with its left edge in pixels.
fn legend_rows(entries: &[LegendEntry], width: u32) -> Vec<Vec<(u32, &LegendEntry)>> {
    let mut rows: Vec<Vec<(u32, &LegendEntry)>> = Vec::new();
    let mut x = 0;
    for entry in entries {
        let needed = 32 + text_width(&entry.label, TEXT_SIZE);
        match rows.last_mut() {
            Some(row) if x + needed <= width => row.push((x, entry)),
            _ => {
                x = 0;
                rows.push(vec![(0, entry)]);
            }
        }
        x += needed + 18;
    }
    rows
}

pub(super) fn draw_header(
    area: &Canvas<'_>,
    title: &[String],
    legend: &[Vec<(u32, &LegendEntry)>],
) -> Result<(), DrawError> {
    let left = units(MARGIN);
    let mut y = units(MARGIN);
    let mut style = text(TITLE_SIZE, INK, HPos::Left, VPos::Top);
    style.font = style.font.style(FontStyle::Bold);
    for line in title {
        area.draw(&Text::new(line.clone(), (left, y), style.clone()))?;
        y += units(TITLE_SIZE + 6);
    }
    let label = text(TEXT_SIZE, INK, HPos::Left, VPos::Center);
    for row in legend {
        let middle = y + units(10);
        for (x, entry) in row {
            let x = left + units(*x);
            draw_key(area, entry, x, middle)?;
            area.draw(&Text::new(entry.label.clone(), (x + units(32), middle), label.clone()))?;
        }
        y += units(21);
    }
    Ok(())
}

fn draw_key(area: &Canvas<'_>, entry: &LegendEntry, x: i32, y: i32) -> Result<(), DrawError> {
    let colour = rgb(entry.colour);
    let middle = (x + units(13), y);
    match entry.key {
        Key::Line(width) => area.draw(&PathElement::new(vec![(x, y), (x + units(26), y)], colour.stroke_width(width))),
        Key::Dot => area.draw(&Circle::new(middle, units(4), colour.filled())),
        Key::Ring => area.draw(&Circle::new(middle, units(4), colour.stroke_width(6))),
        Key::Tick => area.draw(&Rectangle::new(
            [(middle.0 - units(1), y - units(8)), (middle.0 + units(1), y + units(8))],
            colour.filled(),
        )),
        Key::Diamond => draw_diamond(area, middle, entry.colour),
    }
}

/// Draws a hollow diamond from two fills: an outline would take on its colour's line pattern.
fn draw_diamond(area: &Canvas<'_>, (x, y): (i32, i32), colour: Colour) -> Result<(), DrawError> {
    let corners = |r: i32| vec![(x, y - r), (x + r, y), (x, y + r), (x - r, y)];
    area.draw(&Polygon::new(corners(units(7)), rgb(colour).filled()))?;
    area.draw(&Polygon::new(corners(units(4)), WHITE.filled()))
}

fn draw_panel(area: &Canvas<'_>, panel: &Panel, layout: &PanelLayout, width: u32) -> Result<(), DrawError> {
    let style = text(TEXT_SIZE, INK, HPos::Left, VPos::Top);
    for (index, line) in layout.title.iter().enumerate() {
        let y = units(index as u32 * (TEXT_SIZE + 5) + 2);
        area.draw(&Text::new(line.clone(), (units(MARGIN), y), style.clone()))?;
    }
    let (_, plot) = area.split_vertically(layout.title_height() * UNITS);
    let labels = panel.x.tick_labels();
    let widest = labels.iter().map(|label| text_width(label, TICK_SIZE)).max();
    // The last mark's label reaches half its width beyond the axis.
    let right = (widest.unwrap_or(0) / 2 + 6).max(2 * MARGIN);
    let plot_width = width.saturating_sub(MARGIN + layout.left + right);
    let stride = label_stride(&panel.x, f64::from(plot_width));
    let hidden: Vec<f64> =
        panel.x.ticks().iter().enumerate().filter(|(index, _)| index % stride != 0).map(|(_, tick)| *tick).collect();
    let x_label = |value: &f64| {
        if hidden.contains(value) { String::new() } else { panel.x.label(*value) }
    };
    let mut chart = ChartBuilder::on(&plot)
        .margin_left(MARGIN * UNITS)
        .margin_right(right * UNITS)
        .set_label_area_size(LabelAreaPosition::Left, layout.left * UNITS)
        .set_label_area_size(LabelAreaPosition::Bottom, layout.bottom() * UNITS)
        .build_cartesian_2d(panel.x.clone(), panel.y.clone())?;
    let label = text(TICK_SIZE, INK, HPos::Center, VPos::Center);
    chart
        .configure_mesh()
        .axis_style(rgb(AXIS).stroke_width(UNITS))
        .bold_line_style(rgb(GRID).stroke_width(UNITS))
        .light_line_style(rgb(MINOR_GRID).stroke_width(UNITS))
        .set_all_tick_mark_size(3 * UNITS)
        .label_style(label)
        .x_label_formatter(&x_label)
        .y_label_formatter(&|value| panel.y.label(*value))
        .draw()?;
    let inside = chart.plotting_area().strip_coord_spec();
    for mark in &panel.marks {
        draw_mark(&inside, mark, &panel.x, &panel.y)?;
    }
    if layout.x_label {
        let middle = MARGIN + layout.left + plot_width / 2;
        let y = units(panel.height + layout.bottom() - 12);
        plot.draw(&Text::new(
            panel.x_label.clone(),
            (units(middle), y),
            text(TEXT_SIZE, INK, HPos::Center, VPos::Bottom),
        ))?;
    }
    Ok(())
}

/// The smallest n for which the labels of every n-th mark stand apart on an axis of `width` pixels.
fn label_stride(axis: &Axis, width: f64) -> usize {
    let places: Vec<(f64, f64)> = axis
        .ticks()
        .iter()
        .map(|tick| {
            let half = 0.5 * f64::from(text_width(&axis.label(*tick), TICK_SIZE));
            (axis.position(*tick) * width, half + 3.0)
        })
        .collect();
    let apart = |stride: &usize| {
        let shown: Vec<_> = places.iter().step_by(*stride).collect();
        shown.windows(2).all(|pair| pair[1].0 - pair[0].0 >= pair[0].1 + pair[1].1)
    };
    (1..=places.len()).find(apart).unwrap_or(1)
}

/// Draws one mark in a panel's plotted area, whose corner is (0, 0).
fn draw_mark(area: &Canvas<'_>, mark: &Mark, x: &Axis, y: &Axis) -> Result<(), DrawError> {
    let (width, height) = area.dim_in_pixel();
    // Plotters keeps the last row and column of units for the frame.
    let (width, height) = (f64::from(width - 1), f64::from(height - 1));
    let pixel = |place: (f64, f64)| ((place.0 * width).round() as i32, ((1.0 - place.1) * height).round() as i32);
    // A dot beyond the axes lies on their edge; one without any place there, at the lower end.
    let place = |at: (f64, f64)| {
        let on = |axis: &Axis, value: f64| {
            let position = axis.position(value);
            if position.is_nan() { 0.0 } else { position.clamp(0.0, 1.0) }
        };
        pixel((on(x, at.0), on(y, at.1)))
    };
    match mark {
        Mark::Line { points, colour, quarter_width } => {
            let style = rgb(*colour).stroke_width(*quarter_width);
            for piece in clip(&thin(points.clone()), x, y) {
                if let [only] = piece[..] {
                    area.draw(&Circle::new(pixel(only), units(2), rgb(*colour).filled()))?;
                } else {
                    let path: Vec<_> = piece.into_iter().map(pixel).collect();
                    area.draw(&PathElement::new(path, style))?;
                }
            }
        }
        Mark::Band { points, colour } => {
            let usable =
                |p: &&(f64, f64, f64)| (0.0..=1.0).contains(&x.position(p.0)) && p.1.is_finite() && p.2.is_finite();
            let upper = points.iter().filter(usable).map(|p| place((p.0, p.2)));
            let lower = points.iter().filter(usable).rev().map(|p| place((p.0, p.1)));
            let outline: Vec<_> = upper.chain(lower).collect();
            if outline.len() > 2 {
                area.draw(&Polygon::new(outline, rgb(*colour).mix(0.18).filled()))?;
            }
        }
        Mark::Dots { points, colour, filled } => {
            for at in points.iter().filter(|at| !at.0.is_nan() && !at.1.is_nan()) {
                if *filled {
                    let style = rgb(*colour).mix(0.75).filled();
                    area.draw(&Circle::new(place(*at), units(4), style))?;
                } else {
                    let style = rgb(*colour).stroke_width(6);
                    area.draw(&Circle::new(place(*at), units(4), style))?;
                }
            }
        }
        Mark::Tick { at, colour, half_height } => {
            if at.0.is_finite() {
                let (px, py) = place(*at);
                let (w, h) = (units(1) + 2, units(*half_height));
                area.draw(&Rectangle::new([(px - w, py - h), (px + w, py + h)], rgb(*colour).filled()))?;
            }
        }
        Mark::Diamond { at, colour } => {
            if at.0.is_finite() {
                draw_diamond(area, place(*at), *colour)?;
            }
        }
    }
    Ok(())
}

/// Turns plotters' document into the figure: its size in pixels, a name for screen readers, round line
/// joins and the line patterns of `colours`, none of which plotters can express.
pub(super) fn finish(document: &str, name: &str, mut colours: Vec<Colour>, width: u32, height: u32) -> String {
    let (w, h) = (width * UNITS, height * UNITS);
    let root = format!("<svg width=\"{w}\" height=\"{h}\"");
    let mut title = String::new();
    for character in name.chars() {
        match character {
            '&' => title.push_str("&amp;"),
            '<' => title.push_str("&lt;"),
            '"' => title.push_str("&quot;"),
            other => title.push(other),
        }
    }
    let named = format!("<svg width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"{title}\"");
    let mut text = document
        .replacen(&root, &named, 1)
        .replace("<polyline fill=\"none\" opacity=\"1\"", "<polyline fill=\"none\" stroke-linejoin=\"round\"");
    colours.sort_by_key(|colour| (colour.0, colour.1, colour.2));
    colours.dedup();
    for colour in colours {
        let pattern = dash(colour);
        if pattern.is_empty() {
            continue;
        }
        let lengths: Vec<String> = pattern.iter().map(|d| (d * UNITS).to_string()).collect();
        let solid = format!("<polyline fill=\"none\" stroke-linejoin=\"round\" stroke=\"{}\"", colour.hex());
        let dashed = format!("{solid} stroke-dasharray=\"{}\"", lengths.join(" "));
        text = text.replace(&solid, &dashed);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_wrap_between_words() {
        let lines = wrap("one two three four five six", 10, 61);
        assert!(lines.len() > 1);
        assert!(lines.iter().all(|line| text_width(line, 10) <= 61));
        assert_eq!(lines.join(" "), "one two three four five six");
        assert_eq!(wrap("unbreakable", 10, 20), ["unbreakable"]);
    }

    #[test]
    fn labels_are_left_out_where_they_would_touch() {
        let axis = Axis::errors([1e-5, 30.0]);
        assert_eq!(label_stride(&axis, 700.0), 1);
        assert!(label_stride(&axis, 180.0) > 1);
        assert_eq!(label_stride(&Axis::rows(Vec::new()), 100.0), 1);
    }
}
