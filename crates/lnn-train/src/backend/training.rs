//! A training on a graphics card, as the training loop drives it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use lnn_autodiff::pseudoinverse::Tolerance;
use lnn_gpu::device::Device;
use lnn_gpu::loss::Loss as DeviceLoss;
use lnn_gpu::optimiser::{AdamSettings, SoapError, SoapSettings};
use lnn_gpu::sampling::Distribution as DeviceDistribution;
use lnn_gpu::step::{Clipping, Outcome, StepReport as DeviceReport};
use lnn_gpu::target::DoublePendulum;
use lnn_gpu::training::{
    LagrangianModel, Model as DeviceModel, OptimiserSettings, PlainModel, Source, Training, TrainingSettings,
    TrueSystem,
};
use lnn_physics::System;
use lnn_physics::sampling::Distribution;

use super::batches::HostBatches;
use super::choice::BackendError;
use super::kernels::MissingKernel;
use super::pace::Pace;
use super::state::{clip_tensors, optimiser_state, optimiser_tensors, step_state};
use crate::config::{ExperimentConfig, SystemConfig};
use crate::experiment::{ExperimentError, Purpose, build_plan, sampler};
use crate::fit::{Advanced, Data, FreshStates, StepError, StepReport, Trainer, TrainingPlan, TrainingState};
use crate::loss::{Loss, LossWeight};
use crate::model::{Model, PlainOutput};
use crate::optimiser::{
    ClippingConfig, Optimiser, OptimiserConfig, OptimiserError, RunningNormClip, Schedule, check_finite,
};

/// Most steps of a submission whose batches are drawn on the device.
const MOST_DRAWN: usize = 1024;

/// A training in single precision on a graphics card: many steps in one submission, nothing read back between them but
/// losses.
///
/// Batches are those of the processor: drawn on the device where it knows the system and all samples are drawn alike, and
/// else on the processor. Results agree within the rounding of single precision, not bit for bit.
pub struct DeviceTraining {
    training: Training,
    /// Where batches are not drawn on the device.
    batches: Option<HostBatches>,
    schedule: Schedule,
    batch: usize,
    parameters: usize,
    step: u64,
    skipped: u64,
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
        let recipe = &config.models[name].training;
        let TrainingPlan { objective, l2_penalty, batch, optimiser, clip, schedule, parameters, .. } =
            build_plan::<f32>(config, name, system)?;
        let missing = |what: &str| {
            let missing = vec![MissingKernel { model: name.to_owned(), what: what.to_owned() }];
            ExperimentError::Backend(BackendError::NoKernels { missing })
        };
        let model = device_model(objective.model()).ok_or_else(|| missing("is a network of another kind"))?;
        let Data::States(states) = objective.data() else {
            return Err(missing("does not learn from fresh states"));
        };
        let d = objective.model().features().degrees_of_freedom();
        let drawn = drawn_on_device(states, &config.system.complete()?, config.seed);
        let batches = if drawn.is_some() {
            None
        } else {
            Some(HostBatches::new(states.clone(), sampler(config.seed, Purpose::Training), batch, d))
        };
        let weighted = batches.as_ref().is_some_and(HostBatches::is_weighted);
        let steps = batches.as_ref().map_or(MOST_DRAWN, HostBatches::most_steps);
        let (optimiser_settings, weight_decay) = device_optimiser(recipe.optimiser);
        let settings = TrainingSettings {
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
        let training = Training::new(device, &model, &settings).map_err(|source| match source {
            SoapError::Device(source) => BackendError::Device(source).into(),
            other => missing(&other.to_string()),
        })?;
        training.upload_parameters(&parameters).map_err(BackendError::Device)?;
        Ok(Self {
            training,
            batches,
            schedule,
            batch,
            parameters: parameters.len(),
            step: 0,
            skipped: 0,
            samples: 0,
            rank_deficient: 0,
            pace: Pace::new(steps),
            optimiser,
            clip,
        })
    }
}

impl Trainer<f32> for DeviceTraining {
    fn advance(&mut self, to_step: u64) -> Result<Advanced, StepError> {
        assert!(self.step < to_step, "{} steps are done, and {to_step} are asked for", self.step);
        let steps = self.pace.steps(to_step - self.step);
        let rates: Vec<f64> = (self.step..).take(steps).map(|step| self.schedule.learning_rate(step)).collect();
        let start = Instant::now();
        if let Some(batches) = &mut self.batches {
            self.training.upload_batches(steps, batches.draw(self.step, steps)?)?;
        }
        let submitted = self.training.run(self.step, &rates).map_err(step_error)?;
        self.pace.measured(steps, start.elapsed());
        self.step += steps as u64;
        self.skipped = submitted.skipped;
        self.samples += (steps * self.batch) as u64;
        self.rank_deficient += submitted.rank_deficient;
        if submitted.averages_lost {
            // Which of them is found by looking.
            self.state()?;
            return Err(OptimiserError::StateOverflow { name: "on the device".to_owned(), index: 0 }.into());
        }
        let mut advanced = Advanced::default();
        for (report, learning_rate) in submitted.reports.into_iter().zip(rates) {
            advanced.add(step_report(report, learning_rate));
        }
        Ok(advanced)
    }

    fn step_count(&self) -> u64 {
        self.step
    }

    fn skipped_steps(&self) -> u64 {
        self.skipped
    }

    fn batch(&self) -> usize {
        self.batch
    }

    fn parameter_count(&self) -> usize {
        self.parameters
    }

