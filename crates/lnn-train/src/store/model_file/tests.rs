//! Round trips, refusals and bit patterns of model files.

use proptest::prelude::*;

use std::collections::HashMap;

use lnn_autodiff::Activation;

use super::*;
use crate::config::{AngleFeatures, FeaturesConfig, ModelKind, SystemConfig};
use crate::store::{Damage, Label, Provenance};

fn header(dimensions: &[usize]) -> ModelHeader {
    ModelHeader {
        name: "lnn".to_owned(),
        kind: ModelKind::Lnn {
            residual_mass: 1.0,
            pseudoinverse_tolerance: 1e-6,
            potential_scale: None,
            scaled_velocities: false,
        },
        degrees_of_freedom: 2,
        conditionals: dimensions[0] - 6,
        dimensions: dimensions.to_vec(),
        activation: Activation::Tanh,
        features: FeaturesConfig::default(),
        system: Some(SystemConfig::default()),
        provenance: Provenance { seed: 3, ..Provenance::default() },
        coordinates: vec![Label { name: "elbow".to_owned(), unit: Some("rad".to_owned()) }; 2],
        conditional_labels: vec![Label { name: "g".to_owned(), unit: None }; dimensions[0] - 6],
        time_unit: Some("s".to_owned()),
    }
}

fn sample() -> (ModelHeader, Vec<f32>) {
    let header = header(&[6, 3, 1]);
    let count = header.shapes().expect("fits")[0].parameter_count();
    (header, (0..count).map(|i| i as f32 * 0.25 - 2.0).collect())
}

/// The tensors of the sample after `change`, written and read.
fn reread(change: impl FnOnce(&mut BTreeMap<String, Tensor>)) -> StoreError {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("model.safetensors");
    let (header, parameters) = sample();
    let mut tensors = split(&header.shapes().expect("fits"), PREFIXES, &parameters).expect("fits");
    change(&mut tensors);
    let bytes = container::encode(KIND, &header, &tensors).expect("plain data");
    fs::write(&path, bytes).expect("writable");
    load_model(&path).expect_err("changed")
}

#[test]
fn a_python_reader_finds_the_layers_by_name_and_shape() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("model.safetensors");
    let (header, parameters) = sample();
    save_model(&path, &header, &parameters).expect("writable");
    let bytes = fs::read(&path).expect("written");
    let file = safetensors::SafeTensors::deserialize(&bytes).expect("a safetensors file");
    let mut names: Vec<_> = file.names();
    names.sort_unstable();
    assert_eq!(names, ["layers.0.bias", "layers.0.weight", "layers.1.bias", "layers.1.weight"]);
    let weight = file.tensor("layers.0.weight").expect("present");
    assert_eq!(weight.shape(), [3, 6]);
    // Row-major [out, in]: the second row's first entry is the flat vector's seventh.
    assert_eq!(weight.data()[6 * 4..7 * 4], parameters[6].to_le_bytes());
    let bias = file.tensor("layers.0.bias").expect("present");
    assert_eq!(bias.data()[..4], parameters[18].to_le_bytes());
}

#[test]
fn what_does_not_fit_the_header_is_refused_by_name() {
    let message = reread(|tensors| drop(tensors.remove("layers.1.weight"))).to_string();
    assert!(message.contains("`layers.1.weight` is missing"), "{message}");
    let message = reread(|tensors| drop(tensors.remove("layers.0.weight"))).to_string();
    assert!(message.contains("`layers.0.weight` is missing"), "{message}");
    let message = reread(|tensors| {
        let extra = Tensor::flat(Elements::F32(vec![1.0]));
        tensors.insert("layers.2.bias".to_owned(), extra);
    })
    .to_string();
    assert!(message.contains("`layers.2.bias`"), "{message}");
    let message = reread(|tensors| {
        tensors.get_mut("layers.0.weight").expect("present").shape = vec![6, 3];
    })
    .to_string();
    assert!(message.contains("the shape [6, 3], expected [3, 6]"), "{message}");
    let message = reread(|tensors| {
        tensors.get_mut("layers.1.bias").expect("present").elements = Elements::F64(vec![0.5]);
    })
    .to_string();
    assert!(message.contains("`layers.1.bias` has elements of type f64, expected f32"), "{message}");
    let message = reread(|tensors| {
        let mut values = vec![0.0; 18];
        values[5] = f32::NAN;
        tensors.get_mut("layers.0.weight").expect("present").elements = Elements::F32(values);
    })
    .to_string();
    assert!(message.contains("`layers.0.weight` has the non-finite value NaN at index 5"), "{message}");
}

