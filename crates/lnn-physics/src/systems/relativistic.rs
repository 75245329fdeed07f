//! A relativistic particle on a line in a uniform potential, in units with c = m = 1.

use std::sync::Arc;

use lnn_autodiff::Scalar;

use crate::euler_lagrange::{Dynamics, EulerLagrangeError, dynamics};
use crate::lagrangian::Lagrangian;
use crate::sampling::{BoundedNormal, Distribution, Interval, Normal};
use crate::system::{
    Canonical, Conditional, Coordinate, ReferenceMotion, System, arguments, assert_components, components,
};

use super::registry::SystemKind;

const NAME: &str = "relativistic";

pub(super) static KIND: SystemKind = SystemKind {
    name: NAME,
    summary: "relativistic particle in a uniform potential, its strength g a conditional (the paper's second experiment)",
    parameters: &[],
    build: |_| Ok(Arc::new(RelativisticParticle)),
};

const COORDINATES: [Coordinate; 1] = [Coordinate { name: "q", symbol: "q", unit: "ℓ", is_angle: false }];
const CONDITIONALS: [Conditional; 1] = [Conditional { name: "g", symbol: "g", unit: "mc²/ℓ" }];

const TRAINING: [Distribution; 3] = [
    Distribution::Uniform(Interval::constant(-10.0, 10.0)),
    Distribution::BoundedNormal(BoundedNormal::constant(0.999_99, 2.0)),
    Distribution::Normal(Normal::constant(0.0, 10.0)),
];

const ROLLOUT: [Distribution; 3] = [
    Distribution::Uniform(Interval::constant(-8.0, 8.0)),
    Distribution::Uniform(Interval::constant(-0.9, 0.9)),
    Distribution::Uniform(Interval::constant(-10.0, 10.0)),
];

/// A particle of mass m = 1 on a line, in units with the speed of light c = 1, in a uniform
/// potential of strength g, which is a conditional: it differs from motion to motion.
///
/// Units: length ℓ (any), time ℓ/c, energy mc², g in mc²/ℓ. With γ = (1 − q̇²)^(−1/2), |q̇| < 1,
///
/// - L = γ − 1 + g q,
/// - p = ∂L/∂q̇ = γ³ q̇, ṗ = g,
/// - q̈ = g (1 − q̇²)^(5/2) / (1 + 2 q̇²),
/// - E = q̇ p − L = γ³ q̇² − (γ − 1) − g q.
///
/// This is the published Lagrangian, with which the published numbers were made; that of special
/// relativity is 1 − 1/γ + g q, with p = γ q̇.
///
/// Training: q uniform on [−10, 10), q̇ = 0.99999 tanh(2N), g = 10 N (Cranmer et al. 2020, the
/// published notebook). Rollouts: q on [−8, 8), q̇ on [−0.9, 0.9), g on [−10, 10). In the published
/// time, t from 0 to 1, p changes by |g| ≤ 10 from |p| ≤ 10.9, so |q̇| stays below 0.94, which
/// two fifths of the training velocities exceed, and |q| below 9.
///
/// Source: Cranmer et al., Lagrangian Neural Networks (arXiv:2003.04630), section 5.
///
/// ```
/// use lnn_physics::System;
/// use lnn_physics::systems::RelativisticParticle;
///
/// let mut q_ddot = [0.0];
/// RelativisticParticle.acceleration_into(&[0.0], &[0.0], &[7.0], &mut q_ddot);
/// assert_eq!(q_ddot, [7.0]);
/// // p = 10 is γ = √5, q̇ = 2/√5.
/// let canonical = RelativisticParticle.canonical().expect("every system here has momenta");
/// let mut q_dot = [0.0];
/// canonical.velocity_into(&[0.0], &[10.0], &[7.0], &mut q_dot);
/// assert!((q_dot[0] - 0.8_f64.sqrt()).abs() < 1e-15);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RelativisticParticle;

/// The Lagrangian γ − 1 + g q of a [`RelativisticParticle`] at one strength g of the potential.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RelativisticLagrangian {
    /// Strength of the potential in mc²/ℓ.
    pub g: f64,
}

impl Lagrangian for RelativisticLagrangian {
    fn degrees_of_freedom(&self) -> usize {
        1
    }
    fn lagrangian<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
        // The product keeps the digits near the speed of light that 1 − q̇² loses.
        let rest = (-q_dot[0] + 1.0) * (q_dot[0] + 1.0);
        rest.powf(-0.5) - 1.0 + q[0] * self.g
    }
}

/// 1 − v², or NaN unless |v| < 1: at v = ±1 the powers of zero would pass for a motion.
fn one_minus_square(v: f64) -> f64 {
    let rest = (1.0 - v) * (1.0 + v);
    if rest > 0.0 { rest } else { f64::NAN }
}

