//! Lagrangian neural networks: the workspace's libraries under one name.
//!
//! * [`autodiff`]: dual numbers, tape, batched network jets, symmetric pseudoinverse;
//! * [`physics`]: the equation of motion of any Lagrangian, systems, integrators, sampling;
//! * [`graph`]: Lagrangians of fields on lattices and graphs, with solves in linear time;
//! * [`gpu`]: the training step and rollouts on graphics cards;
//! * [`train`]: models, losses, optimisers, training, evaluation, reports.
//!
//! This crate also owns the workspace's `examples/` and `benches/`.

pub use lnn_autodiff as autodiff;
pub use lnn_gpu as gpu;
pub use lnn_graph as graph;
pub use lnn_physics as physics;
pub use lnn_train as train;

/// The README's programs, compiled and run by `cargo test --doc`.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
