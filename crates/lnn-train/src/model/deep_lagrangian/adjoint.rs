//! The way back of a deep Lagrangian network.

use lnn_autodiff::jet::Accumulate;
use lnn_autodiff::{Mlp, Real};

use super::evaluate::{entries, unpack};
use super::{DeepLagrangianBlock, triangle};
use crate::model::{Networks, Rates, RatesMut};

impl<T: Real> DeepLagrangianBlock<T> {
    /// With v = M⁻¹ λ, y = Cᵀ q̇, A = D_v C and B = D_q̇ C the gradient is that of the scalar
    ///
    /// `F = v·(r − M q̈) = q̇ᵀ A Cᵀ q̇ − vᵀ (B Cᵀ + C Bᵀ) q̇ − vᵀ C Cᵀ q̈ − ε v·q̈ − D_v V`,
    ///
    /// v and q̈ held. Its cotangents are q̇ yᵀ of A, `−(v yᵀ + q̇ (Cᵀ v)ᵀ)` of B, and of C itself
    /// `q̇ (Aᵀ q̇ − Bᵀ v)ᵀ − v (Bᵀ q̇ + Cᵀ q̈)ᵀ − q̈ (Cᵀ v)ᵀ`: three sweeps of the mass network, one of the potential's.
    pub(super) fn adjoint(
        &mut self,
        networks: Networks<'_, T>,
        lambda: Rates<'_, T>,
        accumulate: Accumulate,
        gradient: &mut [T],
        mut states_bar: Option<RatesMut<'_, T>>,
    ) {
        let (rows, d) = (self.rows, self.model.features.degrees_of_freedom());
        let [network, potential_network] = networks.both();
        let (gradient, potential_gradient) = gradient.split_at_mut(self.model.shape.parameter_count());
        for row in 0..rows {
            let range = row * d..(row + 1) * d;
            self.factors.solve(row, &lambda.q_dot[range.clone()], &mut self.v[range]);
        }
        if let Some(bar) = &mut states_bar {
            bar.q.fill(T::ZERO);
            bar.q_dot.copy_from_slice(lambda.q);
        }

        // Along v, with the cotangent of A.
        self.kinetic_bar();
        self.jets.reverse(network, &self.output_bar[..rows * triangle(d)]);
        self.directional(network, Along::V, accumulate, gradient, states_bar.as_mut());
        unpack(&mut self.along_v, self.jets.directional_output(network), d, T::ZERO);

        // Along q̇, with the cotangent of B.
        self.motion_bar();
        self.jets.reverse(network, &self.output_bar[..rows * triangle(d)]);
        self.directional(network, Along::Motion, Accumulate::Add, gradient, states_bar.as_mut());

        // C itself.
        self.triangle_bar();
        self.jets.reverse(network, &self.output_bar[..rows * triangle(d)]);
        self.jets.parameter_vjp(Accumulate::Add, gradient);
        if let Some(bar) = &mut states_bar {
            let features = &self.model.features;
            let slope = &self.slope[..rows * features.len()];
            features.add_pull_back(slope, self.jets.input_bar(), bar.q, &mut self.unused[..rows * d]);
            self.add_velocity_bar(bar.q_dot);
        }

        let potential = &self.model.potential;
        let (v, q_bar) = (&self.v[..rows * d], states_bar.map(|bar| bar.q));
        potential.vjp(potential_network, (-T::ONE, v), &mut self.potential, accumulate, potential_gradient, q_bar);
    }

