//! Train, evaluate and roll out Lagrangian neural networks.
//!
//! The modules follow the data: [`config`] says what to do, [`model`] holds the networks, [`fit`] trains
//! them with [`loss`] and [`optimiser`], [`evaluate`] judges them, [`record`] is what was measured,
//! [`field`] does the same for fields on lattices, [`initialisation_search`] looks for first weights,
//! [`properties`] measures which model can learn what, [`measured`] learns from a person's own tables, [`motion`] moves
//! states of a learned model forward in time, [`rollout`] does so at full speed, [`segment`] goes short stretches with the gradient through them, [`quantities`] says
//! what a model gives for a state, [`table`] reads numbers from a person's files, [`trajectory`] holds observed motions,
//! [`report`] shows a run, [`plot`] motions and models on request, [`store`] keeps all, and [`experiment`] runs it.

pub mod backend;
pub mod config;
pub mod evaluate;
pub mod experiment;
pub mod field;
pub mod fit;
pub mod initialisation_search;
mod larger;
pub mod loss;
pub mod measured;
pub mod model;
pub mod motion;
pub mod optimiser;
pub mod plot;
pub mod properties;
pub mod quantities;
pub mod record;
pub mod report;
pub mod rollout;
pub mod segment;
pub mod spread;
pub mod store;
pub mod table;
mod target;
mod thread_pool;
pub mod trajectory;

pub use larger::larger;
pub use target::{DataError, NonFiniteTarget};
pub use thread_pool::{ThreadPoolError, thread_pool};

/// Runs the program of the README as a doctest.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
