//! The matrix products that a Lagrangian network needs, as a list: to count their operations and to
//! replay them.
//!
//! Per sample and hidden layer behind another one these are the d + 11 products of
//! `docs/derivations/2-adjoint.md`; the first and the last layer need fewer.

use std::sync::{Mutex, PoisonError};

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use lnn::autodiff::{MlpShape, Real};
use rayon::ThreadPool;

/// The three layouts of a layer product, all arrays row-major.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// `out[m, n] = x[m, k] · weight[n, k]ᵀ`.
    Forward,
    /// `out[m, k] = x[m, n] · weight[n, k]`.
    Reverse,
    /// `out[n, k] = x[m, n]ᵀ · right[m, k]`.
    Gradient,
}

/// A layer product: m rows, n outputs and k inputs of the layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Product {
    pub(crate) layout: Layout,
    pub(crate) layer: usize,
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
}

impl Product {
    /// Multiplications and additions.
    pub(crate) fn operations(self) -> u64 {
        2 * (self.m * self.n * self.k) as u64
    }
}

/// Operations of all products.
pub(crate) fn operations(products: &[Product]) -> u64 {
    products.iter().map(|product| product.operations()).sum()
}

/// Value and d + 1 tangents; of the output layer, whose second derivatives are zero, the value alone.
pub(crate) fn forward(shape: &MlpShape, rows: usize, dof: usize) -> Vec<Product> {
    let last = shape.hidden_layers();
    layers(shape, Layout::Forward, |layer| if layer == last { rows } else { (dof + 2) * rows })
}

/// [`forward`], then the reverse sweep; the Hessian needs no product.
pub(crate) fn evaluate(shape: &MlpShape, rows: usize, dof: usize) -> Vec<Product> {
    [forward(shape, rows, dof), layers(shape, Layout::Reverse, |_| rows)].concat()
}

/// Value and its derivatives by the inputs: a forward pass without tangents, and the reverse sweep.
pub(crate) fn slopes(shape: &MlpShape, rows: usize) -> Vec<Product> {
    [layers(shape, Layout::Forward, |_| rows), layers(shape, Layout::Reverse, |_| rows)].concat()
}

/// The parameter gradient of the directional functional: one coefficient forward, three adjoints back,
/// four outer products. The output layer is linear, so that one outer product is left there.
pub(crate) fn adjoint(shape: &MlpShape, rows: usize) -> Vec<Product> {
    let last = shape.hidden_layers();
    let forward = layers(shape, Layout::Forward, |layer| if layer == last { 0 } else { rows });
    let reverse = layers(shape, Layout::Reverse, |layer| if layer == 0 || layer == last { 0 } else { 3 * rows });
    let gradient = layers(shape, Layout::Gradient, |layer| if layer == last { rows } else { 4 * rows });
    [forward, reverse, gradient].concat()
}

/// A training step: [`evaluate`], then [`adjoint`].
pub(crate) fn step(shape: &MlpShape, rows: usize, dof: usize) -> Vec<Product> {
    [evaluate(shape, rows, dof), adjoint(shape, rows)].concat()
}

/// One product a layer with `rows(layer)` rows, none where that is zero.
fn layers(shape: &MlpShape, layout: Layout, rows: impl Fn(usize) -> usize) -> Vec<Product> {
    let product = |(layer, range): (usize, &lnn::autodiff::LayerRange)| {
        let m = rows(layer);
        (m > 0).then_some(Product { layout, layer, m, n: range.outputs, k: range.inputs })
    };
    shape.layers().iter().enumerate().filter_map(product).collect()
}

/// Rows, inputs and outputs of real steps: blocks of 64 samples, value and tangents, by one to four channels
/// stacked, blocks of 128 where the network is large, and layers of the two networks.
const SHAPES: [[usize; 3]; 5] = [[256, 64, 64], [1024, 64, 64], [256, 500, 500], [1024, 500, 500], [2048, 500, 500]];
const LAYOUTS: [(Layout, &str); 3] =
    [(Layout::Forward, "forward"), (Layout::Reverse, "reverse"), (Layout::Gradient, "gradient")];

