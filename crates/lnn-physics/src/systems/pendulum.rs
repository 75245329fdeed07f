//! The planar chain pendulum: n point masses on n massless rods, n = 1 to 6.

use std::f64::consts::{PI, TAU};
use std::sync::Arc;

use lnn_autodiff::Scalar;

use crate::euler_lagrange::{Dynamics, EulerLagrangeError, dynamics};
use crate::lagrangian::Lagrangian;
use crate::sampling::{Distribution, Interval};
use crate::system::{Canonical, Coordinate, ReferenceMotion, System, assert_components};

use super::error::SystemError;
use super::parameter::{finite, positive};
use super::registry::{Parameter, Parameters, SystemKind};

/// Most links of a [`Pendulum`].
pub const MAX_LINKS: usize = 6;

const NAME: &str = "pendulum";
const MASSES: [&str; MAX_LINKS] = ["m1", "m2", "m3", "m4", "m5", "m6"];
const LENGTHS: [&str; MAX_LINKS] = ["l1", "l2", "l3", "l4", "l5", "l6"];

pub(super) static KIND: SystemKind = SystemKind {
    name: NAME,
    summary: "planar chain of 1 to 6 point masses on massless rods",
    parameters: &[
        Parameter { name: "links", default: 1.0, unit: "", description: "number of links, 1 to 6" },
        Parameter { name: "g", default: 9.8, unit: "m/s²", description: "gravitational acceleration, downwards" },
        mass("m1"),
        mass("m2"),
        mass("m3"),
        mass("m4"),
        mass("m5"),
        mass("m6"),
        length("l1"),
        length("l2"),
        length("l3"),
        length("l4"),
        length("l5"),
        length("l6"),
    ],
    build: from_parameters,
};

const fn mass(name: &'static str) -> Parameter {
    Parameter { name, default: 1.0, unit: "kg", description: "mass at the end of this link, counted from the top" }
}

const fn length(name: &'static str) -> Parameter {
    Parameter { name, default: 1.0, unit: "m", description: "length of this link, counted from the top" }
}

fn from_parameters(parameters: &Parameters<'_>) -> Result<Arc<dyn System>, SystemError> {
    let links = parameters.get("links");
    if links.fract() != 0.0 || !(1.0..=MAX_LINKS as f64).contains(&links) {
        return Err(refused_links(links));
    }
    let links = links as usize;
    for name in MASSES[links..].iter().chain(&LENGTHS[links..]) {
        if let Some(given) = parameters.given(name) {
            let reason = format!("the chain has links = {links}");
            return Err(SystemError::UnusedParameter { system: NAME, field: (*name).to_owned(), given, reason });
        }
    }
    let values = |names: &[&str]| names.iter().map(|name| parameters.get(name)).collect::<Vec<_>>();
    let pendulum = Pendulum::new(&values(&MASSES[..links]), &values(&LENGTHS[..links]), parameters.get("g"))?;
    Ok(Arc::new(pendulum))
}

fn refused_links(given: f64) -> SystemError {
    let expected = "a whole number from 1 to 6";
    SystemError::InvalidParameter { system: NAME, field: "links", given, unit: "", expected }
}

const COORDINATES: [Coordinate; MAX_LINKS] = [
    angle("theta1", "θ₁"),
    angle("theta2", "θ₂"),
    angle("theta3", "θ₃"),
    angle("theta4", "θ₄"),
    angle("theta5", "θ₅"),
    angle("theta6", "θ₆"),
];

const fn angle(name: &'static str, symbol: &'static str) -> Coordinate {
    Coordinate { name, symbol, unit: "rad", is_angle: true }
}

