//! The directions of the functional whose parameter gradient is that of the accelerations.

use bytemuck::{Pod, Zeroable};

use crate::device::{Buffer, Device, DeviceError};
use crate::features::Features;
use crate::kernels::ADJOINT_DIRECTIONS;
use crate::stage::{Stage, constants, require};

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct DirectionSettings {
    rows: u32,
    degrees_of_freedom: u32,
    features: u32,
    stride: u32,
    columns: u32,
    at_rest: u32,
    first_left: u32,
    first_right: u32,
    first_a: u32,
}

/// Left and right vectors of a functional `(D_a − D_(0,left) D_w) L`.
#[derive(Clone, Copy, Debug)]
pub enum Motion<'a> {
    /// a = (v, 0), w = (q̇, q̈): the whole gradient at full rank.
    Along {
        /// `v = H⁺ λ`, `[rows, d]`.
        v: &'a Buffer<f32>,
        /// q̈, `[rows, d]`.
        acceleration: &'a Buffer<f32>,
    },
    /// a = 0, w = (0, −right), with left = H⁺ v and right = P r: the first constant-rank term.
    NullForce {
        /// `[4, rows, d]`, as the vector-Jacobian product of the solve writes it.
        terms: &'a Buffer<f32>,
    },
    /// As the one before, with left = P λ and right = H⁺ q̈: the second constant-rank term.
    NullCotangent {
        /// `[4, rows, d]`, as the vector-Jacobian product of the solve writes it.
        terms: &'a Buffer<f32>,
    },
}

/// The buffers of [`directions`], and where in `inputs` a goes.
#[derive(Clone, Copy, Debug)]
pub struct DirectionBuffers<'a> {
    /// Slopes of the features, `[rows, stride]`.
    pub slopes: &'a Buffer<f32>,
    /// Written: u and w over the tangents of the inputs, `[2, rows, d + 1]`.
    pub coefficients: &'a Buffer<f32>,
    /// The network's inputs, in channels `[rows, stride]`.
    pub inputs: &'a Buffer<f32>,
    /// The channel of `inputs` that is written: the features' tangent along a.
    pub channel: usize,
}

/// Plans the directions of the functional of one motion, for `rows` rows.
///
/// # Errors
/// The kernel cannot be compiled, or the device is lost.
///
/// # Panics
/// If a buffer is too short.
pub fn directions(
    device: &Device,
    features: &Features,
    rows: usize,
    motion: Motion<'_>,
    buffers: DirectionBuffers<'_>,
) -> Result<Stage, DeviceError> {
    let (d, stride) = (features.map().degrees_of_freedom(), features.stride());
    let DirectionBuffers { slopes, coefficients, inputs, channel } = buffers;
    let (left, right, first_left, first_right) = match motion {
        Motion::Along { v, acceleration } => (v, acceleration, 0, 0),
        Motion::NullForce { terms } => (terms, terms, 0, rows * d),
        Motion::NullCotangent { terms } => (terms, terms, 2 * rows * d, 3 * rows * d),
    };
    require("left vectors", left, first_left + rows * d);
    require("right vectors", right, first_right + rows * d);
    require("slopes", slopes, rows * stride);
    require("coefficients", coefficients, 2 * rows * (d + 1));
    require("inputs", inputs, (channel + 1) * rows * stride);
    let columns = stride.max(d + 1);
    let settings = DirectionSettings {
        rows: rows as u32,
        degrees_of_freedom: d as u32,
        features: features.map().len() as u32,
        stride: stride as u32,
        columns: columns as u32,
        at_rest: u32::from(!matches!(motion, Motion::Along { .. })),
        first_left: first_left as u32,
        first_right: first_right as u32,
        first_a: (channel * rows * stride) as u32,
    };
    let settings = constants(device, "direction settings", settings)?;
    let arguments = [
        (&settings).into(),
        (&features.table).into(),
        slopes.into(),
        left.into(),
        right.into(),
        coefficients.into(),
        inputs.into(),
    ];
    Stage::new(device, ADJOINT_DIRECTIONS.only(), &arguments, rows * columns)
}
