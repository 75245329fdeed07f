//! The kernels around an optimiser.

use bytemuck::{Pod, Zeroable};

use super::settings::StepRecord;
use super::{StepReport, StepSettings, StepState, Terms};
use crate::device::{BoundKernel, Buffer, Device, DeviceError, Recorder, Uniforms};
use crate::kernels;

/// Numbers of a gradient that one workgroup of `gradient_norms` takes.
const BLOCK: usize = 4096;

/// What a [`StepControl`] works on, each array `[models, …]`.
#[derive(Clone, Copy, Debug)]
pub struct StepBuffers<'a> {
    /// The loss of each sample times its weight, `[models, samples]`; NaN where the sample's error is not finite. Their mean
    /// is the batch's loss.
    pub losses: &'a Buffer<f32>,
    /// Each sample's weight, `[models, samples]`, if loss and gradient are divided by their mean.
    pub weights: Option<&'a Buffer<f32>>,
    /// Its mean over the samples, weights included, `[models, parameters]`; becomes the gradient of the step, before clipping. Zero in padding.
    pub gradient: &'a Buffer<f32>,
    /// θ, `[models, parameters]`, a multiple of 4 of them a model. Finite in padding.
    pub parameters: &'a Buffer<f32>,
    /// `[models, 3]`, the last of which are the samples since it was cleared whose gradient has constant-rank terms. Where there
    /// are such and the step's gradient [lacks these terms](StepControl::set_rates), it is not taken, nor any after it.
    pub tally: &'a Buffer<u32>,
}

/// The kernels before and after an optimiser's, with the state that they keep on the device.
#[derive(Debug)]
pub struct StepControl {
    settings: StepSettings,
    blocks: usize,
    parameters: usize,
    records: Uniforms<StepRecord>,
    states: Buffer<StepState>,
    faults: Buffer<u32>,
    reports: Buffer<StepReport>,
    loss_total: BoundKernel,
    gradient_norms: BoundKernel,
    clip_decide: BoundKernel,
    restore: BoundKernel,
}

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Samples {
    count: u32,
    weighted: u32,
}

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Parameters {
    count: u32,
    penalty: f32,
}

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Lengths {
    count: u32,
    reports: u32,
}

impl StepControl {
    /// No step made yet.
    ///
    /// # Errors
    /// The adapter is too small, or the device is lost.
    ///
    /// # Panics
    /// If there are no models, samples or steps, or a buffer has another length than the settings say.
    pub fn new(device: &Device, settings: StepSettings, buffers: StepBuffers<'_>) -> Result<Self, DeviceError> {
        let StepSettings { models, samples, penalty, steps, .. } = settings;
        assert!(models > 0 && samples > 0 && steps > 0, "at least one model, sample and step: {settings:?}");
        let parameters = buffers.parameters.len() / models;
        assert_eq!((parameters * models, parameters % 4), (buffers.parameters.len(), 0), "parameters: models × 4k");
        assert_eq!(buffers.gradient.len(), buffers.parameters.len(), "gradient");
        assert_eq!(buffers.losses.len(), models * samples, "losses: models × samples");
        if let Some(weights) = buffers.weights {
            assert_eq!(weights.len(), models * samples, "weights: models × samples");
        }
        assert_eq!(buffers.tally.len(), 3 * models, "tally: three a model");
        let blocks = parameters.div_ceil(BLOCK);
        let records = device.uniforms("steps", steps)?;
        let states = device.buffer::<StepState>("step states", models)?;
        let faults = device.buffer::<u32>("faults", models)?;
        let reports = device.buffer::<StepReport>("step reports", models * steps)?;
        let norms = device.buffer::<[f32; 2]>("norms of gradient blocks", models * blocks)?;
        let previous = device.buffer::<f32>("previous parameters", buffers.parameters.len())?;

        let of_samples = Samples { count: samples as u32, weighted: u32::from(buffers.weights.is_some()) };
        let of_parameters = Parameters { count: parameters as u32, penalty: penalty as f32 };
        let lengths = Lengths { count: parameters as u32, reports: steps as u32 };
        let of_samples = device.constants("samples", of_samples)?;
        let of_parameters = device.constants("parameters", of_parameters)?;
        let lengths = device.constants("lengths", lengths)?;

        let bind = |source, arguments: &[_]| device.kernel(source, &[])?.bind(device, arguments);
        // Without weights nothing is read there.
        let weights = buffers.weights.unwrap_or(buffers.losses);
        let loss_total = bind(
            kernels::LOSS_TOTAL.only(),
            &[(&of_samples).into(), buffers.losses.into(), weights.into(), (&states).into()],
        )?;
        let gradient_norms = bind(
            kernels::GRADIENT_NORMS.only(),
            &[
                (&of_parameters).into(),
                (&states).into(),
                buffers.parameters.into(),
                buffers.gradient.into(),
                (&previous).into(),
                (&norms).into(),
            ],
        )?;
        let clip_decide = bind(
            kernels::CLIP_DECIDE.only(),
            &[
                (&records).into(),
                (&norms).into(),
                (&states).into(),
                (&faults).into(),
                (&reports).into(),
                buffers.tally.into(),
            ],
        )?;
        let restore = bind(
            kernels::RESTORE.only(),
            &[
                (&lengths).into(),
                (&faults).into(),
                (&previous).into(),
                buffers.parameters.into(),
                (&states).into(),
                (&reports).into(),
            ],
        )?;
        Ok(Self {
            settings,
            blocks,
            parameters,
            records,
            states,
            faults,
            reports,
            loss_total,
            gradient_norms,
            clip_decide,
            restore,
        })
    }

