//! Graphs from pairs of neighbours, whatever gave them.

use super::adjacency::{Adjacency, MOST};
use super::error::{Place, TopologyError};
use super::{Topology, TopologyKind};

impl Topology {
    /// The undirected graph of `sites` sites with `edges`, in any order and either direction.
    ///
    /// # Errors
    /// [`TopologyError`]: no site, an edge from a site to itself, an edge given twice (also reversed),
    /// an edge to a site that does not exist, more of either than 32 bits can number.
    ///
    /// ```
    /// use lnn_graph::topology::Topology;
    /// let star = Topology::graph(4, &[[0, 1], [2, 0], [0, 3]])?;
    /// assert_eq!(star.neighbours(0), [1, 2, 3]);
    /// assert_eq!(star.edges(), [[0, 1], [0, 2], [0, 3]]);
    /// let error = Topology::graph(4, &[[0, 1], [1, 0]]).unwrap_err();
    /// assert!(error.to_string().starts_with("edges[1]: the edge 1 0 was given before"));
    /// # Ok::<(), lnn_graph::topology::TopologyError>(())
    /// ```
    pub fn graph(sites: usize, edges: &[[usize; 2]]) -> Result<Self, TopologyError> {
        Self::graph_with_attributes(sites, edges, 0, &[])
    }

    /// The same with `per_edge` attributes for each edge, `attributes` `[edges, per_edge]` in the order
    /// of `edges` as given.
    ///
    /// # Errors
    /// As [`graph`](Self::graph); attributes that do not fill the edges, or are not finite.
    pub fn graph_with_attributes(
        sites: usize,
        edges: &[[usize; 2]],
        per_edge: usize,
        attributes: &[f64],
    ) -> Result<Self, TopologyError> {
        if edges.len().checked_mul(per_edge) != Some(attributes.len()) {
            return Err(TopologyError::AttributeCount { given: attributes.len(), edges: edges.len(), per_edge });
        }
        Self::from_edges(sites, edges, per_edge, attributes, Place::Edge)
    }

    /// The graph, with `place` telling where the edge of an index was given.
    pub(super) fn from_edges(
        sites: usize,
        edges: &[[usize; 2]],
        per_edge: usize,
        attributes: &[f64],
        place: impl Fn(usize) -> Place,
    ) -> Result<Self, TopologyError> {
        if sites == 0 {
            return Err(TopologyError::NoSites { kind: "graph" });
        }
        if sites > MOST {
            return Err(TopologyError::TooManySites { sites: sites as u128, most: MOST });
        }
        for (index, edge) in edges.iter().enumerate() {
            if let Some(&site) = edge.iter().find(|&&site| site >= sites) {
                return Err(TopologyError::SiteOutOfRange { place: place(index), site, sites });
            }
            if edge[0] == edge[1] {
                return Err(TopologyError::SelfLoop { place: place(index), site: edge[0] });
            }
        }
        if let Some(at) = attributes.iter().position(|value| !value.is_finite()) {
            let (index, attribute) = (at / per_edge, at % per_edge);
            return Err(TopologyError::NonFiniteAttribute { place: place(index), attribute, given: attributes[at] });
        }
        let mut sorted: Vec<([usize; 2], usize)> =
            edges.iter().enumerate().map(|(index, &[i, j])| ([i.min(j), i.max(j)], index)).collect();
        sorted.sort_unstable();
        // Of several repeated edges the one that comes first as given.
        let repeated = sorted.windows(2).filter(|pair| pair[0].0 == pair[1].0).min_by_key(|pair| pair[1].1);
        if let Some(pair) = repeated {
            let (first, again) = (pair[0].1, pair[1].1);
            return Err(TopologyError::DuplicateEdge { place: place(again), first: place(first), edge: edges[again] });
        }
        let edge_attributes =
            sorted.iter().flat_map(|&(_, index)| &attributes[index * per_edge..][..per_edge]).copied().collect();
        let adjacency = Adjacency::from_sorted(sites, sorted.into_iter().map(|(edge, _)| edge).collect())?;
        Ok(Self {
            kind: TopologyKind::Graph,
            adjacency,
            stencil: Vec::new(),
            edge_attributes,
            attributes_per_edge: per_edge,
        })
    }
}
