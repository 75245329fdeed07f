//! Where SOAP's matrices lie, and the products of a step as the device reads them.

use bytemuck::{Pod, Zeroable};
use lnn_autodiff::LayerRange;

use crate::device::{Buffer, Device, DeviceError};
use crate::mlp::{self, ParameterLayout};

/// Where a weight matrix or a bias lies among a model's parameters on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParameterBlock {
    /// Place of its first number.
    pub offset: usize,
    /// Number of rows: a layer's outputs, or 1 for a bias as a row.
    pub rows: usize,
    /// Number of columns: a layer's inputs, or the bias's entries.
    pub columns: usize,
    /// From one row to the next.
    pub stride: usize,
}

impl ParameterBlock {
    /// The blocks of a network's padded parameters: of each layer its weight, and its bias as one row, so that SOAP turns
    /// it like a weight.
    pub fn of_network(layout: &ParameterLayout) -> Vec<Self> {
        let of_layer = |(layer, range): (usize, &LayerRange)| {
            let LayerRange { inputs, outputs, .. } = *range;
            let weight =
                Self { offset: layout.weight(layer), rows: outputs, columns: inputs, stride: mlp::stride(inputs) };
            let bias = Self { offset: layout.bias(layer), rows: 1, columns: outputs, stride: mlp::stride(outputs) };
            [weight, bias]
        };
        layout.shape().layers().iter().enumerate().flat_map(of_layer).collect()
    }
}

/// A factor average with its basis, `[dimension][stride]`; its twin is `shaders/shared/soap_factor.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Factor {
    /// Place of its first number among a model's matrices.
    pub(super) matrix: u32,
    /// Place of its first number among a model's orders.
    pub(super) order: u32,
    pub(super) dimension: u32,
    pub(super) stride: u32,
}

/// A block of at least two columns, with its factors as numbers in [`Layout::factors`].
#[derive(Clone, Copy, Debug)]
pub(super) struct MatrixBlock {
    pub(super) parameters: ParameterBlock,
    /// Absent for one row, where the basis would be the number 1.
    pub(super) left: Option<usize>,
    pub(super) right: usize,
}

/// Everything's place within one model.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// In the order of the parameter blocks; `None` for a block of one column, which gets Adam.
    pub(super) blocks: Vec<Option<MatrixBlock>>,
    pub(super) factors: Vec<Factor>,
    /// Numbers of all factors.
    pub(super) matrices: usize,
    /// Numbers of all orders.
    pub(super) orders: usize,
}

impl Layout {
    pub(super) fn new(blocks: &[ParameterBlock]) -> Self {
        let mut layout = Self::default();
        for &parameters in blocks {
            let block = (parameters.columns > 1).then(|| MatrixBlock {
                parameters,
                left: (parameters.rows > 1).then(|| layout.factor(parameters.rows)),
                right: layout.factor(parameters.columns),
            });
            layout.blocks.push(block);
        }
        layout
    }

    fn factor(&mut self, dimension: usize) -> usize {
        let stride = dimension.next_multiple_of(4);
        let [matrix, order, dimension_word, stride_word] =
            [self.matrices, self.orders, dimension, stride].map(|number| number as u32);
        self.factors.push(Factor { matrix, order, dimension: dimension_word, stride: stride_word });
        self.matrices += dimension * stride;
        self.orders += dimension;
        self.factors.len() - 1
    }

    pub(super) fn matrix_blocks(&self) -> impl Iterator<Item = &MatrixBlock> {
        self.blocks.iter().flatten()
    }
}

/// One product of a launch; its twin is `Job` of `shaders/optimiser/soap_product.wgsl`, where the fields are explained.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Job {
    left: [u32; 3],
    right: [u32; 3],
    out: [u32; 2],
    rows: u32,
    columns: u32,
    inner: u32,
    left_order: u32,
    right_order: u32,
}

const NONE: u32 = u32::MAX;

impl Layout {
    /// A product with a left basis, or with its transpose, for each block: a copy where there is none.
    pub(super) fn left_products(&self, transposed: bool) -> Vec<Job> {
        self.of_blocks(|block, job| {
            if let Some(left) = block.left {
                job.left = square(&self.factors[left], transposed);
                job.inner = job.rows;
            }
        })
    }

