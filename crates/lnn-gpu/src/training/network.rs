//! From states and true accelerations to each sample's loss and the batch's gradient.

use lnn_autodiff::jet::Purpose;

use super::lagrangian::Lagrangian;
use super::settings::{Model, PlainModel, TrainingSettings};
use super::source::BatchSource;
use crate::Stage;
use crate::device::{Buffer, Device, DeviceError, Recorder};
use crate::features::{Features, SeedBuffers, Tangents};
use crate::loss::{PlainLossBuffers, PlainLossSettings, plain_loss};
use crate::mlp::{MlpJet, ModelParameters, Tiles};
use crate::step::Terms;

/// The passes of a network between its batch and its gradient, in the order in which they are recorded.
#[derive(Debug)]
pub(super) enum Network {
    Lagrangian(Box<Lagrangian>),
    Plain { features: Stage, jet: Box<MlpJet>, loss: Stage },
}

/// What is learned, and where its gradient goes; both as [`ModelParameters`] have them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Learned<'a> {
    pub(super) parameters: &'a ModelParameters,
    pub(super) gradient: &'a Buffer<f32>,
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
        learned: Learned<'_>,
        source: &BatchSource,
        settings: &TrainingSettings,
        tiles: &Tiles,
        outcomes: Outcomes<'_>,
    ) -> Result<Self, DeviceError> {
        match model {
            Model::Lagrangian(model) => {
                let passes = Lagrangian::new(device, model, learned, source, settings, tiles, outcomes)?;
                Ok(Self::Lagrangian(Box::new(passes)))
            }
            Model::Plain(model) => Self::plain(device, model, learned, source, settings, outcomes),
        }
    }

    fn plain(
        device: &Device,
        model: &PlainModel,
        learned: Learned<'_>,
        source: &BatchSource,
        settings: &TrainingSettings,
        Outcomes { losses, .. }: Outcomes<'_>,
    ) -> Result<Self, DeviceError> {
        let features = Features::new(device, model.features.clone())?;
        let (components, rows) = (features.map().degrees_of_freedom(), settings.batch);
        let Learned { parameters, gradient } = learned;
        let sizes = [0, rows];
        let [network] = parameters.networks() else { panic!("a plain network has no other beside it") };
        let jet = MlpJet::into_gradient(device, network, sizes, Purpose::Gradient, &Tiles::default(), Some(gradient))?;
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

    /// From the batch to its losses and its gradient.
    pub(super) fn record(&self, recorder: &mut Recorder, terms: Terms) {
        match self {
            Self::Lagrangian(passes) => passes.record(recorder, terms),
            Self::Plain { features, jet, loss } => {
                features.record(recorder);
                jet.record_forward(recorder);
                loss.record(recorder);
                jet.record_reverse(recorder);
                jet.record_parameter_vjp(recorder);
            }
        }
    }

    /// What a gradient has without being asked.
    pub(super) fn usual_terms(&self) -> Terms {
        match self {
            Self::Lagrangian(passes) => passes.usual_terms(),
            Self::Plain { .. } => Terms::FullRank,
        }
    }

    /// Partial sums that a gradient is made of.
    pub(super) fn gradient_parts(&self) -> usize {
        match self {
            Self::Lagrangian(passes) => passes.gradient_parts(),
            Self::Plain { jet, .. } => jet.gradient_parts(),
        }
    }
}
