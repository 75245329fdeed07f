//! The planar double pendulum: two point masses on two massless rods.

use std::f64::consts::TAU;

use lnn_autodiff::Scalar;
use thiserror::Error;

use crate::lagrangian::Lagrangian;
use crate::sampling::Interval;
use crate::system::{Coordinate, System};

/// A parameter that describes no pendulum.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum InvalidPendulum {
    /// A mass or a length that is zero, negative, NaN or infinite.
    #[error("{field} = {given} {unit}: masses and lengths of a double pendulum are positive finite numbers")]
    NotPositive {
        /// `m1`, `m2`, `l1` or `l2`.
        field: &'static str,
        /// Value that was given.
        given: f64,
        /// Unit of the field.
        unit: &'static str,
    },
    /// A gravitational acceleration that is NaN or infinite.
    #[error("g = {given} m/s²: the gravitational acceleration of a double pendulum is a finite number")]
    NotFinite {
        /// Value that was given.
        given: f64,
    },
}

const COORDINATES: [Coordinate; 2] = [
    Coordinate { name: "theta1", symbol: "θ₁", unit: "rad", is_angle: true },
    Coordinate { name: "theta2", symbol: "θ₂", unit: "rad", is_angle: true },
];

/// Cranmer et al. 2020, section 5, and the notebook published with it.
const TRAINING_RANGES: [Interval; 4] = [
    Interval::constant(0.0, TAU),
    Interval::constant(0.0, TAU),
    Interval::constant(-10.0, 10.0),
    Interval::constant(-10.0, 10.0),
];

/// Starts almost at rest, as in the published energy test.
const ROLLOUT_RANGES: [Interval; 4] = [
    Interval::constant(0.0, TAU),
    Interval::constant(0.0, TAU),
    Interval::constant(0.0, 0.1),
    Interval::constant(0.0, 0.1),
];

/// A double pendulum with masses m₁, m₂ (kg), rod lengths l₁, l₂ (m) and gravitational acceleration
/// g (m/s²).
///
/// q = (θ₁, θ₂) are the angles of the rods from the downward vertical, counter-clockwise, both
/// absolute (not relative to the other rod); q̇ = (ω₁, ω₂) in rad/s. With Δ = θ₁ − θ₂, L = T − V
/// and
///
/// - T = ½ (m₁+m₂) l₁² ω₁² + ½ m₂ l₂² ω₂² + m₂ l₁ l₂ ω₁ ω₂ cos Δ,
/// - V = −(m₁+m₂) g l₁ cos θ₁ − m₂ g l₂ cos θ₂, zero when both rods are horizontal.
///
/// Source: Cranmer et al., Lagrangian Neural Networks (arXiv:2003.04630), section 5.
///
/// ```
/// use lnn_physics::System;
/// use lnn_physics::systems::DoublePendulum;
///
/// let pendulum = DoublePendulum::new(1.0, 1.0, 1.0, 1.0, 9.8)?;
/// assert_eq!(pendulum.reference_energy(), 2.0 * 9.8 + 9.8);
/// // Both rods horizontal, to the same side, at rest: the bobs fall as one rigid rod would not.
/// let mut q_ddot = [0.0; 2];
/// let quarter = std::f64::consts::FRAC_PI_2;
/// pendulum.acceleration_into(&[quarter, quarter], &[0.0, 0.0], &mut q_ddot);
/// assert_eq!(q_ddot, [-9.8, 0.0]);
/// # Ok::<(), lnn_physics::systems::InvalidPendulum>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DoublePendulum {
    m1: f64,
    m2: f64,
    l1: f64,
    l2: f64,
    g: f64,
}

impl Default for DoublePendulum {
    /// The paper's pendulum: m₁ = m₂ = 1 kg, l₁ = l₂ = 1 m, g = 9.8 m/s².
    fn default() -> Self {
        Self { m1: 1.0, m2: 1.0, l1: 1.0, l2: 1.0, g: 9.8 }
    }
}

impl DoublePendulum {
    /// A pendulum of masses `m1`, `m2` in kg, rod lengths `l1`, `l2` in m and gravitational
    /// acceleration `g` in m/s².
    ///
    /// g may be zero (free rotation) or negative (gravity upwards).
    ///
    /// # Errors
    /// [`InvalidPendulum`] names the first field that is not allowed and the value given.
    pub fn new(m1: f64, m2: f64, l1: f64, l2: f64, g: f64) -> Result<Self, InvalidPendulum> {
        for (field, given, unit) in [("m1", m1, "kg"), ("m2", m2, "kg"), ("l1", l1, "m"), ("l2", l2, "m")] {
            if !(given.is_finite() && given > 0.0) {
                return Err(InvalidPendulum::NotPositive { field, given, unit });
            }
        }
        if !g.is_finite() {
            return Err(InvalidPendulum::NotFinite { given: g });
        }
        Ok(Self { m1, m2, l1, l2, g })
    }

