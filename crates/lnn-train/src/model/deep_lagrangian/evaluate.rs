//! Mass matrix, force and acceleration of a block.

use lnn_autodiff::Real;
use lnn_autodiff::pseudoinverse::Tolerance;

use super::{DeepLagrangianBlock, Motion, triangle};
use crate::model::{Networks, States};

impl<T: Real> DeepLagrangianBlock<T> {
    /// With y = Cᵀ q̇ and B = D_q̇ C,
    ///
    /// `r = (∂/∂q of q̇ᵀ C y, y held) − (B y + C Bᵀ q̇) − ∂V/∂q`, `q̈ = M⁻¹ r`.
    ///
    /// The first term is one reverse sweep with the cotangent q̇ yᵀ, the second one tangent.
    pub(super) fn evaluate(&mut self, networks: Networks<'_, T>, states: States<'_, T>, with_value: bool) {
        let features = &self.model.features;
        let d = features.degrees_of_freedom();
        let rows = states.rows(features);
        let [network, potential_network] = networks.both();
        self.rows = rows;
        self.motion.q_dot[..rows * d].copy_from_slice(states.q_dot);
        let slope = &mut self.slope[..rows * features.len()];
        let inputs = self.jets.start(rows);
        features.evaluate(states.q, states.q_dot, states.conditionals, inputs.value, slope);
        features.position_tangent(slope, states.q_dot, inputs.tangents);
        self.jets.forward(network);
        unpack(&mut self.motion.triangle, self.jets.output(), d, T::from_f64(self.model.diagonal));
        unpack(&mut self.motion.along_motion, self.jets.output_tangents(network), d, T::ZERO);
        self.kinetic_bar();
        self.jets.reverse(network, &self.output_bar[..rows * triangle(d)]);
        let (force, unused) = (&mut self.force[..rows * d], &mut self.unused[..rows * d]);
        self.model.features.pull_back(
            &self.slope[..rows * self.model.features.len()],
            self.jets.input_bar(),
            force,
            unused,
        );
        let regularisation = T::from_f64(self.model.regularisation);
        for row in 0..rows {
            let parts = self.motion.at(row);
            let (y, b_v) =
                (parts.transposed(parts.triangle, parts.q_dot), parts.transposed(parts.along_motion, parts.q_dot));
            let (b_y, c_b) = (parts.times(parts.along_motion, &y), parts.times(parts.triangle, &b_v));
            for i in 0..d {
                self.force[row * d + i] -= b_y[i] + c_b[i];
            }
            for i in 0..d {
                for j in 0..=i {
                    let l = &self.motion.triangle[row * d * d..(row + 1) * d * d];
                    let mut entry = if i == j { regularisation } else { T::ZERO };
                    for k in 0..=j {
                        entry += l[i * d + k] * l[j * d + k];
                    }
                    self.mass_matrix[row * d * d + i * d + j] = entry;
                    self.mass_matrix[row * d * d + j * d + i] = entry;
                }
            }
            let matrix = &self.mass_matrix[row * d * d..(row + 1) * d * d];
            let momentum = self.motion.at(row).times(matrix, &states.q_dot[row * d..(row + 1) * d]);
            self.momentum[row * d..(row + 1) * d].copy_from_slice(&momentum[..d]);
        }
        let potential = &self.model.potential;
        let force = &mut self.force[..rows * d];
        potential.add_gradient(potential_network, states, &mut self.potential, with_value, -T::ONE, force);
        // M is positive definite: no eigenvalue is taken for zero, however far below the largest.
        let tolerance = Tolerance { relative: 0.0, absolute: 0.0 };
        self.factors.factor(&self.mass_matrix[..rows * d * d], tolerance);
        for row in 0..rows {
            let range = row * d..(row + 1) * d;
            self.factors.solve(row, &self.force[range.clone()], &mut self.acceleration[range]);
        }
    }

    /// The cotangent q̇ yᵀ of C in `½ q̇ᵀ M q̇`, one factor of which is held: of every row, to `output_bar`.
    pub(super) fn kinetic_bar(&mut self) {
        let d = self.model.features.degrees_of_freedom();
        for row in 0..self.rows {
            let parts = self.motion.at(row);
            let y = parts.transposed(parts.triangle, parts.q_dot);
            let q_dot: Column<T> = column(parts.q_dot);
            let bar = &mut self.output_bar[row * triangle(d)..(row + 1) * triangle(d)];
            for (i, j, place) in entries(d) {
                bar[place] = q_dot[i] * y[j];
            }
        }
    }
}

/// A vector of up to the largest number of coordinates.
pub(super) type Column<T> = [T; lnn_autodiff::pseudoinverse::MAX_DIMENSION];

pub(super) fn column<T: Real>(x: &[T]) -> Column<T> {
    let mut column = [T::ZERO; lnn_autodiff::pseudoinverse::MAX_DIMENSION];
    column[..x.len()].copy_from_slice(x);
    column
}

/// (i, j, place) of every entry of a lower triangle, row by row.
pub(super) fn entries(d: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..d).flat_map(move |i| (0..=i).map(move |j| (i, j, triangle(i) + j)))
}

/// Network outputs as matrices `[rows, d, d]`, with `diagonal` added on the diagonal.
pub(super) fn unpack<T: Real>(matrices: &mut [T], outputs: &[T], d: usize, diagonal: T) {
    for (matrix, outputs) in matrices.chunks_exact_mut(d * d).zip(outputs.chunks_exact(triangle(d))) {
        matrix.fill(T::ZERO);
        for (i, j, place) in entries(d) {
            matrix[i * d + j] = if i == j { diagonal + outputs[place] } else { outputs[place] };
        }
    }
}

/// One row's matrices and velocity.
pub(super) struct Parts<'a, T> {
    d: usize,
    pub(super) triangle: &'a [T],
    pub(super) along_motion: &'a [T],
    pub(super) q_dot: &'a [T],
}

impl<T> Motion<T> {
    pub(super) fn at(&self, row: usize) -> Parts<'_, T> {
        let d = self.d;
        let matrix = row * d * d..(row + 1) * d * d;
        Parts {
            d,
            triangle: &self.triangle[matrix.clone()],
            along_motion: &self.along_motion[matrix],
            q_dot: &self.q_dot[row * d..(row + 1) * d],
        }
    }
}

impl<T: Real> Parts<'_, T> {
    /// `m x`.
    pub(super) fn times(&self, m: &[T], x: &[T]) -> Column<T> {
        let mut out = column(&[]);
        for (out, row) in out.iter_mut().zip(m.chunks_exact(self.d)) {
            for (&m, &x) in row.iter().zip(x) {
                *out += m * x;
            }
        }
        out
    }

    /// `mᵀ x`.
    pub(super) fn transposed(&self, m: &[T], x: &[T]) -> Column<T> {
        let mut out = column(&[]);
        for (row, &x) in m.chunks_exact(self.d).zip(x) {
            for (out, &m) in out.iter_mut().zip(row) {
                *out += m * x;
            }
        }
        out
    }
}
