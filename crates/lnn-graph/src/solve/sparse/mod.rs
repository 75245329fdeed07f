//! Sparse symmetric matrices of any graph, by the sparse factorisations of faer.
//!
//! The ladder is that of [`band`](super::band): `L D Lᵀ` in an order of small fill-in (approximate minimum degree) where
//! the matrix is definite; `L U` with partial pivoting where it is not; the dense pseudoinverse where it is singular.
//! Not `L B Lᵀ` with 1 × 1 and 2 × 2 pivots within a supernode: it cannot reach for a pivot outside, and fails on
//! matrices such as `[0 1; 1 0]` when the two unknowns fall into different supernodes.

mod factor;
mod pattern;
mod pivoted;
mod vjp;

pub use factor::SparseFactors;
pub use pattern::{PatternError, SparsePattern};
