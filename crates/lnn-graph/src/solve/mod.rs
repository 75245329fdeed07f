//! Symmetric linear systems `H x = b` of a field's mass matrix: factor, solve, vjp and residual, in time linear in the sites.
//!
//! Four ways, each a check of the others:
//!
//! * [`band`]: a lattice line, open or cyclic. Unknowns are `sites × components` long, component fastest.
//! * [`sparse`]: any graph.
//! * [`conjugate_gradient`]: matrix-free, for the largest.
//! * [`colouring`]: the matrix from its products with a few vectors. The oracle of assembly, not a fast path.
//!
//! The direct solvers climb down a ladder, and say in [`Factored`] on which rung they stand: a definite
//! factorisation without pivoting, a pivoted one, the dense pseudoinverse of what is singular.

pub mod band;
pub mod colouring;
pub mod conjugate_gradient;
mod outcome;
mod pseudoinverse;
mod residual;
mod singularity;
pub mod sparse;

pub use outcome::{Factored, Method, Pivot, SolveError};
pub use pseudoinverse::MAX_DENSE_DIMENSION;
