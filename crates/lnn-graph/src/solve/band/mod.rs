//! Symmetric band matrices, open and cyclic: tridiagonal, pentadiagonal, block band, batched over samples.
//!
//! One ladder, and nothing silent ([`Factored`](super::Factored) names the rung):
//!
//! 1. **Definite**: `L D Lᵀ` in the natural order without pivoting. In a cyclic matrix the last w unknowns are a border,
//!    whose rows of L are full; they fade away from the seam and are cut where they are below round-off, so a long cycle
//!    costs no more than an open line. Backward stable if and because all pivots have one sign (Cholesky's condition).
//! 2. **Pivoted**: `L U` with partial pivoting, of a cyclic matrix in the folded order 0, n − 1, 1, n − 2, …
//! 3. **Pseudoinverse**: of the full matrix, up to [`MAX_DENSE_DIMENSION`](super::MAX_DENSE_DIMENSION) unknowns.
//!
//! A cyclic matrix whose band wraps on itself is factored as a full one with partial pivoting
//! ([`Method::Dense`](super::Method::Dense)), and then by the pseudoinverse.

mod border;
mod definite;
mod factor;
mod pivoted;
mod shape;
mod solve;
mod vjp;

pub use factor::BandFactors;
pub use shape::BandShape;
