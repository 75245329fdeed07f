//! The equation of motion of any Lagrangian, by automatic differentiation.
//!
//! d/dt ∂L/∂q̇ = ∂L/∂q, written out, is H q̈ = r with the mass matrix H = ∂²L/∂q̇∂q̇ and the force
//! r = ∂L/∂q − (∂²L/∂q̇∂q) q̇, so q̈ = H⁻¹ r (Cranmer et al. 2020, eq. 6). H⁺ stands in for H⁻¹: a
//! singular H with r in its range gives the solution of least norm. Without a solution,
//! [`EulerLagrange::evaluate`] reports the rank and the other forms return an error.

mod dynamics;
mod error;
mod evaluate;
mod symmetric_solve;

pub use dynamics::Dynamics;
pub use error::EulerLagrangeError;
pub use evaluate::{EulerLagrange, acceleration, dynamics};
