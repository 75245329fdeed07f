//! The buffers of a plan, and its forward, reverse and Hessian passes.

use bytemuck::{Pod, Zeroable};
use lnn_autodiff::jet::Purpose;
use lnn_autodiff::{Activation, MlpShape};

use super::functional::Functional;
use super::plan::{Dispatch, LayerConstants};
use super::{MlpParameters, stride};
use crate::device::{Buffer, Device, DeviceError, Recorder};
use crate::kernels;

/// The jets of a fixed number of rows of one network in `t` directions, on a device.
///
/// Buffers are `[channels][rows][stride]` with zero padding. A caller, or a kernel of an earlier stage, writes
/// [`inputs`](Self::inputs), [`output_bar`](Self::output_bar) and [`coefficients`](Self::coefficients); the `record_…` calls
/// add the passes to a recording, in the order of the table in the [module](super).
#[derive(Debug)]
pub struct MlpJet {
    pub(super) buffers: Buffers,
    forward: Vec<Dispatch>,
    output: Dispatch,
    reverse: Vec<Dispatch>,
    hessian: Vec<Dispatch>,
    functional: Option<Functional>,
}

/// What the passes hand on.
#[derive(Debug)]
pub(super) struct Buffers {
    pub(super) shape: MlpShape,
    pub(super) rows: usize,
    pub(super) tangents: usize,
    /// `[tangents…, value]`, and for a functional `[…, u, w, c]`.
    pub(super) inputs: Buffer<f32>,
    pub(super) hidden: Vec<Hidden>,
    /// `[rows][stride]`.
    pub(super) output: Buffer<f32>,
    pub(super) output_bar: Buffer<f32>,
    pub(super) input_bar: Buffer<f32>,
    /// `[rows][pairs]`.
    pub(super) second_derivatives: Buffer<f32>,
    /// u and w, each `[rows][t]`.
    pub(super) coefficients: Buffer<f32>,
    /// Bound where a kernel has nothing to read or to write.
    pub(super) nothing_read: Buffer<f32>,
    pub(super) nothing_written: Buffer<f32>,
}

/// What one hidden layer keeps.
#[derive(Debug)]
pub(super) struct Hidden {
    pub(super) width: usize,
    /// `[ż…, z]`.
    pub(super) kept: Buffer<f32>,
    /// `[ȧ…, a]`, and for a functional `[…, ȧ^u, ȧ^w, c_a]`.
    pub(super) activations: Buffer<f32>,
    /// δ.
    pub(super) delta: Buffer<f32>,
    /// δσ′, for a functional after `[z̄, ż̄^u, ż̄^w]`.
    pub(super) bars: Buffer<f32>,
}

/// The pairs of directions of [`MlpJet::second_derivatives`], in order: (i, j) with i < t − 1 and i ≤ j < t.
///
/// With d unit velocities and the direction (q̇, 0) last these are the rows of the mass matrix from its diagonal on, each
/// followed by its entry of (∂²L/∂q̇∂q) q̇.
pub fn hessian_pairs(tangents: usize) -> Vec<(usize, usize)> {
    (0..tangents.saturating_sub(1)).flat_map(|i| (i..tangents).map(move |j| (i, j))).collect()
}

/// Constants of `hessian_contract`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct HessianConstants {
    rows: u32,
    width4: u32,
    replace: u32,
}

