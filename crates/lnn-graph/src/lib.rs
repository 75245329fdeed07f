//! Lagrangians of fields on lattices and graphs.

pub mod fields;
pub mod topology;
