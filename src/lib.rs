//! Lagrangian neural networks: the facade crate that re-exports the workspace's libraries.

pub use lnn_autodiff as autodiff;
pub use lnn_physics as physics;
pub use lnn_train as train;