    /// The gradient of the last reverse sweep's outputs along v or q̇.
    fn directional(
        &mut self,
        network: Mlp<'_, T>,
        along: Along,
        accumulate: Accumulate,
        gradient: &mut [T],
        states_bar: Option<&mut RatesMut<'_, T>>,
    ) {
        let features = &self.model.features;
        let (rows, d) = (self.rows, features.degrees_of_freedom());
        let direction = match along {
            Along::V => &self.v[..rows * d],
            Along::Motion => &self.motion.q_dot[..rows * d],
        };
        let (slope, a) = (&self.slope[..rows * features.len()], &mut self.a[..rows * features.len()]);
        features.position_tangent(slope, direction, a);
        self.jets.directional_gradient(network, a, accumulate, gradient);
        let Some(bar) = states_bar else { return };
        features.add_curvature_pull_back(self.jets.input(), self.jets.input_bar(), direction, bar.q);
        if along == Along::Motion {
            features.add_position_pull_back(slope, self.jets.input_bar(), bar.q_dot);
        }
        let cotangents = self.jets.input_cotangents(network);
        features.add_pull_back(slope, cotangents.value, bar.q, &mut self.unused[..rows * d]);
    }

    /// −(v yᵀ + q̇ (Cᵀ v)ᵀ), to `output_bar`.
    fn motion_bar(&mut self) {
        let d = self.model.features.degrees_of_freedom();
        for row in 0..self.rows {
            let parts = self.motion.at(row);
            let v = &self.v[row * d..(row + 1) * d];
            let (y, c_v) = (parts.transposed(parts.triangle, parts.q_dot), parts.transposed(parts.triangle, v));
            for (i, j, place) in entries(d) {
                let bar = v[i] * y[j] + parts.q_dot[i] * c_v[j];
                self.output_bar[row * triangle(d) + place] = -bar;
            }
        }
    }

    /// q̇ (Aᵀ q̇ − Bᵀ v)ᵀ − v (Bᵀ q̇ + Cᵀ q̈)ᵀ − q̈ (Cᵀ v)ᵀ, to `output_bar`.
    fn triangle_bar(&mut self) {
        let d = self.model.features.degrees_of_freedom();
        for row in 0..self.rows {
            let parts = self.motion.at(row);
            let range = row * d..(row + 1) * d;
            let (v, q_ddot) = (&self.v[range.clone()], &self.acceleration[range]);
            let along_v = &self.along_v[row * d * d..(row + 1) * d * d];
            let (a_q, b_v) = (parts.transposed(along_v, parts.q_dot), parts.transposed(parts.along_motion, v));
            let (b_q, c_q) =
                (parts.transposed(parts.along_motion, parts.q_dot), parts.transposed(parts.triangle, q_ddot));
            let c_v = parts.transposed(parts.triangle, v);
            for (i, j, place) in entries(d) {
                let q_dot = parts.q_dot[i];
                let bar = q_dot * (a_q[j] - b_v[j]) - v[i] * (b_q[j] + c_q[j]) - q_ddot[i] * c_v[j];
                self.output_bar[row * triangle(d) + place] = bar;
            }
        }
    }

    /// What F owes to q̇ besides the direction of B: `A y + C Aᵀ q̇ − (C Bᵀ + B Cᵀ) v`, added to `bar`.
    fn add_velocity_bar(&self, bar: &mut [T]) {
        let d = self.model.features.degrees_of_freedom();
        for (row, bar) in bar.chunks_exact_mut(d).enumerate() {
            let parts = self.motion.at(row);
            let v = &self.v[row * d..(row + 1) * d];
            let along_v = &self.along_v[row * d * d..(row + 1) * d * d];
            let y = parts.transposed(parts.triangle, parts.q_dot);
            let inner = [
                parts.times(along_v, &y),
                parts.times(parts.triangle, &parts.transposed(along_v, parts.q_dot)),
                parts.times(parts.triangle, &parts.transposed(parts.along_motion, v)),
                parts.times(parts.along_motion, &parts.transposed(parts.triangle, v)),
            ];
            for (i, bar) in bar.iter_mut().enumerate() {
                *bar += inner[0][i] + inner[1][i] - inner[2][i] - inner[3][i];
            }
        }
    }
}

/// Direction of a sweep.
#[derive(Clone, Copy, PartialEq)]
enum Along {
    V,
    Motion,
}
