//! A bob on a spring that swings in a plane.

use std::f64::consts::TAU;
use std::sync::Arc;

use lnn_autodiff::Scalar;

use crate::euler_lagrange::{Dynamics, EulerLagrangeError, dynamics};
use crate::lagrangian::Lagrangian;
use crate::sampling::Distribution;
use crate::system::{Canonical, Coordinate, ReferenceMotion, System, arguments, assert_components, components};

use super::error::SystemError;
use super::parameter::{non_negative, positive, symmetric, uniform};
use super::registry::{Parameter, SystemKind};

const NAME: &str = "spring-pendulum";

pub(super) static KIND: SystemKind = SystemKind {
    name: NAME,
    summary: "bob on a spring that swings in a plane, in polar coordinates",
    parameters: &[
        Parameter { name: "m", default: 1.0, unit: "kg", description: "mass of the bob" },
        Parameter { name: "k", default: 40.0, unit: "N/m", description: "stiffness of the spring" },
        Parameter { name: "l", default: 1.0, unit: "m", description: "length of the relaxed spring" },
        Parameter { name: "g", default: 9.8, unit: "m/s²", description: "gravitational acceleration, downwards" },
    ],
    build: |p| Ok(Arc::new(SpringPendulum::new(p.get("m"), p.get("k"), p.get("l"), p.get("g"))?)),
};

const COORDINATES: [Coordinate; 2] = [
    Coordinate { name: "r", symbol: "r", unit: "m", is_angle: false },
    Coordinate { name: "theta", symbol: "θ", unit: "rad", is_angle: true },
];

/// A bob of mass m (kg) on a spring of stiffness k (N/m) and relaxed length l (m), hung from a
/// fixed point under the gravitational acceleration g (m/s²), in a plane.
///
/// q = (r, θ): the length of the spring in m, r > 0, and its angle from the downward vertical.
///
/// - L = ½ m (ṙ² + r² θ̇²) + m g r cos θ − ½ k (r − l)²,
/// - r̈ = r θ̇² + g cos θ − (k/m)(r − l), θ̈ = −(2 ṙ θ̇ + g sin θ)/r,
/// - p = (m ṙ, m r² θ̇), E = ½ m (ṙ² + r² θ̇²) − m g r cos θ + ½ k (r − l)².
///
/// With r₀ = l + m g/k, the length at rest, and Ω = √(k/m), training states are r on [0.35, 1.8) r₀,
/// θ on the whole circle, ṙ on ±⅔ Ω l, θ̇ on ±Ω. Rollouts start within a tenth of r₀, at |θ| < 1, with
/// rates below a tenth of the training ones; with the default parameters they stay inside the
/// training ranges.
///
/// Source: Lynch, Resonant motions of the three-dimensional elastic pendulum, Int. J. Non-Linear
/// Mechanics 37 (2002), here in a plane.
///
/// ```
/// use lnn_physics::System;
/// use lnn_physics::systems::SpringPendulum;
///
/// let mut q_ddot = [0.0; 2];
/// let pendulum = SpringPendulum::new(1.0, 10.0, 1.0, 5.0)?;
/// // Hanging at rest, the spring carries the weight.
/// pendulum.acceleration_into(&[1.5, 0.0], &[0.0, 0.0], &[], &mut q_ddot);
/// assert_eq!(q_ddot, [0.0, 0.0]);
/// # Ok::<(), lnn_physics::systems::SystemError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpringPendulum {
    m: f64,
    k: f64,
    l: f64,
    g: f64,
    training: [Distribution; 4],
    rollout: [Distribution; 4],
}

impl SpringPendulum {
    /// A bob of mass `m` in kg on a spring of stiffness `k` in N/m and relaxed length `l` in m, under the
    /// gravitational acceleration `g` in m/s², which may be zero.
    ///
    /// # Errors
    /// [`SystemError`] names the first parameter that is not allowed and the value given.
    pub fn new(m: f64, k: f64, l: f64, g: f64) -> Result<Self, SystemError> {
        positive(NAME, "m", m, "kg")?;
        positive(NAME, "k", k, "N/m")?;
        positive(NAME, "l", l, "m")?;
        non_negative(NAME, "g", g, "m/s²")?;
        let rest = l + m * g / k;
        let rate = (k / m).sqrt();
        let speed = 2.0 / 3.0 * rate * l;
        Ok(Self {
            m,
            k,
            l,
            g,
            training: [
                uniform(NAME, 0.35 * rest, 1.8 * rest)?,
                uniform(NAME, 0.0, TAU)?,
                symmetric(NAME, speed)?,
                symmetric(NAME, rate)?,
            ],
            rollout: [
                uniform(NAME, 0.9 * rest, 1.1 * rest)?,
                symmetric(NAME, 1.0)?,
                symmetric(NAME, 0.1 * speed)?,
                symmetric(NAME, 0.1 * rate)?,
            ],
        })
    }

