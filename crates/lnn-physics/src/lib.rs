//! Lagrangian mechanics: the equation of motion of any Lagrangian, systems with known truth,
//! integrators, conserved energy, and states drawn by seed.
//!
//! The flow, from a Lagrangian to a judged rollout:
//!
//! ```text
//! Lagrangian (a few lines)  → EulerLagrange   H, r, H q̈ = r, p, E by automatic differentiation
//! systems::build (a name)   → System         q̈, E, p in closed form: what models are held against
//! StateSampler              → states [q, q̇]   by seed and position, from the system's distributions
//! integrators::solve_at     → Trajectory      states at requested times
//! invariants                → EnergyDrift     percent of the reference energy
//! ```
//!
//! ```
//! use lnn_physics::integrators::{DormandPrinceOptions, Method, frame_times, solve_at};
//! use lnn_physics::invariants::rollout_energy_drift;
//! use lnn_physics::sampling::StateSampler;
//! use lnn_physics::systems::DoublePendulum;
//! use lnn_physics::{EulerLagrange, System};
//!
//! let pendulum = DoublePendulum::new(1.0, 0.5, 1.0, 0.8, 9.81)?;
//! let mut start = [0.0; 4];
//! StateSampler::new(0, 0).fill(0, pendulum.rollout_distribution(), &mut start);
//!
//! // The motion that the Lagrangian itself implies: no derivative was written by hand.
//! let mut motion = EulerLagrange::new(pendulum)?;
//! let trajectory = solve_at(
//!     &Method::DormandPrince(DormandPrinceOptions::default()),
//!     |_t, state, state_dot| motion.state_derivative_into(state, state_dot),
//!     &start,
//!     &frame_times(5.0, 10.0)?,
//! )?;
//! let drift = rollout_energy_drift(&pendulum, &trajectory.states, &[])?;
//! assert!(drift.max_percent < 1e-4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod euler_lagrange;
pub mod integrators;
pub mod invariants;
mod lagrangian;
pub mod sampling;
mod system;
pub mod systems;

pub use euler_lagrange::{Dynamics, EulerLagrange, EulerLagrangeError, acceleration, dynamics};
pub use lagrangian::Lagrangian;
pub use lnn_autodiff::Scalar;
pub use system::{Canonical, Conditional, Coordinate, ReferenceMotion, System};

/// Runs the program of the README as a doctest.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
