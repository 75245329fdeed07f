//! The motion of a Lagrangian network, planned once.

use bytemuck::{Pod, Zeroable};

use super::RungeKutta4;
use crate::device::{Buffer, Device, DeviceError};
use crate::euler_lagrange::{AccelerateBuffers, Equation, Jet, PotentialSettings, PotentialTerm};
use crate::features::{Features, SeedBuffers, Tangents};
use crate::kernels::END_MOTIONS;
use crate::mlp::{ModelParameters, Tiles};
use crate::stage::{Stage, constants, variant};
use crate::training::LagrangianModel;

/// Steps of one command buffer: while the device works on one the next is written.
const RECORDED_AT_ONCE: usize = 32;
/// Accelerations that a step evaluates.
const EVALUATIONS: u64 = 4;

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct EndSettings {
    rows: u32,
    state: u32,
}

/// What the kernel keeps of a motion.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct MotionRecord {
    evaluations: u32,
    negative: u32,
    cause: u32,
    ended: u32,
}

/// Why a motion ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndCause {
    /// A component of the state was not finite.
    State,
    /// The state was finite and its mass matrix was not.
    Matrix,
    /// The mass matrix was not of full rank, by the model's tolerance.
    Rank,
    /// The mass matrix has another number of negative eigenvalues than at the start.
    Sign,
}

impl EndCause {
    /// The numbers are those of `shaders/rollout/end_motions.wgsl`.
    const fn of(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::State),
            2 => Some(Self::Matrix),
            3 => Some(Self::Rank),
            4 => Some(Self::Sign),
            _ => None,
        }
    }
}

/// Where and why a motion ended.
#[derive(Clone, Debug, PartialEq)]
pub struct MotionEnd {
    /// Why.
    pub cause: EndCause,
    /// Number of the step since the start, from 0, one of whose accelerations was asked for there.
    pub step: u64,
    /// The stage of that step, 0 to 3: at its start, in its middle twice, at its end.
    pub stage: usize,
    /// (q, q̇, conditionals) there.
    pub state: Vec<f32>,
}

/// A Lagrangian network that moves many states forward in time by the classical Runge–Kutta method, wholly on the device.
///
/// Everything is planned once for a number of rows: a step allocates nothing and reads nothing back. A row whose mass matrix
/// is not of full rank, is not finite, or has passed a singular one [ends](Self::download_ends) there; it is NaN from then
/// on and leaves the others alone.
///
/// ```no_run
/// use lnn_autodiff::features::{Feature, FeatureMap};
/// use lnn_autodiff::pseudoinverse::Tolerance;
/// use lnn_autodiff::{Activation, MlpShape};
/// use lnn_gpu::device::{Device, DeviceOptions};
/// use lnn_gpu::mlp::Tiles;
/// use lnn_gpu::rollout::LearnedMotion;
/// use lnn_gpu::training::LagrangianModel;
///
/// let features = vec![Feature::Position { index: 0, scale: 1.0, centre: 0.0 }, Feature::Velocity { index: 0, scale: 1.0 }];
/// let model = LagrangianModel {
///     shape: MlpShape::new(&[2, 32, 1], Activation::Softplus)?,
///     features: FeatureMap::new(1, 0, features)?,
///     masses: vec![1.0],
///     units: None,
///     tolerance: Tolerance::for_dimension::<f32>(1),
///     potential: None,
/// };
/// let device = Device::open(&DeviceOptions::default())?;
/// let mut motion = LearnedMotion::new(&device, &model, 1000, 10, &Tiles::default())?;
/// motion.upload_parameters(&vec![0.1; model.shape.parameter_count()])?;
/// motion.start(&[0.5, 0.0].repeat(1000))?;
/// motion.set_step(1e-3)?;
/// // A frame after every 100 of 1000 steps.
/// motion.run(1000, 100)?;
/// let mut frames = vec![0.0; 10 * 1000 * 2];
/// motion.download_frames(&mut frames)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct LearnedMotion {
    device: Device,
    rows: usize,
    /// Numbers of a state.
    state: usize,
    parameters: ModelParameters,
    features: Stage,
    jet: Jet,
    potential: Option<PotentialTerm>,
    accelerate: Stage,
    end: Stage,
    method: RungeKutta4,
    records: Buffer<MotionRecord>,
    ends: Buffer<f32>,
    frames: Buffer<f32>,
    /// Since the start.
    steps: u64,
}

