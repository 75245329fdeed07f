//! From a configuration to the objects it describes.

use std::sync::Arc;

use lnn_autodiff::Real;

use super::config::{FieldConfig, FieldModelConfig, KnownField};
use super::error::FieldRunError;
use super::model::FieldModel;
use super::objective::FieldObjective;
use crate::experiment::{Purpose, blocks_of, sampler};
use crate::fit::{Training, TrainingPlan};
use crate::optimiser::RunningNormClip;

/// The field on the lattice that models are trained on.
///
/// # Errors
/// A lattice or field that cannot be made.
pub fn build_training_field(config: &FieldConfig) -> Result<KnownField, FieldRunError> {
    let topology = Arc::new(config.lattice.topology()?);
    Ok(config.field.for_training(topology, &sampler(config.seed, Purpose::Medium))?)
}

/// The field on the lattice that models are judged on.
///
/// # Errors
/// A lattice or field that cannot be made.
pub fn build_judged_field(config: &FieldConfig) -> Result<KnownField, FieldRunError> {
    let lattice = &config.evaluation.lattice;
    Ok(config.field.on(lattice, Arc::new(lattice.topology()?))?)
}

/// The model of `known`, a field on the training lattice, that `model` of `config` describes.
///
/// # Errors
/// Networks that do not fit the field or its lattice.
pub(super) fn build_field_model(
    config: &FieldConfig,
    (name, model): (&str, &FieldModelConfig),
    known: &KnownField,
) -> Result<FieldModel, FieldRunError> {
    FieldModel::new(model, &config.lattice, known.field())
        .map_err(|source| FieldRunError::Model { name: name.to_owned(), source })
}

/// The training of model `name` as `config` describes it, at step 0.
///
/// # Errors
/// A lattice, field, model or optimiser that cannot be made.
///
/// # Panics
/// If `config` has no model of that name.
pub fn build_field_training<T: Real>(
    config: &FieldConfig,
    name: &str,
) -> Result<Training<T, FieldObjective>, FieldRunError> {
    let model_config = &config.models[name];
    let recipe = &model_config.training;
    let known = Arc::new(build_training_field(config)?);
    let model = build_field_model(config, (name, model_config), &known)?;
    let field = known.field();
    let distribution = config.states.distribution(field.topology(), field.components())?;
    let refused = |source| FieldRunError::Optimiser { name: name.to_owned(), source };
    let optimiser = recipe.optimiser.build(&blocks_of(model.density().shapes())).map_err(refused)?;
    let clip = RunningNormClip::new(recipe.clipping).map_err(refused)?;
    Ok(Training::new(TrainingPlan {
        parameters: model_config.initialisation.draw_networks(model.density().shapes(), config.seed),
        optimiser,
        clip,
        l2_penalty: recipe.l2_penalty,
        batch: recipe.batch,
        gradient_parts: recipe.gradient_parts,
        schedule: recipe.schedule,
        objective: FieldObjective::new(
            model,
            known,
            distribution,
            sampler(config.seed, Purpose::Training),
            recipe.loss,
        ),
    }))
}
