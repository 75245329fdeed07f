//! A learned Hamiltonian of a field, H(φ, π) = Σ_i density(neighbourhood of i): the baseline that takes the rates it is
//! given for momenta.

use std::sync::Arc;

use lnn_autodiff::Real;
use lnn_autodiff::jet::Accumulate;

use crate::density::Density;
use crate::error::DensityError;
use crate::local::{
    CHUNK, Elements, Fields, LocalJets, LocalNetwork, LocalPurpose, chunk_jets, clear_without_rows, for_each_chunk,
};
use crate::topology::Topology;

/// A Hamiltonian density on a topology, without its parameters: φ̇ = ∂H/∂π and π̇ = −∂H/∂φ.
#[derive(Clone, Debug)]
pub struct FieldHamiltonian {
    density: Density,
    topology: Arc<Topology>,
    elements: Arc<Vec<Elements>>,
}

impl FieldHamiltonian {
    /// `density` at every site of `topology`, whose sites have the attributes `[sites, a]`.
    ///
    /// # Errors
    /// A neighbourhood that the topology does not have, attributes of another number or not finite, or a density of more
    /// than one output.
    pub fn new(density: Density, topology: Arc<Topology>, site_attributes: &[f64]) -> Result<Self, DensityError> {
        if density.outputs() != 1 {
            return Err(DensityError::Outputs { model: "Hamiltonian", expected: 1, given: density.outputs() });
        }
        let elements = Arc::new(density.elements(&topology, site_attributes)?);
        Ok(Self { density, topology, elements })
    }

    /// The same density on another topology.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn on(&self, topology: Arc<Topology>, site_attributes: &[f64]) -> Result<Self, DensityError> {
        Self::new(self.density.clone(), topology, site_attributes)
    }

    /// The density.
    pub fn density(&self) -> &Density {
        &self.density
    }
    /// Unknowns of a field: sites × components.
    pub fn unknowns(&self) -> usize {
        self.topology.sites() * self.density.components()
    }

    fn networks(&self) -> impl Iterator<Item = (usize, &LocalNetwork, &Elements)> {
        let networks = self.density.networks().iter().zip(&*self.elements);
        networks.enumerate().map(|(index, (network, elements))| (index, network, elements))
    }
}

/// One thread's buffers for blocks of samples of one Hamiltonian, all arrays `[samples, sites × components]`.
#[derive(Debug)]
pub struct HamiltonianBlock<T: Real> {
    hamiltonian: FieldHamiltonian,
    capacity: usize,
    samples: usize,
    jets: Vec<Vec<LocalJets<T>>>,
    /// −λ of π̇, which ∂H/∂φ is paired with.
    negated: Vec<T>,
}

impl<T: Real> HamiltonianBlock<T> {
    /// Buffers for up to `capacity` samples; `training` adds what the gradient needs.
    pub fn new(hamiltonian: &FieldHamiltonian, capacity: usize, training: bool) -> Self {
        let purpose = if training { LocalPurpose::SlopesGradient } else { LocalPurpose::Slopes };
        let jets = hamiltonian
            .networks()
            .map(|(_, network, elements)| chunk_jets(network, capacity * elements.len(), CHUNK, purpose, training));
        let negated = vec![T::ZERO; if training { capacity * hamiltonian.unknowns() } else { 0 }];
        Self { capacity, samples: 0, jets: jets.collect(), negated, hamiltonian: hamiltonian.clone() }
    }

