//! Losses on accelerations, or on any rates of change: a value a sample, and the cotangent λ.

mod plain;

pub use plain::{PlainLossBuffers, PlainLossSettings, plain_loss};

use bytemuck::{Pod, Zeroable};

use crate::device::{Buffer, Device, DeviceError};
use crate::kernels::{LORENTZ_WEIGHTS, RATE_LOSS};
use crate::pseudoinverse::MAX_DIMENSION;
use crate::stage::{Stage, constants, for_each, require};

/// A loss, summed over the components of a sample. With e the error of a component and t its target:
///
/// | loss | value | λ |
/// |---|---|---|
/// | `L1` | \|e\| | sign e, and 0 at e = 0 |
/// | `L2` | e² | 2e |
/// | `Huber` | ½e² for \|e\| ≤ δ, else δ(\|e\| − ½δ) | e clamped to ±δ |
/// | `RelativePseudoHuber` | √(s² + e²) − s, s = scale·(1 + \|t\|) | e / √(s² + e²) |
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// Absolute error.
    L1,
    /// Squared error.
    L2,
    /// Squared near zero, absolute beyond `delta`.
    Huber {
        /// δ, above 0 and a normal number in single precision.
        delta: f64,
    },
    /// Smooth absolute error whose smoothing grows with the target.
    RelativePseudoHuber {
        /// Smoothing per unit of 1 + |t|, above 0 and a normal number in single precision.
        scale: f64,
    },
}

impl Loss {
    /// Its number, as `shaders/shared/loss.wgsl` has it.
    pub(crate) fn overrides(self) -> [(&'static str, f64); 1] {
        let kind = match self {
            Self::L1 => 0.0,
            Self::L2 => 1.0,
            Self::Huber { .. } => 2.0,
            Self::RelativePseudoHuber { .. } => 3.0,
        };
        [("LOSS", kind)]
    }

    /// Its setting, 0 without one.
    pub(crate) fn scale(self) -> f32 {
        match self {
            Self::L1 | Self::L2 => 0.0,
            Self::Huber { delta: scale } | Self::RelativePseudoHuber { scale } => scale as f32,
        }
    }
}

/// 1 / units of the components' errors.
pub(crate) fn per_unit(components: usize, units: Option<&[f64]>) -> [f32; MAX_DIMENSION] {
    let inverse = units.map(|units| units.iter().map(|unit| 1.0 / unit).collect::<Vec<_>>());
    for_each(components, inverse.as_deref(), 1.0)
}

/// What is compared, and how it counts.
#[derive(Clone, Copy, Debug)]
pub struct LossSettings<'a> {
    /// The loss.
    pub loss: Loss,
    /// Samples.
    pub rows: usize,
    /// Components of a sample, up to [`MAX_DIMENSION`].
    pub components: usize,
    /// Samples of the whole batch, by which λ is divided; of an ensemble those of one model.
    pub batch: usize,
    /// Units in which each component's error is measured, `[components]`, where they are not all 1.
    pub units: Option<&'a [f64]>,
}

/// The buffers of [`rate_loss`].
#[derive(Clone, Copy, Debug)]
pub struct LossBuffers<'a> {
    /// `[rows, components]`.
    pub prediction: &'a Buffer<f32>,
    /// `[rows, components]`.
    pub target: &'a Buffer<f32>,
    /// By what a sample's value and cotangent are multiplied, `[rows]`, where it is not 1 for all.
    pub weights: Option<&'a Buffer<f32>>,
    /// Written: ∂loss/∂prediction / batch, `[rows, components]`; NaN where the error is not finite, so that no gradient
    /// made from it can pass for a good one.
    pub cotangent: &'a Buffer<f32>,
    /// Written: the loss of each sample, not divided by the batch, `[rows]`; NaN if a component is not finite.
    pub losses: &'a Buffer<f32>,
    /// The number of components whose error is not finite is added to it, `[1]`.
    pub tally: &'a Buffer<u32>,
}

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Constants {
    rows: u32,
    components: u32,
    scale: f32,
    per_batch: f32,
    per_unit: [f32; MAX_DIMENSION],
}

/// Plans the losses of a batch.
///
/// # Errors
/// The kernel cannot be compiled, or the device is lost.
///
/// # Panics
/// If there are no components or more than [`MAX_DIMENSION`], the batch is empty, there is another number of units, or a
/// buffer is too short.
pub fn rate_loss(device: &Device, settings: LossSettings<'_>, buffers: LossBuffers<'_>) -> Result<Stage, DeviceError> {
    let LossSettings { loss, rows, components, batch, units } = settings;
    let LossBuffers { prediction, target, weights, cotangent, losses, tally } = buffers;
    assert!((1..=MAX_DIMENSION).contains(&components), "{components} components are outside 1..={MAX_DIMENSION}");
    assert!(batch > 0, "a batch has at least one sample");
    for (name, buffer) in [("prediction", prediction), ("target", target), ("cotangent", cotangent)] {
        require(name, buffer, rows * components);
    }
    require("losses", losses, rows);
    require("tally", tally, 1);
    let record = Constants {
        rows: rows as u32,
        components: components as u32,
        scale: loss.scale(),
        per_batch: (1.0 / batch as f64) as f32,
        per_unit: per_unit(components, units),
    };
    let constants = constants(device, "loss settings", record)?;
    let mut arguments =
        vec![(&constants).into(), prediction.into(), target.into(), cotangent.into(), losses.into(), tally.into()];
    let mut flags: &[&str] = &[];
    if let Some(weights) = weights {
        require("weights", weights, rows);
        arguments.push(weights.into());
        flags = &["WEIGHTED"];
    }
    let source = RATE_LOSS.with_flags(flags).expect("the build makes a variant with and without weights");
    Stage::with_overrides(device, source, &loss.overrides(), &arguments, rows)
}

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct WeightSettings {
    rows: u32,
    degrees_of_freedom: u32,
    state: u32,
}

/// Plans the weights `w = 1 + 1/√(1 − |q̇|²)` `[rows]` of `states` `[rows, state]`, each (q, q̇, …) with d coordinates:
/// more near the speed of light, which is 1. NaN where a velocity is not below it, so that the loss shows it.
///
/// A batch's loss and gradient are yet to be divided by its mean weight.
///
/// # Errors
/// The kernel cannot be compiled, or the device is lost.
///
/// # Panics
/// If there is no coordinate, a state is shorter than 2d, or a buffer is too short.
pub fn lorentz_weights(
    device: &Device,
    rows: usize,
    d: usize,
    state: usize,
    states: &Buffer<f32>,
    weights: &Buffer<f32>,
) -> Result<Stage, DeviceError> {
    assert!(d > 0 && state >= 2 * d, "a state of {state} numbers with {d} coordinates");
    require("states", states, rows * state);
    require("weights", weights, rows);
    let settings = WeightSettings { rows: rows as u32, degrees_of_freedom: d as u32, state: state as u32 };
    let constants = constants(device, "weight settings", settings)?;
    let arguments = [(&constants).into(), states.into(), weights.into()];
    Stage::new(device, LORENTZ_WEIGHTS.only(), &arguments, rows)
}
