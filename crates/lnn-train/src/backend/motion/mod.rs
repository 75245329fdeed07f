//! Motions of a learned model on a graphics card.

mod stretch;

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use lnn_autodiff::pseudoinverse::SymmetricFactors;
use lnn_gpu::device::DeviceError;
use lnn_gpu::mlp::stride;
use lnn_gpu::rollout::{EndCause as DeviceCause, LearnedMotion as Planned, MotionEnd};
use lnn_gpu::training::{LagrangianModel, Model as DeviceModel};
use lnn_gpu::tuning::ShapeClass;
use lnn_physics::integrators::{Method, Statistics, validate_times};

use self::stretch::{Stretch, widened};
use super::card::Card;
use super::pace::Pace;
use super::recipe::device_model;
use crate::model::Model;
use crate::motion::{Motion, MotionError, Singularity, Starts, go_on};
use crate::rollout::{LearnedField, TrainedModel};

/// Most motions that are planned at once: enough to fill a large card.
const MOST_ROWS: usize = 1 << 14;
/// Most steps of a submission.
const MOST_STEPS: usize = 4096;
/// Memory on the card for frames that wait to be read.
const FRAME_BYTES: usize = 32 << 20;

/// Why there are no motions at all.
#[derive(Debug, thiserror::Error)]
pub enum DeviceMotionError {
    /// The device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// As on the processor.
    #[error(transparent)]
    Motion(#[from] MotionError),
    /// A model without kernels.
    #[error(
        "graphics cards have no kernels that move {what}; they have them for Lagrangian networks (Lnn); compute with \
         --backend cpu"
    )]
    NoKernels {
        /// What it is.
        what: &'static str,
    },
    /// An initial state that single precision cannot hold.
    #[error(
        "component {component} of initial state {start} (from 0) is {given}, too large for the single precision of graphics \
         cards; compute with --backend cpu"
    )]
    SinglePrecision {
        /// Number of the start, from 0.
        start: usize,
        /// Component of (q, q̇, conditionals), from 0.
        component: usize,
        /// Its value.
        given: f64,
    },
}

/// The kernels' form of a model whose motions they compute.
fn lagrangian(model: &Model) -> Result<LagrangianModel, DeviceMotionError> {
    let what = match model {
        Model::Lagrangian(_) => "a Lagrangian network",
        Model::DeepLagrangian(_) => "a deep Lagrangian network",
        Model::Hamiltonian(_) => "a Hamiltonian network",
        Model::Plain(_) => "a plain network",
    };
    match device_model(model) {
        Some(DeviceModel::Lagrangian(model)) => Ok(model),
        _ => Err(DeviceMotionError::NoKernels { what }),
    }
}

/// Refuses a model whose motions no kernels compute.
///
/// # Errors
/// [`DeviceMotionError::NoKernels`].
pub fn require_motion_kernels(model: &Model) -> Result<(), DeviceMotionError> {
    lagrangian(model).map(drop)
}

/// A Lagrangian network that moves states forward in time on a graphics card, in single precision by RK4.
///
/// Motions end where those of [`LearnedMotion`](crate::motion::LearnedMotion) do, by the same tolerance in single precision;
/// the eigenvalues in an [`Ending`](crate::motion::Ending) are the processor's at that state, in double precision.
pub struct DeviceMotion<'a> {
    card: &'a Card,
    model: LagrangianModel,
    parameters: Vec<f32>,
    trained: TrainedModel<f64>,
    field: LearnedField<f64>,
    planned: Option<Planned>,
}

impl<'a> DeviceMotion<'a> {
    /// The motions of `model`.
    ///
    /// # Errors
    /// [`DeviceMotionError::NoKernels`].
    ///
    /// # Panics
    /// If `parameters` has another length than the model's.
    pub fn new(card: &'a Card, model: &Model, parameters: &[f64]) -> Result<Self, DeviceMotionError> {
        Ok(Self {
            card,
            model: lagrangian(model)?,
            parameters: parameters.iter().map(|&x| x as f32).collect(),
            trained: TrainedModel::new(model, parameters),
            field: LearnedField::new(model, 1),
            planned: None,
        })
    }

    /// The motions from `starts`, as many and in the same order, with steps of at most `dt`.
    ///
    /// Frames are single precision's, the first too: the start as the card has it.
    ///
    /// # Errors
    /// [`DeviceMotionError`]. A motion that ends early is no error: its [`ending`](Motion::ending) says where and why.
    ///
    /// # Panics
    /// If the lengths of `starts` do not fit the model.
    pub fn integrate(
        &mut self,
        dt: f64,
        starts: Starts<'_>,
        stop: &AtomicBool,
    ) -> Result<Vec<Motion>, DeviceMotionError> {
        let features = &self.model.features;
        let (d, c) = (features.degrees_of_freedom(), features.conditionals());
        assert_eq!(starts.degrees_of_freedom, d, "degrees of freedom of the model");
        Method::Rk4 { dt }.validate().map_err(MotionError::from)?;
        validate_times(starts.times).map_err(MotionError::from)?;
        starts.check(c)?;
        let mut states = Vec::with_capacity(starts.len() * (2 * d + c));
        for (start, state) in starts.states.chunks_exact(2 * d).enumerate() {
            let all = state.iter().chain(starts.conditionals_of(start..start + 1));
            for (component, &given) in all.enumerate() {
                let rounded = given as f32;
                if !rounded.is_finite() {
                    return Err(DeviceMotionError::SinglePrecision { start, component, given });
                }
                states.push(rounded);
            }
        }
        let mut motions = Vec::with_capacity(starts.len());
        for states in states.chunks(self.most_rows() * (2 * d + c)) {
            motions.extend(self.together(dt, states, starts.times, stop)?);
        }
        Ok(motions)
    }

