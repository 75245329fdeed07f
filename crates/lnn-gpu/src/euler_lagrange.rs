//! The Euler–Lagrange equation of a batch: from the network's derivatives to H and r, and from the cotangent of the
//! accelerations to the directions of the functional whose parameter gradient is wanted.
//!
//! ```text
//! H = ∂²L/∂q̇∂q̇ᵀ + M        r = ∂L/∂q − (∂²L/∂q̇∂qᵀ) q̇        p = ∂L/∂q̇ + M q̇
//! q̈ = H⁺ r                  v = H⁺ λ                  ∂(Σ λ·q̈)/∂θ = ∂/∂θ (D_(v,0) − D_(0,v) D_(q̇,q̈)) L
//! ```
//!
//! M is the residual mass of each coordinate. The solves are those of [`pseudoinverse`](crate::pseudoinverse). A row whose
//! H is not of full rank adds two functionals at rest, `−D_(0,left) D_(0,−right) L`, with the vectors that
//! [`solve_vjp`](crate::pseudoinverse::SymmetricFactors::solve_vjp) writes.

use bytemuck::{Pod, Zeroable};

use crate::device::{Buffer, Device, DeviceError};
use crate::features::Features;
use crate::kernels::{ADJOINT_DIRECTIONS, ASSEMBLE_MOTION};
use crate::pseudoinverse::MAX_DIMENSION;
use crate::stage::{Stage, constants, require};

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct MotionSettings {
    rows: u32,
    degrees_of_freedom: u32,
    state: u32,
    padding: u32,
    masses: [f32; MAX_DIMENSION],
}

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

/// Pairs (i, j) of tangents whose second derivatives H and r are made of, in the order in which
/// [`assemble`] reads them: for each unit velocity i the velocities j ≥ i, then (q̇, 0), which is number d.
pub fn pairs(d: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..d).flat_map(move |i| (i..=d).map(move |j| (i, j)))
}

/// The buffers of [`assemble`].
#[derive(Clone, Copy, Debug)]
pub struct AssembleBuffers<'a> {
    /// D_i D_j L of the [`pairs`], `[rows, d (d + 3) / 2]`.
    pub second_derivatives: &'a Buffer<f32>,
    /// (q, q̇, conditionals), `[rows, 2d + c]`.
    pub states: &'a Buffer<f32>,
    /// ∂L/∂q of the network, which becomes r; `[rows, d]`.
    pub force: &'a Buffer<f32>,
    /// ∂L/∂q̇ of the network, which becomes p; `[rows, d]`.
    pub momentum: &'a Buffer<f32>,
    /// Written: H, `[rows, d, d]`.
    pub mass_matrix: &'a Buffer<f32>,
}

/// Plans H, r and p of `rows` states of `state` numbers each, with residual masses `masses` `[d]`.
///
/// # Errors
/// The kernel cannot be compiled, or the device is lost.
///
/// # Panics
/// If there is no mass or more than [`MAX_DIMENSION`], or a buffer is too short.
pub fn assemble(
    device: &Device,
    rows: usize,
    state: usize,
    masses: &[f64],
    buffers: AssembleBuffers<'_>,
) -> Result<Stage, DeviceError> {
    let d = masses.len();
    assert!((1..=MAX_DIMENSION).contains(&d), "{d} coordinates are outside 1..={MAX_DIMENSION}");
    let AssembleBuffers { second_derivatives, states, force, momentum, mass_matrix } = buffers;
    require("second derivatives", second_derivatives, rows * d * (d + 3) / 2);
    require("states", states, rows * state);
    require("force", force, rows * d);
    require("momentum", momentum, rows * d);
    require("mass matrices", mass_matrix, rows * d * d);
    let mut settings = MotionSettings {
        rows: rows as u32,
        degrees_of_freedom: d as u32,
        state: state as u32,
        padding: 0,
        masses: [0.0; MAX_DIMENSION],
    };
    for (own, &mass) in settings.masses.iter_mut().zip(masses) {
        *own = mass as f32;
    }
    let settings = constants(device, "motion settings", settings)?;
    let arguments = [
        (&settings).into(),
        second_derivatives.into(),
        states.into(),
        force.into(),
        momentum.into(),
        mass_matrix.into(),
    ];
    Stage::new(device, ASSEMBLE_MOTION.only(), &arguments, rows)
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