    fn parameters(&mut self) -> Result<Cow<'_, [f32]>, StepError> {
        Ok(Cow::Owned(self.training.download_parameters()?))
    }

    fn state(&mut self) -> Result<TrainingState<'_, f32>, StepError> {
        let parameters = Cow::Owned(self.training.download_parameters()?);
        let state = self.training.state()?;
        let tensors = optimiser_tensors(&*self.optimiser, self.training.optimiser_state()?, state.updates);
        check_finite(&tensors)?;
        self.optimiser.load_state(&tensors)?;
        self.clip.load_state(&clip_tensors(&self.clip, &state))?;
        Ok(TrainingState { parameters, optimiser: self.optimiser.state(), clip: self.clip.state() })
    }

    fn restore(&mut self, step: u64, state: &TrainingState<'_, f32>) -> Result<(), StepError> {
        self.optimiser.load_state(&state.optimiser)?;
        self.clip.load_state(&state.clip)?;
        let (updates, optimiser) = optimiser_state(&*self.optimiser);
        self.training.restore(&state.parameters, step_state(&self.clip, step, updates), &optimiser)?;
        (self.step, self.skipped) = (step, self.clip.skipped());
        Ok(())
    }

    fn remark(&self) -> Option<String> {
        (self.rank_deficient > 0).then(|| {
            format!(
                "the mass matrix of {} of {} samples was not of full rank; their gradients lack the two terms of a change of \
                 rank, which only --backend cpu computes",
                self.rank_deficient, self.samples
            )
        })
    }
}

fn step_error(error: SoapError) -> StepError {
    match error {
        SoapError::Device(source) => source.into(),
        SoapError::Eigendecomposition { block, dimension, .. } => {
            OptimiserError::Eigendecomposition { block, dimension }.into()
        }
        SoapError::BlockSize { .. } => unreachable!("blocks are judged when a training is made"),
    }
}

fn step_report(report: DeviceReport, learning_rate: f64) -> StepReport {
    let skipped = report.outcome() == Outcome::Skipped;
    let gradient_norm = if skipped { f64::NAN } else { f64::from(report.gradient_norm) };
    StepReport { loss: f64::from(report.loss), gradient_norm, learning_rate, skipped }
}

/// The model as the device has it, or nothing for one that has no kernels.
fn device_model(model: &Model) -> Option<DeviceModel> {
    let (shape, features) = (model.shape().clone(), model.features().clone());
    match model {
        Model::Lagrangian(model) if model.potential().is_none() => {
            let d = features.degrees_of_freedom();
            Some(DeviceModel::Lagrangian(LagrangianModel {
                masses: model.residual_masses(),
                units: model.velocity_units().map(<[f64]>::to_vec),
                tolerance: model.tolerance().unwrap_or_else(|| Tolerance::for_dimension::<f32>(d)),
                shape,
                features,
            }))
        }
        Model::Plain(model) if model.output() == PlainOutput::Acceleration => {
            Some(DeviceModel::Plain(PlainModel { output_scale: model.scales()[1], shape, features }))
        }
        _ => None,
    }
}

/// The draws of the device, if it has the system and every sample of every step is drawn alike and counts the same.
fn drawn_on_device(states: &FreshStates, system: &SystemConfig, seed: u64) -> Option<Source> {
    let FreshStates { ranges, tail, curriculum, weight, .. } = states;
    if tail.is_some() || curriculum.is_some() || *weight != LossWeight::Uniform {
        return None;
    }
    let parameter = |name: &str| system.parameters.get(name).copied();
    let system = match system.name.as_str() {
        "dblpend" => TrueSystem::DoublePendulum(DoublePendulum {
            masses: [parameter("m1")?, parameter("m2")?],
            lengths: [parameter("l1")?, parameter("l2")?],
            gravity: parameter("g")?,
        }),
        _ => return None,
    };
    let distributions = ranges.iter().map(device_distribution).collect();
    Some(Source::Drawn { seed, domain: Purpose::Training as u64, distributions, system })
}

fn device_distribution(distribution: &Distribution) -> DeviceDistribution {
    match distribution {
        Distribution::Uniform(interval) => DeviceDistribution::Uniform { low: interval.low(), high: interval.high() },
        Distribution::Normal(normal) => {
            DeviceDistribution::Normal { mean: normal.mean(), deviation: normal.deviation() }
        }
        Distribution::BoundedNormal(bounded) => {
            DeviceDistribution::BoundedNormal { bound: bounded.bound(), spread: bounded.spread() }
        }
    }
}

fn device_loss(loss: Loss) -> DeviceLoss {
    match loss {
        Loss::L1 => DeviceLoss::L1,
        Loss::L2 => DeviceLoss::L2,
        Loss::Huber { delta } => DeviceLoss::Huber { delta },
        Loss::RelativePseudoHuber { scale } => DeviceLoss::RelativePseudoHuber { scale },
    }
}

fn device_clipping(clipping: ClippingConfig) -> Clipping {
    match clipping {
        ClippingConfig::Off => Clipping::Off,
        ClippingConfig::RunningNorm { factor, averaging } => Clipping::RunningNorm { limit: factor, averaging },
        ClippingConfig::Redescending { factor, averaging } => Clipping::Redescending { limit: factor, averaging },
    }
}

/// The optimiser and its weight decay.
fn device_optimiser(optimiser: OptimiserConfig) -> (OptimiserSettings, f64) {
    match optimiser {
        OptimiserConfig::Adam { beta1, beta2, epsilon, weight_decay } => {
            (OptimiserSettings::Adam(AdamSettings { beta1, beta2, epsilon }), weight_decay)
        }
        OptimiserConfig::Soap { beta1, beta2, shampoo_beta, refresh_every, epsilon, weight_decay } => {
            let settings = SoapSettings { averages: AdamSettings { beta1, beta2, epsilon }, shampoo_beta };
            (OptimiserSettings::Soap { settings, refresh_every }, weight_decay)
        }
    }
}
