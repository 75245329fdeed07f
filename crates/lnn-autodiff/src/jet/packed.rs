//! Networks with their weights laid out once for many products of few rows each.
//!
//! A matrix product library packs its operands at every call, which pays for blocks of samples. A rollout of one
//! or a few states instead streams the weights through the registers: a forward product once for four rows, a
//! reverse product once a row. Both directions read the same layout.

use faer::traits::{SimdArch, SimdCtx};
use pulp::{Simd, WithSimd};

use super::buffer::Buffer;
use super::narrow::NARROW;
use super::product::Rows;
use crate::{LayerRange, Mlp, MlpShape, Real, ShapeError};

/// Channels × rows up to which a forward product reads the panels; counted in instructions, a matrix product needs
/// fewer beyond.
const FORWARD_ROWS: usize = 16;
/// The same for a reverse product.
const REVERSE_ROWS: usize = 1;
/// Columns of a panel: whole vectors of any instruction set, and four of the widest.
const COLUMNS: usize = 64;

/// A network that owns its parameters and keeps its weights packed, for blocks of few rows.
///
/// Each layer's weight `[out, in]` is cut into panels of 64 outputs, zero-padded; a panel is `[in, 64]`. Blocks of
/// more rows than a few are computed as by any other network. Sums run in another order there, so the last bits of a
/// row depend on how many rows share its block.
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
    /// Empty for a layer of few outputs, which the narrow loops serve better.
    panels: Buffer<T>,
}

impl<T: Real> PackedLayer<T> {
    fn new(layer: &LayerRange, weight: &[T]) -> Self {
        let LayerRange { inputs, outputs, .. } = *layer;
        let panels = if outputs <= NARROW { 0 } else { outputs.div_ceil(COLUMNS) };
        let mut panels = Buffer::new(panels * COLUMNS * inputs);
        if outputs > NARROW {
            for (output, row) in weight.chunks_exact(inputs).enumerate() {
                let panel = &mut panels[output / COLUMNS * COLUMNS * inputs..];
                for (input, &weight) in row.iter().enumerate() {
                    panel[input * COLUMNS + output % COLUMNS] = weight;
                }
            }
        }
        Self { inputs, panels }
    }
}

impl<T: Real> PackedWeights<T> {
    /// Whether a forward product of so many rows is faster this way.
    pub(super) fn serves_forward(&self, layer: usize, rows: usize) -> bool {
        rows <= FORWARD_ROWS && !self.layers[layer].panels.is_empty()
    }
    /// Whether a reverse product of so many rows is faster this way.
    pub(super) fn serves_reverse(&self, layer: usize, rows: usize) -> bool {
        rows <= REVERSE_ROWS && !self.layers[layer].panels.is_empty()
    }

    /// `out[m, n] = x[m, k] · weightᵀ`.
    pub(super) fn times_weight_transposed(&self, layer: usize, rows: usize, out: Rows<&mut [T]>, x: Rows<&[T]>) {
        let layer = &self.layers[layer];
        assert_eq!(layer.inputs, x.width, "the layer's inputs");
        let Rows { data, width, stride } = out;
        for first in (0..rows).step_by(4) {
            let call = Forward { layer, first, out: Rows { data: &mut *data, width, stride }, x };
            match rows - first {
                1 => call.run::<1>(),
                2 => call.run::<2>(),
                3 => call.run::<3>(),
                _ => call.run::<4>(),
            }
        }
    }

    /// `out[m, k] = x[m, n] · weight`; `lanes` has 16 numbers for each of the k inputs.
    pub(super) fn times_weight(&self, layer: usize, rows: usize, out: Rows<&mut [T]>, x: Rows<&[T]>, lanes: &mut [T]) {
        let layer = &self.layers[layer];
        assert_eq!(layer.inputs, out.width, "the layer's inputs");
        for row in 0..rows {
            let out = &mut out.data[row * out.stride..][..out.width];
            let x = &x.data[row * x.stride..][..x.width];
            T::Arch::default().dispatch(Backward { layer, out, x, lanes: &mut *lanes });
        }
    }
}

/// Rows `first..` of a forward product.
struct Forward<'a, T> {
    layer: &'a PackedLayer<T>,
    first: usize,
    out: Rows<&'a mut [T]>,
    x: Rows<&'a [T]>,
}

/// [`Forward`] for `M` rows.
struct ForwardRows<'a, T, const M: usize>(Forward<'a, T>);

impl<T: Real> Forward<'_, T> {
    fn run<const M: usize>(self) {
        T::Arch::default().dispatch(ForwardRows::<T, M>(self));
    }
}

impl<T: Real, const M: usize> WithSimd for ForwardRows<'_, T, M> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // Sums, a row of weights and an input, all in registers.
        if S::REGISTER_COUNT >= 32 { self.kernel::<S, 4>(simd) } else { self.kernel::<S, 2>(simd) }
    }
}

impl<T: Real, const M: usize> ForwardRows<'_, T, M> {
    /// With the sums of `M` rows and `G` vectors in registers.
    #[inline(always)]
    fn kernel<S: Simd, const G: usize>(self, simd: S) {
        let context = T::simd_ctx(simd);
        let simd = SimdCtx::<T, S>::new(&context);
        let lanes = size_of::<T::SimdVec<S>>() / size_of::<T>();
        let vectors = COLUMNS / lanes;
        let Forward { layer, first, out, x } = self.0;
        let inputs: [&[T]; M] = std::array::from_fn(|m| &x.data[(first + m) * x.stride..][..layer.inputs]);
        for (panel, weights) in layer.panels.chunks_exact(COLUMNS * layer.inputs).enumerate() {
            let weights: &[T::SimdVec<S>] = bytemuck::cast_slice(weights);
            for part in (0..vectors).step_by(G) {
                let start = panel * COLUMNS + part * lanes;
                if start >= out.width {
                    break;
                }
                let mut sums = [[simd.zero(); G]; M];
                for (k, weights) in weights.chunks_exact(vectors).enumerate() {
                    let weights: &[T::SimdVec<S>; G] = weights[part..].first_chunk().expect("vectors come in groups");
                    for m in 0..M {
                        let input = simd.splat(&inputs[m][k]);
                        for g in 0..G {
                            sums[m][g] = simd.mul_add(input, weights[g], sums[m][g]);
                        }
                    }
                }
                for m in 0..M {
                    let out = &mut out.data[(first + m) * out.stride..][start..out.width];
                    let sums: &[T] = bytemuck::cast_slice(&sums[m]);
                    let length = out.len().min(sums.len());
                    out[..length].copy_from_slice(&sums[..length]);
                }
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
        for (panel, weights) in layer.panels.chunks_exact(COLUMNS * layer.inputs).enumerate().rev() {
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
