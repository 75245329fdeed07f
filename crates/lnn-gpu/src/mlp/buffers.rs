//! The buffers of a plan.

use lnn_autodiff::MlpShape;
use lnn_autodiff::jet::Purpose;

use super::gradient::gives_gradient;
use super::{ParameterLayout, hessian_pairs, stride};
use crate::device::{Buffer, Device, DeviceError};

/// What the passes hand on. Copies have the same buffers.
#[derive(Clone, Debug)]
pub(super) struct Buffers {
    pub(super) shape: MlpShape,
    pub(super) rows: usize,
    pub(super) tangents: usize,
    /// Partial sums of a gradient.
    pub(super) splits: usize,
    /// `[tangents…, value]`, then `[u, w, c]` for a functional, `[c]` for a directional derivative.
    pub(super) inputs: Buffer<f32>,
    pub(super) hidden: Vec<Hidden>,
    /// `[rows][stride]`.
    pub(super) output: Buffer<f32>,
    pub(super) output_bar: Buffer<f32>,
    pub(super) input_bar: Buffer<f32>,
    /// `[x̄, x̄_u, x̄_w]` of a functional, x̄ of a directional derivative.
    pub(super) input_cotangents: Buffer<f32>,
    /// `[rows][pairs]`.
    pub(super) second_derivatives: Buffer<f32>,
    /// u and w, each `[rows][t]`.
    pub(super) coefficients: Buffer<f32>,
    /// `[splits][parameters]`.
    pub(super) partial_gradients: Buffer<f32>,
    /// As the parameters.
    pub(super) gradient: Buffer<f32>,
    /// Bound where a kernel has nothing to read or to write.
    pub(super) nothing_read: Buffer<f32>,
    pub(super) nothing_written: Buffer<f32>,
}

/// What one hidden layer keeps.
#[derive(Clone, Debug)]
pub(super) struct Hidden {
    pub(super) width: usize,
    /// `[ż…, z]`.
    pub(super) kept: Buffer<f32>,
    /// `[ȧ…, a]`, then `[ȧ^u, ȧ^w, c_a]` or `[c_a]`.
    pub(super) activations: Buffer<f32>,
    /// δ.
    pub(super) delta: Buffer<f32>,
    /// δσ′, after `[z̄, ż̄^u, ż̄^w]` for a functional, `[z̄]` for a directional derivative.
    pub(super) bars: Buffer<f32>,
    /// `[ż^u, ż^w, c_z]` or `[c_z]`.
    pub(super) directional: Buffer<f32>,
}

impl Buffers {
    pub(super) fn new(
        device: &Device,
        layout: &ParameterLayout,
        [tangents, rows]: [usize; 2],
        purpose: Purpose,
        splits: usize,
        gradient: Option<&Buffer<f32>>,
    ) -> Result<Self, DeviceError> {
        let shape = layout.shape();
        let array = |name: &str, channels: usize, width: usize| device.buffer(name, channels * rows * stride(width));
        let reverse = usize::from(purpose >= Purpose::Gradient);
        // What a gradient of derivatives carries beside the value.
        let carried = match purpose {
            Purpose::Functional => 3,
            Purpose::Directional => 1,
            _ => 0,
        };
        let coefficients = if purpose == Purpose::Functional { 2 * rows * tangents } else { 0 };
        let parameters = if gives_gradient(purpose) { layout.padded_len() } else { 0 };
        let gradient = gradient_buffer(device, parameters, gradient)?;
        let mut hidden = Vec::new();
        for &width in &shape.dimensions()[1..=shape.hidden_layers()] {
            hidden.push(Hidden {
                width,
                kept: array("kept", tangents + 1, width)?,
                activations: array("activations", tangents + 1 + carried, width)?,
                delta: array("delta", reverse, width)?,
                bars: array("bars", reverse + carried, width)?,
                directional: array("directional", carried, width)?,
            });
        }
        let pairs =
            if matches!(purpose, Purpose::Hessian | Purpose::Functional) { hessian_pairs(tangents).len() } else { 0 };
        Ok(Self {
            rows,
            tangents,
            splits,
            inputs: array("inputs", tangents + 1 + carried, shape.inputs())?,
            hidden,
            output: array("output", 1, shape.outputs())?,
            output_bar: array("output bar", reverse, shape.outputs())?,
            input_bar: array("input bar", reverse, shape.inputs())?,
            input_cotangents: array("input cotangents", carried, shape.inputs())?,
            second_derivatives: device.buffer("second derivatives", rows * pairs)?,
            coefficients: device.buffer("coefficients", coefficients)?,
            partial_gradients: device.buffer("partial gradients", splits * parameters)?,
            gradient,
            nothing_read: device.buffer("nothing read", 0)?,
            nothing_written: device.buffer("nothing written", 0)?,
            shape: shape.clone(),
        })
    }

    /// The same buffers, with others for partial gradients of another number.
    pub(super) fn with_splits(&self, device: &Device, splits: usize) -> Result<Self, DeviceError> {
        let partial_gradients = if splits == self.splits {
            self.partial_gradients.clone()
        } else {
            device.buffer("partial gradients", splits * self.gradient.len())?
        };
        Ok(Self { splits, partial_gradients, ..self.clone() })
    }

    /// Numbers of one channel.
    pub(super) fn channel(&self, width: usize) -> usize {
        self.rows * stride(width)
    }

    /// What layer `layer` multiplies: the inputs, or the activations of the layer below, with their width.
    pub(super) fn below(&self, layer: usize) -> (&Buffer<f32>, usize) {
        match layer.checked_sub(1) {
            None => (&self.inputs, self.shape.inputs()),
            Some(below) => (&self.hidden[below].activations, self.hidden[below].width),
        }
    }

    /// What comes from layer `layer` on the way back: its bars, or ȳ, with their width.
    pub(super) fn above(&self, layer: usize) -> (&Buffer<f32>, usize) {
        match self.hidden.get(layer) {
            None => (&self.output_bar, self.shape.outputs()),
            Some(hidden) => (&hidden.bars, hidden.width),
        }
    }

    /// Where δσ′ starts in a layer's bars: behind the three adjoints, if there are such.
    pub(super) fn bar_start(&self, layer: usize) -> usize {
        self.hidden.get(layer).map_or(0, |hidden| hidden.bars.len() - self.channel(hidden.width))
    }
}

/// The buffer that is given for a gradient of so many numbers, or one of its own.
pub(super) fn gradient_buffer(
    device: &Device,
    length: usize,
    given: Option<&Buffer<f32>>,
) -> Result<Buffer<f32>, DeviceError> {
    let Some(given) = given else { return device.buffer("gradient", length) };
    assert_eq!(given.len(), length, "{}: a number for each padded parameter", given.name());
    Ok(given.clone())
}
