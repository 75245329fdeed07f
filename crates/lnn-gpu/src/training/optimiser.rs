//! Adam or SOAP behind one interface.

use super::settings::OptimiserSettings;
use crate::device::{Buffer, Device, DeviceError, Recorder};
use crate::mlp::{MlpParameters, ModelParameters};
use crate::optimiser::{Adam, BlockState, ParameterBlock, Soap, SoapError};
use crate::step::StepControl;

/// What an optimiser keeps beside the number of its updates, without padding.
#[derive(Clone, Debug, PartialEq)]
pub enum OptimiserState {
    /// Averages m and v, as the parameters.
    Adam {
        /// m.
        first_moment: Vec<f32>,
        /// v.
        second_moment: Vec<f32>,
    },
    /// Of each layer its weight, then its bias as one row.
    Soap {
        /// Whether the bases have been set up; before that the blocks are zero.
        prepared: bool,
        /// State of each block.
        blocks: Vec<BlockState>,
    },
}

#[derive(Debug)]
pub(super) enum Optimiser {
    Adam(Adam),
    Soap { soap: Box<Soap>, refresh_every: u64, prepared: bool },
}

impl Optimiser {
    pub(super) fn new(
        device: &Device,
        settings: OptimiserSettings,
        control: &StepControl,
        gradient: &Buffer<f32>,
        parameters: &ModelParameters,
    ) -> Result<Self, SoapError> {
        Ok(match settings {
            OptimiserSettings::Adam(settings) => {
                Self::Adam(Adam::new(device, settings, control, gradient, parameters.buffer())?)
            }
            OptimiserSettings::Soap { settings, refresh_every } => {
                assert!(refresh_every > 0, "bases are refreshed every step at most");
                let blocks = blocks(parameters);
                let soap = Soap::new(device, settings, &blocks, control, gradient, parameters.buffer())?;
                Self::Soap { soap: Box::new(soap), refresh_every, prepared: false }
            }
        })
    }

    /// Whether the next gradient makes an update, and not the bases.
    pub(super) const fn is_prepared(&self) -> bool {
        matches!(self, Self::Adam(_) | Self::Soap { prepared: true, .. })
    }

    /// Update number `update`, counted from 1; without bases what [`prepare`](Self::prepare) needs.
    pub(super) fn record(&self, recorder: &mut Recorder, update: u64) {
        match self {
            Self::Adam(adam) => adam.record(recorder),
            Self::Soap { soap, prepared: false, .. } => soap.record_preparation(recorder),
            Self::Soap { soap, refresh_every, .. } => soap.record(recorder, update.is_multiple_of(*refresh_every)),
        }
    }

    /// Sets up the bases, if there are none yet and the last gradient was usable; which of them could not be found.
    pub(super) fn prepare(&mut self, device: &Device, control: &StepControl) -> Result<Vec<SoapError>, DeviceError> {
        let Self::Soap { soap, prepared: prepared @ false, .. } = self else { return Ok(Vec::new()) };
        let outcome = soap.prepare(device, control)?;
        *prepared = outcome.is_some();
        Ok(outcome.unwrap_or_default())
    }

    /// Of one model.
    pub(super) fn download(
        &self,
        device: &Device,
        parameters: &ModelParameters,
        model: usize,
    ) -> Result<OptimiserState, DeviceError> {
        Ok(match self {
            Self::Adam(adam) => {
                let length = parameters.padded_len();
                let [first_moment, second_moment] = adam.moments().map(|moment| {
                    let mut padded = vec![0.0; length];
                    device.download(moment, model * length, &mut padded).map(|()| parameters.unpack(&padded))
                });
                OptimiserState::Adam { first_moment: first_moment?, second_moment: second_moment? }
            }
            Self::Soap { soap, prepared, .. } => {
                OptimiserState::Soap { prepared: *prepared, blocks: soap.download(device, model)? }
            }
        })
    }

    /// A state for each model. Where some have bases and others not yet, those start from the unit matrix, as
    /// [`Soap::prepare`] has it.
    ///
    /// # Panics
    /// If a state is another optimiser's or of another network.
    pub(super) fn upload<'a>(
        &mut self,
        device: &Device,
        parameters: &ModelParameters,
        states: impl Iterator<Item = &'a OptimiserState> + Clone,
    ) -> Result<(), DeviceError> {
        if let Self::Soap { prepared, .. } = self {
            *prepared = states.clone().any(|state| matches!(state, OptimiserState::Soap { prepared: true, .. }));
        }
        for (model, state) in states.enumerate() {
            match (&*self, state) {
                (Self::Adam(adam), OptimiserState::Adam { first_moment, second_moment }) => {
                    for (moment, given) in adam.moments().into_iter().zip([first_moment, second_moment]) {
                        device.upload(moment, model * parameters.padded_len(), &parameters.pack(given))?;
                    }
                }
                (Self::Soap { soap, prepared, .. }, OptimiserState::Soap { prepared: given, blocks }) => {
                    soap.upload(device, model, blocks)?;
                    if *prepared && !given {
                        soap.upload_unit_bases(device, model)?;
                    }
                }
                _ => panic!("the state of another optimiser"),
            }
        }
        Ok(())
    }
}

/// The blocks of a model's parameters, those of one network after the other.
fn blocks(parameters: &ModelParameters) -> Vec<ParameterBlock> {
    let of_network = |(network, &start): (&MlpParameters, &usize)| {
        let own = ParameterBlock::of_network(network.layout());
        own.into_iter().map(move |block| ParameterBlock { offset: start + block.offset, ..block })
    };
    parameters.networks().iter().zip(parameters.starts()).flat_map(of_network).collect()
}
