//! The evaluator: d forward-over-reverse sweeps, one symmetric solve.

use lnn_autodiff::pseudoinverse::Tolerance;
use lnn_autodiff::{HessianWorkspace, hessian_rows_in_place};

use super::dynamics::Dynamics;
use super::error::EulerLagrangeError;
use super::symmetric_solve::SymmetricSolve;
use crate::lagrangian::Lagrangian;
use crate::system::split_state;

/// Evaluates the equation of motion of one Lagrangian, state after state, in a workspace of its
/// own.
///
/// Each of the d sweeps differentiates L on a tape of dual numbers whose tangent is one unit
/// velocity, which gives the gradient and one row of both ∂²L/∂q̇∂q and H
/// ([`hessian_rows_in_place`]). With up to 16 degrees of freedom nothing is allocated after the
/// first evaluation (unless the Lagrangian itself allocates).
///
/// ```
/// use lnn_physics::systems::DoublePendulum;
/// use lnn_physics::EulerLagrange;
///
/// let mut motion = EulerLagrange::new(DoublePendulum::default())?;
/// let dynamics = motion.evaluate(&[0.0, 0.0], &[1.0, 2.0])?;
/// // Both rods hang down: H = [[2, 1], [1, 1]], p = H q̇, E = ½ q̇ᵀ H q̇ − 29.4.
/// assert_eq!(dynamics.mass_matrix, [2.0, 1.0, 1.0, 1.0]);
/// assert_eq!(dynamics.momentum, [4.0, 3.0]);
/// assert!((dynamics.energy - (5.0 - 29.4)).abs() < 1e-13);
/// assert!(dynamics.is_regular());
/// # Ok::<(), lnn_physics::EulerLagrangeError>(())
/// ```
#[derive(Debug)]
pub struct EulerLagrange<L> {
    lagrangian: L,
    derivatives: HessianWorkspace,
    /// (q, q̇), `[2d]`.
    state: Vec<f64>,
    /// (∂L/∂q, ∂L/∂q̇), `[2d]`.
    gradient: Vec<f64>,
    /// Velocity rows of the Hessian of L: `[d, 2d]`, row i is (∂²L/∂q̇ᵢ∂q, ∂²L/∂q̇ᵢ∂q̇).
    rows: Vec<f64>,
    solve: SymmetricSolve,
    dynamics: Dynamics,
}

impl<L: Lagrangian> EulerLagrange<L> {
    /// A workspace for `lagrangian`.
    ///
    /// # Errors
    /// [`EulerLagrangeError::NoDegreeOfFreedom`] when the Lagrangian has none.
    pub fn new(lagrangian: L) -> Result<Self, EulerLagrangeError> {
        let d = lagrangian.degrees_of_freedom();
        if d == 0 {
            return Err(EulerLagrangeError::NoDegreeOfFreedom);
        }
        Ok(Self {
            lagrangian,
            derivatives: HessianWorkspace::new(),
            state: vec![0.0; 2 * d],
            gradient: vec![0.0; 2 * d],
            rows: vec![0.0; 2 * d * d],
            solve: SymmetricSolve::new(d),
            dynamics: Dynamics::new(d),
        })
    }

    /// The Lagrangian.
    pub fn lagrangian(&self) -> &L {
        &self.lagrangian
    }