impl LearnedMotion {
    /// Buffers and kernels for `rows` states, of which up to `frames` frames are kept on the device at once. Parameters,
    /// states and the step are zero until they are set.
    ///
    /// # Errors
    /// The buffers do not fit on the device, there is no kernel for so many coordinates, or one cannot be compiled.
    ///
    /// # Panics
    /// If there are no rows, or a number of masses or units is not that of the coordinates.
    pub fn new(
        device: &Device,
        model: &LagrangianModel,
        rows: usize,
        frames: usize,
        tiles: &Tiles,
    ) -> Result<Self, DeviceError> {
        let parameters = ModelParameters::new(device, &model.shapes(), 1)?;
        let features = Features::new(device, model.features.clone())?;
        let (d, state) = (features.map().degrees_of_freedom(), features.state());
        let jet = Jet::new(device, &parameters.networks()[0], [d, rows], tiles)?;
        let acceleration = device.buffer("accelerations", rows * d)?;
        let method = RungeKutta4::new(device, rows, d, state, 0.0, &acceleration)?;
        let slopes = device.buffer("slopes", rows * features.stride())?;
        let [ranks, negative, tally] = [("ranks", rows), ("negative eigenvalues", rows), ("tally", 2)]
            .map(|(name, length)| device.buffer::<u32>(name, length));
        let (ranks, negative, tally) = (ranks?, negative?, tally?);
        let (masses, units, tolerance) = (&model.masses[..], model.units.as_deref(), model.tolerance);
        let forces = model.potential.as_ref().map(|_| device.buffer("forces", rows * d)).transpose()?;
        let potential = match model.potential.as_ref().zip(forces.as_ref()) {
            None => None,
            Some((potential, forces)) => {
                let settings = PotentialSettings {
                    features: &Features::new(device, potential.features.clone())?,
                    scale: potential.scale,
                    parameters: &parameters.networks()[1],
                    rows,
                    states: method.stage_states(),
                    forces,
                    gradient: None,
                };
                Some(PotentialTerm::new(device, settings)?)
            }
        };
        let equation = Equation { features: &features, rows, masses, units, tolerance, forces: forces.as_ref() };
        let accelerate = equation.accelerate(
            device,
            AccelerateBuffers {
                slopes: &slopes,
                x_bar: jet.input_bar(),
                second_derivatives: jet.second_derivatives(),
                acceleration: &acceleration,
                ranks: &ranks,
                negative: &negative,
                tally: &tally,
            },
        )?;
        let records = device.buffer("motions", rows)?;
        let ends = device.buffer("ends of motions", rows * state)?;
        let settings = constants(device, "end settings", EndSettings { rows: rows as u32, state: state as u32 })?;
        let arguments = [
            (&settings).into(),
            (&ranks).into(),
            (&negative).into(),
            method.stage_states().into(),
            (&acceleration).into(),
            (&records).into(),
            (&ends).into(),
        ];
        let seeds = SeedBuffers { states: method.stage_states(), inputs: jet.inputs(), slopes: &slopes };
        Ok(Self {
            features: features.seed(device, rows, Tangents::Lagrangian, seeds)?,
            end: Stage::new(device, variant(&END_MOTIONS, d)?, &arguments, rows)?,
            frames: device.buffer("frames", frames * rows * state)?,
            device: device.clone(),
            rows,
            state,
            parameters,
            jet,
            potential,
            accelerate,
            method,
            records,
            ends,
            steps: 0,
        })
    }

    /// Rows that it was planned for.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Numbers of a state (q, q̇, conditionals).
    pub fn state(&self) -> usize {
        self.state
    }

    /// Frames that are kept at once.
    pub fn frames(&self) -> usize {
        self.frames.len() / (self.rows * self.state)
    }

