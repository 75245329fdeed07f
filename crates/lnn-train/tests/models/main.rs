//! Every model against the same model over differentiable scalars, on random networks: rates of change, energies,
//! parameter gradients and cotangents of the states, by duals, by the tape and by finite differences.

mod agreement;
mod case;
mod oracle;
mod quantities;
mod segments;

// The generic activations are those of the engine's own tests.
#[path = "../../../lnn-autodiff/tests/jets/numbers.rs"]
mod numbers;
#[path = "../../../lnn-autodiff/tests/jets/reference.rs"]
#[allow(dead_code, reason = "of the engine's reference only the activations are used here")]
mod reference;
