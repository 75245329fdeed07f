//! Lines and grids: ordered neighbourhoods, and the edges that follow from them.

use super::adjacency::{Adjacency, MOST};
use super::error::TopologyError;
use super::{Boundary, Topology, TopologyKind};

/// Index in a [`Stencil`] of a place beyond a fixed end, where the field and its rate are 0.
pub const OUTSIDE: u32 = u32::MAX;

/// The ordered neighbourhoods of all sites of a line or a grid.
///
/// The places of a line are left, self, right; of a grid up, left, self, right, down (up is the row
/// before). Beyond a free end a place repeats the end site, beyond a fixed one it is [`OUTSIDE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stencil<'a> {
    /// Number k of places: 3 on a line, 5 on a grid.
    pub width: usize,
    /// Site at each place of each site, or [`OUTSIDE`], `[sites, k]`.
    pub indices: &'a [u32],
}

impl<'a> Stencil<'a> {
    /// The k places of `site`.
    ///
    /// # Panics
    /// When there is no such site.
    #[must_use]
    pub fn of(&self, site: usize) -> &'a [u32] {
        &self.indices[site * self.width..(site + 1) * self.width]
    }

    /// Index of the place that is the site itself: the middle one.
    #[must_use]
    pub fn centre(&self) -> usize {
        self.width / 2
    }
}

/// Places of a stencil, `None` where there is none.
pub(super) fn stencil_width(kind: TopologyKind) -> Option<usize> {
    match kind {
        TopologyKind::Line { .. } => Some(3),
        TopologyKind::Grid { .. } => Some(5),
        TopologyKind::Graph => None,
    }
}

impl Topology {
    /// A line of `sites` sites, unit spacing, both ends alike.
    ///
    /// # Errors
    /// [`TopologyError`]: no site, fewer than 3 on a periodic line, more than 32 bits can number.
    pub fn line(sites: usize, boundary: Boundary) -> Result<Self, TopologyError> {
        if sites == 0 {
            return Err(TopologyError::NoSites { kind: "line" });
        }
        check_length("line", sites, boundary)?;
        check_count(1, sites)?;
        let stencil = (0..sites)
            .flat_map(|i| [before(i, sites, boundary), Some(i), after(i, sites, boundary)])
            .map(index)
            .collect();
        Self::from_stencil(TopologyKind::Line { boundary }, sites, stencil)
    }

    /// A square grid of `size` = [rows, columns] sites, unit spacing; `boundary` is that of the rows
    /// (above the first, below the last) and that of the columns (beside the first and the last).
    ///
    /// # Errors
    /// [`TopologyError`]: no site, fewer than 3 in a periodic direction, more than 32 bits can number.
    pub fn grid(size: [usize; 2], boundary: [Boundary; 2]) -> Result<Self, TopologyError> {
        let [rows, columns] = size;
        if rows == 0 || columns == 0 {
            return Err(TopologyError::NoSites { kind: "grid" });
        }
        check_length("column", rows, boundary[0])?;
        check_length("row", columns, boundary[1])?;
        check_count(rows, columns)?;
        let mut stencil = Vec::with_capacity(5 * rows * columns);
        for row in 0..rows {
            let (up, down) = (before(row, rows, boundary[0]), after(row, rows, boundary[0]));
            for column in 0..columns {
                let (left, right) = (before(column, columns, boundary[1]), after(column, columns, boundary[1]));
                let here = row * columns;
                let places = [
                    up.map(|row| row * columns + column),
                    left.map(|column| here + column),
                    Some(here + column),
                    right.map(|column| here + column),
                    down.map(|row| row * columns + column),
                ];
                stencil.extend(places.map(index));
            }
        }
        Self::from_stencil(TopologyKind::Grid { rows, columns, boundary }, rows * columns, stencil)
    }

    fn from_stencil(kind: TopologyKind, sites: usize, stencil: Vec<u32>) -> Result<Self, TopologyError> {
        let width = stencil.len() / sites;
        let mut edges = Vec::with_capacity(width / 2 * sites);
        for (site, places) in stencil.chunks_exact(width).enumerate() {
            let higher = places.iter().map(|&place| place as usize).filter(|&place| place > site && place < sites);
            let from = edges.len();
            edges.extend(higher.map(|place| [site, place]));
            // Where the lattice wraps, the places of a site are not in increasing order.
            edges[from..].sort_unstable();
        }
        let adjacency = Adjacency::from_sorted(sites, edges)?;
        Ok(Self { kind, adjacency, stencil, edge_attributes: Vec::new(), attributes_per_edge: 0 })
    }
}

fn check_length(direction: &'static str, sites: usize, boundary: Boundary) -> Result<(), TopologyError> {
    if boundary == Boundary::Periodic && sites < 3 {
        return Err(TopologyError::PeriodicTooShort { direction, sites });
    }
    Ok(())
}

fn check_count(rows: usize, columns: usize) -> Result<(), TopologyError> {
    let sites = rows as u128 * columns as u128;
    if sites > MOST as u128 {
        return Err(TopologyError::TooManySites { sites, most: MOST });
    }
    Ok(())
}

/// The site before `i` in one direction, `None` beyond a fixed end.
fn before(i: usize, sites: usize, boundary: Boundary) -> Option<usize> {
    match (i.checked_sub(1), boundary) {
        (Some(previous), _) => Some(previous),
        (None, Boundary::Periodic) => Some(sites - 1),
        (None, Boundary::Free) => Some(i),
        (None, Boundary::Fixed) => None,
    }
}

/// The site after `i` in one direction, `None` beyond a fixed end.
fn after(i: usize, sites: usize, boundary: Boundary) -> Option<usize> {
    match (i + 1 < sites, boundary) {
        (true, _) => Some(i + 1),
        (false, Boundary::Periodic) => Some(0),
        (false, Boundary::Free) => Some(i),
        (false, Boundary::Fixed) => None,
    }
}

fn index(place: Option<usize>) -> u32 {
    // At most 2³² − 1 sites: the largest site is 2³² − 2, below the mark.
    place.map_or(OUTSIDE, |site| site as u32)
}
