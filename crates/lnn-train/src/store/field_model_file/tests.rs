//! Files of field models: round trips, damage, strangers.

use std::sync::Arc;

use lnn_graph::fields::Wave;
use lnn_graph::topology::{Boundary, Topology};

use super::*;
use crate::field::config::FieldValueConfig;
use crate::store::{ModelHeader, load_model, save_model};

fn header(kind: FieldModelKind, neighbourhood: Neighbourhood) -> FieldModelHeader {
    FieldModelHeader {
        name: "lgn".to_owned(),
        kind,
        neighbourhood,
        components: 1,
        site_attributes: 0,
        hidden: vec![5, 4],
        activation: Activation::Tanh,
        features: FieldFeaturesConfig { value: FieldValueConfig::Circular, ..FieldFeaturesConfig::default() },
        field: Some(FieldKind::SineGordon { spacing: 0.1 }),
        provenance: Provenance { program: "lnn 0.1.0".to_owned(), seed: 7, ..Provenance::default() },
    }
}

const KINDS: [FieldModelKind; 3] =
    [FieldModelKind::Lgn { residual_mass: 0.3 }, FieldModelKind::Cnn { output_scale: 2.5 }, FieldModelKind::Hgn];

fn weights(header: &FieldModelHeader) -> Vec<f64> {
    let count = header.density().expect("sizes of a network").parameter_count();
    (0..count).map(|index| (index as f64 * 0.37).sin()).collect()
}

#[test]
fn every_kind_returns_from_its_file_and_moves_as_before_on_any_lattice() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("model-lgn.safetensors");
    for kind in KINDS {
        for neighbourhood in [Neighbourhood::Line, Neighbourhood::Pairs] {
            let header = header(kind, neighbourhood);
            let parameters = weights(&header);
            let single: Vec<f32> = parameters.iter().map(|&weight| weight as f32).collect();
            save_field_model(&path, &header, &single).expect("writable");
            let loaded = load_field_model(&path).expect("own file");
            assert_eq!((&loaded.header, loaded.parameters), (&header, Parameters::F32(single)));
            save_field_model(&path, &header, &parameters).expect("writable");
            let loaded = load_field_model(&path).expect("own file");
            assert_eq!(loaded.parameters, Parameters::F64(parameters.clone()));
            for sites in [5, 9] {
                let topology = Arc::new(Topology::line(sites, Boundary::Periodic).expect("a ring"));
                let wave = Wave::new(topology, 1.0).expect("a wave");
                let before = FieldModel::of_density(kind, header.density().expect("fits"), &wave).expect("fits");
                let accelerations = |model: &FieldModel| {
                    let state: Vec<f64> = (0..2 * sites).map(|index| (index as f64).cos()).collect();
                    let mut out = [vec![0.0; sites], vec![0.0; sites]];
                    let [rate, phi_ddot] = &mut out;
                    let mut block = model.block::<f64>(1, false).expect("memory");
                    block.rates_into(&parameters, [&state[..sites], &state[sites..]], [rate, phi_ddot]);
                    out
                };
                assert_eq!(accelerations(&loaded.model(&wave).expect("fits")), accelerations(&before));
            }
        }
    }
    let bytes = fs::read(&path).expect("readable");
    let text = String::from_utf8_lossy(&bytes);
    for name in ["site.layers.0.weight", "pair.layers.2.bias"] {
        assert!(text.contains(name), "{name}");
    }
}

#[test]
fn models_of_fields_and_of_systems_are_not_taken_for_each_other() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (of_field, of_system) = (folder.path().join("field.safetensors"), folder.path().join("system.safetensors"));
    let header = header(KINDS[0], Neighbourhood::Line);
    save_field_model(&of_field, &header, &weights(&header)).expect("writable");
    let message = load_model(&of_field).expect_err("another sort").to_string();
    for words in ["field.safetensors", "holds a model of a field, expected a model of a system", "dblpend"] {
        assert!(message.contains(words), "{words}: {message}");
    }
    let system = ModelHeader {
        name: "lnn".to_owned(),
        kind: crate::config::ModelKind::default(),
        degrees_of_freedom: 1,
        conditionals: 0,
        dimensions: vec![3, 2, 1],
        activation: Activation::Tanh,
        features: crate::config::FeaturesConfig::default(),
        system: None,
        provenance: Provenance::default(),
        coordinates: Vec::new(),
        conditional_labels: Vec::new(),
        time_unit: None,
    };
    save_model(&of_system, &system, &[0.5_f32; 11]).expect("writable");
    let message = load_field_model(&of_system).expect_err("another sort").to_string();
    for words in ["system.safetensors", "holds a model of a system, expected a model of a field", "wave"] {
        assert!(message.contains(words), "{words}: {message}");
    }
    // A file of neither sort is called damaged, as before.
    fs::write(&of_field, b"nothing of the kind").expect("writable");
    assert!(matches!(load_field_model(&of_field), Err(StoreError::Damaged { .. })));
}

#[test]
fn what_does_not_fit_is_refused_and_leaves_the_file_alone() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("model.safetensors");
    let good = header(KINDS[0], Neighbourhood::Pairs);
    let parameters = weights(&good);
    save_field_model(&path, &good, &parameters).expect("writable");
    let before = fs::read(&path).expect("readable");
    let mut not_finite = parameters.clone();
    not_finite[3] = f64::NAN;
    let refused = |header: &FieldModelHeader, parameters: &[f64]| {
        save_field_model(&path, header, parameters).expect_err("must be refused").to_string()
    };
    assert!(refused(&good, &not_finite).contains("NaN"));
    assert!(refused(&good, &parameters[1..]).contains(&(parameters.len() - 1).to_string()));
    let huge = FieldModelHeader { components: usize::MAX, ..good.clone() };
    assert!(refused(&huge, &parameters).contains("more than any network takes"));
    let flat = FieldModelHeader { activation: Activation::Relu, ..good };
    assert!(refused(&flat, &parameters).contains("second derivative"));
    assert_eq!(fs::read(&path).expect("readable"), before);
}
