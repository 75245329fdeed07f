//! The jets of a chunk of elements, and the way back.

use std::ops::Range;

use lnn_autodiff::jet::{Accumulate, JetInputs, JetWorkspace, Purpose};
use lnn_autodiff::{Mlp, Real};

use super::elements::Elements;
use super::network::LocalNetwork;

/// Field and rates of some samples, `[samples, sites × components]` each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a, T> {
    pub(crate) phi: &'a [T],
    /// Rates, or momenta.
    pub(crate) phi_dot: &'a [T],
    /// sites × components.
    pub(crate) stride: usize,
}

/// What the buffers are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LocalPurpose {
    /// Local mass matrices and forces, or energies.
    Equations,
    /// Also the parameter gradient of an acceleration.
    EquationsGradient,
    /// Products with the mass matrix.
    Products,
    /// First derivatives of the network's value.
    Slopes,
    /// Also their parameter gradient.
    SlopesGradient,
    /// The network's values.
    Values,
    /// Also their parameter gradient.
    ValuesGradient,
}

impl LocalPurpose {
    fn jets(self, unknowns: usize) -> (usize, Purpose) {
        match self {
            Self::Equations => (unknowns + 1, Purpose::Hessian),
            Self::EquationsGradient => (unknowns + 1, Purpose::Functional),
            Self::Products | Self::SlopesGradient => (0, Purpose::Directional),
            Self::Slopes | Self::ValuesGradient => (0, Purpose::Gradient),
            Self::Values => (0, Purpose::Forward),
        }
    }
}

/// One thread's buffers for chunks of up to `capacity` elements of one network.
///
/// With d unknowns an element has d(d + 1)/2 mass-matrix entries, row by row of the upper triangle.
#[derive(Debug)]
pub(crate) struct LocalJets<T> {
    jets: JetWorkspace<T>,
    /// The rows at hand.
    rows: Range<usize>,
    ones: Vec<T>,
    /// Second derivatives that are wanted: the upper triangle, then each velocity with the motion.
    pairs: Vec<(usize, usize)>,
    /// `[rows, pairs]`.
    second: Vec<T>,
    /// `[rows, features]`.
    slope: Vec<T>,
    /// `[rows, d]` each.
    q: Vec<T>,
    q_dot: Vec<T>,
    first: Vec<T>,
    other: Vec<T>,
    /// `[rows, a]`.
    attributes: Vec<T>,
    /// The adjoint's directions, `[rows, features]`, and `[rows, d + 1]` each.
    a: Vec<T>,
    u: Vec<T>,
    w: Vec<T>,
}

impl<T: Real> LocalJets<T> {
    pub(crate) fn new(network: &LocalNetwork, capacity: usize, purpose: LocalPurpose) -> Self {
        let (d, n) = (network.unknowns(), network.features.len());
        let (directions, jets) = purpose.jets(d);
        let equations = directions > 0;
        let upper = (0..d).flat_map(|i| (i..d).map(move |j| (i, j)));
        let pairs: Vec<_> = if equations { upper.chain((0..d).map(|i| (i, d))).collect() } else { Vec::new() };
        let zeros = |width: usize| vec![T::ZERO; capacity * width];
        let adjoint = |width: usize| zeros(if purpose == LocalPurpose::EquationsGradient { width } else { 0 });
        let along = matches!(jets, Purpose::Directional | Purpose::Functional);
        Self {
            jets: JetWorkspace::new(&network.shape, directions, capacity, jets),
            rows: 0..0,
            ones: vec![T::ONE; capacity * network.shape.outputs()],
            second: zeros(pairs.len()),
            pairs,
            slope: zeros(n),
            q: zeros(d),
            q_dot: zeros(d),
            first: zeros(d),
            other: zeros(d),
            attributes: zeros(network.features.conditionals()),
            a: zeros(if along { n } else { 0 }),
            u: adjoint(d + 1),
            w: adjoint(d + 1),
        }
    }

    /// Gathers the elements of `rows` and makes the network's inputs of them.
    pub(crate) fn load(
        &mut self,
        network: &LocalNetwork,
        elements: &Elements,
        fields: Fields<'_, T>,
        rows: Range<usize>,
    ) {
        let (count, d) = (rows.len(), network.unknowns());
        let (n, a) = (network.features.len(), network.features.conditionals());
        let (q, q_dot) = (&mut self.q[..count * d], &mut self.q_dot[..count * d]);
        elements.gather(rows.clone(), fields.stride, fields.phi, q);
        elements.gather(rows.clone(), fields.stride, fields.phi_dot, q_dot);
        let attributes = &mut self.attributes[..count * a];
        elements.gather_attributes(rows.clone(), attributes);
        let slope = &mut self.slope[..count * n];
        let inputs = self.jets.start(count);
        if self.pairs.is_empty() {
            let JetInputs { value, .. } = inputs;
            network.features.evaluate(q, q_dot, attributes, value, slope);
        } else {
            network.features.seed(q, q_dot, attributes, inputs, slope);
        }
        self.rows = rows;
    }

