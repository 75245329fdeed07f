//! The data flow of a training step, and many of them in one submission.

mod profile;

use super::network::{Learned, Network, Outcomes};
use super::optimiser::{Optimiser, OptimiserState};
use super::settings::{Model, TrainingSettings};
use super::source::{BatchSource, Batches};
use crate::device::{Buffer, Device, DeviceError, Recorder};
use crate::mlp::{ModelParameters, Tiles};
use crate::optimiser::SoapError;
use crate::step::{StepBuffers, StepControl, StepReport, StepSettings, StepState, Terms};

/// Steps of one command buffer: while the device works on one the next is written.
const RECORDED_AT_ONCE: usize = 32;

/// Networks in training on a device: one, or several of one shape by one recipe side by side, each with parameters and
/// batches of its own.
#[derive(Debug)]
pub struct Training {
    device: Device,
    parameters: ModelParameters,
    source: BatchSource,
    network: Network,
    control: StepControl,
    optimiser: Optimiser,
    /// As in [`Outcomes`].
    tally: Buffer<u32>,
    /// Steps taken, as far as the device was asked.
    steps: u64,
    /// Whether it was asked after everything that was submitted: not after an error in the middle of a run.
    synchronised: bool,
    /// Of what the next gradients are made. Tiled products make constant-rank terms in two more sweeps of the whole batch, and
    /// most trainings never have such.
    terms: Terms,
}

/// What a submission's steps did to one model.
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
    /// Why SOAP has no bases for this model, which can learn nothing then.
    pub failed: Option<SoapError>,
}

/// Where one model stands, for a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelState {
    /// The parameters without padding.
    pub parameters: Vec<f32>,
    /// Steps, updates, and the state of clipping.
    pub step: StepState,
    /// What the optimiser keeps.
    pub optimiser: OptimiserState,
}

impl Training {
    /// Buffers and kernels, and no step made yet; the parameters are zero until they are [uploaded](Self::upload_parameters).
    ///
    /// # Errors
    /// The adapter is too small, there is no kernel for so many coordinates or so large a layer, or the device is lost.
    ///
    /// # Panics
    /// If the batch or a submission is empty, a number of masses or units is not that of the coordinates, or there are
    /// several models and no [kernels](Model::side_by_side) for them side by side.
    pub fn new(device: &Device, model: &Model, settings: &TrainingSettings) -> Result<Self, SoapError> {
        Self::with_tiles(device, model, settings, &Tiles::default())
    }

    /// As [`new`](Self::new), with these tiles of a Lagrangian's kernels where they are chosen.
    ///
    /// # Errors
    /// Also if there is no kernel with such a tile, or the adapter is too small for it.
    ///
    /// # Panics
    /// As `new`.
    pub fn with_tiles(
        device: &Device,
        model: &Model,
        settings: &TrainingSettings,
        tiles: &Tiles,
    ) -> Result<Self, SoapError> {
        let TrainingSettings { models, batch, steps, .. } = *settings;
        assert!(models == 1 || model.side_by_side(), "{models} models of a kind that is trained one at a time");
        let features = model.features();
        let d = features.degrees_of_freedom();
        let parameters = ModelParameters::new(device, &model.shapes(), models)?;
        let sizes = [models, batch, 2 * d + features.conditionals(), d];
        let source = BatchSource::new(device, &settings.source, sizes, steps)?;
        let (losses, tally) = (device.buffer("losses", models * batch)?, device.buffer("tally", 3 * models)?);
        let outcomes = Outcomes { losses: &losses, tally: &tally };
        let gradient = device.buffer("gradient", parameters.buffer().len())?;
        let learned = Learned { parameters: &parameters, gradient: &gradient };
        let network = Network::new(device, model, learned, &source, settings, tiles, outcomes)?;
        let weights = source.weights.as_ref();
        let buffers = StepBuffers {
            losses: &losses,
            weights,
            gradient: &gradient,
            parameters: parameters.buffer(),
            tally: &tally,
        };
        let control = StepControl::new(device, step_settings(settings), buffers)?;
        let optimiser = Optimiser::new(device, settings.optimiser, &control, &gradient, &parameters)?;
        let (device, terms) = (device.clone(), network.usual_terms());
        Ok(Self { device, parameters, source, network, control, optimiser, tally, steps: 0, synchronised: true, terms })
    }

