//! Weights laid out once for many products of few rows each.
//!
//! A matrix product library packs its operands at every call, which pays for blocks of samples. A rollout of one
//! or a few states instead streams each weight through the registers once a pass: its time is the weights' memory
//! traffic, or for small networks a few hundred cycles a layer. Both directions read the same layout.

use faer::traits::{SimdArch, SimdCtx};
use pulp::{Simd, WithSimd};

use super::buffer::Buffer;
use super::product::Rows;
use crate::{MlpShape, Real};

/// Rows up to which [`PackedWeights`] are used instead of a matrix product.
const FEW_ROWS: usize = 16;
/// Columns of a panel: whole vectors of any instruction set, and four of the widest.
const COLUMNS: usize = 64;

/// The weights of a network in panels, for blocks of few rows.
///
/// Each layer's weight `[out, in]` is cut into panels of 64 outputs, zero-padded; a panel is `[in, 64]`.
///
/// ```
/// use lnn_autodiff::jet::PackedWeights;
/// use lnn_autodiff::{Activation, MlpShape};
/// let shape = MlpShape::new(&[2, 3, 1], Activation::Tanh)?;
/// let parameters = vec![0.5_f32; shape.parameter_count()];
/// let packed = PackedWeights::new(&shape, &parameters);
/// let network = shape.bind(&parameters)?.with_packed(&packed);
/// assert_eq!(network.parameters(), parameters);
/// # Ok::<(), lnn_autodiff::ShapeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PackedWeights<T> {
    parameters: usize,
    layers: Vec<PackedLayer<T>>,
}

#[derive(Clone, Debug)]
struct PackedLayer<T> {
    inputs: usize,
    panels: Buffer<T>,
}

impl<T: Real> PackedWeights<T> {
    /// Packs the weights in `parameters`.
    ///
    /// # Panics
    /// If `parameters` has another length than the shape needs.
    pub fn new(shape: &MlpShape, parameters: &[T]) -> Self {
        assert_eq!(parameters.len(), shape.parameter_count(), "parameters of the shape");
        let pack = |layer: &crate::LayerRange| {
            let weight = &parameters[layer.weight.clone()];
            let mut panels = Buffer::new(layer.outputs.div_ceil(COLUMNS) * COLUMNS * layer.inputs);
            for (output, row) in weight.chunks_exact(layer.inputs).enumerate() {
                let panel = &mut panels[output / COLUMNS * COLUMNS * layer.inputs..];
                for (input, &weight) in row.iter().enumerate() {
                    panel[input * COLUMNS + output % COLUMNS] = weight;
                }
            }
            PackedLayer { inputs: layer.inputs, panels }
        };
        Self { parameters: parameters.len(), layers: shape.layers().iter().map(pack).collect() }
    }

    /// Number of parameters of the network it was made from.
    pub(crate) fn parameter_count(&self) -> usize {
        self.parameters
    }

    /// `out[m, n] = x[m, k] · weightᵀ`; false, and nothing done, where a matrix product is faster.
    pub(super) fn times_weight_transposed(
        &self,
        layer: usize,
        rows: usize,
        out: &mut Rows<&mut [T]>,
        x: Rows<&[T]>,
    ) -> bool {
        if rows > FEW_ROWS {
            return false;
        }
        let layer = &self.layers[layer];
        debug_assert_eq!(layer.inputs, x.width);
        let mut first = 0;
        while first < rows {
            let call = Forward { layer, first, out: Rows { data: &mut *out.data, ..*out }, x };
            first += match rows - first {
                1 => call.run::<1>(),
                2 => call.run::<2>(),
                3 => call.run::<3>(),
                _ => call.run::<4>(),
            };
        }
        true
    }

    /// `out[m, k] = x[m, n] · weight`; false, and nothing done, where a matrix product is faster. `lanes` has a lane
    /// group for each of the k inputs.
    pub(super) fn times_weight(
        &self,
        layer: usize,
        rows: usize,
        out: &mut Rows<&mut [T]>,
        x: Rows<&[T]>,
        lanes: &mut [T],
    ) -> bool {
        if rows > FEW_ROWS {
            return false;
        }
        for row in 0..rows {
            let call = Backward {
                layer: &self.layers[layer],
                out: &mut out.data[row * out.stride..][..out.width],
                x: &x.data[row * x.stride..][..x.width],
                lanes: &mut *lanes,
            };
            T::Arch::default().dispatch(call);
        }
        true
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
    /// Computes `M` rows and returns their number.
    fn run<const M: usize>(self) -> usize {
        T::Arch::default().dispatch(ForwardRows::<T, M>(self));
        M
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
