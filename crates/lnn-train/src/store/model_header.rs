//! What a model file says of its model, as RON.

use std::sync::Arc;

use lnn_autodiff::{Activation, MlpShape};
use lnn_physics::System;
use lnn_physics::systems::SystemError;
use serde::{Deserialize, Serialize};

use super::error::TensorProblem;
use crate::config::{
    ActivationText, AngleFeatures, ConditionalFeatures, CoordinateFeatures, FeaturesConfig, ModelConfig, ModelKind,
    SystemConfig,
};
use crate::model::Model;
use crate::table::Column;

/// What a model is, apart from its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelHeader {
    /// Name of the model within its experiment; `model` where none is given.
    #[serde(default = "unnamed")]
    pub name: String,
    /// What the networks stand for, with the numbers that are not trained.
    pub kind: ModelKind,
    /// Degrees of freedom d.
    pub degrees_of_freedom: usize,
    /// Number of conditional inputs c (parameters such as g), which follow q and q̇ in the features.
    #[serde(default)]
    pub conditionals: usize,
    /// Layer sizes `[inputs, hidden…, outputs]` of the main network; a second one has the same hidden layers. A file may
    /// leave them to its weights.
    #[serde(default)]
    pub dimensions: Vec<usize>,
    /// Activation of the hidden layers.
    #[serde(with = "ActivationText")]
    pub activation: Activation,
    /// How a state becomes the network's input. In a file, other than in a configuration, what is left out changes
    /// nothing: coordinates enter as they are, and scales are 1.
    #[serde(with = "FeaturesText", default = "plain_features")]
    pub features: FeaturesConfig,
    /// The system it was trained on, if it is one that the program knows.
    #[serde(default)]
    pub system: Option<SystemConfig>,
    /// Where the weights come from.
    #[serde(default)]
    pub provenance: Provenance,
    /// Name and unit of each coordinate, `[d]`; empty where they are not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coordinates: Vec<Label>,
    /// Name and unit of each conditional, `[c]`; empty where they are not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditional_labels: Vec<Label>,
    /// Unit of the time, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_unit: Option<String>,
}

/// What a person calls a number, and its unit in the person's own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// Name, such as `q0` or `elbow`.
    pub name: String,
    /// Unit, such as `rad`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

impl From<&Column> for Label {
    fn from(column: &Column) -> Self {
        Self { name: column.name.clone(), unit: column.unit.clone() }
    }
}

fn unnamed() -> String {
    "model".to_owned()
}

fn one() -> f64 {
    1.0
}

fn untreated() -> AngleFeatures {
    AngleFeatures::Identity
}

/// [q, q̇, c].
fn plain_features() -> FeaturesConfig {
    FeaturesConfig {
        angles: untreated(),
        position_scale: 1.0,
        velocity_scale: 1.0,
        conditional_scale: 1.0,
        conditionals: Vec::new(),
        coordinates: Vec::new(),
    }
}

/// How features are written in model files; the compiler refuses it if the fields differ.
#[derive(Serialize, Deserialize)]
#[serde(remote = "FeaturesConfig", rename = "FeaturesConfig", deny_unknown_fields)]
struct FeaturesText {
    #[serde(default = "untreated")]
    angles: AngleFeatures,
    #[serde(default = "one")]
    position_scale: f64,
    #[serde(default = "one")]
    velocity_scale: f64,
    #[serde(default = "one")]
    conditional_scale: f64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    conditionals: Vec<ConditionalFeatures>,
    #[serde(default)]
    coordinates: Vec<CoordinateFeatures>,
}

/// Where a model's weights come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Provenance {
    /// Program and version that trained it.
    pub program: String,
    /// Experiment.
    pub experiment: String,
    /// Preset that its configuration started from.
    pub preset: String,
    /// Seed of weights and states.
    pub seed: u64,
    /// Optimiser steps.
    pub steps: u64,
    /// Training states seen.
    pub samples: u64,
    /// Fingerprint of the run's configuration.
    pub configuration: String,
    /// Fingerprint of the measured data that it was trained on; empty where states were drawn.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub data: String,
}

