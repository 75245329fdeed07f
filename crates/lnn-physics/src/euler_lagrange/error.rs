//! What can go wrong when an equation of motion is evaluated.

use thiserror::Error;

/// An Euler–Lagrange equation that could not be evaluated or solved.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum EulerLagrangeError {
    /// The Lagrangian claims no degree of freedom.
    #[error("the Lagrangian has 0 degrees of freedom; there is no equation of motion to solve")]
    NoDegreeOfFreedom,
    /// An argument of another length than the number of degrees of freedom.
    #[error(
        "{quantity} has {given} components, the Lagrangian has {expected} degrees of freedom; \
         give {expected} components"
    )]
    WrongLength {
        /// Name of the argument.
        quantity: &'static str,
        /// Components that were given.
        given: usize,
        /// Degrees of freedom.
        expected: usize,
    },
    /// An argument with a NaN or infinite component.
    #[error("{quantity}[{index}] = {given} is not finite; evaluate at finite states only")]
    NonFiniteArgument {
        /// Name of the argument.
        quantity: &'static str,
        /// First such component.
        index: usize,
        /// Value that was given.
        given: f64,
    },
    /// The Lagrangian or one of its derivatives is NaN or infinite at a finite state.
    #[error(
        "{quantity}[{index}] of the Lagrangian is {value} at a finite state; the state lies outside \
         the Lagrangian's domain or the Lagrangian is not twice differentiable there"
    )]
    NonFiniteDerivative {
        /// Which quantity: its value, a gradient, the mass matrix, or the acceleration.
        quantity: &'static str,
        /// First such entry, row by row.
        index: usize,
        /// The value found.
        value: f64,
    },
    /// H has lost rank and H q̈ = r has no solution: no acceleration obeys the equation of motion.
    #[error(
        "the mass matrix has rank {rank} with {degrees_of_freedom} degrees of freedom, and no acceleration \
         solves H q̈ = r (the nearest leaves {residual:e}); give every coordinate a kinetic energy, or take \
         the least-squares acceleration from EulerLagrange::evaluate"
    )]
    SingularMassMatrix {
        /// Rank of H: eigenvalues of magnitude above 10·d·ε·max|λ|.
        rank: usize,
        /// Degrees of freedom d, the rank that makes every force solvable.
        degrees_of_freedom: usize,
        /// ‖H q̈ − r‖∞ at the least-squares q̈ = H⁺ r, in the units of r.
        residual: f64,
    },
}