#[test]
fn bad_parameters_are_not_written_and_the_old_file_stays() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("model.safetensors");
    let (header, mut parameters) = sample();
    save_model(&path, &header, &parameters).expect("writable");
    let before = fs::read(&path).expect("written");
    let short = save_model(&path, &header, &parameters[1..]).expect_err("too few").to_string();
    assert!(short.contains("has 25 parameters, but 24"), "{short}");
    parameters[20] = f32::INFINITY;
    let infinite = save_model(&path, &header, &parameters).expect_err("infinite").to_string();
    assert!(infinite.contains("`layers.0.bias` has the non-finite value inf at index 2"), "{infinite}");
    let wrong = ModelHeader { degrees_of_freedom: 3, coordinates: vec![], ..header };
    let wrong = save_model(&path, &wrong, &[0.0_f32; 25]).expect_err("other features").to_string();
    assert!(wrong.contains("maps 6 inputs to 1 outputs"), "{wrong}");
    assert_eq!(fs::read(&path).expect("untouched"), before);
}

#[test]
fn damage_version_and_absence_are_told_apart() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("model.safetensors");
    let (header, parameters) = sample();
    save_model(&path, &header, &parameters).expect("writable");
    let bytes = fs::read(&path).expect("written");

    fs::write(&path, &bytes[..bytes.len() - 7]).expect("writable");
    let error = load_model(&path).expect_err("truncated");
    assert!(matches!(error, StoreError::Damaged { damage: Damage::Length { .. }, .. }), "{error}");
    let mut flipped = bytes.clone();
    *flipped.last_mut().expect("not empty") ^= 1;
    fs::write(&path, flipped).expect("writable");
    let error = load_model(&path).expect_err("altered");
    assert!(matches!(error, StoreError::Damaged { damage: Damage::Checksum { .. }, .. }), "{error}");
    assert!(error.to_string().contains("model.safetensors is not a usable model file"), "{error}");

    let newer = FileKind { version: 2, ..KIND };
    let tensors = split(&header.shapes().expect("fits"), PREFIXES, &parameters).expect("fits");
    fs::write(&path, container::encode(newer, &header, &tensors).expect("plain")).expect("writable");
    let message = load_model(&path).expect_err("newer").to_string();
    assert!(message.contains("of format version 2, but this program reads version 1"), "{message}");

    fs::remove_file(&path).expect("present");
    assert!(matches!(load_model(&path), Err(StoreError::Read { .. })));
}

#[test]
fn a_loaded_model_gives_the_rates_of_the_saved_one() {
    use crate::config::ModelConfig;
    use crate::experiment::build_model;
    use crate::model::{RatesMut, States};

    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("model.safetensors");
    let q: Vec<f64> = (0..6).map(|i| 0.7 * f64::from(i) - 2.0).collect();
    let q_dot: Vec<f64> = (0..6).map(|i| 1.9 - 0.6 * f64::from(i)).collect();
    let states = States { q: &q, q_dot: &q_dot, conditionals: &[] };
    let rates = |model: &Model, parameters: &[f64]| {
        let (mut velocity, mut acceleration) = (vec![0.0; 6], vec![0.0; 6]);
        let rates = RatesMut { q: &mut velocity, q_dot: &mut acceleration };
        model.block(3, false).rates(model.bind(parameters), states, rates);
        velocity.iter().chain(&acceleration).map(|value| value.to_bits()).collect::<Vec<u64>>()
    };
    for kind in [
        ModelKind::Lnn {
            residual_mass: 0.5,
            pseudoinverse_tolerance: 1e-6,
            potential_scale: None,
            scaled_velocities: false,
        },
        ModelKind::Lnn {
            residual_mass: 0.5,
            pseudoinverse_tolerance: 1e-6,
            potential_scale: Some(2.0),
            scaled_velocities: false,
        },
        ModelKind::Delan { diagonal: 1.0, regularisation: 0.1, potential_scale: 2.0 },
        ModelKind::Hnn,
        ModelKind::Baseline { output_scale: 3.0 },
        ModelKind::BaselineFirstOrder { velocity_scale: 2.0, output_scale: 3.0 },
    ] {
        let config = ModelConfig { kind, hidden: vec![5, 4], ..ModelConfig::default() };
        let model = build_model(&config, 2).expect("usable");
        let parameters: Vec<f64> = config.initialisation.draw(&model, 7);
        let header = ModelHeader {
            kind,
            dimensions: config.dimensions(2, 0),
            activation: config.activation,
            features: config.features,
            ..header(&[6, 1])
        };
        save_model(&path, &header, &parameters).expect("writable");
        let loaded = load_model(&path).expect("just written");
        let again = loaded.model().expect("usable");
        assert_eq!(rates(&model, &parameters), rates(&again, &loaded.parameters.to_f64()), "{kind:?}");
    }
}