/// γ v at the momentum p = γ³ v, |p| < 10³⁰⁷: the real root of s³ + s = p, by its hyperbolic formula.
///
/// With s² = γ² − 1 this is the cubic γ⁶ − γ⁴ = p², without the cancellation of γ² − 1 for small p.
fn celerity(p: f64) -> f64 {
    // Round-off in the logarithm of asinh grows with p, but then q̇ hardly depends on s: no Newton step.
    2.0 / 3.0_f64.sqrt() * ((1.5 * 3.0_f64.sqrt() * p).asinh() / 3.0).sinh()
}

impl System for RelativisticParticle {
    fn name(&self) -> &'static str {
        NAME
    }

    fn coordinates(&self) -> &[Coordinate] {
        &COORDINATES
    }

    fn conditionals(&self) -> &[Conditional] {
        &CONDITIONALS
    }

    /// NaN unless |q̇| < 1.
    fn acceleration_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], q_ddot: &mut [f64]) {
        let ([_], [v], [g]) = arguments(q, q_dot, conditionals);
        assert_components("q_ddot", q_ddot, 1);
        let rest = one_minus_square(v);
        q_ddot[0] = g * (rest * rest * rest.sqrt()) / (1.0 + 2.0 * v * v);
    }

    /// γ³ q̇² − (γ − 1), written as q̇² γ² (γ − 1/(γ + 1)): without cancellation at small velocities.
    fn kinetic_energy(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64]) -> f64 {
        let ([_], [v], [_]) = arguments(q, q_dot, conditionals);
        let rest = one_minus_square(v);
        let gamma = rest.sqrt().recip();
        v * v / rest * (gamma - 1.0 / (gamma + 1.0))
    }

    fn potential_energy(&self, q: &[f64], conditionals: &[f64]) -> f64 {
        let ([q], [g]) = (components("q", q), components("conditionals", conditionals));
        -g * q
    }

    fn dynamics(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64]) -> Result<Dynamics, EulerLagrangeError> {
        let [g] = components("conditionals", conditionals);
        dynamics(&RelativisticLagrangian { g }, q, q_dot)
    }

    /// The rest energy mc² = 1.
    fn reference_energy(&self) -> f64 {
        1.0
    }

    fn training_distribution(&self) -> &[Distribution] {
        &TRAINING
    }

    fn rollout_distribution(&self) -> &[Distribution] {
        &ROLLOUT
    }

    /// Thrown at q̇ = −0.6 against g = 5 for one unit of time: p grows by g t, and q follows from the
    /// energy.
    fn reference_motion(&self) -> ReferenceMotion {
        let (q, v, g, duration) = (-1.0, -0.6, 5.0, 1.0);
        let p = v / (0.8 * 0.8 * 0.8) + g * duration;
        let s = celerity(p);
        let end = s / s.hypot(1.0);
        let kinetic = |v: f64| self.kinetic_energy(&[0.0], &[v], &[g]);
        let q_end = q + (kinetic(end) - kinetic(v)) / g;
        ReferenceMotion { start: vec![q, v], conditionals: vec![g], duration, end: Some(vec![q_end, end]) }
    }

    fn canonical(&self) -> Option<&dyn Canonical> {
        Some(self)
    }

    fn energy_unit(&self) -> &'static str {
        "mc²"
    }

    fn time_unit(&self) -> &'static str {
        "ℓ/c"
    }
}

impl Canonical for RelativisticParticle {
    /// p = q̇ (1 − q̇²)^(−3/2); NaN unless |q̇| < 1.
    fn momentum_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], p: &mut [f64]) {
        let ([_], [v], [_]) = arguments(q, q_dot, conditionals);
        assert_components("p", p, 1);
        let rest = one_minus_square(v);
        p[0] = v / (rest * rest.sqrt());
    }

    /// q̇ = s/√(1 + s²) with s = γ q̇ the root of s³ + s = p; to round-off for small and large p.
    /// Above |p| ≈ 10²⁴ the nearest double is ±1; from 10³⁰⁷ on the result is NaN.
    fn velocity_into(&self, q: &[f64], p: &[f64], conditionals: &[f64], q_dot: &mut [f64]) {
        let ([_], [p], [_]) = arguments(q, p, conditionals);
        assert_components("q_dot", q_dot, 1);
        let s = celerity(p);
        q_dot[0] = s / s.hypot(1.0);
    }

    /// ṗ = g.
    fn momentum_rate_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], p_dot: &mut [f64]) {
        let ([_], [_], [g]) = arguments(q, q_dot, conditionals);
        assert_components("p_dot", p_dot, 1);
        p_dot[0] = g;
    }
}
