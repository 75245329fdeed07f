//! The planar double pendulum: two point masses on two massless rods.

use std::f64::consts::TAU;
use std::sync::Arc;

use lnn_autodiff::Scalar;

use crate::euler_lagrange::{Dynamics, EulerLagrangeError, dynamics};
use crate::lagrangian::Lagrangian;
use crate::sampling::{Distribution, Interval};
use crate::system::{Canonical, Coordinate, ReferenceMotion, System, arguments, assert_components, components};

use super::error::SystemError;
use super::parameter::{finite, positive};
use super::registry::{Parameter, SystemKind};

const NAME: &str = "dblpend";

pub(super) static KIND: SystemKind = SystemKind {
    name: NAME,
    summary: "planar double pendulum: two point masses on massless rods (the paper's first experiment)",
    parameters: &[
        Parameter { name: "m1", default: 1.0, unit: "kg", description: "upper mass" },
        Parameter { name: "m2", default: 1.0, unit: "kg", description: "lower mass" },
        Parameter { name: "l1", default: 1.0, unit: "m", description: "length of the upper rod" },
        Parameter { name: "l2", default: 1.0, unit: "m", description: "length of the lower rod" },
        Parameter { name: "g", default: 9.8, unit: "m/s²", description: "gravitational acceleration, downwards" },
    ],
    build: |p| {
        let pendulum = DoublePendulum::new(p.get("m1"), p.get("m2"), p.get("l1"), p.get("l2"), p.get("g"))?;
        Ok(Arc::new(pendulum))
    },
};

const COORDINATES: [Coordinate; 2] = [
    Coordinate { name: "theta1", symbol: "θ₁", unit: "rad", is_angle: true },
    Coordinate { name: "theta2", symbol: "θ₂", unit: "rad", is_angle: true },
];

/// Cranmer et al. 2020, section 5, and the notebook published with it.
const TRAINING: [Distribution; 4] = [ANGLE, ANGLE, RATE, RATE];
const ANGLE: Distribution = Distribution::Uniform(Interval::constant(0.0, TAU));
const RATE: Distribution = Distribution::Uniform(Interval::constant(-10.0, 10.0));

/// Starts almost at rest, as in the published energy test.
const ROLLOUT: [Distribution; 4] = [ANGLE, ANGLE, SLOW, SLOW];
const SLOW: Distribution = Distribution::Uniform(Interval::constant(0.0, 0.1));

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
/// pendulum.acceleration_into(&[quarter, quarter], &[0.0, 0.0], &[], &mut q_ddot);
/// assert_eq!(q_ddot, [-9.8, 0.0]);
/// # Ok::<(), lnn_physics::systems::SystemError>(())
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
    /// [`SystemError`] names the first parameter that is not allowed and the value given.
    pub fn new(m1: f64, m2: f64, l1: f64, l2: f64, g: f64) -> Result<Self, SystemError> {
        Ok(Self {
            m1: positive(NAME, "m1", m1, "kg")?,
            m2: positive(NAME, "m2", m2, "kg")?,
            l1: positive(NAME, "l1", l1, "m")?,
            l2: positive(NAME, "l2", l2, "m")?,
            g: finite(NAME, "g", g, "m/s²")?,
        })
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

    /// (a₁, a₂, 1 − a₁a₂) of the mass matrix divided by (m₁+m₂) l₁² and m₂ l₂² in its rows,
    /// [[1, a₁], [a₂, 1]], for the sine and cosine of Δ.
    fn coupling(&self, sin: f64, cos: f64) -> (f64, f64, f64) {
        let mass_ratio = self.m2 / (self.m1 + self.m2);
        let length_ratio = self.l2 / self.l1;
        // 1 − a₁a₂ = 1 − μ cos²Δ, written without cancellation for m₁ ≪ m₂.
        let determinant = self.m1 / (self.m1 + self.m2) + mass_ratio * sin * sin;
        (mass_ratio * length_ratio * cos, cos / length_ratio, determinant)
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
        NAME
    }

    fn coordinates(&self) -> &[Coordinate] {
        &COORDINATES
    }

    /// The first equation of motion divided by (m₁+m₂) l₁², the second by m₂ l₂²:
    ///
    /// θ̈₁ + a₁ θ̈₂ = f₁, a₂ θ̈₁ + θ̈₂ = f₂, with μ = m₂/(m₁+m₂), a₁ = μ (l₂/l₁) cos Δ, a₂ =
    /// (l₁/l₂) cos Δ, f₁ = −μ (l₂/l₁) ω₂² sin Δ − (g/l₁) sin θ₁ and f₂ = (l₁/l₂) ω₁² sin Δ − (g/l₂)
    /// sin θ₂.
    fn acceleration_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], q_ddot: &mut [f64]) {
        let ([t1, t2], [w1, w2], []) = arguments(q, q_dot, conditionals);
        assert_components("q_ddot", q_ddot, 2);
        let (sin, cos) = (t1 - t2).sin_cos();
        let mass_ratio = self.m2 / (self.m1 + self.m2);
        let length_ratio = self.l2 / self.l1;
        let (a1, a2, determinant) = self.coupling(sin, cos);
        let f1 = -mass_ratio * length_ratio * w2 * w2 * sin - self.g / self.l1 * t1.sin();
        let f2 = w1 * w1 * sin / length_ratio - self.g / self.l2 * t2.sin();
        q_ddot[0] = (f1 - a1 * f2) / determinant;
        q_ddot[1] = (f2 - a2 * f1) / determinant;
    }

    fn kinetic_energy(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64]) -> f64 {
        let (q, q_dot, []) = arguments::<2, 0>(q, q_dot, conditionals);
        self.kinetic::<f64>(&q, &q_dot)
    }

    fn potential_energy(&self, q: &[f64], conditionals: &[f64]) -> f64 {
        let [] = components("conditionals", conditionals);
        self.potential::<f64>(&components::<2>("q", q))
    }

    fn dynamics(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64]) -> Result<Dynamics, EulerLagrangeError> {
        let [] = components("conditionals", conditionals);
        dynamics(self, q, q_dot)
    }

    /// The largest potential energy, both rods upright: (m₁+m₂) |g| l₁ + m₂ |g| l₂, which is 29.4 J
    /// for the paper's pendulum.
    fn reference_energy(&self) -> f64 {
        (self.m1 + self.m2) * self.g.abs() * self.l1 + self.m2 * self.g.abs() * self.l2
    }

    fn training_distribution(&self) -> &[Distribution] {
        &TRAINING
    }

    fn rollout_distribution(&self) -> &[Distribution] {
        &ROLLOUT
    }

    /// Both rods released from rest at 1.2 and 0.5 rad, or turning as one without gravity; see
    /// [`Pendulum`](super::Pendulum).
    fn reference_motion(&self) -> ReferenceMotion {
        super::pendulum::reference_motion(&self.lengths(), self.g)
    }

    fn canonical(&self) -> Option<&dyn Canonical> {
        Some(self)
    }
}

