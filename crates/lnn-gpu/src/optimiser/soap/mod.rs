//! SOAP: Adam in the slowly turning eigenbasis of Shampoo's factors.

mod layout;
mod prepare;
mod products;
mod state;

use self::layout::Layout;
pub use self::layout::ParameterBlock;
use self::products::Products;
pub use self::state::{BlockState, FactorState};
use super::{Adam, AdamSettings};
use crate::device::{Buffer, Device, DeviceError, Recorder};
use crate::step::StepControl;

/// Settings of [`Soap`]. The learning rate and the weight decay are the [`StepControl`]'s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoapSettings {
    /// Of the averages in the eigenbasis, and of blocks with one column.
    pub averages: AdamSettings,
    /// s, the averaging of the factors G Gᵀ and Gᵀ G, in [0, 1).
    pub shampoo_beta: f64,
}

/// Why SOAP cannot go on.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SoapError {
    /// The device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A parameter block that SOAP's kernels have no room for.
    #[error(
        "parameter block {block} is {rows} × {columns}; SOAP on a graphics card takes up to {limit} rows and columns: use Adam, or the CPU"
    )]
    BlockSize {
        /// Number of the block.
        block: usize,
        /// Its rows.
        rows: usize,
        /// Its columns.
        columns: usize,
        /// Most of either.
        limit: usize,
    },
    /// The first eigendecomposition of a factor did not converge.
    #[error(
        "model {model}, parameter block {block}: the eigendecomposition of its {dimension} × {dimension} factor did not converge"
    )]
    Eigendecomposition {
        /// Number of the model.
        model: usize,
        /// Number of the block.
        block: usize,
        /// Rows of the factor.
        dimension: usize,
    },
}

impl SoapError {
    /// The model that it is about, where it is about one.
    pub fn model(&self) -> Option<usize> {
        match self {
            Self::Eigendecomposition { model, .. } => Some(*model),
            Self::Device(_) | Self::BlockSize { .. } => None,
        }
    }
}

/// Most rows or columns of a block: `LARGEST` of the kernels, which hold a column in workgroup memory.
const LARGEST: usize = 2048;

/// SOAP (Vyas et al. 2024, arXiv 2409.11321, Algorithm 3) for blocks of two columns or more, Adam for the others, as the
/// processor's optimiser of that name in `lnn-train`, for all blocks of all models side by side.
///
/// For a weight W `[m, n]` with gradient G, elementwise in the rotated space,
///
/// ```text
/// G̃ = Q_Lᵀ G Q_R        M̃ ← β₁ M̃ + (1 − β₁) G̃        Ṽ ← β₂ Ṽ + (1 − β₂) G̃²
/// W ← (1 − η w) W − η Q_L { [M̃ / (1 − β₁ᵗ)] / [√(Ṽ / (1 − β₂ᵗ)) + ε] } Q_Rᵀ
/// L ← s L + (1 − s) G Gᵀ        R ← s R + (1 − s) Gᵀ G
/// ```
///
/// and at a refresh each basis takes one step of QR power iteration: the columns of Q are sorted by falling diag(Qᵀ S Q),
/// with Ṽ permuted alike, Q ← qr(S Q), and M̃ is carried over to the new basis. A block of one row is preconditioned on
/// the right only.
///
/// The first step makes no update but sets up factors and bases: [`record_preparation`](Self::record_preparation) in
/// place of [`record`](Self::record), then [`prepare`](Self::prepare), which reads the factors back and decomposes them
/// on the processor. That happens once in a training, at a step that is a log point anyway; on the device it would take
/// a kernel of its own, long enough for a driver to stop it. Everything later stays on the device.
#[derive(Debug)]
pub struct Soap {
    blocks: Vec<ParameterBlock>,
    layout: Layout,
    /// Parameters of one model.
    parameters: usize,
    first_moment: Buffer<f32>,
    second_moment: Buffer<f32>,
    /// S of every factor, row by row.
    factors: Buffer<f32>,
    /// Q of every factor, row by row: eigenvectors as columns, by falling eigenvalue.
    bases: Buffer<f32>,
    products: Products,
    vectors: Adam,
}

impl Soap {
    /// Zero averages and no bases yet for the parameters that `control` was made for.
    ///
    /// `blocks` are those of one model; they do not overlap.
    ///
    /// # Errors
    /// [`SoapError::BlockSize`] for a block that is too large; the adapter is too small, or the device is lost.
    ///
    /// # Panics
    /// If a buffer has another length than `control`'s, or a block leaves the parameters.
    pub fn new(
        device: &Device,
        settings: SoapSettings,
        blocks: &[ParameterBlock],
        control: &StepControl,
        gradient: &Buffer<f32>,
        parameters: &Buffer<f32>,
    ) -> Result<Self, SoapError> {
        let [models, count] = control.lengths();
        for (number, block) in blocks.iter().enumerate() {
            let &ParameterBlock { offset, rows, columns, stride } = block;
            assert!(columns <= stride && offset + rows * stride <= count, "block {number} of {count}: {block:?}");
            if columns > 1 && rows.max(columns) > LARGEST {
                return Err(SoapError::BlockSize { block: number, rows, columns, limit: LARGEST });
            }
        }
        let layout = Layout::new(blocks);
        let of_parameters = |name| device.buffer::<f32>(name, models * count);
        let of_matrices = |name| device.buffer::<f32>(name, models * layout.matrices);
        let (first_moment, second_moment) = (of_parameters("first moment")?, of_parameters("second moment")?);
        let (factors, bases) = (of_matrices("factors")?, of_matrices("bases")?);
        let products = Products::new(
            device,
            settings,
            blocks,
            &layout,
            control,
            products::Arrays {
                gradient,
                parameters,
                first: &first_moment,
                second: &second_moment,
                factors: &factors,
                bases: &bases,
            },
        )?;
        let single = blocks.iter().filter(|block| block.columns == 1);
        let ranges: Vec<_> = single.map(|block| block.offset..block.offset + block.rows * block.stride).collect();
        let moments = [first_moment.clone(), second_moment.clone()];
        let vectors = Adam::of_ranges(device, settings.averages, control, [gradient, parameters], moments, &ranges)?;
        let blocks = blocks.to_vec();
        Ok(Self { blocks, layout, parameters: count, first_moment, second_moment, factors, bases, products, vectors })
    }

    /// The update of the step that was decided on last; `refresh` also turns the bases.
    ///
    /// The processor's optimiser turns them at every k-th update. Which step that is depends on the steps that were
    /// skipped, which the caller learns at log points: between them it counts all steps as made. If the very step of a
    /// refresh is skipped, the bases wait for the next one.
    pub fn record(&self, recorder: &mut Recorder, refresh: bool) {
        self.vectors.record(recorder);
        self.products.record_update(recorder);
        self.products.record_averages(recorder);
        if refresh {
            self.products.record_refresh(recorder);
        }
    }

    /// In place of [`record`](Self::record) at the first step: the factors take the gradient in, and no parameter
    /// changes. [`prepare`](Self::prepare) comes next.
    pub fn record_preparation(&self, recorder: &mut Recorder) {
        self.products.record_averages(recorder);
    }
}