    /// The learning rates of the next submission's steps from its step number `first` on, and which gradients these will have.
    ///
    /// # Errors
    /// The device is lost.
    ///
    /// # Panics
    /// If they are more than the settings' steps.
    pub fn set_rates(&self, device: &Device, first: usize, rates: &[f64], terms: Terms) -> Result<(), DeviceError> {
        let records: Vec<_> = rates.iter().map(|&rate| self.settings.record(rate, self.blocks, terms)).collect();
        device.upload_uniforms(&self.records, first, &records)
    }

    /// From losses and the sum of the samples' gradients to the decision on step number `step` of this submission.
    pub fn record_decision(&self, recorder: &mut Recorder, step: usize) {
        let models = self.settings.models as u32;
        recorder.dispatch(&self.loss_total, [1, 1, models]);
        recorder.dispatch_models(&self.gradient_norms, self.blocks as u32, models, 0);
        recorder.dispatch_record(&self.clip_decide, [1, 1, models], step);
    }

    /// After the optimiser: takes back an update that left a parameter that is not finite.
    pub fn record_restoration(&self, recorder: &mut Recorder) {
        let groups = self.parameters.div_ceil(4 * 256) as u32;
        recorder.dispatch_models(&self.restore, groups, self.settings.models as u32, 0);
    }

    /// What the optimiser's kernels read: whether and how to update each model.
    pub fn states(&self) -> &Buffer<StepState> {
        &self.states
    }

    /// Where the optimiser's kernels say that a model's numbers overflowed.
    pub fn faults(&self) -> &Buffer<u32> {
        &self.faults
    }

    /// Models, and parameters of each.
    pub fn lengths(&self) -> [usize; 2] {
        [self.settings.models, self.parameters]
    }

    /// Reads each model's state, and waits for what was submitted.
    ///
    /// # Errors
    /// The device is lost or does not answer in time.
    pub fn download_states(&self, device: &Device) -> Result<Vec<StepState>, DeviceError> {
        let mut states = vec![StepState::default(); self.settings.models];
        device.download(&self.states, 0, &mut states)?;
        Ok(states)
    }

    /// Goes back to states of a checkpoint.
    ///
    /// # Errors
    /// The device is lost.
    ///
    /// # Panics
    /// If they are not one a model.
    pub fn upload_states(&self, device: &Device, states: &[StepState]) -> Result<(), DeviceError> {
        assert_eq!(states.len(), self.settings.models, "states: one a model");
        device.upload(&self.states, 0, states)?;
        device.upload(&self.faults, 0, &vec![0; states.len()])
    }

    /// The models whose optimiser's averages have overflowed, from which no later step can recover; waits for what was
    /// submitted.
    ///
    /// # Errors
    /// The device is lost or does not answer in time.
    pub fn lost_averages(&self, device: &Device) -> Result<Vec<usize>, DeviceError> {
        let mut faults = vec![0; self.settings.models];
        device.download(&self.faults, 0, &mut faults)?;
        Ok((0..faults.len()).filter(|&model| faults[model] & AVERAGE_FAULT != 0).collect())
    }

    /// Reads the reports of the last `count` steps, `[models, count]`, oldest first.
    ///
    /// # Errors
    /// The device is lost or does not answer in time.
    ///
    /// # Panics
    /// If they are more than the settings' steps, or than were made.
    pub fn download_reports(&self, device: &Device, count: usize) -> Result<Vec<StepReport>, DeviceError> {
        self.download_reports_after(device, &self.download_states(device)?, count)
    }

    /// As [`download_reports`](Self::download_reports), with the states that were read after these steps.
    pub(crate) fn download_reports_after(
        &self,
        device: &Device,
        states: &[StepState],
        count: usize,
    ) -> Result<Vec<StepReport>, DeviceError> {
        let StepSettings { models, steps, .. } = self.settings;
        let made = states[0].steps as usize;
        assert!(count <= steps.min(made), "{count} reports of {steps} kept, {made} made");
        let mut kept = vec![StepReport::default(); models * steps];
        device.download(&self.reports, 0, &mut kept)?;
        let place = |step: usize| step % steps;
        let of_model = |model: usize| (made - count..made).map(move |step| model * steps + place(step));
        Ok((0..models).flat_map(of_model).map(|at| kept[at]).collect())
    }
}

/// `AVERAGE_FAULT` of `shaders/shared/step_state.wgsl`.
const AVERAGE_FAULT: u32 = 2;
