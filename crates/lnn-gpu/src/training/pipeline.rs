//! The data flow of a training step, and many of them in one submission.

use super::network::{Network, Outcomes};
use super::optimiser::{Optimiser, OptimiserState};
use super::settings::{Model, TrainingSettings};
use super::source::{BatchSource, Batches};
use crate::device::{Buffer, Device, DeviceError, Recorder};
use crate::mlp::MlpParameters;
use crate::optimiser::SoapError;
use crate::step::{StepBuffers, StepControl, StepReport, StepSettings, StepState};

/// Steps of one command buffer: while the device works on one the next is written.
const RECORDED_AT_ONCE: usize = 32;

/// A network in training on a device.
#[derive(Debug)]
pub struct Training {
    device: Device,
    parameters: MlpParameters,
    source: BatchSource,
    network: Network,
    control: StepControl,
    optimiser: Optimiser,
    /// As in [`Outcomes`].
    tally: Buffer<u32>,
    /// Updates that were made.
    updates: u64,
}

/// What a submission's steps did.
#[derive(Clone, Debug, PartialEq)]
pub struct Submitted {
    /// A report for each step.
    pub reports: Vec<StepReport>,
    /// Steps skipped since the training's first.
    pub skipped: u64,
    /// Samples of these steps whose mass matrix was finite and not of full rank.
    pub rank_deficient: u64,
    /// Whether the optimiser's averages have overflowed, from which no later step can recover.
    pub averages_lost: bool,
}

impl Training {
    /// Buffers and kernels, and no step made yet; the parameters are zero until they are [uploaded](Self::upload_parameters).
    ///
    /// # Errors
    /// The adapter is too small, there is no kernel for so many coordinates or so large a layer, or the device is lost.
    ///
    /// # Panics
    /// If the batch or a submission is empty, or a number of masses or units is not that of the coordinates.
    pub fn new(device: &Device, model: &Model, settings: &TrainingSettings) -> Result<Self, SoapError> {
        let TrainingSettings { batch, steps, .. } = *settings;
        let features = model.features();
        let d = features.degrees_of_freedom();
        let parameters = MlpParameters::new(device, model.shape())?;
        let source = BatchSource::new(device, &settings.source, [batch, 2 * d + features.conditionals(), d], steps)?;
        let (losses, tally) = (device.buffer("losses", batch)?, device.buffer("tally", 3)?);
        let outcomes = Outcomes { losses: &losses, tally: &tally };
        let network = Network::new(device, model, &parameters, &source, settings, outcomes)?;
        let gradient = network.gradient();
        let weights = source.weights.as_ref();
        let buffers = StepBuffers { losses: &losses, weights, gradient, parameters: parameters.buffer() };
        let control = StepControl::new(device, step_settings(settings), buffers)?;
        let optimiser = Optimiser::new(device, settings.optimiser, &control, gradient, &parameters)?;
        Ok(Self { device: device.clone(), parameters, source, network, control, optimiser, tally, updates: 0 })
    }

    /// One step: number `step` of its submission, and update number `update` if it is made.
    fn record_step(&self, recorder: &mut Recorder, step: usize, update: u64) {
        self.source.record(recorder, step);
        match &self.network {
            Network::Lagrangian { features, jet, differentiate_loss } => {
                features.record(recorder);
                jet.record_derivatives(recorder);
                differentiate_loss.record(recorder);
                jet.record_functional_gradient(recorder);
            }
            Network::Plain { features, jet, loss } => {
                features.record(recorder);
                jet.record_forward(recorder);
                loss.record(recorder);
                jet.record_reverse(recorder);
                jet.record_parameter_vjp(recorder);
            }
        }
        self.control.record_decision(recorder, step);
        self.optimiser.record(recorder, update);
        self.control.record_restoration(recorder);
    }

