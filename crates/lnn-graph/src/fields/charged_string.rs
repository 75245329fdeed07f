//! A string of charges in a magnetic field: two components, coupled by their rates.

use std::sync::Arc;

use lnn_autodiff::Scalar;
use lnn_physics::Lagrangian;

use super::elastic::Elastic;
use super::error::{FieldError, finite, positive};
use super::{Field, assert_length};
use crate::topology::Topology;

const NAME: &str = "charged-string";

/// Two components, the transverse displacements (y, z) of charged beads on a string along a magnetic
/// field.
///
/// - ÿ_i = κ Σ_j (y_j − y_i) + B ż_i, z̈_i = κ Σ_j (z_j − z_i) − B ẏ_i over the neighbours j of i,
/// - L = Σ_i [½ (ẏ_i² + ż_i²) + ½ B (y_i ż_i − z_i ẏ_i)] − ½ κ Σ_edges |φ_i − φ_j|²,
/// - E = ½ Σ_i (ẏ_i² + ż_i²) + ½ κ Σ_edges |φ_i − φ_j|²: the magnetic force does no work.
///
/// The momentum is not the rate, p = (ẏ − ½ B z, ż + ½ B y), so a model in (φ, φ̇) must learn more than
/// H = T + V. Circular waves y + iz ∝ e^{i(kx + ωt)} obey ω² + Bω = 4κ sin²(k/2) on a periodic line.
///
/// ```
/// use std::sync::Arc;
/// use lnn_graph::fields::{ChargedString, Field};
/// use lnn_graph::topology::{Boundary, Topology};
///
/// let string = ChargedString::new(Arc::new(Topology::line(2, Boundary::Free)?), 1.0, 0.5)?;
/// let (phi, phi_dot) = ([1.0, 0.0, 0.0, 0.0], [0.0, 2.0, 4.0, 0.0]);
/// let mut phi_ddot = [0.0; 4];
/// string.acceleration_into(&phi, &phi_dot, &mut phi_ddot);
/// assert_eq!(phi_ddot, [-1.0 + 1.0, 0.0, 1.0, -2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ChargedString {
    elastic: Elastic,
    magnetic_field: f64,
}

impl ChargedString {
    /// A string of `stiffness` κ (per square of the unit of time) in a `magnetic_field` B (per unit of
    /// time, of either sign).
    ///
    /// # Errors
    /// [`FieldError::InvalidParameter`] unless κ is positive and both are finite.
    pub fn new(topology: Arc<Topology>, stiffness: f64, magnetic_field: f64) -> Result<Self, FieldError> {
        positive(NAME, "stiffness", stiffness)?;
        finite(NAME, "magnetic_field", magnetic_field)?;
        Ok(Self { elastic: Elastic::uniform(topology, stiffness), magnetic_field })
    }
}

impl Lagrangian for ChargedString {
    fn degrees_of_freedom(&self) -> usize {
        self.unknowns()
    }

    fn lagrangian<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
        let mut on_site = S::zero();
        for (phi, rate) in q.chunks_exact(2).zip(q_dot.chunks_exact(2)) {
            on_site += (rate[0].square() + rate[1].square()) * 0.5;
            on_site += (phi[0] * rate[1] - phi[1] * rate[0]) * (0.5 * self.magnetic_field);
        }
        on_site - self.elastic.potential(2, q)
    }
}

impl Field for ChargedString {
    fn name(&self) -> &'static str {
        NAME
    }

    fn topology(&self) -> &Arc<Topology> {
        self.elastic.topology()
    }

    fn components(&self) -> usize {
        2
    }

    fn acceleration_into(&self, phi: &[f64], phi_dot: &[f64], phi_ddot: &mut [f64]) {
        self.elastic.assert_lengths(2, phi, phi_dot, phi_ddot);
        let rates = phi_dot.chunks_exact(2);
        for (site, (acceleration, rate)) in phi_ddot.chunks_exact_mut(2).zip(rates).enumerate() {
            acceleration[0] = self.elastic.force(site, 0, 2, phi) + self.magnetic_field * rate[1];
            acceleration[1] = self.elastic.force(site, 1, 2, phi) - self.magnetic_field * rate[0];
        }
    }

    fn site_energy(&self, site: usize, phi: &[f64], phi_dot: &[f64]) -> f64 {
        assert_length("phi", phi, self.unknowns());
        assert_length("phi_dot", phi_dot, self.unknowns());
        let rate = &phi_dot[2 * site..][..2];
        0.5 * (rate[0] * rate[0] + rate[1] * rate[1]) + self.elastic.site_energy(site, 2, phi)
    }

    /// ½ (|B| + √(B² + 16dκ)) on a periodic lattice of d dimensions: the faster circular wave of the
    /// shortest wavelength.
    fn largest_frequency(&self) -> f64 {
        let field = self.magnetic_field.abs();
        0.5 * (field + (field * field + 4.0 * self.elastic.largest_eigenvalue()).sqrt())
    }
}
