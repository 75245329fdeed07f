//! Batches drawn on the processor for many steps of a device.

use lnn_gpu::training::Batches;
use lnn_physics::sampling::StateSampler;
use rayon::prelude::*;

use crate::fit::FreshStates;
use crate::loss::LossWeight;
use crate::target::DataError;

/// Bytes that the batches of one submission may take.
const MOST_BYTES: usize = 32 << 20;
/// Most steps of a submission.
const MOST_STEPS: usize = 256;
/// Rows that one thread draws at a time.
const ROWS: usize = 256;

/// The batches of several steps, of one model or of several, drawn as the processor's training draws them.
#[derive(Debug)]
pub(super) struct HostBatches {
    data: FreshStates,
    /// One a model.
    samplers: Vec<StateSampler>,
    /// Of one model.
    batch: usize,
    degrees_of_freedom: usize,
    states: Vec<f32>,
    target: Vec<f32>,
    /// Empty for samples that all count the same.
    weights: Vec<f32>,
}

impl HostBatches {
    /// Room for batches of `batch` states a model, by a sampler each, of a system with `d` coordinates.
    pub(super) fn new(data: FreshStates, samplers: Vec<StateSampler>, batch: usize, d: usize) -> Self {
        let mut batches = Self {
            data,
            samplers,
            batch,
            degrees_of_freedom: d,
            states: Vec::new(),
            target: Vec::new(),
            weights: Vec::new(),
        };
        let rows = batches.most_steps() * batches.samplers.len() * batch;
        batches.states = vec![0.0; rows * batches.data.ranges.len()];
        batches.target = vec![0.0; rows * d];
        batches.weights = vec![0.0; if batches.is_weighted() { rows } else { 0 }];
        batches
    }

    /// Whether samples have weights in the loss.
    pub(super) fn is_weighted(&self) -> bool {
        self.data.weight != LossWeight::Uniform
    }

    /// Most steps that there is room for.
    pub(super) fn most_steps(&self) -> usize {
        let of_step = self.samplers.len()
            * self.batch
            * (self.data.ranges.len() + self.degrees_of_freedom + 1)
            * size_of::<f32>();
        (MOST_BYTES / of_step).clamp(1, MOST_STEPS)
    }

    /// The batches of `steps` steps from number `first` on, on all threads of the pool.
    ///
    /// # Errors
    /// The first target that is not finite, or velocity that has no weight, by step and row.
    ///
    /// # Panics
    /// If there is no room for so many.
    pub(super) fn draw(&mut self, first: u64, steps: usize) -> Result<Batches<'_>, DataError> {
        let Self { data, samplers, batch, degrees_of_freedom: d, states, target, weights } = self;
        let (batch, d, width) = (*batch, *d, data.ranges.len());
        let weighted = !weights.is_empty();
        let rows = steps * samplers.len() * batch;
        let (states, target) = (&mut states[..rows * width], &mut target[..rows * d]);
        let weights = &mut weights[..if weighted { rows } else { 0 }];
        let draw_batch =
            |(step, sampler): (u64, StateSampler), states: &mut [f32], target: &mut [f32], weights: &mut [f32]| {
                let blocks = states.par_chunks_mut(ROWS * width).zip(target.par_chunks_mut(ROWS * d)).enumerate();
                let draw = |block: usize, states: &mut [f32], target: &mut [f32], weights: &mut [f32]| {
                    data.draw_single(sampler, step, block * ROWS, (states, target, weights))
                };
                // The first error by row, whichever thread meets its own first.
                let results: Vec<_> = if weighted {
                    let blocks = blocks.zip(weights.par_chunks_mut(ROWS));
                    blocks.map(|((block, (states, target)), weights)| draw(block, states, target, weights)).collect()
                } else {
                    blocks.map(|(block, (states, target))| draw(block, states, target, &mut [])).collect()
                };
                results.into_iter().collect::<Result<(), DataError>>()
            };
        let of = |pair: usize| (first + (pair / samplers.len()) as u64, samplers[pair % samplers.len()]);
        let batches = states.par_chunks_mut(batch * width).zip(target.par_chunks_mut(batch * d)).enumerate();
        // The first error by step and model.
        let results: Vec<_> = if weighted {
            let batches = batches.zip(weights.par_chunks_mut(batch));
            batches.map(|((pair, (states, target)), weights)| draw_batch(of(pair), states, target, weights)).collect()
        } else {
            batches.map(|(pair, (states, target))| draw_batch(of(pair), states, target, &mut [])).collect()
        };
        results.into_iter().collect::<Result<(), DataError>>()?;
        Ok(Batches { states, target, weights })
    }
}