    /// Mass matrices and forces of the chunk, `[rows, d(d + 1)/2 + d]`: the upper triangle of ∂²ℓ/∂φ̇∂φ̇, then
    /// ∂ℓ/∂φ − (∂²ℓ/∂φ̇∂φ) φ̇.
    pub(crate) fn equations(&mut self, network: &LocalNetwork, mlp: Mlp<'_, T>, out: &mut [T]) {
        self.derive(network, mlp);
        let (d, pairs) = (network.unknowns(), self.pairs.len());
        let upper = pairs - d;
        let rows = out.chunks_exact_mut(pairs).zip(self.second.chunks_exact(pairs)).zip(self.first.chunks_exact(d));
        for ((out, second), slope) in rows {
            out[..upper].copy_from_slice(&second[..upper]);
            for i in 0..d {
                out[upper + i] = slope[i] - second[upper + i];
            }
        }
    }

    /// As [`equations`](Self::equations), of the mass matrices the diagonals alone: `[rows, 2 d]`.
    pub(crate) fn diagonal_equations(&mut self, network: &LocalNetwork, mlp: Mlp<'_, T>, out: &mut [T]) {
        self.derive(network, mlp);
        let (d, pairs) = (network.unknowns(), self.pairs.len());
        let upper = pairs - d;
        let rows = out.chunks_exact_mut(2 * d).zip(self.second.chunks_exact(pairs)).zip(self.first.chunks_exact(d));
        for ((out, second), slope) in rows {
            let mut place = 0;
            for i in 0..d {
                out[i] = second[place];
                place += d - i;
                out[d + i] = slope[i] - second[upper + i];
            }
        }
    }

    /// Second derivatives, and ∂ℓ/∂φ in `first`.
    fn derive(&mut self, network: &LocalNetwork, mlp: Mlp<'_, T>) {
        let (rows, d) = (self.rows.len(), network.unknowns());
        self.jets.forward_derivatives(mlp);
        self.jets.reverse(mlp, &self.ones[..rows]);
        self.jets.hessian(&self.pairs, &mut self.second[..rows * self.pairs.len()]);
        let (by_phi, by_phi_dot) = (&mut self.first[..rows * d], &mut self.other[..rows * d]);
        let slope = &self.slope[..rows * network.features.len()];
        network.features.pull_back(slope, self.jets.input_bar(), by_phi, by_phi_dot);
    }

    /// Writes or adds the parameter gradient of `Σ (D_(v,0) − D_(0,v) D_(φ̇,φ̈)) ℓ` with v and φ̈ `[samples, sites × components]`, for the chunk of the last [`equations`](Self::equations).
    pub(crate) fn equations_gradient(
        &mut self,
        (network, elements): (&LocalNetwork, &Elements),
        mlp: Mlp<'_, T>,
        (v, phi_ddot): (&[T], &[T]),
        stride: usize,
        accumulate: Accumulate,
        gradient: &mut [T],
    ) {
        let (rows, d, n) = (self.rows.len(), network.unknowns(), network.features.len());
        let (local_v, local_a) = (&mut self.first[..rows * d], &mut self.other[..rows * d]);
        elements.gather(self.rows.clone(), stride, v, local_v);
        elements.gather(self.rows.clone(), stride, phi_ddot, local_a);
        let (a, u, w) = (&mut self.a[..rows * n], &mut self.u[..rows * (d + 1)], &mut self.w[..rows * (d + 1)]);
        network.features.position_tangent(&self.slope[..rows * n], local_v, a);
        for row in 0..rows {
            u[row * (d + 1)..][..d].copy_from_slice(&local_v[row * d..(row + 1) * d]);
            u[row * (d + 1) + d] = T::ZERO;
            w[row * (d + 1)..][..d].copy_from_slice(&local_a[row * d..(row + 1) * d]);
            w[row * (d + 1) + d] = T::ONE;
        }
        self.jets.functional_gradient(mlp, a, u, w, accumulate, gradient);
    }

    /// Values `[rows, outputs]` of the network.
    pub(crate) fn values(&mut self, mlp: Mlp<'_, T>) -> &[T] {
        self.jets.forward(mlp);
        self.jets.output()
    }

    /// Writes or adds ∂(Σ λ·values)/∂θ for λ `[rows, outputs]`, after [`values`](Self::values).
    pub(crate) fn values_gradient(
        &mut self,
        mlp: Mlp<'_, T>,
        lambda: &[T],
        accumulate: Accumulate,
        gradient: &mut [T],
    ) {
        self.jets.reverse(mlp, lambda);
        self.jets.parameter_vjp(accumulate, gradient);
    }

