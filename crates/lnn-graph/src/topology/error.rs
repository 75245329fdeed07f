//! Why a topology cannot be made.

use std::fmt::{self, Display, Formatter};

use thiserror::Error;

/// Where an edge was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Index into the slice of edges.
    Edge(usize),
    /// A line of a text.
    Line {
        /// Name of the text, such as a file's.
        text: String,
        /// Number of the line, from 1.
        line: usize,
    },
}

impl Display for Place {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edge(index) => write!(f, "edges[{index}]"),
            Self::Line { text, line } => write!(f, "{text}, line {line}"),
        }
    }
}

/// A topology that cannot be made from what was given.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum TopologyError {
    /// No site at all.
    #[error("a {kind} of 0 sites holds no field; give at least 1 site")]
    NoSites {
        /// What was to be made: `line`, `grid` or `graph`.
        kind: &'static str,
    },
    /// A periodic direction in which left and right neighbour would be the same site, or the site
    /// itself.
    #[error(
        "a periodic {direction} of {sites} sites would count a neighbour twice; give at least 3 sites, or \
         fixed or free ends"
    )]
    PeriodicTooShort {
        /// Direction that is too short: `line`, `column` or `row`.
        direction: &'static str,
        /// Sites that were given in this direction.
        sites: usize,
    },
    /// More sites than 32-bit indices can name.
    #[error("{sites} sites were asked for, at most {most} can be numbered; give a smaller lattice")]
    TooManySites {
        /// Sites that were asked for.
        sites: u128,
        /// The limit.
        most: usize,
    },
    /// More edges than 32-bit indices can name.
    #[error("{edges} edges were given, at most {most} can be numbered; give a smaller graph")]
    TooManyEdges {
        /// Edges that were given.
        edges: usize,
        /// The limit.
        most: usize,
    },
    /// An edge from a site to itself.
    #[error("{place}: the edge {site} {site} joins a site to itself; remove it")]
    SelfLoop {
        /// Where it was given.
        place: Place,
        /// The site.
        site: usize,
    },
    /// An edge given twice, in the same or the opposite order.
    #[error("{place}: the edge {} {} was given before, at {first}; give each pair of neighbours once", edge[0], edge[1])]
    DuplicateEdge {
        /// Where it was given again.
        place: Place,
        /// Where it was given first.
        first: Place,
        /// The edge as it was given again.
        edge: [usize; 2],
    },
    /// An edge with a site that does not exist.
    #[error(
        "{place}: there is no site {site}, the {sites} sites are numbered from 0 to {}; correct the edge or give \
         more sites", sites - 1
    )]
    SiteOutOfRange {
        /// Where it was given.
        place: Place,
        /// The site that was named.
        site: usize,
        /// Number of sites.
        sites: usize,
    },
    /// An array of edge attributes of another length than the edges need.
    #[error("{given} edge attributes do not fill {edges} edges of {per_edge}; give [edges, {per_edge}], row by row")]
    AttributeCount {
        /// Numbers that were given.
        given: usize,
        /// Number of edges.
        edges: usize,
        /// Attributes of one edge.
        per_edge: usize,
    },
    /// An edge attribute that is NaN or infinite.
    #[error("{place}: edge attribute {} is {given}; give finite numbers", attribute + 1)]
    NonFiniteAttribute {
        /// Where the edge was given.
        place: Place,
        /// Which of its attributes, from 0.
        attribute: usize,
        /// The value given.
        given: f64,
    },
    /// A text without any edge and without a line `sites N`.
    #[error("{text} holds no edge; give lines `i j`, or a first line `sites N` for sites without edges")]
    NoEdges {
        /// Name of the text.
        text: String,
    },
    /// A site far beyond what the edges can join, which without `sites N` is a slip of the pen and a demand for memory.
    #[error(
        "{place}: site {site} would make {sites} sites, of which {edges} edge(s) join at most {joined}; correct the number, \
         or give a first line `sites N` if so many are meant"
    )]
    FarSite {
        /// Where it stands.
        place: Place,
        /// The site.
        site: usize,
        /// Sites that there would be.
        sites: usize,
        /// Edges of the text.
        edges: usize,
        /// Sites that so many edges can join.
        joined: usize,
    },
    /// A line of an edge list with fewer than two columns.
    #[error("{place}: `{given}` is no edge; give two sites, `i j`, separated by spaces")]
    TooFewColumns {
        /// Where it stands.
        place: Place,
        /// The line, without comment.
        given: String,
    },
    /// A column of an edge list that should name a site.
    #[error("{place}: `{given}` is no site; sites are whole numbers from 0, separated by spaces")]
    NotASite {
        /// Where it stands.
        place: Place,
        /// What was found.
        given: String,
    },
    /// A column of an edge list that should be an attribute.
    #[error("{place}: `{given}` is no number; after the two sites come numbers, the attributes of the edge")]
    NotANumber {
        /// Where it stands.
        place: Place,
        /// What was found.
        given: String,
    },
    /// An edge with another number of attributes than the first one.
    #[error("{place}: {given} attributes, the edge at {first} has {expected}; give every edge the same number")]
    UnequalAttributes {
        /// Where it stands.
        place: Place,
        /// The edge that set the number.
        first: Place,
        /// Attributes found.
        given: usize,
        /// Attributes of the first edge.
        expected: usize,
    },
    /// A line `sites …` that does not say one positive number.
    #[error("{place}: `{given}` gives no number of sites; write `sites N` with a whole number N of at least 1")]
    InvalidSites {
        /// Where it stands.
        place: Place,
        /// The line, without comment.
        given: String,
    },
    /// A line `sites N` after the first line.
    #[error("{place}: `sites` stands after other lines; only the first line can give the number of sites")]
    MisplacedSites {
        /// Where it stands.
        place: Place,
    },
}
