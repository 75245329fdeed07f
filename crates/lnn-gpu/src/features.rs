//! From states to network inputs with their tangents and slopes, and cotangents on the way back.
//!
//! The twin is [`lnn_autodiff::features`]. A state is a row (q, q̇, conditionals), `[2d + c]`, as the sampler draws it.
//! Features are stored with a stride, their number filled up with zeros to a multiple of 4.
//!
//! Sines, cosines and wrapped angles are computed modulo a turn in whole numbers: right to the last two or so of their
//! digits for every finite angle, on every device.

use bytemuck::{Pod, Zeroable};
use lnn_autodiff::features::{Feature, FeatureMap};
use lnn_autodiff::jet::Accumulate;

use crate::device::{Buffer, Device, DeviceError};
use crate::kernels::{POSITION_TANGENT, PULL_BACK_FEATURES, SEED_FEATURES};
use crate::mlp;
use crate::stage::{Stage, constants, require};

/// A feature as the kernels see it.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct FeatureRecord {
    kind: u32,
    index: u32,
    centre: f32,
    slope: f32,
}

impl FeatureRecord {
    /// The kinds' numbers are those of `shaders/shared/feature.wgsl`.
    fn of(feature: &Feature) -> Self {
        let (kind, index, centre, scale) = match *feature {
            Feature::Position { index, scale, centre } => (0, index, centre, scale),
            Feature::WrappedAngle { index, scale } => (1, index, 0.0, scale),
            Feature::Sine { index } => (2, index, 0.0, 1.0),
            Feature::Cosine { index } => (3, index, 0.0, 1.0),
            Feature::Velocity { index, scale } => (4, index, 0.0, scale),
            Feature::Conditional { index, scale, centre } => (5, index, centre, scale),
        };
        Self { kind, index: index as u32, centre: centre as f32, slope: (1.0 / scale) as f32 }
    }
}

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct SeedSettings {
    rows: u32,
    degrees_of_freedom: u32,
    state: u32,
    features: u32,
    stride: u32,
    tangents: u32,
}

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct PullBackSettings {
    rows: u32,
    degrees_of_freedom: u32,
    features: u32,
    stride: u32,
    factor: f32,
    accumulate: u32,
}

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct TangentSettings {
    rows: u32,
    features: u32,
    stride: u32,
    vector_stride: u32,
    first: u32,
    factor: f32,
}

/// A map from states to features, on the device.
#[derive(Clone, Debug)]
pub struct Features {
    map: FeatureMap,
    pub(crate) table: Buffer<FeatureRecord>,
}

/// The buffers of [`Features::seed`].
#[derive(Clone, Copy, Debug)]
pub struct SeedBuffers<'a> {
    /// `[rows, 2d + c]`.
    pub states: &'a Buffer<f32>,
    /// Written: the tangents, then the values, `[tangents + 1, rows, stride]`. It may have more channels.
    pub inputs: &'a Buffer<f32>,
    /// Written: slopes ∂x/∂(own variable), `[rows, stride]`.
    pub slopes: &'a Buffer<f32>,
}

/// The buffers of [`Features::pull_back`].
#[derive(Clone, Copy, Debug)]
pub struct PullBackBuffers<'a> {
    /// Slopes, `[rows, stride]`.
    pub slopes: &'a Buffer<f32>,
    /// The cotangent of the features, `[rows, stride]`.
    pub x_bar: &'a Buffer<f32>,
    /// Written, or added to: `(∂x/∂q)ᵀ x̄`, `[rows, d]`.
    pub q_bar: &'a Buffer<f32>,
    /// Written, or added to: `(∂x/∂q̇)ᵀ x̄`, `[rows, d]`.
    pub q_dot_bar: &'a Buffer<f32>,
}

/// The buffers of [`Features::position_tangent`].
#[derive(Clone, Copy, Debug)]
pub struct TangentBuffers<'a> {
    /// Slopes, `[rows, stride]`.
    pub slopes: &'a Buffer<f32>,
    /// v, the first d of `stride` numbers of each row.
    pub vectors: &'a Buffer<f32>,
    /// From one row of `vectors` to the next, at least d.
    pub stride: usize,
    /// The network's inputs, in channels `[rows, stride]`.
    pub inputs: &'a Buffer<f32>,
    /// The channel of `inputs` that is written.
    pub channel: usize,
}

/// Which tangents of the inputs are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tangents {
    /// None.
    None,
    /// Along the d unit velocities, then along (q̇, 0).
    Lagrangian,
}

impl Features {
    /// Brings `map` to the device.
    ///
    /// # Errors
    /// The device has no memory left, or is lost.
    pub fn new(device: &Device, map: FeatureMap) -> Result<Self, DeviceError> {
        let records: Vec<_> = map.features().iter().map(FeatureRecord::of).collect();
        let table = device.buffer("features", records.len())?;
        device.upload(&table, 0, &records)?;
        Ok(Self { map, table })
    }