    fn kinetic<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
        (q_dot[0].square() + (q[0] * q_dot[1]).square()) * (0.5 * self.m)
    }

    fn potential<S: Scalar>(&self, q: &[S]) -> S {
        (q[0] - self.l).square() * (0.5 * self.k) - q[0] * q[1].cos() * (self.m * self.g)
    }
}

impl Lagrangian for SpringPendulum {
    fn degrees_of_freedom(&self) -> usize {
        2
    }
    fn lagrangian<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
        self.kinetic(q, q_dot) - self.potential(q)
    }
}

impl System for SpringPendulum {
    fn name(&self) -> &'static str {
        NAME
    }

    fn coordinates(&self) -> &[Coordinate] {
        &COORDINATES
    }

    /// NaN unless r > 0.
    fn acceleration_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], q_ddot: &mut [f64]) {
        let ([r, theta], [r_dot, w], []) = arguments(q, q_dot, conditionals);
        assert_components("q_ddot", q_ddot, 2);
        let r = if r > 0.0 { r } else { f64::NAN };
        let (sin, cos) = theta.sin_cos();
        q_ddot[0] = r * w * w + self.g * cos - self.k / self.m * (r - self.l);
        q_ddot[1] = -(2.0 * r_dot * w + self.g * sin) / r;
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

    /// What it takes to lift the bob by l and stretch the spring by l: m g l + ½ k l².
    fn reference_energy(&self) -> f64 {
        self.m * self.g * self.l + 0.5 * self.k * self.l * self.l
    }

    fn training_distribution(&self) -> &[Distribution] {
        &self.training
    }

    fn rollout_distribution(&self) -> &[Distribution] {
        &self.rollout
    }

    /// Vertical oscillation, the motion with a closed form: from 0.3 l below rest, for 4/Ω.
    fn reference_motion(&self) -> ReferenceMotion {
        let rest = self.l + self.m * self.g / self.k;
        let rate = (self.k / self.m).sqrt();
        let (amplitude, phase) = (0.3 * self.l, 4.0_f64);
        let (sin, cos) = phase.sin_cos();
        ReferenceMotion {
            start: vec![rest + amplitude, 0.0, 0.0, 0.0],
            conditionals: Vec::new(),
            duration: phase / rate,
            end: Some(vec![rest + amplitude * cos, 0.0, -amplitude * rate * sin, 0.0]),
        }
    }

    fn canonical(&self) -> Option<&dyn Canonical> {
        Some(self)
    }
}

impl Canonical for SpringPendulum {
    /// p = (m ṙ, m r² θ̇).
    fn momentum_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], p: &mut [f64]) {
        let ([r, _], [r_dot, w], []) = arguments(q, q_dot, conditionals);
        assert_components("p", p, 2);
        p[0] = self.m * r_dot;
        p[1] = self.m * r * r * w;
    }

    /// q̇ = (p₁/m, p₂/(m r²)).
    fn velocity_into(&self, q: &[f64], p: &[f64], conditionals: &[f64], q_dot: &mut [f64]) {
        let ([r, _], [p1, p2], []) = arguments(q, p, conditionals);
        assert_components("q_dot", q_dot, 2);
        q_dot[0] = p1 / self.m;
        q_dot[1] = p2 / (self.m * r * r);
    }

    /// ṗ = (m r θ̇² + m g cos θ − k (r − l), −m g r sin θ).
    fn momentum_rate_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], p_dot: &mut [f64]) {
        let ([r, theta], [_, w], []) = arguments(q, q_dot, conditionals);
        assert_components("p_dot", p_dot, 2);
        let (sin, cos) = theta.sin_cos();
        p_dot[0] = self.m * r * w * w + self.m * self.g * cos - self.k * (r - self.l);
        p_dot[1] = -self.m * self.g * r * sin;
    }
}
