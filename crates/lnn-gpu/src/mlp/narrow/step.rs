//! A whole step of a Lagrangian's network up to 64 wide, from its inputs to the gradient of the loss, in one launch.

use super::networks::Networks;
use super::sources::{self, Sources};
use super::{NarrowPlan, split_sum};
use crate::device::{AdapterSummary, Argument, BoundKernel, Buffer, Device, DeviceError, Recorder};
use crate::kernels::{BindingKind, KernelSource, NARROW_STEP};
use crate::mlp::buffers::gradient_buffer;
use crate::mlp::plan::Dispatch;
use crate::mlp::{Tiles, hessian_pairs, stride};

/// What the equation of motion and the loss bring to the kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepArguments<'a> {
    /// The kernel's bindings from the equation's settings on.
    pub(crate) equation: &'a [Argument<'a>],
    /// Which loss, and what else is chosen when the pipeline is made.
    pub(crate) overrides: &'a [(&'a str, f64)],
}

/// The passes of `narrow_step` for a fixed number of rows of each model: the jet, q̈, the loss and its directions, and the
/// functional's gradient with the constant-rank terms of the rows that have such.
#[derive(Debug)]
pub(crate) struct NarrowStep {
    kernel: BoundKernel,
    sum: Dispatch,
    splits: u32,
    models: u32,
    arrays: StepArrays,
}

/// The arrays of a step that others read or write, as [`NarrowJet`](super::NarrowJet) has them.
#[derive(Debug)]
pub(crate) struct StepArrays {
    /// `[tangents…, value, x_u, x_w, a]`, each `[models][rows][stride]`; the first ones are to be written.
    pub(crate) inputs: Buffer<f32>,
    /// To be written.
    pub(crate) output_bar: Buffer<f32>,
    /// u and w of the functional and of the two constant-rank terms, `[3][2][models][rows][t]`.
    pub(crate) coefficients: Buffer<f32>,
}

impl NarrowStep {
    /// Whether an adapter binds so many arrays at once.
    pub(crate) fn fits(adapter: &AdapterSummary) -> bool {
        let arrays = |source: &KernelSource| {
            source.bindings.iter().filter(|binding| binding.kind != BindingKind::Uniform).count()
        };
        NARROW_STEP.variants.iter().all(|source| arrays(source) <= adapter.storage_buffers as usize)
    }

    /// The channel of the inputs that is a.
    pub(crate) const fn channel(tangents: usize) -> usize {
        tangents + 3
    }

    pub(crate) fn new(
        device: &Device,
        plan: NarrowPlan<'_>,
        tiles: &Tiles,
        step: StepArguments<'_>,
    ) -> Result<Self, DeviceError> {
        let NarrowPlan { layout, parameters, models, tangents, rows, gradient, .. } = plan;
        let shape = layout.shape();
        let array = |name: &str, channels: usize, width: usize| {
            device.buffer::<f32>(name, models * channels * rows * stride(width))
        };
        let source = Sources::step(device, &plan, tiles)?;
        let splits = sources::splits(source, &plan);
        let networks = Networks::new(device, plan, splits)?;
        let arrays = StepArrays {
            inputs: array("inputs", Self::channel(tangents) + 1, shape.inputs())?,
            output_bar: array("output bar", 1, shape.outputs())?,
            coefficients: device.buffer("coefficients", 3 * 2 * models * rows * tangents)?,
        };
        let kept = device.buffer("kept", models * networks.kept_of_one)?;
        // With x̄ behind them.
        let of_row = hessian_pairs(tangents).len() + stride(shape.inputs());
        let derivatives = device.buffer("derivatives", models * rows * of_row)?;
        let partial = device.buffer("partial gradients", splits * parameters.len())?;
        let gradient = gradient_buffer(device, parameters.len(), gradient)?;
        let StepArrays { inputs, output_bar, coefficients } = &arrays;
        let own = [inputs, output_bar, &kept, &derivatives, coefficients, &partial];
        let arguments = [&own.map(Argument::from)[..], step.equation].concat();
        Ok(Self {
            kernel: networks.bind_with(device, source, step.overrides, &arguments)?,
            sum: split_sum(device, splits, &partial, &gradient)?,
            splits: splits as u32,
            models: models as u32,
            arrays,
        })
    }

    /// From the inputs to the gradient.
    pub(crate) fn record(&self, recorder: &mut Recorder) {
        recorder.dispatch(&self.kernel, [self.splits, 1, self.models]);
        self.sum.record(recorder);
    }

    pub(crate) fn arrays(&self) -> &StepArrays {
        &self.arrays
    }

    /// Partial sums that a gradient is made of.
    pub(crate) fn gradient_parts(&self) -> usize {
        self.splits as usize
    }
}
