//! From the elements' matrices and forces to those of the whole field, as a finite-element code does it.

use std::sync::Arc;

use lnn_autodiff::Real;

use crate::density::Density;
use crate::local::Elements;
use crate::solve::SolveError;
use crate::solve::band::BandShape;
use crate::solve::sparse::{PatternError, SparsePattern};
use crate::topology::{Boundary, Topology, TopologyKind};

/// No place: one of the two sites does not exist.
const NOWHERE: u32 = u32::MAX;
/// Both local unknowns are the same global one, so that the entry and its mirror image meet on the diagonal.
const TWICE: u32 = 1 << 31;

/// Where the mass matrix's numbers are.
#[derive(Clone, Debug)]
pub(crate) enum Structure {
    /// A line's.
    Band(BandShape),
    /// Any other.
    Sparse(Arc<SparsePattern>),
}

impl Structure {
    /// The structure of a density's mass matrix on a topology, unknowns of a site side by side.
    fn new(elements: &[Elements], topology: &Topology, components: usize) -> Result<Self, SolveError> {
        if let TopologyKind::Line { boundary } = topology.kind() {
            // Sites that share an element are at most its width minus one apart.
            let reach = elements.iter().map(|elements| elements.width - 1).max().unwrap_or(0);
            let cyclic = boundary == Boundary::Periodic;
            return Ok(Self::Band(BandShape::block(topology.sites(), components, reach, cyclic)));
        }
        let mut pairs = Vec::new();
        for elements in elements {
            for element in 0..elements.len() {
                let unknowns = || (0..elements.unknowns()).filter_map(|local| elements.unknown(element, local));
                pairs.extend(unknowns().flat_map(|i| unknowns().filter(move |&j| i <= j).map(move |j| [i, j])));
            }
        }
        let dimension = topology.sites() * components;
        match SparsePattern::new(dimension, &pairs) {
            Ok(pattern) => Ok(Self::Sparse(Arc::new(pattern))),
            Err(PatternError::OutOfMemory { .. }) => Err(SolveError::OutOfMemory { dimension }),
            Err(error) => unreachable!("the pairs are unknowns of the topology's sites: {error}"),
        }
    }

    /// Numbers that a matrix is stored in.
    pub(crate) fn entries(&self) -> usize {
        match self {
            Self::Band(shape) => shape.entry_count(),
            Self::Sparse(pattern) => pattern.pairs().len(),
        }
    }

    /// The full matrix, `[n, n]`.
    pub(crate) fn to_dense<T: Real>(&self, entries: &[T]) -> Vec<T> {
        match self {
            Self::Band(shape) => shape.to_dense(entries),
            Self::Sparse(pattern) => pattern.to_dense(entries),
        }
    }

    /// How well x solves H x = b; see [`BandShape::relative_residual`].
    pub(crate) fn relative_residual<T: Real>(&self, entries: &[T], x: &[T], b: &[T]) -> f64 {
        match self {
            Self::Band(shape) => shape.relative_residual(entries, x, b),
            Self::Sparse(pattern) => pattern.relative_residual(entries, x, b),
        }
    }

    /// Where the entry (i, j) and its mirror image are stored.
    fn position(&self, i: usize, j: usize) -> usize {
        let position = match self {
            Self::Band(shape) => {
                let (n, w) = (shape.dimension(), shape.half_bandwidth());
                let (low, high) = (i.min(j), i.max(j));
                // Upward, or across the seam of a ring: whichever way is within the band.
                let ways = [(low, high - low), (high, if shape.is_cyclic() { n + low - high } else { n })];
                ways.into_iter().find(|&(_, offset)| offset <= w).map(|(from, offset)| from * (w + 1) + offset)
            }
            Self::Sparse(pattern) => pattern.slot(i, j),
        };
        position.expect("unknowns of one element are within the structure")
    }
}

/// Places of every element's numbers in the global arrays.
#[derive(Clone, Debug)]
pub(crate) struct Assembly {
    pub(crate) structure: Structure,
    /// Of the diagonal entries, `[unknowns]`.
    diagonal: Vec<u32>,
    /// For each network, `[elements, d(d + 1)/2]`.
    places: Vec<Vec<u32>>,
}

impl Assembly {
    /// # Errors
    /// No memory for the order of a sparse factorisation, or more numbers than [`TWICE`] leaves bits for.
    pub(crate) fn new(density: &Density, elements: &[Elements], topology: &Topology) -> Result<Self, SolveError> {
        let structure = Structure::new(elements, topology, density.components())?;
        let unknowns = topology.sites() * density.components();
        if structure.entries() >= TWICE as usize {
            return Err(SolveError::OutOfMemory { dimension: unknowns });
        }
        let place = |elements: &Elements, element: usize, a: usize, b: usize| match (
            elements.unknown(element, a),
            elements.unknown(element, b),
        ) {
            (Some(i), Some(j)) => {
                let twice = if a != b && i == j { TWICE } else { 0 };
                structure.position(i, j) as u32 | twice
            }
            _ => NOWHERE,
        };
        let places = elements.iter().map(|elements| {
            let d = elements.unknowns();
            let upper = || (0..d).flat_map(|a| (a..d).map(move |b| (a, b)));
            (0..elements.len()).flat_map(|element| upper().map(move |(a, b)| place(elements, element, a, b))).collect()
        });
        let places = places.collect();
        let diagonal = (0..unknowns).map(|i| structure.position(i, i) as u32).collect();
        Ok(Self { structure, diagonal, places })
    }

    /// Starts a sample's matrix and force: the residual mass, and nothing.
    pub(crate) fn start<T: Real>(&self, residual_mass: f64, entries: &mut [T], force: &mut [T]) {
        entries.fill(T::ZERO);
        force.fill(T::ZERO);
        let mass = T::from_f64(residual_mass);
        for &place in &self.diagonal {
            entries[place as usize] += mass;
        }
    }

    /// Adds what network `index` gave for the elements from `first` on, `[rows, d(d + 1)/2 + d]`, to a sample's matrix
    /// and force.
    pub(crate) fn add<T: Real>(
        &self,
        (index, elements): (usize, &Elements),
        first: usize,
        local: &[T],
        entries: &mut [T],
        force: &mut [T],
    ) {
        let d = elements.unknowns();
        let upper = d * (d + 1) / 2;
        let places = &self.places[index][first * upper..];
        for (row, (local, places)) in local.chunks_exact(upper + d).zip(places.chunks_exact(upper)).enumerate() {
            let (matrix, vector) = local.split_at(upper);
            for (&value, &place) in matrix.iter().zip(places) {
                if place == NOWHERE {
                    continue;
                }
                let value = if place & TWICE == 0 { value } else { value + value };
                entries[(place & !TWICE) as usize] += value;
            }
            for (local, &value) in vector.iter().enumerate() {
                if let Some(unknown) = elements.unknown(first + row, local) {
                    force[unknown] += value;
                }
            }
        }
    }
}
