//! True accelerations of systems, computed on the device from states that were drawn there.

use bytemuck::{Pod, Zeroable};

use crate::device::{Buffer, Device, DeviceError};
use crate::kernels::{DOUBLE_PENDULUM, RELATIVISTIC_PARTICLE};
use crate::stage::{Stage, constants, require};

/// The planar double pendulum of `lnn_physics::systems::DoublePendulum`: q = (θ₁, θ₂), both from the downward vertical.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DoublePendulum {
    /// Masses m₁ and m₂ in kg, above 0.
    pub masses: [f64; 2],
    /// Lengths l₁ and l₂ of the rods in m, above 0.
    pub lengths: [f64; 2],
    /// Gravitational acceleration g in m/s².
    pub gravity: f64,
}

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Constants {
    rows: u32,
    state: u32,
    upper_share: f32,
    mass_ratio: f32,
    length_ratio: f32,
    gravity_upper: f32,
    gravity_lower: f32,
}

impl DoublePendulum {
    /// Plans the accelerations `[rows, 2]` in rad/s² of `states` `[rows, state]`, which begin with (θ₁, θ₂, ω₁, ω₂).
    ///
    /// They are NaN where an angle is not finite. Rounding is that of single precision, in which the states are given:
    /// angles of any size keep their digits, and θ₁ − θ₂ is exact.
    ///
    /// # Errors
    /// The kernel cannot be compiled, or the device is lost.
    ///
    /// # Panics
    /// If a state is shorter than 4, or a buffer is too short.
    pub fn acceleration(
        &self,
        device: &Device,
        rows: usize,
        state: usize,
        states: &Buffer<f32>,
        acceleration: &Buffer<f32>,
    ) -> Result<Stage, DeviceError> {
        let Self { masses: [m1, m2], lengths: [l1, l2], gravity } = *self;
        assert!(state >= 4, "a state of {state} components; two angles and two rates are needed");
        require("states", states, rows * state);
        require("accelerations", acceleration, rows * 2);
        let record = Constants {
            rows: rows as u32,
            state: state as u32,
            upper_share: (m1 / (m1 + m2)) as f32,
            mass_ratio: (m2 / (m1 + m2)) as f32,
            length_ratio: (l2 / l1) as f32,
            gravity_upper: (gravity / l1) as f32,
            gravity_lower: (gravity / l2) as f32,
        };
        let constants = constants(device, "double pendulum", record)?;
        let arguments = [(&constants).into(), states.into(), acceleration.into()];
        Stage::new(device, DOUBLE_PENDULUM.only(), &arguments, rows)
    }
}

/// The relativistic particle in a uniform field of `lnn_physics::systems::RelativisticParticle`: a state is (q, q̇, g), in
/// units in which the speed of light is 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelativisticParticle;

impl RelativisticParticle {
    /// Plans the accelerations `[rows]` of `states` `[rows, 3]`: `q̈ = g (1 − q̇²)^(5/2) / (1 + 2 q̇²)`, NaN unless |q̇| < 1.
    ///
    /// # Errors
    /// The kernel cannot be compiled, or the device is lost.
    ///
    /// # Panics
    /// If a buffer is too short.
    pub fn acceleration(
        &self,
        device: &Device,
        rows: usize,
        states: &Buffer<f32>,
        acceleration: &Buffer<f32>,
    ) -> Result<Stage, DeviceError> {
        require("states", states, rows * 3);
        require("accelerations", acceleration, rows);
        let constants = constants(device, "relativistic particle", rows as u32)?;
        let arguments = [(&constants).into(), states.into(), acceleration.into()];
        Stage::new(device, RELATIVISTIC_PARTICLE.only(), &arguments, rows)
    }
}
