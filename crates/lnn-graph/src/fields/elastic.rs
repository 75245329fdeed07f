//! The coupling of a field to its neighbours: the elastic part of every field here.

use std::sync::Arc;

use lnn_autodiff::Scalar;

use super::assert_length;
use crate::topology::Topology;

/// V = ½ Σ_edges κ_ij |φ_i − φ_j|² + ½ Σ_i w_i |φ_i|²: springs κ along the edges, and springs w to the
/// zero field beyond fixed ends.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Elastic {
    topology: Arc<Topology>,
    springs: Springs,
    /// w, `[sites]`; empty without a fixed end.
    walls: Vec<f64>,
}

#[derive(Clone, Debug, PartialEq)]
enum Springs {
    Uniform(f64),
    /// In the order of the topology's edges.
    Edges(Vec<f64>),
}

impl Elastic {
    /// The same κ for every edge and every fixed end.
    pub(super) fn uniform(topology: Arc<Topology>, stiffness: f64) -> Self {
        let walls = walls(&topology, |_| stiffness);
        Self { topology, springs: Springs::Uniform(stiffness), walls }
    }

    /// One κ for each edge, `[edges]`, and one for each site's couplings to what lies outside.
    pub(super) fn with_edges(topology: Arc<Topology>, edges: Vec<f64>, outside: impl Fn(usize) -> f64) -> Self {
        debug_assert_eq!(edges.len(), topology.edges().len(), "one spring an edge");
        let walls = walls(&topology, outside);
        Self { topology, springs: Springs::Edges(edges), walls }
    }

    pub(super) fn topology(&self) -> &Arc<Topology> {
        &self.topology
    }

    /// Panics unless all three are `[sites, components]`.
    pub(super) fn assert_lengths(&self, components: usize, phi: &[f64], phi_dot: &[f64], phi_ddot: &[f64]) {
        let unknowns = self.topology.sites() * components;
        assert_length("phi", phi, unknowns);
        assert_length("phi_dot", phi_dot, unknowns);
        assert_length("phi_ddot", phi_ddot, unknowns);
    }

    /// −∂V/∂φ at (site, component): Σ_j κ_ij (φ_j − φ_i) − w_i φ_i.
    #[inline]
    pub(super) fn force(&self, site: usize, component: usize, components: usize, phi: &[f64]) -> f64 {
        let here = phi[site * components + component];
        let neighbours = self.topology.neighbours(site);
        let difference = |j: usize| phi[j * components + component] - here;
        let pull = match &self.springs {
            Springs::Uniform(stiffness) => stiffness * neighbours.iter().map(|&j| difference(j)).sum::<f64>(),
            Springs::Edges(stiffness) => neighbours
                .iter()
                .zip(self.topology.neighbour_edges(site))
                .map(|(&j, &edge)| stiffness[edge as usize] * difference(j))
                .sum(),
        };
        if self.walls.is_empty() { pull } else { pull - self.walls[site] * here }
    }

    /// The part of V that belongs to `site`: half of each spring to a neighbour, all of that to the
    /// outside.
    pub(super) fn site_energy(&self, site: usize, components: usize, phi: &[f64]) -> f64 {
        let at = |j: usize| &phi[j * components..][..components];
        let here = at(site);
        let mut energy = 0.0;
        for (&j, &edge) in self.topology.neighbours(site).iter().zip(self.topology.neighbour_edges(site)) {
            let stretch: f64 = at(j).iter().zip(here).map(|(there, here)| (there - here).powi(2)).sum();
            energy += 0.25 * self.stiffness(edge as usize) * stretch;
        }
        if !self.walls.is_empty() {
            energy += 0.5 * self.walls[site] * here.iter().map(|value| value * value).sum::<f64>();
        }
        energy
    }

    /// V, edge by edge.
    pub(super) fn potential<S: Scalar>(&self, components: usize, phi: &[S]) -> S {
        let mut potential = S::zero();
        for (edge, &[i, j]) in self.topology.edges().iter().enumerate() {
            for component in 0..components {
                let stretch = phi[j * components + component] - phi[i * components + component];
                potential += stretch.square() * (0.5 * self.stiffness(edge));
            }
        }
        for (site, wall) in self.walls.iter().enumerate().filter(|(_, wall)| **wall != 0.0) {
            for value in &phi[site * components..][..components] {
                potential += value.square() * (0.5 * wall);
            }
        }
        potential
    }

    /// Upper bound on the eigenvalues of ∂²V/∂φ∂φ by Gershgorin's circles: the largest 2 Σ_j κ_ij + w_i.
    /// On a periodic lattice of d dimensions 4dκ, which the shortest wave reaches.
    pub(super) fn largest_eigenvalue(&self) -> f64 {
        let circle = |site: usize| {
            let springs = self.topology.neighbour_edges(site).iter().map(|&edge| self.stiffness(edge as usize));
            2.0 * springs.sum::<f64>() + self.walls.get(site).copied().unwrap_or(0.0)
        };
        (0..self.topology.sites()).map(circle).fold(0.0, f64::max)
    }

    fn stiffness(&self, edge: usize) -> f64 {
        match &self.springs {
            Springs::Uniform(stiffness) => *stiffness,
            Springs::Edges(stiffness) => stiffness[edge],
        }
    }
}

fn walls(topology: &Topology, outside: impl Fn(usize) -> f64) -> Vec<f64> {
    let count = |site: usize| topology.neighbours_outside(site);
    if (0..topology.sites()).all(|site| count(site) == 0) {
        return Vec::new();
    }
    (0..topology.sites()).map(|site| count(site) as f64 * outside(site)).collect()
}
