//! The way back: from a cotangent of the accelerations to the parameters, and on to the states.

use lnn_autodiff::jet::{Accumulate, JetWorkspace};
use lnn_autodiff::pseudoinverse::RankDeficientTerms;
use lnn_autodiff::{Mlp, Real};

use super::workspace::{AdjointBuffers, InVelocityUnits, multiply};
use super::{LagrangianNetwork, LagrangianWorkspace};
use crate::model::block::require_vjp;
use crate::model::{Networks, Rates, RatesMut};

impl LagrangianNetwork {
    /// Writes or adds `∂(Σ λ·q̈)/∂θ` of the block evaluated last to `gradient`; `lambda` is `[rows, d]`.
    ///
    /// With v = H⁺λ the gradient is that of the scalar `Σ (D_(v,0) − D_(0,v) D_(q̇,q̈)) L`. Rows whose H
    /// lost rank add the two constant-rank terms, in two further sweeps of the block.
    ///
    /// # Panics
    /// If the workspace was not made for training, no block was evaluated, a length does not fit, or the networks are
    /// another model's.
    pub fn gradient<T: Real>(
        &self,
        networks: Networks<'_, T>,
        lambda: &[T],
        workspace: &mut LagrangianWorkspace<T>,
        accumulate: Accumulate,
        gradient: &mut [T],
    ) {
        self.vjp(networks, Rates { q: &[], q_dot: lambda }, workspace, accumulate, gradient, None);
    }

    /// As [`gradient`](Self::gradient), and writes `∂(Σ λ·(q̇, q̈))/∂(q, q̇)` to `states_bar` if asked for.
    ///
    /// The scalar of the gradient is differentiated by the states with v and q̈ held: once more through the first
    /// layer, and through what the features, their slopes and the direction (q̇, q̈) owe to the state. The λ of q̇ only
    /// passes through to the cotangent of q̇; without `states_bar` it may be empty.
    ///
    /// # Panics
    /// As for [`gradient`](Self::gradient).
    pub fn vjp<T: Real>(
        &self,
        networks: Networks<'_, T>,
        lambda: Rates<'_, T>,
        workspace: &mut LagrangianWorkspace<T>,
        accumulate: Accumulate,
        gradient: &mut [T],
        mut states_bar: Option<RatesMut<'_, T>>,
    ) {
        let (d, n, length) = (workspace.dof, self.features.len(), workspace.rows * workspace.dof);
        let parameters =
            self.shape.parameter_count() + self.potential.as_ref().map_or(0, |p| p.shape().parameter_count());
        require_vjp(length, true, &lambda, (gradient.len(), parameters), states_bar.as_ref());
        let rank_deficient = self.solve_transposed(lambda.q_dot, workspace);
        let AdjointBuffers { v, inverse_v, null_b, null_lambda, inverse_x, a, u, w } = &mut workspace.adjoint;
        let v = &v[..length];
        let (gradient, potential_gradient) = gradient.split_at_mut(self.shape.parameter_count());
        if let Some(bar) = &mut states_bar {
            bar.q.fill(T::ZERO);
            bar.q_dot.copy_from_slice(lambda.q);
        }

        self.features.position_tangent(&workspace.slope[..workspace.rows * n], v, &mut a[..workspace.rows * n]);
        let mut sweep = Sweep { model: self, network: networks.main(), gradient, states_bar: states_bar.as_mut() };
        let acceleration = &workspace.acceleration[..length];
        let block = &mut BlockParts {
            dof: d,
            jets: &mut workspace.jets,
            slope: &workspace.slope[..workspace.rows * n],
            q_dot: &workspace.q_dot[..length],
            a: &mut a[..workspace.rows * n],
            u: &mut u[..workspace.rows * (d + 1)],
            w: &mut w[..workspace.rows * (d + 1)],
        };
        sweep.run(block, v, acceleration, Motion::Along, accumulate);
        if rank_deficient {
            block.a.fill(T::ZERO);
            for (left, right) in [(&*inverse_v, &*null_b), (null_lambda, inverse_x)] {
                sweep.run(block, &left[..length], &right[..length], Motion::AtRest, Accumulate::Add);
            }
        }
        if let (Some(potential), Some(parts)) = (&self.potential, &mut workspace.potential) {
            let q_bar = states_bar.map(|bar| bar.q);
            let network = networks.both()[1];
            potential.vjp(network, (T::ONE, v), parts, accumulate, potential_gradient, q_bar);
        }
    }