    /// One step: number `step` of its submission, and update number `update` if none before it was skipped.
    fn record_step(&self, recorder: &mut Recorder, step: usize, update: u64, terms: Terms) {
        self.source.record(recorder, step);
        self.network.record(recorder, terms);
        self.control.record_decision(recorder, step);
        self.optimiser.record(recorder, update);
        self.control.record_restoration(recorder);
    }

    /// Makes the steps from number `first` on, one for each learning rate, and waits for them: what they did to each model.
    ///
    /// Batches are drawn by the stream of the step's number, or were [uploaded](Self::upload_batches). All models have
    /// these rates. SOAP's bases are turned for all of them at once, by the number of the step.
    ///
    /// The first sample whose mass matrix is not of full rank stops the steps on the device; they are made from there on again
    /// with the constant-rank terms of its gradient, and so are the next ones until such samples stay away. No number depends
    /// on where that happens.
    ///
    /// # Errors
    /// The device is lost or does not answer in time.
    ///
    /// # Panics
    /// If there are more rates than steps of a submission, or none.
    pub fn run(&mut self, first: u64, rates: &[f64]) -> Result<Vec<Submitted>, DeviceError> {
        assert!(!rates.is_empty(), "at least one step");
        let device = self.device.clone();
        self.synchronise()?;
        let before = self.steps;
        if !self.optimiser.is_prepared() {
            // Bases are made of the first gradient, which must lack nothing then.
            self.terms = Terms::All;
        }
        self.control.set_rates(&device, 0, rates, self.terms)?;
        self.source.set_streams(&device, first, rates.len())?;
        let mut failed = Vec::new();
        let states = loop {
            failed.extend(self.submit(first, (self.steps - before) as usize, rates.len())?);
            let states = self.control.download_states(&device)?;
            self.taken(&states);
            let made = (self.steps - before) as usize;
            if made == rates.len() {
                break states;
            }
            assert!(self.terms == Terms::FullRank, "a step with all terms was not taken");
            self.terms = Terms::All;
            self.control.set_rates(&device, made, &rates[made..], self.terms)?;
        };
        let reports = self.control.download_reports_after(&device, &states, rates.len())?;
        let mut tally = vec![0; self.tally.len()];
        device.download(&self.tally, 0, &mut tally)?;
        let deficient = |model: usize| u64::from(tally[3 * model + 2]);
        if (0..self.models()).all(|model| deficient(model) == 0) {
            self.terms = self.network.usual_terms();
        }
        let lost = self.control.lost_averages(&device)?;
        let submitted = |(model, (reports, state)): (usize, (&[StepReport], &StepState))| Submitted {
            reports: reports.to_vec(),
            skipped: u64::from(state.skipped),
            rank_deficient: deficient(model),
            averages_lost: lost.contains(&model),
            failed: failed.iter().find(|error| error.model() == Some(model)).cloned(),
        };
        Ok(reports.chunks_exact(rates.len()).zip(&states).enumerate().map(submitted).collect())
    }

    /// Counts the steps that were taken since the last time.
    fn taken(&mut self, states: &[StepState]) -> u64 {
        // Modulo 2³², as the device counts.
        let taken = u64::from(states[0].steps.wrapping_sub(self.steps as u32));
        self.steps += taken;
        self.synchronised = true;
        taken
    }

    /// Before something is submitted: asks the device for its steps if that is open, and leaves it open.
    fn synchronise(&mut self) -> Result<(), DeviceError> {
        if !self.synchronised {
            let states = self.control.download_states(&self.device)?;
            self.taken(&states);
        }
        self.synchronised = false;
        Ok(())
    }

