//! The implicit midpoint rule: order 2, symmetric; symplectic only where the mass matrix is constant.
//!
//! Hairer, Lubich, Wanner, *Geometric Numerical Integration*, 2nd ed., eq. (I.1.7), theorem VI.4.2
//! (it is the Gauss method with one stage) and section VIII.6 on iterating to round-off.

use super::FixedStep;
use super::error::StepFailure;

/// Workspace of the implicit midpoint rule.
///
/// `k = f(t + dt/2, y + dt/2 · k)`, `y ← y + dt·k`.
///
/// The equation is solved by fixed-point iteration from `k = f(t, y)`, which contracts when `dt/2`
/// times the largest slope of `f` is below 1. Iteration goes on until the change `dt·‖Δk‖∞` is at
/// most ε times `max(‖y‖∞, dt·‖k‖∞)`, or until it no longer shrinks, which is the floor of
/// round-off: stopping earlier would add a drift of its own to the energy. In the second case, and
/// after the last allowed iteration, the change must be at most [`tolerance`](Self::with_tolerance)
/// times the same size; otherwise the step fails and the state is left as it was. Nothing is
/// remembered from one step to the next, so a step backwards undoes a step forwards up to
/// round-off.
///
/// In Lagrangian coordinates (q, q̇) the rule is symplectic only where the mass matrix is constant: p
/// is then a linear function of the state. It is symmetric always, and a symmetric method keeps the
/// energy error of a reversible system bounded as well, as this crate's tests measure on the double
/// pendulum.
#[derive(Clone, Debug)]
pub struct ImplicitMidpoint {
    tolerance: f64,
    max_iterations: usize,
    midpoint: Vec<f64>,
    slope: Vec<f64>,
    next_slope: Vec<f64>,
}

impl ImplicitMidpoint {
    /// Default relative tolerance below which a change that no longer shrinks counts as round-off.
    pub const TOLERANCE: f64 = 1e-12;
    /// Default limit on the iterations of one step.
    pub const MAX_ITERATIONS: usize = 100;

    /// Workspace for states of `dimension` components, with the default tolerance and limit.
    #[must_use]
    pub fn new(dimension: usize) -> Self {
        Self {
            tolerance: Self::TOLERANCE,
            max_iterations: Self::MAX_ITERATIONS,
            midpoint: vec![0.0; dimension],
            slope: vec![0.0; dimension],
            next_slope: vec![0.0; dimension],
        }
    }

    /// Sets the relative change that is still accepted where the iteration stalls, and the limit on
    /// iterations.
    ///
    /// Raise the tolerance when the right-hand side itself is computed with more noise than a few
    /// ε.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64, max_iterations: usize) -> Self {
        self.tolerance = tolerance;
        self.max_iterations = max_iterations;
        self
    }
}

impl FixedStep for ImplicitMidpoint {
    fn step<F, E>(&mut self, derivative: &mut F, t: f64, dt: f64, state: &mut [f64]) -> Result<(), StepFailure<E>>
    where
        F: FnMut(f64, &[f64], &mut [f64]) -> Result<(), E>,
    {
        assert_eq!(state.len(), self.midpoint.len(), "the state has another length than the workspace");
        derivative(t, state, &mut self.slope).map_err(StepFailure::Derivative)?;
        let state_size = state.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        let mut previous = f64::INFINITY;
        let mut change = f64::INFINITY;
        for _ in 0..self.max_iterations {
            for ((midpoint, &start), &slope) in self.midpoint.iter_mut().zip(&*state).zip(&self.slope) {
                *midpoint = start + 0.5 * dt * slope;
            }
            derivative(t + 0.5 * dt, &self.midpoint, &mut self.next_slope).map_err(StepFailure::Derivative)?;
            // f64::max drops NaN, so non-finite slopes are looked for first.
            if let Some(component) = self.next_slope.iter().position(|v| !v.is_finite()) {
                return Err(StepFailure::NonFinite { component });
            }
            let mut size = state_size;
            let mut difference: f64 = 0.0;
            for (&new, &old) in self.next_slope.iter().zip(&self.slope) {
                size = size.max((dt * new).abs());
                difference = difference.max((dt * (new - old)).abs());
            }
            std::mem::swap(&mut self.slope, &mut self.next_slope);
            // A state at rest at the origin has size 0 and difference 0.
            change = if difference == 0.0 { 0.0 } else { difference / size };
            let stalled = change >= previous && change <= self.tolerance;
            if change <= f64::EPSILON || stalled {
                break;
            }
            previous = change;
        }
        if change.is_nan() || change > self.tolerance.max(f64::EPSILON) {
            return Err(StepFailure::NotConverged { iterations: self.max_iterations, change });
        }
        for (value, &slope) in state.iter_mut().zip(&self.slope) {
            *value += dt * slope;
        }
        Ok(())
    }
}
