//! Fresh states in single precision, for a device.

use lnn_physics::sampling::StateSampler;

use super::dynamics::FreshStates;
use super::worker::sample;
use crate::loss::LossWeight;
use crate::target::{DataError, acceleration_into};

impl FreshStates {
    /// Draws rows of a step's batch from row `first` on, as a training on the processor does: states `[rows, 2d + c]`,
    /// accelerations `[rows, d]`, and weights `[rows]`, which may be empty where all are the same.
    ///
    /// # Errors
    /// A target that is not finite in single precision, or a velocity without a weight.
    pub(crate) fn draw_single(
        &self,
        sampler: StateSampler,
        step: u64,
        first: usize,
        (states, target, weights): (&mut [f32], &mut [f32], &mut [f32]),
    ) -> Result<(), DataError> {
        let Self { system, ranges, tail, curriculum, weight } = self;
        let (d, width) = (system.degrees_of_freedom(), ranges.len());
        let mut ranges = ranges.clone();
        if let Some(curriculum) = curriculum {
            curriculum.apply(step, &mut ranges[d..2 * d]);
        }
        let tail = tail.as_ref().filter(|tail| step >= tail.from_step);
        let mut drawn = vec![0.0; states.len()];
        sample(sampler, step, &ranges, tail, first, &mut drawn);
        let mut q_ddot = vec![0.0; d];
        for (row, state) in drawn.chunks_exact(width).enumerate() {
            if *weight != LossWeight::Uniform {
                weights[row] = weight.of(first + row, &state[d..2 * d])? as f32;
            }
            acceleration_into::<f32>(&**system, state, &mut q_ddot)?;
            for (kept, &component) in target[row * d..].iter_mut().zip(&q_ddot) {
                *kept = component as f32;
            }
        }
        for (kept, &component) in states.iter_mut().zip(&drawn) {
            *kept = component as f32;
        }
        Ok(())
    }
}
