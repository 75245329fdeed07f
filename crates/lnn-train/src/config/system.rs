//! Physical systems and the ranges that states are drawn from, as written in files.

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

/// The system that supplies the training targets and the truth of the evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum SystemConfig {
    /// Two point masses on massless rods in a plane; angles from the downward vertical.
    DoublePendulum {
        /// Upper mass in kg.
        m1: f64,
        /// Lower mass in kg.
        m2: f64,
        /// Upper rod's length in m.
        l1: f64,
        /// Lower rod's length in m.
        l2: f64,
        /// Gravitational acceleration in m/s².
        g: f64,
    },
}

impl SystemConfig {
    /// Degrees of freedom d.
    pub fn degrees_of_freedom(&self) -> usize {
        match self {
            Self::DoublePendulum { .. } => 2,
        }
    }
}

impl Default for SystemConfig {
    /// The paper's double pendulum: unit masses and lengths, g = 9.8 m/s².
    fn default() -> Self {
        Self::DoublePendulum { m1: 1.0, m2: 1.0, l1: 1.0, l2: 1.0, g: 9.8 }
    }
}

/// Half-open interval `[low, high)` of a uniform distribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// Smallest value drawn.
    pub low: f64,
    /// Bound that is never reached.
    pub high: f64,
}

/// Ranges from which every component of q and of q̇ is drawn, independently and uniformly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SamplingConfig {
    /// Range of each coordinate qⱼ (rad for angles).
    pub position: Interval,
    /// Range of each velocity q̇ⱼ (rad/s for angles).
    pub velocity: Interval,
}

/// A part of every training batch whose velocities reach further than the rest.
///
/// A rollout may swing faster than any training state: the paper's double pendulum, started at rest near
/// the top, reaches 15 rad/s while training stops at 10. There a learned Lagrangian extrapolates. A
/// small share of wider states removes that at little cost to the accuracy inside.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamplingTail {
    /// Share of each batch, above 0 and below 1.
    pub share: f64,
    /// First step with a tail. From the very start it destabilises training: an untrained mass matrix is far
    /// from definite out there.
    pub from_step: u64,
    /// Range of each velocity in the tail; coordinates keep theirs.
    pub velocity: Interval,
}

impl Default for SamplingConfig {
    /// The paper's training states: θ in [0, 2π), ω in [−10, 10) rad/s.
    fn default() -> Self {
        Self { position: Interval { low: 0.0, high: TAU }, velocity: Interval { low: -10.0, high: 10.0 } }
    }
}
