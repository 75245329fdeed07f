//! A trained model as one `.safetensors` file.
//!
//! Tensors `layers.{i}.weight` `[out, in]` and `layers.{i}.bias` `[out]` in the precision of training, and
//! `potential.layers.{i}…` likewise for a model with a second network;
//! everything else that the model is (architecture, features, residual mass, system, origin) as RON in
//! the file's metadata under `lnn.model`. Any safetensors reader can read the weights, and any writer can write such a
//! file: `docs/model-format.md` shows how.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::Path;

use lnn_autodiff::{MlpShape, Real};

use super::atomic::write_atomically;
use super::container::{self, Checksum, FileKind, Refusal};
use super::error::{StoreError, TensorProblem};
use super::field_model_file;
use super::model_header::ModelHeader;
use super::tensor::{Element, Elements, Tensor};
use crate::model::{Model, ModelError};

pub(super) const KIND: FileKind =
    FileKind { key: "lnn.model", version: 1, what: "model file", checksum: Checksum::Optional };

/// A model's parameters in the precision of the file: for each layer its weight `[out, in]`, row-major,
/// then its bias `[out]`.
#[derive(Clone, Debug, PartialEq)]
pub enum Parameters {
    /// Single precision.
    F32(Vec<f32>),
    /// Double precision.
    F64(Vec<f64>),
}

impl Parameters {
    /// Number of parameters.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The parameters in double precision, which holds either kind exactly.
    pub fn to_f64(&self) -> Vec<f64> {
        match self {
            Self::F32(values) => values.iter().map(|&value| f64::from(value)).collect(),
            Self::F64(values) => values.clone(),
        }
    }

    /// The parameters rounded to single precision.
    pub fn to_f32(&self) -> Vec<f32> {
        match self {
            Self::F32(values) => values.clone(),
            Self::F64(values) => values.iter().map(|&value| value as f32).collect(),
        }
    }
}

/// A model as read from its file.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedModel {
    /// What the model is.
    pub header: ModelHeader,
    /// Shapes of its networks, see [`ModelHeader::shapes`].
    pub shapes: Vec<MlpShape>,
    /// Their weights.
    pub parameters: Parameters,
}

impl LoadedModel {
    /// The model, ready to be evaluated with [`parameters`](Self::parameters) in either precision.
    ///
    /// # Errors
    /// A header whose numbers make no sense, such as a negative residual mass.
    pub fn model(&self) -> Result<Model, ModelError> {
        let ModelHeader { kind, features, degrees_of_freedom, conditionals, .. } = &self.header;
        Model::new(*kind, features, self.shapes[0].clone(), *degrees_of_freedom, *conditionals)
    }
}

/// Writes a model; `parameters` is the flat vector `[weight, bias]` layer by layer.
///
/// The same header and parameters give the same bytes on every machine.
///
/// # Errors
/// [`StoreError::Tensor`] if the parameters do not fit the header or are not finite, and
/// [`StoreError::Write`]; an existing file is untouched then.
pub fn save_model<T: Element + Real>(path: &Path, header: &ModelHeader, parameters: &[T]) -> Result<(), StoreError> {
    let tensors = header
        .require_labels()
        .and_then(|()| header.shapes())
        .and_then(|shapes| split(&shapes, PREFIXES, parameters))
        .map_err(|problem| StoreError::Tensor { path: path.to_owned(), problem })?;
    let bytes = container::encode(KIND, header, &tensors)
        .map_err(|error| StoreError::Encode { path: path.to_owned(), message: error.to_string() })?;
    write_atomically(path, &bytes)
}

/// Reads a model and checks it: checksum, version, shapes, finite weights.
///
/// # Errors
/// [`StoreError::Read`], [`StoreError::Damaged`], [`StoreError::Version`] or [`StoreError::Tensor`], each
/// naming the file and what is wrong with it.
pub fn load_model(path: &Path) -> Result<LoadedModel, StoreError> {
    let bytes = fs::read(path).map_err(StoreError::read(path))?;
    let (header, tensors) = container::decode::<ModelHeader>(KIND, &bytes).map_err(|refusal| {
        refused_model(path, (KIND, "of a system"), (field_model_file::KIND, "of a field"), refusal, &bytes)
    })?;
    join(header, tensors).map_err(|problem| StoreError::Tensor { path: path.to_owned(), problem })
}

/// A model file as it lies on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFileFacts {
    /// The checksum that it carries, if it has one; [`load_model`] has found it right.
    pub checksum: Option<String>,
    /// Its length in bytes.
    pub bytes: usize,
}

/// What a model file is as a file.
///
/// # Errors
/// [`StoreError::Read`].
pub fn model_file_facts(path: &Path) -> Result<ModelFileFacts, StoreError> {
    let bytes = fs::read(path).map_err(StoreError::read(path))?;
    Ok(ModelFileFacts { checksum: container::stored_checksum(&bytes), bytes: bytes.len() })
}

/// The version of the format that this program writes and reads.
pub const MODEL_FORMAT: u32 = KIND.version;

