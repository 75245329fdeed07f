//! The parameter gradient of Σ_o ȳ_o (D_a − D_u D_w) f_o.

use bytemuck::{Pod, Zeroable};

use super::jet::{Buffers, Hidden, Planner, fours};
use super::plan::{Dispatch, LayerConstants};
use super::{MlpParameters, stride};
use crate::device::{Buffer, Device, DeviceError, Recorder};
use crate::kernels;

/// The passes in their order, and where they write.
#[derive(Debug)]
pub(super) struct Functional {
    dispatches: Vec<Dispatch>,
    gradient: Buffer<f32>,
}

/// Constants of `input_directions`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct DirectionConstants {
    rows: u32,
    width4: u32,
    tangents: u32,
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
    add: u32,
}

/// Into how many parts the sums over 4 · rows are split: enough workgroups to fill a device, each with enough to do.
fn splits(rows: usize) -> usize {
    (4 * rows).div_ceil(512).clamp(1, 16)
}

impl Functional {
    pub(super) fn new(device: &Device, parameters: &MlpParameters, buffers: &Buffers) -> Result<Self, DeviceError> {
        let length = parameters.layout().padded_len();
        let partial = device.buffer("partial gradients", splits(buffers.rows) * length)?;
        let gradient = device.buffer("gradient", length)?;
        let directional: Vec<_> = buffers
            .hidden
            .iter()
            .map(|hidden| device.buffer("directional", 3 * buffers.channel(hidden.width)))
            .collect::<Result<_, _>>()?;
        let planner = Planner { device, parameters, buffers };
        let layers = buffers.hidden.len();
        let mut dispatches = vec![planner.input_directions()?];
        for layer in 0..layers {
            dispatches.push(planner.functional_forward(layer, &directional[layer])?);
        }
        for layer in (0..layers).rev() {
            dispatches.push(planner.functional_reverse(layer, &directional[layer])?);
        }
        for layer in 0..=layers {
            dispatches.push(planner.weight_gradient(layer, &partial)?);
            dispatches.push(planner.bias_gradient(layer, &partial)?);
        }
        let constants = SumConstants { parameters4: fours(length), splits: splits(buffers.rows) as u32, add: 0 };
        let arguments = [&partial, &gradient].map(Into::into);
        let source = (kernels::GRADIENT_SUM.only(), &[][..]);
        let workgroups = constants.parameters4.div_ceil(256);
        dispatches.push(Dispatch::plan_linear(device, source, constants, &arguments, workgroups)?);
        Ok(Self { dispatches, gradient })
    }

    pub(super) fn record(&self, recorder: &mut Recorder) {
        self.dispatches.iter().for_each(|dispatch| dispatch.record(recorder));
    }

    pub(super) fn gradient(&self) -> &Buffer<f32> {
        &self.gradient
    }
}

impl Planner<'_> {
    fn input_directions(&self) -> Result<Dispatch, DeviceError> {
        let Self { device, buffers, .. } = self;
        let width = buffers.shape.inputs();
        let constants = DirectionConstants {
            rows: buffers.rows as u32,
            width4: fours(stride(width)),
            tangents: buffers.tangents as u32,
        };
        let arguments = [&buffers.coefficients, &buffers.inputs].map(Into::into);
        let workgroups = fours(buffers.channel(width)).div_ceil(256);
        let source = (kernels::INPUT_DIRECTIONS.only(), &[][..]);
        Dispatch::plan_linear(device, source, constants, &arguments, workgroups)
    }

    fn functional_forward(&self, layer: usize, directional: &Buffer<f32>) -> Result<Dispatch, DeviceError> {
        let Self { device, parameters, buffers } = self;
        let constants = self.forwards(layer, buffers.tangents + 3);
        let (source, workgroups) = constants.tiles(&kernels::FUNCTIONAL_FORWARD, 1)?;
        let Hidden { kept, activations, .. } = &buffers.hidden[layer];
        let below = buffers.below(layer).0;
        let arguments = [parameters.buffer(), below, kept, &buffers.coefficients, directional, activations];
        Dispatch::plan(device, (source, &self.activation()), constants, &arguments.map(Into::into), workgroups)
    }

    fn functional_reverse(&self, layer: usize, directional: &Buffer<f32>) -> Result<Dispatch, DeviceError> {
        let Self { device, parameters, buffers } = self;
        let last = layer + 1 == buffers.hidden.len();
        let from_above = self.backwards(layer + 1);
        // Nothing of the functional's adjoints comes from the linear output layer.
        let constants = if last { LayerConstants { depth: 0, depth4: 0, ..from_above } } else { from_above };
        let above = if last { &buffers.nothing_read } else { buffers.above(layer + 1).0 };
        let (source, workgroups) = constants.tiles(&kernels::FUNCTIONAL_REVERSE, 3)?;
        let Hidden { kept, delta, bars, .. } = &buffers.hidden[layer];
        let arguments = [parameters.buffer(), above, kept, delta, directional, bars].map(Into::into);
        Dispatch::plan(device, (source, &self.activation()), constants, &arguments, workgroups)
    }

    fn weight_gradient(&self, layer: usize, partial: &Buffer<f32>) -> Result<Dispatch, DeviceError> {
        let Self { device, parameters, buffers } = self;
        let rows = buffers.rows;
        let (left, outputs) = buffers.above(layer);
        let (right, inputs) = buffers.below(layer);
        // At the output only c reaches the weight.
        let output = layer == buffers.hidden.len();
        let (depth, channel) = if output { (rows, buffers.tangents + 3) } else { (4 * rows, buffers.tangents) };
        let constants = OuterConstants {
            depth: depth as u32,
            split: depth.div_ceil(splits(rows)).next_multiple_of(16) as u32,
            outputs: outputs as u32,
            outputs4: fours(stride(outputs)),
            inputs4: fours(stride(inputs)),
            left_start: 0,
            right_start: fours(channel * buffers.channel(inputs)),
            weight: fours(parameters.layout().weight(layer)),
            parameters4: fours(parameters.layout().padded_len()),
        };
        let arguments = [left, right, partial].map(Into::into);
        let workgroups = [inputs.div_ceil(128) as u32, outputs.div_ceil(128) as u32, splits(rows) as u32];
        let source = (kernels::WEIGHT_GRADIENT.only(), &[][..]);
        Dispatch::plan(device, source, constants, &arguments, workgroups)
    }

    fn bias_gradient(&self, layer: usize, partial: &Buffer<f32>) -> Result<Dispatch, DeviceError> {
        let Self { device, parameters, buffers } = self;
        let (left, outputs) = buffers.above(layer);
        let output = layer == buffers.hidden.len();
        let rows = if output { 0 } else { buffers.rows };
        let constants = BiasConstants {
            rows: rows as u32,
            split: rows.div_ceil(splits(buffers.rows)) as u32,
            outputs4: fours(stride(outputs)),
            left_start: 0,
            bias: fours(parameters.layout().bias(layer)),
            parameters4: fours(parameters.layout().padded_len()),
        };
        let arguments = [left, partial].map(Into::into);
        let workgroups = [constants.outputs4.div_ceil(16), splits(buffers.rows) as u32, 1];
        let source = (kernels::BIAS_GRADIENT.only(), &[][..]);
        Dispatch::plan(device, source, constants, &arguments, workgroups)
    }
}
