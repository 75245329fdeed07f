//! The buffers of one block, allocated once.

use super::buffer::{Buffer, row_stride};
use super::elementwise::LANES;
use crate::{MlpShape, Real};

/// What a workspace will be asked for; buffers and derivatives beyond it are not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Values (and tangents) only.
    Forward,
    /// Also the gradient by inputs, and the vector-Jacobian product by parameters.
    Gradient,
    /// Also second derivatives.
    Hessian,
    /// Also the parameter gradient of a directional derivative.
    Directional,
    /// Also the parameter gradient of a functional of second directional derivatives.
    Functional,
}

/// How far a block has come: each pass builds on what an earlier one left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Inputs at most.
    Started,
    Forward,
    /// δ of every layer is that of the last ȳ.
    Reversed,
    /// `bars` are the adjoints of the first hidden layer of a directional derivative.
    Directional,
    /// Likewise of a functional.
    Functional,
}

/// Buffers for the jets of up to `capacity` samples of one network shape in `t` directions.
///
/// Nothing is allocated after construction. A workspace belongs to one thread at a time.
#[derive(Clone, Debug)]
pub struct JetWorkspace<T> {
    pub(super) shape: MlpShape,
    pub(super) directions: usize,
    pub(super) purpose: Purpose,
    pub(super) capacity: usize,
    pub(super) rows: usize,
    /// Whether the block's forward pass made f itself.
    pub(super) has_value: bool,
    pub(super) stage: Stage,
    /// The network's inputs `[tangents…, value, u, w, c]`, each `[rows, inputs]`, or `[tangents…, value, c]`. The
    /// forward product reads the leading t + 1 channels, the weight gradient those from the value on.
    pub(super) inputs: Vec<T>,
    pub(super) hidden: Vec<HiddenBuffers<T>>,
    /// `[ȧ…, a]` of the layer that was computed last: the next product's input.
    pub(super) carried: Buffer<T>,
    /// `[z̄, ż̄^u, ż̄^w, δσ′]` of the layer at hand, the left factors of its weight gradient in the order of
    /// [`HiddenBuffers::activations`]; of a directional derivative `[z̄, δσ′]`, of a plain gradient δσ′.
    pub(super) bars: Buffer<T>,
    /// `[β, α^u, α^w]` of the layer at hand, or β.
    pub(super) above: Buffer<T>,
    /// The bias of the layer at hand, or its gradient; one padded row.
    pub(super) bias_row: Buffer<T>,
    /// Scratch: a lane group for each input of the widest layer.
    pub(super) lanes: Buffer<T>,
    /// `[tangents…, value]`, each `[rows, outputs]`.
    pub(super) outputs: Vec<T>,
    /// ȳ, `[rows, outputs]`.
    pub(super) output_bar: Vec<T>,
    /// `[rows, inputs]`.
    pub(super) input_bar: Vec<T>,
    /// `[x̄, x̄_u, x̄_w]`, each `[rows, inputs]`.
    pub(super) input_cotangents: Vec<T>,
    /// D_a f, `[rows, outputs]`.
    pub(super) directional_output: Vec<T>,
}

/// What one hidden layer keeps between passes, each `[channels][rows][stride]`.
#[derive(Clone, Debug)]
pub(super) struct HiddenBuffers<T> {
    pub(super) width: usize,
    pub(super) stride: usize,
    /// `[ż…, z]`; z is not needed after its activation, and its place is c_z's.
    pub(super) z: Buffer<T>,
    pub(super) first: Buffer<T>,
    pub(super) second: Buffer<T>,
    pub(super) third: Buffer<T>,
    /// δ = ∂(ȳ·f)/∂a.
    pub(super) delta: Buffer<T>,
    /// `[ż^u, ż^w]`.
    pub(super) z_directional: Buffer<T>,
    /// `[a, ȧ^u, ȧ^w, c_a]`, the right factors of the next layer's weight gradient; of a directional derivative
    /// `[a, c_a]`, of a plain gradient a.
    pub(super) activations: Buffer<T>,
}

impl<T> HiddenBuffers<T> {
    /// The first `length` numbers of a buffer, or none if it was not made.
    pub(super) fn part(buffer: &mut Buffer<T>, length: usize) -> &mut [T] {
        let length = length.min(buffer.len());
        &mut buffer[..length]
    }
}

/// Where a caller writes the block's inputs.
#[derive(Debug)]
pub struct JetInputs<'a, T> {
    /// Input values `[rows, inputs]`.
    pub value: &'a mut [T],
    /// Input tangents `[t, rows, inputs]`.
    pub tangents: &'a mut [T],
}

