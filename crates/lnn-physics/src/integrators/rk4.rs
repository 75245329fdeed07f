//! The classical Runge–Kutta method of order 4.
//!
//! W. Kutta, Beitrag zur näherungsweisen Integration totaler Differentialgleichungen, Z. Math.
//! Phys. 46 (1901) 435–453; Hairer, Nørsett, Wanner, *Solving Ordinary Differential Equations I*,
//! table II.1.2.

use lnn_autodiff::Real;

use super::FixedStep;
use super::error::StepFailure;

/// Nodes: stage `i` is evaluated at `t + NODES[i]·dt`.
const NODES: [f64; 4] = [0.0, 0.5, 0.5, 1.0];
/// Stage `i + 1` starts from `y + COUPLING[i]·dt·kᵢ`; all other entries of the tableau are zero.
const COUPLING: [f64; 3] = [0.5, 0.5, 1.0];
/// Weights of the stages in the step.
const WEIGHTS: [f64; 4] = [1.0 / 6.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 6.0];

/// Workspace of the classical Runge–Kutta method, order 4, four evaluations a step.
///
/// It treats the state as a flat vector, so a batch of trajectories `[n, dimension]` advances in
/// lockstep when the right-hand side is evaluated for the whole batch.
///
/// ```
/// use std::convert::Infallible;
/// use lnn_physics::integrators::{FixedStep, Rk4};
///
/// let mut y = [1.0];
/// let mut growth = |_t: f64, y: &[f64], y_dot: &mut [f64]| {
///     y_dot[0] = y[0];
///     Ok::<(), Infallible>(())
/// };
/// Rk4::new(1).step(&mut growth, 0.0, 1.0, &mut y)?;
/// // One step is the Taylor series of e up to the fourth power: 1 + 1 + 1/2 + 1/6 + 1/24.
/// assert!((y[0] - 65.0 / 24.0).abs() < 4.0 * f64::EPSILON);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Rk4<T = f64> {
    stage: Vec<T>,
    slope: Vec<T>,
    increment: Vec<T>,
}

impl<T: Real> Rk4<T> {
    /// Workspace for states of `dimension` components.
    #[must_use]
    pub fn new(dimension: usize) -> Self {
        let zeros = || vec![T::ZERO; dimension];
        Self { stage: zeros(), slope: zeros(), increment: zeros() }
    }
}

impl<T: Real> FixedStep<T> for Rk4<T> {
    fn step<F, E>(&mut self, derivative: &mut F, t: f64, dt: f64, state: &mut [T]) -> Result<(), StepFailure<E>>
    where
        F: FnMut(f64, &[T], &mut [T]) -> Result<(), E>,
    {
        assert_eq!(state.len(), self.stage.len(), "the state has another length than the workspace");
        self.stage.copy_from_slice(state);
        self.increment.fill(T::ZERO);
        for i in 0..NODES.len() {
            derivative(t + NODES[i] * dt, &self.stage, &mut self.slope).map_err(StepFailure::Derivative)?;
            let weight = T::from_f64(WEIGHTS[i]);
            for (increment, &slope) in self.increment.iter_mut().zip(&self.slope) {
                *increment += weight * slope;
            }
            if let Some(&coupling) = COUPLING.get(i) {
                let length = T::from_f64(coupling * dt);
                for ((stage, &start), &slope) in self.stage.iter_mut().zip(&*state).zip(&self.slope) {
                    *stage = start + length * slope;
                }
            }
        }
        let dt = T::from_f64(dt);
        for (value, &increment) in state.iter_mut().zip(&self.increment) {
            *value += dt * increment;
        }
        Ok(())
    }
}
