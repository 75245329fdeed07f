//! One model of a field and its training recipe, as written in files.

use lnn_autodiff::Activation;
use lnn_graph::{ComponentFeatures, Density, DensityError, FieldFeatures, FieldValue, Neighbourhood};
use serde::{Deserialize, Serialize};

use super::lattice::LatticeConfig;
use crate::config::{ActivationText, Initialisation, Precision, TrainingConfig, TrainingData};
use crate::loss::{Loss, LossWeight};
use crate::optimiser::{ClippingConfig, OptimiserConfig, Schedule};

/// A model of a field and how it is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FieldModelConfig {
    /// What the networks stand for.
    pub kind: FieldModelKind,
    /// What a network sees of a site's surroundings.
    pub neighbourhood: NeighbourhoodConfig,
    /// Widths of the hidden layers, first to last.
    pub hidden: Vec<usize>,
    /// Activation of the hidden layers.
    #[serde(with = "ActivationText")]
    pub activation: Activation,
    /// Distribution of the first weights.
    pub initialisation: Initialisation,
    /// How field, rate and attributes become inputs.
    pub features: FieldFeaturesConfig,
    /// Precision of training.
    pub precision: Precision,
    /// The training recipe.
    pub training: FieldTrainingConfig,
}

impl Default for FieldModelConfig {
    /// The Lagrangian graph network of preset `fast`.
    fn default() -> Self {
        Self {
            kind: FieldModelKind::default(),
            neighbourhood: NeighbourhoodConfig::Ordered,
            hidden: vec![64, 64, 64],
            activation: Activation::Softplus,
            initialisation: Initialisation::default(),
            features: FieldFeaturesConfig::default(),
            precision: Precision::F32,
            training: FieldTrainingConfig::default(),
        }
    }
}

impl FieldModelConfig {
    /// The networks for fields of `components` components on lattices like `lattice`, whose sites have `attributes`
    /// attributes.
    ///
    /// # Errors
    /// Sizes, scales or an activation that make no such networks.
    pub fn density(
        &self,
        lattice: &LatticeConfig,
        components: usize,
        attributes: usize,
    ) -> Result<Density, DensityError> {
        let neighbourhood = self.neighbourhood.on(lattice);
        let features = self.features.features(components, attributes);
        match self.kind {
            FieldModelKind::Cnn { .. } => {
                Density::with_outputs(neighbourhood, features, &self.hidden, components, self.activation)
            }
            FieldModelKind::Lgn { .. } | FieldModelKind::Hgn => {
                Density::new(neighbourhood, features, &self.hidden, self.activation)
            }
        }
    }
}

/// What the networks of a field's model stand for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum FieldModelKind {
    /// L = Σ_sites density + ½ m Σ φ̇²: a Lagrangian graph network.
    Lgn {
        /// Residual mass m.
        residual_mass: f64,
    },
    /// φ̈ = s · network of the neighbourhood: a convolutional network.
    Cnn {
        /// Scale s, in the units of φ̈.
        output_scale: f64,
    },
    /// H = Σ_sites density(φ, π), with the rates taken for the momenta π: a Hamiltonian graph network.
    Hgn,
}

impl Default for FieldModelKind {
    /// A Lagrangian graph network with residual mass 1.
    fn default() -> Self {
        Self::Lgn { residual_mass: 1.0 }
    }
}

impl FieldModelKind {
    /// The kind in words.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Lgn { .. } => "Lagrangian graph network",
            Self::Cnn { .. } => "convolutional network",
            Self::Hgn => "Hamiltonian graph network",
        }
    }
}

/// What a network sees of a site's surroundings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NeighbourhoodConfig {
    /// The site and its neighbours, each at its place: left and right on a line, also above and below on a grid.
    Ordered,
    /// The site alone, and the site with each neighbour, by two networks: the neighbours' order and number do not matter.
    Pairs,
}

impl NeighbourhoodConfig {
    /// The neighbourhood on `lattice`.
    #[must_use]
    pub fn on(self, lattice: &LatticeConfig) -> Neighbourhood {
        match self {
            Self::Pairs => Neighbourhood::Pairs,
            Self::Ordered if lattice.is_grid() => Neighbourhood::Grid,
            Self::Ordered => Neighbourhood::Line,
        }
    }
}

/// How field, rate and attributes become inputs, alike for all components.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FieldFeaturesConfig {
    /// How the value enters.
    pub value: FieldValueConfig,
    /// Divides the rate.
    pub rate_scale: f64,
    /// Divides a site's attributes, such as the speed in a medium.
    pub attribute_scale: f64,
}

impl Default for FieldFeaturesConfig {
    /// Everything as it is.
    fn default() -> Self {
        Self { value: FieldValueConfig::Plain { scale: 1.0 }, rate_scale: 1.0, attribute_scale: 1.0 }
    }
}

impl FieldFeaturesConfig {
    /// The features of `components` components and `attributes` attributes of a site.
    #[must_use]
    pub fn features(&self, components: usize, attributes: usize) -> FieldFeatures {
        let value = match self.value {
            FieldValueConfig::Plain { scale } => FieldValue::Plain { scale },
            FieldValueConfig::Circular => FieldValue::Circular,
        };
        FieldFeatures {
            components: vec![ComponentFeatures { value, rate_scale: self.rate_scale }; components],
            site_attribute_scales: vec![self.attribute_scale; attributes],
            edge_attribute_scales: Vec::new(),
        }
    }
}

/// How the value of the field becomes inputs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum FieldValueConfig {
    /// φ / scale.
    Plain {
        /// Divisor.
        scale: f64,
    },
    /// (sin φ, cos φ), for an angle.
    Circular,
}

/// The training recipe of one model of a field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FieldTrainingConfig {
    /// Optimiser steps; a schedule with an end must end here.
    pub steps: u64,
    /// Lattices a step.
    pub batch: usize,
    /// Loss on the acceleration of each site, or on both rates of a Hamiltonian; averaged over lattices and sites.
    pub loss: Loss,
    /// Coefficient c of the penalty c‖θ‖² added to the loss.
    pub l2_penalty: f64,
    /// Optimiser.
    pub optimiser: OptimiserConfig,
    /// Learning rate against the step.
    pub schedule: Schedule,
    /// Shortening of unusually long gradients.
    pub clipping: ClippingConfig,
    /// Partial gradients, see [`TrainingConfig::gradient_parts`].
    pub gradient_parts: Option<usize>,
}

impl FieldTrainingConfig {
    /// The same recipe for a model of a system's states: what they share is judged in one place.
    pub(super) fn for_states(&self) -> TrainingConfig {
        let Self { steps, batch, loss, l2_penalty, optimiser, schedule, clipping, gradient_parts } = self.clone();
        TrainingConfig {
            steps,
            batch,
            loss,
            weight: LossWeight::Uniform,
            l2_penalty,
            optimiser,
            schedule,
            clipping,
            gradient_parts,
            data: TrainingData::States,
        }
    }
}
