//! The network's passes to second derivatives, by the kernels that suit its width.

use lnn_autodiff::jet::Purpose;

use crate::device::{Buffer, Device, DeviceError, Recorder};
use crate::mlp::{MlpJet, MlpParameters, NarrowJet, NarrowPlan, Tiles, stride};

/// The jets of a Lagrangian's network along the unit velocities and (q̇, 0), without gradients.
#[derive(Debug)]
pub(crate) enum Jet {
    Narrow(Box<NarrowJet>),
    Tiled(Box<MlpJet>),
}

impl Jet {
    /// For `rows` states of a network with `d` coordinates.
    pub(crate) fn new(
        device: &Device,
        parameters: &MlpParameters,
        [d, rows]: [usize; 2],
        tiles: &Tiles,
    ) -> Result<Self, DeviceError> {
        let (layout, tangents, purpose) = (parameters.layout(), d + 1, Purpose::Hessian);
        let jet = if NarrowJet::supports(layout.shape()) {
            let plan = NarrowPlan {
                layout,
                parameters: parameters.buffer(),
                models: 1,
                tangents,
                rows,
                purpose,
                gradient: None,
                input_cotangents: false,
                workgroup_memory: None,
            };
            Self::Narrow(Box::new(NarrowJet::with_tiles(device, plan, tiles)?))
        } else {
            Self::Tiled(Box::new(MlpJet::with_tiles(device, parameters, tangents, rows, purpose, tiles)?))
        };
        differentiate_output(device, layout.shape().outputs(), jet.output_bar())?;
        Ok(jet)
    }

    /// From the inputs to ∂L/∂x and the second derivatives.
    pub(crate) fn record(&self, recorder: &mut Recorder) {
        match self {
            Self::Narrow(jet) => jet.record_jet(recorder),
            Self::Tiled(jet) => {
                jet.record_forward_derivatives(recorder);
                jet.record_reverse(recorder);
                jet.record_hessian(recorder);
            }
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
}

/// Makes ȳ `[rows, stride]` that of a network's first output, which is the Lagrangian or a part of it.
pub(crate) fn differentiate_output(
    device: &Device,
    outputs: usize,
    output_bar: &Buffer<f32>,
) -> Result<(), DeviceError> {
    let stride = stride(outputs);
    let ones: Vec<f32> = (0..output_bar.len()).map(|at| f32::from(u8::from(at % stride == 0))).collect();
    device.upload(output_bar, 0, &ones)
}
