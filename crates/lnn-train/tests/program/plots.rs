//! `lnn plot`.

use std::fs;

use serde_json::Value;

use crate::bad_input::refused;
use crate::model_files::{save_bursting, save_untrained};
use crate::small_run::{Workplace, config, snapshot};

#[test]
fn a_run_s_folder_has_figures_of_its_motions_and_its_models() {
    let workplace = Workplace::new(&config(20));
    workplace.succeed("experiment dblpend --config small.ron --out run --quiet");
    let before = snapshot(&workplace.path("run"));
    let ended = workplace.succeed("plot run");
    let names = ["phase", "energy", "mass_matrix-lnn", "potential-lnn"];
    for name in names {
        let svg = fs::read_to_string(workplace.path(&format!("run/plots/{name}.svg"))).expect("written");
        assert!(svg.starts_with("<svg") && !svg.contains("NaN"), "{name}");
        let png = fs::read(workplace.path(&format!("run/plots/{name}.png"))).expect("written");
        assert!(png.starts_with(b"\x89PNG"), "{name}");
        assert!(ended.stdout.contains(&format!("run/plots/{name}.svg")), "{}", ended.stdout);
    }
    // The baseline has neither mass matrix nor potential.
    assert_eq!(fs::read_dir(workplace.path("run/plots")).expect("made").count(), 2 * names.len());
    let phase = fs::read_to_string(workplace.path("run/plots/phase.svg")).expect("written");
    for words in ["truth", "lnn", "baseline", "dθ₁/dt (rad/s)", "θ₂ (rad)"] {
        assert!(phase.contains(words), "{words}");
    }
    for (path, bytes) in before {
        assert!(fs::read(&path).expect("kept") == bytes, "{} is as it was", path.display());
    }
    assert!(ended.stderr.contains("more motion(s) are not drawn; choose with --trajectories"), "{}", ended.stderr);
    let message = refused(&workplace, "plot run --quiet");
    assert!(message.contains("run/plots/phase.svg is there already") && message.contains("--overwrite"), "{message}");
    workplace.succeed("plot run --overwrite --quiet");
}

#[test]
fn a_table_is_drawn_with_a_model_s_energy_and_a_model_with_its_labels() {
    let workplace = Workplace::new(&config(20));
    save_bursting(&workplace.path("model.safetensors"));
    let mut text = "trajectory,t,q0,q1,q_dot0,q_dot1\n".to_owned();
    for row in 0..40 {
        text += &format!("{},{},0.1,{},0.2,0.3\n", row / 20, 0.1 * f64::from(row % 20), 0.01 * f64::from(row));
    }
    workplace.write("data.csv", &text);
    let ended = workplace.succeed("plot data.csv --json");
    let line: Value = serde_json::from_str(ended.stdout.trim()).expect("one object");
    assert_eq!((&line["event"], &line["name"]), (&"figure".into(), &"phase".into()));
    assert_eq!(line["files"], serde_json::json!(["data-plots/phase.svg", "data-plots/phase.png"]));
    let message = refused(&workplace, "plot data.csv --figures energy --out other");
    assert!(message.contains("no column whose name begins with `energy`"), "{message}");
    workplace.succeed("plot data.csv --model model.safetensors --figures energy,phase --out with");
    let energy = fs::read_to_string(workplace.path("with/energy.svg")).expect("written");
    for words in ["energy by bursting", "trajectory 1", "time (ms)"] {
        assert!(energy.contains(words), "{words}");
    }
    let phase = fs::read_to_string(workplace.path("with/phase.svg")).expect("written");
    assert!(phase.contains("delbow/dt (rad/ms)") && phase.contains("slide (mm)"), "labels of the file");

    workplace.succeed("plot model.safetensors --over q1,q_dot1 --at q0=1 --range q1=-1..1,q_dot1=-2..2");
    let maps = fs::read_to_string(workplace.path("model-plots/mass_matrix-model.svg")).expect("written");
    assert!(maps.contains("slide (mm)") && maps.contains("elbow = 1") && !maps.contains("truth"), "no truth is known");
}

