//! Jets of networks up to 64 wide for any number of models at once: a launch each way, or one for a whole training step.

mod networks;
mod sources;
mod step;

use bytemuck::{Pod, Zeroable};
use lnn_autodiff::MlpShape;
use lnn_autodiff::jet::{Accumulate, Purpose};

use self::networks::Networks;
use self::sources::Sources;
pub(crate) use self::step::{NarrowStep, StepArguments, StepArrays};
use super::buffers::gradient_buffer;
use super::gradient::record_of;
use super::plan::Dispatch;
use super::{ParameterLayout, Tiles, hessian_pairs, stride};
use crate::device::{BoundKernel, Buffer, Device, DeviceError, Recorder};
use crate::kernels;

/// The jets of a fixed number of rows of a network in `t` directions, for `models` networks of one shape side by side.
///
/// What [`MlpJet`](super::MlpJet) does product by product, each workgroup does here for a block of samples with a layer's
/// weight in workgroup memory: from the inputs to second derivatives in one launch, and the functional's gradient in a
/// second one. A training step has both, with the equation of motion between them, in a single launch. Arrays are those of `MlpJet`, in each channel the rows of one model after those of the other: the stages
/// before and after see one batch of models × rows. For gradients of f alone or of a directional
/// derivative take `MlpJet`, which has kernels for any width.
#[derive(Debug)]
pub struct NarrowJet {
    jet: BoundKernel,
    functional: Option<Functional>,
    blocks: u32,
    models: u32,
    rows: usize,
    tangents: usize,
    inputs: Buffer<f32>,
    output_bar: Buffer<f32>,
    output: Buffer<f32>,
    input_bar: Buffer<f32>,
    second_derivatives: Buffer<f32>,
}

#[derive(Debug)]
struct Functional {
    kernel: BoundKernel,
    splits: u32,
    sum: Dispatch,
    coefficients: Buffer<f32>,
    cotangents: Buffer<f32>,
    gradient: Buffer<f32>,
}

/// Which networks, and how many rows of each.
#[derive(Clone, Copy, Debug)]
pub struct NarrowPlan<'a> {
    /// Where one model's parameters are.
    pub layout: &'a ParameterLayout,
    /// The parameters of all models, each padded.
    pub parameters: &'a Buffer<f32>,
    /// Models, at least 1.
    pub models: usize,
    /// Directions t, from 2 to 9.
    pub tangents: usize,
    /// Rows of each model, at least 1.
    pub rows: usize,
    /// [`Purpose::Hessian`] or [`Purpose::Functional`].
    pub purpose: Purpose,
    /// Where the functional's gradient goes, if it is not to have a buffer of its own.
    pub gradient: Option<&'a Buffer<f32>>,
    /// Whether the functional's pass also gives its gradient by the inputs.
    pub input_cotangents: bool,
    /// Bytes of workgroup memory to stay within, if less than the adapter has.
    pub workgroup_memory: Option<u32>,
}

/// Constants of `split_sum`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct SplitConstants {
    length4: u32,
    splits: u32,
    accumulate: u32,
}

impl NarrowJet {
    /// Widest layer, inputs and outputs included.
    pub const WIDEST: usize = 64;

    /// Whether there are kernels for a network of this shape.
    pub fn supports(shape: &MlpShape) -> bool {
        shape.widest() <= Self::WIDEST
    }

    /// Buffers and kernels.
    ///
    /// # Errors
    /// The buffers do not fit, a kernel does not compile, or there are fewer than 2 directions or more than 9.
    ///
    /// # Panics
    /// If the network is [too wide](Self::supports), there are no rows or models, the parameters have another length, or
    /// the purpose is another than the two that it can have.
    pub fn new(device: &Device, plan: NarrowPlan<'_>) -> Result<Self, DeviceError> {
        Self::with_tiles(device, plan, &Tiles::default())
    }

