//! A physical system with a known solution of its equation of motion: the truth that models are
//! judged by.

use std::fmt::Debug;

use crate::sampling::Interval;

/// One generalised coordinate of a [`System`], for axes and tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coordinate {
    /// Name in ASCII, for file columns: `theta1`.
    pub name: &'static str,
    /// Symbol for figures: `θ₁`.
    pub symbol: &'static str,
    /// Unit of the coordinate; its velocity is per [`System::time_unit`].
    pub unit: &'static str,
    /// True for an angle in radians, where q and q + 2π are the same configuration.
    pub is_angle: bool,
}

/// A system that carries its own truth: closed-form acceleration, energy, the ranges its states are
/// drawn from.
///
/// The trait is object-safe, so programs can hold a `Box<dyn System>`. A new system is one file
/// that implements it; implementing [`Lagrangian`](crate::Lagrangian) as well lets the tests hold
/// the closed form against the Euler–Lagrange equation. A state is `[q, q̇]`, 2d numbers.
pub trait System: Debug + Send + Sync {
    /// Name in ASCII, as in `experiment dblpend`.
    fn name(&self) -> &'static str;

    /// One entry for each of the d generalised coordinates.
    fn coordinates(&self) -> &[Coordinate];

    /// Closed-form q̈ at (q, q̇), written to `q_ddot`; all three of length d. Allocates nothing.
    ///
    /// Outside the domain of the system the result is not finite.
    fn acceleration_into(&self, q: &[f64], q_dot: &[f64], q_ddot: &mut [f64]);

    /// Kinetic part of the conserved energy, in [`energy_unit`](Self::energy_unit).
    fn kinetic_energy(&self, q: &[f64], q_dot: &[f64]) -> f64;

    /// Potential part of the conserved energy, in [`energy_unit`](Self::energy_unit).
    fn potential_energy(&self, q: &[f64]) -> f64;

    /// Energy that counts as 100 % when an energy error is stated in percent; 0 when the system has
    /// none.
    fn reference_energy(&self) -> f64;

    /// Ranges `[2d]` of (q, q̇) from which training and held-out states are drawn.
    fn training_ranges(&self) -> &[Interval];

    /// Ranges `[2d]` of (q, q̇) from which the starts of rollouts are drawn.
    fn rollout_ranges(&self) -> &[Interval];

    /// Unit of energy.
    fn energy_unit(&self) -> &'static str {
        "J"
    }

    /// Unit of time.
    fn time_unit(&self) -> &'static str {
        "s"
    }

    /// Number d of generalised coordinates.
    fn degrees_of_freedom(&self) -> usize {
        self.coordinates().len()
    }

    /// Conserved energy at (q, q̇), kinetic plus potential.
    fn energy(&self, q: &[f64], q_dot: &[f64]) -> f64 {
        self.kinetic_energy(q, q_dot) + self.potential_energy(q)
    }

    /// Conserved energy of a state `[q, q̇]`.
    ///
    /// # Panics
    /// When `state` does not hold 2d numbers.
    fn state_energy(&self, state: &[f64]) -> f64 {
        let (q, q_dot) = split_state(state, self.degrees_of_freedom());
        self.energy(q, q_dot)
    }

    /// Right-hand side `[q̇, q̈]` of the first-order equation for a state `[q, q̇]`, both 2d long;
    /// what the integrators take.
    ///
    /// # Panics
    /// When either slice does not hold 2d numbers.
    fn state_derivative_into(&self, state: &[f64], state_dot: &mut [f64]) {
        let d = self.degrees_of_freedom();
        let (q, q_dot) = split_state(state, d);
        assert_eq!(state_dot.len(), 2 * d, "a state derivative is [q̇, q̈]");
        let (velocity, q_ddot) = state_dot.split_at_mut(d);
        velocity.copy_from_slice(q_dot);
        self.acceleration_into(q, q_dot, q_ddot);
    }
}

/// Splits `[q, q̇]` into its halves of length d.
pub(crate) fn split_state(state: &[f64], d: usize) -> (&[f64], &[f64]) {
    assert_eq!(state.len(), 2 * d, "a state is [q, q̇] of a system with {d} degrees of freedom");
    state.split_at(d)
}
