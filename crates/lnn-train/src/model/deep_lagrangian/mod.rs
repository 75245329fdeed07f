//! The deep Lagrangian network: L = ½ q̇ᵀ M(q) q̇ − V(q) with M = C Cᵀ + ε I and C, V from networks.

mod adjoint;
mod evaluate;

use lnn_autodiff::features::FeatureMap;
use lnn_autodiff::jet::{Accumulate, JetWorkspace, Purpose};
use lnn_autodiff::pseudoinverse::{MAX_DIMENSION, SymmetricFactors};
use lnn_autodiff::{MlpShape, Real};

use super::block::{BlockModel, Rates, RatesMut, States, require_vjp};
use super::potential::{PotentialNetwork, PotentialWorkspace};
use super::{ModelError, Networks, positive, require_sizes};

/// `L(q, q̇, c) = ½ q̇ᵀ M q̇ − s · net₂(features(q, c))` with `M = C Cᵀ + ε I`, `C = b I + net(features(q, c))`.
///
/// C is lower triangular; the network gives its d (d + 1)/2 entries row by row. So M is positive definite whatever the
/// weights, and the kinetic energy is quadratic in the velocities: a Lagrangian of another form, such as that of a fast
/// particle or of a charge in a magnetic field, cannot be represented.
///
/// Source: Lutter, Ritter, Peters, Deep Lagrangian Networks (ICLR 2019, arXiv:1907.04490). There the diagonal of C goes
/// through a softplus; here its offset b keeps the first mass matrices away from ε I, and M is positive definite without.
#[derive(Clone, Debug)]
pub struct DeepLagrangianNetwork {
    shape: MlpShape,
    /// Without velocities.
    features: FeatureMap,
    potential: PotentialNetwork,
    /// b.
    diagonal: f64,
    /// ε.
    regularisation: f64,
}

/// Numbers of a deep Lagrangian network that are not trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeepLagrangianSettings {
    /// b, what the network's triangle is added to on the diagonal.
    pub diagonal: f64,
    /// ε > 0, the smallest possible eigenvalue of the mass matrix.
    pub regularisation: f64,
    /// s > 0, the unit of the potential network's output.
    pub potential_scale: f64,
}

impl DeepLagrangianNetwork {
    /// A Lagrangian over `features`, whose velocities are left out: the networks see the configuration alone.
    ///
    /// # Errors
    /// A network that does not map these features to d (d + 1)/2 outputs or to one potential, an activation without a
    /// second derivative, no degree of freedom or more than [`MAX_DIMENSION`], or a setting that makes no sense.
    pub fn new(
        shape: MlpShape,
        potential: MlpShape,
        features: &FeatureMap,
        settings: DeepLagrangianSettings,
    ) -> Result<Self, ModelError> {
        let d = features.degrees_of_freedom();
        if d == 0 {
            return Err(ModelError::NoCoordinates);
        }
        if d > MAX_DIMENSION {
            return Err(ModelError::TooManyCoordinates { given: d, most: MAX_DIMENSION });
        }
        let DeepLagrangianSettings { diagonal, regularisation, potential_scale } = settings;
        if !diagonal.is_finite() {
            return Err(ModelError::Setting {
                name: "the mass triangle's diagonal",
                given: diagonal,
                expected: "of any size",
            });
        }
        positive("the mass matrix's regularisation", regularisation)?;
        let potential = PotentialNetwork::new(potential, features, potential_scale)?;
        let features = features.without_velocities()?;
        require_sizes("mass network", &shape, features.len(), triangle(d))?;
        if !shape.activation().has_second_derivative() {
            return Err(ModelError::FlatActivation(shape.activation()));
        }
        Ok(Self { shape, features, potential, diagonal, regularisation })
    }

    /// The numbers that are not trained.
    pub fn settings(&self) -> DeepLagrangianSettings {
        let Self { diagonal, regularisation, ref potential, .. } = *self;
        DeepLagrangianSettings { diagonal, regularisation, potential_scale: potential.scale() }
    }

    /// The mass network's shape.
    pub fn shape(&self) -> &MlpShape {
        &self.shape
    }
    /// The potential network.
    pub fn potential(&self) -> &PotentialNetwork {
        &self.potential
    }
    /// The features of the configuration.
    pub fn features(&self) -> &FeatureMap {
        &self.features
    }

