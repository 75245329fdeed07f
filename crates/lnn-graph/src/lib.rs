//! Lagrangians of fields on lattices and graphs.
//!
//! A field φ lives on the sites of a [`Topology`](topology::Topology). Its Lagrangian is a sum of a local [`Density`], a
//! network that is the same at every site and sees the site's neighbourhood, so that what is learned on a small lattice
//! runs on one of any size ([`FieldLagrangian::on`]). The mass matrix is banded or sparse, and so is the solve.
//!
//! | part | what it holds |
//! |---|---|
//! | [`topology`] | lines, grids, graphs: sites, neighbours, what lies beyond the ends |
//! | [`Density`], [`FieldLagrangian`] | the learned Lagrangian: accelerations, energies, the way back to the parameters |
//! | [`solve`] | band, sparse and matrix-free solvers, each with its vjp |
//! | [`FieldHamiltonian`], [`PlainField`] | baselines of the same locality |
//! | [`fields`] | fields of known truth: waves, sine-Gordon and others; random and chosen states |

mod density;
mod error;
mod features;
pub mod fields;
mod hamiltonian;
mod lagrangian;
mod local;
mod plain;
pub mod solve;
pub mod topology;

pub use density::{Density, Neighbourhood};
pub use error::{DensityError, EvaluationError};
pub use features::{ComponentFeatures, FieldFeatures, FieldValue};
pub use hamiltonian::{FieldHamiltonian, HamiltonianBlock};
pub use lagrangian::{FieldEvaluator, FieldLagrangian, LagrangianBlock, MassMatrixProducts, SolveBy, Solved};
pub use plain::{PlainBlock, PlainField};

/// Runs the program of the README as a doctest.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
