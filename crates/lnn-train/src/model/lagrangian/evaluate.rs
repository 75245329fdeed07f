//! From a block of states to accelerations and energies.

use lnn_autodiff::Real;
use lnn_autodiff::pseudoinverse::Tolerance;

use super::workspace::{InVelocityUnits, multiply};
use super::{LagrangianNetwork, LagrangianWorkspace};
use crate::model::{Networks, States};

impl LagrangianNetwork {
    /// Features → jets → Euler–Lagrange → solve, then L and the energy; the results stay in the workspace.
    ///
    /// # Panics
    /// If the block has more rows than the workspace, or the networks are another model's.
    pub fn evaluate<T: Real>(
        &self,
        networks: Networks<'_, T>,
        states: States<'_, T>,
        workspace: &mut LagrangianWorkspace<T>,
    ) {
        self.derive(networks, states, workspace, true);
        self.energy(states.q_dot, workspace);
    }

    /// As [`evaluate`](Self::evaluate) without L and the energy, which the motion has no need of:
    /// [`LagrangianWorkspace::lagrangian`] and [`LagrangianWorkspace::energy`] are NaN.
    ///
    /// # Panics
    /// As for [`evaluate`](Self::evaluate).
    pub fn accelerate<T: Real>(
        &self,
        networks: Networks<'_, T>,
        states: States<'_, T>,
        workspace: &mut LagrangianWorkspace<T>,
    ) {
        self.derive(networks, states, workspace, false);
        let rows = workspace.rows;
        for unknown in [&mut workspace.lagrangian, &mut workspace.energy] {
            unknown[..rows].fill(T::from_f64(f64::NAN));
        }
    }

    /// H, r, p and q̈; with the network's value too, if the Lagrangian itself is wanted.
    fn derive<T: Real>(
        &self,
        networks: Networks<'_, T>,
        states: States<'_, T>,
        ws: &mut LagrangianWorkspace<T>,
        with_value: bool,
    ) {
        let network = if self.potential.is_some() { networks.both()[0] } else { networks.only() };
        let d = self.features.degrees_of_freedom();
        let rows = states.rows(&self.features);
        ws.rows = rows;
        if !ws.q_dot.is_empty() {
            ws.q_dot[..rows * d].copy_from_slice(states.q_dot);
        }
        let slope = &mut ws.slope[..rows * self.features.len()];
        self.features.seed(states.q, states.q_dot, states.conditionals, ws.jets.start(rows), slope);
        if with_value {
            ws.jets.forward(network);
        } else {
            ws.jets.forward_derivatives(network);
        }
        ws.jets.reverse(network, &ws.ones[..rows]);
        ws.jets.hessian(&self.pairs, &mut ws.second[..rows * self.pairs.len()]);
        let (force, momentum) = (&mut ws.force[..rows * d], &mut ws.momentum[..rows * d]);
        self.features.pull_back(slope, ws.jets.input_bar(), force, momentum);
        self.assemble(states.q_dot, ws);
        if let (Some(potential), Some(workspace)) = (&self.potential, &mut ws.potential) {
            let force = &mut ws.force[..rows * d];
            potential.add_gradient(networks.both()[1], states, workspace, with_value, T::ONE, force);
        }
        let tolerance = self.tolerance.unwrap_or_else(|| Tolerance::for_dimension::<T>(d));
        match &mut ws.in_units {
            None => {
                ws.factors.factor(&ws.mass_matrix[..rows * d * d], tolerance);
                for row in 0..rows {
                    let range = row * d..(row + 1) * d;
                    ws.factors.solve(row, &ws.force[range.clone()], &mut ws.acceleration[range]);
                }
            }
            Some(InVelocityUnits { units, mass_matrix, force, .. }) => {
                let mass_matrix = &mut mass_matrix[..rows * d * d];
                for (place, (scaled, &entry)) in mass_matrix.iter_mut().zip(&ws.mass_matrix).enumerate() {
                    *scaled = entry * units[place / d % d] * units[place % d];
                }
                ws.factors.factor(mass_matrix, tolerance);
                let forces = ws.force[..rows * d].chunks_exact(d);
                for (row, (r, acceleration)) in forces.zip(ws.acceleration.chunks_exact_mut(d)).enumerate() {
                    multiply(force, r, units);
                    ws.factors.solve(row, force, acceleration);
                    for (component, &unit) in acceleration.iter_mut().zip(&*units) {
                        *component *= unit;
                    }
                }
            }
        }
    }

    /// H, r and p from the network's derivatives and the residual mass.
    fn assemble<T: Real>(&self, q_dot: &[T], ws: &mut LagrangianWorkspace<T>) {
        let d = ws.dof;
        for row in 0..ws.rows {
            let second = &ws.second[row * self.pairs.len()..(row + 1) * self.pairs.len()];
            let matrix = &mut ws.mass_matrix[row * d * d..(row + 1) * d * d];
            let (entries, mixed) = second.split_at(self.pairs.len() - d);
            for (&(i, j), &value) in self.pairs.iter().zip(entries) {
                matrix[i * d + j] = value;
                matrix[j * d + i] = value;
            }
            for i in 0..d {
                let mass = T::from_f64(self.mass_of(i));
                matrix[i * d + i] += mass;
                ws.force[row * d + i] -= mixed[i];
                ws.momentum[row * d + i] += mass * q_dot[row * d + i];
            }
        }
    }

    /// L and the energy `q̇·p − L`.
    fn energy<T: Real>(&self, q_dot: &[T], ws: &mut LagrangianWorkspace<T>) {
        let d = ws.dof;
        for (row, q_dot) in q_dot.chunks_exact(d).enumerate() {
            let mut lagrangian = ws.jets.output()[row];
            let mut product = T::ZERO;
            for (i, (&velocity, &momentum)) in q_dot.iter().zip(&ws.momentum[row * d..]).enumerate() {
                let half_mass = T::from_f64(0.5 * self.mass_of(i));
                lagrangian += half_mass * velocity * velocity;
                product += velocity * momentum;
            }
            ws.lagrangian[row] = lagrangian;
            ws.energy[row] = product - lagrangian;
        }
        if let (Some(potential), Some(workspace)) = (&self.potential, &ws.potential) {
            for (row, value) in potential.values(workspace).enumerate() {
                ws.lagrangian[row] += value;
                ws.energy[row] -= value;
            }
        }
    }
}
