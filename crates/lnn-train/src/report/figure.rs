//! A figure as data: panels, axes and marks, without a word on how they are drawn.

use super::axis::Axis;
use super::palette::Colour;

/// One figure: a title, a legend and panels one above the other with a common left edge.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figure {
    /// File stem under `figures/`.
    pub(crate) name: &'static str,
    /// What the figure shows, in words.
    pub(crate) title: String,
    /// What to look for, in one or two sentences, for the page.
    pub(crate) caption: String,
    /// Keys to the marks, drawn between title and panels.
    pub(crate) legend: Vec<LegendEntry>,
    /// Panels from top to bottom.
    pub(crate) panels: Vec<Panel>,
}

/// One pair of axes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Panel {
    /// The vertical quantity and its unit, written above the panel.
    pub(crate) title: String,
    /// Horizontal axis.
    pub(crate) x: Axis,
    /// Vertical axis.
    pub(crate) y: Axis,
    /// The horizontal quantity and its unit.
    pub(crate) x_label: String,
    /// Height of the plotted area in pixels.
    pub(crate) height: u32,
    /// What is drawn, the first undermost.
    pub(crate) marks: Vec<Mark>,
}

/// One thing drawn in a panel, in the panel's units.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Mark {
    /// A line through points; a point without a place (NaN, or zero on a logarithmic axis) is a gap.
    Line {
        /// Points (x, y).
        points: Vec<(f64, f64)>,
        /// Colour, which also chooses the line pattern.
        colour: Colour,
        /// Width in quarters of a pixel.
        quarter_width: u32,
    },
    /// A filled area between two curves over the same x.
    Band {
        /// Points (x, lower y, upper y).
        points: Vec<(f64, f64, f64)>,
        /// Fill colour, drawn mostly transparent.
        colour: Colour,
    },
    /// Round dots.
    Dots {
        /// Centres (x, y).
        points: Vec<(f64, f64)>,
        /// Colour.
        colour: Colour,
        /// Filled, or a ring.
        filled: bool,
    },
    /// A short line across a row, such as a median.
    Tick {
        /// Centre (x, y).
        at: (f64, f64),
        /// Colour.
        colour: Colour,
        /// Half its height in pixels.
        half_height: u32,
    },
    /// A hollow diamond, for a published value.
    Diamond {
        /// Centre (x, y).
        at: (f64, f64),
        /// Colour.
        colour: Colour,
    },
}

/// One key of a legend.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LegendEntry {
    /// What the mark stands for.
    pub(crate) label: String,
    /// The mark's colour.
    pub(crate) colour: Colour,
    /// The mark's shape.
    pub(crate) key: Key,
}

/// Shapes in a legend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// A line of this width in quarters of a pixel.
    Line(u32),
    /// A filled dot.
    Dot,
    /// A ring.
    Ring,
    /// A tall tick.
    Tick,
    /// A hollow diamond.
    Diamond,
}

/// Points that a curve keeps at most: more than two a pixel cannot be seen and only fill the page.
const CURVE_POINTS: usize = 1600;

/// Thins a curve to at most [`CURVE_POINTS`] points and keeps every bucket's lowest and highest one,
/// so that spikes stay.
pub(crate) fn thin(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    if points.len() <= CURVE_POINTS {
        return points;
    }
    let bucket = points.len().div_ceil(CURVE_POINTS / 2);
    let mut kept = Vec::with_capacity(CURVE_POINTS);
    for chunk in points.chunks(bucket) {
        let (mut lowest, mut highest) = (0, 0);
        for (index, point) in chunk.iter().enumerate() {
            if point.1.total_cmp(&chunk[lowest].1).is_lt() {
                lowest = index;
            }
            if point.1.total_cmp(&chunk[highest].1).is_gt() {
                highest = index;
            }
        }
        kept.push(chunk[lowest.min(highest)]);
        if lowest != highest {
            kept.push(chunk[lowest.max(highest)]);
        }
    }
    kept
}

