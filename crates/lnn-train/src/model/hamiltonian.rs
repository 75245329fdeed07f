//! The Hamiltonian network: H = net(features) [+ s · net₂(features without momenta)], and Hamilton's equations for its
//! motion.

use lnn_autodiff::features::FeatureMap;
use lnn_autodiff::jet::{Accumulate, JetWorkspace, Purpose};
use lnn_autodiff::{Mlp, MlpShape, Real};

use super::block::{BlockModel, Rates, RatesMut, States, require_vjp};
use super::potential::PotentialWorkspace;
use super::{ModelError, Networks, PotentialNetwork, require_sizes};

/// `H(q, p, c) = net(features(q, p, c))`, with `dq/dt = ∂H/∂p` and `dp/dt = −∂H/∂q`.
///
/// Where it is given (q, q̇) it takes the velocity for the momentum, which is right only in canonical coordinates:
/// what the Lagrangian network has no need of.
///
/// A second network of the configuration alone may add a potential: momenta far outside the range of the first one's
/// curvature make a softplus network linear in all its inputs, and no potential g q is.
///
/// Source: Greydanus, Dzamba, Yosinski, Hamiltonian Neural Networks (arXiv:1906.01563).
#[derive(Clone, Debug)]
pub struct HamiltonianNetwork {
    shape: MlpShape,
    features: FeatureMap,
    potential: Option<PotentialNetwork>,
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
        Ok(Self { shape, features, potential: None, canonical: false })
    }

    /// The same with `scale · net₂`, a network `shape` of the features without momenta.
    ///
    /// # Errors
    /// A network of other sizes, no feature of the configuration, or a scale that is not a finite number above 0.
    pub fn with_potential(self, shape: MlpShape, scale: f64) -> Result<Self, ModelError> {
        let potential = Some(PotentialNetwork::new(shape, &self.features, scale)?);
        Ok(Self { potential, ..self })
    }

    /// The network of the configuration alone, if there is one.
    pub fn potential(&self) -> Option<&PotentialNetwork> {
        self.potential.as_ref()
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
        let is_training = training;
        let training = |width: usize| if is_training { zeros(width) } else { Vec::new() };
        HamiltonianBlock {
            jets: JetWorkspace::new(&self.shape, 0, capacity, purpose),
            ones: vec![T::ONE; capacity],
            slope: zeros(n),
            a: training(n),
            backwards: training(d),
            potential: self.potential.as_ref().map(|potential| potential.workspace(capacity, is_training)),
            force: zeros(if self.potential.is_some() { d } else { 0 }),
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
    potential: Option<PotentialWorkspace<T>>,
    /// What the potential's evaluation gives besides its value, `[rows, d]`.
    force: Vec<T>,
}

impl<T: Real> HamiltonianBlock<T> {
    fn start(&mut self, states: States<'_, T>) -> usize {
        let features = &self.model.features;
        let rows = states.rows(features);
        let slope = &mut self.slope[..rows * features.len()];
        features.evaluate(states.q, states.q_dot, states.conditionals, self.jets.start(rows).value, slope);
        rows
    }

    /// The main network, and a check that there is a second one only if the model has it.
    fn main<'a>(&self, networks: Networks<'a, T>) -> Mlp<'a, T> {
        if self.potential.is_some() { networks.both()[0] } else { networks.only() }
    }
}

impl<T: Real> HamiltonianBlock<T> {
    /// (∂H/∂p, −∂H/∂q); with the networks' values too, if H itself is wanted.
    fn differentiate(
        &mut self,
        networks: Networks<'_, T>,
        states: States<'_, T>,
        rates: RatesMut<'_, T>,
        with_value: bool,
    ) {
        let network = self.main(networks);
        rates.require(states.q.len());
        let rows = self.start(states);
        if with_value {
            self.jets.forward(network);
        } else {
            self.jets.forward_derivatives(network);
        }
        self.jets.reverse(network, &self.ones[..rows]);
        let features = &self.model.features;
        let RatesMut { q: velocity, q_dot: force } = rates;
        features.pull_back(&self.slope[..rows * features.len()], self.jets.input_bar(), force, velocity);
        for force in &mut *force {
            *force = -*force;
        }
        if let (Some(potential), Some(workspace)) = (&self.model.potential, &mut self.potential) {
            potential.add_gradient(networks.both()[1], states, workspace, with_value, -T::ONE, force);
        }
    }

