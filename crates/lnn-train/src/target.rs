//! Accelerations, or momenta and their rates, to learn from, and the check that they are numbers.

use std::fmt;

use lnn_autodiff::Real;
use lnn_physics::{Canonical, System};

use crate::loss::VelocityOutOfRange;

/// What cannot be learned from: an acceleration, a momentum or its rate that is infinite, NaN, or beyond the precision of
/// the training.
#[derive(Clone, Debug, PartialEq)]
pub struct NonFiniteTarget {
    /// State `[q, q̇, conditionals]`, `[2d + c]`.
    pub state: Vec<f64>,
    /// What it is: `acceleration`, `momentum` or `rate of momentum`.
    pub quantity: &'static str,
    /// Its components, `[d]`.
    pub value: Vec<f64>,
    /// Name of the precision that must hold it.
    pub precision: &'static str,
}

impl std::error::Error for NonFiniteTarget {}

impl fmt::Display for NonFiniteTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, quantity, value, precision } = self;
        let (q, q_dot, conditionals) = split(state, value.len());
        write!(f, "the training data are unusable: at q = {q:?}, q_dot = {q_dot:?}")?;
        if !conditionals.is_empty() {
            write!(f, ", conditionals = {conditionals:?}")?;
        }
        write!(
            f,
            " the system's {quantity} is {value:?}, not all of it finite in {precision}; check the system's parameters \
             and units, narrow the sampling ranges, or, if only f32 is too small, set the model's precision to f64"
        )
    }
}

/// Data that cannot be learned from.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DataError {
    /// A target that is not a number.
    #[error(transparent)]
    NonFinite(#[from] NonFiniteTarget),
    /// A velocity that has no weight.
    #[error(transparent)]
    Weight(#[from] VelocityOutOfRange),
    /// A field's acceleration that is not a number.
    #[error(
        "the training data are unusable: the field's acceleration at site {site} of a random state is {value:e}, not \
         finite in {precision}; lower the speed or the amplitudes of the states, or, if only f32 is too small, set the \
         model's precision to f64"
    )]
    Field {
        /// The site.
        site: usize,
        /// Its acceleration.
        value: f64,
        /// Name of the precision that must hold it.
        precision: &'static str,
    },
    /// No memory for the factors of a field's mass matrix.
    #[error(transparent)]
    Solver(#[from] lnn_graph::solve::SolveError),
}

/// A state `[q, q̇, c]` of d coordinates in its parts.
pub(crate) fn split(state: &[f64], d: usize) -> (&[f64], &[f64], &[f64]) {
    let (q, rest) = state.split_at(d);
    let (q_dot, conditionals) = rest.split_at(d);
    (q, q_dot, conditionals)
}

/// Writes the system's q̈ at the state `[q, q̇, c]` to `q_ddot` `[d]`.
///
/// # Errors
/// A component that is not a finite number in the precision `T`.
pub(crate) fn acceleration_into<T: Real>(
    system: &dyn System,
    state: &[f64],
    q_ddot: &mut [f64],
) -> Result<(), NonFiniteTarget> {
    let (q, q_dot, conditionals) = split(state, q_ddot.len());
    system.acceleration_into(q, q_dot, conditionals, q_ddot);
    require_finite::<T>(state, "acceleration", q_ddot)
}

/// Writes the momentum at the state `[q, q̇, c]` and its rate, both `[d]`.
///
/// # Errors
/// A component that is not a finite number in the precision `T`.
pub(crate) fn momentum_into<T: Real>(
    canonical: &dyn Canonical,
    state: &[f64],
    p: &mut [f64],
    p_dot: &mut [f64],
) -> Result<(), NonFiniteTarget> {
    let (q, q_dot, conditionals) = split(state, p.len());
    canonical.momentum_into(q, q_dot, conditionals, p);
    canonical.momentum_rate_into(q, q_dot, conditionals, p_dot);
    require_finite::<T>(state, "momentum", p)?;
    require_finite::<T>(state, "rate of momentum", p_dot)
}

fn require_finite<T: Real>(state: &[f64], quantity: &'static str, value: &[f64]) -> Result<(), NonFiniteTarget> {
    if value.iter().all(|&component| T::from_f64(component).is_finite()) {
        return Ok(());
    }
    Err(NonFiniteTarget { state: state.to_vec(), quantity, value: value.to_vec(), precision: T::NAME })
}
