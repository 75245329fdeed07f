//! The Lagrangian network: L = ½ m |q̇|² + net(features), q̈ from the Euler–Lagrange equation.

use lnn_autodiff::features::FeatureMap;
use lnn_autodiff::jet::{Accumulate, JetWorkspace, Purpose};
use lnn_autodiff::pseudoinverse::{MAX_DIMENSION, RankDeficientTerms, SymmetricFactors, Tolerance};
use lnn_autodiff::{Mlp, MlpShape, Real};

use super::{ModelError, States, not_negative};

/// `L(q, q̇, c) = ½ m |q̇|² + net(features(q, q̇, c))`.
///
/// The acceleration solves `H q̈ = r` with the mass matrix `H = ∂²L/∂q̇∂q̇ᵀ` `[d, d]` and the force
/// `r = ∂L/∂q − (∂²L/∂q̇∂qᵀ) q̇` `[d]`, by the pseudoinverse of H.
#[derive(Clone, Debug)]
pub struct LagrangianNetwork {
    shape: MlpShape,
    features: FeatureMap,
    residual_mass: f64,
    tolerance: Option<Tolerance>,
    /// (i, j) for i ≤ j < d, then (i, d): the entries of H, then those of (∂²L/∂q̇∂q) q̇.
    pairs: Vec<(usize, usize)>,
}

/// Buffers of one block and, after [`LagrangianNetwork::evaluate`] or
/// [`accelerate`](LagrangianNetwork::accelerate), its results.
#[derive(Clone, Debug)]
pub struct LagrangianWorkspace<T> {
    rows: usize,
    dof: usize,
    jets: JetWorkspace<T>,
    ones: Vec<T>,
    slope: Vec<T>,
    second: Vec<T>,
    mass_matrix: Vec<T>,
    force: Vec<T>,
    momentum: Vec<T>,
    lagrangian: Vec<T>,
    energy: Vec<T>,
    acceleration: Vec<T>,
    factors: SymmetricFactors<T>,
    adjoint: AdjointBuffers<T>,
}

#[derive(Clone, Debug)]
struct AdjointBuffers<T> {
    v: Vec<T>,
    inverse_v: Vec<T>,
    null_b: Vec<T>,
    null_lambda: Vec<T>,
    inverse_x: Vec<T>,
    /// Input coefficient of the functional, `[rows, features]`.
    a: Vec<T>,
    /// Coefficients over the tangents, `[rows, d + 1]`.
    u: Vec<T>,
    w: Vec<T>,
}

impl LagrangianNetwork {
    /// A Lagrangian over `features` with the network `shape` and residual mass m (0 for none).
    ///
    /// `tolerance` decides which eigenvalues of H count as zero; `None` takes
    /// [`Tolerance::for_dimension`].
    ///
    /// # Errors
    /// A network that does not map the features to one output, an activation without a second
    /// derivative, no degree of freedom or more than [`MAX_DIMENSION`], or a residual mass or tolerance that
    /// is negative or not finite.
    pub fn new(
        shape: MlpShape,
        features: FeatureMap,
        residual_mass: f64,
        tolerance: Option<Tolerance>,
    ) -> Result<Self, ModelError> {
        let d = features.degrees_of_freedom();
        if shape.inputs() != features.len() || shape.outputs() != 1 {
            return Err(ModelError::NetworkSizes {
                model: "Lagrangian network",
                inputs: features.len(),
                outputs: 1,
                given_inputs: shape.inputs(),
                given_outputs: shape.outputs(),
            });
        }
        if !shape.activation().has_second_derivative() {
            return Err(ModelError::FlatActivation(shape.activation()));
        }
        if d > MAX_DIMENSION {
            return Err(ModelError::TooManyCoordinates { given: d, most: MAX_DIMENSION });
        }
        if d == 0 {
            return Err(ModelError::NoCoordinates);
        }
        not_negative("the residual mass", residual_mass)?;
        if let Some(Tolerance { relative, absolute }) = tolerance {
            not_negative("the pseudoinverse's relative tolerance", relative)?;
            not_negative("the pseudoinverse's absolute tolerance", absolute)?;
        }
        let mass = (0..d).flat_map(|i| (i..d).map(move |j| (i, j)));
        let pairs = mass.chain((0..d).map(|i| (i, d))).collect();
        Ok(Self { shape, features, residual_mass, tolerance, pairs })
    }

    /// The network's shape.
    pub fn shape(&self) -> &MlpShape {
        &self.shape
    }
    /// The input features.
    pub fn features(&self) -> &FeatureMap {
        &self.features
    }
    /// Residual mass m.
    pub fn residual_mass(&self) -> f64 {
        self.residual_mass
    }

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
            ones: vec![T::ONE; capacity],
            slope: zeros(n),
            second: zeros(self.pairs.len()),
            mass_matrix: zeros(d * d),
            force: zeros(d),
            momentum: zeros(d),
            lagrangian: zeros(1),
            energy: zeros(1),
            acceleration: zeros(d),
            factors: SymmetricFactors::new(d, capacity),
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

    /// Features → jets → Euler–Lagrange → solve, then L and the energy; the results stay in the workspace.
    ///
    /// # Panics
    /// If the block has more rows than the workspace, or the network has another shape.
    pub fn evaluate<T: Real>(
        &self,
        network: Mlp<'_, T>,
        states: States<'_, T>,
        workspace: &mut LagrangianWorkspace<T>,
    ) {
        self.derive(network, states, workspace, true);
        self.energy(states.q_dot, workspace);
    }

