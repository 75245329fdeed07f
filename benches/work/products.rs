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
    /// `out[n, k] += x[m, n]ᵀ · right[m, k]`.
    Gradient,
}

/// A layer product: m rows, n outputs and k inputs of the layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Product {
    pub(crate) layout: Layout,
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
        (m > 0).then_some(Product { layout, m, n: range.outputs, k: range.inputs })
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
        LAYOUTS.map(|(layout, text)| (name(shape, text), Product { layout, m, n, k }))
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
        let replays: Vec<_> = (0..threads).map(|_| Mutex::new(Replay::new(product))).collect();
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

/// A product with arrays of its own.
pub(crate) struct Replay<T> {
    product: Product,
    x: Vec<T>,
    /// The weight, or the right factor of a gradient.
    right: Vec<T>,
    out: Vec<T>,
}

impl<T: Real> Replay<T> {
    pub(crate) fn new(product: Product) -> Self {
        let Product { layout, m, n, k } = product;
        // Neither zeros nor subnormals, whose arithmetic may have another speed; sums stay finite.
        let values = |length: usize| (0..length).map(|i| T::from_f64(0.5 - (i % 17) as f64 / 16.0)).collect();
        let (x, right, out) = match layout {
            Layout::Forward => (m * k, n * k, m * n),
            Layout::Reverse => (m * n, n * k, m * k),
            Layout::Gradient => (m * n, m * k, n * k),
        };
        Self { product, x: values(x), right: values(right), out: vec![T::ZERO; out] }
    }

    /// Multiplies on the calling thread, as the engine does.
    pub(crate) fn run(&mut self) {
        let Product { layout, m, n, k } = self.product;
        let (x, right, out) = (&self.x, &self.right, &mut self.out);
        match layout {
            Layout::Forward => matmul(
                MatMut::from_row_major_slice_mut(out, m, n),
                Accum::Replace,
                MatRef::from_row_major_slice(x, m, k),
                MatRef::from_column_major_slice(right, k, n),
                T::ONE,
                Par::Seq,
            ),
            Layout::Reverse => matmul(
                MatMut::from_row_major_slice_mut(out, m, k),
                Accum::Replace,
                MatRef::from_row_major_slice(x, m, n),
                MatRef::from_row_major_slice(right, n, k),
                T::ONE,
                Par::Seq,
            ),
            Layout::Gradient => matmul(
                MatMut::from_row_major_slice_mut(out, n, k),
                Accum::Add,
                MatRef::from_column_major_slice(x, n, m),
                MatRef::from_row_major_slice(right, m, k),
                T::ONE,
                Par::Seq,
            ),
        }
    }
}
