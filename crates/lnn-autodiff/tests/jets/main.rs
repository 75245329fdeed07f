//! The batched engine against the generic one: every output of every pass on random networks.

mod case;
mod engine;
mod numbers;
mod packed;
mod passes;
mod reference;
mod workspace;
