//! The wave equation on a lattice or a graph.

use std::sync::Arc;

use lnn_autodiff::Scalar;
use lnn_physics::Lagrangian;

use super::elastic::Elastic;
use super::error::FieldError;
use super::{Field, assert_length};
use crate::topology::Topology;

const NAME: &str = "wave";

const SPEED: &str = "a positive number whose square is neither 0 nor infinite";

fn is_speed(given: f64) -> bool {
    given > 0.0 && (given * given).is_normal()
}

/// Waves of speed c: φ̈_i = Σ_j c²_ij (φ_j − φ_i) over the neighbours j of site i.
///
/// L = ½ Σ_i φ̇_i² − ½ Σ_edges c²_ij (φ_i − φ_j)², E with a plus sign; where the speed is a property of
/// the sites, c²_ij = ½ (c_i² + c_j²). Beyond a fixed end lies a site of value 0 and the same speed as
/// the end site.
///
/// On a periodic line with one speed, waves e^{i(kx − ωt)} obey ω = 2c |sin(k/2)|, so that long waves
/// travel at c; see [`ExactWave`](super::ExactWave) for the motion from any state.
///
/// Source: the wave equation of Cranmer et al., Lagrangian Neural Networks (arXiv:2003.04630), here with
/// the differences of neighbours for ∂φ/∂x, whose energy the equation of motion conserves exactly.
///
/// ```
/// use std::sync::Arc;
/// use lnn_graph::fields::{Field, Wave};
/// use lnn_graph::topology::{Boundary, Topology};
///
/// let wave = Wave::new(Arc::new(Topology::line(4, Boundary::Periodic)?), 2.0)?;
/// let (phi, phi_dot) = ([0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0]);
/// let mut phi_ddot = [0.0; 4];
/// wave.acceleration_into(&phi, &phi_dot, &mut phi_ddot);
/// assert_eq!(phi_ddot, [4.0, -8.0, 4.0, 0.0]);
/// assert_eq!(wave.energy(&phi, &phi_dot), 4.5 + 2.0 + 2.0);
/// assert_eq!(wave.largest_frequency(), 4.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Wave {
    elastic: Elastic,
    /// c at each site; empty where the sites do not differ.
    speeds: Vec<f64>,
    /// c, where it is the same everywhere.
    speed: Option<f64>,
}

impl Wave {
    /// Waves of one `speed` c, in sites a unit of time.
    ///
    /// # Errors
    /// [`FieldError::InvalidParameter`] unless c is positive and c² a normal number.
    pub fn new(topology: Arc<Topology>, speed: f64) -> Result<Self, FieldError> {
        if !is_speed(speed) {
            return Err(FieldError::InvalidParameter { of: NAME, parameter: "speed", given: speed, expected: SPEED });
        }
        let elastic = Elastic::uniform(topology, speed * speed);
        Ok(Self { elastic, speeds: Vec::new(), speed: Some(speed) })
    }

    /// Waves in a medium of `speeds` c_i, `[sites]`, in sites a unit of time: the site attribute `speed`.
    ///
    /// # Errors
    /// [`FieldError`]: another number of speeds than of sites, or one that is not positive with a normal square.
    pub fn inhomogeneous(topology: Arc<Topology>, speeds: Vec<f64>) -> Result<Self, FieldError> {
        let (given, sites) = (speeds.len(), topology.sites());
        if given != sites {
            return Err(FieldError::SiteAttributeCount { of: NAME, attribute: "speed", given, sites });
        }
        if let Some(site) = speeds.iter().position(|&speed| !is_speed(speed)) {
            return Err(FieldError::InvalidSiteAttribute {
                of: NAME,
                attribute: "speed",
                site,
                given: speeds[site],
                expected: SPEED,
            });
        }
        let square = |site: usize| speeds[site] * speeds[site];
        let edges = topology.edges().iter().map(|&[i, j]| 0.5 * (square(i) + square(j))).collect();
        let elastic = Elastic::with_edges(topology, edges, square);
        Ok(Self { elastic, speeds, speed: None })
    }

    /// Waves on a graph whose edge attribute number `column` (from 0) is c²_ij.
    ///
    /// # Errors
    /// [`FieldError`]: the edges have no such attribute, or one is negative.
    pub fn on_weighted_edges(topology: Arc<Topology>, column: usize) -> Result<Self, FieldError> {
        let attributes = topology.attributes_per_edge();
        if column >= attributes {
            return Err(FieldError::NoEdgeAttribute { of: NAME, column, attributes });
        }
        let edges: Vec<f64> = topology.edge_attributes().chunks_exact(attributes).map(|edge| edge[column]).collect();
        if let Some(edge) = edges.iter().position(|&square| square < 0.0) {
            return Err(FieldError::InvalidEdgeAttribute {
                of: NAME,
                attribute: "squared speed",
                edge: topology.edges()[edge],
                given: edges[edge],
                expected: "zero or a positive finite number",
            });
        }
        // Only graphs have edge attributes, and a graph has no outside.
        let elastic = Elastic::with_edges(topology, edges, |_| 0.0);
        Ok(Self { elastic, speeds: Vec::new(), speed: None })
    }

    /// The speed c, where it is the same everywhere.
    #[must_use]
    pub fn speed(&self) -> Option<f64> {
        self.speed
    }
}

impl Lagrangian for Wave {
    fn degrees_of_freedom(&self) -> usize {
        self.unknowns()
    }

    fn lagrangian<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
        let mut kinetic = S::zero();
        for rate in q_dot {
            kinetic += rate.square() * 0.5;
        }
        kinetic - self.elastic.potential(1, q)
    }
}

impl Field for Wave {
    fn name(&self) -> &'static str {
        NAME
    }

    fn topology(&self) -> &Arc<Topology> {
        self.elastic.topology()
    }

    /// The speeds of an inhomogeneous medium, `[n, 1]`.
    fn site_attributes(&self) -> &[f64] {
        &self.speeds
    }

    fn site_attribute_names(&self) -> &[&'static str] {
        if self.speeds.is_empty() { &[] } else { &["speed"] }
    }

    fn acceleration_into(&self, phi: &[f64], phi_dot: &[f64], phi_ddot: &mut [f64]) {
        self.elastic.assert_lengths(1, phi, phi_dot, phi_ddot);
        for (site, acceleration) in phi_ddot.iter_mut().enumerate() {
            *acceleration = self.elastic.force(site, 0, 1, phi);
        }
    }

    fn site_energy(&self, site: usize, phi: &[f64], phi_dot: &[f64]) -> f64 {
        assert_length("phi", phi, self.unknowns());
        assert_length("phi_dot", phi_dot, self.unknowns());
        0.5 * phi_dot[site] * phi_dot[site] + self.elastic.site_energy(site, 1, phi)
    }

    /// 2c√d on a periodic lattice of d dimensions.
    fn largest_frequency(&self) -> f64 {
        self.elastic.largest_eigenvalue().sqrt()
    }
}