/// What tells figures of a folder apart is the names of the files; a model may be called anything.
#[test]
fn models_of_one_name_have_figures_of_their_own() {
    let workplace = Workplace::new(&config(20));
    fs::create_dir(workplace.path("run")).expect("writable");
    for name in ["a", "b"] {
        save_untrained(&workplace.path(&format!("run/model-{name}.safetensors")), "dblpend", "lnn", true);
    }
    save_untrained(&workplace.path("run/model-c.safetensors"), "dblpend", "baseline", true);
    workplace.succeed("plot run --figures potential");
    for name in ["a", "b"] {
        assert!(workplace.path(&format!("run/plots/potential-{name}.png")).is_file(), "{name}");
    }
    assert_eq!(fs::read_dir(workplace.path("run/plots")).expect("made").count(), 4, "the plain network has none");
}

#[test]
fn what_cannot_be_drawn_is_said() {
    let workplace = Workplace::new(&config(20));
    save_untrained(&workplace.path("plain.safetensors"), "dblpend", "baseline", true);
    save_untrained(&workplace.path("model.safetensors"), "dblpend", "lnn", true);
    workplace.write("data.csv", "q0,q_dot0\n1,2\n");
    fs::create_dir(workplace.path("empty")).expect("writable");
    fs::create_dir(workplace.path("plain")).expect("writable");
    for name in ["one", "two"] {
        save_untrained(&workplace.path(&format!("plain/model-{name}.safetensors")), "dblpend", "baseline", true);
    }
    for (line, words) in [
        ("plot empty", "empty has neither trajectories.csv, rollouts.csv nor model-*.safetensors"),
        ("plot missing.csv", "cannot read missing.csv"),
        ("plot plain.safetensors --figures potential", "plain.safetensors has no energy"),
        ("plot plain.safetensors --figures mass-matrix", "plain.safetensors has no mass matrix"),
        ("plot plain.safetensors", "there is nothing to draw"),
        ("plot model.safetensors --figures phase", "model.safetensors has nothing for the figure `phase`"),
        ("plot data.csv --figures potential", "data.csv has nothing for the figure `potential`"),
        ("plot model.safetensors --over q0,q5", "there is no `q5` to draw a map over; valid names: `q0`, `q1`"),
        ("plot model.safetensors --at qdot0=1", "there is no `qdot0` to fix; did you mean `q_dot0`"),
        ("plot model.safetensors --range q0=1..-1", "the range of `q0` is 1..-1"),
        ("plot data.csv --over q0,q_dot0", "--over is for a learned model, which data.csv does not have"),
        ("plot data.csv --at q0=1 --figures phase", "--at is for a learned model"),
        ("plot data.csv --range q0=-1..1", "--range is for a learned model"),
        ("plot data.csv --along q0", "--along is for a learned model"),
        (
            "plot model.safetensors --trajectories 1",
            "--trajectories is for a table of motions, which model.safetensors does",
        ),
        ("plot model.safetensors --angles q0", "--angles is for a table of motions"),
        ("plot model.safetensors --columns q0", "--columns is for a table of motions"),
        ("plot model.safetensors --model model.safetensors", "--model is for a table of motions"),
        ("plot plain --figures mass-matrix", "plain/model-one.safetensors has no mass matrix"),
        ("plot data.csv --trajectories 4", "no row of trajectory 4"),
        ("plot data.csv --model model.safetensors", "data.csv has 1 coordinate(s) (`q0` to `q0`), but 2 are needed"),
    ] {
        let message = refused(&workplace, line);
        assert!(message.contains(words), "{words}: {message}");
    }
    // Its system has no conditional, and the model has one.
    let other = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/format-1-lnn-f32.safetensors");
    let message = refused(&workplace, &format!("plot {other} --out figures"));
    assert!(message.contains("its `system`, dblpend, has 2 degrees of freedom and 0 conditional"), "{message}");
    for line in [
        "plot model.safetensors --over q0",
        "plot model.safetensors --at q0",
        "plot data.csv --figures pie",
        "plot model.safetensors --range --json",
    ] {
        assert_eq!(workplace.run(line).code, Some(2), "{line}");
    }
}