    /// As [`evaluate`](Self::evaluate) without L and the energy, which the motion has no need of:
    /// [`LagrangianWorkspace::lagrangian`] and [`LagrangianWorkspace::energy`] are NaN.
    ///
    /// # Panics
    /// As for [`evaluate`](Self::evaluate).
    pub fn accelerate<T: Real>(
        &self,
        network: Mlp<'_, T>,
        states: States<'_, T>,
        workspace: &mut LagrangianWorkspace<T>,
    ) {
        self.derive(network, states, workspace, false);
        let rows = workspace.rows;
        for unknown in [&mut workspace.lagrangian, &mut workspace.energy] {
            unknown[..rows].fill(T::from_f64(f64::NAN));
        }
    }

    /// H, r, p and q̈; with the network's value too, if the Lagrangian itself is wanted.
    fn derive<T: Real>(
        &self,
        network: Mlp<'_, T>,
        states: States<'_, T>,
        ws: &mut LagrangianWorkspace<T>,
        with_value: bool,
    ) {
        let d = self.features.degrees_of_freedom();
        let rows = states.q.len() / d;
        ws.rows = rows;
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
        let tolerance = self.tolerance.unwrap_or_else(|| Tolerance::for_dimension::<T>(d));
        ws.factors.factor(&ws.mass_matrix[..rows * d * d], tolerance);
        for row in 0..rows {
            let range = row * d..(row + 1) * d;
            ws.factors.solve(row, &ws.force[range.clone()], &mut ws.acceleration[range]);
        }
    }

    /// H, r and p from the network's derivatives and the residual mass.
    fn assemble<T: Real>(&self, q_dot: &[T], ws: &mut LagrangianWorkspace<T>) {
        let d = ws.dof;
        let mass = T::from_f64(self.residual_mass);
        for row in 0..ws.rows {
            let second = &ws.second[row * self.pairs.len()..(row + 1) * self.pairs.len()];
            let matrix = &mut ws.mass_matrix[row * d * d..(row + 1) * d * d];
            let (entries, mixed) = second.split_at(self.pairs.len() - d);
            for (&(i, j), &value) in self.pairs.iter().zip(entries) {
                matrix[i * d + j] = value;
                matrix[j * d + i] = value;
            }
            for i in 0..d {
                matrix[i * d + i] += mass;
                ws.force[row * d + i] -= mixed[i];
                ws.momentum[row * d + i] += mass * q_dot[row * d + i];
            }
        }
    }

    /// L and the energy `q̇·p − L`.
    fn energy<T: Real>(&self, q_dot: &[T], ws: &mut LagrangianWorkspace<T>) {
        let d = ws.dof;
        let half_mass = T::from_f64(0.5 * self.residual_mass);
        for (row, q_dot) in q_dot.chunks_exact(d).enumerate() {
            let mut lagrangian = ws.jets.output()[row];
            let mut product = T::ZERO;
            for (&velocity, &momentum) in q_dot.iter().zip(&ws.momentum[row * d..]) {
                lagrangian += half_mass * velocity * velocity;
                product += velocity * momentum;
            }
            ws.lagrangian[row] = lagrangian;
            ws.energy[row] = product - lagrangian;
        }
    }

    /// Writes or adds `∂(Σ λ·q̈)/∂θ` of the block evaluated last to `gradient`; `lambda` is `[rows, d]`.
    ///
    /// With v = H⁺λ the gradient is that of the scalar `Σ (D_(v,0) − D_(0,v) D_(q̇,q̈)) L`. Rows whose H
    /// lost rank add the two constant-rank terms, in two further sweeps of the block.
    ///
    /// # Panics
    /// If the workspace was not made for training, or the network has another shape.
    pub fn gradient<T: Real>(
        &self,
        network: Mlp<'_, T>,
        lambda: &[T],
        workspace: &mut LagrangianWorkspace<T>,
        accumulate: Accumulate,
        gradient: &mut [T],
    ) {
        let LagrangianWorkspace { rows, dof: d, jets, slope, force, acceleration, factors, adjoint, .. } = workspace;
        let (rows, d) = (*rows, *d);
        let n = self.features.len();
        let AdjointBuffers { v, inverse_v, null_b, null_lambda, inverse_x, a, u, w } = adjoint;
        let (a, u, w) = (&mut a[..rows * n], &mut u[..rows * (d + 1)], &mut w[..rows * (d + 1)]);
        for buffer in [&mut *inverse_v, null_b, null_lambda, inverse_x] {
            buffer.fill(T::ZERO);
        }
        let mut rank_deficient = false;
        for row in 0..rows {
            let range = row * d..(row + 1) * d;
            let terms = RankDeficientTerms {
                inverse_v: &mut inverse_v[range.clone()],
                null_b: &mut null_b[range.clone()],
                null_lambda: &mut null_lambda[range.clone()],
                inverse_x: &mut inverse_x[range.clone()],
            };
            let (b, x) = (&force[range.clone()], &acceleration[range.clone()]);
            rank_deficient |= factors.solve_vjp(row, b, x, &lambda[range.clone()], &mut v[range], terms);
        }

        self.features.position_tangent(&slope[..rows * n], v, a);
        velocity_direction(u, v, T::ZERO, T::ONE, d);
        velocity_direction(w, acceleration, T::ONE, T::ONE, d);
        jets.functional_gradient(network, a, u, w, accumulate, gradient);
        if rank_deficient {
            a.fill(T::ZERO);
            for (left, right) in [(&*inverse_v, &*null_b), (null_lambda, inverse_x)] {
                velocity_direction(u, left, T::ZERO, T::ONE, d);
                velocity_direction(w, right, T::ZERO, -T::ONE, d);
                jets.functional_gradient(network, a, u, w, Accumulate::Add, gradient);
            }
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
    /// Eigenvalues, ranks and solves of the mass matrices.
    pub fn factors(&self) -> &SymmetricFactors<T> {
        &self.factors
    }
}