    pub(super) fn block<T: Real>(&self, capacity: usize, training: bool) -> DeepLagrangianBlock<T> {
        let purpose = if training { Purpose::Directional } else { Purpose::Gradient };
        let (d, n) = (self.features.degrees_of_freedom(), self.features.len());
        let zeros = |width: usize| vec![T::ZERO; capacity * width];
        let training_only = |width: usize| if training { zeros(width) } else { Vec::new() };
        DeepLagrangianBlock {
            rows: 0,
            holds_rates: false,
            jets: JetWorkspace::new(&self.shape, 1, capacity, purpose),
            potential: self.potential.workspace(capacity, training),
            slope: zeros(n),
            motion: Motion { d, q_dot: zeros(d), triangle: zeros(d * d), along_motion: zeros(d * d) },
            output_bar: zeros(triangle(d)),
            mass_matrix: zeros(d * d),
            momentum: zeros(d),
            force: zeros(d),
            unused: zeros(d),
            acceleration: zeros(d),
            factors: SymmetricFactors::new(d, capacity),
            v: training_only(d),
            along_v: training_only(d * d),
            a: training_only(n),
            model: self.clone(),
        }
    }
}

/// Entries of a lower triangle of d rows.
pub(crate) fn triangle(d: usize) -> usize {
    d * (d + 1) / 2
}

/// A deep Lagrangian network with the buffers of one thread.
#[derive(Debug)]
pub(super) struct DeepLagrangianBlock<T> {
    model: DeepLagrangianNetwork,
    rows: usize,
    /// Whether the buffers hold the block of the last [`BlockModel::rates`].
    holds_rates: bool,
    jets: JetWorkspace<T>,
    potential: PotentialWorkspace<T>,
    slope: Vec<T>,
    motion: Motion<T>,
    /// Cotangent of the mass network's outputs.
    output_bar: Vec<T>,
    mass_matrix: Vec<T>,
    /// p = M q̇, `[rows, d]`.
    momentum: Vec<T>,
    force: Vec<T>,
    unused: Vec<T>,
    acceleration: Vec<T>,
    factors: SymmetricFactors<T>,
    v: Vec<T>,
    /// A = D_v C.
    along_v: Vec<T>,
    /// Input tangent, `[rows, features]`.
    a: Vec<T>,
}

/// Where a block's states are and how its triangles change with the motion.
#[derive(Debug)]
struct Motion<T> {
    d: usize,
    /// `[rows, d]`.
    q_dot: Vec<T>,
    /// C, `[rows, d, d]`, zero above the diagonal.
    triangle: Vec<T>,
    /// B = D_q̇ C, likewise.
    along_motion: Vec<T>,
}

impl<T: Real> BlockModel<T> for DeepLagrangianBlock<T> {
    fn rates(&mut self, networks: Networks<'_, T>, states: States<'_, T>, rates: RatesMut<'_, T>) {
        rates.require(states.q.len());
        self.evaluate(networks, states, false);
        self.holds_rates = true;
        rates.q.copy_from_slice(states.q_dot);
        rates.q_dot.copy_from_slice(&self.acceleration[..states.q.len()]);
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
        let length = self.rows * self.model.features.degrees_of_freedom();
        let parameters = self.model.shape.parameter_count() + self.model.potential.shape().parameter_count();
        require_vjp(length, true, &lambda, (gradient.len(), parameters), states_bar.as_ref());
        self.adjoint(networks, lambda, accumulate, gradient, states_bar);
    }

    fn energy(&mut self, networks: Networks<'_, T>, states: States<'_, T>, energy: &mut [T]) -> bool {
        self.holds_rates = false;
        self.evaluate(networks, states, true);
        assert_eq!(energy.len(), self.rows, "an energy a row");
        let d = self.model.features.degrees_of_freedom();
        let half = T::from_f64(0.5);
        let motions = self.momentum.chunks_exact(d).zip(states.q_dot.chunks_exact(d));
        for ((energy, (p, q_dot)), potential) in
            energy.iter_mut().zip(motions).zip(self.model.potential.values(&self.potential))
        {
            let mut twice = T::ZERO;
            for (&p, &velocity) in p.iter().zip(q_dot) {
                twice += p * velocity;
            }
            *energy = half * twice + potential;
        }
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
        rates.q_dot.copy_from_slice(&self.acceleration[..states.q.len()]);
        true
    }

    fn mass_matrices(&self) -> Option<&SymmetricFactors<T>> {
        Some(&self.factors)
    }

    fn mass_matrix(&self) -> Option<&[T]> {
        let d = self.model.features.degrees_of_freedom();
        Some(&self.mass_matrix[..self.rows * d * d])
    }

    fn momentum(&self) -> Option<&[T]> {
        Some(&self.momentum[..self.rows * self.model.features.degrees_of_freedom()])
    }
}
