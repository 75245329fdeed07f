//! The Lagrangian network: L = ½ m Σ (q̇ⱼ/uⱼ)² + net(features), q̈ from the Euler–Lagrange equation.

mod adjoint;
mod evaluate;
mod workspace;

pub use workspace::LagrangianWorkspace;

use lnn_autodiff::features::FeatureMap;
use lnn_autodiff::jet::Accumulate;
use lnn_autodiff::pseudoinverse::{MAX_DIMENSION, SymmetricFactors, Tolerance};
use lnn_autodiff::{MlpShape, Real};

use super::block::{BlockModel, Rates, RatesMut, States};
use super::potential::PotentialNetwork;
use super::{ModelError, Networks, not_negative, positive, require_sizes};

/// `L(q, q̇, c) = ½ m Σ (q̇ⱼ/uⱼ)² + net(features(q, q̇, c)) [+ s · net₂(features(q, c))]`.
///
/// The acceleration solves `H q̈ = r` with the mass matrix `H = ∂²L/∂q̇∂q̇ᵀ` `[d, d]` and the force
/// `r = ∂L/∂q − (∂²L/∂q̇∂qᵀ) q̇` `[d]`, by the pseudoinverse of H.
///
/// Units u of the velocities are all 1 unless they are [given](Self::in_velocity_units).
///
/// The second network, if there is one, sees no velocity. It does not enlarge the family of Lagrangians; it is meant for
/// potentials whose range is far above that of the kinetic energy, which the first network then need not carry.
#[derive(Clone, Debug)]
pub struct LagrangianNetwork {
    shape: MlpShape,
    features: FeatureMap,
    potential: Option<PotentialNetwork>,
    residual_mass: f64,
    tolerance: Option<Tolerance>,
    /// u, `[d]`, where they are not all 1.
    velocity_units: Option<Vec<f64>>,
    /// (i, j) for i ≤ j < d, then (i, d): the entries of H, then those of (∂²L/∂q̇∂q) q̇.
    pairs: Vec<(usize, usize)>,
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
        require_sizes("Lagrangian network", &shape, features.len(), 1)?;
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
        Ok(Self { shape, features, potential: None, residual_mass, tolerance, velocity_units: None, pairs })
    }

    /// The same Lagrangian with `scale` times a network of the configuration alone added, which maps the features
    /// without the velocities to one output.
    ///
    /// # Errors
    /// A network of other sizes, or a scale that is not a finite number above 0.
    pub fn with_potential(self, shape: MlpShape, scale: f64) -> Result<Self, ModelError> {
        let potential = Some(PotentialNetwork::new(shape, &self.features, scale)?);
        Ok(Self { potential, ..self })
    }

    /// The same Lagrangian whose residual mass is that of q̇ⱼ/uⱼ, and whose mass matrix is judged and inverted in these
    /// units u `[d]`: with U = diag(u),
    ///
    /// ```text
    /// q̈ = U (U H U)⁺ U r
    /// ```
    ///
    /// At full rank that is H⁻¹ r. Which eigenvalues count as zero, and H⁺ where some do, depend on what velocities are
    /// measured in; a length and an angle have no units in common, so that a number beside H would otherwise decide.
    /// [`factors`](LagrangianWorkspace::factors) then has the eigenvalues of U H U.
    ///
    /// # Errors
    /// Another number of units than coordinates, or one that is not finite and above 0.
    pub fn in_velocity_units(self, units: &[f64]) -> Result<Self, ModelError> {
        let d = self.features.degrees_of_freedom();
        if units.len() != d {
            return Err(ModelError::CoordinateFeatures { given: units.len(), degrees_of_freedom: d });
        }
        for &unit in units {
            positive("a velocity's unit", unit)?;
        }
        Ok(Self { velocity_units: Some(units.to_vec()), ..self })
    }

    /// The main network's shape.
    pub fn shape(&self) -> &MlpShape {
        &self.shape
    }
    /// The network of the configuration alone, if there is one.
    pub fn potential(&self) -> Option<&PotentialNetwork> {
        self.potential.as_ref()
    }
    /// The input features.
    pub fn features(&self) -> &FeatureMap {
        &self.features
    }
    /// Residual mass m.
    pub fn residual_mass(&self) -> f64 {
        self.residual_mass
    }
    /// Units u of the velocities, `[d]`, if they are not all 1.
    pub fn velocity_units(&self) -> Option<&[f64]> {
        self.velocity_units.as_deref()
    }
    /// Which eigenvalues of H count as zero, if it was said.
    pub fn tolerance(&self) -> Option<Tolerance> {
        self.tolerance
    }
    /// What the residual mass adds to the diagonal of H, m/u², `[d]`.
    pub fn residual_masses(&self) -> Vec<f64> {
        (0..self.features.degrees_of_freedom()).map(|coordinate| self.mass_of(coordinate)).collect()
    }
    /// m/uᵢ², what the residual mass adds to H.
    fn mass_of(&self, coordinate: usize) -> f64 {
        match &self.velocity_units {
            None => self.residual_mass,
            Some(units) => self.residual_mass / units[coordinate] / units[coordinate],
        }
    }
}

/// A Lagrangian network with the buffers of one thread.
#[derive(Debug)]
pub(super) struct LagrangianBlock<T> {
    pub(super) model: LagrangianNetwork,
    pub(super) workspace: LagrangianWorkspace<T>,
    /// Whether the workspace holds the block of the last [`BlockModel::rates`].
    pub(super) holds_rates: bool,
}

impl<T: Real> BlockModel<T> for LagrangianBlock<T> {
    fn rates(&mut self, networks: Networks<'_, T>, states: States<'_, T>, rates: RatesMut<'_, T>) {
        rates.require(states.q.len());
        self.model.accelerate(networks, states, &mut self.workspace);
        self.holds_rates = true;
        rates.q.copy_from_slice(states.q_dot);
        rates.q_dot.copy_from_slice(self.workspace.acceleration());
    }

    fn vjp(
        &mut self,
        networks: Networks<'_, T>,
        lambda: Rates<'_, T>,
        accumulate: Accumulate,
        gradient: &mut [T],
        states_bar: Option<RatesMut<'_, T>>,
    ) {
        assert!(self.holds_rates, "`rates` must come before `vjp`");
        self.model.vjp(networks, lambda, &mut self.workspace, accumulate, gradient, states_bar);
    }

    fn energy(&mut self, networks: Networks<'_, T>, states: States<'_, T>, energy: &mut [T]) -> bool {
        self.holds_rates = false;
        self.model.evaluate(networks, states, &mut self.workspace);
        energy.copy_from_slice(self.workspace.energy());
        true
    }

    fn rates_and_energy(
        &mut self,
        networks: Networks<'_, T>,
        states: States<'_, T>,
        rates: RatesMut<'_, T>,
        energy: &mut [T],
    ) -> bool {
        rates.require(states.q.len());
        self.energy(networks, states, energy);
        rates.q.copy_from_slice(states.q_dot);
        rates.q_dot.copy_from_slice(self.workspace.acceleration());
        true
    }

    fn mass_matrices(&self) -> Option<&SymmetricFactors<T>> {
        Some(self.workspace.factors())
    }

    fn mass_matrix(&self) -> Option<&[T]> {
        Some(self.workspace.mass_matrix())
    }

    fn momentum(&self) -> Option<&[T]> {
        Some(self.workspace.momentum())
    }
}
