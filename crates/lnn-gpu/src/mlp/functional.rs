//! The passes that carry derivatives of f to its parameters: those of (D_a − D_u D_w) f, and of D_a f alone.

use bytemuck::{Pod, Zeroable};

use super::buffers::Hidden;
use super::gradient::Factors;
use super::plan::{Dispatch, LayerConstants};
use super::planner::{Planner, fours};
use super::stride;
use crate::device::{Buffer, DeviceError};
use crate::kernels;

/// Constants of `input_directions`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct DirectionConstants {
    rows: u32,
    width4: u32,
    tangents: u32,
}

impl Planner<'_> {
    /// The partial sums of the parameter gradient of Σ_o ȳ_o (D_a − D_u D_w) f_o.
    pub(super) fn functional_gradient(&self) -> Result<Vec<Dispatch>, DeviceError> {
        let layers = self.buffers.hidden.len();
        let mut dispatches = vec![self.input_directions()?];
        for layer in 0..layers {
            dispatches.push(self.functional_forward(layer)?);
        }
        for layer in (0..layers).rev() {
            dispatches.push(self.functional_reverse(layer)?);
        }
        dispatches.extend(self.partial_gradients(Factors::Functional)?);
        Ok(dispatches)
    }

    /// The partial sums of the parameter gradient of Σ_o ȳ_o D_a f_o.
    pub(super) fn directional_gradient(&self) -> Result<Vec<Dispatch>, DeviceError> {
        let layers = self.buffers.hidden.len();
        let mut dispatches = Vec::new();
        for layer in 0..layers {
            dispatches.push(self.directional_forward(layer)?);
        }
        for layer in (0..layers).rev() {
            dispatches.push(self.directional_reverse(layer)?);
        }
        dispatches.extend(self.partial_gradients(Factors::Directional)?);
        Ok(dispatches)
    }

    fn directional_forward(&self, layer: usize) -> Result<Dispatch, DeviceError> {
        let Self { device, parameters, buffers, .. } = self;
        let constants = self.forwards(layer, buffers.tangents + 1);
        let (source, workgroups) = self.tiled(&constants, &kernels::DIRECTIONAL_FORWARD, 1, None)?;
        let Hidden { kept, activations, directional, .. } = &buffers.hidden[layer];
        let below = buffers.below(layer).0;
        let arguments = [parameters.buffer(), below, kept, directional, activations].map(Into::into);
        Dispatch::plan(device, (source, &self.activation()), constants, &arguments, workgroups)
    }

    fn directional_reverse(&self, layer: usize) -> Result<Dispatch, DeviceError> {
        let Self { device, parameters, buffers, .. } = self;
        let (constants, above) = self.adjoint_from_above(layer);
        let (source, workgroups) = self.tiled(&constants, &kernels::DIRECTIONAL_REVERSE, 1, None)?;
        let Hidden { kept, delta, bars, directional, .. } = &buffers.hidden[layer];
        let arguments = [parameters.buffer(), above, kept, delta, directional, bars].map(Into::into);
        Dispatch::plan(device, (source, &self.activation()), constants, &arguments, workgroups)
    }

    /// The product that brings the adjoints of the layer above, and what it reads; of depth 0 at the last hidden layer,
    /// since the output layer is linear.
    fn adjoint_from_above(&self, layer: usize) -> (LayerConstants, &Buffer<f32>) {
        let constants = self.backwards(layer + 1);
        if layer + 1 == self.buffers.hidden.len() {
            (LayerConstants { depth: 0, depth4: 0, ..constants }, &self.buffers.nothing_read)
        } else {
            (constants, self.buffers.above(layer + 1).0)
        }
    }

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

    fn functional_forward(&self, layer: usize) -> Result<Dispatch, DeviceError> {
        let Self { device, parameters, buffers, .. } = self;
        let constants = self.forwards(layer, buffers.tangents + 3);
        let (source, workgroups) =
            self.tiled(&constants, &kernels::FUNCTIONAL_FORWARD, 1, self.tiles.functional_forward)?;
        let Hidden { kept, activations, directional, .. } = &buffers.hidden[layer];
        let below = buffers.below(layer).0;
        let arguments = [parameters.buffer(), below, kept, &buffers.coefficients, directional, activations];
        Dispatch::plan(device, (source, &self.activation()), constants, &arguments.map(Into::into), workgroups)
    }

    fn functional_reverse(&self, layer: usize) -> Result<Dispatch, DeviceError> {
        let Self { device, parameters, buffers, .. } = self;
        let (constants, above) = self.adjoint_from_above(layer);
        let (source, workgroups) =
            self.tiled(&constants, &kernels::FUNCTIONAL_REVERSE, 3, self.tiles.functional_reverse)?;
        let Hidden { kept, delta, bars, directional, .. } = &buffers.hidden[layer];
        let arguments = [parameters.buffer(), above, kept, delta, directional, bars].map(Into::into);
        Dispatch::plan(device, (source, &self.activation()), constants, &arguments, workgroups)
    }

    /// The cotangents of the inputs after a gradient of derivatives with this many adjoints; nothing without hidden layers.
    pub(super) fn input_cotangents(&self, channels: usize) -> Result<Option<Dispatch>, DeviceError> {
        let Self { device, parameters, buffers, .. } = self;
        let Some(first) = buffers.hidden.first() else { return Ok(None) };
        let constants = self.backwards(0);
        let (source, workgroups) = self.tiled(&constants, &kernels::INPUT_COTANGENTS, channels, None)?;
        let arguments = [parameters.buffer(), &first.bars, &buffers.input_cotangents].map(Into::into);
        Dispatch::plan(device, (source, &[]), constants, &arguments, workgroups).map(Some)
    }
}