/// A chain of n rods hung from a fixed point: masses mᵢ (kg) at their ends, lengths lᵢ (m), counted
/// from the top, gravitational acceleration g (m/s²) downwards.
///
/// q = (θ₁, …, θₙ) are the angles of the rods from the downward vertical, counter-clockwise, all
/// absolute; q̇ in rad/s. With μᵢ = mᵢ + … + mₙ, the mass that hangs below link i,
///
/// - Hᵢⱼ = μ_max(i,j) lᵢ lⱼ cos(θᵢ − θⱼ), T = ½ q̇ᵀ H q̇,
/// - V = −Σ μᵢ g lᵢ cos θᵢ, zero when all rods are horizontal,
/// - Σⱼ Hᵢⱼ θ̈ⱼ = −Σⱼ μ_max(i,j) lᵢ lⱼ sin(θᵢ − θⱼ) θ̇ⱼ² − μᵢ g lᵢ sin θᵢ.
///
/// Two links are the [`DoublePendulum`](super::DoublePendulum). Training states and rollout starts
/// are drawn as there (Cranmer et al. 2020, section 5): angles on the whole circle, training rates
/// up to 10 rad/s, starts almost at rest.
///
/// ```
/// use lnn_physics::System;
/// use lnn_physics::systems::Pendulum;
///
/// let pendulum = Pendulum::new(&[4.0], &[0.5], 9.8)?;
/// let mut q_ddot = [0.0];
/// pendulum.acceleration_into(&[std::f64::consts::FRAC_PI_2], &[3.0], &[], &mut q_ddot);
/// assert_eq!(q_ddot, [-9.8 / 0.5]);
/// # Ok::<(), lnn_physics::systems::SystemError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Pendulum {
    lengths: Vec<f64>,
    /// μᵢ.
    hanging: Vec<f64>,
    masses: Vec<f64>,
    g: f64,
    training: Vec<Distribution>,
    rollout: Vec<Distribution>,
}

/// A symmetric matrix; rows and columns past the number of links are not used.
type Matrix = [[f64; MAX_LINKS]; MAX_LINKS];

impl Pendulum {
    /// A chain of `masses` in kg on rods of `lengths` in m, both `[n]` from the top, under the
    /// gravitational acceleration `g` in m/s², which may be zero or negative.
    ///
    /// # Errors
    /// [`SystemError`]: no link or more than [`MAX_LINKS`], another number of masses than of lengths,
    /// or the first parameter that is not allowed, by name.
    pub fn new(masses: &[f64], lengths: &[f64], g: f64) -> Result<Self, SystemError> {
        let links = masses.len();
        if links != lengths.len() {
            return Err(SystemError::UnequalCounts { system: NAME, masses: links, lengths: lengths.len() });
        }
        if !(1..=MAX_LINKS).contains(&links) {
            return Err(refused_links(links as f64));
        }
        for (name, &mass) in MASSES.iter().zip(masses) {
            positive(NAME, name, mass, "kg")?;
        }
        for (name, &length) in LENGTHS.iter().zip(lengths) {
            positive(NAME, name, length, "m")?;
        }
        finite(NAME, "g", g, "m/s²")?;
        let uniform = |low, high| vec![Distribution::Uniform(Interval::constant(low, high)); links];
        Ok(Self {
            hanging: (0..links).map(|i| masses[i..].iter().sum()).collect(),
            masses: masses.to_vec(),
            lengths: lengths.to_vec(),
            g,
            training: [uniform(0.0, TAU), uniform(-10.0, 10.0)].concat(),
            rollout: [uniform(0.0, TAU), uniform(0.0, 0.1)].concat(),
        })
    }

    /// Masses in kg from the top, `[n]`.
    #[must_use]
    pub fn masses(&self) -> &[f64] {
        &self.masses
    }

    /// Rod lengths in m from the top, `[n]`.
    #[must_use]
    pub fn lengths(&self) -> &[f64] {
        &self.lengths
    }

    /// Gravitational acceleration g in m/s².
    #[must_use]
    pub const fn gravity(&self) -> f64 {
        self.g
    }

    fn links(&self) -> usize {
        self.lengths.len()
    }

    /// μ_max(i,j) lᵢ lⱼ.
    fn inertia(&self, i: usize, j: usize) -> f64 {
        self.hanging[i.max(j)] * self.lengths[i] * self.lengths[j]
    }

    /// μᵢ g lᵢ.
    fn weight(&self, i: usize) -> f64 {
        self.hanging[i] * self.g * self.lengths[i]
    }

