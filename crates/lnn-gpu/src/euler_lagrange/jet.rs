//! The network's passes, by the kernels that suit its width.

use lnn_autodiff::jet::Purpose;

use crate::device::{Buffer, Device, DeviceError, Recorder};
use crate::mlp::{MlpJet, MlpParameters, NarrowJet, NarrowPlan, Tiles, stride};

/// The jets of a Lagrangian's networks along the unit velocities and (q̇, 0).
#[derive(Debug)]
pub(crate) enum Jet {
    Narrow(Box<NarrowJet>),
    Tiled(Box<MlpJet>),
}

impl Jet {
    /// For `rows` samples of each network with `d` coordinates, for gradients too or up to second derivatives; of several
    /// networks only where [narrow kernels](NarrowJet::supports) take them.
    pub(crate) fn new(
        device: &Device,
        parameters: &MlpParameters,
        d: usize,
        rows: usize,
        purpose: Purpose,
        tiles: &Tiles,
    ) -> Result<Self, DeviceError> {
        let jet = Self::plan(device, parameters, d + 1, rows, purpose, tiles)?;
        // What is differentiated is the Lagrangian itself.
        let output_stride = stride(parameters.layout().shape().outputs());
        let numbers = parameters.models() * rows * output_stride;
        let ones: Vec<f32> = (0..numbers).map(|at| f32::from(u8::from(at % output_stride == 0))).collect();
        device.upload(jet.output_bar(), 0, &ones)?;
        Ok(jet)
    }

    fn plan(
        device: &Device,
        parameters: &MlpParameters,
        tangents: usize,
        rows: usize,
        purpose: Purpose,
        tiles: &Tiles,
    ) -> Result<Self, DeviceError> {
        let layout = parameters.layout();
        if !NarrowJet::supports(layout.shape()) {
            return Ok(Self::Tiled(Box::new(MlpJet::with_tiles(device, parameters, tangents, rows, purpose, tiles)?)));
        }
        let plan = NarrowPlan {
            layout,
            parameters: parameters.buffer(),
            models: parameters.models(),
            tangents,
            rows,
            purpose,
            input_cotangents: false,
            workgroup_memory: None,
        };
        Ok(Self::Narrow(Box::new(NarrowJet::with_tiles(device, plan, tiles)?)))
    }

    /// From the inputs to ∂L/∂x and the second derivatives.
    pub(crate) fn record_derivatives(&self, recorder: &mut Recorder) {
        match self {
            Self::Narrow(jet) => jet.record_jet(recorder),
            Self::Tiled(jet) => {
                jet.record_forward_derivatives(recorder);
                jet.record_reverse(recorder);
                jet.record_hessian(recorder);
            }
        }
    }

    /// From the directions of the functional to its parameter gradient.
    pub(crate) fn record_functional_gradient(&self, recorder: &mut Recorder) {
        match self {
            Self::Narrow(jet) => jet.record_functional_gradient(recorder),
            Self::Tiled(jet) => jet.record_functional_gradient(recorder),
        }
    }

    pub(crate) fn inputs(&self) -> &Buffer<f32> {
        match self {
            Self::Narrow(jet) => jet.inputs(),
            Self::Tiled(jet) => jet.inputs(),
        }
    }

    fn output_bar(&self) -> &Buffer<f32> {
        match self {
            Self::Narrow(jet) => jet.output_bar(),
            Self::Tiled(jet) => jet.output_bar(),
        }
    }

    pub(crate) fn input_bar(&self) -> &Buffer<f32> {
        match self {
            Self::Narrow(jet) => jet.input_bar(),
            Self::Tiled(jet) => jet.input_bar(),
        }
    }

    pub(crate) fn second_derivatives(&self) -> &Buffer<f32> {
        match self {
            Self::Narrow(jet) => jet.second_derivatives(),
            Self::Tiled(jet) => jet.second_derivatives(),
        }
    }

    pub(crate) fn coefficients(&self) -> &Buffer<f32> {
        match self {
            Self::Narrow(jet) => jet.coefficients(),
            Self::Tiled(jet) => jet.coefficients(),
        }
    }

    pub(crate) fn gradient(&self) -> &Buffer<f32> {
        match self {
            Self::Narrow(jet) => jet.gradient(),
            Self::Tiled(jet) => jet.gradient(),
        }
    }

    pub(crate) fn gradient_parts(&self) -> usize {
        match self {
            Self::Narrow(jet) => jet.gradient_parts(),
            Self::Tiled(jet) => jet.gradient_parts(),
        }
    }
}
