//! Networks with their weights laid out once for many products.
//!
//! A matrix product library packs its operands at every call, which pays for one large product. A rollout multiplies
//! blocks of a few dozen rows by the same weights again and again, and streams weights packed once through the
//! registers instead, once for four rows.

use faer::traits::{SimdArch, SimdCtx};
use pulp::{Simd, WithSimd};

use super::buffer::Buffer;
use super::narrow::NARROW;
use super::product::Rows;
use crate::{LayerRange, Mlp, MlpShape, Real, ShapeError};

/// Columns of a panel: whole vectors of any instruction set, and four of the widest.
const COLUMNS: usize = 64;

/// A network that owns its parameters and keeps its weights packed, for many blocks of few or some dozen rows.
///
/// Each layer's weight `[out, in]` is cut into panels of 64 outputs, zero-padded; a panel is `[in, 64]`. So is its
/// transpose. A row's sums run in the same order in a block of any size, except that a row alone in its block takes
/// the reverse products in another, so that its last bits may differ.
///
/// ```
/// use lnn_autodiff::jet::PackedMlp;
/// use lnn_autodiff::{Activation, MlpShape};
/// let shape = MlpShape::new(&[2, 3, 1], Activation::Tanh)?;
/// let packed = PackedMlp::new(&shape, &vec![0.5_f32; shape.parameter_count()])?;
/// assert_eq!(packed.network().bias(0), [0.5; 3]);
/// # Ok::<(), lnn_autodiff::ShapeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PackedMlp<T> {
    shape: MlpShape,
    parameters: Vec<T>,
    weights: PackedWeights<T>,
}

impl<T: Real> PackedMlp<T> {
    /// A network of this shape with these parameters.
    ///
    /// # Errors
    /// [`ShapeError::ParameterCount`] if the slice has another length than the shape needs.
    pub fn new(shape: &MlpShape, parameters: &[T]) -> Result<Self, ShapeError> {
        shape.bind(parameters)?;
        let layers = shape.layers().iter().map(|layer| PackedLayer::new(layer, &parameters[layer.weight.clone()]));
        let weights = PackedWeights { layers: layers.collect() };
        Ok(Self { shape: shape.clone(), parameters: parameters.to_vec(), weights })
    }

    /// The network, for the jet engine.
    pub fn network(&self) -> Mlp<'_, T> {
        Mlp { shape: &self.shape, parameters: &self.parameters, packed: Some(&self.weights) }
    }
}

/// The weights of a network in panels.
#[derive(Clone, Debug)]
pub(crate) struct PackedWeights<T> {
    layers: Vec<PackedLayer<T>>,
}

#[derive(Clone, Debug)]
struct PackedLayer<T> {
    inputs: usize,
    /// Of the transposed weight `[in, out]`; empty for a layer of few outputs, which the narrow loops serve better.
    forward: Buffer<T>,
    /// Of the weight itself, `[out, in]`.
    reverse: Buffer<T>,
}

impl<T: Real> PackedLayer<T> {
    fn new(layer: &LayerRange, weight: &[T]) -> Self {
        let LayerRange { inputs, outputs, .. } = *layer;
        if outputs <= NARROW {
            return Self { inputs, forward: Buffer::new(0), reverse: Buffer::new(0) };
        }
        Self {
            inputs,
            forward: panels(inputs, outputs, |k, n| weight[n * inputs + k]),
            reverse: panels(outputs, inputs, |k, n| weight[k * inputs + n]),
        }
    }
}

/// The matrix `at(k, n)` of `depth` rows in panels of [`COLUMNS`] columns, the last one padded with zeros.
fn panels<T: Real>(depth: usize, columns: usize, at: impl Fn(usize, usize) -> T) -> Buffer<T> {
    let mut panels = Buffer::new(columns.div_ceil(COLUMNS) * depth * COLUMNS);
    for (number, panel) in panels.chunks_exact_mut(depth * COLUMNS).enumerate() {
        for (k, row) in panel.chunks_exact_mut(COLUMNS).enumerate() {
            for (place, n) in row.iter_mut().zip(number * COLUMNS..columns) {
                *place = at(k, n);
            }
        }
    }
    panels
}

