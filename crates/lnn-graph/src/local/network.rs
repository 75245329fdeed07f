//! One network of a density: its inputs and its shape.

use lnn_autodiff::features::FeatureMap;
use lnn_autodiff::{Activation, MlpShape};

use crate::error::DensityError;
use crate::features::FieldFeatures;

/// A network of the field at `width` sites, with its inputs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LocalNetwork {
    /// Of width × components unknowns.
    pub(crate) features: FeatureMap,
    pub(crate) shape: MlpShape,
}

impl LocalNetwork {
    pub(crate) fn new(
        features: &FieldFeatures,
        width: usize,
        hidden: &[usize],
        outputs: usize,
        activation: Activation,
    ) -> Result<Self, DensityError> {
        let features = features.map(width)?;
        let sizes = [&[features.len()][..], hidden, &[outputs]].concat();
        Ok(Self { features, shape: MlpShape::new(&sizes, activation)? })
    }

    /// Unknowns of an element.
    pub(crate) fn unknowns(&self) -> usize {
        self.features.degrees_of_freedom()
    }
}
