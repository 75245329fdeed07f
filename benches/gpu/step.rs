//! A training of the double pendulum on a card, as the library makes it.

use std::error::Error;
use std::time::Instant;

use lnn::autodiff::features::{Feature, FeatureMap};
use lnn::autodiff::pseudoinverse::Tolerance;
use lnn::autodiff::{Activation, MlpShape};
use lnn::train::backend::Card;
use lnn_gpu::kernels::KernelSource;
use lnn_gpu::loss::Loss;
use lnn_gpu::mlp::{NarrowJet, ParameterLayout};
use lnn_gpu::optimiser::{AdamSettings, ParameterBlock, SoapSettings};
use lnn_gpu::sampling::Distribution;
use lnn_gpu::step::Clipping;
use lnn_gpu::target::DoublePendulum;
use lnn_gpu::training::{LagrangianModel, Model, OptimiserSettings, Source, Training, TrainingSettings, TrueSystem};
use lnn_gpu::tuning::ShapeClass;

use crate::work::{self, Sizes, Work};

/// Coordinates of the double pendulum.
pub(crate) const COORDINATES: usize = 2;
/// Small enough that a thousand steps change nothing but the last digits: what is timed are the kernels.
const RATE: f64 = 1e-7;
/// What divides the velocities that enter the network.
const VELOCITY_SCALE: f64 = 5.0;
/// Updates from one refresh of SOAP's bases to the next, as the processor's default has it.
pub(crate) const REFRESH_EVERY: usize = 10;
/// Most steps of a submission, so many that its start and its end are lost among them.
pub(crate) const MOST_STEPS: usize = 1000;
const _: () = assert!(MOST_STEPS.is_multiple_of(REFRESH_EVERY), "each of its refreshes is paid by as many steps");

/// The optimiser of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OptimiserKind {
    Adam,
    Soap,
}

/// A training with its sizes.
pub(crate) struct Step {
    training: Training,
    shape: MlpShape,
    rows: usize,
    optimiser: OptimiserKind,
    /// Number of the next step.
    next: u64,
    /// Day of the tuning of its tiles, if there was one.
    pub(crate) tuned_on: Option<String>,
}

impl Step {
    /// For a network with these hidden layers and `rows` samples, with the tiles that were tuned for it if there are such.
    pub(crate) fn new(
        card: &Card,
        hidden: &[usize],
        rows: usize,
        optimiser: OptimiserKind,
    ) -> Result<Self, Box<dyn Error>> {
        let model = lagrangian(hidden)?;
        let shape = model.shape.clone();
        let averages = AdamSettings { beta1: 0.95, beta2: 0.95, epsilon: 1e-8 };
        let angle = Distribution::Uniform { low: 0.0, high: std::f64::consts::TAU };
        let rate = Distribution::Uniform { low: -10.0, high: 10.0 };
        let pendulum = DoublePendulum { masses: [1.0; 2], lengths: [1.0; 2], gravity: 9.8 };
        let settings = TrainingSettings {
            models: 1,
            source: Source::Drawn {
                seeds: vec![0],
                domain: 0,
                distributions: vec![angle, angle, rate, rate],
                system: TrueSystem::DoublePendulum(pendulum),
            },
            batch: rows,
            loss: Loss::L1,
            error_units: None,
            penalty: 0.0,
            clipping: Clipping::RunningNorm { limit: 4.0, averaging: 0.99 },
            optimiser: match optimiser {
                OptimiserKind::Adam => OptimiserSettings::Adam(averages),
                OptimiserKind::Soap => {
                    let settings = SoapSettings { averages, shampoo_beta: 0.95 };
                    OptimiserSettings::Soap { settings, refresh_every: REFRESH_EVERY as u64 }
                }
            },
            weight_decay: 0.0,
            steps: MOST_STEPS,
        };
        let tuned = card.tiles().of(ShapeClass::of(&shape, COORDINATES + 1, rows));
        let tiles = tuned.map(|entry| entry.tiles).unwrap_or_default();
        let training = Training::with_tiles(card.device(), &Model::Lagrangian(model), &settings, &tiles)?;
        training.upload_parameters(&initial(&shape))?;
        let tuned_on = tuned.map(|entry| entry.date.clone());
        Ok(Self { training, shape, rows, optimiser, next: 0, tuned_on })
    }