    /// Makes the steps from number `first` on, one for each learning rate, and waits for them.
    ///
    /// Batches are drawn by the stream of the step's number, or were [uploaded](Self::upload_batches).
    ///
    /// # Errors
    /// An eigendecomposition that does not converge at SOAP's first step; the device is lost or does not answer in time.
    ///
    /// # Panics
    /// If there are more rates than steps of a submission, or none.
    pub fn run(&mut self, first: u64, rates: &[f64]) -> Result<Submitted, SoapError> {
        assert!(!rates.is_empty(), "at least one step");
        let device = self.device.clone();
        self.control.set_rates(&device, rates)?;
        self.source.set_streams(&device, first, rates.len())?;
        let mut recorder = device.recorder("training steps");
        recorder.clear(&self.tally);
        let mut recorded = 0;
        for step in 0..rates.len() {
            let prepared = self.optimiser.is_prepared();
            self.updates += u64::from(prepared);
            self.record_step(&mut recorder, step, self.updates);
            recorded += 1;
            if recorded == RECORDED_AT_ONCE || !prepared {
                recorded = 0;
                std::mem::replace(&mut recorder, device.recorder("training steps")).submit()?;
                self.optimiser.prepare(&device, &self.control)?;
            }
        }
        recorder.submit()?;
        let reports = self.control.download_reports(&device, rates.len())?;
        let state = self.state()?;
        // Skipped steps make no update.
        self.updates = u64::from(state.updates);
        let mut tally = [0; 3];
        device.download(&self.tally, 0, &mut tally)?;
        Ok(Submitted {
            reports,
            skipped: u64::from(state.skipped),
            rank_deficient: u64::from(tally[2]),
            averages_lost: !self.control.lost_averages(&device)?.is_empty(),
        })
    }

    /// The batches of the next [`run`](Self::run)'s steps, where they are not drawn on the device.
    ///
    /// # Errors
    /// The device is lost.
    ///
    /// # Panics
    /// If batches are drawn, or a length is not that of these steps.
    pub fn upload_batches(&self, steps: usize, batches: Batches<'_>) -> Result<(), DeviceError> {
        self.source.upload(&self.device, steps, batches)
    }

    /// The parameters without padding; waits for what was submitted.
    ///
    /// # Errors
    /// The device is lost or does not answer in time.
    pub fn download_parameters(&self) -> Result<Vec<f32>, DeviceError> {
        self.parameters.download(&self.device)
    }

    /// Replaces the parameters.
    ///
    /// # Errors
    /// The device is lost.
    ///
    /// # Panics
    /// If there are more or fewer.
    pub fn upload_parameters(&self, parameters: &[f32]) -> Result<(), DeviceError> {
        self.parameters.upload(&self.device, parameters)
    }

    /// Steps, updates, and the state of clipping; waits for what was submitted.
    ///
    /// # Errors
    /// The device is lost or does not answer in time.
    pub fn state(&self) -> Result<StepState, DeviceError> {
        Ok(self.control.download_states(&self.device)?[0])
    }

    /// What the optimiser keeps; waits for what was submitted.
    ///
    /// # Errors
    /// The device is lost or does not answer in time.
    pub fn optimiser_state(&self) -> Result<OptimiserState, DeviceError> {
        self.optimiser.download(&self.device, self.parameters.layout())
    }

    /// Goes back to a checkpoint.
    ///
    /// # Errors
    /// The device is lost.
    ///
    /// # Panics
    /// If the parameters are more or fewer, or the state is that of another optimiser or network.
    pub fn restore(
        &mut self,
        parameters: &[f32],
        state: StepState,
        optimiser: &OptimiserState,
    ) -> Result<(), DeviceError> {
        self.upload_parameters(parameters)?;
        self.control.upload_states(&self.device, &[state])?;
        self.optimiser.upload(&self.device, self.parameters.layout(), optimiser)?;
        self.updates = u64::from(state.updates);
        Ok(())
    }
}

fn step_settings(settings: &TrainingSettings) -> StepSettings {
    let averages = settings.optimiser.averages();
    StepSettings {
        models: 1,
        samples: settings.batch,
        penalty: settings.penalty,
        clipping: settings.clipping,
        beta1: averages.beta1,
        beta2: averages.beta2,
        weight_decay: settings.weight_decay,
        steps: settings.steps,
    }
}
