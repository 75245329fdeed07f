//! How a trained model is judged, as written in files.

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

use super::system::{Interval, SamplingConfig};

/// The evaluation protocol: held-out accelerations and rollouts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluationConfig {
    /// States of the training distribution, never trained on, over which acceleration L1 is averaged.
    pub held_out: usize,
    /// Number of initial conditions rolled out.
    pub rollouts: usize,
    /// Ranges of the rollouts' initial conditions.
    pub initial_states: SamplingConfig,
    /// End time T of each rollout in seconds.
    pub t_end: f64,
    /// Frames recorded a second.
    pub frames_per_second: f64,
    /// Integrator of the learned dynamics.
    pub integrator: IntegratorConfig,
    /// Integrator of the true system.
    pub reference_integrator: IntegratorConfig,
}

impl Default for EvaluationConfig {
    /// The paper's protocol: 40 initial conditions with θ in [0, 2π) and ω in [0, 0.1) rad/s, T = 100 s at
    /// 10 frames a second; 20 000 held-out states.
    fn default() -> Self {
        Self {
            held_out: 20_000,
            rollouts: 40,
            initial_states: SamplingConfig {
                position: Interval { low: 0.0, high: TAU },
                velocity: Interval { low: 0.0, high: 0.1 },
            },
            t_end: 100.0,
            frames_per_second: 10.0,
            integrator: IntegratorConfig::Rk4 { dt: 0.0025 },
            reference_integrator: IntegratorConfig::DormandPrince {
                relative_tolerance: 1e-12,
                absolute_tolerance: 1e-12,
            },
        }
    }
}

/// A time integrator with its accuracy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum IntegratorConfig {
    /// Classical Runge–Kutta, order 4, fixed step.
    Rk4 {
        /// Step in seconds.
        dt: f64,
    },
    /// Dormand–Prince 5(4), adaptive.
    DormandPrince {
        /// Local error allowed relative to the state.
        relative_tolerance: f64,
        /// Local error allowed in absolute terms.
        absolute_tolerance: f64,
    },
    /// Implicit midpoint, order 2, fixed step; symmetric, symplectic only where the mass matrix is constant.
    ImplicitMidpoint {
        /// Step in seconds.
        dt: f64,
    },
}
