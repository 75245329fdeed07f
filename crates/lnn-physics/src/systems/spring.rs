//! A mass on a spring: the harmonic oscillator.

use std::sync::Arc;

use lnn_autodiff::Scalar;

use crate::euler_lagrange::{Dynamics, EulerLagrangeError, dynamics};
use crate::lagrangian::Lagrangian;
use crate::sampling::Distribution;
use crate::system::{Canonical, Coordinate, ReferenceMotion, System, arguments, assert_components, components};

use super::error::SystemError;
use super::parameter::{positive, symmetric};
use super::registry::{Parameter, SystemKind};

const NAME: &str = "spring";

pub(super) static KIND: SystemKind = SystemKind {
    name: NAME,
    summary: "mass on a spring: the harmonic oscillator",
    parameters: &[
        Parameter { name: "m", default: 1.0, unit: "kg", description: "mass" },
        Parameter { name: "k", default: 1.0, unit: "N/m", description: "stiffness" },
    ],
    build: |p| Ok(Arc::new(Spring::new(p.get("m"), p.get("k"))?)),
};

const COORDINATES: [Coordinate; 1] = [Coordinate { name: "x", symbol: "x", unit: "m", is_angle: false }];

/// Largest training displacement in m.
const REACH: f64 = 1.0;

/// A mass m (kg) on a spring of stiffness k (N/m); q = x, the displacement in m.
///
/// L = ½ m ẋ² − ½ k x², ẍ = −(k/m) x, p = m ẋ, E = ½ m ẋ² + ½ k x². With ω = √(k/m),
/// x(t) = x₀ cos ωt + (ẋ₀/ω) sin ωt.
///
/// Training: x on [−1, 1) m, ẋ on [−ω, ω)·1 m. Rollouts start in the inner half of both, and so never
/// leave the training ranges.
///
/// ```
/// use lnn_physics::System;
/// use lnn_physics::systems::Spring;
///
/// let mut q_ddot = [0.0];
/// Spring::new(2.0, 8.0)?.acceleration_into(&[0.5], &[3.0], &[], &mut q_ddot);
/// assert_eq!(q_ddot, [-2.0]);
/// # Ok::<(), lnn_physics::systems::SystemError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spring {
    m: f64,
    k: f64,
    training: [Distribution; 2],
    rollout: [Distribution; 2],
}

impl Spring {
    /// A mass `m` in kg on a spring of stiffness `k` in N/m.
    ///
    /// # Errors
    /// [`SystemError`] names the first parameter that is not allowed and the value given.
    pub fn new(m: f64, k: f64) -> Result<Self, SystemError> {
        positive(NAME, "m", m, "kg")?;
        positive(NAME, "k", k, "N/m")?;
        let speed = REACH * (k / m).sqrt();
        Ok(Self {
            m,
            k,
            training: [symmetric(NAME, REACH)?, symmetric(NAME, speed)?],
            rollout: [symmetric(NAME, 0.5 * REACH)?, symmetric(NAME, 0.5 * speed)?],
        })
    }

    fn kinetic<S: Scalar>(&self, v: S) -> S {
        v * v * (0.5 * self.m)
    }

    fn potential<S: Scalar>(&self, x: S) -> S {
        x * x * (0.5 * self.k)
    }
}

impl Lagrangian for Spring {
    fn degrees_of_freedom(&self) -> usize {
        1
    }
    fn lagrangian<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
        self.kinetic(q_dot[0]) - self.potential(q[0])
    }
}

impl System for Spring {
    fn name(&self) -> &'static str {
        NAME
    }

    fn coordinates(&self) -> &[Coordinate] {
        &COORDINATES
    }

    fn acceleration_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], q_ddot: &mut [f64]) {
        let ([x], [_], []) = arguments(q, q_dot, conditionals);
        assert_components("q_ddot", q_ddot, 1);
        q_ddot[0] = -(self.k / self.m) * x;
    }

    fn kinetic_energy(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64]) -> f64 {
        let ([_], [v], []) = arguments(q, q_dot, conditionals);
        self.kinetic(v)
    }

    fn potential_energy(&self, q: &[f64], conditionals: &[f64]) -> f64 {
        let ([x], []) = (components("q", q), components("conditionals", conditionals));
        self.potential(x)
    }

    fn dynamics(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64]) -> Result<Dynamics, EulerLagrangeError> {
        let [] = components("conditionals", conditionals);
        dynamics(self, q, q_dot)
    }

    /// The potential energy at the largest training displacement: ½ k (1 m)².
    fn reference_energy(&self) -> f64 {
        self.potential(REACH)
    }

    fn training_distribution(&self) -> &[Distribution] {
        &self.training
    }

    fn rollout_distribution(&self) -> &[Distribution] {
        &self.rollout
    }

    /// From 0.6 m with ω·0.5 m outwards, for 4/ω.
    fn reference_motion(&self) -> ReferenceMotion {
        let rate = (self.k / self.m).sqrt();
        let (x, v, phase) = (0.6, 0.5, 4.0_f64);
        let (sin, cos) = phase.sin_cos();
        ReferenceMotion {
            start: vec![x, rate * v],
            conditionals: Vec::new(),
            duration: phase / rate,
            end: Some(vec![x * cos + v * sin, rate * (v * cos - x * sin)]),
        }
    }

    fn canonical(&self) -> Option<&dyn Canonical> {
        Some(self)
    }
}

impl Canonical for Spring {
    /// p = m ẋ.
    fn momentum_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], p: &mut [f64]) {
        let ([_], [v], []) = arguments(q, q_dot, conditionals);
        assert_components("p", p, 1);
        p[0] = self.m * v;
    }

    /// ẋ = p/m.
    fn velocity_into(&self, q: &[f64], p: &[f64], conditionals: &[f64], q_dot: &mut [f64]) {
        let ([_], [p], []) = arguments(q, p, conditionals);
        assert_components("q_dot", q_dot, 1);
        q_dot[0] = p / self.m;
    }

    /// ṗ = −k x.
    fn momentum_rate_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], p_dot: &mut [f64]) {
        let ([x], [_], []) = arguments(q, q_dot, conditionals);
        assert_components("p_dot", p_dot, 1);
        p_dot[0] = -self.k * x;
    }
}
