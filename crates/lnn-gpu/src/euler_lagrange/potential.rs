//! A network of the configuration alone beside the Lagrangian's: its part of the force, and of the gradient.

use lnn_autodiff::jet::{Accumulate, Purpose};

use super::jet::differentiate_output;
use crate::Stage;
use crate::device::{Buffer, Device, DeviceError, Recorder};
use crate::features::{Features, PullBackBuffers, SeedBuffers, TangentBuffers, Tangents};
use crate::mlp::{MlpJet, MlpParameters, Tiles};

/// The term `s·net(features(q, c))` of a Lagrangian for a number of rows.
///
/// ```text
/// r has the part s ∂net/∂q        ∂(Σ λ·q̈)/∂θ has the part ∂/∂θ s D_v net
/// ```
#[derive(Debug)]
pub(crate) struct PotentialTerm {
    seed: Stage,
    jet: MlpJet,
    pull_back: Stage,
    tangent: Option<Stage>,
}

/// What a [`PotentialTerm`] is made for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PotentialSettings<'a> {
    /// The network's inputs, none of them a velocity.
    pub(crate) features: &'a Features,
    /// Factor s.
    pub(crate) scale: f64,
    /// The network's parameters.
    pub(crate) parameters: &'a MlpParameters,
    pub(crate) rows: usize,
    /// (q, q̇, conditionals), `[rows, 2d + c]`.
    pub(crate) states: &'a Buffer<f32>,
    /// Written: s ∂net/∂q, `[rows, d]`.
    pub(crate) forces: &'a Buffer<f32>,
    /// For a gradient: v in the first d of d + 1 numbers of a row, and where the gradient goes.
    pub(crate) gradient: Option<[&'a Buffer<f32>; 2]>,
}

impl PotentialTerm {
    pub(crate) fn new(device: &Device, settings: PotentialSettings<'_>) -> Result<Self, DeviceError> {
        let PotentialSettings { features, scale, parameters, rows, states, forces, gradient } = settings;
        let d = features.map().degrees_of_freedom();
        let purpose = if gradient.is_some() { Purpose::Directional } else { Purpose::Gradient };
        let into = gradient.map(|[_, gradient]| gradient);
        let jet = MlpJet::into_gradient(device, parameters, [0, rows], purpose, &Tiles::default(), into)?;
        differentiate_output(device, parameters.layout().shape().outputs(), jet.output_bar())?;
        let slopes = device.buffer("slopes of the potential", rows * features.stride())?;
        // A feature of the configuration leaves it zero.
        let momenta = device.buffer("momenta of the potential", rows * d)?;
        let seeds = SeedBuffers { states, inputs: jet.inputs(), slopes: &slopes };
        let pulled = PullBackBuffers { slopes: &slopes, x_bar: jet.input_bar(), q_bar: forces, q_dot_bar: &momenta };
        let tangent = match gradient {
            None => None,
            Some([vectors, _]) => {
                // Behind the value.
                let buffers =
                    TangentBuffers { slopes: &slopes, vectors, stride: d + 1, inputs: jet.inputs(), channel: 1 };
                Some(features.position_tangent(device, rows, scale, buffers)?)
            }
        };
        Ok(Self {
            seed: features.seed(device, rows, Tangents::None, seeds)?,
            pull_back: features.pull_back(device, rows, scale, Accumulate::Replace, pulled)?,
            tangent,
            jet,
        })
    }

    /// From the states to the forces.
    pub(crate) fn record_forces(&self, recorder: &mut Recorder) {
        self.seed.record(recorder);
        self.jet.record_forward_derivatives(recorder);
        self.jet.record_reverse(recorder);
        self.pull_back.record(recorder);
    }

    /// From v to the parameter gradient, after the forces; nothing if it was made without.
    pub(crate) fn record_gradient(&self, recorder: &mut Recorder) {
        if let Some(tangent) = &self.tangent {
            tangent.record(recorder);
            self.jet.record_directional_gradient(recorder);
        }
    }
}
