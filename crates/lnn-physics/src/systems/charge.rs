//! A charge in a plane, in a uniform magnetic field across it and a harmonic trap.

use std::sync::Arc;

use lnn_autodiff::Scalar;
use nalgebra::Complex;

use crate::euler_lagrange::{Dynamics, EulerLagrangeError, dynamics};
use crate::lagrangian::Lagrangian;
use crate::sampling::Distribution;
use crate::system::{Canonical, Coordinate, ReferenceMotion, System, arguments, assert_components, components};

use super::error::SystemError;
use super::parameter::{finite, non_negative, positive, symmetric};
use super::registry::{Parameter, SystemKind};

const NAME: &str = "charge";

pub(super) static KIND: SystemKind = SystemKind {
    name: NAME,
    summary: "charge in a plane, in a uniform magnetic field and a harmonic trap (velocity-dependent potential)",
    parameters: &[
        Parameter { name: "m", default: 1.0, unit: "kg", description: "mass" },
        Parameter { name: "qB", default: 1.0, unit: "kg/s", description: "charge times magnetic flux density" },
        Parameter { name: "k", default: 1.0, unit: "N/m", description: "stiffness of the trap" },
    ],
    build: |p| Ok(Arc::new(Charge::new(p.get("m"), p.get("qB"), p.get("k"))?)),
};

const COORDINATES: [Coordinate; 2] = [
    Coordinate { name: "x", symbol: "x", unit: "m", is_angle: false },
    Coordinate { name: "y", symbol: "y", unit: "m", is_angle: false },
];

/// Bound of each training coordinate in m.
const REACH: f64 = 2.0;

/// A charge of mass m (kg) in a plane, in a uniform magnetic field across it, qB (kg/s), and a
/// harmonic trap of stiffness k (N/m); q = (x, y) in m.
///
/// In the symmetric gauge, A = ½ B (−y, x):
///
/// - L = ½ m (ẋ² + ẏ²) + ½ qB (x ẏ − y ẋ) − ½ k (x² + y²),
/// - m ẍ = qB ẏ − k x, m ÿ = −qB ẋ − k y,
/// - p = (m ẋ − ½ qB y, m ẏ + ½ qB x), E = ½ m (ẋ² + ẏ²) + ½ k (x² + y²).
///
/// The field does no work and no potential V(q) can stand for it. With the default parameters it
/// is as strong as inertia and trap. With z = x + iy, z(t) = a exp(iω₁t) + b exp(iω₂t), where
/// m ω² + qB ω − k = 0.
///
/// Training: x, y on [−2, 2) m, ẋ, ẏ on [−2Ω, 2Ω) m with Ω = √(k/m), or |qB|/m without a trap, or
/// 1/s without either. Rollouts start in the inner half of each; in a trap, by conservation of
/// energy, they never leave the training ranges.
///
/// Source: Landau and Lifshitz, The Classical Theory of Fields, sections 16 and 21.
///
/// ```
/// use lnn_physics::System;
/// use lnn_physics::systems::Charge;
///
/// let mut q_ddot = [0.0; 2];
/// Charge::new(1.0, 2.0, 3.0)?.acceleration_into(&[1.0, 0.0], &[0.0, 4.0], &[], &mut q_ddot);
/// assert_eq!(q_ddot, [8.0 - 3.0, 0.0]);
/// # Ok::<(), lnn_physics::systems::SystemError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Charge {
    m: f64,
    b: f64,
    k: f64,
    training: [Distribution; 4],
    rollout: [Distribution; 4],
}

impl Charge {
    /// A charge of mass `m` in kg in a field `qb` = qB in kg/s, of either sign or zero, and a trap of
    /// stiffness `k` in N/m, which may be zero.
    ///
    /// # Errors
    /// [`SystemError`] names the first parameter that is not allowed and the value given.
    pub fn new(m: f64, qb: f64, k: f64) -> Result<Self, SystemError> {
        positive(NAME, "m", m, "kg")?;
        finite(NAME, "qB", qb, "kg/s")?;
        non_negative(NAME, "k", k, "N/m")?;
        let (length, speed) = (REACH, REACH * rate(m, qb, k));
        let ranges = |part: f64| -> Result<_, SystemError> {
            let (position, velocity) = (symmetric(NAME, part * length)?, symmetric(NAME, part * speed)?);
            Ok([position, position, velocity, velocity])
        };
        Ok(Self { m, b: qb, k, training: ranges(1.0)?, rollout: ranges(0.5)? })
    }

    fn kinetic<S: Scalar>(&self, q_dot: &[S]) -> S {
        (q_dot[0].square() + q_dot[1].square()) * (0.5 * self.m)
    }

    fn potential<S: Scalar>(&self, q: &[S]) -> S {
        (q[0].square() + q[1].square()) * (0.5 * self.k)
    }
}