    /// As [`new`](Self::new), with blocks of these sizes where they are chosen.
    ///
    /// # Errors
    /// Also if there is no kernel with such a block, or the adapter is too small for it.
    ///
    /// # Panics
    /// As `new`.
    pub fn with_tiles(device: &Device, plan: NarrowPlan<'_>, tiles: &Tiles) -> Result<Self, DeviceError> {
        let NarrowPlan { layout, parameters, models, tangents, rows, purpose, .. } = plan;
        let shape = layout.shape();
        assert!(Self::supports(shape), "{:?}: wider than {}", shape.dimensions(), Self::WIDEST);
        assert!(rows > 0 && models > 0, "a plan for {rows} rows of {models} models");
        assert_eq!(parameters.len(), models * layout.padded_len(), "parameters: models × padded length");
        let functional = match purpose {
            Purpose::Functional => true,
            Purpose::Hessian => false,
            other => panic!("a fused jet is for Hessian or Functional, not {other:?}"),
        };
        let channels = tangents + if functional { 4 } else { 1 };
        let array = |name: &str, channels: usize, width: usize| {
            device.buffer::<f32>(name, models * channels * rows * stride(width))
        };
        let inputs = array("inputs", channels, shape.inputs())?;
        let output_bar = array("output bar", 1, shape.outputs())?;
        let (output, input_bar) = (array("output", 1, shape.outputs())?, array("input bar", 1, shape.inputs())?);
        let second_derivatives = device.buffer("second derivatives", models * rows * hessian_pairs(tangents).len())?;

        let sources = Sources::choose(device, &plan, tiles)?;
        let networks = Networks::new(device, plan, sources::splits(sources.functional, &plan))?;
        let kept = device.buffer("kept", models * networks.kept_of_one)?;
        let arrays = [&inputs, &output_bar, &kept, &output, &input_bar, &second_derivatives];
        let jet = networks.bind(device, sources.jet, &arrays)?;
        let functional = if functional {
            let arrays = [&inputs, &output_bar, &kept];
            Some(Functional::new(device, &plan, &networks, &sources, arrays)?)
        } else {
            None
        };
        let (blocks, models) = (sources::blocks(sources.jet, rows) as u32, models as u32);
        Ok(Self {
            jet,
            functional,
            blocks,
            models,
            rows,
            tangents,
            inputs,
            output_bar,
            output,
            input_bar,
            second_derivatives,
        })
    }

    /// From the inputs and ȳ to [`input_bar`](Self::input_bar) and [`second_derivatives`](Self::second_derivatives): the
    /// forward pass for derivatives, the reverse sweep and the Hessian pass.
    pub fn record_jet(&self, recorder: &mut Recorder) {
        recorder.dispatch_models(&self.jet, self.blocks, self.models, 0);
    }

    /// As [`record_jet`](Self::record_jet), with f itself in [`output`](Self::output).
    pub fn record_jet_with_value(&self, recorder: &mut Recorder) {
        recorder.dispatch_models(&self.jet, self.blocks, self.models, 1);
    }

    /// The parameter gradient of Σ_rows Σ_o ȳ_o (D_a − D_u D_w) f_o, padded as the parameters, written or added to
    /// [`gradient`](Self::gradient); after the jet. a is the last channel of the inputs, u and w are the
    /// [`coefficients`](Self::coefficients).
    ///
    /// # Panics
    /// If the plan was made without it.
    pub fn record_functional_gradient(&self, recorder: &mut Recorder, accumulate: Accumulate) {
        let functional = self.functional();
        recorder.dispatch(&functional.kernel, [functional.splits, 1, self.models]);
        functional.sum.record_with(recorder, record_of(accumulate));
    }

    /// The networks' inputs: channels [tangents…, value], for a functional [tangents…, value, x_u, x_w, a], of which x_u and
    /// x_w are neither read nor written; each `[models][rows][stride]`.
    pub fn inputs(&self) -> &Buffer<f32> {
        &self.inputs
    }