#[test]
fn a_header_with_an_impossible_number_makes_no_model() {
    let (header, parameters) = sample();
    let header = ModelHeader {
        kind: ModelKind::Lnn {
            residual_mass: -1.0,
            pseudoinverse_tolerance: 1e-6,
            potential_scale: None,
            scaled_velocities: false,
        },
        ..header
    };
    let shapes = header.shapes().expect("fits");
    let loaded = LoadedModel { header, shapes, parameters: Parameters::F32(parameters) };
    let message = loaded.model().expect_err("negative mass").to_string();
    assert!(message.contains("the residual mass is -1"), "{message}");
}

/// A file as another program writes it: this record, and these tensors of f32 by name and shape.
fn by_hand(record: &str, tensors: &[(&str, &[usize])]) -> Result<LoadedModel, StoreError> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("model.safetensors");
    let tensor = |shape: &[usize]| Tensor {
        shape: shape.to_vec(),
        elements: Elements::F32((0..shape.iter().product()).map(|i| (i as f32 * 0.7).sin()).collect()),
    };
    let tensors: BTreeMap<String, Tensor> =
        tensors.iter().map(|&(name, shape)| (name.to_owned(), tensor(shape))).collect();
    let metadata = HashMap::from([("lnn.model".to_owned(), record.to_owned())]);
    fs::write(&path, safetensors::serialize(&tensors, Some(metadata)).expect("plain data")).expect("writable");
    load_model(&path)
}

const TWO_LAYERS: [(&str, &[usize]); 4] =
    [("layers.0.weight", &[3, 2]), ("layers.0.bias", &[3]), ("layers.1.weight", &[1, 3]), ("layers.1.bias", &[1])];

#[test]
fn a_short_record_by_hand_is_enough_and_what_it_leaves_out_changes_nothing() {
    let record = "(format: 1, record: (kind: Lnn(residual_mass: 0), degrees_of_freedom: 1, activation: tanh))";
    let loaded = by_hand(record, &TWO_LAYERS).expect("complete");
    let expected = ModelHeader {
        name: "model".to_owned(),
        kind: ModelKind::Lnn {
            residual_mass: 0.0,
            pseudoinverse_tolerance: 1e-6,
            potential_scale: None,
            scaled_velocities: false,
        },
        degrees_of_freedom: 1,
        conditionals: 0,
        dimensions: vec![2, 3, 1],
        activation: Activation::Tanh,
        features: FeaturesConfig {
            angles: AngleFeatures::Identity,
            position_scale: 1.0,
            velocity_scale: 1.0,
            conditional_scale: 1.0,
            conditionals: vec![],
            coordinates: vec![],
        },
        system: None,
        provenance: Provenance::default(),
        coordinates: vec![],
        conditional_labels: vec![],
        time_unit: None,
    };
    assert_eq!(loaded.header, expected);
    assert!(loaded.model().is_ok());
}

