//! Random networks with a block of inputs, directions and cotangents.

use lnn_autodiff::{Activation, MlpShape};
use proptest::prelude::*;

use crate::numbers::Numbers;

/// A network with all that a full pass of the engine takes, row-major.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) shape: MlpShape,
    pub(crate) parameters: Vec<f64>,
    pub(crate) rows: usize,
    /// Number of directions t.
    pub(crate) directions: usize,
    /// `[rows, inputs]`.
    pub(crate) x: Vec<f64>,
    /// `[t, rows, inputs]`.
    pub(crate) tangents: Vec<f64>,
    /// ȳ, `[rows, outputs]`.
    pub(crate) output_bar: Vec<f64>,
    /// Input coefficient of the functional, `[rows, inputs]`.
    pub(crate) a: Vec<f64>,
    /// `[rows, t]`.
    pub(crate) u: Vec<f64>,
    /// `[rows, t]`.
    pub(crate) w: Vec<f64>,
}

impl Case {
    pub(crate) fn new(sizes: &[usize], activation: Activation, rows: usize, directions: usize, seed: u64) -> Self {
        let shape = MlpShape::new(sizes, activation).expect("sizes above 0");
        let mut numbers = Numbers::new(seed);
        let layers = shape.layers().iter();
        let parameters = layers
            .flat_map(|layer| {
                let weight = numbers.take(layer.inputs * layer.outputs, 3.0 / (layer.inputs as f64).sqrt());
                [weight, numbers.take(layer.outputs, 0.5)].concat()
            })
            .collect();
        let (inputs, outputs) = (shape.inputs(), shape.outputs());
        Self {
            parameters,
            rows,
            directions,
            x: numbers.take(rows * inputs, 2.0),
            tangents: numbers.take(directions * rows * inputs, 1.0),
            output_bar: numbers.take(rows * outputs, 1.0),
            a: numbers.take(rows * inputs, 1.0),
            u: numbers.take(rows * directions, 1.0),
            w: numbers.take(rows * directions, 2.0),
            shape,
        }
    }

    /// Row `row` of a `[rows, width]` array.
    pub(crate) fn row<'a>(&self, array: &'a [f64], row: usize) -> &'a [f64] {
        let width = array.len() / self.rows;
        &array[row * width..(row + 1) * width]
    }
    /// Direction `i` at `row`, `[inputs]`.
    pub(crate) fn tangent(&self, i: usize, row: usize) -> &[f64] {
        let inputs = self.shape.inputs();
        let start = (i * self.rows + row) * inputs;
        &self.tangents[start..start + inputs]
    }
    /// All pairs i ≤ j.
    pub(crate) fn pairs(&self) -> Vec<(usize, usize)> {
        (0..self.directions).flat_map(|i| (i..self.directions).map(move |j| (i, j))).collect()
    }
    /// Longest chain of roundings: each layer adds its inputs' products and about 20 operations of the activation's
    /// derivatives; a gradient sums four products a row.
    pub(crate) fn operations(&self) -> f64 {
        let chain: usize = self.shape.dimensions().iter().map(|width| width + 20).sum();
        (chain + 4 * self.rows + self.directions) as f64
    }
}

/// Sizes that are no multiple of any vector width, none and three hidden layers, every activation.
pub(crate) fn case() -> impl Strategy<Value = Case> {
    let hidden = prop::collection::vec(1..=20_usize, 0..=3);
    let activation = prop::sample::select(Activation::ALL.to_vec());
    (1..=6_usize, hidden, 1..=6_usize, activation, 1..=4_usize, 0..=4_usize, any::<u64>()).prop_map(
        |(inputs, hidden, outputs, activation, rows, directions, seed)| {
            let sizes = [vec![inputs], hidden, vec![outputs]].concat();
            Case::new(&sizes, activation, rows, directions, seed)
        },
    )
}
