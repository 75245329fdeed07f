//! Where the layers of all models are, as the fused kernels read it.

use bytemuck::{Pod, Zeroable};

use super::NarrowPlan;
use crate::device::{Argument, BoundKernel, Buffer, Device, DeviceError, Uniforms};
use crate::kernels::KernelSource;
use crate::mlp::planner::activation;
use crate::mlp::{ParameterLayout, stride};

/// Its twin is `Jet` of `shaders/shared/narrow.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct JetConstants {
    rows: u32,
    hidden: u32,
    tangents: u32,
    value: u32,
    parameters4: u32,
    kept4: u32,
    models: u32,
    splits: u32,
}

/// Its twin is `Layer` of `shaders/shared/narrow.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct LayerPlace {
    inputs: u32,
    outputs: u32,
    weight4: u32,
    bias4: u32,
    kept4: u32,
}

/// The networks of a plan: what each of the fused kernels has as its first three bindings.
pub(super) struct Networks<'a> {
    plan: NarrowPlan<'a>,
    /// Record 0 without f itself, record 1 with it.
    constants: Uniforms<JetConstants>,
    layers: Buffer<LayerPlace>,
    /// Numbers that one model keeps between its passes.
    pub(super) kept_of_one: usize,
}

impl<'a> Networks<'a> {
    pub(super) fn new(device: &Device, plan: NarrowPlan<'a>, splits: usize) -> Result<Self, DeviceError> {
        let NarrowPlan { layout, models, tangents, rows, .. } = plan;
        // Of each hidden layer [ż…, z, δ, c_z].
        let (places, kept_of_one) = places(layout, rows, tangents + 3);
        let layers = device.buffer("layers", places.len())?;
        device.upload(&layers, 0, &places)?;
        let without_value = JetConstants {
            rows: rows as u32,
            hidden: layout.shape().hidden_layers() as u32,
            tangents: tangents as u32,
            value: 0,
            parameters4: (layout.padded_len() / 4) as u32,
            kept4: (kept_of_one / 4) as u32,
            models: models as u32,
            splits: splits as u32,
        };
        let constants = device.uniforms("jet", 2)?;
        device.upload_uniforms(&constants, 0, &[without_value, JetConstants { value: 1, ..without_value }])?;
        Ok(Self { plan, constants, layers, kept_of_one })
    }

    /// A fused kernel with its own arrays.
    pub(super) fn bind(
        &self,
        device: &Device,
        source: &'static KernelSource,
        arrays: &[&Buffer<f32>],
    ) -> Result<BoundKernel, DeviceError> {
        let arrays: Vec<_> = arrays.iter().map(|&array| Argument::from(array)).collect();
        self.bind_with(device, source, &[], &arrays)
    }

    /// A fused kernel with other constants of its pipeline than the activation, and any further arguments.
    pub(super) fn bind_with(
        &self,
        device: &Device,
        source: &'static KernelSource,
        overrides: &[(&str, f64)],
        arguments: &[Argument<'_>],
    ) -> Result<BoundKernel, DeviceError> {
        let own = [(&self.constants).into(), (&self.layers).into(), self.plan.parameters.into()];
        let overrides = [&activation(self.plan.layout.shape())[..], overrides].concat();
        device.kernel(source, &overrides)?.bind(device, &[&own[..], arguments].concat())
    }
}

/// Where each layer's parameters and kept channels are within a model, and the numbers kept of one model.
fn places(layout: &ParameterLayout, rows: usize, channels: usize) -> (Vec<LayerPlace>, usize) {
    let mut kept = 0;
    let place = |(layer, range): (usize, &lnn_autodiff::LayerRange)| {
        let [weight4, bias4, kept4] = [layout.weight(layer), layout.bias(layer), kept].map(|place| (place / 4) as u32);
        if layer < layout.shape().hidden_layers() {
            kept += channels * rows * stride(range.outputs);
        }
        LayerPlace { inputs: range.inputs as u32, outputs: range.outputs as u32, weight4, bias4, kept4 }
    };
    let places = layout.shape().layers().iter().enumerate().map(place).collect();
    (places, kept)
}
