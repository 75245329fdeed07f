//! The Hénon–Heiles system: two oscillators with a cubic coupling, regular and chaotic motion.

use std::sync::Arc;

use lnn_autodiff::Scalar;

use crate::euler_lagrange::{Dynamics, EulerLagrangeError, dynamics};
use crate::lagrangian::Lagrangian;
use crate::sampling::Distribution;
use crate::system::{Canonical, Coordinate, ReferenceMotion, System, arguments, assert_components, components};

use super::error::SystemError;
use super::parameter::{positive, symmetric};
use super::registry::{Parameter, SystemKind};

const NAME: &str = "henon-heiles";

pub(super) static KIND: SystemKind = SystemKind {
    name: NAME,
    summary: "Hénon–Heiles: two oscillators with a cubic coupling, regular and chaotic motion",
    parameters: &[Parameter { name: "lambda", default: 1.0, unit: "1/x₀", description: "strength of the coupling" }],
    build: |p| Ok(Arc::new(HenonHeiles::new(p.get("lambda"))?)),
};

const COORDINATES: [Coordinate; 2] = [
    Coordinate { name: "x", symbol: "x", unit: "x₀", is_angle: false },
    Coordinate { name: "y", symbol: "y", unit: "x₀", is_angle: false },
];

/// A particle of unit mass in a plane, in the potential of Hénon and Heiles with coupling λ.
///
/// q = (x, y) in units x₀, time in units t₀ of the oscillators' frequency 1/t₀:
///
/// - L = ½ (ẋ² + ẏ²) − V, V = ½ (x² + y²) + λ (x² y − y³/3),
/// - ẍ = −x − 2λ x y, ÿ = −y − λ (x² − y²), p = q̇, E = ½ (ẋ² + ẏ²) + V.
///
/// Motion is bound below the escape energy 1/(6 λ²), inside the triangle with corners (0, 1/λ),
/// (±√3/(2λ), −1/(2λ)), the saddles of V.
///
/// Training: x, y on [−1, 1)/λ, ẋ, ẏ on [−0.7, 0.7)/λ. Rollouts start in a quarter of the former and
/// |ẋ|, |ẏ| < 0.25/λ, at energies up to 0.136/λ²: always bound, and in the training ranges, since speeds
/// then stay below √(2·0.136)/λ = 0.53/λ.
///
/// Source: Hénon and Heiles, The applicability of the third integral of motion, Astronomical
/// Journal 69 (1964), 73, equation 11.
///
/// ```
/// use lnn_physics::System;
/// use lnn_physics::systems::HenonHeiles;
///
/// let system = HenonHeiles::new(1.0)?;
/// assert_eq!(system.potential_energy(&[0.0, 1.0], &[]), 0.5 - 1.0 / 3.0);
/// # Ok::<(), lnn_physics::systems::SystemError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HenonHeiles {
    lambda: f64,
    training: [Distribution; 4],
    rollout: [Distribution; 4],
}

impl HenonHeiles {
    /// The system with coupling `lambda` in 1/x₀.
    ///
    /// # Errors
    /// [`SystemError`] when the coupling is not a positive finite number.
    pub fn new(lambda: f64) -> Result<Self, SystemError> {
        positive(NAME, "lambda", lambda, "1/x₀")?;
        let wide = symmetric(NAME, 1.0 / lambda)?;
        let fast = symmetric(NAME, 0.7 / lambda)?;
        let start = symmetric(NAME, 0.25 / lambda)?;
        Ok(Self { lambda, training: [wide, wide, fast, fast], rollout: [start; 4] })
    }

    fn kinetic<S: Scalar>(q_dot: &[S]) -> S {
        (q_dot[0].square() + q_dot[1].square()) * 0.5
    }

    fn potential<S: Scalar>(&self, q: &[S]) -> S {
        let (x2, y2) = (q[0].square(), q[1].square());
        (x2 + y2) * 0.5 + (x2 - y2 / 3.0) * q[1] * self.lambda
    }