    /// Writes the rates of the samples with fields φ and momenta π.
    ///
    /// # Panics
    /// If there are more samples than the buffers hold, or a length does not fit.
    pub fn rates_into(&mut self, parameters: &[T], phi: &[T], pi: &[T], phi_rate: &mut [T], pi_rate: &mut [T]) {
        let Self { hamiltonian, jets, capacity, .. } = self;
        let stride = hamiltonian.unknowns();
        let samples = phi.len() / stride;
        let length = samples * stride;
        assert_eq!([phi.len(), pi.len(), phi_rate.len(), pi_rate.len()], [length; 4], "samples × sites × components");
        assert!(samples <= *capacity, "{samples} samples do not fit into a block for {capacity}");
        self.samples = samples;
        phi_rate.fill(T::ZERO);
        pi_rate.fill(T::ZERO);
        let fields = Fields { phi, phi_dot: pi, stride };
        for (index, network, elements) in hamiltonian.networks() {
            let mlp = hamiltonian.density.network(index, parameters);
            for_each_chunk(&mut jets[index], samples * elements.len(), CHUNK, |jets, rows| {
                jets.load(network, elements, fields, rows.clone());
                let slopes = jets.slopes(network, mlp, false);
                elements.scatter_add(rows.clone(), stride, slopes.by_phi_dot, phi_rate);
                elements.scatter_add(rows, stride, slopes.by_phi, pi_rate);
            });
        }
        for rate in pi_rate {
            *rate = -*rate;
        }
    }

    /// Writes or adds `∂(Σ λ_φ·φ̇ + λ_π·π̇)/∂θ` of the block of the last [`rates_into`](Self::rates_into) to `gradient`.
    ///
    /// # Panics
    /// If the buffers were not made for training, or a length does not fit.
    pub fn gradient(
        &mut self,
        parameters: &[T],
        [lambda_phi, lambda_pi]: [&[T]; 2],
        accumulate: Accumulate,
        gradient: &mut [T],
    ) {
        let Self { hamiltonian, jets, negated, samples, .. } = self;
        let stride = hamiltonian.unknowns();
        let length = *samples * stride;
        assert_eq!([lambda_phi.len(), lambda_pi.len()], [length; 2], "λ: samples × sites × components");
        assert_eq!(gradient.len(), hamiltonian.density.parameter_count(), "gradient: as many numbers as parameters");
        for (negated, &lambda) in negated[..length].iter_mut().zip(lambda_pi) {
            *negated = -lambda;
        }
        for (index, network, elements) in hamiltonian.networks() {
            let mlp = hamiltonian.density.network(index, parameters);
            let gradient = &mut gradient[hamiltonian.density.range(index)];
            clear_without_rows(accumulate, *samples * elements.len(), gradient);
            let mut accumulate = accumulate;
            for_each_chunk(&mut jets[index], *samples * elements.len(), CHUNK, |jets, _| {
                let directions = (&negated[..length], lambda_phi);
                jets.slopes_gradient((network, elements), mlp, directions, stride, accumulate, gradient);
                accumulate = Accumulate::Add;
            });
        }
    }

    /// Writes the learned energy H of every sample, summed in double precision, to `energy` `[samples]`. The block of the last
    /// [`rates_into`](Self::rates_into) is forgotten.
    ///
    /// # Panics
    /// As for [`rates_into`](Self::rates_into).
    pub fn energy_into(&mut self, parameters: &[T], phi: &[T], pi: &[T], energy: &mut [f64]) {
        let Self { hamiltonian, jets, capacity, .. } = self;
        let stride = hamiltonian.unknowns();
        let samples = energy.len();
        assert_eq!([phi.len(), pi.len()], [samples * stride; 2], "samples × sites × components");
        assert!(samples <= *capacity, "{samples} samples do not fit into a block for {capacity}");
        self.samples = 0;
        energy.fill(0.0);
        let fields = Fields { phi, phi_dot: pi, stride };
        for (index, network, elements) in hamiltonian.networks() {
            let mlp = hamiltonian.density.network(index, parameters);
            for_each_chunk(&mut jets[index], samples * elements.len(), CHUNK, |jets, rows| {
                jets.load(network, elements, fields, rows.clone());
                for (row, value) in rows.zip(jets.values(mlp)) {
                    energy[row / elements.len()] += value.to_f64();
                }
            });
        }
    }
}
