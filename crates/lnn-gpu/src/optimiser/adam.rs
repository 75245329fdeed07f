//! Adam with decoupled weight decay.

use std::ops::Range;

use bytemuck::{Pod, Zeroable};

use crate::device::{BoundKernel, Buffer, Device, DeviceError, Recorder};
use crate::kernels;
use crate::step::StepControl;

/// Settings of [`Adam`], in SOAP also those of the averages in its eigenbasis. The learning rate and the weight decay
/// are the [`StepControl`]'s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamSettings {
    /// β₁, the averaging of the gradient, in [0, 1).
    pub beta1: f64,
    /// β₂, the averaging of the squared gradient, in [0, 1).
    pub beta2: f64,
    /// ε, added to the root of the second moment; in the gradient's units.
    pub epsilon: f64,
}

impl AdamSettings {
    /// β₁, β₂, 1 − β₁, 1 − β₂, each rounded once.
    pub(super) fn betas(&self) -> [f32; 4] {
        [self.beta1, self.beta2, 1.0 - self.beta1, 1.0 - self.beta2].map(|beta| beta as f32)
    }
}

/// Adam (Kingma and Ba 2015, Algorithm 1) with the decoupled weight decay of Loshchilov and Hutter 2019.
///
/// With g the gradient, t the update counted from 1 and η the learning rate, elementwise
///
/// ```text
/// m ← β₁ m + (1 − β₁) g        v ← β₂ v + (1 − β₂) g²
/// θ ← (1 − η w) θ − η [m / (1 − β₁ᵗ)] / [√(v / (1 − β₂ᵗ)) + ε]
/// ```
#[derive(Debug)]
pub struct Adam {
    first_moment: Buffer<f32>,
    second_moment: Buffer<f32>,
    ranges: Vec<(BoundKernel, u32)>,
    models: u32,
}

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Constants {
    betas: [f32; 4],
    epsilon: f32,
    stride: u32,
    first: u32,
    count: u32,
}

impl Adam {
    /// Zero averages for the parameters that `control` was made for.
    ///
    /// # Errors
    /// The adapter is too small, or the device is lost.
    ///
    /// # Panics
    /// If a buffer has another length than `control`'s.
    pub fn new(
        device: &Device,
        settings: AdamSettings,
        control: &StepControl,
        gradient: &Buffer<f32>,
        parameters: &Buffer<f32>,
    ) -> Result<Self, DeviceError> {
        let [models, count] = control.lengths();
        let moment = |name| device.buffer::<f32>(name, models * count);
        let moments = [moment("first moment")?, moment("second moment")?];
        Self::of_ranges(device, settings, control, [gradient, parameters], moments, std::slice::from_ref(&(0..count)))
    }

    /// Of these ranges of each model's parameters, with averages in the same places of `moments`.
    pub(super) fn of_ranges(
        device: &Device,
        settings: AdamSettings,
        control: &StepControl,
        [gradient, parameters]: [&Buffer<f32>; 2],
        [first_moment, second_moment]: [Buffer<f32>; 2],
        ranges: &[Range<usize>],
    ) -> Result<Self, DeviceError> {
        let [models, stride] = control.lengths();
        for buffer in [gradient, parameters, &first_moment, &second_moment] {
            assert_eq!(buffer.len(), models * stride, "{}: models × parameters", buffer.name());
        }
        let kernel = device.kernel(kernels::ADAM.only(), &[])?;
        let mut bound = Vec::with_capacity(ranges.len());
        for range in ranges {
            let constants = Constants {
                betas: settings.betas(),
                epsilon: settings.epsilon as f32,
                stride: stride as u32,
                first: range.start as u32,
                count: range.len() as u32,
            };
            let constants = device.constants("adam", constants)?;
            let arguments = [
                (&constants).into(),
                control.states().into(),
                gradient.into(),
                parameters.into(),
                (&first_moment).into(),
                (&second_moment).into(),
                control.faults().into(),
            ];
            bound.push((kernel.bind(device, &arguments)?, range.len().div_ceil(256) as u32));
        }
        Ok(Self { first_moment, second_moment, ranges: bound, models: models as u32 })
    }

    /// The update of the step that was decided on last.
    pub fn record(&self, recorder: &mut Recorder) {
        for (kernel, groups) in &self.ranges {
            recorder.dispatch_models(kernel, *groups, self.models, 0);
        }
    }

    /// The averages m and v, each `[models, parameters]`.
    pub fn moments(&self) -> [&Buffer<f32>; 2] {
        [&self.first_moment, &self.second_moment]
    }
}
