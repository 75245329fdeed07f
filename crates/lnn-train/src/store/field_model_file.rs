//! A trained model of a field as one `.safetensors` file.
//!
//! As the file of a model of a system, with the record under `lnn.field-model`; tensors `layers.{i}.…` of one network for
//! ordered neighbourhoods, `site.layers.{i}.…` and `pair.layers.{i}.…` for pairs. It holds no lattice, since the networks
//! serve lattices of any size.

use std::fs;
use std::path::Path;

use lnn_autodiff::{Activation, MlpShape, Real};
use lnn_graph::fields::Field;
use lnn_graph::{Density, DensityError, Neighbourhood};
use serde::{Deserialize, Serialize};

use super::atomic::write_atomically;
use super::container::{self, Checksum, FileKind};
use super::error::{StoreError, TensorProblem};
use super::model_file::{self, Parameters, join_parameters, refused_model, split};
use super::model_header::Provenance;
use super::tensor::Element;
use crate::config::ActivationText;
use crate::field::FieldModel;
use crate::field::config::{FieldFeaturesConfig, FieldKind, FieldModelKind};

pub(super) const KIND: FileKind =
    FileKind { key: "lnn.field-model", version: 1, what: "model file of a field", checksum: Checksum::Required };

/// What a model of a field is, apart from its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldModelHeader {
    /// Name of the model within its experiment.
    pub name: String,
    /// What the networks stand for, with the numbers that are not trained.
    pub kind: FieldModelKind,
    /// What a network sees.
    #[serde(with = "NeighbourhoodText")]
    pub neighbourhood: Neighbourhood,
    /// Field components at a site.
    pub components: usize,
    /// Known attributes of a site that the networks see.
    pub site_attributes: usize,
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Activation of the hidden layers.
    #[serde(with = "ActivationText")]
    pub activation: Activation,
    /// How field, rate and attributes become inputs.
    pub features: FieldFeaturesConfig,
    /// The field it was trained on, if it is one that the program knows.
    pub field: Option<FieldKind>,
    /// Where the weights come from.
    pub provenance: Provenance,
}

/// Serde's description of [`Neighbourhood`]; the compiler refuses it if the variants differ.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Neighbourhood")]
enum NeighbourhoodText {
    Line,
    Grid,
    Pairs,
}

/// A model of a field as read from its file.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedFieldModel {
    /// What the model is.
    pub header: FieldModelHeader,
    /// Its networks.
    pub density: Density,
    /// Their weights.
    pub parameters: Parameters,
}

impl LoadedFieldModel {
    /// The model on the lattice of `field`, ready to be evaluated with [`parameters`](Self::parameters).
    ///
    /// # Errors
    /// A lattice without such neighbourhoods, or sites with another number of attributes.
    pub fn model(&self, field: &dyn Field) -> Result<FieldModel, DensityError> {
        FieldModel::of_density(self.header.kind, self.density.clone(), field)
    }
}

impl FieldModelHeader {
    /// The networks.
    ///
    /// # Errors
    /// [`TensorProblem::Architecture`] if the sizes, scales or activation make no networks.
    pub fn density(&self) -> Result<Density, TensorProblem> {
        // Before anything is computed from them: a file may say what it likes.
        const MOST: usize = 1 << 16;
        let refused = |reason: String| TensorProblem::Architecture(reason);
        let (components, attributes) = (self.components, self.site_attributes);
        if components > MOST || attributes > MOST {
            return Err(refused(format!(
                "{components} components and {attributes} attributes of a site are more than any network takes (at \
                 most {MOST})"
            )));
        }
        let features = self.features.features(components, attributes);
        let made = match self.kind {
            FieldModelKind::Cnn { .. } => {
                Density::with_outputs(self.neighbourhood, features, &self.hidden, components, self.activation)
            }
            FieldModelKind::Lgn { .. } | FieldModelKind::Hgn => {
                Density::new(self.neighbourhood, features, &self.hidden, self.activation)
            }
        };
        made.map_err(|error| refused(error.to_string()))
    }

    /// What the tensors of each network are called.
    fn prefixes(&self) -> &'static [&'static str] {
        match self.neighbourhood {
            Neighbourhood::Line | Neighbourhood::Grid => &[""],
            Neighbourhood::Pairs => &["site.", "pair."],
        }
    }
}

/// Writes a model of a field; `parameters` is the flat vector of its networks.
///
/// # Errors
/// As [`save_model`](super::save_model).
pub fn save_field_model<T: Element + Real>(
    path: &Path,
    header: &FieldModelHeader,
    parameters: &[T],
) -> Result<(), StoreError> {
    let tensors = header
        .density()
        .and_then(|density| split(&shapes(&density), header.prefixes(), parameters))
        .map_err(|problem| StoreError::Tensor { path: path.to_owned(), problem })?;
    let bytes = container::encode(KIND, header, &tensors)
        .map_err(|error| StoreError::Encode { path: path.to_owned(), message: error.to_string() })?;
    write_atomically(path, &bytes)
}

/// Reads a model of a field and checks it: checksum, version, shapes, finite weights.
///
/// # Errors
/// As [`load_model`](super::load_model); a model of a system is refused as [`StoreError::OtherModel`].
pub fn load_field_model(path: &Path) -> Result<LoadedFieldModel, StoreError> {
    let bytes = fs::read(path).map_err(StoreError::read(path))?;
    let (header, tensors) = container::decode::<FieldModelHeader>(KIND, &bytes).map_err(|refusal| {
        refused_model(path, (KIND, "of a field"), (model_file::KIND, "of a system"), refusal, &bytes)
    })?;
    let problem = |problem| StoreError::Tensor { path: path.to_owned(), problem };
    let density = header.density().map_err(problem)?;
    let parameters = join_parameters(&shapes(&density), header.prefixes(), tensors).map_err(problem)?;
    Ok(LoadedFieldModel { header, density, parameters })
}

fn shapes(density: &Density) -> Vec<MlpShape> {
    density.shapes().cloned().collect()
}

#[cfg(test)]
mod tests;
