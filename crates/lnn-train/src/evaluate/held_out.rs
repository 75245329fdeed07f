//! Acceleration error and mass-matrix spectrum over states that training never sees.

use lnn_physics::System;
use lnn_physics::sampling::{Interval, StateSampler};
use rayon::prelude::*;

use crate::model::{Model, ModelWorkspace, States};
use crate::record::MassMatrixSpectrum;

/// Rows a block; fixed, so that sums do not depend on the number of threads.
const BLOCK: usize = 64;

/// Held-out states with their true accelerations.
#[derive(Clone, Debug)]
pub struct HeldOut {
    dof: usize,
    q: Vec<f64>,
    q_dot: Vec<f64>,
    target: Vec<f64>,
}

/// What a model does on the held-out states.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeldOutResult {
    /// Mean over the states of Σⱼ |q̈ⱼ − q̈*ⱼ|; infinite if an acceleration is not finite.
    pub acceleration_l1: f64,
    /// Spectrum of the learned mass matrix; `None` for a model without one.
    pub mass_matrix: Option<MassMatrixSpectrum>,
}

/// One block's share.
struct Share {
    error: f64,
    smallest: f64,
    largest: f64,
    indefinite: usize,
    conditions: Vec<f64>,
}

impl HeldOut {
    /// `count` states drawn from `ranges` by `sampler`, with the system's accelerations.
    pub fn new(system: &dyn System, ranges: &[Interval], sampler: StateSampler, count: usize) -> Self {
        let d = system.degrees_of_freedom();
        let mut states = vec![0.0; count * 2 * d];
        sampler.fill(0, ranges, &mut states);
        let (mut q, mut q_dot) = (Vec::with_capacity(count * d), Vec::with_capacity(count * d));
        let mut target = vec![0.0; count * d];
        for (state, target) in states.chunks_exact(2 * d).zip(target.chunks_exact_mut(d)) {
            q.extend_from_slice(&state[..d]);
            q_dot.extend_from_slice(&state[d..]);
            system.acceleration_into(&state[..d], &state[d..], target);
        }
        Self { dof: d, q, q_dot, target }
    }

    /// Number of states.
    pub fn len(&self) -> usize {
        self.q.len() / self.dof
    }
    /// Whether there is no state.
    pub fn is_empty(&self) -> bool {
        self.q.is_empty()
    }

    /// Judges a model on the first `count` states, or on all if there are fewer.
    pub fn judge(&self, model: &Model, parameters: &[f64], count: usize) -> HeldOutResult {
        let count = count.min(self.len());
        let shares: Vec<Share> = (0..count.div_ceil(BLOCK))
            .into_par_iter()
            .map_init(
                || (model.workspace(BLOCK, false), vec![0.0; BLOCK * self.dof]),
                |(workspace, out), block| {
                    let rows = block * BLOCK..((block + 1) * BLOCK).min(count);
                    self.judge_block(model, parameters, rows, workspace, out)
                },
            )
            .collect();
        let error: f64 = shares.iter().map(|share| share.error).sum();
        let acceleration_l1 = error / count as f64;
        HeldOutResult {
            acceleration_l1: if acceleration_l1.is_finite() { acceleration_l1 } else { f64::INFINITY },
            mass_matrix: matches!(model, Model::Lagrangian(_)).then(|| spectrum(shares)),
        }
    }

    fn judge_block(
        &self,
        model: &Model,
        parameters: &[f64],
        rows: std::ops::Range<usize>,
        workspace: &mut ModelWorkspace<f64>,
        out: &mut [f64],
    ) -> Share {
        let d = self.dof;
        let range = rows.start * d..rows.end * d;
        let out = &mut out[..range.len()];
        let states = States { q: &self.q[range.clone()], q_dot: &self.q_dot[range.clone()], conditionals: &[] };
        model.accelerations(parameters, states, workspace, out);
        let error = out.iter().zip(&self.target[range]).map(|(a, b)| (a - b).abs()).sum();
        let mut share =
            Share { error, smallest: f64::INFINITY, largest: f64::NEG_INFINITY, indefinite: 0, conditions: Vec::new() };
        if let ModelWorkspace::Lagrangian(workspace) = workspace {
            for row in 0..rows.len() {
                share.add(workspace.factors().eigenvalues(row));
            }
        }
        share
    }
}

impl Share {
    fn add(&mut self, eigenvalues: &[f64]) {
        let smallest = eigenvalues.iter().copied().fold(f64::INFINITY, f64::min);
        let largest = eigenvalues.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let magnitudes = eigenvalues.iter().map(|value| value.abs());
        let condition = magnitudes.clone().fold(0.0, f64::max) / magnitudes.fold(f64::INFINITY, f64::min);
        self.smallest = self.smallest.min(smallest);
        self.largest = self.largest.max(largest);
        self.indefinite += usize::from(smallest.is_nan() || smallest <= 0.0);
        self.conditions.push(condition);
    }
}

fn spectrum(shares: Vec<Share>) -> MassMatrixSpectrum {
    let mut conditions: Vec<f64> = shares.iter().flat_map(|share| share.conditions.iter().copied()).collect();
    conditions.sort_unstable_by(f64::total_cmp);
    MassMatrixSpectrum {
        eigenvalue_min: shares.iter().map(|share| share.smallest).fold(f64::INFINITY, f64::min),
        eigenvalue_max: shares.iter().map(|share| share.largest).fold(f64::NEG_INFINITY, f64::max),
        condition_median: conditions.get(conditions.len() / 2).copied().unwrap_or(f64::NAN),
        condition_max: conditions.last().copied().unwrap_or(f64::NAN),
        indefinite: shares.iter().map(|share| share.indefinite).sum(),
    }
}
