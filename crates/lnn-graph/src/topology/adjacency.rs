//! Edges and neighbours in compressed rows.

use super::error::TopologyError;

/// Most sites and most edges: indices are kept in 32 bits, and the largest one is taken.
pub(super) const MOST: usize = u32::MAX as usize;

/// The neighbours of all sites, one row after the other.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Adjacency {
    /// `[edges]`, i < j, increasing.
    edges: Vec<[usize; 2]>,
    /// Row of site i: `offsets[i]..offsets[i + 1]`, `[sites + 1]`.
    offsets: Vec<usize>,
    /// `[2 · edges]`, increasing within a row.
    neighbours: Vec<usize>,
    /// Index of the edge to each neighbour, `[2 · edges]`.
    neighbour_edges: Vec<u32>,
}

impl Adjacency {
    /// From `edges` that are sorted, distinct, with i < j < `sites`.
    ///
    /// # Errors
    /// [`TopologyError::TooManyEdges`].
    pub(super) fn from_sorted(sites: usize, edges: Vec<[usize; 2]>) -> Result<Self, TopologyError> {
        if edges.len() > MOST {
            return Err(TopologyError::TooManyEdges { edges: edges.len(), most: MOST });
        }
        debug_assert!(edges.windows(2).all(|pair| pair[0] < pair[1]), "the edges are sorted and distinct");
        let mut offsets = vec![0; sites + 1];
        for &[i, j] in &edges {
            offsets[i + 1] += 1;
            offsets[j + 1] += 1;
        }
        for site in 0..sites {
            offsets[site + 1] += offsets[site];
        }
        let mut next = offsets.clone();
        let mut neighbours = vec![0; 2 * edges.len()];
        let mut neighbour_edges = vec![0; 2 * edges.len()];
        // In the order of the edges a site meets its lower neighbours first, then the higher ones, each
        // in increasing order: the rows come out sorted.
        for (index, &[i, j]) in edges.iter().enumerate() {
            for (site, neighbour) in [(i, j), (j, i)] {
                neighbours[next[site]] = neighbour;
                neighbour_edges[next[site]] = index as u32;
                next[site] += 1;
            }
        }
        Ok(Self { edges, offsets, neighbours, neighbour_edges })
    }

    pub(super) fn sites(&self) -> usize {
        self.offsets.len() - 1
    }

    pub(super) fn edges(&self) -> &[[usize; 2]] {
        &self.edges
    }

    pub(super) fn neighbours(&self, site: usize) -> &[usize] {
        &self.neighbours[self.offsets[site]..self.offsets[site + 1]]
    }

    pub(super) fn neighbour_edges(&self, site: usize) -> &[u32] {
        &self.neighbour_edges[self.offsets[site]..self.offsets[site + 1]]
    }
}
