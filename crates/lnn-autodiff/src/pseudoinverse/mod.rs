//! Pseudoinverses of many small symmetric matrices, their solves and their vector-Jacobian product.
//!
//! `H = V Λ Vᵀ` by Jacobi rotations, `H⁺ = V Λ⁺ Vᵀ` where `λ⁺ = 1/λ` above the tolerance and 0 at or
//! below it. The number of eigenvalues above is the rank, and it is returned, never hidden.
//! `docs/derivations/3-pseudoinverse.md` derives the derivative.

mod factor;
mod jacobi;
mod solve;
mod vjp;

pub use factor::{SymmetricFactors, Tolerance};
pub use vjp::RankDeficientTerms;

/// Largest dimension d.
pub const MAX_DIMENSION: usize = 16;