    /// All derivatives, the acceleration, momentum and energy at `q`, `q_dot`, both `[d]`.
    ///
    /// The permissive form: a singular mass matrix is no error, [`Dynamics::rank`] is then below d
    /// and the acceleration is H⁺ r whether or not it solves H q̈ = r.
    /// [`acceleration_into`](Self::acceleration_into) refuses a state without a solution.
    ///
    /// # Errors
    /// [`EulerLagrangeError`]: an argument of the wrong length or not finite, or a derivative that
    /// is not finite.
    pub fn evaluate(&mut self, q: &[f64], q_dot: &[f64]) -> Result<&Dynamics, EulerLagrangeError> {
        let d = self.dynamics.momentum.len();
        check_argument("q", q, d)?;
        check_argument("q_dot", q_dot, d)?;
        self.state[..d].copy_from_slice(q);
        self.state[d..].copy_from_slice(q_dot);
        let lagrangian = &self.lagrangian;
        let out = &mut self.dynamics;
        out.lagrangian = hessian_rows_in_place(
            |x| lagrangian.lagrangian(&x[..d], &x[d..]),
            &self.state,
            d..2 * d,
            &mut self.gradient,
            &mut self.rows,
            &mut self.derivatives,
        );
        out.position_gradient.copy_from_slice(&self.gradient[..d]);
        out.momentum.copy_from_slice(&self.gradient[d..]);
        for (i, row) in self.rows.chunks_exact(2 * d).enumerate() {
            let (mixed, mass) = row.split_at(d);
            let change: f64 = mixed.iter().zip(q_dot).map(|(c, v)| c * v).sum();
            out.mixed_times_velocity[i] = change;
            out.force[i] = out.position_gradient[i] - change;
            out.mass_matrix[i * d..(i + 1) * d].copy_from_slice(mass);
        }
        // The two triangles differ by round-off only; the solver reads one of them.
        for i in 0..d {
            for j in 0..i {
                let mean = 0.5 * (out.mass_matrix[i * d + j] + out.mass_matrix[j * d + i]);
                out.mass_matrix[i * d + j] = mean;
                out.mass_matrix[j * d + i] = mean;
            }
        }
        check_derivative("value", &[out.lagrangian])?;
        check_derivative("∂L/∂q̇", &out.momentum)?;
        check_derivative("mass matrix ∂²L/∂q̇∂q̇", &out.mass_matrix)?;
        check_derivative("force ∂L/∂q − (∂²L/∂q̇∂q) q̇", &out.force)?;
        out.rank = self.solve.factor(d, &out.mass_matrix);
        self.solve.solve(&out.force, &mut out.acceleration);
        check_derivative("acceleration", &out.acceleration)?;
        out.mass_eigenvalues.copy_from_slice(self.solve.eigenvalues());
        let power: f64 = q_dot.iter().zip(&out.momentum).map(|(v, p)| v * p).sum();
        out.energy = power - out.lagrangian;
        Ok(&self.dynamics)
    }

    /// q̈ at (q, q̇), the solution of H q̈ = r, written to `q_ddot`; all three `[d]`.
    ///
    /// Where H is singular and r lies in its range (a gauge freedom), the solution of least norm.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate), when `q_ddot` has another length, and
    /// [`EulerLagrangeError::SingularMassMatrix`] when H has lost rank and ‖H q̈ − r‖∞ is above the
    /// round-off 10·d·ε·(‖H‖∞‖q̈‖∞ + s), with s the largest sum of magnitudes of the terms of one
    /// component of r. `q_ddot` is left as it was.
    pub fn acceleration_into(
        &mut self,
        q: &[f64],
        q_dot: &[f64],
        q_ddot: &mut [f64],
    ) -> Result<(), EulerLagrangeError> {
        check_length("q_ddot", q_ddot.len(), self.dynamics.momentum.len())?;
        self.evaluate(q, q_dot)?;
        self.check_solution()?;
        q_ddot.copy_from_slice(&self.dynamics.acceleration);
        Ok(())
    }

    /// Right-hand side `[q̇, q̈]` for a state `[q, q̇]`, both 2d long; what the integrators take.
    ///
    /// # Errors
    /// As [`acceleration_into`](Self::acceleration_into).
    ///
    /// # Panics
    /// When either slice does not hold 2d numbers.
    pub fn state_derivative_into(&mut self, state: &[f64], state_dot: &mut [f64]) -> Result<(), EulerLagrangeError> {
        let d = self.dynamics.momentum.len();
        let (q, q_dot) = split_state(state, d);
        assert_eq!(state_dot.len(), 2 * d, "a state derivative is [q̇, q̈]");
        let (velocity, q_ddot) = state_dot.split_at_mut(d);
        velocity.copy_from_slice(q_dot);
        self.acceleration_into(q, q_dot, q_ddot)
    }

