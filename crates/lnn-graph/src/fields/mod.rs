//! Fields with known truth, one file each, and the states that they start from.
//!
//! ```text
//! Topology → Wave | SineGordon | ChargedString   Lagrangian, φ̈ in closed form, energy of each site
//! ExactWave, Kink                                the motions that are known for all times
//! FieldDistribution, gaussian_bump               states [φ, φ̇]
//! ```
//!
//! Lattice units: the spacing is 1, so positions are in sites and speeds in sites a unit of time. A
//! field has n sites of c components; `phi` and `phi_dot` are `[n, c]`, the component fastest, and a
//! state is `[φ, φ̇]`, 2·n·c numbers.

mod charged_string;
mod distribution;
mod elastic;
mod error;
mod exact_wave;
mod kink;
mod modes;
mod sine_gordon;
mod states;
mod summation;
mod wave;

use std::fmt::Debug;
use std::sync::Arc;

pub use charged_string::ChargedString;
pub use distribution::{FieldDistribution, RandomStates};
pub use error::FieldError;
pub use exact_wave::ExactWave;
pub use kink::{Kink, Orientation, kink_position};
pub use sine_gordon::SineGordon;
pub use states::gaussian_bump;
pub use summation::CompensatedSum;
pub use wave::Wave;

use crate::topology::Topology;

/// A field with a known equation of motion: the truth that models are judged by.
///
/// The concrete types also implement [`lnn_physics::Lagrangian`] with n·c degrees of freedom, so that
/// everything here can be derived by automatic differentiation as well.
///
/// # Panics
/// Every method that takes slices panics, with a message, when one has another length than the field.
pub trait Field: Debug + Send + Sync {
    /// Name in ASCII.
    fn name(&self) -> &'static str;

    /// The sites and their neighbours.
    fn topology(&self) -> &Arc<Topology>;

    /// Number c of components of the field at each site.
    fn components(&self) -> usize {
        1
    }

    /// Known properties of the sites that the equation of motion depends on, `[n, attributes]`; empty
    /// without.
    fn site_attributes(&self) -> &[f64] {
        &[]
    }

    /// Name of each site attribute.
    fn site_attribute_names(&self) -> &[&'static str] {
        &[]
    }

    /// Closed-form φ̈ at (φ, φ̇), written to `phi_ddot`, all `[n, c]`. Allocates nothing.
    fn acceleration_into(&self, phi: &[f64], phi_dot: &[f64], phi_ddot: &mut [f64]);

    /// Energy of `site`: its own, and half of that of each coupling to a neighbour. The sum over the
    /// sites is conserved.
    ///
    /// # Panics
    /// When there is no such site.
    fn site_energy(&self, site: usize, phi: &[f64], phi_dot: &[f64]) -> f64;

    /// Upper bound on the angular frequencies of small oscillations about any state, which sets the time
    /// step: the classical Runge–Kutta method is stable for `dt` up to 2√2 / ω.
    fn largest_frequency(&self) -> f64;

    /// Number n·c of unknowns.
    fn unknowns(&self) -> usize {
        self.topology().sites() * self.components()
    }

    /// Energy of every site, `[n]`; see [`site_energy`](Self::site_energy). Allocates nothing.
    fn energy_density_into(&self, phi: &[f64], phi_dot: &[f64], density: &mut [f64]) {
        assert_length("density", density, self.topology().sites());
        for (site, energy) in density.iter_mut().enumerate() {
            *energy = self.site_energy(site, phi, phi_dot);
        }
    }

    /// Conserved energy: the sum over the sites in increasing order, compensated, so that its rounding
    /// error does not grow with their number. Allocates nothing.
    fn energy(&self, phi: &[f64], phi_dot: &[f64]) -> f64 {
        let mut sum = CompensatedSum::default();
        for site in 0..self.topology().sites() {
            sum.add(self.site_energy(site, phi, phi_dot));
        }
        sum.total()
    }

    /// Conserved energy of a state `[φ, φ̇]`.
    fn state_energy(&self, state: &[f64]) -> f64 {
        let (phi, phi_dot) = halves(state, self.unknowns());
        self.energy(phi, phi_dot)
    }

    /// Right-hand side `[φ̇, φ̈]` of the first-order equation for a state `[φ, φ̇]`, both 2·n·c long; what
    /// the integrators take. Allocates nothing.
    fn state_derivative_into(&self, state: &[f64], state_dot: &mut [f64]) {
        let unknowns = self.unknowns();
        let (phi, phi_dot) = halves(state, unknowns);
        assert_length("state_dot", state_dot, 2 * unknowns);
        let (rate, phi_ddot) = state_dot.split_at_mut(unknowns);
        rate.copy_from_slice(phi_dot);
        self.acceleration_into(phi, phi_dot, phi_ddot);
    }
}

/// Panics unless `x` has `expected` numbers.
fn assert_length(name: &str, x: &[f64], expected: usize) {
    let given = x.len();
    assert!(given == expected, "{name} has {given} numbers, this field takes {expected}");
}

/// φ and φ̇ of a state.
fn halves(state: &[f64], unknowns: usize) -> (&[f64], &[f64]) {
    assert_length("a state [φ, φ̇]", state, 2 * unknowns);
    state.split_at(unknowns)
}