/// The frequency Ω that velocities are measured by, in rad/s.
fn rate(m: f64, b: f64, k: f64) -> f64 {
    if k > 0.0 {
        (k / m).sqrt()
    } else if b != 0.0 {
        b.abs() / m
    } else {
        1.0
    }
}

impl Lagrangian for Charge {
    fn degrees_of_freedom(&self) -> usize {
        2
    }
    fn lagrangian<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
        let field = (q[0] * q_dot[1] - q[1] * q_dot[0]) * (0.5 * self.b);
        self.kinetic(q_dot) + field - self.potential(q)
    }
}

impl System for Charge {
    fn name(&self) -> &'static str {
        NAME
    }

    fn coordinates(&self) -> &[Coordinate] {
        &COORDINATES
    }

    fn acceleration_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], q_ddot: &mut [f64]) {
        let ([x, y], [u, v], []) = arguments(q, q_dot, conditionals);
        assert_components("q_ddot", q_ddot, 2);
        q_ddot[0] = (self.b * v - self.k * x) / self.m;
        q_ddot[1] = (-self.b * u - self.k * y) / self.m;
    }

    fn kinetic_energy(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64]) -> f64 {
        let (_, q_dot, []) = arguments::<2, 0>(q, q_dot, conditionals);
        self.kinetic::<f64>(&q_dot)
    }

    fn potential_energy(&self, q: &[f64], conditionals: &[f64]) -> f64 {
        let (q, []) = (components::<2>("q", q), components("conditionals", conditionals));
        self.potential::<f64>(&q)
    }

    fn dynamics(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64]) -> Result<Dynamics, EulerLagrangeError> {
        let [] = components("conditionals", conditionals);
        dynamics(self, q, q_dot)
    }

    /// Kinetic and potential energy at the ends of one component's training ranges:
    /// ½ m (2Ω m)² + ½ k (2 m)².
    fn reference_energy(&self) -> f64 {
        let speed = REACH * rate(self.m, self.b, self.k);
        self.kinetic(&[speed, 0.0]) + self.potential(&[REACH, 0.0])
    }

    fn training_distribution(&self) -> &[Distribution] {
        &self.training
    }

    fn rollout_distribution(&self) -> &[Distribution] {
        &self.rollout
    }

    /// From (0.8, −0.3) m with (0.2, 0.9) m·Ω, for 4/Ω.
    fn reference_motion(&self) -> ReferenceMotion {
        let rate = rate(self.m, self.b, self.k);
        let duration = 4.0 / rate;
        let z = Complex::new(0.8, -0.3);
        let v = Complex::new(0.2, 0.9) * rate;
        let root = (self.b * self.b + 4.0 * self.m * self.k).sqrt();
        let (z_end, v_end) = if root == 0.0 {
            (z + v * duration, v)
        } else {
            // The larger root first, the other from their product −k/m: no cancellation.
            let w1 = -0.5 * (self.b + root.copysign(self.b)) / self.m;
            let w2 = -self.k / self.m / w1;
            let i = Complex::i();
            let a = (v - i * w2 * z) / (i * (w1 - w2));
            let turn = |w: f64| Complex::cis(w * duration);
            let (first, second) = (a * turn(w1), (z - a) * turn(w2));
            (first + second, i * (first * w1 + second * w2))
        };
        let state = |z: Complex<f64>, v: Complex<f64>| vec![z.re, z.im, v.re, v.im];
        ReferenceMotion { start: state(z, v), conditionals: Vec::new(), duration, end: Some(state(z_end, v_end)) }
    }

    fn canonical(&self) -> Option<&dyn Canonical> {
        Some(self)
    }
}

impl Canonical for Charge {
    /// p = (m ẋ − ½ qB y, m ẏ + ½ qB x).
    fn momentum_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], p: &mut [f64]) {
        let ([x, y], [u, v], []) = arguments(q, q_dot, conditionals);
        assert_components("p", p, 2);
        p[0] = self.m * u - 0.5 * self.b * y;
        p[1] = self.m * v + 0.5 * self.b * x;
    }

    /// q̇ = ((p₁ + ½ qB y)/m, (p₂ − ½ qB x)/m).
    fn velocity_into(&self, q: &[f64], p: &[f64], conditionals: &[f64], q_dot: &mut [f64]) {
        let ([x, y], [p1, p2], []) = arguments(q, p, conditionals);
        assert_components("q_dot", q_dot, 2);
        q_dot[0] = (p1 + 0.5 * self.b * y) / self.m;
        q_dot[1] = (p2 - 0.5 * self.b * x) / self.m;
    }

    /// ṗ = (½ qB ẏ − k x, −½ qB ẋ − k y).
    fn momentum_rate_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], p_dot: &mut [f64]) {
        let ([x, y], [u, v], []) = arguments(q, q_dot, conditionals);
        assert_components("p_dot", p_dot, 2);
        p_dot[0] = 0.5 * self.b * v - self.k * x;
        p_dot[1] = -0.5 * self.b * u - self.k * y;
    }
}
