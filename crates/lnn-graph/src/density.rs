//! The learned density: networks of a site's neighbourhood, the same at every site.

use lnn_autodiff::{Activation, Mlp, MlpShape, Real};

use crate::error::DensityError;
use crate::features::FieldFeatures;
use crate::local::{Elements, LocalNetwork};
use crate::topology::{Topology, TopologyKind};

/// What a density sees of a site's surroundings: the field and its rate at these sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Neighbourhood {
    /// The left neighbour, the site and the right one, in this order; on lines.
    Line,
    /// The neighbour above, the left one, the site, the right one and the one below, in this order; on grids.
    Grid,
    /// The site alone, and the site with each of its neighbours; on any topology. A density is then
    /// `s(site) + Σ_neighbours e(site, neighbour)` with two networks s and e, so that the order of the neighbours does
    /// not matter and their number may differ from site to site.
    Pairs,
}

impl Neighbourhood {
    /// Whether `topology` has such neighbourhoods.
    pub fn serves(self, topology: &Topology) -> bool {
        match self {
            Self::Line => matches!(topology.kind(), TopologyKind::Line { .. }),
            Self::Grid => matches!(topology.kind(), TopologyKind::Grid { .. }),
            Self::Pairs => true,
        }
    }

    /// Sites that one evaluation of each of the networks sees.
    pub fn widths(self) -> &'static [usize] {
        match self {
            Self::Line => &[3],
            Self::Grid => &[5],
            Self::Pairs => &[1, 2],
        }
    }
}

/// A function of neighbourhoods without parameters and without a topology, so that one serves lattices of any size: of
/// one output the density of a Lagrangian L(φ, φ̇) = Σ_i density(neighbourhood of i) or of a Hamiltonian; of as many
/// outputs as components the acceleration of a plain network.
///
/// The networks' inputs are, in this order: the field at the neighbourhood's sites, each site's components together
/// (sines of all circular components, then their cosines, then the others); the rates likewise; the attributes of the
/// site itself; for pairs those of the edge.
///
/// The flat parameter vector holds the networks one after the other, each laid out as [`MlpShape`] says; of
/// [`Neighbourhood::Pairs`] the network of the site comes first.
///
/// ```
/// use lnn_autodiff::Activation;
/// use lnn_graph::{Density, FieldFeatures, Neighbourhood};
///
/// let density = Density::new(Neighbourhood::Line, FieldFeatures::scalar(), &[64, 64], Activation::Softplus)?;
/// // Three sites, field and rate each.
/// assert_eq!(density.shapes().next().map(|shape| shape.inputs()), Some(6));
/// # Ok::<(), lnn_graph::DensityError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Density {
    neighbourhood: Neighbourhood,
    features: FieldFeatures,
    networks: Vec<LocalNetwork>,
    /// Where each network's parameters begin, and where the last one's end.
    offsets: Vec<usize>,
}

impl Density {
    /// A density with hidden layers of these widths, at least one, the same for both networks of [`Neighbourhood::Pairs`].
    ///
    /// # Errors
    /// No component, a scale that is not finite and positive, a layer without units, or an activation without a second
    /// derivative.
    pub fn new(
        neighbourhood: Neighbourhood,
        features: FieldFeatures,
        hidden: &[usize],
        activation: Activation,
    ) -> Result<Self, DensityError> {
        if hidden.is_empty() || !activation.has_second_derivative() {
            return Err(DensityError::FlatActivation(activation));
        }
        Self::with_outputs(neighbourhood, features, hidden, 1, activation)
    }

    /// As [`new`](Self::new) for a function of `outputs` numbers, of which no second derivative is needed.
    ///
    /// # Errors
    /// As for [`new`](Self::new), any activation.
    pub fn with_outputs(
        neighbourhood: Neighbourhood,
        features: FieldFeatures,
        hidden: &[usize],
        outputs: usize,
        activation: Activation,
    ) -> Result<Self, DensityError> {
        let widths = neighbourhood.widths();
        let networks = widths.iter().map(|&width| LocalNetwork::new(&features, width, hidden, outputs, activation));
        let networks: Vec<_> = networks.collect::<Result<_, _>>()?;
        let ends = networks.iter().scan(0, |end, network| {
            *end += network.shape.parameter_count();
            Some(*end)
        });
        let offsets = std::iter::once(0).chain(ends).collect();
        Ok(Self { neighbourhood, features, networks, offsets })
    }

    /// What the density sees.
    pub fn neighbourhood(&self) -> Neighbourhood {
        self.neighbourhood
    }
    /// How field, rates and attributes enter.
    pub fn features(&self) -> &FieldFeatures {
        &self.features
    }
    /// Field components at a site.
    pub fn components(&self) -> usize {
        self.features.components.len()
    }
    /// Numbers that a network gives.
    pub fn outputs(&self) -> usize {
        self.networks[0].shape.outputs()
    }
    /// The networks' shapes, in the order of their parameters.
    pub fn shapes(&self) -> impl Iterator<Item = &MlpShape> {
        self.networks.iter().map(|network| &network.shape)
    }
    /// Length of the flat parameter vector.
    pub fn parameter_count(&self) -> usize {
        self.offsets[self.networks.len()]
    }
    pub(crate) fn networks(&self) -> &[LocalNetwork] {
        &self.networks
    }
    /// The parameters of network `index` in the flat vector.
    pub(crate) fn range(&self, index: usize) -> std::ops::Range<usize> {
        self.offsets[index]..self.offsets[index + 1]
    }

    /// The evaluations of each network on a topology whose sites have these attributes.
    pub(crate) fn elements(&self, topology: &Topology, site_attributes: &[f64]) -> Result<Vec<Elements>, DensityError> {
        if !self.neighbourhood.serves(topology) {
            let topology = topology.kind().describe();
            return Err(DensityError::Topology { neighbourhood: self.neighbourhood, topology });
        }
        let FieldFeatures { site_attribute_scales, edge_attribute_scales, .. } = &self.features;
        check_attributes("sites", topology.sites(), site_attributes, site_attribute_scales.len())?;
        if self.neighbourhood == Neighbourhood::Pairs {
            let edges = topology.edges().len();
            check_attributes("edges", edges, topology.edge_attributes(), edge_attribute_scales.len())?;
        }
        let elements = (0..self.networks.len())
            .map(|index| Elements::new(self.neighbourhood, index, self.components(), topology, site_attributes));
        Ok(elements.collect())
    }

    /// Network `index` over its share of the flat `parameters`.
    ///
    /// # Panics
    /// If `parameters` has another length than [`parameter_count`](Self::parameter_count).
    pub fn network<'a, T: Real>(&'a self, index: usize, parameters: &'a [T]) -> Mlp<'a, T> {
        assert_eq!(parameters.len(), self.parameter_count(), "parameters of the density");
        match self.networks[index].shape.bind(&parameters[self.range(index)]) {
            Ok(network) => network,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Refuses another number of attributes than `expected` for each of `count`, or one that is not finite.
fn check_attributes(of: &'static str, count: usize, given: &[f64], expected: usize) -> Result<(), DensityError> {
    if given.len() != count * expected {
        let wanted = count * expected;
        return Err(DensityError::Attributes { of, count, given: given.len(), expected, wanted });
    }
    match given.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(DensityError::NonFiniteAttribute { of, index, value: given[index] }),
        None => Ok(()),
    }
}
