//! How a trained model is judged, as written in files.

use serde::{Deserialize, Serialize};

use super::system::SamplingConfig;

/// The evaluation protocol: held-out accelerations and rollouts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluationConfig {
    /// States of the training distribution, never trained on, over which acceleration L1 is averaged.
    pub held_out: usize,
    /// Number of initial conditions rolled out.
    pub rollouts: usize,
    /// Ranges of the rollouts' initial conditions; absent, the system's own
    /// [`rollout_distribution`](lnn_physics::System::rollout_distribution).
    pub initial_states: Option<SamplingConfig>,
    /// End time T of each rollout, in the system's unit of time.
    pub t_end: f64,
    /// Frames recorded in a unit of time.
    pub frames_per_second: f64,
    /// Integrator of the learned dynamics.
    pub integrator: IntegratorConfig,
    /// Integrator of the true system.
    pub reference_integrator: IntegratorConfig,
}

impl Default for EvaluationConfig {
    /// The paper's protocol for the double pendulum: 40 initial conditions, T = 100 s at 10 frames a second; 20 000
    /// held-out states.
    fn default() -> Self {
        Self {
            held_out: 20_000,
            rollouts: 40,
            initial_states: None,
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
        /// Step, in the system's unit of time.
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
        /// Step, in the system's unit of time.
        dt: f64,
    },
}