impl<T: Real> PackedWeights<T> {
    /// Whether the layer's products are computed here.
    pub(super) fn serves(&self, layer: usize) -> bool {
        !self.layers[layer].forward.is_empty()
    }

    /// `out[m, n] = x[m, k] · weightᵀ`.
    pub(super) fn times_weight_transposed(&self, layer: usize, rows: usize, out: Rows<&mut [T]>, x: Rows<&[T]>) {
        let layer = &self.layers[layer];
        assert_eq!(layer.inputs, x.width, "the layer's inputs");
        T::Arch::default().dispatch(PanelProduct { panels: &layer.forward, rows, out, x });
    }

    /// `out[m, k] = x[m, n] · weight`; `lanes` has 16 numbers for each of the k inputs.
    pub(super) fn times_weight(&self, layer: usize, rows: usize, out: Rows<&mut [T]>, x: Rows<&[T]>, lanes: &mut [T]) {
        let layer = &self.layers[layer];
        assert_eq!(layer.inputs, out.width, "the layer's inputs");
        // One row reads the panels of the forward product instead, which are in cache or halve what must be read.
        if rows > 1 {
            return T::Arch::default().dispatch(PanelProduct { panels: &layer.reverse, rows, out, x });
        }
        for row in 0..rows {
            let out = &mut out.data[row * out.stride..][..out.width];
            let x = &x.data[row * x.stride..][..x.width];
            T::Arch::default().dispatch(Backward { layer, out, x, lanes: &mut *lanes });
        }
    }
}

/// `out[m, n] = x[m, k] · panels`, the panels `[⌈n / 64⌉, k, 64]`.
struct PanelProduct<'a, T> {
    panels: &'a [T],
    rows: usize,
    out: Rows<&'a mut [T]>,
    x: Rows<&'a [T]>,
}

impl<T: Real> WithSimd for PanelProduct<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // Sums of four rows, a row of weights and an input, all in registers.
        if S::REGISTER_COUNT >= 32 { self.sweep::<S, 4>(simd) } else { self.sweep::<S, 2>(simd) }
    }
}

impl<T: Real> PanelProduct<'_, T> {
    /// Panel by panel, so that a panel stays in the first-level cache for all rows.
    #[inline(always)]
    fn sweep<S: Simd, const G: usize>(self, simd: S) {
        let lanes = size_of::<T::SimdVec<S>>() / size_of::<T>();
        let Self { panels, rows, mut out, x } = self;
        for (number, panel) in panels.chunks_exact(COLUMNS * x.width).enumerate() {
            for part in (0..COLUMNS / lanes).step_by(G) {
                let column = number * COLUMNS + part * lanes;
                if column >= out.width {
                    break;
                }
                let one_vector = out.width - column <= lanes;
                let strip = Strip { panel, part, column, rows, out: out.reborrow(), x };
                if one_vector {
                    // Many rows at a time, so that there are sums enough to hide the latency of an addition.
                    strip.multiply::<S, 1, 8>(simd);
                } else {
                    strip.multiply::<S, G, 4>(simd);
                }
            }
        }
    }
}

/// The columns from `column` on, whose weights start at vector `part` of each row of the panel.
struct Strip<'a, T> {
    panel: &'a [T],
    part: usize,
    column: usize,
    rows: usize,
    out: Rows<&'a mut [T]>,
    x: Rows<&'a [T]>,
}

