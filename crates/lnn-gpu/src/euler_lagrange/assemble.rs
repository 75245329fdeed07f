//! Mass matrix, force and momentum from the network's derivatives.

use bytemuck::{Pod, Zeroable};

use crate::device::{Buffer, Device, DeviceError};
use crate::kernels::ASSEMBLE_MOTION;
use crate::pseudoinverse::MAX_DIMENSION;
use crate::stage::{Stage, constants, for_each, require};

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct MotionSettings {
    rows: u32,
    degrees_of_freedom: u32,
    state: u32,
    padding: u32,
    masses: [f32; MAX_DIMENSION],
}

/// The buffers of [`assemble`].
#[derive(Clone, Copy, Debug)]
pub struct AssembleBuffers<'a> {
    /// D_i D_j L of the [pairs](crate::mlp::hessian_pairs) of d + 1 tangents, `[rows, d (d + 3) / 2]`.
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
    let settings = MotionSettings {
        rows: rows as u32,
        degrees_of_freedom: d as u32,
        state: state as u32,
        padding: 0,
        masses: for_each(d, Some(masses), 0.0),
    };
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