impl<T: Real> JetWorkspace<T> {
    /// Buffers for blocks of up to `capacity` rows with `directions` tangents.
    pub fn new(shape: &MlpShape, directions: usize, capacity: usize, purpose: Purpose) -> Self {
        let only_for = |least: Purpose, channels: usize| if purpose >= least { channels } else { 0 };
        let (gradient, functional) = (only_for(Purpose::Gradient, 1), only_for(Purpose::Functional, 1));
        let directional = only_for(Purpose::Directional, 1);
        let widths = &shape.dimensions()[1..=shape.hidden_layers()];
        let hidden: Vec<_> = widths
            .iter()
            .map(|&width| {
                let stride = row_stride::<T>(width);
                let buffer = |channels: usize| Buffer::new(channels * capacity * stride);
                HiddenBuffers {
                    width,
                    stride,
                    z: buffer(directions + 1),
                    first: buffer(gradient),
                    second: buffer(only_for(Purpose::Hessian, 1)),
                    third: buffer(functional),
                    delta: buffer(gradient),
                    z_directional: buffer(2 * functional),
                    activations: buffer(gradient + directional + 2 * functional),
                }
            })
            .collect();
        let widest = hidden.iter().map(|layer| layer.stride).max().unwrap_or(0);
        let shared = |channels: usize| Buffer::new(channels * capacity * widest);
        let zeros = |channels: usize, width: usize| vec![T::ZERO; channels * capacity * width];
        Self {
            directions,
            purpose,
            capacity,
            rows: 0,
            has_value: false,
            stage: Stage::Started,
            inputs: zeros(directions + 1 + directional + 2 * functional, shape.inputs()),
            hidden,
            carried: shared(directions + 1),
            bars: shared(gradient + directional + 2 * functional),
            above: shared(directional + 2 * functional),
            bias_row: Buffer::new(widest),
            lanes: Buffer::new(gradient * shape.widest() * LANES),
            outputs: zeros(directions + 1, shape.outputs()),
            output_bar: zeros(1, shape.outputs()),
            input_bar: zeros(gradient, shape.inputs()),
            input_cotangents: zeros(directional + 2 * functional, shape.inputs()),
            directional_output: zeros(directional, shape.outputs()),
            shape: shape.clone(),
        }
    }

    /// The network shape this workspace serves.
    pub fn shape(&self) -> &MlpShape {
        &self.shape
    }
    /// Number of input directions t.
    pub fn directions(&self) -> usize {
        self.directions
    }
    /// Most rows a block may have.
    pub fn capacity(&self) -> usize {
        self.capacity
    }
    /// Rows of the current block.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Starts a block of `rows` samples; the caller then fills the inputs.
    ///
    /// # Panics
    /// If `rows` exceeds the capacity.
    pub fn start(&mut self, rows: usize) -> JetInputs<'_, T> {
        assert!(rows <= self.capacity, "a block of {rows} rows does not fit into a workspace for {}", self.capacity);
        self.rows = rows;
        self.has_value = false;
        self.stage = Stage::Started;
        let channel = rows * self.shape.inputs();
        let (tangents, rest) = self.inputs.split_at_mut(self.directions * channel);
        JetInputs { value: &mut rest[..channel], tangents }
    }

    /// The block's input values, `[rows, inputs]`.
    pub fn input(&self) -> &[T] {
        let channel = self.rows * self.shape.inputs();
        &self.inputs[self.directions * channel..(self.directions + 1) * channel]
    }
    /// f, `[rows, outputs]`, after [`forward`](Self::forward).
    ///
    /// # Panics
    /// If the last pass was none, or one for derivatives only.
    pub fn output(&self) -> &[T] {
        self.require_value();
        let channel = self.rows * self.shape.outputs();
        &self.outputs[self.directions * channel..(self.directions + 1) * channel]
    }
    /// Σ_o ȳ_o ∂f_o/∂x, `[rows, inputs]`, after [`reverse`](Self::reverse).
    pub fn input_bar(&self) -> &[T] {
        &self.input_bar[..self.rows * self.shape.inputs()]
    }

    pub(super) fn require(&self, purpose: Purpose) {
        assert!(
            self.purpose >= purpose,
            "the workspace was made for {:?}, but {purpose:?} was asked for",
            self.purpose
        );
    }
    pub(super) fn require_stage(&self, stage: Stage, pass: &str) {
        assert!(self.stage >= stage, "`{pass}` must come before, for this block");
    }
    pub(super) fn require_value(&self) {
        assert!(self.has_value, "f itself was not computed: `forward` does, `forward_derivatives` does not");
    }
    pub(super) fn require_network(&self, shape: &MlpShape) {
        assert!(self.shape == *shape, "the workspace was made for {:?}, not {:?}", self.shape, shape);
    }
}