    /// Refuses the H⁺ r of the last evaluation if H is singular and H q̈ = r has no solution.
    fn check_solution(&self) -> Result<(), EulerLagrangeError> {
        let out = &self.dynamics;
        if out.is_regular() {
            return Ok(());
        }
        let d = out.momentum.len();
        let q_dot = &self.state[d..];
        let (mut residual, mut mass_norm, mut force_terms) = (0.0_f64, 0.0_f64, 0.0_f64);
        for i in 0..d {
            let mass = &out.mass_matrix[i * d..(i + 1) * d];
            let product: f64 = mass.iter().zip(&out.acceleration).map(|(h, a)| h * a).sum();
            residual = residual.max((product - out.force[i]).abs());
            mass_norm = mass_norm.max(mass.iter().map(|h| h.abs()).sum());
            // The terms and not r: under a gauge freedom they may cancel and leave round-off of their size.
            let mixed = &self.rows[2 * d * i..2 * d * i + d];
            let change: f64 = mixed.iter().zip(q_dot).map(|(c, v)| (c * v).abs()).sum();
            force_terms = force_terms.max(out.position_gradient[i].abs() + change);
        }
        let acceleration_norm = out.acceleration.iter().fold(0.0_f64, |norm, a| norm.max(a.abs()));
        // The relative tolerance that decides the rank: H is known no better than that. It multiplies
        // first, so that no product overflows to an infinite tolerance.
        let relative = Tolerance::for_dimension::<f64>(d).relative;
        let round_off = relative * mass_norm * acceleration_norm + relative * force_terms;
        if residual <= round_off {
            return Ok(());
        }
        Err(EulerLagrangeError::SingularMassMatrix { rank: out.rank, degrees_of_freedom: d, residual })
    }
}

/// q̈ of `lagrangian` at `q`, `q_dot`, `[d]`, the solution of H q̈ = r of least norm: the one-call
/// form of [`EulerLagrange::acceleration_into`].
///
/// # Errors
/// As [`EulerLagrange::new`] and [`EulerLagrange::acceleration_into`]: a singular mass matrix whose
/// equation has no solution is refused.
///
/// ```
/// use lnn_physics::{Lagrangian, Scalar, acceleration};
///
/// /// m = 1 on a spring of stiffness 4.
/// struct Spring;
///
/// impl Lagrangian for Spring {
///     fn degrees_of_freedom(&self) -> usize {
///         1
///     }
///     fn lagrangian<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
///         q_dot[0].square() * 0.5 - q[0].square() * 2.0
///     }
/// }
///
/// assert_eq!(acceleration(&Spring, &[0.5], &[3.0])?, [-2.0]);
/// # Ok::<(), lnn_physics::EulerLagrangeError>(())
/// ```
pub fn acceleration<L: Lagrangian>(lagrangian: &L, q: &[f64], q_dot: &[f64]) -> Result<Vec<f64>, EulerLagrangeError> {
    let mut motion = EulerLagrange::new(lagrangian)?;
    motion.evaluate(q, q_dot)?;
    motion.check_solution()?;
    Ok(motion.dynamics.acceleration)
}

/// Everything at one (q, q̇), both `[d]`: the one-call form of [`EulerLagrange::evaluate`].
///
/// # Errors
/// As [`EulerLagrange::new`] and [`EulerLagrange::evaluate`].
///
/// ```
/// use lnn_physics::systems::Spring;
/// use lnn_physics::dynamics;
///
/// // m = 2 kg on a spring of 8 N/m: p = m q̇, E = ½ m q̇² + ½ k q².
/// let found = dynamics(&Spring::new(2.0, 8.0)?, &[0.5], &[3.0])?;
/// assert_eq!((found.momentum[0], found.energy, found.acceleration[0]), (6.0, 10.0, -2.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn dynamics<L: Lagrangian>(lagrangian: &L, q: &[f64], q_dot: &[f64]) -> Result<Dynamics, EulerLagrangeError> {
    let mut motion = EulerLagrange::new(lagrangian)?;
    motion.evaluate(q, q_dot)?;
    Ok(motion.dynamics)
}

fn check_length(quantity: &'static str, given: usize, expected: usize) -> Result<(), EulerLagrangeError> {
    if given == expected { Ok(()) } else { Err(EulerLagrangeError::WrongLength { quantity, given, expected }) }
}

fn check_argument(quantity: &'static str, x: &[f64], d: usize) -> Result<(), EulerLagrangeError> {
    check_length(quantity, x.len(), d)?;
    match x.iter().position(|v| !v.is_finite()) {
        Some(index) => Err(EulerLagrangeError::NonFiniteArgument { quantity, index, given: x[index] }),
        None => Ok(()),
    }
}

fn check_derivative(quantity: &'static str, x: &[f64]) -> Result<(), EulerLagrangeError> {
    match x.iter().position(|v| !v.is_finite()) {
        Some(index) => Err(EulerLagrangeError::NonFiniteDerivative { quantity, index, value: x[index] }),
        None => Ok(()),
    }
}
