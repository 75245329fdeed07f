//! A plain network of the neighbourhood, φ̈_i = network(neighbourhood of i): the convolutional baseline.

use std::sync::Arc;

use lnn_autodiff::Real;
use lnn_autodiff::jet::Accumulate;

use crate::density::Density;
use crate::error::DensityError;
use crate::local::{
    CHUNK, Elements, Fields, LocalJets, LocalNetwork, LocalPurpose, chunk_jets, clear_without_rows, for_each_chunk,
};
use crate::topology::Topology;

/// Accelerations straight from a network of each site's neighbourhood, the same at every site: on a line or grid a
/// convolution of the fields followed by layers of width one; with [`Neighbourhood::Pairs`](crate::Neighbourhood::Pairs)
/// a sum of messages.
#[derive(Clone, Debug)]
pub struct PlainField {
    network: Density,
    topology: Arc<Topology>,
    elements: Arc<Vec<Elements>>,
}

impl PlainField {
    /// A network of as many outputs as components at every site of `topology`, whose sites have the attributes
    /// `[sites, a]`.
    ///
    /// # Errors
    /// A neighbourhood that the topology does not have, attributes of another number or not finite, or another number of
    /// outputs.
    pub fn new(network: Density, topology: Arc<Topology>, site_attributes: &[f64]) -> Result<Self, DensityError> {
        if network.outputs() != network.components() {
            let (expected, given) = (network.components(), network.outputs());
            return Err(DensityError::Outputs { model: "plain field network", expected, given });
        }
        let elements = Arc::new(network.elements(&topology, site_attributes)?);
        Ok(Self { network, topology, elements })
    }

    /// The same network on another topology.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn on(&self, topology: Arc<Topology>, site_attributes: &[f64]) -> Result<Self, DensityError> {
        Self::new(self.network.clone(), topology, site_attributes)
    }

    /// The network.
    pub fn network(&self) -> &Density {
        &self.network
    }
    /// Unknowns of a field: sites × components.
    pub fn unknowns(&self) -> usize {
        self.topology.sites() * self.network.components()
    }

    fn networks(&self) -> impl Iterator<Item = (usize, &LocalNetwork, &Elements)> {
        let networks = self.network.networks().iter().zip(&*self.elements);
        networks.enumerate().map(|(index, (network, elements))| (index, network, elements))
    }
}

/// One thread's buffers for blocks of samples of one plain network, all arrays `[samples, sites × components]`.
#[derive(Debug)]
pub struct PlainBlock<T> {
    field: PlainField,
    capacity: usize,
    samples: usize,
    jets: Vec<Vec<LocalJets<T>>>,
    /// λ at the owners of a chunk's elements, `[CHUNK, components]`.
    lambda: Vec<T>,
}

impl<T: Real> PlainBlock<T> {
    /// Buffers for up to `capacity` samples; `training` adds what the gradient needs.
    pub fn new(field: &PlainField, capacity: usize, training: bool) -> Self {
        let purpose = if training { LocalPurpose::ValuesGradient } else { LocalPurpose::Values };
        let jets = field
            .networks()
            .map(|(_, network, elements)| chunk_jets(network, capacity * elements.len(), CHUNK, purpose, training));
        let lambda = vec![T::ZERO; CHUNK * field.network.components()];
        Self { capacity, samples: 0, jets: jets.collect(), lambda, field: field.clone() }
    }

    /// Writes φ̈ of the samples to `phi_ddot`.
    ///
    /// # Panics
    /// If there are more samples than the buffers hold, or a length does not fit.
    pub fn acceleration_into(&mut self, parameters: &[T], phi: &[T], phi_dot: &[T], phi_ddot: &mut [T]) {
        let Self { field, jets, capacity, .. } = self;
        let stride = field.unknowns();
        let samples = phi.len() / stride;
        assert_eq!([phi.len(), phi_dot.len(), phi_ddot.len()], [samples * stride; 3], "samples × sites × components");
        assert!(samples <= *capacity, "{samples} samples do not fit into a block for {capacity}");
        self.samples = samples;
        phi_ddot.fill(T::ZERO);
        let fields = Fields { phi, phi_dot, stride };
        for (index, network, elements) in field.networks() {
            let mlp = field.network.network(index, parameters);
            for_each_chunk(&mut jets[index], samples * elements.len(), CHUNK, |jets, rows| {
                jets.load(network, elements, fields, rows.clone());
                elements.add_to_owners(rows, field.network.components(), stride, jets.values(mlp), phi_ddot);
            });
        }
    }

    /// Writes or adds `∂(Σ λ·φ̈)/∂θ` of the block of the last [`acceleration_into`](Self::acceleration_into) to `gradient`.
    ///
    /// # Panics
    /// If the buffers were not made for training, or a length does not fit.
    pub fn gradient(&mut self, parameters: &[T], lambda: &[T], accumulate: Accumulate, gradient: &mut [T]) {
        let Self { field, jets, samples, lambda: local, .. } = self;
        let (stride, c) = (field.unknowns(), field.network.components());
        assert_eq!(lambda.len(), *samples * stride, "λ: samples × sites × components");
        assert_eq!(gradient.len(), field.network.parameter_count(), "gradient: as many numbers as parameters");
        for (index, _, elements) in field.networks() {
            let mlp = field.network.network(index, parameters);
            let gradient = &mut gradient[field.network.range(index)];
            clear_without_rows(accumulate, *samples * elements.len(), gradient);
            let mut accumulate = accumulate;
            for_each_chunk(&mut jets[index], *samples * elements.len(), CHUNK, |jets, rows| {
                let local = &mut local[..rows.len() * c];
                elements.gather_owners(rows, c, stride, lambda, local);
                jets.values_gradient(mlp, local, accumulate, gradient);
                accumulate = Accumulate::Add;
            });
        }
    }
}
