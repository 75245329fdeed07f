//! The symmetric pseudoinverse: the identities that define it, its rank, its derivative, and awkward input.

mod identities;
mod input;
mod matrix;
mod vjp;
