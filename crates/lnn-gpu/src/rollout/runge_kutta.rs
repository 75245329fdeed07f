//! Runge–Kutta steps of many states, in lockstep and without a way to the host.

use bytemuck::{Pod, Zeroable};

use crate::device::{Buffer, Device, DeviceError, Recorder, Uniforms};
use crate::kernels::RUNGE_KUTTA_STAGE;
use crate::stage::{Stage, require};

/// Stage i + 1 starts from `y + COUPLING[i] · dt · kᵢ`; all other entries of the tableau are zero.
const COUPLING: [f64; 4] = [0.5, 0.5, 1.0, 0.0];
/// Weights of the stages in the step.
const WEIGHTS: [f64; 4] = [1.0 / 6.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 6.0];

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct RungeKuttaStage {
    rows: u32,
    degrees_of_freedom: u32,
    state: u32,
    first: u32,
    last: u32,
    ahead: f32,
    weight: f32,
    zero: u32,
}

/// The classical Runge–Kutta method of order 4 with a fixed step, for a batch of states (q, q̇, conditionals).
///
/// What gives the accelerations is the caller's: it is recorded four times a step, each time reads
/// [`stage_states`](Self::stage_states) and writes the accelerations. States carry what their roundings leave from step to
/// step, so that their own rounding does not add up over a long motion; that of the accelerations does.
#[derive(Clone, Debug)]
pub struct RungeKutta4 {
    rows: usize,
    degrees_of_freedom: usize,
    state: usize,
    constants: Uniforms<RungeKuttaStage>,
    states: Buffer<f32>,
    stage_states: Buffer<f32>,
    remainders: Buffer<f32>,
    stage: Stage,
}

impl RungeKutta4 {
    /// Plans steps of length `dt` for `rows` states of `state` numbers with d coordinates each; `acceleration` is
    /// `[rows, d]`.
    ///
    /// # Errors
    /// The buffers do not fit on the device, or the kernel cannot be compiled.
    ///
    /// # Panics
    /// If a state is shorter than 2d, or `acceleration` is too short.
    pub fn new(
        device: &Device,
        rows: usize,
        d: usize,
        state: usize,
        dt: f64,
        acceleration: &Buffer<f32>,
    ) -> Result<Self, DeviceError> {
        assert!(state >= 2 * d, "a state of {state} numbers; {d} coordinates and velocities are needed");
        require("accelerations", acceleration, rows * d);
        let states = device.buffer("states", rows * state)?;
        let stage_states = device.buffer("states of the stage", rows * state)?;
        let increments = device.buffer::<f32>("increments", rows * 2 * d)?;
        let remainders = device.buffer("remainders", rows * 2 * d)?;
        let constants = device.uniforms("Runge-Kutta stages", WEIGHTS.len())?;
        let arguments = [
            (&constants).into(),
            acceleration.into(),
            (&states).into(),
            (&stage_states).into(),
            (&increments).into(),
            (&remainders).into(),
        ];
        let stage = Stage::new(device, RUNGE_KUTTA_STAGE.only(), &arguments, rows * d)?;
        let method = Self { rows, degrees_of_freedom: d, state, constants, states, stage_states, remainders, stage };
        method.set_step(device, dt)?;
        Ok(method)
    }

    /// Sets the length of the steps of what is submitted next.
    ///
    /// # Errors
    /// The device is lost.
    pub fn set_step(&self, device: &Device, dt: f64) -> Result<(), DeviceError> {
        let record = |stage: usize| RungeKuttaStage {
            rows: self.rows as u32,
            degrees_of_freedom: self.degrees_of_freedom as u32,
            state: self.state as u32,
            first: u32::from(stage == 0),
            last: u32::from(stage + 1 == WEIGHTS.len()),
            ahead: (COUPLING[stage] * dt) as f32,
            weight: (WEIGHTS[stage] * dt) as f32,
            zero: 0,
        };
        device.upload_uniforms(&self.constants, 0, &[0, 1, 2, 3].map(record))
    }

    /// Sets the states to start from, `[rows, state]`, before what is submitted next.
    ///
    /// # Errors
    /// The device is lost.
    ///
    /// # Panics
    /// If their number is another.
    pub fn start(&self, device: &Device, states: &[f32]) -> Result<(), DeviceError> {
        assert_eq!(states.len(), self.states.len(), "rows of {} numbers", self.state);
        device.upload(&self.states, 0, states)?;
        device.upload(&self.stage_states, 0, states)?;
        device.upload(&self.remainders, 0, &vec![0.0; self.remainders.len()])
    }

    /// One step, with what `accelerate` adds to the recording at each of its four stages.
    pub fn record_step(&self, recorder: &mut Recorder, mut accelerate: impl FnMut(&mut Recorder)) {
        for stage in 0..WEIGHTS.len() {
            accelerate(recorder);
            self.stage.record_with(recorder, stage);
        }
    }

    /// The states after the last step, `[rows, state]`. A motion that has left the finite numbers stays there.
    pub fn states(&self) -> &Buffer<f32> {
        &self.states
    }

    /// The states at which accelerations are wanted, `[rows, state]`.
    pub fn stage_states(&self) -> &Buffer<f32> {
        &self.stage_states
    }
}
