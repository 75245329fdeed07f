//! Where and why a motion ended early.

use std::fmt::{self, Display, Formatter};

use lnn_physics::integrators::IntegrationError;

use super::Stopped;

/// The early end of a motion.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// Time of the last frame that was kept.
    pub time: f64,
    /// What happened after it.
    pub cause: EndCause,
}

/// What ends a motion early.
#[derive(Clone, Debug, PartialEq)]
pub enum EndCause {
    /// The mass matrix lost rank, so that the equation of motion has no unique solution.
    SingularMassMatrix(Box<Singularity>),
    /// A component of the state became NaN or infinite in the step that starts at this time.
    NonFinite {
        /// Start of the step.
        time: f64,
    },
    /// The integrator gave up.
    Integration(IntegrationError<Stopped>),
    /// A motion in canonical coordinates reached a momentum that no velocity has.
    NoVelocity,
    /// A model in canonical coordinates was to start from a velocity that no momentum has: the motion has not begun.
    NoMomentum,
}

/// A state without an acceleration.
#[derive(Clone, Debug, PartialEq)]
pub struct Singularity {
    /// Its time.
    pub time: f64,
    /// (q, q̇), 2d numbers.
    pub state: Vec<f64>,
    /// The eigenvalue of the mass matrix that is smallest in magnitude; NaN if the matrix was not finite.
    pub smallest_eigenvalue: f64,
    /// The eigenvalue that is largest in magnitude; NaN if the matrix was not finite.
    pub largest_eigenvalue: f64,
    /// Whether the singular matrix was passed already: an eigenvalue has changed its sign since the start.
    pub crossed: bool,
}

impl Singularity {
    /// A state (q, q̇) with the eigenvalues of its mass matrix, none if that was not finite.
    pub(crate) fn new(time: f64, state: &[f64], eigenvalues: &[f64], crossed: bool) -> Self {
        let smaller = |a: f64, b: f64| if b.abs() < a.abs() { b } else { a };
        let larger = |a: f64, b: f64| if b.abs() > a.abs() { b } else { a };
        let eigenvalues = || eigenvalues.iter().copied();
        Self {
            time,
            state: state.to_vec(),
            smallest_eigenvalue: eigenvalues().reduce(smaller).unwrap_or(f64::NAN),
            largest_eigenvalue: eigenvalues().reduce(larger).unwrap_or(f64::NAN),
            crossed,
        }
    }
}

impl Display for EndCause {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::SingularMassMatrix(singularity) => singularity.fmt(formatter),
            Self::NonFinite { time } => write!(formatter, "the state was no longer finite after t = {time}"),
            Self::Integration(error) => error.fmt(formatter),
            Self::NoVelocity => write!(formatter, "the momentum has no finite velocity"),
            Self::NoMomentum => {
                write!(
                    formatter,
                    "the velocity has no finite momentum; start within what the system's velocities can be"
                )
            }
        }
    }
}

impl Display for Singularity {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let (q, q_dot) = self.state.split_at(self.state.len() / 2);
        let Self { time, smallest_eigenvalue: smallest, largest_eigenvalue: largest, .. } = self;
        if self.crossed {
            write!(
                formatter,
                "the mass matrix became singular before t = {time}: an eigenvalue has changed its sign; they reach from \
                 {smallest:.3e} to {largest:.3e} in magnitude"
            )?;
        } else if smallest.is_finite() {
            write!(
                formatter,
                "the mass matrix is singular at t = {time}: its smallest eigenvalue is {smallest:.3e} beside {largest:.3e}"
            )?;
        } else {
            write!(formatter, "the mass matrix is not finite at t = {time}")?;
        }
        write!(formatter, ", at q = {}, q̇ = {}", list(q), list(q_dot))
    }
}

fn list(values: &[f64]) -> String {
    let values: Vec<String> = values.iter().map(|value| format!("{value:.6}")).collect();
    format!("[{}]", values.join(", "))
}
