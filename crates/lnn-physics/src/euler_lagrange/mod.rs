//! The equation of motion of any Lagrangian, by automatic differentiation.
//!
//! d/dt ∂L/∂q̇ = ∂L/∂q, written out, is H q̈ = r with the mass matrix H = ∂²L/∂q̇∂q̇ and the force
//! r = ∂L/∂q − (∂²L/∂q̇∂q) q̇, so q̈ = H⁺ r (Cranmer et al. 2020, eq. 6).

mod dynamics;
mod error;
mod evaluate;
mod symmetric_solve;

pub use dynamics::Dynamics;
pub use error::EulerLagrangeError;
pub use evaluate::{EulerLagrange, acceleration};