/// Cuts a line to the panel: pieces inside both axes' ranges, ending exactly on the edge where the
/// line leaves them, in places from 0 to 1 along both axes.
pub(crate) fn clip(points: &[(f64, f64)], x: &Axis, y: &Axis) -> Vec<Vec<(f64, f64)>> {
    let mut pieces = Vec::new();
    let mut piece: Vec<(f64, f64)> = Vec::new();
    let mut previous: Option<(f64, f64)> = None;
    for &(px, py) in points {
        let place = (x.position(px), y.position(py));
        if !(place.0.is_finite() && place.1.is_finite()) {
            pieces.push(std::mem::take(&mut piece));
            previous = None;
            continue;
        }
        if let Some(from) = previous {
            match clip_segment(from, place) {
                Some((start, end)) => {
                    if piece.last() != Some(&start) {
                        pieces.push(std::mem::take(&mut piece));
                        piece.push(start);
                    }
                    piece.push(end);
                }
                None => pieces.push(std::mem::take(&mut piece)),
            }
        } else if inside(place) {
            piece.push(place);
        }
        previous = Some(place);
    }
    pieces.push(piece);
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

fn inside(place: (f64, f64)) -> bool {
    (0.0..=1.0).contains(&place.0) && (0.0..=1.0).contains(&place.1)
}

/// The part of a segment in the unit square (Liang and Barsky, 1984).
fn clip_segment(from: (f64, f64), to: (f64, f64)) -> Option<((f64, f64), (f64, f64))> {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let (mut enter, mut leave) = (0.0f64, 1.0f64);
    for (direction, distance) in [(-dx, from.0), (dx, 1.0 - from.0), (-dy, from.1), (dy, 1.0 - from.1)] {
        if direction == 0.0 {
            if distance < 0.0 {
                return None;
            }
        } else if direction < 0.0 {
            enter = enter.max(distance / direction);
        } else {
            leave = leave.min(distance / direction);
        }
    }
    if enter > leave {
        return None;
    }
    let at = |t: f64| (from.0 + t * dx, from.1 + t * dy);
    // The ends themselves where nothing is cut, so that neighbouring segments join exactly.
    let start = if enter == 0.0 { from } else { at(enter) };
    let end = if leave == 1.0 { to } else { at(leave) };
    Some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_spikes_and_the_bound() {
        let mut points: Vec<(f64, f64)> = (0..50_000).map(|i| (f64::from(i), 1.0)).collect();
        points[31_234].1 = 99.0;
        points[7].1 = -5.0;
        let thinned = thin(points);
        assert!(thinned.len() <= CURVE_POINTS);
        assert!(thinned.contains(&(31_234.0, 99.0)));
        assert!(thinned.contains(&(7.0, -5.0)));
        assert!(thinned.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn lines_are_cut_at_the_edges_and_broken_at_gaps() {
        let (x, y) = (Axis::linear_range(0.0, 4.0, 4), Axis::linear_range(0.0, 1.0, 4));
        // Leaves through the top half way between x = 1 and x = 2, comes back, meets a gap.
        let points = [(0.0, 0.5), (1.0, 0.5), (2.0, 1.5), (3.0, 0.5), (3.5, f64::NAN), (4.0, 0.5)];
        let pieces = clip(&points, &x, &y);
        assert_eq!(pieces.len(), 3);
        assert_eq!(pieces[0], [(0.0, 0.5), (0.25, 0.5), (0.375, 1.0)]);
        assert_eq!(pieces[1], [(0.625, 1.0), (0.75, 0.5)]);
        assert_eq!(pieces[2], [(1.0, 0.5)]);
        for piece in &pieces {
            assert!(piece.iter().all(|place| inside(*place)));
        }
        assert!(clip(&[(0.0, 5.0), (4.0, 7.0)], &x, &y).is_empty());
    }
}
