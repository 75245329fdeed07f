//! A model's networks, bound to its parameters.

use lnn_autodiff::jet::PackedMlp;
use lnn_autodiff::{Mlp, MlpShape, Real};

/// The one or two networks of a model with their parameters, as every method of a model takes them.
///
/// A model keeps its parameters in one slice: those of its main network, then those of its potential network if it
/// has one.
#[derive(Clone, Copy, Debug)]
pub struct Networks<'a, T> {
    main: Mlp<'a, T>,
    potential: Option<Mlp<'a, T>>,
}

impl<'a, T: Real> Networks<'a, T> {
    /// The networks of these shapes over one slice of parameters.
    ///
    /// # Panics
    /// If there are more or fewer parameters than both need.
    pub(super) fn bind(main: &'a MlpShape, potential: Option<&'a MlpShape>, parameters: &'a [T]) -> Self {
        let count = main.parameter_count() + potential.map_or(0, MlpShape::parameter_count);
        assert_eq!(parameters.len(), count, "parameters of the model");
        let (first, second) = parameters.split_at(main.parameter_count());
        let network = |shape: &'a MlpShape, parameters| match shape.bind(parameters) {
            Ok(network) => network,
            Err(error) => panic!("{error}"),
        };
        Self { main: network(main, first), potential: potential.map(|shape| network(shape, second)) }
    }

    /// The network that every model has.
    pub fn main(&self) -> Mlp<'a, T> {
        self.main
    }

    /// The only network.
    ///
    /// # Panics
    /// If there is another: these are networks of another model.
    pub(super) fn only(&self) -> Mlp<'a, T> {
        assert!(self.potential.is_none(), "the networks of a model without a potential network are one, not two");
        self.main
    }

    /// The main network and that of the configuration alone.
    ///
    /// # Panics
    /// If there is one network only: it is that of another model.
    pub(super) fn both(&self) -> [Mlp<'a, T>; 2] {
        match self.potential {
            Some(potential) => [self.main, potential],
            None => panic!("the networks of a model with a potential network are two, not one"),
        }
    }
}

impl<'a, T> From<Mlp<'a, T>> for Networks<'a, T> {
    fn from(main: Mlp<'a, T>) -> Self {
        Self { main, potential: None }
    }
}

/// Networks that own their parameters, packed for many blocks.
#[derive(Clone, Debug)]
pub struct PackedNetworks<T> {
    main: PackedMlp<T>,
    potential: Option<PackedMlp<T>>,
}

impl<T: Real> PackedNetworks<T> {
    /// A packed copy.
    pub fn new(networks: Networks<'_, T>) -> Self {
        let pack = |network: Mlp<'_, T>| match PackedMlp::new(network.shape(), network.parameters()) {
            Ok(packed) => packed,
            Err(error) => panic!("{error}"),
        };
        Self { main: pack(networks.main), potential: networks.potential.map(pack) }
    }

    /// The networks, as every method of a model takes them.
    pub fn networks(&self) -> Networks<'_, T> {
        Networks { main: self.main.network(), potential: self.potential.as_ref().map(PackedMlp::network) }
    }
}