    /// −∂V/∂q.
    fn force(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        [-x - 2.0 * self.lambda * x * y, -y - self.lambda * (x * x - y * y)]
    }
}

impl Lagrangian for HenonHeiles {
    fn degrees_of_freedom(&self) -> usize {
        2
    }
    fn lagrangian<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
        Self::kinetic(q_dot) - self.potential(q)
    }
}

impl System for HenonHeiles {
    fn name(&self) -> &'static str {
        NAME
    }

    fn coordinates(&self) -> &[Coordinate] {
        &COORDINATES
    }

    fn acceleration_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], q_ddot: &mut [f64]) {
        let (q, _, []) = arguments::<2, 0>(q, q_dot, conditionals);
        assert_components("q_ddot", q_ddot, 2);
        q_ddot.copy_from_slice(&self.force(q));
    }

    fn kinetic_energy(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64]) -> f64 {
        let (_, q_dot, []) = arguments::<2, 0>(q, q_dot, conditionals);
        Self::kinetic::<f64>(&q_dot)
    }

    fn potential_energy(&self, q: &[f64], conditionals: &[f64]) -> f64 {
        let (q, []) = (components::<2>("q", q), components("conditionals", conditionals));
        self.potential::<f64>(&q)
    }

    fn dynamics(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64]) -> Result<Dynamics, EulerLagrangeError> {
        let [] = components("conditionals", conditionals);
        dynamics(self, q, q_dot)
    }

    /// The escape energy 1/(6 λ²).
    fn reference_energy(&self) -> f64 {
        1.0 / (6.0 * self.lambda * self.lambda)
    }

    fn training_distribution(&self) -> &[Distribution] {
        &self.training
    }

    fn rollout_distribution(&self) -> &[Distribution] {
        &self.rollout
    }

    /// At the escape energy along the line through the origin and the saddle (√3, −1)/(2λ): the
    /// distance along it is (3/2 tanh²(t/2) − 1/2)/λ, from rest at t = 0, for t = 3.
    fn reference_motion(&self) -> ReferenceMotion {
        let duration = 3.0_f64;
        let direction = [0.5 * 3.0_f64.sqrt() / self.lambda, -0.5 / self.lambda];
        let along = |t: f64| {
            let tanh = (0.5 * t).tanh();
            [1.5 * tanh * tanh - 0.5, 1.5 * tanh * (1.0 - tanh * tanh)]
        };
        let state = |t: f64| along(t).iter().flat_map(|s| direction.map(|e| s * e)).collect();
        ReferenceMotion { start: state(0.0), conditionals: Vec::new(), duration, end: Some(state(duration)) }
    }

    fn canonical(&self) -> Option<&dyn Canonical> {
        Some(self)
    }

    fn energy_unit(&self) -> &'static str {
        "x₀²/t₀²"
    }

    fn time_unit(&self) -> &'static str {
        "t₀"
    }
}

impl Canonical for HenonHeiles {
    /// p = q̇.
    fn momentum_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], p: &mut [f64]) {
        let (_, q_dot, []) = arguments::<2, 0>(q, q_dot, conditionals);
        assert_components("p", p, 2);
        p.copy_from_slice(&q_dot);
    }

    /// q̇ = p.
    fn velocity_into(&self, q: &[f64], p: &[f64], conditionals: &[f64], q_dot: &mut [f64]) {
        let (_, p, []) = arguments::<2, 0>(q, p, conditionals);
        assert_components("q_dot", q_dot, 2);
        q_dot.copy_from_slice(&p);
    }

    /// ṗ = −∂V/∂q.
    fn momentum_rate_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], p_dot: &mut [f64]) {
        let (q, _, []) = arguments::<2, 0>(q, q_dot, conditionals);
        assert_components("p_dot", p_dot, 2);
        p_dot.copy_from_slice(&self.force(q));
    }
}