/// Why the system that a model file names cannot be used with the model.
#[derive(Debug, thiserror::Error)]
pub enum ModelSystemError {
    /// No such system, or not with these parameters.
    #[error("its `system`: {0}")]
    Build(#[from] SystemError),
    /// A system of other sizes.
    #[error(
        "its `system`, {name}, has {} degrees of freedom and {} conditional input(s), but the model has {} and {}; name the \
         system that it was trained on, or leave the field out",
        found[0], found[1], expected[0], expected[1]
    )]
    Sizes {
        /// The system's name.
        name: String,
        /// Its degrees of freedom and conditionals.
        found: [usize; 2],
        /// Those of the model.
        expected: [usize; 2],
    },
}

impl ModelHeader {
    /// What `model`, made by `config`, is; without labels, system and origin, which are fields to be set.
    pub fn new(name: &str, config: &ModelConfig, model: &Model) -> Self {
        Self {
            name: name.to_owned(),
            kind: config.kind,
            degrees_of_freedom: model.features().degrees_of_freedom(),
            conditionals: model.features().conditionals(),
            dimensions: model.shape().dimensions().to_vec(),
            activation: config.activation,
            features: config.features.clone(),
            system: None,
            provenance: Provenance::default(),
            coordinates: Vec::new(),
            conditional_labels: Vec::new(),
            time_unit: None,
        }
    }

    /// Shapes of the model's networks: the main one, then that of the configuration alone if the model has one.
    ///
    /// # Errors
    /// [`TensorProblem::Architecture`] if the sizes are no network or do not fit d, c and the features.
    pub fn shapes(&self) -> Result<Vec<MlpShape>, TensorProblem> {
        let shape = |dimensions: &[usize]| {
            MlpShape::new(dimensions, self.activation).map_err(|error| TensorProblem::Architecture(error.to_string()))
        };
        let main = shape(&self.dimensions)?;
        let (d, c) = (self.degrees_of_freedom, self.conditionals);
        // Before anything is computed from them: a file may say what it likes.
        const MOST: usize = 1 << 20;
        if d > MOST || c > MOST {
            return Err(TensorProblem::Architecture(format!(
                "{d} degrees of freedom and {c} conditional inputs are more than any network takes (at most {MOST})"
            )));
        }
        let hidden = &self.dimensions[1..self.dimensions.len() - 1];
        let needed = self.kind.dimensions(&self.features, hidden, d, c);
        if d == 0 || needed != self.dimensions {
            let conditionals = if c == 0 { String::new() } else { format!(" and {c} conditional input(s)") };
            return Err(TensorProblem::Architecture(format!(
                "the network maps {} inputs to {} outputs, but {d} degrees of freedom{conditionals} with these features \
                 need {} and {}",
                main.inputs(),
                main.outputs(),
                needed[0],
                needed[needed.len() - 1],
            )));
        }
        let potential = self.kind.potential_dimensions(&self.features, hidden, d, c);
        let potential = potential.map(|dimensions| shape(&dimensions)).transpose()?;
        Ok([main].into_iter().chain(potential).collect())
    }

    /// The system that the model was trained on, if the file names one, ready to give momenta and truth.
    ///
    /// # Errors
    /// [`ModelSystemError`]: a system that the program does not know, or one of other coordinates or conditionals than the
    /// model. The model itself can be evaluated all the same.
    pub fn build_system(&self) -> Result<Option<Arc<dyn System>>, ModelSystemError> {
        let Some(config) = &self.system else { return Ok(None) };
        let system = config.build()?;
        let found = [system.degrees_of_freedom(), system.conditionals().len()];
        let expected = [self.degrees_of_freedom, self.conditionals];
        if found == expected {
            Ok(Some(system))
        } else {
            Err(ModelSystemError::Sizes { name: config.name.clone(), found, expected })
        }
    }

    /// Refuses names of other coordinates or conditionals than there are.
    pub(super) fn require_labels(&self) -> Result<(), TensorProblem> {
        for (labels, what, expected) in [
            (&self.coordinates, "coordinates", self.degrees_of_freedom),
            (&self.conditional_labels, "conditional_labels", self.conditionals),
        ] {
            if !labels.is_empty() && labels.len() != expected {
                let given = labels.len();
                let text =
                    format!("`{what}` names {given}, but there are {expected}; give as many, or leave the field out");
                return Err(TensorProblem::Architecture(text));
            }
        }
        Ok(())
    }
}
