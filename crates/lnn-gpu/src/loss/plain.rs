//! The loss of a plain network's accelerations, as the cotangent of its outputs.

use bytemuck::{Pod, Zeroable};

use super::{Loss, per_unit};
use crate::device::{Buffer, Device, DeviceError};
use crate::kernels::PLAIN_LOSS;
use crate::mlp;
use crate::pseudoinverse::MAX_DIMENSION;
use crate::stage::{Stage, constants, require};

/// What a plain network `q̈ = s·net(x)` is compared with.
#[derive(Clone, Copy, Debug)]
pub struct PlainLossSettings<'a> {
    /// The loss.
    pub loss: Loss,
    /// Samples.
    pub rows: usize,
    /// Components of q̈ and outputs of the network, up to [`MAX_DIMENSION`].
    pub components: usize,
    /// s.
    pub output_scale: f64,
    /// Samples of the whole batch, by which the cotangent is divided.
    pub batch: usize,
    /// Units in which each component's error is measured, `[components]`, where they are not all 1.
    pub units: Option<&'a [f64]>,
}

/// The buffers of [`plain_loss`]; a row of outputs is filled up to a multiple of 4.
#[derive(Clone, Copy, Debug)]
pub struct PlainLossBuffers<'a> {
    /// net(x), `[rows, stride]`.
    pub output: &'a Buffer<f32>,
    /// True accelerations, `[rows, components]`.
    pub target: &'a Buffer<f32>,
    /// By what a sample's loss and cotangent are multiplied, `[rows]`, where it is not 1 for all.
    pub weights: Option<&'a Buffer<f32>>,
    /// Written: ȳ, `[rows, stride]`.
    pub output_bar: &'a Buffer<f32>,
    /// Written: the loss of each sample, not divided by the batch, `[rows]`; NaN if a component is not finite.
    pub losses: &'a Buffer<f32>,
}

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Constants {
    rows: u32,
    components: u32,
    stride: u32,
    scale: f32,
    per_batch: f32,
    output_scale: f32,
    padding: [u32; 2],
    per_unit: [f32; MAX_DIMENSION],
}

/// Plans the losses of a batch and ȳ.
///
/// # Errors
/// The kernel cannot be compiled, or the device is lost.
///
/// # Panics
/// If there are no components or more than [`MAX_DIMENSION`], the batch is empty, there is another number of units, or a
/// buffer is too short.
pub fn plain_loss(
    device: &Device,
    settings: PlainLossSettings<'_>,
    buffers: PlainLossBuffers<'_>,
) -> Result<Stage, DeviceError> {
    let PlainLossSettings { loss, rows, components, output_scale, batch, units } = settings;
    let PlainLossBuffers { output, target, weights, output_bar, losses } = buffers;
    assert!((1..=MAX_DIMENSION).contains(&components), "{components} components are outside 1..={MAX_DIMENSION}");
    assert!(batch > 0, "a batch has at least one sample");
    let stride = mlp::stride(components);
    require("outputs", output, rows * stride);
    require("the outputs' cotangent", output_bar, rows * stride);
    require("target", target, rows * components);
    require("losses", losses, rows);
    let record = Constants {
        rows: rows as u32,
        components: components as u32,
        stride: stride as u32,
        scale: loss.scale(),
        per_batch: (1.0 / batch as f64) as f32,
        output_scale: output_scale as f32,
        padding: [0; 2],
        per_unit: per_unit(components, units),
    };
    let constants = constants(device, "plain loss settings", record)?;
    let mut arguments = vec![(&constants).into(), output.into(), target.into(), output_bar.into(), losses.into()];
    let mut flags: &[&str] = &[];
    if let Some(weights) = weights {
        require("weights", weights, rows);
        arguments.push(weights.into());
        flags = &["WEIGHTED"];
    }
    let source = PLAIN_LOSS.with_flags(flags).expect("the build makes a variant with and without weights");
    Stage::with_overrides(device, source, &loss.overrides(), &arguments, rows)
}