    /// The map.
    pub fn map(&self) -> &FeatureMap {
        &self.map
    }

    /// Features, filled up to a multiple of 4.
    pub fn stride(&self) -> usize {
        mlp::stride(self.map.len())
    }

    /// Length of a state, 2d + c.
    pub fn state(&self) -> usize {
        2 * self.map.degrees_of_freedom() + self.map.conditionals()
    }

    /// Plans the inputs of `rows` states.
    ///
    /// # Errors
    /// The kernel cannot be compiled, or the device is lost.
    ///
    /// # Panics
    /// If a buffer is too short.
    pub fn seed(
        &self,
        device: &Device,
        rows: usize,
        tangents: Tangents,
        buffers: SeedBuffers<'_>,
    ) -> Result<Stage, DeviceError> {
        let (d, stride, state) = (self.map.degrees_of_freedom(), self.stride(), self.state());
        let tangents = if tangents == Tangents::None { 0 } else { d + 1 };
        let SeedBuffers { states, inputs, slopes } = buffers;
        require("states", states, rows * state);
        require("inputs", inputs, (tangents + 1) * rows * stride);
        require("slopes", slopes, rows * stride);
        let settings = SeedSettings {
            rows: rows as u32,
            degrees_of_freedom: d as u32,
            state: state as u32,
            features: self.map.len() as u32,
            stride: stride as u32,
            tangents: tangents as u32,
        };
        let settings = constants(device, "feature settings", settings)?;
        let arguments = [(&settings).into(), (&self.table).into(), states.into(), inputs.into(), slopes.into()];
        Stage::new(device, SEED_FEATURES.only(), &arguments, rows * stride)
    }

    /// Plans the pull-back of a cotangent of the features to coordinates and velocities, times `factor`, written or
    /// added. Of ∂L/∂x it makes ∂L/∂q, the force without its mixed part, and ∂L/∂q̇, the momentum.
    ///
    /// # Errors
    /// The kernel cannot be compiled, or the device is lost.
    ///
    /// # Panics
    /// If a buffer is too short.
    pub fn pull_back(
        &self,
        device: &Device,
        rows: usize,
        factor: f64,
        accumulate: Accumulate,
        buffers: PullBackBuffers<'_>,
    ) -> Result<Stage, DeviceError> {
        let (d, stride) = (self.map.degrees_of_freedom(), self.stride());
        let PullBackBuffers { slopes, x_bar, q_bar, q_dot_bar } = buffers;
        require("slopes", slopes, rows * stride);
        require("the features' cotangent", x_bar, rows * stride);
        require("the coordinates' cotangent", q_bar, rows * d);
        require("the velocities' cotangent", q_dot_bar, rows * d);
        let settings = PullBackSettings {
            rows: rows as u32,
            degrees_of_freedom: d as u32,
            features: self.map.len() as u32,
            stride: stride as u32,
            factor: factor as f32,
            accumulate: u32::from(accumulate == Accumulate::Add),
        };
        let settings = constants(device, "pull-back settings", settings)?;
        let arguments =
            [(&settings).into(), (&self.table).into(), slopes.into(), x_bar.into(), q_bar.into(), q_dot_bar.into()];
        Stage::new(device, PULL_BACK_FEATURES.only(), &arguments, rows * d)
    }

    /// Plans the features' tangent along (factor · v, 0).
    ///
    /// # Errors
    /// The kernel cannot be compiled, or the device is lost.
    ///
    /// # Panics
    /// If a buffer is too short, or rows of v are shorter than d.
    pub fn position_tangent(
        &self,
        device: &Device,
        rows: usize,
        factor: f64,
        buffers: TangentBuffers<'_>,
    ) -> Result<Stage, DeviceError> {
        let TangentBuffers { slopes, vectors, stride: vector_stride, inputs, channel } = buffers;
        let (d, stride) = (self.map.degrees_of_freedom(), self.stride());
        assert!(vector_stride >= d, "rows of {vector_stride} numbers for {d} coordinates");
        require("slopes", slopes, rows * stride);
        require("vectors", vectors, rows * vector_stride);
        require("inputs", inputs, (channel + 1) * rows * stride);
        let settings = TangentSettings {
            rows: rows as u32,
            features: self.map.len() as u32,
            stride: stride as u32,
            vector_stride: vector_stride as u32,
            first: (channel * rows * stride) as u32,
            factor: factor as f32,
        };
        let settings = constants(device, "tangent settings", settings)?;
        let arguments = [(&settings).into(), (&self.table).into(), slopes.into(), vectors.into(), inputs.into()];
        Stage::new(device, POSITION_TANGENT.only(), &arguments, rows * stride)
    }
}
