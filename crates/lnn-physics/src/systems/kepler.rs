//! The two-body problem in relative polar coordinates.

use std::f64::consts::TAU;
use std::sync::Arc;

use lnn_autodiff::Scalar;

use crate::euler_lagrange::{Dynamics, EulerLagrangeError, dynamics};
use crate::lagrangian::Lagrangian;
use crate::sampling::Distribution;
use crate::system::{Canonical, Coordinate, ReferenceMotion, System, arguments, assert_components, components};

use super::error::SystemError;
use super::parameter::{positive, symmetric, uniform};
use super::registry::{Parameter, SystemKind};

const NAME: &str = "kepler";
const MASS: &str = "m₀";
const COUPLING: &str = "a³/(m₀t₀²)";

pub(super) static KIND: SystemKind = SystemKind {
    name: NAME,
    summary: "Kepler's two-body problem in relative polar coordinates",
    parameters: &[
        Parameter { name: "m1", default: 1.0, unit: MASS, description: "first mass" },
        Parameter { name: "m2", default: 1.0, unit: MASS, description: "second mass" },
        Parameter { name: "G", default: 1.0, unit: COUPLING, description: "gravitational constant" },
    ],
    build: |p| Ok(Arc::new(Kepler::new(p.get("m1"), p.get("m2"), p.get("G"))?)),
};

const COORDINATES: [Coordinate; 2] = [
    Coordinate { name: "r", symbol: "r", unit: "a", is_angle: false },
    Coordinate { name: "phi", symbol: "φ", unit: "rad", is_angle: true },
];

/// Two bodies of masses m₁, m₂ that attract each other by Newton's law with the constant G, in the
/// frame of their centre of mass and the plane of their motion.
///
/// q = (r, φ): distance, r > 0, and direction from the first body to the second. The reduced mass
/// is μ = m₁ m₂/(m₁ + m₂), and M = m₁ + m₂, so that G m₁ m₂ = G M μ:
///
/// - L = ½ μ (ṙ² + r² φ̇²) + G m₁ m₂/r,
/// - r̈ = r φ̇² − G M/r², φ̈ = −2 ṙ φ̇/r,
/// - p = (μ ṙ, μ r² φ̇), E = ½ μ (ṙ² + r² φ̇²) − G m₁ m₂/r.
///
/// Units: length a, mass m₀, time t₀, any of them. With Ω = √(G M/a³), the rate of the circular orbit of
/// radius a, training states are r on [0.35, 2.5) a, φ on the whole circle, ṙ on ±a Ω, φ̇ on ±5 Ω: away from
/// the collision at r = 0. Rollouts start near that circle, r within 0.05 a of it, |ṙ| < 0.1 a Ω, φ̇ on
/// [0.85, 1.05) Ω; all of them are bound and stay inside the training ranges.
///
/// Source: Landau and Lifshitz, Mechanics, sections 13 to 15.
///
/// ```
/// use lnn_physics::System;
/// use lnn_physics::systems::Kepler;
///
/// // G M = 4: a circle of radius 1 is run through at φ̇ = 2.
/// let mut q_ddot = [0.0; 2];
/// Kepler::new(3.0, 1.0, 1.0)?.acceleration_into(&[1.0, 0.0], &[0.0, 2.0], &[], &mut q_ddot);
/// assert_eq!(q_ddot, [0.0, 0.0]);
/// # Ok::<(), lnn_physics::systems::SystemError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kepler {
    /// μ.
    reduced: f64,
    /// G M.
    attraction: f64,
    training: [Distribution; 4],
    rollout: [Distribution; 4],
}

impl Kepler {
    /// Masses `m1`, `m2` in m₀ and gravitational constant `g` in a³/(m₀ t₀²).
    ///
    /// # Errors
    /// [`SystemError`] names the first parameter that is not allowed and the value given.
    pub fn new(m1: f64, m2: f64, g: f64) -> Result<Self, SystemError> {
        positive(NAME, "m1", m1, MASS)?;
        positive(NAME, "m2", m2, MASS)?;
        positive(NAME, "G", g, COUPLING)?;
        let attraction = g * (m1 + m2);
        let rate = attraction.sqrt();
        Ok(Self {
            reduced: m1 * (m2 / (m1 + m2)),
            attraction,
            training: [
                uniform(NAME, 0.35, 2.5)?,
                uniform(NAME, 0.0, TAU)?,
                symmetric(NAME, rate)?,
                symmetric(NAME, 5.0 * rate)?,
            ],
            rollout: [
                uniform(NAME, 0.95, 1.05)?,
                uniform(NAME, 0.0, TAU)?,
                symmetric(NAME, 0.1 * rate)?,
                uniform(NAME, 0.85 * rate, 1.05 * rate)?,
            ],
        })
    }

