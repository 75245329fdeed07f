//! A training step of the double pendulum, planned on the device from the stages of the library.

use std::error::Error;

use lnn_autodiff::features::{Feature, FeatureMap};
use lnn_autodiff::jet::Purpose;
use lnn_autodiff::pseudoinverse::Tolerance;
use lnn_autodiff::{Activation, MlpShape};
use lnn_gpu::Stage;
use lnn_gpu::device::{Buffer, Device, DeviceError, Recorder};
use lnn_gpu::euler_lagrange::{AccelerationLoss, DifferentiateBuffers, Equation};
use lnn_gpu::features::{Features, SeedBuffers, Tangents};
use lnn_gpu::loss::Loss;
use lnn_gpu::mlp::{MlpJet, MlpParameters, NarrowJet, NarrowPlan, stride};
use lnn_gpu::optimiser::{Adam, AdamSettings, ParameterBlock, Soap, SoapSettings};
use lnn_gpu::sampling::{Distribution, DrawSettings, StateSampler, Stream};
use lnn_gpu::step::{Clipping, StepBuffers, StepControl, StepSettings};
use lnn_gpu::target::DoublePendulum;

use crate::work::{self, Sizes, Work};

/// Coordinates of the double pendulum.
const COORDINATES: usize = 2;
/// Components of its state.
const STATE: usize = 2 * COORDINATES;
/// Small enough that a thousand steps change nothing but the last digits: what is timed are the kernels.
const RATE: f64 = 1e-7;
/// Updates from one refresh of SOAP's bases to the next, as the processor's default has it.
pub(crate) const REFRESH_EVERY: usize = 10;

/// The optimiser of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OptimiserKind {
    Adam,
    Soap,
}

enum Optimiser {
    Adam(Adam),
    Soap { soap: Box<Soap>, blocks: Vec<ParameterBlock> },
}

/// The network's passes by the kernels that suit its width, chosen as a training does.
enum Jet {
    Tiled(Box<MlpJet>),
    Narrow(Box<NarrowJet>),
}

/// All stages of a step, on buffers of their own.
pub(crate) struct Step {
    shape: MlpShape,
    rows: usize,
    sampler: StateSampler,
    target: Stage,
    seed: Stage,
    jet: Jet,
    differentiate_loss: Stage,
    control: StepControl,
    optimiser: Optimiser,
    /// Steps of one submission.
    steps: usize,
}