    /// A product with a right basis, or with its transpose, for each block.
    pub(super) fn right_products(&self, transposed: bool) -> Vec<Job> {
        self.of_blocks(|block, job| {
            job.left = job.right;
            job.right = square(&self.factors[block.right], transposed);
            job.inner = job.columns;
        })
    }

    fn of_blocks(&self, factor: impl Fn(&MatrixBlock, &mut Job)) -> Vec<Job> {
        let job = |block: &MatrixBlock| {
            let ParameterBlock { offset, rows, columns, stride } = block.parameters;
            let [offset, rows, columns, stride] = [offset, rows, columns, stride].map(|number| number as u32);
            let order = |factor: usize| self.factors[factor].order;
            let mut job = Job {
                left: [0; 3],
                right: [offset, stride, 1],
                out: [offset, stride],
                rows,
                columns,
                inner: 0,
                left_order: block.left.map_or(NONE, order),
                right_order: order(block.right),
            };
            factor(block, &mut job);
            job
        };
        self.matrix_blocks().map(job).collect()
    }

    /// G Gᵀ for each left factor, Gᵀ G for each right one.
    pub(super) fn gram_products(&self) -> Vec<Job> {
        let mut jobs = Vec::with_capacity(self.factors.len());
        for block in self.matrix_blocks() {
            let ParameterBlock { offset, rows, columns, stride } = block.parameters;
            let [offset, rows, columns, stride] = [offset, rows, columns, stride].map(|number| number as u32);
            let (plain, transposed) = ([offset, stride, 1], [offset, 1, stride]);
            let gram = |factor: usize, left, right, inner| of_factor(&self.factors[factor], left, right, inner);
            jobs.extend(block.left.map(|left| gram(left, plain, transposed, columns)));
            jobs.push(gram(block.right, transposed, plain, rows));
        }
        jobs
    }

    /// S Q for each factor.
    pub(super) fn power_products(&self) -> Vec<Job> {
        let power = |factor: &Factor| of_factor(factor, square(factor, false), square(factor, false), factor.dimension);
        self.factors.iter().map(power).collect()
    }
}

/// Place, and distance of rows and of columns.
fn square(factor: &Factor, transposed: bool) -> [u32; 3] {
    if transposed { [factor.matrix, 1, factor.stride] } else { [factor.matrix, factor.stride, 1] }
}

fn of_factor(factor: &Factor, left: [u32; 3], right: [u32; 3], inner: u32) -> Job {
    let Factor { matrix, dimension, stride, .. } = *factor;
    let out = [matrix, stride];
    Job { left, right, out, rows: dimension, columns: dimension, inner, left_order: NONE, right_order: NONE }
}

/// The products of one launch on the device: for each tile its job, first row and first column; then the jobs.
#[derive(Debug)]
pub(super) struct LaunchPlan {
    pub(super) words: Buffer<u32>,
    pub(super) tiles: usize,
}

impl LaunchPlan {
    pub(super) fn new(device: &Device, jobs: &[Job], tile: usize) -> Result<Self, DeviceError> {
        let mut words = Vec::new();
        for (number, job) in (0..).zip(jobs) {
            for row in (0..job.rows).step_by(tile) {
                words.extend((0..job.columns).step_by(tile).flat_map(|column| [number, row, column]));
            }
        }
        let tiles = words.len() / 3;
        words.extend_from_slice(bytemuck::cast_slice(jobs));
        let buffer = device.buffer("products of SOAP", words.len())?;
        device.upload(&buffer, 0, &words)?;
        Ok(Self { words: buffer, tiles })
    }
}

/// The tile of a product: the larger one where there is enough work for it.
pub(super) fn tile_size(blocks: &[ParameterBlock], models: usize) -> usize {
    const LARGE: usize = 64;
    // A workgroup for every multiprocessor of a large card, about twice.
    const ENOUGH: usize = 256;
    let tiles: usize = blocks.iter().map(|block| block.rows.div_ceil(LARGE) * block.columns.div_ceil(LARGE)).sum();
    if tiles * models >= ENOUGH { LARGE } else { LARGE / 2 }
}