    /// Reduced mass μ = m₁ m₂/(m₁ + m₂) in m₀.
    #[must_use]
    pub const fn reduced_mass(&self) -> f64 {
        self.reduced
    }

    fn kinetic<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
        (q_dot[0].square() + (q[0] * q_dot[1]).square()) * (0.5 * self.reduced)
    }

    fn potential<S: Scalar>(&self, q: &[S]) -> S {
        -(q[0].recip() * (self.attraction * self.reduced))
    }
}

impl Lagrangian for Kepler {
    fn degrees_of_freedom(&self) -> usize {
        2
    }
    fn lagrangian<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
        self.kinetic(q, q_dot) - self.potential(q)
    }
}

impl System for Kepler {
    fn name(&self) -> &'static str {
        NAME
    }

    fn coordinates(&self) -> &[Coordinate] {
        &COORDINATES
    }

    /// NaN unless r > 0.
    fn acceleration_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], q_ddot: &mut [f64]) {
        let ([r, _], [r_dot, w], []) = arguments(q, q_dot, conditionals);
        assert_components("q_ddot", q_ddot, 2);
        let r = if r > 0.0 { r } else { f64::NAN };
        q_ddot[0] = r * w * w - self.attraction / (r * r);
        q_ddot[1] = -2.0 * r_dot * w / r;
    }

    fn kinetic_energy(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64]) -> f64 {
        let (q, q_dot, []) = arguments::<2, 0>(q, q_dot, conditionals);
        self.kinetic::<f64>(&q, &q_dot)
    }

    fn potential_energy(&self, q: &[f64], conditionals: &[f64]) -> f64 {
        let (q, []) = (components::<2>("q", q), components("conditionals", conditionals));
        self.potential::<f64>(&q)
    }

    fn dynamics(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64]) -> Result<Dynamics, EulerLagrangeError> {
        let [] = components("conditionals", conditionals);
        dynamics(self, q, q_dot)
    }

    /// The depth of the potential at the unit of length, G m₁ m₂/a.
    fn reference_energy(&self) -> f64 {
        self.attraction * self.reduced
    }

    fn training_distribution(&self) -> &[Distribution] {
        &self.training
    }

    fn rollout_distribution(&self) -> &[Distribution] {
        &self.rollout
    }

    /// The ellipse of half-axis a and eccentricity 0.3, from the near end to the eccentric anomaly 4:
    /// Ω t = 4 − 0.3 sin 4 (Kepler's equation).
    fn reference_motion(&self) -> ReferenceMotion {
        let (e, anomaly) = (0.3_f64, 4.0_f64);
        let rate = self.attraction.sqrt();
        let area = rate * (1.0 - e * e).sqrt(); // r² φ̇
        let near = 1.0 - e;
        let (sin, cos) = anomaly.sin_cos();
        let (half_sin, half_cos) = (0.5 * anomaly).sin_cos();
        let r = 1.0 - e * cos;
        let phi = 2.0 * ((1.0 + e).sqrt() * half_sin).atan2((1.0 - e).sqrt() * half_cos);
        ReferenceMotion {
            start: vec![near, 0.0, 0.0, area / (near * near)],
            conditionals: Vec::new(),
            duration: (anomaly - e * sin) / rate,
            end: Some(vec![r, phi, e * sin * rate / r, area / (r * r)]),
        }
    }

    fn canonical(&self) -> Option<&dyn Canonical> {
        Some(self)
    }

    fn energy_unit(&self) -> &'static str {
        "m₀a²/t₀²"
    }

    fn time_unit(&self) -> &'static str {
        "t₀"
    }
}

impl Canonical for Kepler {
    /// p = (μ ṙ, μ r² φ̇).
    fn momentum_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], p: &mut [f64]) {
        let ([r, _], [r_dot, w], []) = arguments(q, q_dot, conditionals);
        assert_components("p", p, 2);
        p[0] = self.reduced * r_dot;
        p[1] = self.reduced * r * r * w;
    }

    /// q̇ = (p₁/μ, p₂/(μ r²)).
    fn velocity_into(&self, q: &[f64], p: &[f64], conditionals: &[f64], q_dot: &mut [f64]) {
        let ([r, _], [p1, p2], []) = arguments(q, p, conditionals);
        assert_components("q_dot", q_dot, 2);
        q_dot[0] = p1 / self.reduced;
        q_dot[1] = p2 / (self.reduced * r * r);
    }

    /// ṗ = (μ r φ̇² − G m₁ m₂/r², 0): the angular momentum p₂ is conserved.
    fn momentum_rate_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], p_dot: &mut [f64]) {
        let ([r, _], [_, w], []) = arguments(q, q_dot, conditionals);
        assert_components("p_dot", p_dot, 2);
        p_dot[0] = self.reduced * (r * w * w - self.attraction / (r * r));
        p_dot[1] = 0.0;
    }
}
