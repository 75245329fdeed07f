//! Forward, reverse and Hessian passes as dispatches.

use bytemuck::{Pod, Zeroable};
use lnn_autodiff::{Activation, MlpShape};

use super::buffers::{Buffers, Hidden};
use super::plan::{Dispatch, LayerConstants};
use super::{MlpParameters, ProductTile, Tiles, stride};
use crate::device::{Device, DeviceError};
use crate::kernels::{self, KernelFamily, KernelSource};

/// Constants of `hessian_contract`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct HessianConstants {
    rows: u32,
    width4: u32,
    replace: u32,
}

/// The constant that chooses the activation in a kernel.
pub(super) fn activation(shape: &MlpShape) -> [(&'static str, f64); 1] {
    let place = Activation::ALL.iter().position(|&activation| activation == shape.activation());
    [("ACTIVATION", place.unwrap_or(Activation::ALL.len()) as f64)]
}

/// Plans the passes of a network.
pub(super) struct Planner<'a> {
    pub(super) device: &'a Device,
    pub(super) parameters: &'a MlpParameters,
    pub(super) buffers: &'a Buffers,
    pub(super) tiles: &'a Tiles,
}

impl Planner<'_> {
    pub(super) fn activation(&self) -> [(&'static str, f64); 1] {
        activation(&self.buffers.shape)
    }

    /// The kernel of a product, and its workgroups.
    pub(super) fn tiled(
        &self,
        product: &LayerConstants,
        family: &'static KernelFamily,
        channels: usize,
        chosen: Option<ProductTile>,
    ) -> Result<(&'static KernelSource, [u32; 3]), DeviceError> {
        product.tiles(family, channels, chosen, self.device.adapter())
    }

    /// Constants of a product with the weight of `layer`, forwards.
    pub(super) fn forwards(&self, layer: usize, channel: usize) -> LayerConstants {
        let Self { parameters, buffers, .. } = self;
        let range = buffers.shape.layer(layer);
        LayerConstants {
            width: range.outputs as u32,
            width4: fours(stride(range.outputs)),
            depth: range.inputs as u32,
            depth4: fours(stride(range.inputs)),
            bias: fours(parameters.layout().bias(layer)),
            input_start: fours(channel * buffers.channel(range.inputs)),
            ..self.constants(layer)
        }
    }

    /// Constants of a product with the weight of `layer`, backwards.
    pub(super) fn backwards(&self, layer: usize) -> LayerConstants {
        let range = self.buffers.shape.layer(layer);
        LayerConstants {
            width: range.inputs as u32,
            width4: fours(stride(range.inputs)),
            depth: range.outputs as u32,
            depth4: fours(stride(range.outputs)),
            ..self.constants(layer)
        }
    }

    fn constants(&self, layer: usize) -> LayerConstants {
        LayerConstants {
            rows: self.buffers.rows as u32,
            weight: fours(self.parameters.layout().weight(layer)),
            tangents: self.buffers.tangents as u32,
            ..LayerConstants::default()
        }
    }

    /// A hidden layer with its tangents.
    pub(super) fn forward(&self, layer: usize) -> Result<Dispatch, DeviceError> {
        let Self { device, parameters, buffers, .. } = self;
        let constants = self.forwards(layer, 0);
        let (source, workgroups) =
            self.tiled(&constants, &kernels::LAYER_FORWARD, buffers.tangents + 1, self.tiles.forward)?;
        let Hidden { kept, activations, .. } = &buffers.hidden[layer];
        let arguments = [parameters.buffer(), buffers.below(layer).0, kept, activations].map(Into::into);
        Dispatch::plan(device, (source, &self.activation()), constants, &arguments, workgroups)
    }

    /// The output layer's value.
    pub(super) fn output(&self) -> Result<Dispatch, DeviceError> {
        let Self { device, parameters, buffers, .. } = self;
        let layer = buffers.hidden.len();
        let constants = LayerConstants { linear: 1, tangents: 0, ..self.forwards(layer, buffers.tangents) };
        let (source, workgroups) = self.tiled(&constants, &kernels::LAYER_FORWARD, 1, None)?;
        let below = buffers.below(layer).0;
        let arguments = [parameters.buffer(), below, &buffers.output, &buffers.nothing_written].map(Into::into);
        Dispatch::plan(device, (source, &self.activation()), constants, &arguments, workgroups)
    }

    /// From layer `layer` to δ of what it multiplied.
    pub(super) fn reverse(&self, layer: usize) -> Result<Dispatch, DeviceError> {
        let Self { device, parameters, buffers, .. } = self;
        let (above, _) = buffers.above(layer);
        let below = layer.checked_sub(1);
        let constants = LayerConstants {
            linear: u32::from(below.is_none()),
            input_start: fours(buffers.bar_start(layer)),
            bar_start: below.map_or(0, |below| fours(buffers.bar_start(below))),
            ..self.backwards(layer)
        };
        let (source, workgroups) = self.tiled(&constants, &kernels::LAYER_REVERSE, 1, self.tiles.reverse)?;
        let (kept, delta, bars) = match below {
            None => (&buffers.nothing_read, &buffers.input_bar, &buffers.nothing_written),
            Some(below) => {
                let Hidden { kept, delta, bars, .. } = &buffers.hidden[below];
                (kept, delta, bars)
            }
        };
        let arguments = [parameters.buffer(), above, kept, delta, bars].map(Into::into);
        Dispatch::plan(device, (source, &self.activation()), constants, &arguments, workgroups)
    }

    /// A hidden layer's part of the second derivatives.
    pub(super) fn hessian(&self, layer: usize) -> Result<Dispatch, DeviceError> {
        let Self { device, buffers, .. } = self;
        let family = &kernels::HESSIAN_CONTRACT;
        let tangents = buffers.tangents;
        let source = family.variant(&[("TANGENTS", tangents as u32)]).ok_or_else(|| DeviceError::NoKernel {
            kernel: family.name,
            wanted: format!("{tangents} tangents"),
            offered: "2 to 9",
        })?;
        let Hidden { width, kept, delta, .. } = &buffers.hidden[layer];
        let constants = HessianConstants {
            rows: buffers.rows as u32,
            width4: fours(stride(*width)),
            replace: u32::from(layer == 0),
        };
        let arguments = [kept, delta, &buffers.second_derivatives].map(Into::into);
        /// Samples of a workgroup, as in the shader.
        const SAMPLES: u32 = 4;
        let workgroups = constants.rows.div_ceil(SAMPLES);
        Dispatch::plan_linear(device, (source, &self.activation()), constants, &arguments, workgroups)
    }
}

/// A place or length, all of which are multiples of 4, in units of four numbers.
pub(super) fn fours(numbers: usize) -> u32 {
    debug_assert!(numbers.is_multiple_of(4), "{numbers} is no multiple of 4");
    (numbers / 4) as u32
}