    /// T(q, q̇), shared by the Lagrangian and the energy.
    fn kinetic<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
        let mut sum = S::zero();
        for i in 0..self.links() {
            sum += q_dot[i].square() * (0.5 * self.inertia(i, i));
            for j in 0..i {
                sum += q_dot[i] * q_dot[j] * (q[i] - q[j]).cos() * self.inertia(i, j);
            }
        }
        sum
    }

    /// V(q), shared by the Lagrangian and the energy.
    fn potential<S: Scalar>(&self, q: &[S]) -> S {
        let mut sum = S::zero();
        for i in 0..self.links() {
            sum -= q[i].cos() * self.weight(i);
        }
        sum
    }

    fn check(&self, q: &[f64], second: (&str, &[f64]), conditionals: &[f64], out: (&str, &[f64])) {
        let n = self.links();
        for (name, x) in [("q", q), second, out] {
            assert_components(name, x, n);
        }
        assert_components("conditionals", conditionals, 0);
    }

    /// The lower triangle of H at `q`, and `each(i, j, sin)` for j < i with sin(θᵢ − θⱼ).
    fn mass_matrix(&self, q: &[f64], mut each: impl FnMut(usize, usize, f64)) -> Matrix {
        let mut matrix = [[0.0; MAX_LINKS]; MAX_LINKS];
        for i in 0..self.links() {
            matrix[i][i] = self.inertia(i, i);
            for j in 0..i {
                let (sin, cos) = (q[i] - q[j]).sin_cos();
                matrix[i][j] = self.inertia(i, j) * cos;
                each(i, j, sin);
            }
        }
        matrix
    }
}

/// Solves H x = b in place by Cholesky's H = L Lᵀ; H positive definite, its lower triangle in
/// `matrix`. NaN where round-off has made it indefinite.
fn solve_in_place(mut matrix: Matrix, b: &mut [f64]) {
    let n = b.len();
    for j in 0..n {
        for i in j..n {
            let mut sum = matrix[i][j];
            for k in 0..j {
                sum -= matrix[i][k] * matrix[j][k];
            }
            matrix[i][j] = if i == j { sum.sqrt() } else { sum / matrix[j][j] };
        }
    }
    for i in 0..n {
        for k in 0..i {
            b[i] -= matrix[i][k] * b[k];
        }
        b[i] /= matrix[i][i];
    }
    for i in (0..n).rev() {
        for k in i + 1..n {
            b[i] -= matrix[k][i] * b[k];
        }
        b[i] /= matrix[i][i];
    }
}

impl Lagrangian for Pendulum {
    fn degrees_of_freedom(&self) -> usize {
        self.links()
    }
    fn lagrangian<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
        self.kinetic(q, q_dot) - self.potential(q)
    }
}

impl System for Pendulum {
    fn name(&self) -> &'static str {
        NAME
    }

    fn coordinates(&self) -> &[Coordinate] {
        &COORDINATES[..self.links()]
    }

    fn acceleration_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], q_ddot: &mut [f64]) {
        self.check(q, ("q_dot", q_dot), conditionals, ("q_ddot", q_ddot));
        for i in 0..self.links() {
            q_ddot[i] = -self.weight(i) * q[i].sin();
        }
        let matrix = self.mass_matrix(q, |i, j, sin| {
            let torque = self.inertia(i, j) * sin;
            q_ddot[i] -= torque * q_dot[j] * q_dot[j];
            q_ddot[j] += torque * q_dot[i] * q_dot[i];
        });
        solve_in_place(matrix, q_ddot);
    }

    fn kinetic_energy(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64]) -> f64 {
        self.check(q, ("q_dot", q_dot), conditionals, ("q", q));
        self.kinetic(q, q_dot)
    }

    fn potential_energy(&self, q: &[f64], conditionals: &[f64]) -> f64 {
        self.check(q, ("q", q), conditionals, ("q", q));
        self.potential(q)
    }

    fn dynamics(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64]) -> Result<Dynamics, EulerLagrangeError> {
        assert_components("conditionals", conditionals, 0);
        dynamics(self, q, q_dot)
    }

    /// The largest potential energy, all rods upright: Σ μᵢ |g| lᵢ.
    fn reference_energy(&self) -> f64 {
        (0..self.links()).map(|i| self.weight(i).abs()).sum()
    }

    fn training_distribution(&self) -> &[Distribution] {
        &self.training
    }

    fn rollout_distribution(&self) -> &[Distribution] {
        &self.rollout
    }

    /// One link swings from rest at 2 rad to the other side: half its period
    /// π √(l/|g|) / agm(1, cos 1). More links are released from rest at 1.2, 0.5, −0.2, … rad. Without
    /// gravity the straight chain turns at 1 rad/s.
    fn reference_motion(&self) -> ReferenceMotion {
        reference_motion(&self.lengths, self.g)
    }

    fn canonical(&self) -> Option<&dyn Canonical> {
        Some(self)
    }
}

