//! A multilayer perceptron's shape and its flat parameter vector.

use std::ops::Range;

use crate::jet::PackedWeights;
use crate::{Activation, Real};

/// Layer sizes and activation of a multilayer perceptron
/// `x → W_L σ(… σ(W_1 x + b_1) …) + b_L` with a linear output layer.
///
/// The parameters are one flat vector: for each layer its weight `[out, in]`, row-major, then its
/// bias `[out]`.
///
/// ```
/// use lnn_autodiff::{Activation, MlpShape};
/// let shape = MlpShape::new(&[6, 64, 64, 1], Activation::Softplus)?;
/// assert_eq!(shape.parameter_count(), 6 * 64 + 64 + 64 * 64 + 64 + 64 + 1);
/// assert_eq!(shape.layer(1).weight.len(), 64 * 64);
/// # Ok::<(), lnn_autodiff::ShapeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MlpShape {
    dimensions: Vec<usize>,
    activation: Activation,
    layers: Vec<LayerRange>,
}

/// Where one layer lies in the flat parameter vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerRange {
    /// Input width.
    pub inputs: usize,
    /// Output width.
    pub outputs: usize,
    /// Weight `[outputs, inputs]`, row-major.
    pub weight: Range<usize>,
    /// Bias `[outputs]`.
    pub bias: Range<usize>,
}

/// Why a shape was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// Fewer than an input and an output size.
    #[error("a network needs an input and an output size, got {given} size(s)")]
    TooFewSizes {
        /// Number of sizes given.
        given: usize,
    },
    /// A layer without units.
    #[error("layer size {index} is 0; every layer needs at least one unit")]
    EmptyLayer {
        /// Position in the list of sizes.
        index: usize,
    },
    /// The parameter slice has another length.
    #[error("the network has {expected} parameters, but {given} were given")]
    ParameterCount {
        /// What the shape needs.
        expected: usize,
        /// What was given.
        given: usize,
    },
}

impl MlpShape {
    /// A shape from its sizes `[inputs, hidden…, outputs]`.
    ///
    /// # Errors
    /// Fewer than two sizes, or a size of 0.
    pub fn new(dimensions: &[usize], activation: Activation) -> Result<Self, ShapeError> {
        if dimensions.len() < 2 {
            return Err(ShapeError::TooFewSizes { given: dimensions.len() });
        }
        if let Some(index) = dimensions.iter().position(|&n| n == 0) {
            return Err(ShapeError::EmptyLayer { index });
        }
        let mut layers = Vec::with_capacity(dimensions.len() - 1);
        let mut offset = 0;
        for pair in dimensions.windows(2) {
            let (inputs, outputs) = (pair[0], pair[1]);
            let weight = offset..offset + inputs * outputs;
            let bias = weight.end..weight.end + outputs;
            offset = bias.end;
            layers.push(LayerRange { inputs, outputs, weight, bias });
        }
        Ok(Self { dimensions: dimensions.to_vec(), activation, layers })
    }

    /// Sizes `[inputs, hidden…, outputs]`.
    pub fn dimensions(&self) -> &[usize] {
        &self.dimensions
    }
    /// Activation of the hidden layers.
    pub fn activation(&self) -> Activation {
        self.activation
    }
    /// Input width.
    pub fn inputs(&self) -> usize {
        self.dimensions[0]
    }
    /// Output width.
    pub fn outputs(&self) -> usize {
        self.dimensions[self.dimensions.len() - 1]
    }
    /// Number of hidden layers.
    pub fn hidden_layers(&self) -> usize {
        self.layers.len() - 1
    }
    /// Widest layer, input and output included.
    pub fn widest(&self) -> usize {
        self.dimensions.iter().copied().max().unwrap_or(0)
    }
    /// The layers, first to last.
    pub fn layers(&self) -> &[LayerRange] {
        &self.layers
    }
    /// Layer `index`, counted from the input.
    ///
    /// # Panics
    /// If there is no such layer.
    pub fn layer(&self, index: usize) -> &LayerRange {
        &self.layers[index]
    }
    /// Length of the flat parameter vector.
    pub fn parameter_count(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.bias.end)
    }
    /// This shape with `parameters` as its weights.
    ///
    /// # Errors
    /// [`ShapeError::ParameterCount`] if the slice has another length.
    pub fn bind<'a, T: Real>(&'a self, parameters: &'a [T]) -> Result<Mlp<'a, T>, ShapeError> {
        if parameters.len() == self.parameter_count() {
            Ok(Mlp { shape: self, parameters, packed: None })
        } else {
            Err(ShapeError::ParameterCount { expected: self.parameter_count(), given: parameters.len() })
        }
    }
}

/// A shape with its parameters: a network, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Mlp<'a, T> {
    pub(crate) shape: &'a MlpShape,
    pub(crate) parameters: &'a [T],
    pub(crate) packed: Option<&'a PackedWeights<T>>,
}

impl<'a, T: Real> Mlp<'a, T> {
    /// The network's shape.
    pub fn shape(&self) -> &'a MlpShape {
        self.shape
    }
    /// The flat parameter vector.
    pub fn parameters(&self) -> &'a [T] {
        self.parameters
    }
    /// Weight `[out, in]` of a layer, row-major.
    pub fn weight(&self, layer: usize) -> &'a [T] {
        &self.parameters[self.shape.layers[layer].weight.clone()]
    }
    /// Bias `[out]` of a layer.
    pub fn bias(&self, layer: usize) -> &'a [T] {
        &self.parameters[self.shape.layers[layer].bias.clone()]
    }
}
