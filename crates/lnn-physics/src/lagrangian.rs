//! A Lagrangian as a function that can be differentiated.

use lnn_autodiff::Scalar;

/// A Lagrangian L(q, q̇), written once over any [`Scalar`].
///
/// Parameters of the system (masses, lengths, a field strength that a network would take as a
/// conditional input) are fields of the implementing type. All derivatives that the Euler–Lagrange
/// equation needs come from automatic differentiation of this one function: see
/// [`EulerLagrange`](crate::EulerLagrange).
///
/// ```
/// use lnn_physics::{Lagrangian, Scalar, acceleration};
///
/// /// A bead on the parabola y = x²/2 under gravity, one degree of freedom, m = 1.
/// struct Bead {
///     g: f64,
/// }
///
/// impl Lagrangian for Bead {
///     fn degrees_of_freedom(&self) -> usize {
///         1
///     }
///     fn lagrangian<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
///         let (x, v) = (q[0], q_dot[0]);
///         (x * x + 1.0) * v * v * 0.5 - x * x * (0.5 * self.g)
///     }
/// }
///
/// // (1 + x²) ẍ = −x ẋ² − g x, at x = 1, ẋ = 2, g = 10: ẍ = −14/2.
/// let q_ddot = acceleration(&Bead { g: 10.0 }, &[1.0], &[2.0])?;
/// assert_eq!(q_ddot, [-7.0]);
/// # Ok::<(), lnn_physics::EulerLagrangeError>(())
/// ```
pub trait Lagrangian {
    /// Number d of generalised coordinates, at least 1.
    fn degrees_of_freedom(&self) -> usize;

    /// L(q, q̇) for `q` and `q_dot` of length d, in units of energy.
    fn lagrangian<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S;
}

impl<L: Lagrangian> Lagrangian for &L {
    fn degrees_of_freedom(&self) -> usize {
        (**self).degrees_of_freedom()
    }
    fn lagrangian<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
        (**self).lagrangian(q, q_dot)
    }
}
