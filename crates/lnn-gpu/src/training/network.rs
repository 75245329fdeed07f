//! From states and true accelerations to each sample's loss and the batch's gradient.

use lnn_autodiff::jet::Purpose;

use super::settings::{LagrangianModel, Model, PlainModel, TrainingSettings};
use super::source::BatchSource;
use crate::Stage;
use crate::device::{Buffer, Device, DeviceError};
use crate::euler_lagrange::{AccelerationLoss, DifferentiateBuffers, Equation, Jet};
use crate::features::{Features, SeedBuffers, Tangents};
use crate::loss::{PlainLossBuffers, PlainLossSettings, plain_loss};
use crate::mlp::{MlpJet, MlpParameters, Tiles};

/// The passes of a network between its batch and its gradient, in the order in which they are recorded.
#[derive(Debug)]
pub(super) enum Network {
    Lagrangian { features: Stage, jet: Jet, differentiate_loss: Stage },
    Plain { features: Stage, jet: Box<MlpJet>, loss: Stage },
}

/// What the passes of either network write for the optimiser and for a person.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcomes<'a> {
    /// `[models, batch]`.
    pub(super) losses: &'a Buffer<f32>,
    /// Of each model: components that are not finite, matrices that are not finite, matrices that are not of full rank.
    pub(super) tally: &'a Buffer<u32>,
}

impl Network {
    pub(super) fn new(
        device: &Device,
        model: &Model,
        parameters: &MlpParameters,
        source: &BatchSource,
        settings: &TrainingSettings,
        tiles: &Tiles,
        outcomes: Outcomes<'_>,
    ) -> Result<Self, DeviceError> {
        let features = Features::new(device, model.features().clone())?;
        match model {
            Model::Lagrangian(model) => {
                Self::lagrangian(device, model, &features, parameters, source, settings, tiles, outcomes)
            }
            Model::Plain(model) => Self::plain(device, model, &features, parameters, source, settings, outcomes),
        }
    }

    fn lagrangian(
        device: &Device,
        model: &LagrangianModel,
        features: &Features,
        parameters: &MlpParameters,
        source: &BatchSource,
        settings: &TrainingSettings,
        tiles: &Tiles,
        Outcomes { losses, tally }: Outcomes<'_>,
    ) -> Result<Self, DeviceError> {
        let (d, rows) = (features.map().degrees_of_freedom(), settings.models * settings.batch);
        let jet = Jet::new(device, parameters, d, settings.batch, Purpose::Functional, tiles)?;
        let slopes = device.buffer("slopes", rows * features.stride())?;
        let terms = device.buffer("constant-rank terms", 4 * rows * d)?;
        let seeds = SeedBuffers { states: &source.states, inputs: jet.inputs(), slopes: &slopes };
        let (masses, units, tolerance) = (&model.masses[..], model.units.as_deref(), model.tolerance);
        let acceleration_loss = AccelerationLoss {
            loss: settings.loss,
            batch: settings.batch,
            units: settings.error_units.as_deref(),
            target: &source.target,
            weights: source.weights.as_ref(),
        };
        let buffers = DifferentiateBuffers {
            slopes: &slopes,
            x_bar: jet.input_bar(),
            second_derivatives: jet.second_derivatives(),
            coefficients: jet.coefficients(),
            inputs: jet.inputs(),
            // Behind d + 1 tangents, the value, x_u and x_w.
            channel: d + 4,
            losses,
            terms: &terms,
            tally,
        };
        let equation = Equation { features, rows, masses, units, tolerance };
        Ok(Self::Lagrangian {
            features: features.seed(device, rows, Tangents::Lagrangian, seeds)?,
            differentiate_loss: equation.differentiate_loss(device, acceleration_loss, buffers)?,
            jet,
        })
    }

    fn plain(
        device: &Device,
        model: &PlainModel,
        features: &Features,
        parameters: &MlpParameters,
        source: &BatchSource,
        settings: &TrainingSettings,
        Outcomes { losses, .. }: Outcomes<'_>,
    ) -> Result<Self, DeviceError> {
        let (components, rows) = (features.map().degrees_of_freedom(), settings.batch);
        let jet = MlpJet::new(device, parameters, 0, rows, Purpose::Gradient)?;
        let slopes = device.buffer("slopes", rows * features.stride())?;
        let seeds = SeedBuffers { states: &source.states, inputs: jet.inputs(), slopes: &slopes };
        let loss_settings = PlainLossSettings {
            loss: settings.loss,
            rows,
            components,
            output_scale: model.output_scale,
            batch: rows,
            units: settings.error_units.as_deref(),
        };
        let buffers = PlainLossBuffers {
            output: jet.output(),
            target: &source.target,
            weights: source.weights.as_ref(),
            output_bar: jet.output_bar(),
            losses,
        };
        Ok(Self::Plain {
            features: features.seed(device, rows, Tangents::None, seeds)?,
            loss: plain_loss(device, loss_settings, buffers)?,
            jet: Box::new(jet),
        })
    }

    pub(super) fn gradient(&self) -> &Buffer<f32> {
        match self {
            Self::Lagrangian { jet, .. } => jet.gradient(),
            Self::Plain { jet, .. } => jet.gradient(),
        }
    }

    pub(super) fn gradient_parts(&self) -> usize {
        match self {
            Self::Lagrangian { jet, .. } => jet.gradient_parts(),
            Self::Plain { jet, .. } => jet.gradient_parts(),
        }
    }
}