impl Step {
    /// For a network with these hidden layers, `rows` samples, and at most `steps` steps a submission.
    pub(crate) fn new(
        device: &Device,
        hidden: &[usize],
        rows: usize,
        steps: usize,
        optimiser: OptimiserKind,
    ) -> Result<Self, Box<dyn Error>> {
        let features = Features::new(device, pendulum_features()?)?;
        let dimensions = [&[features.map().len()], hidden, &[1]].concat();
        let shape = MlpShape::new(&dimensions, Activation::Softplus)?;
        let parameters = MlpParameters::new(device, &shape)?;
        parameters.upload(device, &initial(&shape))?;

        let buffer = |name: &str, length: usize| device.buffer::<f32>(name, length);
        let (states, accelerations) = (buffer("states", rows * STATE)?, buffer("target", rows * COORDINATES)?);
        let sampler = sampler(device, rows, steps, &states)?;
        let pendulum = DoublePendulum { masses: [1.0; 2], lengths: [1.0; 2], gravity: 9.8 };
        let target = pendulum.acceleration(device, rows, STATE, &states, &accelerations)?;

        let jet = Jet::new(device, &parameters, rows)?;
        let output_stride = stride(1);
        let ones: Vec<f32> = (0..rows * output_stride).map(|at| f32::from(u8::from(at % output_stride == 0))).collect();
        device.upload(jet.output_bar(), 0, &ones)?;
        let slopes = buffer("slopes", rows * features.stride())?;
        let (losses, terms) = (buffer("losses", rows)?, buffer("constant-rank terms", 4 * rows * COORDINATES)?);
        let tally = device.buffer::<u32>("tally", 3)?;
        let seeds = SeedBuffers { states: &states, inputs: jet.inputs(), slopes: &slopes };
        let seed = features.seed(device, rows, Tangents::Lagrangian, seeds)?;
        let equation = Equation {
            features: &features,
            rows,
            masses: &[1.0; COORDINATES],
            units: None,
            tolerance: Tolerance::for_dimension::<f32>(COORDINATES),
        };
        let loss = AccelerationLoss { loss: Loss::L1, batch: rows, units: None, target: &accelerations, weights: None };
        let buffers = DifferentiateBuffers {
            slopes: &slopes,
            x_bar: jet.input_bar(),
            second_derivatives: jet.second_derivatives(),
            coefficients: jet.coefficients(),
            inputs: jet.inputs(),
            // Behind d + 1 tangents, the value, x_u and x_w.
            channel: COORDINATES + 4,
            losses: &losses,
            terms: &terms,
            tally: &tally,
        };
        let differentiate_loss = equation.differentiate_loss(device, loss, buffers)?;

        let averages = AdamSettings { beta1: 0.95, beta2: 0.95, epsilon: 1e-8 };
        let settings = StepSettings {
            models: 1,
            samples: rows,
            penalty: 0.0,
            clipping: Clipping::RunningNorm { limit: 4.0, averaging: 0.99 },
            beta1: averages.beta1,
            beta2: averages.beta2,
            weight_decay: 0.0,
            steps,
        };
        let buffers =
            StepBuffers { losses: &losses, weights: None, gradient: jet.gradient(), parameters: parameters.buffer() };
        let control = StepControl::new(device, settings, buffers)?;
        let optimiser = match optimiser {
            OptimiserKind::Adam => {
                Optimiser::Adam(Adam::new(device, averages, &control, jet.gradient(), parameters.buffer())?)
            }
            OptimiserKind::Soap => {
                let blocks = ParameterBlock::of_network(parameters.layout());
                let settings = SoapSettings { averages, shampoo_beta: 0.95 };
                let soap = Soap::new(device, settings, &blocks, &control, jet.gradient(), parameters.buffer())?;
                Optimiser::Soap { soap: Box::new(soap), blocks }
            }
        };
        let mut step = Self { shape, rows, sampler, target, seed, jet, differentiate_loss, control, optimiser, steps };
        step.begin(device)?;
        Ok(step)
    }

    /// Rates and streams of a submission's steps, and SOAP's first bases.
    fn begin(&mut self, device: &Device) -> Result<(), Box<dyn Error>> {
        self.control.set_rates(device, &vec![RATE; self.steps])?;
        let streams: Vec<_> = (0..self.steps as u64).map(|stream| Stream { stream, table: 0 }).collect();
        self.sampler.set_streams(device, 0, &streams)?;
        if let Optimiser::Soap { soap, .. } = &self.optimiser {
            let mut recorder = device.recorder("preparation");
            self.record_gradient(&mut recorder, 0);
            self.control.record_decision(&mut recorder, 0);
            soap.record_preparation(&mut recorder);
            recorder.submit()?;
            if soap.prepare(device, &self.control)?.is_none() {
                return Err("the first gradient is not finite".into());
            }
        }
        Ok(())
    }

    /// Step number `step` of a submission, which with SOAP may refresh the bases.
    pub(crate) fn record(&self, recorder: &mut Recorder, step: usize, refresh: bool) {
        self.record_gradient(recorder, step);
        self.control.record_decision(recorder, step);
        match &self.optimiser {
            Optimiser::Adam(adam) => adam.record(recorder),
            Optimiser::Soap { soap, .. } => soap.record(recorder, refresh),
        }
        self.control.record_restoration(recorder);
    }

    fn record_gradient(&self, recorder: &mut Recorder, step: usize) {
        self.sampler.record(recorder, step);
        self.target.record(recorder);
        self.seed.record(recorder);
        self.jet.record_derivatives(recorder);
        self.differentiate_loss.record(recorder);
        self.jet.record_functional_gradient(recorder);
    }

    /// What each dispatch of [`record`](Self::record) has to do, in their order.
    pub(crate) fn work(&self, refresh: bool) -> Vec<Work> {
        let sizes = Sizes {
            shape: &self.shape,
            rows: self.rows,
            coordinates: COORDINATES,
            parts: match &self.jet {
                Jet::Tiled(jet) => jet.gradient_parts(),
                Jet::Narrow(jet) => jet.gradient_parts(),
            },
        };
        let (derivatives, gradient) = match &self.jet {
            Jet::Tiled(_) => (sizes.tiled_derivatives(), sizes.tiled_gradient()),
            Jet::Narrow(_) => (sizes.narrow_derivatives(), sizes.narrow_gradient()),
        };
        let optimiser = match &self.optimiser {
            Optimiser::Adam(_) => sizes.adam(),
            Optimiser::Soap { blocks, .. } => work::soap(blocks, refresh),
        };
        let stages = [sizes.batch(), derivatives, vec![sizes.equation()], gradient, sizes.decision(), optimiser];
        stages.into_iter().flatten().chain([sizes.restoration()]).collect()
    }