/// The error for a refused model file, which may hold a model of the other sort.
pub(super) fn refused_model(
    path: &Path,
    (kind, wanted): (FileKind, &'static str),
    (other, found): (FileKind, &'static str),
    refusal: Refusal,
    bytes: &[u8],
) -> StoreError {
    if container::has_record(other, bytes) {
        return StoreError::OtherModel { path: path.to_owned(), found, wanted };
    }
    refused(path, kind, refusal)
}

/// The error for a refused file.
pub(super) fn refused(path: &Path, kind: FileKind, refusal: Refusal) -> StoreError {
    match refusal {
        Refusal::Damage(damage) => StoreError::Damaged { path: path.to_owned(), what: kind.what, damage },
        Refusal::Version(found) => {
            StoreError::Version { path: path.to_owned(), what: kind.what, found, supported: kind.version }
        }
    }
}

/// What the tensors of the model's networks are called, in the order of their parameters.
const PREFIXES: &[&str] = &["", "potential."];

fn names(prefix: &str, layer: usize) -> [String; 2] {
    [format!("{prefix}layers.{layer}.weight"), format!("{prefix}layers.{layer}.bias")]
}

/// Name, shape and place of every tensor, in the order of the parameters.
fn layout<'a>(
    shapes: &'a [MlpShape],
    prefixes: &'a [&'static str],
) -> impl Iterator<Item = (String, Vec<usize>, Range<usize>)> + 'a {
    let starts = shapes.iter().scan(0, |next, shape| {
        let start = *next;
        *next += shape.parameter_count();
        Some(start)
    });
    shapes.iter().zip(prefixes).zip(starts).flat_map(|((shape, prefix), start)| {
        shape.layers().iter().enumerate().flat_map(move |(index, layer)| {
            let [weight, bias] = names(prefix, index);
            let place = |range: &Range<usize>| start + range.start..start + range.end;
            [
                (weight, vec![layer.outputs, layer.inputs], place(&layer.weight)),
                (bias, vec![layer.outputs], place(&layer.bias)),
            ]
        })
    })
}

/// The tensors of networks of these shapes, whose names begin with these prefixes.
pub(super) fn split<T: Element>(
    shapes: &[MlpShape],
    prefixes: &[&'static str],
    parameters: &[T],
) -> Result<BTreeMap<String, Tensor>, TensorProblem> {
    let expected = shapes.iter().map(MlpShape::parameter_count).sum();
    if parameters.len() != expected {
        return Err(TensorProblem::ParameterCount { found: parameters.len(), expected });
    }
    let mut tensors = BTreeMap::new();
    for (name, shape, range) in layout(shapes, prefixes) {
        let tensor = Tensor { shape, elements: T::into_elements(parameters[range].to_vec()) };
        finite(&name, &tensor.elements)?;
        tensors.insert(name, tensor);
    }
    Ok(tensors)
}

fn join(mut header: ModelHeader, tensors: BTreeMap<String, Tensor>) -> Result<LoadedModel, TensorProblem> {
    header.require_labels()?;
    if header.dimensions.is_empty() {
        header.dimensions = dimensions(&tensors)?;
    }
    let shapes = header.shapes()?;
    let parameters = join_parameters(&shapes, PREFIXES, tensors)?;
    Ok(LoadedModel { header, shapes, parameters })
}

/// Layer sizes of the main network as its weights `[out, in]` have them.
fn dimensions(tensors: &BTreeMap<String, Tensor>) -> Result<Vec<usize>, TensorProblem> {
    let mut sizes = Vec::new();
    for layer in 0.. {
        let [name, _] = names("", layer);
        let Some(tensor) = tensors.get(&name) else { break };
        let &[outputs, inputs] = tensor.shape.as_slice() else {
            return Err(TensorProblem::NotAMatrix { name, found: tensor.shape.clone() });
        };
        if sizes.is_empty() {
            sizes.push(inputs);
        }
        sizes.push(outputs);
    }
    if sizes.is_empty() { Err(TensorProblem::Missing { name: names("", 0)[0].clone() }) } else { Ok(sizes) }
}

/// The parameters of networks of these shapes, from all tensors of a file.
pub(super) fn join_parameters(
    shapes: &[MlpShape],
    prefixes: &[&'static str],
    mut tensors: BTreeMap<String, Tensor>,
) -> Result<Parameters, TensorProblem> {
    let first = &names(prefixes[0], 0)[0];
    let double = match tensors.get(first) {
        Some(tensor) => matches!(tensor.elements, Elements::F64(_)),
        None => {
            return Err(TensorProblem::Missing { name: first.clone() });
        }
    };
    let parameters = if double {
        Parameters::F64(flatten(shapes, prefixes, &mut tensors)?)
    } else {
        Parameters::F32(flatten(shapes, prefixes, &mut tensors)?)
    };
    if let Some((name, _)) = tensors.pop_first() {
        return Err(TensorProblem::Unexpected { name });
    }
    Ok(parameters)
}

fn flatten<T: Element>(
    shapes: &[MlpShape],
    prefixes: &[&'static str],
    tensors: &mut BTreeMap<String, Tensor>,
) -> Result<Vec<T>, TensorProblem> {
    let mut parameters = Vec::with_capacity(tensors.values().map(|tensor| tensor.elements.len()).sum());
    for (name, expected, _) in layout(shapes, prefixes) {
        let Some(tensor) = tensors.remove(&name) else {
            return Err(TensorProblem::Missing { name });
        };
        if tensor.shape != expected {
            return Err(TensorProblem::Shape { name, found: tensor.shape, expected });
        }
        finite(&name, &tensor.elements)?;
        parameters.extend_from_slice(tensor.elements.typed::<T>(&name)?);
    }
    Ok(parameters)
}

fn finite(name: &str, elements: &Elements) -> Result<(), TensorProblem> {
    match elements.first_non_finite() {
        None => Ok(()),
        Some((index, value)) => Err(TensorProblem::NonFinite { name: name.to_owned(), index, value }),
    }
}

#[cfg(test)]
mod tests;