    /// v = H⁺ λ (U (U H U)⁺ U λ where velocities have units) and the vectors of the constant-rank terms; whether a row needs these.
    fn solve_transposed<T: Real>(&self, lambda: &[T], workspace: &mut LagrangianWorkspace<T>) -> bool {
        let LagrangianWorkspace { rows, dof: d, force, acceleration, factors, in_units, adjoint, .. } = workspace;
        let AdjointBuffers { v, inverse_v, null_b, null_lambda, inverse_x, .. } = adjoint;
        for buffer in [&mut *inverse_v, null_b, null_lambda, inverse_x] {
            buffer.fill(T::ZERO);
        }
        let mut rank_deficient = false;
        for row in 0..*rows {
            let range = row * *d..(row + 1) * *d;
            let terms = RankDeficientTerms {
                inverse_v: &mut inverse_v[range.clone()],
                null_b: &mut null_b[range.clone()],
                null_lambda: &mut null_lambda[range.clone()],
                inverse_x: &mut inverse_x[range.clone()],
            };
            let (b, x, lambda) = (&force[range.clone()], &acceleration[range.clone()], &lambda[range.clone()]);
            match in_units {
                None => rank_deficient |= factors.solve_vjp(row, b, x, lambda, &mut v[range], terms),
                Some(InVelocityUnits { units, force, acceleration, lambda: scaled, .. }) => {
                    multiply(force, b, units);
                    for ((y, &x), &unit) in acceleration.iter_mut().zip(x).zip(&*units) {
                        *y = x / unit;
                    }
                    multiply(scaled, lambda, units);
                    // Every vector that multiplies dH is U times its twin that multiplies d(U H U) = U dH U.
                    rank_deficient |= factors.solve_vjp(row, force, acceleration, scaled, &mut v[range.clone()], terms);
                    for vector in [&mut *v, inverse_v, null_b, null_lambda, inverse_x] {
                        for (component, &unit) in vector[range.clone()].iter_mut().zip(&*units) {
                            *component *= unit;
                        }
                    }
                }
            }
        }
        rank_deficient
    }
}

/// Whether the right direction of a functional is (q̇, x), with a position tangent `a`, or (0, −x).
#[derive(Clone, Copy, PartialEq)]
enum Motion {
    Along,
    AtRest,
}

/// What of a block's buffers a sweep works on.
struct BlockParts<'a, T> {
    dof: usize,
    jets: &'a mut JetWorkspace<T>,
    slope: &'a [T],
    q_dot: &'a [T],
    a: &'a mut [T],
    u: &'a mut [T],
    w: &'a mut [T],
}

/// The gradients that one or three functionals of a block add up to.
struct Sweep<'a, 'b, T> {
    model: &'a LagrangianNetwork,
    network: Mlp<'a, T>,
    gradient: &'a mut [T],
    states_bar: Option<&'a mut RatesMut<'b, T>>,
}

impl<T: Real> Sweep<'_, '_, T> {
    /// Adds the derivatives of `Σ (D_a − D_(0,left) D_w) L` with w = (q̇, right) or (0, −right).
    fn run(&mut self, block: &mut BlockParts<'_, T>, left: &[T], right: &[T], motion: Motion, accumulate: Accumulate) {
        let (along, sign) = if motion == Motion::Along { (T::ONE, T::ONE) } else { (T::ZERO, -T::ONE) };
        velocity_direction(block.u, left, T::ZERO, T::ONE, block.dof);
        velocity_direction(block.w, right, along, sign, block.dof);
        let (network, features) = (self.network, &self.model.features);
        block.jets.functional_gradient(network, block.a, block.u, block.w, accumulate, self.gradient);
        let Some(bar) = &mut self.states_bar else { return };
        let (q_bar, q_dot_bar) = (&mut *bar.q, &mut *bar.q_dot);
        if motion == Motion::Along {
            features.add_curvature_pull_back(block.jets.input(), block.jets.input_bar(), left, q_bar);
        }
        let cotangents = block.jets.input_cotangents(network);
        features.add_pull_back(block.slope, cotangents.value, q_bar, q_dot_bar);
        if motion == Motion::Along {
            // The position part of w is a tangent along q̇, which both q̇ and the place of the tangent enter.
            features.add_position_pull_back(block.slope, cotangents.w, q_dot_bar);
            block.a.copy_from_slice(cotangents.w);
            features.add_curvature_pull_back(block.jets.input(), block.a, block.q_dot, q_bar);
        }
    }
}

/// Coefficients over the tangents `[rows, d + 1]` of the direction `along · (q̇, 0) + sign · (0, x)`.
fn velocity_direction<T: Real>(coefficients: &mut [T], x: &[T], along: T, sign: T, d: usize) {
    for (row, coefficients) in coefficients.chunks_exact_mut(d + 1).enumerate() {
        for i in 0..d {
            coefficients[i] = sign * x[row * d + i];
        }
        coefficients[d] = along;
    }
}