    /// Which kernels the network's passes have.
    pub(crate) fn engine(&self) -> &'static str {
        match self.jet {
            Jet::Tiled(_) => "tiled",
            Jet::Narrow(_) => "narrow",
        }
    }

    /// Parameters of the network.
    pub(crate) fn parameters(&self) -> usize {
        self.shape.parameter_count()
    }

    /// Nothing if every step so far updated the parameters; one that is skipped spares the optimiser its work.
    pub(crate) fn require_updates(&self, device: &Device) -> Result<(), Box<dyn Error>> {
        let state = self.control.download_states(device)?[0];
        if state.skipped == 0 && state.updates > 0 {
            return Ok(());
        }
        Err(format!("{} of {} steps were skipped, so that their times mean nothing", state.skipped, state.steps).into())
    }
}

impl Jet {
    fn new(device: &Device, parameters: &MlpParameters, rows: usize) -> Result<Self, DeviceError> {
        let (layout, tangents, purpose) = (parameters.layout(), COORDINATES + 1, Purpose::Functional);
        if !NarrowJet::supports(layout.shape()) {
            return Ok(Self::Tiled(Box::new(MlpJet::new(device, parameters, tangents, rows, purpose)?)));
        }
        let plan = NarrowPlan {
            layout,
            parameters: parameters.buffer(),
            models: 1,
            tangents,
            rows,
            purpose,
            input_cotangents: false,
            workgroup_memory: None,
        };
        Ok(Self::Narrow(Box::new(NarrowJet::new(device, plan)?)))
    }

    fn record_derivatives(&self, recorder: &mut Recorder) {
        match self {
            Self::Narrow(jet) => jet.record_jet(recorder),
            Self::Tiled(jet) => {
                jet.record_forward_derivatives(recorder);
                jet.record_reverse(recorder);
                jet.record_hessian(recorder);
            }
        }
    }

    fn record_functional_gradient(&self, recorder: &mut Recorder) {
        match self {
            Self::Narrow(jet) => jet.record_functional_gradient(recorder),
            Self::Tiled(jet) => jet.record_functional_gradient(recorder),
        }
    }
}

/// A buffer that both have under the same name.
macro_rules! buffers_of_both {
    ($($name:ident),*) => {
        impl Jet {
            $(fn $name(&self) -> &Buffer<f32> {
                match self {
                    Self::Narrow(jet) => jet.$name(),
                    Self::Tiled(jet) => jet.$name(),
                }
            })*
        }
    };
}
buffers_of_both!(inputs, output_bar, input_bar, second_derivatives, coefficients, gradient);

/// Sine and cosine of both angles, and both rates.
fn pendulum_features() -> Result<FeatureMap, Box<dyn Error>> {
    let of_coordinate =
        |index| [Feature::Sine { index }, Feature::Cosine { index }, Feature::Velocity { index, scale: 5.0 }];
    Ok(FeatureMap::new(COORDINATES, 0, (0..COORDINATES).flat_map(of_coordinate).collect())?)
}

fn sampler(device: &Device, rows: usize, steps: usize, states: &Buffer<f32>) -> Result<StateSampler, DeviceError> {
    let settings = DrawSettings {
        seeds: &[0],
        domain: 0,
        width: STATE,
        first_state: 0,
        rows,
        first_row: 0,
        model_rows: rows,
        draws: steps,
        tables: 1,
    };
    let sampler = StateSampler::new(device, settings, states)?;
    let angle = Distribution::Uniform { low: 0.0, high: std::f64::consts::TAU };
    let rate = Distribution::Uniform { low: -10.0, high: 10.0 };
    sampler.set_table(device, 0, &[angle, angle, rate, rate])?;
    Ok(sampler)
}

/// Weights spread evenly with standard deviation 1/√inputs, no bias; the output small, so that the residual mass rules H.
fn initial(shape: &MlpShape) -> Vec<f32> {
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
