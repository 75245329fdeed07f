//! `lnn info`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::bad_input::refused;
use crate::model_files::{save_bursting, save_untrained};
use crate::small_run::{Workplace, config};

#[test]
fn a_model_file_is_described_for_people_and_for_programs() {
    let workplace = Workplace::new(&config(20));
    save_untrained(&workplace.path("delan.safetensors"), "spring-pendulum", "delan", true);
    save_bursting(&workplace.path("bursting.safetensors"));
    let said = workplace.succeed("info delan.safetensors").stdout;
    for words in [
        "delan.safetensors: a model of a system",
        "deep Lagrangian network, L = ½ q̇ᵀ",
        "main: 3 → 16 → 16 → 3, softplus, 387 parameters",
        "potential: 3 → 16 → 16 → 1, softplus, 353 parameters",
        "740 in f64",
        "sin q1, cos q1, q0 / ",
        "spring-pendulum: ",
        "checksum crc32:",
    ] {
        assert!(said.contains(words), "{words}:\n{said}");
    }
    let said = workplace.succeed("info bursting.safetensors").stdout;
    for words in ["L = net(q, q̇)", "2: elbow [rad], slide [mm]", "unit of time", " ms\n", "q0, q1, q̇0, q̇1"] {
        assert!(said.contains(words), "{words}:\n{said}");
    }
    let object: Value = serde_json::from_str(&workplace.succeed("info delan.safetensors --json").stdout).expect("JSON");
    assert_eq!((&object["model_of"], &object["parameters"]), (&"system".into(), &740.into()));
    assert_eq!((&object["precision"], &object["format"]), (&"f64".into(), &1.into()));
    assert_eq!(object["header"]["system"]["name"], "spring-pendulum");
    assert_eq!(object["inputs"].as_array().map(Vec::len), Some(3));
}

#[test]
fn every_kind_and_an_older_file_are_described() {
    let workplace = Workplace::new(&config(20));
    for (model, words) in [
        ("lnn", "Lagrangian network, L = ½ · 1 |q̇|² + net(q, q̇)"),
        ("hnn", "which takes q̇ for p"),
        ("hnn-canonical", "H = net(q, p)"),
        ("baseline", "plain network, q̈ = "),
        ("baseline-first-order", "dq/dt = "),
    ] {
        let file = format!("{model}.safetensors");
        save_untrained(&workplace.path(&file), "dblpend", model, true);
        let said = workplace.succeed(&format!("info {file}")).stdout;
        assert!(said.contains(words), "{words}:\n{said}");
    }
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/format-1-lnn-f32.safetensors");
    fs::copy(data, workplace.path("old.safetensors")).expect("a model of an earlier build");
    let said = workplace.succeed("info old.safetensors").stdout;
    assert!(said.contains("in f32") && said.contains("format 1"), "{said}");
}

#[test]
fn a_model_of_a_field_is_told_from_one_of_a_system() {
    use lnn_autodiff::Activation;
    use lnn_graph::Neighbourhood;
    use lnn_train::field::config::{FieldFeaturesConfig, FieldModelKind};
    use lnn_train::store::{FieldModelHeader, Provenance, save_field_model};

    let workplace = Workplace::new(&config(20));
    let header = FieldModelHeader {
        name: "lgn".to_owned(),
        kind: FieldModelKind::Lgn { residual_mass: 0.3 },
        neighbourhood: Neighbourhood::Line,
        components: 1,
        site_attributes: 0,
        hidden: vec![5, 4],
        activation: Activation::Tanh,
        features: FieldFeaturesConfig::default(),
        field: None,
        provenance: Provenance::default(),
    };
    let count = header.density().expect("sizes of a network").parameter_count();
    save_field_model(&workplace.path("field.safetensors"), &header, &vec![0.5f32; count]).expect("writable");
    let said = workplace.succeed("info field.safetensors").stdout;
    for words in ["a model of a field", "learned Lagrangian density, residual mass 0.3", "Line neighbourhoods", "tanh"]
    {
        assert!(said.contains(words), "{words}:\n{said}");
    }
    let object: Value = serde_json::from_str(&workplace.succeed("info field.safetensors --json").stdout).expect("JSON");
    assert_eq!((&object["model_of"], &object["parameters"]), (&"field".into(), &count.into()));
    let message = refused(&workplace, "rollout --model field.safetensors --initial s.csv --t-end 1 --dt 1 --out o.csv");
    assert!(message.contains("holds a model of a field, expected a model of a system"), "{message}");
}

#[test]
fn the_machine_is_described_without_a_model() {
    let workplace = Workplace::new(&config(20));
    let said = workplace.succeed("info").stdout;
    for words in ["processor", "threads", "instruction set", "--backend cpu", "graphics card"] {
        assert!(said.contains(words), "{words}:\n{said}");
    }
    let object: Value = serde_json::from_str(&workplace.succeed("info --json").stdout).expect("JSON");
    assert!(object["threads"].as_u64().is_some_and(|threads| threads > 0), "{object}");
    let cards = object["graphics_cards"].as_array().expect("a list");
    let backends = if cards.is_empty() { serde_json::json!(["cpu"]) } else { serde_json::json!(["cpu", "gpu"]) };
    assert_eq!(object["backends"], backends);
    for card in cards {
        let name = card["name"].as_str().expect("text");
        assert!(said.contains(name) && card["largest_buffer_bytes"].as_u64() > Some(1 << 20), "{name}:\n{said}");
    }
    for (line, words) in [
        ("info none.safetensors", "cannot read none.safetensors"),
        ("info small.ron", "small.ron is not a usable model file"),
    ] {
        let message = refused(&workplace, line);
        assert!(message.contains(words), "{words}: {message}");
    }
}
