//! Model files that need no training.

use std::path::Path;

use lnn_autodiff::Activation;
use lnn_train::config::{AngleFeatures, FeaturesConfig, ModelConfig, ModelKind, preset_with};
use lnn_train::experiment::build_model_for;
use lnn_train::store::{Label, ModelHeader, Provenance, save_model};

/// A header of which the tests change what they need.
fn header(name: &str, kind: ModelKind, dimensions: &[usize]) -> ModelHeader {
    ModelHeader {
        name: name.to_owned(),
        kind,
        degrees_of_freedom: 2,
        conditionals: 0,
        dimensions: dimensions.to_vec(),
        activation: Activation::Softplus,
        features: FeaturesConfig::default(),
        system: None,
        provenance: Provenance::default(),
        coordinates: Vec::new(),
        conditional_labels: Vec::new(),
        time_unit: None,
    }
}

/// The untrained model `model` of the preset `models` of a system, two layers of 16, with its weights for seed 4, in
/// double precision.
pub(crate) fn save_untrained(path: &Path, system: &str, model: &str, named: bool) {
    let config = preset_with(system, "models", &Default::default()).expect("a system");
    let built = config.system.build().expect("usable");
    let recipe = ModelConfig { hidden: vec![16, 16], ..config.models[model].clone() };
    let network = build_model_for(&recipe, &*built).expect("usable");
    let header = ModelHeader {
        degrees_of_freedom: built.degrees_of_freedom(),
        conditionals: built.conditionals().len(),
        features: recipe.features.clone(),
        activation: recipe.activation,
        system: named.then(|| config.system.clone()),
        ..header(model, recipe.kind, network.shape().dimensions())
    };
    let parameters: Vec<f64> = recipe.initialisation.draw(&network, 4);
    save_model(path, &header, &parameters).expect("writable");
}

/// L = softplus(q̇₀) + softplus(q̇₁ + 2 q₁): z = q̇₁ + 2 q₁ obeys ż = 2 (1 + eᶻ), and the mass matrix diag(σ′(q̇₀), σ′(z))
/// is singular where z is infinite, at t = ln(1 + e^(−z₀))/2. Its coordinates are labelled.
pub(crate) fn save_bursting(path: &Path) {
    let kind = ModelKind::Lnn {
        residual_mass: 0.0,
        pseudoinverse_tolerance: 1e-6,
        potential_scale: None,
        scaled_velocities: false,
    };
    let label = |name: &str, unit: &str| Label { name: name.to_owned(), unit: Some(unit.to_owned()) };
    let header = ModelHeader {
        features: FeaturesConfig { angles: AngleFeatures::Identity, velocity_scale: 1.0, ..FeaturesConfig::default() },
        coordinates: vec![label("elbow", "rad"), label("slide", "mm")],
        time_unit: Some("ms".to_owned()),
        ..header("bursting", kind, &[4, 2, 1])
    };
    let parameters = [0.0, 0.0, 1.0, 0.0, 0.0, 2.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0];
    save_model(path, &header, &parameters).expect("writable");
}