impl MlpJet {
    /// Buffers and kernels for `rows` rows and `tangents` directions of a network with these parameters.
    ///
    /// # Errors
    /// The buffers do not fit, a kernel does not compile, or there are more directions than kernels were made for (9, and
    /// for second derivatives at least 2).
    ///
    /// # Panics
    /// If there are no rows, or the purpose is [`Purpose::Directional`], for which there are no kernels yet.
    pub fn new(
        device: &Device,
        parameters: &MlpParameters,
        tangents: usize,
        rows: usize,
        purpose: Purpose,
    ) -> Result<Self, DeviceError> {
        assert!(rows > 0, "a plan for no rows");
        assert!(purpose != Purpose::Directional, "no kernels for a directional derivative alone");
        let buffers = Buffers::new(device, parameters.layout().shape(), tangents, rows, purpose)?;
        let planner = Planner { device, parameters, buffers: &buffers };
        let layers = buffers.hidden.len();
        let forward = (0..layers).map(|layer| planner.forward(layer)).collect::<Result<_, _>>()?;
        let output = planner.output()?;
        let only = |least: Purpose| if purpose >= least { layers } else { 0 };
        let mut reverse = Vec::new();
        if purpose >= Purpose::Gradient {
            for layer in (0..=layers).rev() {
                reverse.push(planner.reverse(layer)?);
            }
        }
        let hessian = (0..only(Purpose::Hessian)).map(|layer| planner.hessian(layer)).collect::<Result<_, _>>()?;
        let functional = match purpose {
            Purpose::Functional => Some(Functional::new(device, parameters, &buffers)?),
            _ => None,
        };
        Ok(Self { forward, output, reverse, hessian, functional, buffers })
    }

    /// Pushes the inputs and their tangents through the network; [`output`](Self::output) is f.
    pub fn record_forward(&self, recorder: &mut Recorder) {
        self.record_forward_derivatives(recorder);
        self.output.record(recorder);
    }

    /// As [`record_forward`](Self::record_forward), without f itself, which an Euler–Lagrange equation has no need for.
    pub fn record_forward_derivatives(&self, recorder: &mut Recorder) {
        self.forward.iter().for_each(|dispatch| dispatch.record(recorder));
    }

    /// Sweeps [`output_bar`](Self::output_bar) back; [`input_bar`](Self::input_bar) is Σ_o ȳ_o ∂f_o/∂x.
    ///
    /// # Panics
    /// If the plan was made for less than [`Purpose::Gradient`].
    pub fn record_reverse(&self, recorder: &mut Recorder) {
        assert!(!self.reverse.is_empty(), "the plan was made without a reverse pass");
        self.reverse.iter().for_each(|dispatch| dispatch.record(recorder));
    }

    /// Second derivatives of Σ_o ȳ_o f_o along the pairs of [`hessian_pairs`], after a reverse pass.
    ///
    /// Where inputs are curved along both directions the caller adds Σ x̄ · D_i D_j x, as on the CPU.
    ///
    /// # Panics
    /// If the plan was made for less than [`Purpose::Hessian`].
    pub fn record_hessian(&self, recorder: &mut Recorder) {
        assert!(self.hessian.len() == self.buffers.hidden.len(), "the plan was made without second derivatives");
        if self.hessian.is_empty() {
            // A network without hidden layers is linear.
            recorder.clear(&self.buffers.second_derivatives);
        }
        self.hessian.iter().for_each(|dispatch| dispatch.record(recorder));
    }

    /// The parameter gradient of Σ_rows Σ_o ȳ_o (D_a − D_u D_w) f_o, padded as the parameters, in
    /// [`gradient`](Self::gradient); after a reverse pass. a is the last channel of the inputs, u and w are the
    /// [`coefficients`](Self::coefficients).
    ///
    /// # Panics
    /// If the plan was made for less than [`Purpose::Functional`].
    pub fn record_functional_gradient(&self, recorder: &mut Recorder) {
        self.functional().record(recorder);
    }

    /// The network's inputs: `[tangents…, value]`, for a functional followed by `[x_u, x_w, a]`, of which a caller writes a.
    pub fn inputs(&self) -> &Buffer<f32> {
        &self.buffers.inputs
    }

    /// f, `[rows][stride]`.
    pub fn output(&self) -> &Buffer<f32> {
        &self.buffers.output
    }

    /// ȳ, `[rows][stride]`.
    pub fn output_bar(&self) -> &Buffer<f32> {
        &self.buffers.output_bar
    }

    /// Σ_o ȳ_o ∂f_o/∂x, `[rows][stride]`.
    pub fn input_bar(&self) -> &Buffer<f32> {
        &self.buffers.input_bar
    }

    /// `[rows][pairs]`, without padding.
    pub fn second_derivatives(&self) -> &Buffer<f32> {
        &self.buffers.second_derivatives
    }

