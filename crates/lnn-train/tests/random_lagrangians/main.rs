//! The Lagrangian network against the same Lagrangian over differentiable scalars, on random networks of one to six
//! degrees of freedom: tape, duals, jets and finite differences agree, at full rank and below.

mod by_scalars;
mod case;
mod full_rank;
mod rank_deficient;
mod units;

// The generic network and its majorant are those of the engine's own tests.
#[path = "../../../lnn-autodiff/tests/jets/numbers.rs"]
mod numbers;
#[path = "../../../lnn-autodiff/tests/jets/reference.rs"]
mod reference;
