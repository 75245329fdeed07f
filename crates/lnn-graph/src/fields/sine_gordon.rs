//! The sine-Gordon equation on a lattice or a graph: the chain of coupled pendulums.

use std::sync::Arc;

use lnn_autodiff::Scalar;
use lnn_physics::Lagrangian;

use super::elastic::Elastic;
use super::error::{FieldError, positive};
use super::{Field, assert_length};
use crate::topology::Topology;

const NAME: &str = "sine-gordon";

/// φ̈_i = κ Σ_j (φ_j − φ_i) − m² sin φ_i over the neighbours j of site i, with φ an angle in radians.
///
/// L = Σ_i [½ φ̇_i² − m² (1 − cos φ_i)] − ½ κ Σ_edges (φ_i − φ_j)², E with plus signs. With κ = 1/h² and
/// m = 1 it is the equation φ_tt = φ_xx − sin φ on points of spacing h. Small waves obey
/// ω² = m² + 4κ sin²(k/2) and travel slower than √κ sites a unit of time, as does a
/// [`kink`](Self::kink).
///
/// Source: O. M. Braun and Y. S. Kivshar, *The Frenkel–Kontorova Model*, Springer 2004, chapter 1.
///
/// ```
/// use std::sync::Arc;
/// use lnn_graph::fields::{Field, SineGordon};
/// use lnn_graph::topology::{Boundary, Topology};
///
/// let field = SineGordon::with_spacing(Arc::new(Topology::line(3, Boundary::Free)?), 0.5)?;
/// let quarter = std::f64::consts::FRAC_PI_2;
/// let mut phi_ddot = [0.0; 3];
/// field.acceleration_into(&[0.0, 0.0, quarter], &[0.0; 3], &mut phi_ddot);
/// assert_eq!(phi_ddot, [0.0, 4.0 * quarter, -4.0 * quarter - 1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SineGordon {
    elastic: Elastic,
    coupling: f64,
    mass: f64,
}

impl SineGordon {
    /// The field of `coupling` κ and `mass` m, both in lattice units: κ per square of the unit of time,
    /// m per unit of time.
    ///
    /// # Errors
    /// [`FieldError::InvalidParameter`] unless both are positive and finite.
    pub fn new(topology: Arc<Topology>, coupling: f64, mass: f64) -> Result<Self, FieldError> {
        positive(NAME, "coupling", coupling)?;
        positive(NAME, "mass", mass)?;
        Ok(Self { elastic: Elastic::uniform(topology, coupling), coupling, mass })
    }

    /// φ_tt = φ_xx − sin φ on points of spacing h: κ = 1/h², m = 1.
    ///
    /// # Errors
    /// [`FieldError::InvalidParameter`] unless h is positive and 1/h² finite.
    pub fn with_spacing(topology: Arc<Topology>, spacing: f64) -> Result<Self, FieldError> {
        positive(NAME, "spacing", spacing)?;
        Self::new(topology, (spacing * spacing).recip(), 1.0)
    }

    /// κ.
    #[must_use]
    pub fn coupling(&self) -> f64 {
        self.coupling
    }

    /// m.
    #[must_use]
    pub fn mass(&self) -> f64 {
        self.mass
    }
}

impl Lagrangian for SineGordon {
    fn degrees_of_freedom(&self) -> usize {
        self.unknowns()
    }

    fn lagrangian<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
        let mut on_site = S::zero();
        for (&angle, &rate) in q.iter().zip(q_dot) {
            on_site += rate.square() * 0.5 - (S::one() - angle.cos()) * (self.mass * self.mass);
        }
        on_site - self.elastic.potential(1, q)
    }
}

impl Field for SineGordon {
    fn name(&self) -> &'static str {
        NAME
    }

    fn topology(&self) -> &Arc<Topology> {
        self.elastic.topology()
    }

    fn acceleration_into(&self, phi: &[f64], phi_dot: &[f64], phi_ddot: &mut [f64]) {
        self.elastic.assert_lengths(1, phi, phi_dot, phi_ddot);
        for (site, acceleration) in phi_ddot.iter_mut().enumerate() {
            *acceleration = self.elastic.force(site, 0, 1, phi) - self.mass * self.mass * phi[site].sin();
        }
    }

    fn site_energy(&self, site: usize, phi: &[f64], phi_dot: &[f64]) -> f64 {
        assert_length("phi", phi, self.unknowns());
        assert_length("phi_dot", phi_dot, self.unknowns());
        // 1 − cos φ without its cancellation near 0.
        let sway = (0.5 * phi[site]).sin();
        0.5 * phi_dot[site] * phi_dot[site]
            + 2.0 * self.mass * self.mass * sway * sway
            + self.elastic.site_energy(site, 1, phi)
    }

    /// √(4dκ + m²) on a periodic lattice of d dimensions.
    fn largest_frequency(&self) -> f64 {
        (self.elastic.largest_eigenvalue() + self.mass * self.mass).sqrt()
    }
}