    /// u and w over the tangents, each `[rows][t]`, without padding.
    pub fn coefficients(&self) -> &Buffer<f32> {
        &self.buffers.coefficients
    }

    /// The gradient, padded as the parameters.
    ///
    /// # Panics
    /// If the plan was made for less than [`Purpose::Functional`].
    pub fn gradient(&self) -> &Buffer<f32> {
        self.functional().gradient()
    }

    /// Rows of the plan.
    pub fn rows(&self) -> usize {
        self.buffers.rows
    }

    /// Directions t.
    pub fn tangents(&self) -> usize {
        self.buffers.tangents
    }

    fn functional(&self) -> &Functional {
        self.functional.as_ref().unwrap_or_else(|| panic!("the plan was made without a functional"))
    }
}

impl Buffers {
    fn new(
        device: &Device,
        shape: &MlpShape,
        tangents: usize,
        rows: usize,
        purpose: Purpose,
    ) -> Result<Self, DeviceError> {
        let only = |least: Purpose, channels: usize| if purpose >= least { channels } else { 0 };
        let array = |name: &str, channels: usize, width: usize| device.buffer(name, channels * rows * stride(width));
        let gradient = only(Purpose::Gradient, 1);
        let functional = only(Purpose::Functional, 3);
        let mut hidden = Vec::new();
        for &width in &shape.dimensions()[1..=shape.hidden_layers()] {
            hidden.push(Hidden {
                width,
                kept: array("kept", tangents + 1, width)?,
                activations: array("activations", tangents + 1 + functional, width)?,
                delta: array("delta", gradient, width)?,
                bars: array("bars", gradient + functional, width)?,
            });
        }
        let pairs = only(Purpose::Hessian, hessian_pairs(tangents).len());
        Ok(Self {
            rows,
            tangents,
            inputs: array("inputs", tangents + 1 + functional, shape.inputs())?,
            hidden,
            output: array("output", 1, shape.outputs())?,
            output_bar: array("output bar", gradient, shape.outputs())?,
            input_bar: array("input bar", gradient, shape.inputs())?,
            second_derivatives: device.buffer("second derivatives", rows * pairs)?,
            coefficients: device.buffer("coefficients", if functional > 0 { 2 * rows * tangents } else { 0 })?,
            nothing_read: device.buffer("nothing read", 0)?,
            nothing_written: device.buffer("nothing written", 0)?,
            shape: shape.clone(),
        })
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

/// Plans the passes of a network.
pub(super) struct Planner<'a> {
    pub(super) device: &'a Device,
    pub(super) parameters: &'a MlpParameters,
    pub(super) buffers: &'a Buffers,
}

impl Planner<'_> {
    /// The constant that chooses the activation in a kernel.
    pub(super) fn activation(&self) -> [(&'static str, f64); 1] {
        let own = self.buffers.shape.activation();
        let place = Activation::ALL.iter().position(|&activation| activation == own);
        [("ACTIVATION", place.unwrap_or(Activation::ALL.len()) as f64)]
    }

    /// Constants of a product with the weight of `layer`, forwards.
    pub(super) fn forwards(&self, layer: usize, channel: usize) -> LayerConstants {
        let Self { parameters, buffers, .. } = self;
        let range = buffers.shape.layer(layer);
        LayerConstants {
            width: range.outputs as u32,
            width4: fours(stride(range.outputs)),
            depth: range.inputs as u32,
            depth4: fours(stride(range.inputs)),
            bias: fours(parameters.layout().bias(layer)),
            input_start: fours(channel * buffers.channel(range.inputs)),
            ..self.constants(layer)
        }
    }

    /// Constants of a product with the weight of `layer`, backwards.
    pub(super) fn backwards(&self, layer: usize) -> LayerConstants {
        let range = self.buffers.shape.layer(layer);
        LayerConstants {
            width: range.inputs as u32,
            width4: fours(stride(range.inputs)),
            depth: range.outputs as u32,
            depth4: fours(stride(range.outputs)),
            ..self.constants(layer)
        }
    }

    fn constants(&self, layer: usize) -> LayerConstants {
        LayerConstants {
            rows: self.buffers.rows as u32,
            weight: fours(self.parameters.layout().weight(layer)),
            tangents: self.buffers.tangents as u32,
            ..LayerConstants::default()
        }
    }

    /// A hidden layer with its tangents.
    fn forward(&self, layer: usize) -> Result<Dispatch, DeviceError> {
        let Self { device, parameters, buffers } = self;
        let constants = self.forwards(layer, 0);
        let (source, workgroups) = constants.tiles(&kernels::LAYER_FORWARD, buffers.tangents + 1)?;
        let Hidden { kept, activations, .. } = &buffers.hidden[layer];
        let arguments = [parameters.buffer(), buffers.below(layer).0, kept, activations].map(Into::into);
        Dispatch::plan(device, (source, &self.activation()), constants, &arguments, workgroups)
    }

    /// The output layer's value.
    fn output(&self) -> Result<Dispatch, DeviceError> {
        let Self { device, parameters, buffers } = self;
        let layer = buffers.hidden.len();
        let constants = LayerConstants { linear: 1, tangents: 0, ..self.forwards(layer, buffers.tangents) };
        let (source, workgroups) = constants.tiles(&kernels::LAYER_FORWARD, 1)?;
        let below = buffers.below(layer).0;
        let arguments = [parameters.buffer(), below, &buffers.output, &buffers.nothing_written].map(Into::into);
        Dispatch::plan(device, (source, &self.activation()), constants, &arguments, workgroups)
    }

    /// From layer `layer` to δ of what it multiplied.
    fn reverse(&self, layer: usize) -> Result<Dispatch, DeviceError> {
        let Self { device, parameters, buffers } = self;
        let (above, _) = buffers.above(layer);
        let below = layer.checked_sub(1);
        let constants = LayerConstants {
            linear: u32::from(below.is_none()),
            input_start: fours(buffers.bar_start(layer)),
            bar_start: below.map_or(0, |below| fours(buffers.bar_start(below))),
            ..self.backwards(layer)
        };
        let (source, workgroups) = constants.tiles(&kernels::LAYER_REVERSE, 1)?;
        let (kept, delta, bars) = match below {
            None => (&buffers.nothing_read, &buffers.input_bar, &buffers.nothing_written),
            Some(below) => {
                let Hidden { kept, delta, bars, .. } = &buffers.hidden[below];
                (kept, delta, bars)
            }
        };
        let arguments = [parameters.buffer(), above, kept, delta, bars].map(Into::into);
        Dispatch::plan(device, (source, &self.activation()), constants, &arguments, workgroups)
    }

    /// A hidden layer's part of the second derivatives.
    fn hessian(&self, layer: usize) -> Result<Dispatch, DeviceError> {
        let Self { device, buffers, .. } = self;
        let family = &kernels::HESSIAN_CONTRACT;
        let tangents = buffers.tangents;
        let source = family.variant(&[("TANGENTS", tangents as u32)]).ok_or_else(|| DeviceError::NoKernel {
            kernel: family.name,
            wanted: format!("{tangents} tangents"),
            offered: "2 to 9",
        })?;
        let Hidden { width, kept, delta, .. } = &buffers.hidden[layer];
        let constants = HessianConstants {
            rows: buffers.rows as u32,
            width4: fours(stride(*width)),
            replace: u32::from(layer == 0),
        };
        let arguments = [kept, delta, &buffers.second_derivatives].map(Into::into);
        /// Samples of a workgroup, as in the shader.
        const SAMPLES: u32 = 4;
        let workgroups = constants.rows.div_ceil(SAMPLES);
        Dispatch::plan_linear(device, (source, &self.activation()), constants, &arguments, workgroups)
    }
}

/// A place or length, all of which are multiples of 4, in units of four numbers.
pub(super) fn fours(numbers: usize) -> u32 {
    debug_assert!(numbers.is_multiple_of(4), "{numbers} is no multiple of 4");
    (numbers / 4) as u32
}
