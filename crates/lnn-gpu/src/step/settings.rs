//! What stays the same over all steps.

use bytemuck::{Pod, Zeroable};

/// How long gradients are shortened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clipping {
    /// Never.
    Off,
    /// To `limit` times the running mean of the norms.
    RunningNorm {
        /// Limit over running mean, at least 1.
        limit: f64,
        /// Weight a of the past in the running mean, in [0, 1).
        averaging: f64,
    },
    /// As [`RunningNorm`](Self::RunningNorm), but to limit² / norm.
    Redescending {
        /// Limit over running mean, at least 1.
        limit: f64,
        /// Weight a of the past in the running mean, in [0, 1).
        averaging: f64,
    },
}

/// Settings of a [`StepControl`](super::StepControl).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepSettings {
    /// Models that are trained side by side, at least 1.
    pub models: usize,
    /// Samples of one model's batch.
    pub samples: usize,
    /// c of the penalty c‖θ‖².
    pub penalty: f64,
    /// How gradients are clipped.
    pub clipping: Clipping,
    /// β₁ of the optimiser, for the correction of its bias.
    pub beta1: f64,
    /// β₂ of the optimiser.
    pub beta2: f64,
    /// Decoupled weight decay w of the optimiser.
    pub weight_decay: f64,
    /// Most steps of one submission.
    pub steps: usize,
}

/// The record that `clip_decide` reads for one step.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(super) struct StepRecord {
    rate: f32,
    keep: f32,
    decay1: f32,
    decay2: f32,
    decay: f32,
    averaging: f32,
    limit: f32,
    clipping: u32,
    penalty: f32,
    blocks: u32,
    reports: u32,
    models: u32,
    complete: u32,
}

/// What the gradient of a step is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terms {
    /// What there is at full rank.
    FullRank,
    /// The constant-rank terms too.
    All,
}

impl StepSettings {
    /// Of a step with this learning rate, whose gradient has so many blocks and these terms.
    pub(super) fn record(&self, rate: f64, blocks: usize, terms: Terms) -> StepRecord {
        let (clipping, limit, averaging) = match self.clipping {
            Clipping::Off => (0, 1.0, 0.0),
            Clipping::RunningNorm { limit, averaging } => (1, limit, averaging),
            Clipping::Redescending { limit, averaging } => (2, limit, averaging),
        };
        StepRecord {
            rate: rate as f32,
            keep: (1.0 - rate * self.weight_decay) as f32,
            decay1: decay(self.beta1),
            decay2: decay(self.beta2),
            // That of the rounded averaging, with which the device averages.
            decay: decay(f64::from(averaging as f32)),
            averaging: averaging as f32,
            limit: limit as f32,
            clipping,
            penalty: self.penalty as f32,
            blocks: blocks as u32,
            reports: self.steps as u32,
            models: self.models as u32,
            complete: u32::from(terms == Terms::All),
        }
    }
}

/// −ln `averaging`. That of 0 is held at a number whose exponential vanishes, since devices need not know infinities.
fn decay(averaging: f64) -> f32 {
    (-averaging.ln()).min(1e3) as f32
}