    /// Seconds of a step, of so many in one submission, from the first command to the last report in the host's hands.
    pub(crate) fn seconds(&mut self, count: usize) -> Result<f64, Box<dyn Error>> {
        let start = Instant::now();
        let submitted = self.training.run(self.next, &vec![RATE; count])?.remove(0);
        let seconds = start.elapsed().as_secs_f64();
        self.next += count as u64;
        if submitted.skipped > 0 {
            // One that is skipped spares the optimiser its work.
            return Err(
                format!("{} of {} steps were skipped: their times mean nothing", submitted.skipped, self.next).into()
            );
        }
        Ok(seconds / count as f64)
    }

    /// The kernels of a step with their seconds, by the device's clock. With SOAP it is a step that refreshes the bases.
    pub(crate) fn profile(&mut self) -> Result<Vec<(&'static KernelSource, f64)>, Box<dyn Error>> {
        if self.optimiser == OptimiserKind::Soap {
            // The first step of all has made the bases and no update.
            let updates = self.next as usize - 1;
            let before = REFRESH_EVERY - 1 - updates % REFRESH_EVERY;
            if before > 0 {
                self.seconds(before)?;
            }
        }
        let profile = self.training.profile(self.next, RATE)?;
        self.next += 1;
        Ok(profile)
    }

    /// What each dispatch of [`profile`](Self::profile) has to do, in their order.
    pub(crate) fn work(&self) -> Vec<Work> {
        let sizes = Sizes::new(&self.shape, self.rows, COORDINATES, self.training.gradient_parts());
        let optimiser = match self.optimiser {
            OptimiserKind::Adam => sizes.adam(),
            OptimiserKind::Soap => work::soap(&ParameterBlock::of_network(&ParameterLayout::new(&self.shape)), true),
        };
        let stages = [sizes.batch(), sizes.network(), sizes.decision(), optimiser];
        stages.into_iter().flatten().chain([sizes.restoration()]).collect()
    }

    /// Which kernels its passes have.
    pub(crate) fn engine(&self) -> &'static str {
        engine(&self.shape)
    }

    /// Parameters of the network.
    pub(crate) fn parameters(&self) -> usize {
        self.shape.parameter_count()
    }
}

/// Which kernels a network's passes have.
pub(crate) fn engine(shape: &MlpShape) -> &'static str {
    if NarrowJet::supports(shape) { "narrow" } else { "tiled" }
}

/// The Lagrangian network with these hidden layers: what a step trains, and a motion follows.
pub(crate) fn lagrangian(hidden: &[usize]) -> Result<LagrangianModel, Box<dyn Error>> {
    Ok(LagrangianModel {
        shape: network(hidden)?,
        features: pendulum_features(VELOCITY_SCALE)?,
        masses: vec![1.0; COORDINATES],
        units: None,
        tolerance: Tolerance::for_dimension::<f32>(COORDINATES),
        potential: None,
    })
}

/// A Lagrangian's network on the features of the double pendulum.
pub(crate) fn network(hidden: &[usize]) -> Result<MlpShape, Box<dyn Error>> {
    let inputs = pendulum_features(VELOCITY_SCALE)?.len();
    Ok(MlpShape::new(&[&[inputs], hidden, &[1]].concat(), Activation::Softplus)?)
}

/// Sines of both angles, cosines of both, and both rates over `scale`.
pub(crate) fn pendulum_features(scale: f64) -> Result<FeatureMap, Box<dyn Error>> {
    let both = |feature: &dyn Fn(usize) -> Feature| (0..COORDINATES).map(feature).collect::<Vec<_>>();
    let sines = both(&|index| Feature::Sine { index });
    let cosines = both(&|index| Feature::Cosine { index });
    let rates = both(&|index| Feature::Velocity { index, scale });
    Ok(FeatureMap::new(COORDINATES, 0, [sines, cosines, rates].concat())?)
}

/// Weights spread evenly with standard deviation 1/√inputs, no bias; the output small, so that the residual mass rules H.
pub(crate) fn initial(shape: &MlpShape) -> Vec<f32> {
    let mut parameters = vec![0.0; shape.parameter_count()];
    for (layer, range) in shape.layers().iter().enumerate() {
        let gain = if layer == shape.hidden_layers() { 0.1 } else { 1.0 };
        let half_width = gain * (3.0 / range.inputs as f64).sqrt();
        for (place, weight) in parameters[range.weight.clone()].iter_mut().enumerate() {
            // Multiples of the golden ratio modulo 1 fill the interval evenly.
            let even = ((place + 1) as f64 * 0.618_033_988_749_894_9).fract();
            *weight = (half_width * (2.0 * even - 1.0)) as f32;
        }
    }
    parameters
}
