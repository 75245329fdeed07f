//! The buffers of one block, allocated once.

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
    /// Also the parameter gradient of a directional functional.
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
    /// Layer inputs, first the network's: channels `[tangents…, value, u, w, c]`. The forward product
    /// reads the leading t + 1 channels, the weight gradient the trailing 4, each one contiguous run.
    pub(super) stacks: Vec<Vec<T>>,
    pub(super) hidden: Vec<HiddenBuffers<T>>,
    /// `[tangents…, value]`, each `[rows, outputs]`.
    pub(super) outputs: Vec<T>,
    /// ȳ, `[rows, outputs]`.
    pub(super) output_bar: Vec<T>,
    /// `[rows, inputs]`.
    pub(super) input_bar: Vec<T>,
    /// `[β, α^u, α^w]` of the layer at hand.
    pub(super) above: Vec<T>,
}

/// What one hidden layer keeps between passes, each `[channels][rows][width]`.
#[derive(Clone, Debug)]
pub(super) struct HiddenBuffers<T> {
    /// `[ż…, z]`.
    pub(super) z: Vec<T>,
    pub(super) first: Vec<T>,
    pub(super) second: Vec<T>,
    pub(super) third: Vec<T>,
    /// δ = ∂(ȳ·f)/∂a.
    pub(super) delta: Vec<T>,
    /// `[z̄, ż̄^u, ż̄^w, δσ′]`: the left factors of the weight gradient, in the order of the stacks' last
    /// four channels.
    pub(super) bars: Vec<T>,
    pub(super) c_z: Vec<T>,
    pub(super) z_u: Vec<T>,
    pub(super) z_w: Vec<T>,
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
        let zeros = |channels: usize, width: usize| vec![T::ZERO; channels * capacity * width];
        let only_for = |least: Purpose, channels: usize| if purpose >= least { channels } else { 0 };
        let adjoint_channels = only_for(Purpose::Functional, 3);
        let widths = &shape.dimensions()[..=shape.hidden_layers()];
        let stacks = widths.iter().map(|&width| zeros(directions + 1 + adjoint_channels, width)).collect();
        let hidden = widths[1..]
            .iter()
            .map(|&width| HiddenBuffers {
                z: zeros(directions + 1, width),
                first: zeros(only_for(Purpose::Gradient, 1), width),
                second: zeros(only_for(Purpose::Hessian, 1), width),
                third: zeros(only_for(Purpose::Functional, 1), width),
                delta: zeros(only_for(Purpose::Gradient, 1), width),
                bars: zeros(only_for(Purpose::Gradient, 1) + adjoint_channels, width),
                c_z: zeros(only_for(Purpose::Functional, 1), width),
                z_u: zeros(only_for(Purpose::Functional, 1), width),
                z_w: zeros(only_for(Purpose::Functional, 1), width),
            })
            .collect();
        Self {
            directions,
            purpose,
            capacity,
            rows: 0,
            stacks,
            hidden,
            outputs: zeros(directions + 1, shape.outputs()),
            output_bar: zeros(1, shape.outputs()),
            input_bar: zeros(only_for(Purpose::Gradient, 1), shape.inputs()),
            above: zeros(adjoint_channels, shape.widest()),
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
        let channel = rows * self.shape.inputs();
        let (tangents, rest) = self.stacks[0].split_at_mut(self.directions * channel);
        JetInputs { value: &mut rest[..channel], tangents }
    }

    /// f, `[rows, outputs]`, after [`forward`](Self::forward).
    pub fn output(&self) -> &[T] {
        let channel = self.rows * self.shape.outputs();
        &self.outputs[self.directions * channel..(self.directions + 1) * channel]
    }
    /// D_i f, `[t, rows, outputs]`, after [`forward`](Self::forward).
    pub fn output_tangents(&self) -> &[T] {
        &self.outputs[..self.directions * self.rows * self.shape.outputs()]
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
    pub(super) fn require_network(&self, shape: &MlpShape) {
        assert!(self.shape == *shape, "the workspace was made for {:?}, not {:?}", self.shape, shape);
    }
}
