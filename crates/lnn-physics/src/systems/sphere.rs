//! Free motion on a sphere: geodesics.

use std::f64::consts::{FRAC_PI_2, PI, TAU};
use std::sync::Arc;

use lnn_autodiff::Scalar;

use crate::euler_lagrange::{Dynamics, EulerLagrangeError, dynamics};
use crate::lagrangian::Lagrangian;
use crate::sampling::{Distribution, Interval};
use crate::system::{Canonical, Coordinate, ReferenceMotion, System, arguments, assert_components, components};

use super::error::SystemError;
use super::parameter::positive;
use super::registry::{Parameter, SystemKind};

const NAME: &str = "sphere";

pub(super) static KIND: SystemKind = SystemKind {
    name: NAME,
    summary: "geodesics on a sphere, in polar angle and longitude",
    parameters: &[
        Parameter { name: "m", default: 1.0, unit: "kg", description: "mass" },
        Parameter { name: "r", default: 1.0, unit: "m", description: "radius of the sphere" },
    ],
    build: |p| Ok(Arc::new(Sphere::new(p.get("m"), p.get("r"))?)),
};

const COORDINATES: [Coordinate; 2] = [
    Coordinate { name: "theta", symbol: "θ", unit: "rad", is_angle: true },
    Coordinate { name: "phi", symbol: "φ", unit: "rad", is_angle: true },
];

/// Largest training rate of the longitude in rad/s.
const RATE: f64 = 2.0;

const TRAINING: [Distribution; 4] = [
    Distribution::Uniform(Interval::constant(0.4, PI - 0.4)),
    Distribution::Uniform(Interval::constant(0.0, TAU)),
    Distribution::Uniform(Interval::constant(-RATE, RATE)),
    Distribution::Uniform(Interval::constant(-RATE, RATE)),
];

const ROLLOUT: [Distribution; 4] = [
    Distribution::Uniform(Interval::constant(FRAC_PI_2 - 0.5, FRAC_PI_2 + 0.5)),
    Distribution::Uniform(Interval::constant(0.0, TAU)),
    Distribution::Uniform(Interval::constant(-0.5, 0.5)),
    Distribution::Uniform(Interval::constant(0.8, 1.2)),
];

/// A free particle of mass m (kg) on a sphere of radius r (m); q = (θ, φ), the angle from the pole,
/// 0 < θ < π, and the longitude.
///
/// - L = E = ½ m r² (θ̇² + sin²θ φ̇²),
/// - θ̈ = sin θ cos θ φ̇², φ̈ = −2 cot θ θ̇ φ̇,
/// - p = m r² (θ̇, sin²θ φ̇).
///
/// Every motion is a great circle at constant speed. The coordinates end at the poles: training
/// states have θ on [0.4, π − 0.4), all longitudes, rates up to 2 rad/s. Rollouts start within 0.5 of
/// the equator, |θ̇| < 0.5, φ̇ on [0.8, 1.2) rad/s. By conservation of sin²θ φ̇ they keep sin θ > 0.71 and
/// φ̇ < 1.5 rad/s, inside the training ranges.
///
/// ```
/// use lnn_physics::System;
/// use lnn_physics::systems::Sphere;
///
/// // The equator is a geodesic.
/// let mut q_ddot = [1.0; 2];
/// Sphere::new(1.0, 3.0)?.acceleration_into(&[std::f64::consts::FRAC_PI_2, 0.5], &[0.0, 2.0], &[], &mut q_ddot);
/// assert!(q_ddot[0].abs() < 1e-15 && q_ddot[1] == 0.0);
/// # Ok::<(), lnn_physics::systems::SystemError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sphere {
    m: f64,
    r: f64,
}

impl Sphere {
    /// A particle of mass `m` in kg on a sphere of radius `r` in m.
    ///
    /// # Errors
    /// [`SystemError`] names the first parameter that is not allowed and the value given.
    pub fn new(m: f64, r: f64) -> Result<Self, SystemError> {
        Ok(Self { m: positive(NAME, "m", m, "kg")?, r: positive(NAME, "r", r, "m")? })
    }

    /// m r².
    fn inertia(&self) -> f64 {
        self.m * self.r * self.r
    }

    fn kinetic<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
        (q_dot[0].square() + (q[0].sin() * q_dot[1]).square()) * (0.5 * self.inertia())
    }
}

impl Lagrangian for Sphere {
    fn degrees_of_freedom(&self) -> usize {
        2
    }
    fn lagrangian<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
        self.kinetic(q, q_dot)
    }
}

