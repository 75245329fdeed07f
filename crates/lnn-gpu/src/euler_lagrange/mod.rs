//! The Euler–Lagrange equation of a batch: from the network's derivatives to H and r, and from the cotangent of the
//! accelerations to the directions of the functional whose parameter gradient is wanted.
//!
//! ```text
//! H = ∂²L/∂q̇∂q̇ᵀ + M        r = ∂L/∂q − (∂²L/∂q̇∂qᵀ) q̇        p = ∂L/∂q̇ + M q̇
//! q̈ = H⁺ r                  v = H⁺ λ                  ∂(Σ λ·q̈)/∂θ = ∂/∂θ (D_(v,0) − D_(0,v) D_(q̇,q̈)) L
//! ```
//!
//! M is the residual mass of each coordinate. The solves are those of [`pseudoinverse`](crate::pseudoinverse). A row whose
//! H is not of full rank adds two functionals at rest, `−D_(0,left) D_(0,−right) L`, with the vectors that
//! [`solve_vjp`](crate::pseudoinverse::SymmetricFactors::solve_vjp) writes.
//!
//! [`assemble`], the solves and [`directions`] are stages of their own, which keep H and all vectors in memory. What a
//! training step or a rollout needs of them is one dispatch: [`Equation::differentiate_loss`] and
//! [`Equation::accelerate`].

mod assemble;
mod directions;
mod equation;
mod jet;
mod potential;

pub use assemble::{AssembleBuffers, assemble};
pub use directions::{DirectionBuffers, Motion, directions};
pub(crate) use equation::StepBuffers;
pub use equation::{AccelerateBuffers, AccelerationLoss, DifferentiateBuffers, Equation};
pub(crate) use jet::{Jet, differentiate_output};
pub(crate) use potential::{PotentialSettings, PotentialTerm};
