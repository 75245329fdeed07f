//! What happens at one neighbourhood at a time: gathering, jets of the network, scattering.
//!
//! An *element* is one evaluation of a network: the sites that it sees, in order, as in a finite-element code. A chunk of
//! elements is a block of rows of the jet engine; the element's unknowns are the field components at its sites.

mod elements;
mod jets;
mod network;

pub(crate) use elements::Elements;
pub(crate) use jets::{Fields, LocalJets, LocalPurpose, chunk_jets, clear_without_rows, for_each_chunk};
pub(crate) use network::LocalNetwork;

/// Elements whose jets are computed at once in a block of samples: enough for the matrix products, few enough for the
/// caches.
pub(crate) const CHUNK: usize = 128;