impl Canonical for Pendulum {
    /// p = H q̇.
    fn momentum_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], p: &mut [f64]) {
        self.check(q, ("q_dot", q_dot), conditionals, ("p", p));
        let n = self.links();
        let matrix = self.mass_matrix(q, |_, _, _| ());
        for i in 0..n {
            p[i] = (0..n).map(|j| matrix[i.max(j)][i.min(j)] * q_dot[j]).sum();
        }
    }

    /// H q̇ = p by Cholesky's factors.
    fn velocity_into(&self, q: &[f64], p: &[f64], conditionals: &[f64], q_dot: &mut [f64]) {
        self.check(q, ("p", p), conditionals, ("q_dot", q_dot));
        q_dot.copy_from_slice(p);
        solve_in_place(self.mass_matrix(q, |_, _, _| ()), q_dot);
    }

    /// ṗᵢ = −Σⱼ μ_max(i,j) lᵢ lⱼ sin(θᵢ − θⱼ) θ̇ᵢ θ̇ⱼ − μᵢ g lᵢ sin θᵢ.
    fn momentum_rate_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], p_dot: &mut [f64]) {
        self.check(q, ("q_dot", q_dot), conditionals, ("p_dot", p_dot));
        for i in 0..self.links() {
            p_dot[i] = -self.weight(i) * q[i].sin();
        }
        self.mass_matrix(q, |i, j, sin| {
            let torque = self.inertia(i, j) * sin * q_dot[i] * q_dot[j];
            p_dot[i] -= torque;
            p_dot[j] += torque;
        });
    }
}

/// The reference motion of a chain of `lengths` under `g`; see [`Pendulum::reference_motion`].
pub(super) fn reference_motion(lengths: &[f64], g: f64) -> ReferenceMotion {
    let n = lengths.len();
    let at_rest = |angles: Vec<f64>| [angles, vec![0.0; n]].concat();
    let turning = |angle: f64| [vec![angle; n], vec![1.0; n]].concat();
    let conditionals = Vec::new();
    if g == 0.0 {
        let (start, end) = (turning(0.5), Some(turning(3.5)));
        return ReferenceMotion { start, conditionals, duration: 3.0, end };
    }
    // Gravity upwards: everything swings about the upward vertical.
    let lowest = if g > 0.0 { 0.0 } else { PI };
    let time = (lengths.iter().sum::<f64>() / g.abs()).sqrt();
    if n == 1 {
        let amplitude = 2.0_f64;
        let (start, end) = (at_rest(vec![lowest + amplitude]), Some(at_rest(vec![lowest - amplitude])));
        // T = 4 √(l/g) K(sin θ₀/2), and K(k) = π / (2 agm(1, √(1 − k²))).
        let duration = PI * time / arithmetic_geometric_mean(1.0, (0.5 * amplitude).cos());
        return ReferenceMotion { start, conditionals, duration, end };
    }
    let start = at_rest((0..n).map(|i| lowest + 1.2 - 0.7 * i as f64).collect());
    ReferenceMotion { start, conditionals, duration: 6.0 * time, end: None }
}

/// The common limit of arithmetic and geometric means of positive `a` and `b`.
fn arithmetic_geometric_mean(mut a: f64, mut b: f64) -> f64 {
    // The difference is squared in each round: from within a factor of 10⁴ six rounds reach round-off.
    for _ in 0..8 {
        (a, b) = (0.5 * (a + b), (a * b).sqrt());
    }
    a
}