    /// ȳ, `[models][rows][stride]`.
    pub fn output_bar(&self) -> &Buffer<f32> {
        &self.output_bar
    }

    /// f, `[models][rows][stride]`.
    pub fn output(&self) -> &Buffer<f32> {
        &self.output
    }

    /// Σ_o ȳ_o ∂f_o/∂x, `[models][rows][stride]`.
    pub fn input_bar(&self) -> &Buffer<f32> {
        &self.input_bar
    }

    /// Along the pairs of [`hessian_pairs`], `[models][rows][pairs]`, without padding.
    pub fn second_derivatives(&self) -> &Buffer<f32> {
        &self.second_derivatives
    }

    /// u and w over the tangents, `[2][models][rows][t]`, without padding.
    ///
    /// # Panics
    /// If the plan was made without a functional.
    pub fn coefficients(&self) -> &Buffer<f32> {
        &self.functional().coefficients
    }

    /// The gradient of all models, padded as the parameters.
    ///
    /// # Panics
    /// If the plan was made without a functional.
    pub fn gradient(&self) -> &Buffer<f32> {
        &self.functional().gradient
    }

    /// The functional's gradient by the inputs x and by their directions x_u and x_w, [x̄, x̄_u, x̄_w], each
    /// `[models][rows][stride]`; empty if the plan was made without it.
    ///
    /// # Panics
    /// If the plan was made without a functional.
    pub fn input_cotangents(&self) -> &Buffer<f32> {
        &self.functional().cotangents
    }

    /// Partial gradients that are summed to the [`gradient`](Self::gradient) of each model.
    ///
    /// # Panics
    /// If the plan was made without a functional.
    pub fn gradient_parts(&self) -> usize {
        self.functional().splits as usize
    }

    /// Rows of each model.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Directions t.
    pub fn tangents(&self) -> usize {
        self.tangents
    }

    fn functional(&self) -> &Functional {
        self.functional.as_ref().unwrap_or_else(|| panic!("the plan was made without a functional"))
    }
}

impl Functional {
    fn new(
        device: &Device,
        plan: &NarrowPlan<'_>,
        networks: &Networks<'_>,
        sources: &Sources,
        [inputs, output_bar, kept]: [&Buffer<f32>; 3],
    ) -> Result<Self, DeviceError> {
        let NarrowPlan { layout, parameters, models, tangents, rows, gradient, input_cotangents, .. } = *plan;
        let splits = sources::splits(sources.functional, plan);
        let coefficients = device.buffer("coefficients", models * 2 * rows * tangents)?;
        let partial = device.buffer("partial gradients", splits * parameters.len())?;
        let gradient = gradient_buffer(device, parameters.len(), gradient)?;
        let channels = if input_cotangents { 3 } else { 0 };
        let cotangents =
            device.buffer("input cotangents", models * channels * rows * stride(layout.shape().inputs()))?;
        let mut arrays = vec![inputs, output_bar, kept, &coefficients, &partial];
        arrays.extend(input_cotangents.then_some(&cotangents));
        let kernel = networks.bind(device, sources.functional, &arrays)?;
        let sum = split_sum(device, splits, &partial, &gradient)?;
        Ok(Self { kernel, splits: splits as u32, sum, coefficients, cotangents, gradient })
    }
}

/// The sum of as many partial gradients, with a [record](record_of) for each way of writing it.
fn split_sum(
    device: &Device,
    splits: usize,
    partial: &Buffer<f32>,
    gradient: &Buffer<f32>,
) -> Result<Dispatch, DeviceError> {
    let length4 = (gradient.len() / 4) as u32;
    let constants = [0, 1].map(|accumulate| SplitConstants { length4, splits: splits as u32, accumulate });
    let source = (kernels::SPLIT_SUM.only(), &[][..]);
    let arguments = [partial, gradient].map(Into::into);
    Dispatch::plan_linear_records(device, source, &constants, &arguments, length4.div_ceil(16))
}
