//! Weight and bias gradients: outer products split over their rows, and the sum of the splits in a fixed order.

use bytemuck::{Pod, Zeroable};
use lnn_autodiff::jet::{Accumulate, Purpose};

use super::plan::Dispatch;
use super::planner::{Planner, fours};
use super::{GradientTile, stride};
use crate::device::DeviceError;
use crate::kernels;

/// What is multiplied for a weight's gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Factors {
    /// δσ′ with a: the gradient of Σ ȳ f.
    Value,
    /// `[z̄, δσ′]` with `[a, c_a]`.
    Directional,
    /// `[z̄, ż̄^u, ż̄^w, δσ′]` with `[a, ȧ^u, ȧ^w, c_a]`.
    Functional,
}

impl Factors {
    fn channels(self) -> usize {
        match self {
            Self::Value => 1,
            Self::Directional => 2,
            Self::Functional => 4,
        }
    }
}

/// Whether a plan of this purpose is asked for gradients of parameters; one for second derivatives alone is not.
pub(super) fn gives_gradient(purpose: Purpose) -> bool {
    matches!(purpose, Purpose::Gradient | Purpose::Directional | Purpose::Functional)
}

/// Constants of `weight_gradient`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct OuterConstants {
    depth: u32,
    split: u32,
    outputs: u32,
    outputs4: u32,
    inputs4: u32,
    left_start: u32,
    right_start: u32,
    weight: u32,
    parameters4: u32,
}

/// Constants of `bias_gradient`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct BiasConstants {
    rows: u32,
    split: u32,
    outputs4: u32,
    left_start: u32,
    bias: u32,
    parameters4: u32,
}

/// Constants of `gradient_sum`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct SumConstants {
    parameters4: u32,
    splits: u32,
    accumulate: u32,
}

/// Whether the constants of a sum's record have it replace or add: the record's number, and their word.
pub(super) fn record_of(accumulate: Accumulate) -> usize {
    usize::from(accumulate == Accumulate::Add)
}

impl Planner<'_> {
    /// The partial sums of the gradient of all parameters, from its factors.
    pub(super) fn partial_gradients(&self, factors: Factors) -> Result<Vec<Dispatch>, DeviceError> {
        let mut dispatches = Vec::new();
        for layer in 0..=self.buffers.hidden.len() {
            dispatches.push(self.weight_gradient(layer, factors)?);
            dispatches.push(self.bias_gradient(layer, factors)?);
        }
        Ok(dispatches)
    }

    /// The gradient from its partial sums, with a [record](record_of) for each way of writing it.
    pub(super) fn gradient_sum(&self) -> Result<Dispatch, DeviceError> {
        let Self { device, parameters, buffers, .. } = self;
        let parameters4 = fours(parameters.layout().padded_len());
        let constants =
            [0, 1].map(|accumulate| SumConstants { parameters4, splits: buffers.splits as u32, accumulate });
        let arguments = [&buffers.partial_gradients, &buffers.gradient].map(Into::into);
        let source = (kernels::GRADIENT_SUM.only(), &[][..]);
        Dispatch::plan_linear_records(device, source, &constants, &arguments, parameters4.div_ceil(256))
    }

    fn weight_gradient(&self, layer: usize, factors: Factors) -> Result<Dispatch, DeviceError> {
        let Self { device, parameters, buffers, .. } = self;
        let rows = buffers.rows;
        let (left, outputs) = buffers.above(layer);
        let (right, inputs) = buffers.below(layer);
        let mut channels = factors.channels();
        let mut right_channel = buffers.tangents;
        // ȳ is the output layer's only left factor; of derivatives it multiplies c, the last.
        if layer == buffers.hidden.len() {
            right_channel += channels - 1;
            channels = 1;
        }
        let depth = channels * rows;
        let constants = OuterConstants {
            depth: depth as u32,
            split: depth.div_ceil(buffers.splits).next_multiple_of(16) as u32,
            outputs: outputs as u32,
            outputs4: fours(stride(outputs)),
            inputs4: fours(stride(inputs)),
            left_start: if channels == 1 { fours(buffers.bar_start(layer)) } else { 0 },
            right_start: fours(right_channel * buffers.channel(inputs)),
            weight: fours(parameters.layout().weight(layer)),
            parameters4: fours(parameters.layout().padded_len()),
        };
        let arguments = [left, right, &buffers.partial_gradients].map(Into::into);
        let chosen = self.tiles.weight_gradient.map_or(128, |tile| tile.side);
        let splits = buffers.splits as u32;
        let tile = GradientTile { side: if inputs.min(outputs) <= 64 { 64 } else { chosen }, splits };
        let workgroups = [inputs, outputs].map(|width| (width as u32).div_ceil(tile.side));
        let workgroups = [workgroups[0], workgroups[1], splits];
        Dispatch::plan(device, (tile.find()?, &[]), constants, &arguments, workgroups)
    }

    fn bias_gradient(&self, layer: usize, factors: Factors) -> Result<Dispatch, DeviceError> {
        let Self { device, parameters, buffers, .. } = self;
        let (left, outputs) = buffers.above(layer);
        // Derivatives of f do not depend on its output's bias.
        let output = layer == buffers.hidden.len();
        let rows = if output && factors != Factors::Value { 0 } else { buffers.rows };
        let constants = BiasConstants {
            rows: rows as u32,
            split: rows.div_ceil(buffers.splits) as u32,
            outputs4: fours(stride(outputs)),
            left_start: if factors == Factors::Value { fours(buffers.bar_start(layer)) } else { 0 },
            bias: fours(parameters.layout().bias(layer)),
            parameters4: fours(parameters.layout().padded_len()),
        };
        let arguments = [left, &buffers.partial_gradients].map(Into::into);
        let workgroups = [constants.outputs4.div_ceil(16), buffers.splits as u32, 1];
        let source = (kernels::BIAS_GRADIENT.only(), &[][..]);
        Dispatch::plan(device, source, constants, &arguments, workgroups)
    }
}