    /// As many motions as are planned at once, so that the largest array has room in a binding.
    fn most_rows(&self) -> usize {
        let shape = &self.model.shape;
        // A fused jet keeps so many numbers of each unit of all layers in one array.
        let channels = self.model.features.degrees_of_freedom() + 4;
        let widths: usize = shape.dimensions().iter().map(|&width| stride(width)).sum();
        let fitting = self.card.device().adapter().largest_binding / (size_of::<f32>() * channels * widths) as u64;
        fitting.clamp(1, MOST_ROWS as u64) as usize
    }

    /// Buffers and kernels for `rows` motions at least, and for up to `frames` frames of each.
    fn plan(&mut self, rows: usize, frames: usize) -> Result<(), DeviceError> {
        if self.planned.as_ref().is_some_and(|planned| planned.rows() >= rows) {
            return Ok(());
        }
        let features = &self.model.features;
        let d = features.degrees_of_freedom();
        let bytes = rows * (2 * d + features.conditionals()) * size_of::<f32>();
        let room = (FRAME_BYTES / bytes).clamp(1, frames.max(1));
        let tuned = self.card.tiles().of(ShapeClass::of(&self.model.shape, d + 1, rows));
        let tiles = tuned.map(|entry| entry.tiles).unwrap_or_default();
        // The smaller one is given back first.
        self.planned = None;
        let planned = Planned::new(self.card.device(), &self.model, rows, room, &tiles)?;
        planned.upload_parameters(&self.parameters)?;
        self.planned = Some(planned);
        Ok(())
    }

    /// Motions that are planned together, from states `[motions, 2d + c]`.
    fn together(
        &mut self,
        dt: f64,
        starts: &[f32],
        times: &[f64],
        stop: &AtomicBool,
    ) -> Result<Vec<Motion>, DeviceMotionError> {
        let (d, device) = (self.model.features.degrees_of_freedom(), self.card.device().clone());
        let width = 2 * d + self.model.features.conditionals();
        self.plan(starts.len() / width, times.len() - 1)?;
        let Self { trained, field, planned, .. } = self;
        let Some(planned) = planned else { unreachable!("planned above") };
        // Rows that are too many repeat the first one.
        let spare = planned.rows() - starts.len() / width;
        planned.start(&[starts, &starts[..width].repeat(spare)].concat())?;
        let begun = |state: &[f32]| Motion {
            states: widened(&state[..2 * d]).collect(),
            ending: None,
            statistics: Statistics::default(),
        };
        let mut motions: Vec<Motion> = starts.chunks_exact(width).map(begun).collect();
        let mut pace = Pace::new(MOST_STEPS);
        let (mut frame, mut done, mut step) = (0, 0, f64::NAN);
        let mut frames = Vec::new();
        while frame + 1 < times.len() && motions.iter().any(|motion| motion.ending.is_none()) {
            go_on(stop).map_err(|_| MotionError::Stopped)?;
            let most = pace.steps(u64::MAX) as u64;
            let stretch = Stretch::next(dt, times, [frame, planned.frames()], [done, most], planned.steps())?;
            if stretch.dt.to_bits() != step.to_bits() {
                planned.set_step(stretch.dt)?;
                step = stretch.dt;
            }
            let begin = Instant::now();
            planned.run(stretch.steps as usize, stretch.frame_every())?;
            frames.resize(stretch.frames * planned.rows() * width, 0.0);
            if stretch.frames == 0 {
                device.wait("steps of motions")?;
            } else {
                planned.download_frames(&mut frames)?;
            }
            let ends = planned.download_ends()?;
            pace.measured(stretch.steps as usize, begin.elapsed());
            let first = planned.steps() - stretch.steps - stretch.done;
            for (row, motion) in motions.iter_mut().enumerate().filter(|(_, motion)| motion.ending.is_none()) {
                let states = frames.chunks_exact(planned.rows() * width).map(|all| &all[row * width..][..2 * d]);
                let singular = |time: f64, end: &MotionEnd| singularity(trained, field, time, end);
                stretch.extend(motion, states, ends[row].as_ref(), first, singular);
            }
            (frame, done) = stretch.after();
        }
        let steps = planned.steps();
        for motion in &mut motions {
            motion.statistics = Statistics { steps, evaluations: 4 * steps, rejected: 0 };
        }
        Ok(motions)
    }
}

/// Where the card found a singular mass matrix, with the eigenvalues that it has in double precision.
fn singularity(trained: &TrainedModel<f64>, field: &mut LearnedField<f64>, time: f64, end: &MotionEnd) -> Singularity {
    let all: Vec<f64> = widened(&end.state).collect();
    let (state, conditionals) = all.split_at(field.width());
    field.evaluate(trained, state, conditionals, &mut vec![0.0; state.len()]);
    let finite = |factors: &&SymmetricFactors<f64>| end.cause != DeviceCause::Matrix && factors.is_finite(0);
    let eigenvalues = field.mass_matrices().filter(finite).map_or(&[][..], |factors| factors.eigenvalues(0));
    Singularity::new(time, state, eigenvalues, end.cause == DeviceCause::Sign)
}
