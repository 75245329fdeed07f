//! Derivatives of functions: one file per verb.
//!
//! # The function argument
//!
//! Each verb takes a closure over the scalar that it needs, `|x| x[0].sin() * x[1]`, and the
//! compiler fills in the type. A function that must run through several routes is written once,
//! generic over [`Scalar`](crate::Scalar), and wrapped where it is used: see [`gradient`].
//!
//! A trait with a generic method (`trait ScalarFunction { fn eval<S>(…) }`) was rejected: closures
//! cannot implement it, so that every call site would need a named type.
//!
//! # Cost
//!
//! With `E` the cost of one evaluation, a gradient costs a small multiple of `E` whatever `n` is, and
//! so does a Hessian-vector product. Second-derivative blocks take one such sweep per row, so ask
//! [`hessian_rows_in_place`] for the rows that are needed: for an Euler–Lagrange equation the `d`
//! velocity rows alone hold the mass matrix and the mixed Jacobian.
//!
//! # Memory
//!
//! `*_in_place` writes into the caller's slices and keeps its tape in a [`Workspace`]; from the
//! second call on it allocates nothing for up to 32 inputs (16 degrees of freedom). The functions of
//! the same names without the suffix allocate and call them.

mod gradient;
mod hessian;
mod hvp;
mod jacobian;
mod mixed_partial;
mod workspace;

pub use gradient::{gradient, gradient_in_place};
pub use hessian::{hessian, hessian_in_place, hessian_rows_in_place};
pub use hvp::{hvp, hvp_in_place};
pub use jacobian::{jacobian, jacobian_in_place};
pub use mixed_partial::{mixed_partial, mixed_partial_in_place};
pub use workspace::{DualVar, GradientWorkspace, HessianWorkspace, Workspace};
