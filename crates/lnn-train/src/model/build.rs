//! From what a configuration or a model file says to a model.

use lnn_autodiff::MlpShape;
use lnn_autodiff::features::{Feature, FeatureMap};
use lnn_autodiff::pseudoinverse::Tolerance;

use super::{
    DeepLagrangianNetwork, DeepLagrangianSettings, HamiltonianNetwork, LagrangianNetwork, Model, ModelError,
    PlainNetwork,
};
use crate::config::{AngleFeatures, FeaturesConfig, ModelKind};

impl Model {
    /// The model of `kind` with the main network `shape`, for d degrees of freedom and c conditional inputs.
    ///
    /// # Errors
    /// Features that cannot be computed, a network that does not fit them, or a setting of `kind` that makes
    /// no sense.
    pub fn new(
        kind: ModelKind,
        features: &FeaturesConfig,
        shape: MlpShape,
        degrees_of_freedom: usize,
        conditionals: usize,
    ) -> Result<Self, ModelError> {
        let map = feature_map(features, degrees_of_freedom, conditionals)?;
        let hidden = &shape.dimensions()[1..=shape.hidden_layers()];
        let potential = kind.potential_dimensions(features, hidden, degrees_of_freedom, conditionals);
        let potential = potential.map(|sizes| MlpShape::new(&sizes, shape.activation())).transpose()?;
        Ok(match kind {
            ModelKind::Lnn { residual_mass, pseudoinverse_tolerance, potential_scale, scaled_velocities } => {
                let tolerance = Tolerance { relative: pseudoinverse_tolerance, absolute: 0.0 };
                let mut model = LagrangianNetwork::new(shape, map, residual_mass, Some(tolerance))?;
                if scaled_velocities {
                    let each = features.of_coordinates(degrees_of_freedom);
                    let units: Vec<f64> = each.iter().map(|coordinate| coordinate.velocity_scale).collect();
                    model = model.in_velocity_units(&units)?;
                }
                Self::Lagrangian(match potential_scale.zip(potential) {
                    Some((scale, potential)) => model.with_potential(potential, scale)?,
                    None => model,
                })
            }
            ModelKind::Delan { diagonal, regularisation, potential_scale } => {
                let settings = DeepLagrangianSettings { diagonal, regularisation, potential_scale };
                let potential = potential.expect("a kind with a potential has its sizes");
                Self::DeepLagrangian(DeepLagrangianNetwork::new(shape, potential, &map, settings)?)
            }
            ModelKind::Hnn => Self::Hamiltonian(HamiltonianNetwork::new(shape, map)?),
            ModelKind::HnnCanonical { potential_scale } => {
                let model = HamiltonianNetwork::new(shape, map)?.in_canonical_coordinates();
                Self::Hamiltonian(match potential_scale.zip(potential) {
                    Some((scale, potential)) => model.with_potential(potential, scale)?,
                    None => model,
                })
            }
            ModelKind::Baseline { output_scale } => Self::Plain(PlainNetwork::acceleration(shape, map, output_scale)?),
            ModelKind::BaselineFirstOrder { velocity_scale, output_scale } => {
                Self::Plain(PlainNetwork::vector_field(shape, map, velocity_scale, output_scale)?)
            }
        })
    }
}

/// Features in the order: all sines, all cosines, the other coordinates, all velocities, the conditional inputs.
fn feature_map(config: &FeaturesConfig, dof: usize, conditionals: usize) -> Result<FeatureMap, ModelError> {
    let each = config.of_coordinates(dof);
    if each.len() != dof {
        return Err(ModelError::CoordinateFeatures { given: each.len(), degrees_of_freedom: dof });
    }
    let circular = || (0..dof).filter(|&index| each[index].angles == AngleFeatures::SinCos);
    let mut features = Vec::with_capacity(config.inputs(dof, conditionals));
    features.extend(circular().map(|index| Feature::Sine { index }));
    features.extend(circular().map(|index| Feature::Cosine { index }));
    features.extend(each.iter().enumerate().filter_map(|(index, coordinate)| {
        let scale = coordinate.position_scale;
        match coordinate.angles {
            AngleFeatures::SinCos => None,
            AngleFeatures::Wrap => Some(Feature::WrappedAngle { index, scale }),
            AngleFeatures::Identity => Some(Feature::Position { index, scale, centre: coordinate.position_centre }),
        }
    }));
    let velocities = each.iter().enumerate();
    features.extend(velocities.map(|(index, one)| Feature::Velocity { index, scale: one.velocity_scale }));
    let each = config.of_conditionals(conditionals);
    if each.len() != conditionals {
        return Err(ModelError::ConditionalFeatures { given: each.len(), conditionals });
    }
    let numbered = each.into_iter().enumerate();
    features.extend(numbered.map(|(index, one)| Feature::Conditional { index, scale: one.scale, centre: one.centre }));
    Ok(FeatureMap::new(dof, conditionals, features)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lnn_autodiff::Activation;

    fn network(inputs: usize, outputs: usize) -> MlpShape {
        MlpShape::new(&[inputs, 4, outputs], Activation::Softplus).expect("a shape")
    }

    fn with_mass(residual_mass: f64) -> Result<Model, ModelError> {
        let kind = ModelKind::Lnn {
            residual_mass,
            pseudoinverse_tolerance: 1e-6,
            potential_scale: None,
            scaled_velocities: false,
        };
        Model::new(kind, &FeaturesConfig::default(), network(6, 1), 2, 0)
    }

    #[test]
    fn numbers_that_make_no_sense_are_refused_by_name() {
        for given in [f64::NAN, f64::INFINITY, -1.0] {
            let refused = |result: Result<Model, ModelError>, wanted: &str| match result {
                Err(ModelError::Setting { name, given: found, .. }) => {
                    assert_eq!((name, found.to_bits()), (wanted, given.to_bits()));
                }
                other => panic!("{wanted} = {given}: {other:?}"),
            };
            refused(with_mass(given), "the residual mass");
            let kind = ModelKind::Lnn {
                residual_mass: 0.0,
                pseudoinverse_tolerance: given,
                potential_scale: None,
                scaled_velocities: false,
            };
            let features = FeaturesConfig::default();
            refused(Model::new(kind, &features, network(6, 1), 2, 0), "the pseudoinverse's relative tolerance");
            let kind = ModelKind::Baseline { output_scale: given };
            refused(Model::new(kind, &features, network(6, 2), 2, 0), "the output scale");
        }
        assert!(with_mass(0.0).is_ok());
        let features = FeaturesConfig { velocity_scale: 0.0, ..FeaturesConfig::default() };
        let refused = Model::new(ModelKind::default(), &features, network(6, 1), 2, 0);
        assert!(matches!(refused, Err(ModelError::Features(_))), "{refused:?}");
    }

    #[test]
    fn a_system_without_coordinates_is_refused() {
        let refused = Model::new(ModelKind::default(), &FeaturesConfig::default(), network(1, 1), 0, 1);
        assert_eq!(refused.err(), Some(ModelError::NoCoordinates));
    }
}