/// The products whose best rate is the ceiling of all others, with their names.
pub(crate) fn of_real_steps() -> impl Iterator<Item = (String, Product)> {
    let name = |[m, k, n]: [usize; 3], layout: &str| format!("{m}x{k}x{n} {layout}");
    SHAPES.into_iter().flat_map(move |shape| {
        let [m, k, n] = shape;
        LAYOUTS.map(|(layout, text)| (name(shape, text), Product { layout, layer: 0, m, n, k }))
    })
}

/// The same product on every thread of a pool at once, each on arrays of its own, as in a training step: the rates
/// of the threads add up.
pub(crate) struct OnAllThreads<T> {
    operations: u64,
    repetitions: u64,
    replays: Vec<Mutex<Replay<T>>>,
}

impl<T: Real> OnAllThreads<T> {
    /// Operations a thread makes between two meetings with the others: beside them the meeting costs nothing.
    const OPERATIONS_AT_A_TIME: u64 = 500_000_000;

    pub(crate) fn new(product: Product, threads: usize) -> Self {
        let repetitions = Self::OPERATIONS_AT_A_TIME.div_ceil(product.operations());
        let replays: Vec<_> = (0..threads).map(|_| Mutex::new(Replay::new(vec![product]))).collect();
        Self { operations: repetitions * product.operations() * threads as u64, repetitions, replays }
    }

    /// Operations of all threads in one run.
    pub(crate) fn operations(&self) -> u64 {
        self.operations
    }

    /// Multiplies on all threads of `pool`, which has as many as this was made for.
    pub(crate) fn run(&self, pool: &ThreadPool) {
        pool.broadcast(|thread| {
            let mut replay = self.replays[thread.index()].lock().unwrap_or_else(PoisonError::into_inner);
            for _ in 0..self.repetitions {
                replay.run();
            }
        });
    }
}

/// Products one after the other on the arrays of one block, as the engine has them: a weight and a gradient for each
/// layer, and room for the inputs and results of the layer at hand, which all layers share.
pub(crate) struct Replay<T> {
    products: Vec<Product>,
    weights: Vec<Vec<T>>,
    gradients: Vec<Vec<T>>,
    x: Vec<T>,
    /// The right factor of a gradient.
    right: Vec<T>,
    out: Vec<T>,
}

impl<T: Real> Replay<T> {
    pub(crate) fn new(products: Vec<Product>) -> Self {
        // Neither zeros nor subnormals, whose arithmetic may have another speed; sums stay finite.
        let values = |length: usize| (0..length).map(|i| T::from_f64(0.5 - (i % 17) as f64 / 16.0)).collect();
        let layers = products.iter().map(|product| product.layer + 1).max().unwrap_or(0);
        let weight = |layer: usize| {
            let of_layer = products.iter().find(|product| product.layer == layer);
            of_layer.map_or(0, |product| product.n * product.k)
        };
        let room = products.iter().map(|product| product.m * product.n.max(product.k)).max().unwrap_or(0);
        Self {
            weights: (0..layers).map(|layer| values(weight(layer))).collect(),
            gradients: (0..layers).map(|layer| vec![T::ZERO; weight(layer)]).collect(),
            x: values(room),
            right: values(room),
            out: vec![T::ZERO; room],
            products,
        }
    }

    /// Multiplies on the calling thread.
    pub(crate) fn run(&mut self) {
        for &Product { layout, layer, m, n, k } in &self.products {
            let (x, weight, right) = (&self.x, &self.weights[layer], &self.right);
            match layout {
                Layout::Forward => matmul(
                    MatMut::from_row_major_slice_mut(&mut self.out[..m * n], m, n),
                    Accum::Replace,
                    MatRef::from_row_major_slice(&x[..m * k], m, k),
                    MatRef::from_column_major_slice(weight, k, n),
                    T::ONE,
                    Par::Seq,
                ),
                Layout::Reverse => matmul(
                    MatMut::from_row_major_slice_mut(&mut self.out[..m * k], m, k),
                    Accum::Replace,
                    MatRef::from_row_major_slice(&x[..m * n], m, n),
                    MatRef::from_row_major_slice(weight, n, k),
                    T::ONE,
                    Par::Seq,
                ),
                Layout::Gradient => matmul(
                    MatMut::from_row_major_slice_mut(&mut self.gradients[layer], n, k),
                    Accum::Replace,
                    MatRef::from_column_major_slice(&x[..m * n], n, m),
                    MatRef::from_row_major_slice(&right[..m * k], m, k),
                    T::ONE,
                    Par::Seq,
                ),
            }
        }
    }
}
