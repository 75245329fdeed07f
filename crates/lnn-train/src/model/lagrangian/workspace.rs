//! The buffers of one block, and what an evaluation leaves in them.

use lnn_autodiff::Real;
use lnn_autodiff::jet::{JetWorkspace, Purpose};
use lnn_autodiff::pseudoinverse::SymmetricFactors;

use super::LagrangianNetwork;
use crate::model::potential::PotentialWorkspace;

/// Buffers of one block and, after [`LagrangianNetwork::evaluate`] or
/// [`accelerate`](LagrangianNetwork::accelerate), its results.
#[derive(Clone, Debug)]
pub struct LagrangianWorkspace<T> {
    pub(super) rows: usize,
    pub(super) dof: usize,
    pub(super) jets: JetWorkspace<T>,
    pub(super) potential: Option<PotentialWorkspace<T>>,
    pub(super) ones: Vec<T>,
    pub(super) slope: Vec<T>,
    pub(super) second: Vec<T>,
    /// Velocities of the block, for the way back to the states; `[rows, d]`.
    pub(super) q_dot: Vec<T>,
    pub(super) mass_matrix: Vec<T>,
    pub(super) force: Vec<T>,
    pub(super) momentum: Vec<T>,
    pub(super) lagrangian: Vec<T>,
    pub(super) energy: Vec<T>,
    pub(super) acceleration: Vec<T>,
    pub(super) factors: SymmetricFactors<T>,
    /// Where velocities have units.
    pub(super) in_units: Option<InVelocityUnits<T>>,
    pub(super) adjoint: AdjointBuffers<T>,
}

/// What is solved where velocities have units u, U = diag(u).
#[derive(Clone, Debug)]
pub(super) struct InVelocityUnits<T> {
    /// u, `[d]`.
    pub(super) units: Vec<T>,
    /// U H U, `[rows, d, d]`.
    pub(super) mass_matrix: Vec<T>,
    /// U r, U⁻¹ q̈ and U λ of one row, `[d]`.
    pub(super) force: Vec<T>,
    pub(super) acceleration: Vec<T>,
    pub(super) lambda: Vec<T>,
}

/// `out = x ⊙ y`.
pub(super) fn multiply<T: Real>(out: &mut [T], x: &[T], y: &[T]) {
    for ((out, &x), &y) in out.iter_mut().zip(x).zip(y) {
        *out = x * y;
    }
}

#[derive(Clone, Debug)]
pub(super) struct AdjointBuffers<T> {
    pub(super) v: Vec<T>,
    pub(super) inverse_v: Vec<T>,
    pub(super) null_b: Vec<T>,
    pub(super) null_lambda: Vec<T>,
    pub(super) inverse_x: Vec<T>,
    /// Input coefficient of the functional, `[rows, features]`.
    pub(super) a: Vec<T>,
    /// Coefficients over the tangents, `[rows, d + 1]`.
    pub(super) u: Vec<T>,
    pub(super) w: Vec<T>,
}

impl LagrangianNetwork {
    /// Buffers for blocks of up to `capacity` rows; `training` adds what the gradient needs.
    pub fn workspace<T: Real>(&self, capacity: usize, training: bool) -> LagrangianWorkspace<T> {
        let (d, n) = (self.features.degrees_of_freedom(), self.features.len());
        let zeros = |width: usize| vec![T::ZERO; capacity * width];
        let purpose = if training { Purpose::Functional } else { Purpose::Hessian };
        let adjoint = |width: usize| if training { zeros(width) } else { Vec::new() };
        LagrangianWorkspace {
            rows: 0,
            dof: d,
            jets: JetWorkspace::new(&self.shape, d + 1, capacity, purpose),
            potential: self.potential.as_ref().map(|potential| potential.workspace(capacity, training)),
            ones: vec![T::ONE; capacity],
            slope: zeros(n),
            second: zeros(self.pairs.len()),
            q_dot: adjoint(d),
            mass_matrix: zeros(d * d),
            force: zeros(d),
            momentum: zeros(d),
            lagrangian: zeros(1),
            energy: zeros(1),
            acceleration: zeros(d),
            factors: SymmetricFactors::new(d, capacity),
            in_units: self.velocity_units.as_ref().map(|units| InVelocityUnits {
                units: units.iter().map(|&unit| T::from_f64(unit)).collect(),
                mass_matrix: zeros(d * d),
                force: vec![T::ZERO; d],
                acceleration: vec![T::ZERO; d],
                lambda: vec![T::ZERO; d],
            }),
            adjoint: AdjointBuffers {
                v: adjoint(d),
                inverse_v: adjoint(d),
                null_b: adjoint(d),
                null_lambda: adjoint(d),
                inverse_x: adjoint(d),
                a: adjoint(n),
                u: adjoint(d + 1),
                w: adjoint(d + 1),
            },
        }
    }
}

impl<T: Real> LagrangianWorkspace<T> {
    /// Rows of the block evaluated last.
    pub fn rows(&self) -> usize {
        self.rows
    }
    /// q̈ = H⁺ r, `[rows, d]`.
    pub fn acceleration(&self) -> &[T] {
        &self.acceleration[..self.rows * self.dof]
    }
    /// H, `[rows, d, d]`.
    pub fn mass_matrix(&self) -> &[T] {
        &self.mass_matrix[..self.rows * self.dof * self.dof]
    }
    /// r = ∂L/∂q − (∂²L/∂q̇∂q) q̇, `[rows, d]`.
    pub fn force(&self) -> &[T] {
        &self.force[..self.rows * self.dof]
    }
    /// p = ∂L/∂q̇, `[rows, d]`.
    pub fn momentum(&self) -> &[T] {
        &self.momentum[..self.rows * self.dof]
    }
    /// L, `[rows]`; NaN after [`LagrangianNetwork::accelerate`].
    pub fn lagrangian(&self) -> &[T] {
        &self.lagrangian[..self.rows]
    }
    /// E = q̇·p − L, `[rows]`: conserved along the learned motion; NaN after [`LagrangianNetwork::accelerate`].
    pub fn energy(&self) -> &[T] {
        &self.energy[..self.rows]
    }
    /// Eigenvalues, ranks and solves of the mass matrices; where velocities have units u, of U H U, U = diag(u).
    pub fn factors(&self) -> &SymmetricFactors<T> {
        &self.factors
    }
}
