//! A training on a graphics card, as the training loop drives it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use lnn_gpu::device::Device;
use lnn_gpu::optimiser::SoapError;
use lnn_gpu::step::{Outcome, StepReport as DeviceReport};
use lnn_gpu::training::{Model, ModelState, Source, Submitted, Training, TrainingSettings};
use lnn_gpu::tuning::ShapeClass;
use lnn_physics::System;

use super::batches::HostBatches;
use super::cache::TunedTiles;
use super::choice::BackendError;
use super::kernels::MissingKernel;
use super::pace::Pace;
use super::recipe::{device_clipping, device_loss, device_model, device_optimiser, drawn_on_device};
use super::state::{clip_tensors, optimiser_state, optimiser_tensors, step_state};
use crate::config::ExperimentConfig;
use crate::experiment::{ExperimentError, Purpose, build_plan, sampler};
use crate::fit::{Advanced, Data, StepError, StepReport, Trainer, TrainingPlan, TrainingState};
use crate::optimiser::{Optimiser, OptimiserError, RunningNormClip, Schedule, check_finite};

/// Most steps of a submission whose batches are drawn on the device.
const MOST_DRAWN: usize = 1024;

/// A training in single precision on a graphics card: many steps in one submission, nothing read back between them but
/// losses. Or those of several seeds, side by side in the same launches.
///
/// Batches are those of the processor: drawn on the device where it knows the system and all samples are drawn alike, and
/// else on the processor. Results agree within the rounding of single precision, not bit for bit.
pub struct DeviceTraining {
    training: Training,
    /// Where batches are not drawn on the device.
    batches: Option<HostBatches>,
    /// Day of the tuning that the tiles are from.
    tuned_on: Option<String>,
    schedule: Schedule,
    batch: usize,
    /// Of one member.
    parameter_count: usize,
    step: u64,
    /// Of each member.
    skipped: Vec<u64>,
    /// Those that can learn no more, and are carried along.
    lost: Vec<bool>,
    /// The parameters of all members, once they were read at this step.
    parameters: Option<Vec<f32>>,
    /// Samples of this session, and those whose mass matrix was not of full rank.
    samples: u64,
    rank_deficient: u64,
    pace: Pace,
    /// The processor's own, which know the tensors of a checkpoint.
    optimiser: Box<dyn Optimiser<f32>>,
    clip: RunningNormClip,
}

impl DeviceTraining {
    /// The training of model `name` as `config` describes it, at step 0.
    ///
    /// # Errors
    /// As [`build_training`](crate::experiment::build_training), something that there are no kernels for, or a device that
    /// is too small.
    ///
    /// # Panics
    /// If `config` has no model of that name.
    pub fn new(
        device: &Device,
        config: &ExperimentConfig,
        name: &str,
        system: Arc<dyn System>,
    ) -> Result<Self, ExperimentError> {
        Self::of_seeds(device, config, name, system, &[config.seed])
    }

    /// As [`new`](Self::new), for the seeds of `seeds` in place of the configuration's, each as in a run of its own.
    ///
    /// # Errors
    /// Also a model of which only one can be trained [at a time](super::trained_side_by_side).
    ///
    /// # Panics
    /// Also if there is no seed.
    pub fn of_seeds(
        device: &Device,
        config: &ExperimentConfig,
        name: &str,
        system: Arc<dyn System>,
        seeds: &[u64],
    ) -> Result<Self, ExperimentError> {
        Self::with_tiles(device, config, name, system, seeds, &TunedTiles::default())
    }