#[test]
fn a_record_by_hand_is_refused_by_the_name_of_what_is_wrong() {
    let with = |fields: &str| format!("(format: 1, record: (degrees_of_freedom: 1, activation: tanh, {fields}))");
    let lnn = "kind: Lnn(residual_mass: 0)";
    for (record, words) in [
        (with(lnn).replace("tanh", "than"), "there is no choice `than`"),
        (with(lnn).replace("activation: tanh,", ""), "the field `activation` of `ModelHeader` is missing"),
        (with("kind: Lnn(residual_mas: 0)"), "no field `residual_mas` in `Lnn`; did you mean `residual_mass`"),
        (with("kind: Lnn()"), "the field `residual_mass` of `Lnn` is missing"),
        (with(&format!("{lnn}, unit: 3")), "there is no field `unit` in `ModelHeader`; valid names"),
        (with(&format!("{lnn}, features: (scale: 2)")), "there is no field `scale` in the features section"),
        (with(lnn).replace("format: 1", "format: 2"), "of format version 2, but this program reads version 1"),
        (with(lnn).replace("format: 1,", ""), "the field `format`"),
        (with(&format!("{lnn}, conditionals: 1")), "1 degrees of freedom and 1 conditional input(s) with these"),
        (with(&format!("{lnn}, features: (angles: SinCos)")), "maps 2 inputs to 1 outputs, but 1 degrees of freedom"),
        (
            with(&format!(r#"{lnn}, coordinates: [(name: "x", unit: "m"), (name: "y")]"#)),
            "`coordinates` names 2, but there are 1",
        ),
        (
            with(&format!(r#"{lnn}, conditional_labels: [(name: "g")]"#)),
            "`conditional_labels` names 1, but there are 0",
        ),
        (with("kind: Lnn(residual_mass: 0, potential_scale: 1)"), "`potential.layers.0.weight` is missing"),
    ] {
        let message = by_hand(&record, &TWO_LAYERS).expect_err(words).to_string();
        assert!(message.contains(words) && message.contains("model.safetensors"), "{words}\n{message}");
    }
    for (tensors, words) in [
        (&TWO_LAYERS[2..], "the tensor `layers.0.weight` is missing"),
        (&[("layers.0.weight", &[2][..])][..], "`layers.0.weight` has the shape [2], expected a matrix [out, in]"),
        (
            &[TWO_LAYERS[0], TWO_LAYERS[1], ("layers.1.weight", &[1, 4]), TWO_LAYERS[3]],
            "`layers.1.weight` has the shape [1, 4], expected [1, 3]",
        ),
    ] {
        let message = by_hand(&with(lnn), tensors).expect_err(words).to_string();
        assert!(message.contains(words), "{words}\n{message}");
    }
}

/// A model can be evaluated whatever system its file names, but has momenta and truth of a fitting one only.
#[test]
fn a_system_of_other_sizes_than_the_model_is_refused_where_it_is_asked_for() {
    let with = |system: &str| {
        let record =
            "(format: 1, record: (degrees_of_freedom: 1, activation: tanh, kind: Lnn(residual_mass: 0), system: ";
        by_hand(&format!("{record}{system}))"), &TWO_LAYERS).expect("a model").header.build_system()
    };
    assert!(with("None").expect("nothing to build").is_none());
    assert_eq!(with(r#"Some((name: "spring"))"#).expect("it fits").expect("a system").degrees_of_freedom(), 1);
    for (name, words) in [
        (
            "dblpend",
            "`system`, dblpend, has 2 degrees of freedom and 0 conditional input(s), but the model has 1 and 0",
        ),
        ("relativistic", "has 1 degrees of freedom and 1 conditional input(s), but the model has 1 and 0"),
        ("dblpnd", "dblpend"),
    ] {
        let message = with(&format!(r#"Some((name: "{name}"))"#)).expect_err("refused").to_string();
        assert!(message.contains(words), "{words}: {message}");
    }
}

#[test]
fn files_of_an_earlier_build_stay_readable() {
    use crate::model::{RatesMut, States};

    for (name, precise, acceleration, energy) in [
        ("lnn-f32", false, [0.506385151398034, 0.8815427403418231], -0.07722528996130962),
        ("delan-f64", true, [0.38611749625502173, 0.36567911006838677], 2.3747196839419793),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/format-1-{name}.safetensors"));
        let loaded = load_model(&path).expect("written by format 1");
        assert_eq!(matches!(loaded.parameters, Parameters::F64(_)), precise);
        let (model, parameters) = (loaded.model().expect("usable"), loaded.parameters.to_f64());
        let states = States { q: &[0.3, -1.2], q_dot: &[2.0, -0.7], conditionals: &[9.8] };
        let (mut velocity, mut found, mut conserved) = ([0.0; 2], [0.0; 2], [0.0]);
        let mut block = model.block(1, false);
        block.rates(model.bind(&parameters), states, RatesMut { q: &mut velocity, q_dot: &mut found });
        block.energy(model.bind(&parameters), states, &mut conserved);
        // Sums of tens of terms of order 1, another processor's last bits.
        for (found, expected) in found.iter().chain(&conserved).zip(acceleration.iter().chain([&energy])) {
            assert!((found - expected).abs() < 1e-12, "{name}: {found} {expected}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn weights_return_bit_for_bit_in_both_precisions(
        hidden in prop::collection::vec(1_usize..6, 0..4),
        conditionals in 0_usize..3,
        seed in any::<u64>(),
    ) {
        let dimensions: Vec<usize> = [6 + conditionals].into_iter().chain(hidden).chain([1]).collect();
        let header = header(&dimensions);
        let count = header.shapes().expect("fits")[0].parameter_count();
        // Any finite bit pattern, subnormals and signed zeros included.
        let double: Vec<f64> = (0..count as u64)
            .map(|i| f64::from_bits(seed.wrapping_mul(2 * i + 1).rotate_left(i as u32)))
            .map(|x| if x.is_finite() { x } else { -0.0 })
            .collect();
        let single: Vec<f32> = double.iter().map(|&x| x as f32).map(|x| if x.is_finite() { x } else { -0.0 }).collect();
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("model.safetensors");
        save_model(&path, &header, &double).expect("writable");
        let loaded = load_model(&path).expect("just written");
        prop_assert_eq!(&loaded.header, &header);
        let Parameters::F64(values) = loaded.parameters else { panic!("written in double precision") };
        prop_assert!(values.iter().zip(&double).all(|(a, b)| a.to_bits() == b.to_bits()));
        save_model(&path, &header, &single).expect("writable");
        let Parameters::F32(values) = load_model(&path).expect("just written").parameters else {
            panic!("written in single precision")
        };
        prop_assert_eq!(values.len(), count);
        prop_assert!(values.iter().zip(&single).all(|(a, b)| a.to_bits() == b.to_bits()));
    }
}
