//! A physical system with a known equation of motion: the truth that models are judged by.

use std::fmt::Debug;

use crate::euler_lagrange::{Dynamics, EulerLagrangeError};
use crate::sampling::Distribution;

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

/// A quantity that is constant along a motion and differs from motion to motion, such as the
/// strength of a field; a network takes it as a further input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conditional {
    /// Name in ASCII, for file columns: `g`.
    pub name: &'static str,
    /// Symbol for figures.
    pub symbol: &'static str,
    /// Unit.
    pub unit: &'static str,
}

/// One motion of a [`System`] to check an integrator or a model with, and its exact end where that
/// is known in closed form.
#[derive(Clone, Debug, PartialEq)]
pub struct ReferenceMotion {
    /// State `[q, q̇]` at time 0, 2d numbers.
    pub start: Vec<f64>,
    /// Conditionals of the motion, c numbers.
    pub conditionals: Vec<f64>,
    /// Time from start to end, positive, in [`System::time_unit`].
    pub duration: f64,
    /// State `[q, q̇]` after the duration, angles continued and not wrapped; `None` where no closed
    /// form is known.
    pub end: Option<Vec<f64>>,
}

/// The canonical (Hamiltonian) form of a system: momenta, their closed-form inverse, their rate.
///
/// With H(q, p) the energy at (q, q̇(q, p)), Hamilton's equations read q̇ = ∂H/∂p and
/// ṗ = −∂H/∂q = ∂L/∂q. All slices are d long, `conditionals` c long.
///
/// # Panics
/// Every method panics, with a message, when a slice has another length.
pub trait Canonical: Send + Sync {
    /// p = ∂L/∂q̇ at (q, q̇), written to `p`.
    fn momentum_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], p: &mut [f64]);

    /// q̇ at (q, p), the inverse of [`momentum_into`](Self::momentum_into), written to `q_dot`.
    fn velocity_into(&self, q: &[f64], p: &[f64], conditionals: &[f64], q_dot: &mut [f64]);

    /// ṗ = ∂L/∂q at (q, q̇), written to `p_dot`; per [`System::time_unit`].
    fn momentum_rate_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], p_dot: &mut [f64]);
}

/// A system that carries its own truth: Lagrangian, closed-form acceleration, energy, canonical
/// form, the distributions its states are drawn from, a reference motion.
///
/// The trait is object-safe, so programs can hold an `Arc<dyn System>`. Throughout, d is the number
/// of degrees of freedom and c that of conditionals, 0 for most systems: `q`, `q_dot` and `q_ddot`
/// are d long, `conditionals` c long, a state is `[q, q̇]`, 2d numbers.
///
/// # Panics
/// Every method that takes slices panics, with a message, when one has another length.
pub trait System: Debug + Send + Sync {
    /// Name in ASCII, as in `experiment dblpend` and in [`systems::SYSTEMS`](crate::systems::SYSTEMS).
    fn name(&self) -> &'static str;

    /// One entry for each of the d generalised coordinates.
    fn coordinates(&self) -> &[Coordinate];

    /// One entry for each of the c conditionals.
    fn conditionals(&self) -> &[Conditional] {
        &[]
    }

    /// Closed-form q̈ at (q, q̇), written to `q_ddot`. Allocates nothing.
    ///
    /// Outside the domain of the system the result is not finite.
    fn acceleration_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], q_ddot: &mut [f64]);

    /// Kinetic part of the conserved energy E = q̇·p − L, in [`energy_unit`](Self::energy_unit): what
    /// vanishes at rest.
    fn kinetic_energy(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64]) -> f64;

    /// Potential part of the conserved energy E = q̇·p − L, in [`energy_unit`](Self::energy_unit).
    fn potential_energy(&self, q: &[f64], conditionals: &[f64]) -> f64;

    /// All that the Euler–Lagrange equation says at (q, q̇), derived from the system's Lagrangian by
    /// automatic differentiation: mass matrix, momentum, force, energy, and the q̈ that the closed
    /// form is held against.
    ///
    /// # Errors
    /// As [`EulerLagrange::evaluate`](crate::EulerLagrange::evaluate).
    fn dynamics(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64]) -> Result<Dynamics, EulerLagrangeError>;

    /// Energy that counts as 100 % when an energy error is stated in percent; 0 when the system has
    /// none.
    fn reference_energy(&self) -> f64;

    /// Distributions `[2d + c]` of (q, q̇, conditionals) from which training and held-out states are
    /// drawn.
    fn training_distribution(&self) -> &[Distribution];

    /// Distributions `[2d + c]` of (q, q̇, conditionals) from which the starts of rollouts are drawn.
    fn rollout_distribution(&self) -> &[Distribution];

    /// A motion to check integrators and models with.
    fn reference_motion(&self) -> ReferenceMotion;

    /// The canonical form, where the system offers it.
    fn canonical(&self) -> Option<&dyn Canonical> {
        None
    }

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

    /// Conserved energy E = q̇·p − L at (q, q̇), kinetic plus potential.
    fn energy(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64]) -> f64 {
        self.kinetic_energy(q, q_dot, conditionals) + self.potential_energy(q, conditionals)
    }

    /// Conserved energy of a state `[q, q̇]`.
    fn state_energy(&self, state: &[f64], conditionals: &[f64]) -> f64 {
        let (q, q_dot) = split_state(state, self.degrees_of_freedom());
        self.energy(q, q_dot, conditionals)
    }

    /// Right-hand side `[q̇, q̈]` of the first-order equation for a state `[q, q̇]`, both 2d long;
    /// what the integrators take.
    fn state_derivative_into(&self, state: &[f64], conditionals: &[f64], state_dot: &mut [f64]) {
        let d = self.degrees_of_freedom();
        let (q, q_dot) = split_state(state, d);
        assert_eq!(state_dot.len(), 2 * d, "a state derivative is [q̇, q̈]");
        let (velocity, q_ddot) = state_dot.split_at_mut(d);
        velocity.copy_from_slice(q_dot);
        self.acceleration_into(q, q_dot, conditionals, q_ddot);
    }
}

/// Splits `[q, q̇]` into its halves of length d.
pub(crate) fn split_state(state: &[f64], d: usize) -> (&[f64], &[f64]) {
    assert_eq!(state.len(), 2 * d, "a state is [q, q̇] of a system with {d} degrees of freedom");
    state.split_at(d)
}

/// Panics unless `x` has `expected` components.
pub(crate) fn assert_components(name: &str, x: &[f64], expected: usize) {
    let given = x.len();
    assert!(given == expected, "{name} has {given} components, this system takes {expected}");
}

/// The N components of `x`.
pub(crate) fn components<const N: usize>(name: &str, x: &[f64]) -> [f64; N] {
    assert_components(name, x, N);
    std::array::from_fn(|i| x[i])
}

/// (q, q̇, conditionals) with D and C components.
pub(crate) fn arguments<const D: usize, const C: usize>(
    q: &[f64],
    q_dot: &[f64],
    conditionals: &[f64],
) -> ([f64; D], [f64; D], [f64; C]) {
    (components("q", q), components("q_dot", q_dot), components("conditionals", conditionals))
}