    /// As [`of_seeds`](Self::of_seeds), with the tiles that were tuned for networks and batches like these, if there are such.
    ///
    /// # Errors
    /// As `of_seeds`.
    ///
    /// # Panics
    /// As `of_seeds`.
    pub fn with_tiles(
        device: &Device,
        config: &ExperimentConfig,
        name: &str,
        system: Arc<dyn System>,
        seeds: &[u64],
        tuned: &TunedTiles,
    ) -> Result<Self, ExperimentError> {
        let recipe = &config.models[name].training;
        let TrainingPlan { objective, l2_penalty, batch, optimiser, clip, schedule, .. } =
            build_plan::<f32>(config, name, system)?;
        let missing = |what: &str| {
            let missing = vec![MissingKernel { model: name.to_owned(), what: what.to_owned() }];
            ExperimentError::Backend(BackendError::NoKernels { missing })
        };
        let model = device_model(objective.model()).ok_or_else(|| missing("is a network of another kind"))?;
        if seeds.len() > 1 && !model.side_by_side() {
            return Err(missing("is trained one at a time"));
        }
        let Data::States(states) = objective.data() else {
            return Err(missing("does not learn from fresh states"));
        };
        let d = objective.model().features().degrees_of_freedom();
        let drawn = drawn_on_device(states, &config.system.complete()?, seeds);
        let batches = if drawn.is_some() {
            None
        } else {
            let samplers = seeds.iter().map(|&seed| sampler(seed, Purpose::Training)).collect();
            Some(HostBatches::new(states.clone(), samplers, batch, d))
        };
        let weighted = batches.as_ref().is_some_and(HostBatches::is_weighted);
        let steps = batches.as_ref().map_or(MOST_DRAWN, HostBatches::most_steps);
        let (optimiser_settings, weight_decay) = device_optimiser(recipe.optimiser);
        let settings = TrainingSettings {
            models: seeds.len(),
            source: drawn.unwrap_or(Source::Uploaded { weighted }),
            batch,
            loss: device_loss(recipe.loss),
            error_units: None,
            penalty: l2_penalty,
            clipping: device_clipping(recipe.clipping),
            optimiser: optimiser_settings,
            weight_decay,
            steps,
        };
        let tuned = match &model {
            Model::Lagrangian(model) => tuned.of(ShapeClass::of(&model.shape, d + 1, seeds.len() * batch)),
            Model::Plain(_) => None,
        };
        let tiles = tuned.map(|entry| entry.tiles).unwrap_or_default();
        let training = Training::with_tiles(device, &model, &settings, &tiles).map_err(|source| match source {
            SoapError::Device(source) => BackendError::Device(source).into(),
            other => missing(&other.to_string()),
        })?;
        let initialisation = &config.models[name].initialisation;
        let parameters: Vec<f32> =
            seeds.iter().flat_map(|&seed| initialisation.draw::<f32>(objective.model(), seed)).collect();
        training.upload_parameters(&parameters).map_err(BackendError::Device)?;
        Ok(Self {
            training,
            batches,
            tuned_on: tuned.map(|entry| entry.date.clone()),
            schedule,
            batch,
            parameter_count: parameters.len() / seeds.len(),
            step: 0,
            skipped: vec![0; seeds.len()],
            lost: vec![false; seeds.len()],
            parameters: None,
            samples: 0,
            rank_deficient: 0,
            pace: Pace::new(steps),
            optimiser,
            clip,
        })
    }

    /// What the steps of a submission did to a member.
    fn advanced(submitted: Submitted, rates: &[f64]) -> Advanced {
        let mut advanced = Advanced::default();
        for (report, &learning_rate) in submitted.reports.into_iter().zip(rates) {
            advanced.add(step_report(report, learning_rate));
        }
        advanced.fault = match submitted.failed {
            Some(SoapError::Eigendecomposition { block, dimension, .. }) => {
                Some(OptimiserError::Eigendecomposition { block, dimension })
            }
            _ => None,
        };
        advanced
    }

    /// Where the tiles of its kernels are from, in words.
    pub fn tiles_in_words(&self) -> String {
        match &self.tuned_on {
            Some(date) => format!("tiles tuned for this adapter on {date}"),
            None => "default tiles".to_owned(),
        }
    }
}

impl Trainer<f32> for DeviceTraining {
    fn members(&self) -> usize {
        self.skipped.len()
    }