impl<T: Real> Strip<'_, T> {
    /// `G` vectors of all rows, `M` rows at a time while there are as many.
    #[inline(always)]
    fn multiply<S: Simd, const G: usize, const M: usize>(mut self, simd: S) {
        let mut row = self.tiles::<S, G, M>(simd, 0);
        if M > 4 {
            row = self.tiles::<S, G, 4>(simd, row);
        }
        row = self.tiles::<S, G, 2>(simd, row);
        self.tiles::<S, G, 1>(simd, row);
    }

    /// As many `M` rows as there are from `row` on; the next row.
    #[inline(always)]
    fn tiles<S: Simd, const G: usize, const M: usize>(&mut self, simd: S, mut row: usize) -> usize {
        while row + M <= self.rows {
            self.tile::<S, G, M>(simd, row);
            row += M;
        }
        row
    }

    /// `G` vectors of `M` rows.
    #[inline(always)]
    fn tile<S: Simd, const G: usize, const M: usize>(&mut self, simd: S, row: usize) {
        let context = T::simd_ctx(simd);
        let simd = SimdCtx::<T, S>::new(&context);
        let Self { panel, part, column, ref mut out, x, .. } = *self;
        let vectors = COLUMNS * size_of::<T>() / size_of::<T::SimdVec<S>>();
        let inputs: [&[T]; M] = std::array::from_fn(|m| &x.data[(row + m) * x.stride..][..x.width]);
        let panel: &[T::SimdVec<S>] = bytemuck::cast_slice(panel);
        let mut sums = [[simd.zero(); G]; M];
        for (k, weights) in panel.chunks_exact(vectors).enumerate() {
            let weights: &[T::SimdVec<S>; G] = weights[part..].first_chunk().expect("vectors come in groups");
            for m in 0..M {
                let input = simd.splat(&inputs[m][k]);
                for g in 0..G {
                    sums[m][g] = simd.mul_add(input, weights[g], sums[m][g]);
                }
            }
        }
        let lanes = COLUMNS / vectors;
        for m in 0..M {
            let row = &mut out.data[(row + m) * out.stride..][..out.stride];
            if let Some(row) = row.get_mut(column..column + G * lanes) {
                // Into the padding too, where the weights are zero.
                let row: &mut [T::SimdVec<S>] = bytemuck::cast_slice_mut(row);
                row.copy_from_slice(&sums[m]);
            } else {
                // A copy: a view of the sums themselves would keep them in memory throughout the loop above.
                let sums = sums[m];
                let sums: &[T] = bytemuck::cast_slice(&sums);
                let row = &mut row[column..];
                row.copy_from_slice(&sums[..row.len()]);
            }
        }
    }
}

/// One row of a product with the untransposed weight.
struct Backward<'a, T> {
    layer: &'a PackedLayer<T>,
    out: &'a mut [T],
    x: &'a [T],
    /// Sums over the panels so far, a vector for each input.
    lanes: &'a mut [T],
}

impl<T: Real> WithSimd for Backward<'_, T> {
    type Output = ();

    /// Lane by lane over all panels; across lanes once, at the end.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let context = T::simd_ctx(simd);
        let simd = SimdCtx::<T, S>::new(&context);
        let vectors = COLUMNS * size_of::<T>() / size_of::<T::SimdVec<S>>();
        let Self { layer, out, x, lanes } = self;
        let sums: &mut [T::SimdVec<S>] = bytemuck::cast_slice_mut(lanes);
        let last = x.len().div_ceil(COLUMNS) - 1;
        // Backwards: what the forward product read last is still in cache, and what this reads last is what the next
        // forward product starts with. Where the weights exceed the cache, that is a sixth of the time.
        for (panel, weights) in layer.forward.chunks_exact(COLUMNS * layer.inputs).enumerate().rev() {
            let x = &x[panel * COLUMNS..];
            let mut padded = [T::ZERO; COLUMNS];
            let filled = x.len().min(COLUMNS);
            padded[..filled].copy_from_slice(&x[..filled]);
            let padded: &[T::SimdVec<S>] = bytemuck::cast_slice(&padded);
            let weights: &[T::SimdVec<S>] = bytemuck::cast_slice(weights);
            let per_input = weights.chunks_exact(vectors).zip(&mut *sums).zip(&mut *out);
            for ((weights, sum), out) in per_input {
                let mut partial = if panel == last { simd.zero() } else { *sum };
                for (&weight, &x) in weights.iter().zip(padded) {
                    partial = simd.mul_add(weight, x, partial);
                }
                if panel == 0 {
                    *out = simd.reduce_sum(partial);
                } else {
                    *sum = partial;
                }
            }
        }
    }
}