    /// The steps of a submission from number `made` to `count`; which of SOAP's bases could not be found.
    fn submit(&mut self, first: u64, made: usize, count: usize) -> Result<Vec<SoapError>, DeviceError> {
        let device = self.device.clone();
        self.synchronised = false;
        let mut recorder = device.recorder("training steps");
        // Before the step that stopped there was nothing to count.
        recorder.clear(&self.tally);
        let (mut recorded, mut failed) = (0, Vec::new());
        for step in made..count {
            let prepared = self.optimiser.is_prepared();
            // The first step makes SOAP's bases and no update. Counted by steps, so that neither a skipped one nor the length of
            // a submission, which hangs on the clock, changes a bit of what follows.
            self.record_step(&mut recorder, step, first + step as u64, self.terms);
            recorded += 1;
            if recorded == RECORDED_AT_ONCE || !prepared {
                recorded = 0;
                std::mem::replace(&mut recorder, device.recorder("training steps")).submit()?;
                failed.extend(self.optimiser.prepare(&device, &self.control)?);
            }
        }
        recorder.submit()?;
        Ok(failed)
    }

    /// How many models are trained side by side.
    pub fn models(&self) -> usize {
        self.parameters.models()
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

    /// The parameters without padding, one model after the other; waits for what was submitted.
    ///
    /// # Errors
    /// The device is lost or does not answer in time.
    pub fn download_parameters(&self) -> Result<Vec<f32>, DeviceError> {
        self.parameters.download(&self.device)
    }

    /// Replaces the parameters, one model after the other.
    ///
    /// # Errors
    /// The device is lost.
    ///
    /// # Panics
    /// If there are more or fewer.
    pub fn upload_parameters(&self, parameters: &[f32]) -> Result<(), DeviceError> {
        self.parameters.upload(&self.device, parameters)
    }

    /// Where a model stands; waits for what was submitted.
    ///
    /// # Errors
    /// The device is lost or does not answer in time.
    ///
    /// # Panics
    /// If there is no such model.
    pub fn download(&self, model: usize) -> Result<ModelState, DeviceError> {
        Ok(ModelState {
            parameters: self.parameters.download_model(&self.device, model)?,
            step: self.control.download_states(&self.device)?[model],
            optimiser: self.optimiser.download(&self.device, &self.parameters, model)?,
        })
    }

    /// Goes back to a checkpoint with as many steps of each model.
    ///
    /// # Errors
    /// The device is lost.
    ///
    /// # Panics
    /// If the models or a model's parameters are more or fewer, they have made other numbers of steps, or a state is that of
    /// another optimiser or network.
    pub fn restore(&mut self, states: &[ModelState]) -> Result<(), DeviceError> {
        let steps: Vec<StepState> = states.iter().map(|state| state.step).collect();
        assert!(steps.windows(2).all(|pair| pair[0].steps == pair[1].steps), "models go on from the same step");
        self.upload_parameters(&states.iter().flat_map(|state| &state.parameters).copied().collect::<Vec<_>>())?;
        self.control.upload_states(&self.device, &steps)?;
        let optimisers = states.iter().map(|state| &state.optimiser);
        self.optimiser.upload(&self.device, &self.parameters, optimisers)?;
        (self.steps, self.synchronised) = (u64::from(steps[0].steps), true);
        self.terms = self.network.usual_terms();
        Ok(())
    }
}

fn step_settings(settings: &TrainingSettings) -> StepSettings {
    let averages = settings.optimiser.averages();
    StepSettings {
        models: settings.models,
        samples: settings.batch,
        penalty: settings.penalty,
        clipping: settings.clipping,
        beta1: averages.beta1,
        beta2: averages.beta2,
        weight_decay: settings.weight_decay,
        steps: settings.steps,
    }
}