    fn advance(&mut self, to_step: u64, members: &mut [Advanced]) -> Result<(), StepError> {
        assert!(self.step < to_step, "{} steps are done, and {to_step} are asked for", self.step);
        assert_eq!(members.len(), self.skipped.len(), "members");
        let steps = self.pace.steps(to_step - self.step);
        let rates: Vec<f64> = (self.step..).take(steps).map(|step| self.schedule.learning_rate(step)).collect();
        let start = Instant::now();
        if let Some(batches) = &mut self.batches {
            self.training.upload_batches(steps, batches.draw(self.step, steps)?)?;
        }
        let submitted = self.training.run(self.step, &rates)?;
        self.pace.measured(steps, start.elapsed());
        self.step += steps as u64;
        self.parameters = None;
        for (member, submitted) in submitted.into_iter().enumerate() {
            self.skipped[member] = submitted.skipped;
            // It is carried along, and nothing that it does counts.
            if self.lost[member] {
                members[member] = Advanced::default();
                continue;
            }
            self.samples += (steps * self.batch) as u64;
            self.rank_deficient += submitted.rank_deficient;
            let averages_lost = submitted.averages_lost;
            members[member] = Self::advanced(submitted, &rates);
            if averages_lost && members[member].fault.is_none() {
                members[member].fault = Some(self.lost_average(member)?);
            }
            self.lost[member] = members[member].fault.is_some();
        }
        Ok(())
    }

    fn step_count(&self) -> u64 {
        self.step
    }

    fn skipped_steps(&self, member: usize) -> u64 {
        self.skipped[member]
    }

    fn batch(&self) -> usize {
        self.batch
    }

    fn parameter_count(&self) -> usize {
        self.parameter_count
    }

    fn parameters(&mut self, member: usize) -> Result<Cow<'_, [f32]>, StepError> {
        let all = match self.parameters.take() {
            Some(all) => all,
            None => self.training.download_parameters()?,
        };
        let all = self.parameters.insert(all);
        Ok(Cow::Borrowed(&all[member * self.parameter_count..][..self.parameter_count]))
    }

    fn state(&mut self, member: usize) -> Result<TrainingState<'_, f32>, StepError> {
        let ModelState { parameters, step, optimiser } = self.training.download(member)?;
        let tensors = optimiser_tensors(&*self.optimiser, optimiser, step.updates);
        check_finite(&tensors)?;
        self.optimiser.load_state(&tensors)?;
        self.clip.load_state(&clip_tensors(&self.clip, &step))?;
        let parameters = Cow::Owned(parameters);
        Ok(TrainingState { parameters, optimiser: self.optimiser.state(), clip: self.clip.state() })
    }

    fn restore(&mut self, step: u64, members: &[TrainingState<'_, f32>]) -> Result<(), StepError> {
        let mut states = Vec::with_capacity(members.len());
        let mut skipped = Vec::with_capacity(members.len());
        for state in members {
            self.optimiser.load_state(&state.optimiser)?;
            self.clip.load_state(&state.clip)?;
            let (updates, optimiser) = optimiser_state(&*self.optimiser);
            let step = step_state(&self.clip, step, updates);
            states.push(ModelState { parameters: state.parameters.to_vec(), step, optimiser });
            skipped.push(self.clip.skipped());
        }
        self.training.restore(&states)?;
        (self.step, self.skipped, self.parameters) = (step, skipped, None);
        self.lost.fill(false);
        Ok(())
    }

    fn remark(&self) -> Option<String> {
        (self.rank_deficient > 0).then(|| {
            format!(
                "the mass matrix of {} of {} samples was not of full rank; their gradients took two more sweeps",
                self.rank_deficient, self.samples
            )
        })
    }
}

impl DeviceTraining {
    /// Which of a member's averages has overflowed.
    fn lost_average(&mut self, member: usize) -> Result<OptimiserError, StepError> {
        match self.state(member) {
            Err(StepError::Optimiser(fault)) => Ok(fault),
            Err(other) => Err(other),
            Ok(_) => Ok(OptimiserError::StateOverflow { name: "on the device".to_owned(), index: 0 }),
        }
    }
}

fn step_report(report: DeviceReport, learning_rate: f64) -> StepReport {
    let skipped = report.outcome() == Outcome::Skipped;
    let gradient_norm = if skipped { f64::NAN } else { f64::from(report.gradient_norm) };
    StepReport { loss: f64::from(report.loss), gradient_norm, learning_rate, skipped }
}