    /// Sets the parameters, without padding: the network's, then those of its potential if it has one.
    ///
    /// # Errors
    /// The device is lost.
    ///
    /// # Panics
    /// If there are more or fewer.
    pub fn upload_parameters(&self, parameters: &[f32]) -> Result<(), DeviceError> {
        self.parameters.upload(&self.device, parameters)
    }

    /// Sets the states to start from, `[rows, state]`, and forgets the motions before.
    ///
    /// # Errors
    /// The device is lost.
    ///
    /// # Panics
    /// If their number is another.
    pub fn start(&mut self, states: &[f32]) -> Result<(), DeviceError> {
        self.steps = 0;
        self.device.upload(&self.records, 0, &vec![MotionRecord::zeroed(); self.rows])?;
        self.method.start(&self.device, states)
    }

    /// Sets the length of the steps from now on.
    ///
    /// # Errors
    /// The device is lost.
    pub fn set_step(&self, dt: f64) -> Result<(), DeviceError> {
        self.method.set_step(&self.device, dt)
    }

    /// Makes `steps` steps and does not wait for them; a frame is kept after every `frame_every` of them, from place 0 on.
    ///
    /// # Errors
    /// The device is lost.
    ///
    /// # Panics
    /// If there are more frames than [room](Self::frames) for them, or `frame_every` is 0.
    pub fn run(&mut self, steps: usize, frame_every: usize) -> Result<(), DeviceError> {
        let (kept, room) = (steps / frame_every, self.frames());
        assert!(kept <= room, "{kept} frames, and room for {room}");
        let numbers = self.rows * self.state;
        let mut first = 0;
        while first < steps {
            let last = steps.min(first + RECORDED_AT_ONCE);
            let mut recorder = self.device.recorder("motions");
            for step in first..last {
                self.method.record_step(&mut recorder, |recorder| {
                    self.features.record(recorder);
                    self.jet.record(recorder);
                    if let Some(potential) = &self.potential {
                        potential.record_forces(recorder);
                    }
                    self.accelerate.record(recorder);
                    self.end.record(recorder);
                });
                if (step + 1) % frame_every == 0 {
                    let place = (step + 1) / frame_every - 1;
                    recorder.copy(self.method.states(), 0, &self.frames, place * numbers, numbers);
                }
            }
            recorder.submit()?;
            first = last;
        }
        self.steps += steps as u64;
        Ok(())
    }

    /// Steps since the start.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Reads frames of the last [`run`](Self::run) from the first on, `[frames, rows, state]`; waits for it.
    ///
    /// # Errors
    /// The device is lost or does not answer in time.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn download_frames(&self, frames: &mut [f32]) -> Result<(), DeviceError> {
        self.device.download(&self.frames, 0, frames)
    }

    /// Where each row has ended so far, `[rows]`, nothing for one that goes on; waits for what was submitted.
    ///
    /// A row is looked at when its accelerations are evaluated: one whose state was lost in the last step that was made
    /// has its end on record after the next one. Ends are found within 2³⁰ steps.
    ///
    /// # Errors
    /// The device is lost or does not answer in time.
    pub fn download_ends(&self) -> Result<Vec<Option<MotionEnd>>, DeviceError> {
        let mut records = vec![MotionRecord::zeroed(); self.rows];
        self.device.download(&self.records, 0, &mut records)?;
        let mut states = Vec::new();
        if records.iter().any(|record| record.cause != 0) {
            states.resize(self.ends.len(), 0.0);
            self.device.download(&self.ends, 0, &mut states)?;
        }
        let evaluations = EVALUATIONS * self.steps;
        let end = |(row, record): (usize, &MotionRecord)| {
            let cause = EndCause::of(record.cause)?;
            // The device counts modulo 2³².
            let evaluation = evaluations - u64::from((evaluations as u32).wrapping_sub(record.ended));
            let state = states[row * self.state..(row + 1) * self.state].to_vec();
            Some(MotionEnd { cause, step: evaluation / EVALUATIONS, stage: (evaluation % EVALUATIONS) as usize, state })
        };
        Ok(records.iter().enumerate().map(end).collect())
    }
}
