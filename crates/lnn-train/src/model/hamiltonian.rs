//! The Hamiltonian network: H = net(features), and Hamilton's equations for its motion.

use lnn_autodiff::features::FeatureMap;
use lnn_autodiff::jet::{Accumulate, JetWorkspace, Purpose};
use lnn_autodiff::{MlpShape, Real};

use super::block::{BlockModel, Rates, RatesMut, States, require_vjp};
use super::{ModelError, Networks, require_sizes};

/// `H(q, p, c) = net(features(q, p, c))`, with `dq/dt = ∂H/∂p` and `dp/dt = −∂H/∂q`.
///
/// Where it is given (q, q̇) it takes the velocity for the momentum, which is right only in canonical coordinates:
/// what the Lagrangian network has no need of.
///
/// Source: Greydanus, Dzamba, Yosinski, Hamiltonian Neural Networks (arXiv:1906.01563).
#[derive(Clone, Debug)]
pub struct HamiltonianNetwork {
    shape: MlpShape,
    features: FeatureMap,
    canonical: bool,
}

impl HamiltonianNetwork {
    /// A Hamiltonian over `features`, whose velocity features stand for momenta.
    ///
    /// # Errors
    /// A network that does not map the features to one output, an activation without a second derivative, or no
    /// degree of freedom.
    pub fn new(shape: MlpShape, features: FeatureMap) -> Result<Self, ModelError> {
        require_sizes("Hamiltonian network", &shape, features.len(), 1)?;
        if !shape.activation().has_second_derivative() {
            return Err(ModelError::FlatActivation(shape.activation()));
        }
        if features.degrees_of_freedom() == 0 {
            return Err(ModelError::NoCoordinates);
        }
        Ok(Self { shape, features, canonical: false })
    }

    /// The same, given momenta: its states are (q, p), and what it learns their rates.
    #[must_use]
    pub fn in_canonical_coordinates(self) -> Self {
        Self { canonical: true, ..self }
    }

    /// Whether its states are (q, p).
    pub fn is_canonical(&self) -> bool {
        self.canonical
    }
    /// The network's shape.
    pub fn shape(&self) -> &MlpShape {
        &self.shape
    }
    /// The input features.
    pub fn features(&self) -> &FeatureMap {
        &self.features
    }

    pub(super) fn block<T: Real>(&self, capacity: usize, training: bool) -> HamiltonianBlock<T> {
        let purpose = if training { Purpose::Directional } else { Purpose::Gradient };
        let (d, n) = (self.features.degrees_of_freedom(), self.features.len());
        let zeros = |width: usize| vec![T::ZERO; capacity * width];
        let training = |width: usize| if training { zeros(width) } else { Vec::new() };
        HamiltonianBlock {
            jets: JetWorkspace::new(&self.shape, 0, capacity, purpose),
            ones: vec![T::ONE; capacity],
            slope: zeros(n),
            a: training(n),
            backwards: training(d),
            model: self.clone(),
        }
    }
}

/// A Hamiltonian network with the buffers of one thread.
#[derive(Debug)]
pub(super) struct HamiltonianBlock<T> {
    model: HamiltonianNetwork,
    jets: JetWorkspace<T>,
    ones: Vec<T>,
    slope: Vec<T>,
    /// Input tangent, `[rows, features]`.
    a: Vec<T>,
    /// −λ of p, `[rows, d]`.
    backwards: Vec<T>,
}

impl<T: Real> HamiltonianBlock<T> {
    fn start(&mut self, states: States<'_, T>) -> usize {
        let features = &self.model.features;
        let rows = states.rows(features);
        let slope = &mut self.slope[..rows * features.len()];
        features.evaluate(states.q, states.q_dot, states.conditionals, self.jets.start(rows).value, slope);
        rows
    }
}

impl<T: Real> BlockModel<T> for HamiltonianBlock<T> {
    fn rates(&mut self, networks: Networks<'_, T>, states: States<'_, T>, rates: RatesMut<'_, T>) {
        let network = networks.only();
        rates.require(states.q.len());
        let rows = self.start(states);
        self.jets.forward_derivatives(network);
        self.jets.reverse(network, &self.ones[..rows]);
        let features = &self.model.features;
        let RatesMut { q: velocity, q_dot: force } = rates;
        features.pull_back(&self.slope[..rows * features.len()], self.jets.input_bar(), force, velocity);
        for force in force {
            *force = -*force;
        }
    }

    fn vjp(
        &mut self,
        networks: Networks<'_, T>,
        lambda: Rates<'_, T>,
        accumulate: Accumulate,
        gradient: &mut [T],
        states_bar: Option<RatesMut<'_, T>>,
    ) {
        let (network, features) = (networks.only(), &self.model.features);
        let rows = self.jets.rows();
        let lengths = (gradient.len(), self.model.shape.parameter_count());
        require_vjp(rows * features.degrees_of_freedom(), false, &lambda, lengths, states_bar.as_ref());
        let (slope, a) = (&self.slope[..rows * features.len()], &mut self.a[..rows * features.len()]);
        let backwards = &mut self.backwards[..lambda.q_dot.len()];
        for (backwards, &lambda) in backwards.iter_mut().zip(lambda.q_dot) {
            *backwards = -lambda;
        }
        // λ·(∂H/∂p, −∂H/∂q) is the derivative of H along (−λ_p, λ_q).
        features.tangent(slope, backwards, lambda.q, a);
        self.jets.directional_gradient(network, a, accumulate, gradient);
        if let Some(bar) = states_bar {
            bar.q.fill(T::ZERO);
            bar.q_dot.fill(T::ZERO);
            features.add_curvature_pull_back(self.jets.input(), self.jets.input_bar(), backwards, bar.q);
            features.add_pull_back(slope, self.jets.input_cotangents(network).value, bar.q, bar.q_dot);
        }
    }

    fn energy(&mut self, networks: Networks<'_, T>, states: States<'_, T>, energy: &mut [T]) -> bool {
        self.start(states);
        self.jets.forward(networks.only());
        energy.copy_from_slice(self.jets.output());
        true
    }
}