    /// H of the block evaluated last with its value, to `energy` `[rows]`.
    fn read_energy(&self, energy: &mut [T]) {
        energy.copy_from_slice(self.jets.output());
        if let (Some(potential), Some(workspace)) = (&self.model.potential, &self.potential) {
            for (energy, value) in energy.iter_mut().zip(potential.values(workspace)) {
                *energy += value;
            }
        }
    }
}

impl<T: Real> BlockModel<T> for HamiltonianBlock<T> {
    fn rates(&mut self, networks: Networks<'_, T>, states: States<'_, T>, rates: RatesMut<'_, T>) {
        self.differentiate(networks, states, rates, false);
    }

    fn rates_and_energy(
        &mut self,
        networks: Networks<'_, T>,
        states: States<'_, T>,
        rates: RatesMut<'_, T>,
        energy: &mut [T],
    ) -> bool {
        self.differentiate(networks, states, rates, true);
        self.read_energy(energy);
        true
    }

    fn vjp(
        &mut self,
        networks: Networks<'_, T>,
        lambda: Rates<'_, T>,
        accumulate: Accumulate,
        gradient: &mut [T],
        mut states_bar: Option<RatesMut<'_, T>>,
    ) {
        let (network, features) = (self.main(networks), &self.model.features);
        let rows = self.jets.rows();
        let first = self.model.shape.parameter_count();
        let second = self.model.potential.as_ref().map_or(0, |potential| potential.shape().parameter_count());
        let lengths = (gradient.len(), first + second);
        require_vjp(rows * features.degrees_of_freedom(), false, &lambda, lengths, states_bar.as_ref());
        let (gradient, potential_gradient) = gradient.split_at_mut(first);
        let (slope, a) = (&self.slope[..rows * features.len()], &mut self.a[..rows * features.len()]);
        let backwards = &mut self.backwards[..lambda.q_dot.len()];
        for (backwards, &lambda) in backwards.iter_mut().zip(lambda.q_dot) {
            *backwards = -lambda;
        }
        // λ·(∂H/∂p, −∂H/∂q) is the derivative of H along (−λ_p, λ_q).
        features.tangent(slope, backwards, lambda.q, a);
        self.jets.directional_gradient(network, a, accumulate, gradient);
        if let Some(bar) = &mut states_bar {
            bar.q.fill(T::ZERO);
            bar.q_dot.fill(T::ZERO);
            features.add_curvature_pull_back(self.jets.input(), self.jets.input_bar(), backwards, bar.q);
            features.add_pull_back(slope, self.jets.input_cotangents(network).value, bar.q, bar.q_dot);
        }
        if let (Some(potential), Some(workspace)) = (&self.model.potential, &mut self.potential) {
            let q_bar = states_bar.map(|bar| bar.q);
            let along = (-T::ONE, lambda.q_dot);
            potential.vjp(networks.both()[1], along, workspace, accumulate, potential_gradient, q_bar);
        }
    }

    fn energy(&mut self, networks: Networks<'_, T>, states: States<'_, T>, energy: &mut [T]) -> bool {
        let network = self.main(networks);
        self.start(states);
        self.jets.forward(network);
        if let (Some(potential), Some(workspace)) = (&self.model.potential, &mut self.potential) {
            // The force that comes with it is not needed.
            let force = &mut self.force[..states.q.len()];
            force.fill(T::ZERO);
            potential.add_gradient(networks.both()[1], states, workspace, true, T::ONE, force);
        }
        self.read_energy(energy);
        true
    }
}