    /// Masses (m₁, m₂) in kg.
    #[must_use]
    pub const fn masses(&self) -> [f64; 2] {
        [self.m1, self.m2]
    }

    /// Rod lengths (l₁, l₂) in m.
    #[must_use]
    pub const fn lengths(&self) -> [f64; 2] {
        [self.l1, self.l2]
    }

    /// Gravitational acceleration g in m/s².
    #[must_use]
    pub const fn gravity(&self) -> f64 {
        self.g
    }

    /// T(q, q̇), shared by the Lagrangian and the energy.
    fn kinetic<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
        let (w1, w2) = (q_dot[0], q_dot[1]);
        w1 * w1 * (0.5 * (self.m1 + self.m2) * self.l1 * self.l1)
            + w2 * w2 * (0.5 * self.m2 * self.l2 * self.l2)
            + w1 * w2 * (q[0] - q[1]).cos() * (self.m2 * self.l1 * self.l2)
    }

    /// V(q), shared by the Lagrangian and the energy.
    fn potential<S: Scalar>(&self, q: &[S]) -> S {
        -(q[0].cos() * ((self.m1 + self.m2) * self.g * self.l1) + q[1].cos() * (self.m2 * self.g * self.l2))
    }
}

impl Lagrangian for DoublePendulum {
    fn degrees_of_freedom(&self) -> usize {
        2
    }
    fn lagrangian<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
        self.kinetic(q, q_dot) - self.potential(q)
    }
}

impl System for DoublePendulum {
    fn name(&self) -> &'static str {
        "dblpend"
    }

    fn coordinates(&self) -> &[Coordinate] {
        &COORDINATES
    }

    /// The first equation of motion divided by (m₁+m₂) l₁², the second by m₂ l₂²:
    ///
    /// θ̈₁ + a₁ θ̈₂ = f₁, a₂ θ̈₁ + θ̈₂ = f₂, with μ = m₂/(m₁+m₂), a₁ = μ (l₂/l₁) cos Δ, a₂ =
    /// (l₁/l₂) cos Δ, f₁ = −μ (l₂/l₁) ω₂² sin Δ − (g/l₁) sin θ₁ and f₂ = (l₁/l₂) ω₁² sin Δ − (g/l₂)
    /// sin θ₂.
    fn acceleration_into(&self, q: &[f64], q_dot: &[f64], q_ddot: &mut [f64]) {
        let (sin, cos) = (q[0] - q[1]).sin_cos();
        let mass_ratio = self.m2 / (self.m1 + self.m2);
        let length_ratio = self.l2 / self.l1;
        let a1 = mass_ratio * length_ratio * cos;
        let a2 = cos / length_ratio;
        let f1 = -mass_ratio * length_ratio * q_dot[1] * q_dot[1] * sin - self.g / self.l1 * q[0].sin();
        let f2 = q_dot[0] * q_dot[0] * sin / length_ratio - self.g / self.l2 * q[1].sin();
        // 1 − a₁a₂ = 1 − μ cos²Δ, written without cancellation for m₁ ≪ m₂.
        let determinant = self.m1 / (self.m1 + self.m2) + mass_ratio * sin * sin;
        q_ddot[0] = (f1 - a1 * f2) / determinant;
        q_ddot[1] = (f2 - a2 * f1) / determinant;
    }

    fn kinetic_energy(&self, q: &[f64], q_dot: &[f64]) -> f64 {
        self.kinetic(q, q_dot)
    }

    fn potential_energy(&self, q: &[f64]) -> f64 {
        self.potential(q)
    }

    /// The largest potential energy, both rods upright: (m₁+m₂) |g| l₁ + m₂ |g| l₂, which is 29.4 J
    /// for the paper's pendulum.
    fn reference_energy(&self) -> f64 {
        (self.m1 + self.m2) * self.g.abs() * self.l1 + self.m2 * self.g.abs() * self.l2
    }

    fn training_ranges(&self) -> &[Interval] {
        &TRAINING_RANGES
    }

    fn rollout_ranges(&self) -> &[Interval] {
        &ROLLOUT_RANGES
    }
}