impl Canonical for DoublePendulum {
    /// p₁ = (m₁+m₂) l₁² ω₁ + m₂ l₁ l₂ cos Δ ω₂, p₂ = m₂ l₂² ω₂ + m₂ l₁ l₂ cos Δ ω₁.
    fn momentum_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], p: &mut [f64]) {
        let ([t1, t2], [w1, w2], []) = arguments(q, q_dot, conditionals);
        assert_components("p", p, 2);
        let coupled = self.m2 * self.l1 * self.l2 * (t1 - t2).cos();
        p[0] = (self.m1 + self.m2) * self.l1 * self.l1 * w1 + coupled * w2;
        p[1] = self.m2 * self.l2 * self.l2 * w2 + coupled * w1;
    }

    /// ω₁ + a₁ ω₂ = p₁/((m₁+m₂) l₁²), a₂ ω₁ + ω₂ = p₂/(m₂ l₂²), solved as for the acceleration.
    fn velocity_into(&self, q: &[f64], p: &[f64], conditionals: &[f64], q_dot: &mut [f64]) {
        let ([t1, t2], [p1, p2], []) =
            (components("q", q), components("p", p), components("conditionals", conditionals));
        assert_components("q_dot", q_dot, 2);
        let (sin, cos) = (t1 - t2).sin_cos();
        let (a1, a2, determinant) = self.coupling(sin, cos);
        let f1 = p1 / ((self.m1 + self.m2) * self.l1 * self.l1);
        let f2 = p2 / (self.m2 * self.l2 * self.l2);
        q_dot[0] = (f1 - a1 * f2) / determinant;
        q_dot[1] = (f2 - a2 * f1) / determinant;
    }

    /// ṗ₁ = −m₂ l₁ l₂ ω₁ ω₂ sin Δ − (m₁+m₂) g l₁ sin θ₁, ṗ₂ = m₂ l₁ l₂ ω₁ ω₂ sin Δ − m₂ g l₂ sin θ₂.
    fn momentum_rate_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], p_dot: &mut [f64]) {
        let ([t1, t2], [w1, w2], []) = arguments(q, q_dot, conditionals);
        assert_components("p_dot", p_dot, 2);
        let coupled = self.m2 * self.l1 * self.l2 * w1 * w2 * (t1 - t2).sin();
        p_dot[0] = -coupled - (self.m1 + self.m2) * self.g * self.l1 * t1.sin();
        p_dot[1] = coupled - self.m2 * self.g * self.l2 * t2.sin();
    }
}