impl System for Sphere {
    fn name(&self) -> &'static str {
        NAME
    }

    fn coordinates(&self) -> &[Coordinate] {
        &COORDINATES
    }

    /// NaN unless sin θ > 0: beyond a pole the same points have other coordinates.
    fn acceleration_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], q_ddot: &mut [f64]) {
        let ([theta, _], [u, w], []) = arguments(q, q_dot, conditionals);
        assert_components("q_ddot", q_ddot, 2);
        let (sin, cos) = theta.sin_cos();
        let sin = if sin > 0.0 { sin } else { f64::NAN };
        q_ddot[0] = sin * cos * w * w;
        q_ddot[1] = -2.0 * (cos / sin) * u * w;
    }

    fn kinetic_energy(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64]) -> f64 {
        let (q, q_dot, []) = arguments::<2, 0>(q, q_dot, conditionals);
        self.kinetic::<f64>(&q, &q_dot)
    }

    fn potential_energy(&self, q: &[f64], conditionals: &[f64]) -> f64 {
        let ([_, _], []) = (components("q", q), components("conditionals", conditionals));
        0.0
    }

    fn dynamics(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64]) -> Result<Dynamics, EulerLagrangeError> {
        let [] = components("conditionals", conditionals);
        dynamics(self, q, q_dot)
    }

    /// The energy on the equator at the largest training rate: ½ m r² (2 rad/s)².
    fn reference_energy(&self) -> f64 {
        0.5 * self.inertia() * RATE * RATE
    }

    fn training_distribution(&self) -> &[Distribution] {
        &TRAINING
    }

    fn rollout_distribution(&self) -> &[Distribution] {
        &ROLLOUT
    }

    /// Two radians of the great circle through θ = 1.2 with (θ̇, φ̇) = (0.4, 0.9) rad/s.
    fn reference_motion(&self) -> ReferenceMotion {
        let (theta, theta_dot, phi_dot, arc) = (1.2_f64, 0.4, 0.9, 2.0_f64);
        let (sin, cos) = theta.sin_cos();
        let rate = (theta_dot * theta_dot + (sin * phi_dot) * (sin * phi_dot)).sqrt();
        // Position and direction of motion as unit vectors, at φ = 0.
        let position = [sin, 0.0, cos];
        let direction = [theta_dot * cos / rate, sin * phi_dot / rate, -theta_dot * sin / rate];
        let (arc_sin, arc_cos) = arc.sin_cos();
        let [x, y, z]: [f64; 3] = std::array::from_fn(|i| position[i] * arc_cos + direction[i] * arc_sin);
        let [u, v, w]: [f64; 3] = std::array::from_fn(|i| rate * (direction[i] * arc_cos - position[i] * arc_sin));
        let across = x.hypot(y);
        ReferenceMotion {
            start: vec![theta, 0.0, theta_dot, phi_dot],
            conditionals: Vec::new(),
            duration: arc / rate,
            end: Some(vec![across.atan2(z), y.atan2(x), -w / across, (x * v - y * u) / (across * across)]),
        }
    }

    fn canonical(&self) -> Option<&dyn Canonical> {
        Some(self)
    }
}

impl Canonical for Sphere {
    /// p = m r² (θ̇, sin²θ φ̇).
    fn momentum_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], p: &mut [f64]) {
        let ([theta, _], [u, w], []) = arguments(q, q_dot, conditionals);
        assert_components("p", p, 2);
        p[0] = self.inertia() * u;
        p[1] = self.inertia() * theta.sin().powi(2) * w;
    }

    /// q̇ = (p₁, p₂/sin²θ)/(m r²).
    fn velocity_into(&self, q: &[f64], p: &[f64], conditionals: &[f64], q_dot: &mut [f64]) {
        let ([theta, _], [p1, p2], []) = arguments(q, p, conditionals);
        assert_components("q_dot", q_dot, 2);
        q_dot[0] = p1 / self.inertia();
        q_dot[1] = p2 / (self.inertia() * theta.sin().powi(2));
    }

    /// ṗ = (m r² sin θ cos θ φ̇², 0): the angular momentum p₂ about the pole is conserved.
    fn momentum_rate_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], p_dot: &mut [f64]) {
        let ([theta, _], [_, w], []) = arguments(q, q_dot, conditionals);
        assert_components("p_dot", p_dot, 2);
        let (sin, cos) = theta.sin_cos();
        p_dot[0] = self.inertia() * sin * cos * w * w;
        p_dot[1] = 0.0;
    }
}