    /// ∂ℓ/∂φ and ∂ℓ/∂φ̇ of the chunk, `[rows, d]` each; with the value itself if `with_value`.
    pub(crate) fn slopes(&mut self, network: &LocalNetwork, mlp: Mlp<'_, T>, with_value: bool) -> Slopes<'_, T> {
        let (rows, d) = (self.rows.len(), network.unknowns());
        if with_value {
            self.jets.forward(mlp);
        } else {
            self.jets.forward_derivatives(mlp);
        }
        self.jets.reverse(mlp, &self.ones[..rows]);
        let (by_phi, by_phi_dot) = (&mut self.first[..rows * d], &mut self.other[..rows * d]);
        let slope = &self.slope[..rows * network.features.len()];
        network.features.pull_back(slope, self.jets.input_bar(), by_phi, by_phi_dot);
        let value = if with_value { self.jets.output() } else { &[] };
        Slopes { value, by_phi, by_phi_dot, phi_dot: &self.q_dot[..rows * d] }
    }

    /// Writes or adds ∂(Σ D_(v,w) ℓ)/∂θ with v, w `[samples, sites × components]`, after [`slopes`](Self::slopes).
    pub(crate) fn slopes_gradient(
        &mut self,
        (network, elements): (&LocalNetwork, &Elements),
        mlp: Mlp<'_, T>,
        (v, w): (&[T], &[T]),
        stride: usize,
        accumulate: Accumulate,
        gradient: &mut [T],
    ) {
        let (rows, d, n) = (self.rows.len(), network.unknowns(), network.features.len());
        let (local_v, local_w) = (&mut self.first[..rows * d], &mut self.other[..rows * d]);
        elements.gather(self.rows.clone(), stride, v, local_v);
        elements.gather(self.rows.clone(), stride, w, local_w);
        let a = &mut self.a[..rows * n];
        network.features.tangent(&self.slope[..rows * n], local_v, local_w, a);
        self.jets.directional_gradient(mlp, a, accumulate, gradient);
    }

    /// (∂²ℓ/∂φ̇∂φ̇) x `[rows, d]` for x `[samples, sites × components]`: forward over reverse, no matrix.
    pub(crate) fn product(
        &mut self,
        (network, elements): (&LocalNetwork, &Elements),
        mlp: Mlp<'_, T>,
        x: &[T],
        stride: usize,
    ) -> &[T] {
        let (rows, d, n) = (self.rows.len(), network.unknowns(), network.features.len());
        self.jets.forward_derivatives(mlp);
        self.jets.reverse(mlp, &self.ones[..rows]);
        let (local_x, nothing) = (&mut self.first[..rows * d], &mut self.other[..rows * d]);
        elements.gather(self.rows.clone(), stride, x, local_x);
        nothing.fill(T::ZERO);
        let a = &mut self.a[..rows * n];
        network.features.tangent(&self.slope[..rows * n], nothing, local_x, a);
        let product = self.jets.hessian_product(mlp, a);
        // Velocities enter linearly: their slopes are all there is between a feature's cotangent and theirs.
        network.features.pull_back(&self.slope[..rows * n], product, nothing, local_x);
        &self.first[..rows * d]
    }
}

/// Buffers for `rows` elements of a network in chunks of up to `size`: one for each chunk if they are `kept` for the way
/// back, else one that serves all.
pub(crate) fn chunk_jets<T: Real>(
    network: &LocalNetwork,
    rows: usize,
    size: usize,
    purpose: LocalPurpose,
    kept: bool,
) -> Vec<LocalJets<T>> {
    let starts = (0..if kept { rows } else { rows.min(size) }).step_by(size);
    starts.map(|first| LocalJets::new(network, size.min(rows - first), purpose)).collect()
}

/// Where there is no row to write a gradient that replaces another, the gradient is zero.
pub(crate) fn clear_without_rows<T: Real>(accumulate: Accumulate, rows: usize, gradient: &mut [T]) {
    if rows == 0 && accumulate == Accumulate::Replace {
        gradient.fill(T::ZERO);
    }
}

/// Runs over the chunks of `rows` elements, each with its buffers.
pub(crate) fn for_each_chunk<T>(
    jets: &mut [LocalJets<T>],
    rows: usize,
    size: usize,
    mut run: impl FnMut(&mut LocalJets<T>, Range<usize>),
) {
    for (number, first) in (0..rows).step_by(size).enumerate() {
        let buffers = if jets.len() == 1 { &mut jets[0] } else { &mut jets[number] };
        run(buffers, first..(first + size).min(rows));
    }
}

/// First derivatives of a chunk, `[rows, d]` each.
pub(crate) struct Slopes<'a, T> {
    /// `[rows]`, or empty.
    pub(crate) value: &'a [T],
    pub(crate) by_phi: &'a [T],
    pub(crate) by_phi_dot: &'a [T],
    /// The rates themselves.
    pub(crate) phi_dot: &'a [T],
}

impl<T: Real> Slopes<'_, T> {
    /// `φ̇·∂ℓ/∂φ̇ − ℓ` of every element, `[rows]`.
    pub(crate) fn energies(&self, out: &mut [T]) {
        let d = self.phi_dot.len() / self.value.len().max(1);
        for (row, (energy, &value)) in out.iter_mut().zip(self.value).enumerate() {
            let range = row * d..(row + 1) * d;
            let pairs = self.phi_dot[range.clone()].iter().zip(&self.by_phi_dot[range]);
            *energy = pairs.fold(-value, |sum, (&rate, &momentum)| sum + rate * momentum);
        }
    }
}
