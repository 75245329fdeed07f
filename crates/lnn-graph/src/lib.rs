//! Lagrangians of fields on lattices and graphs.
