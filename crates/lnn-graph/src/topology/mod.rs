//! Which sites a field lives on, and which of them are neighbours.
//!
//! ```text
//! Topology::line | grid       (sizes, boundary)  → sites, edges, neighbours, an ordered Stencil
//! Topology::graph             (sites, edges)     → sites, edges, neighbours
//! Topology::parse_edge_list   (text)             → the same, with edge attributes
//! ```

mod adjacency;
mod edge_list;
mod error;
mod graph;
mod lattice;

pub use error::{Place, TopologyError};
pub use lattice::{OUTSIDE, Stencil};

use adjacency::Adjacency;

/// What lies beyond the ends of a line or of one direction of a grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boundary {
    /// The last site is a neighbour of the first.
    Periodic,
    /// Outside, the field and its rate are 0.
    Fixed,
    /// Outside, the field and its rate are those of the end site: no slope, no force.
    Free,
}

/// The kind of a [`Topology`] and its sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopologyKind {
    /// Sites in a row, each with one neighbour to the left and one to the right.
    Line {
        /// What lies beyond the two ends.
        boundary: Boundary,
    },
    /// Sites `row · columns + column` of a square grid, each with four neighbours.
    Grid {
        /// Number of rows.
        rows: usize,
        /// Number of columns.
        columns: usize,
        /// What lies above the first and below the last row, and beside the first and the last column.
        boundary: [Boundary; 2],
    },
    /// Any undirected graph.
    Graph,
}

impl TopologyKind {
    /// The kind in words, for messages: `a line with free ends`.
    #[must_use]
    pub fn describe(&self) -> &'static str {
        match self {
            Self::Line { boundary: Boundary::Periodic } => "a periodic line",
            Self::Line { boundary: Boundary::Fixed } => "a line with fixed ends",
            Self::Line { boundary: Boundary::Free } => "a line with free ends",
            Self::Grid { .. } => "a grid",
            Self::Graph => "a graph",
        }
    }
}

/// The sites of a field and the pairs of neighbours among them; does not change once made.
///
/// A site is a number from 0; an edge is an unordered pair of different sites, kept as `[i, j]` with
/// i < j. Memory is linear in sites and edges; put a topology into an [`Arc`](std::sync::Arc) to share
/// it.
///
/// ```
/// use lnn_graph::topology::{Boundary, OUTSIDE, Topology};
///
/// let ring = Topology::line(4, Boundary::Periodic)?;
/// assert_eq!(ring.neighbours(0), [1, 3]);
/// assert_eq!(ring.edges(), [[0, 1], [0, 3], [1, 2], [2, 3]]);
///
/// let string = Topology::line(3, Boundary::Fixed)?;
/// assert_eq!(string.neighbours(0), [1]);
/// let stencil = string.stencil().expect("a line has an ordered stencil");
/// assert_eq!(stencil.of(0), [OUTSIDE, 0, 1]);
/// # Ok::<(), lnn_graph::topology::TopologyError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Topology {
    kind: TopologyKind,
    adjacency: Adjacency,
    /// `[sites, stencil_width]`, empty for a graph.
    stencil: Vec<u32>,
    /// `[edges, attributes]`.
    edge_attributes: Vec<f64>,
    attributes_per_edge: usize,
}

impl Topology {
    /// Kind and sizes.
    #[must_use]
    pub fn kind(&self) -> TopologyKind {
        self.kind
    }

    /// Number n of sites, at least 1.
    #[must_use]
    pub fn sites(&self) -> usize {
        self.adjacency.sites()
    }

    /// The neighbours of `site` in increasing order, without `site` itself.
    ///
    /// # Panics
    /// When there is no such site.
    #[must_use]
    pub fn neighbours(&self, site: usize) -> &[usize] {
        self.adjacency.neighbours(site)
    }

    /// For each of [`neighbours`](Self::neighbours), in the same order, the index of the edge to it in
    /// [`edges`](Self::edges).
    ///
    /// # Panics
    /// When there is no such site.
    #[must_use]
    pub fn neighbour_edges(&self, site: usize) -> &[u32] {
        self.adjacency.neighbour_edges(site)
    }

    /// The largest number of neighbours that a site has.
    #[must_use]
    pub fn most_neighbours(&self) -> usize {
        (0..self.sites()).map(|site| self.neighbours(site).len()).max().unwrap_or(0)
    }

    /// All pairs of neighbours, each once, `[i, j]` with i < j, in increasing order; a periodic
    /// direction's wrap included.
    #[must_use]
    pub fn edges(&self) -> &[[usize; 2]] {
        self.adjacency.edges()
    }

    /// Attributes of the edges, `[edges, attributes_per_edge]` in the order of [`edges`](Self::edges);
    /// empty without.
    #[must_use]
    pub fn edge_attributes(&self) -> &[f64] {
        &self.edge_attributes
    }

    /// Number of attributes of one edge, 0 on lines and grids.
    #[must_use]
    pub fn attributes_per_edge(&self) -> usize {
        self.attributes_per_edge
    }

    /// The sites without a neighbour, in increasing order.
    ///
    /// Whether they make sense depends on the model: a field that couples neighbours only says nothing
    /// about them.
    pub fn isolated(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.sites()).filter(|&site| self.neighbours(site).is_empty())
    }

    /// The ordered neighbourhoods of a line or a grid; `None` for a graph, whose neighbours have no
    /// order of their own.
    #[must_use]
    pub fn stencil(&self) -> Option<Stencil<'_>> {
        let width = lattice::stencil_width(self.kind)?;
        Some(Stencil { width, indices: &self.stencil })
    }

    /// How many neighbours of `site` lie beyond a fixed end: places where the field is 0.
    ///
    /// 0 inside, at free and periodic ends and on graphs; 1 at the end of a fixed line, 2 in the corner
    /// of a grid, and 2 on a fixed line of one site.
    ///
    /// # Panics
    /// When there is no such site.
    #[must_use]
    pub fn neighbours_outside(&self, site: usize) -> usize {
        assert!(site < self.sites(), "site {site} of a topology of {} sites", self.sites());
        self.stencil().map_or(0, |stencil| stencil.of(site).iter().filter(|&&place| place == OUTSIDE).count())
    }

    /// Where the sites lie, in lattice spacings: `[i, 0]` on a line, `[row, column]` on a grid, `None`
    /// for a graph.
    #[must_use]
    pub fn positions(&self) -> Option<Vec<[f64; 2]>> {
        let columns = match self.kind {
            TopologyKind::Line { .. } => 1,
            TopologyKind::Grid { columns, .. } => columns,
            TopologyKind::Graph => return None,
        };
        Some((0..self.sites()).map(|site| [(site / columns) as f64, (site % columns) as f64]).collect())
    }
}
