//! Lagrangians of fields on lattices and graphs.

pub mod topology;
