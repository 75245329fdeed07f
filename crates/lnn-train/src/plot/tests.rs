//! Figures of known motions and models.

use std::fs;

use super::*;
use crate::config::preset_with;
use crate::experiment::build_model_for;
use crate::store::{LoadedModel, Parameters};

fn table(text: &str, choice: &TrackChoice) -> Result<MotionTable, PlotError> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("motions.csv");
    fs::write(&path, text).expect("writable");
    MotionTable::read(&path, choice)
}

/// Two turns of an angle, and one motion that swings.
fn motions() -> String {
    let mut text = "trajectory,t [s],q0 [rad],q_dot0,energy\n".to_owned();
    for frame in 0..60 {
        let t = 0.1 * f64::from(frame);
        text += &format!("0,{t},{},2,1\n", 2.0 * t);
        text += &format!("7,{t},{},{},{}\n", t.sin(), t.cos(), 0.5 + 1e-3 * t);
    }
    text
}

#[test]
fn a_table_is_read_as_motions_with_their_energies() {
    let found = table(&motions(), &TrackChoice::default()).expect("a table");
    assert_eq!((found.degrees_of_freedom(), found.time_unit.as_deref(), found.left_out), (1, Some("s"), 0));
    assert_eq!(found.coordinates[0].unit, "rad");
    let numbers: Vec<f64> = found.tracks.iter().map(|track| track.number).collect();
    assert_eq!(numbers, [0.0, 7.0]);
    let swinging = &found.tracks[1];
    assert_eq!((swinging.times.len(), swinging.states.len()), (60, 120));
    assert_eq!((swinging.times[10], swinging.states[20]), (1.0, 1f64.sin()));
    assert_eq!(swinging.energies[0].values[10], 0.5 + 1e-3);

    let one = table(&motions(), &TrackChoice { trajectories: vec![7.0], ..TrackChoice::default() }).expect("a table");
    assert_eq!((one.tracks.len(), one.left_out), (1, 1));
    assert_eq!(one.tracks[0], *swinging);
}

#[test]
fn a_run_s_table_is_read_by_model() {
    let text = "trajectory,model,t,q0,q_dot0,energy\n0,truth,0,1,2,3\n0,lnn,0,1,2,3\n1,truth,0,4,5,6\n1,lnn,0,4,5,\n";
    let found = table(text, &TrackChoice { trajectories: vec![0.0], ..TrackChoice::default() });
    // The empty energy is an error of the reader, wherever it is: a column of numbers has numbers.
    assert!(matches!(found, Err(PlotError::Table(_))), "{found:?}");
    let found = table(&text.replace("4,5,\n", "4,5,nan\n"), &TrackChoice::default()).expect("a table");
    let models: Vec<_> = found.tracks.iter().map(|track| track.model.as_deref()).collect();
    assert_eq!((models, found.left_out), (vec![Some("truth"), Some("lnn")], 2));
    assert!(found.tracks[0].is_truth() && !found.tracks[1].is_truth());
}

/// The models are read with the numbers, however the table is written.
#[test]
fn models_are_told_apart_whatever_separates_the_fields() {
    let names = |found: &MotionTable| -> Vec<_> {
        found.tracks.iter().map(|track| (track.model.clone(), track.states[0])).collect()
    };
    let commas = "# a run\ntrajectory,model,t,q0,q_dot0\n0,truth,0,1,2\n# by the network\n0,lnn,0,3,4\n";
    let want = [(Some("truth".to_owned()), 1.0), (Some("lnn".to_owned()), 3.0)];
    for text in [commas.to_owned(), commas.replace(',', ";"), commas.replace(",lnn,", ",\"lnn\",")] {
        assert_eq!(names(&table(&text, &TrackChoice::default()).expect("a table")), want, "{text}");
    }
    let columns = ["trajectory", "model", "t", "q0", "q_dot0"].map(str::to_owned).to_vec();
    let plain = commas.replacen("trajectory,model,t,q0,q_dot0\n", "", 1);
    let found = table(&plain, &TrackChoice { columns: Some(columns), ..TrackChoice::default() }).expect("a table");
    assert_eq!(names(&found), want);
}

#[test]
fn what_cannot_be_drawn_is_named() {
    let refused = |text: &str, choice: &TrackChoice| table(text, choice).expect_err("refused").to_string();
    let plain = TrackChoice::default();
    for (text, choice, words) in [
        ("q0,q_dot0\n1,nan\n", plain.clone(), "line 2, column `q_dot0` is NaN"),
        ("q0,q_dot0\n", plain.clone(), "has no row; nothing can be drawn"),
        ("q0,t\n1,2\n", plain.clone(), "no column `q_dot0`"),
        (&motions(), TrackChoice { trajectories: vec![3.0], ..plain.clone() }, "no row of trajectory 3"),
        (
            &motions(),
            TrackChoice { angles: vec!["q1".to_owned()], ..plain },
            "no `q1` to be an angle; valid names: `q0`",
        ),
    ] {
        let message = refused(text, &choice);
        assert!(message.contains(words), "{words}: {message}");
    }
}

#[test]
fn motions_are_drawn_with_names_and_units() {
    let choice = TrackChoice { angles: vec!["q0".to_owned()], ..TrackChoice::default() };
    let found = table(&motions(), &choice).expect("a table");
    let drawing = phase(&found).expect("drawn");
    for words in ["trajectory 0", "trajectory 7", "dq₀/dt (rad/s)", "q₀ (rad)", "−π"] {
        assert!(drawing.svg.contains(words), "{words}");
    }
    assert!(!drawing.svg.contains("NaN"));
    let drawing = energy(&found).expect("drawn").expect("there are energies");
    for words in ["energy", "since the", "time (s)"] {
        assert!(drawing.svg.contains(words), "{words}");
    }
    let uncounted = table("q0,q_dot0,energy\n1,2,3\n2,3,3\n", &TrackChoice::default()).expect("a table");
    let drawing = energy(&uncounted).expect("drawn").expect("there are energies");
    assert!(drawing.svg.contains("row of the motion") && !drawing.svg.contains(">time"));
    let without = table("q0,q_dot0\n1,2\n2,3\n", &TrackChoice::default()).expect("a table");
    assert_eq!(energy(&without).expect("nothing goes wrong"), None);
    assert!(phase(&without).expect("drawn").svg.contains("dq₀/dt"));
}

/// An untrained model of a system, as if it had been read from a file.
fn view(system: &str, model: &str) -> LearnedView {
    view_after(system, model, |_| {})
}

/// The same after a change of its parameters.
fn view_after(system: &str, model: &str, change: impl Fn(&mut [f64])) -> LearnedView {
    let config = preset_with(system, "models", &Default::default()).expect("a system");
    let built = config.system.build().expect("usable");
    let recipe = crate::config::ModelConfig { hidden: vec![16, 16], ..config.models[model].clone() };
    let network = build_model_for(&recipe, &*built).expect("usable");
    let header = crate::store::ModelHeader {
        name: model.to_owned(),
        kind: recipe.kind,
        degrees_of_freedom: built.degrees_of_freedom(),
        conditionals: built.conditionals().len(),
        dimensions: network.shape().dimensions().to_vec(),
        activation: recipe.activation,
        features: recipe.features.clone(),
        system: Some(config.system.clone()),
        provenance: crate::store::Provenance::default(),
        coordinates: Vec::new(),
        conditional_labels: Vec::new(),
        time_unit: None,
    };
    let mut parameters: Vec<f64> = recipe.initialisation.draw(&network, 3);
    change(&mut parameters);
    let parameters = Parameters::F64(parameters);
    let loaded = LoadedModel { shapes: network.shapes().cloned().collect(), header, parameters };
    LearnedView::new(&Path::new("runs").join(format!("model-{model}.safetensors")), &loaded, &network, Some(built))
        .expect("usable")
}

#[test]
fn what_a_model_has_learned_is_drawn_over_what_is_true() {
    for (system, model) in [("dblpend", "delan"), ("relativistic", "lnn")] {
        let view = view(system, model);
        let maps = mass_matrix(&view, None).expect("drawn");
        assert_eq!(maps.name, format!("mass_matrix-{model}"));
        assert!(maps.svg.contains("truth, times") && maps.svg.contains("H₀₀"), "{system}");
        assert!(!maps.svg.contains("NaN"), "{system}");
        let lines = potential(&view, &[]).expect("drawn");
        assert!(lines.svg.contains("−L at rest along"), "{system}");
    }
    let view = view("dblpend", "baseline");
    for refused in [mass_matrix(&view, None), potential(&view, &[])] {
        assert!(matches!(refused, Err(PlotError::NotLearned { .. })), "{refused:?}");
    }
}

/// A Lagrangian is known up to a factor, which may be negative; the smallest eigenvalue of −H is minus the largest of H.
#[test]
fn the_truth_beside_a_negative_mass_matrix_has_its_own_smallest_eigenvalue() {
    // Minus a convex function of the velocities: layers of softplus with weights above 0.
    let view = view_after("dblpend", "lnn", |parameters| {
        let output = parameters.len() - 17;
        parameters.iter_mut().for_each(|weight| *weight = weight.abs());
        parameters[output..].iter_mut().for_each(|weight| *weight = -100.0 - *weight);
    });
    let svg = mass_matrix(&view, None).expect("drawn").svg;
    let number = |text: &str, end: &str| -> f64 {
        text.split(end).next().unwrap_or_default().replace('−', "-").parse().expect("a number")
    };
    let factor = number(svg.split("truth, times ").nth(1).expect("the truth"), ":");
    let least = number(svg.rsplit("least λ: ").next().expect("its smallest eigenvalue"), " to ");
    assert!(factor < 0.0, "{factor}");
    // H = [[2, cos Δ], [cos Δ, 1]], whose largest eigenvalue is (3 + √5)/2 at Δ = 0; three digits are written.
    let ratio = least / factor;
    assert!((ratio - 2.618).abs() < 0.02, "{ratio}");
}

#[test]
fn variables_are_chosen_by_name() {
    let mut view = view("relativistic", "lnn");
    let names: Vec<&str> = view.variables().iter().map(|variable| variable.name.as_str()).collect();
    assert_eq!(names, ["q0", "q_dot0", "g"]);
    view.fix(&[("g".to_owned(), 3.5)]).expect("a conditional");
    view.set_ranges(&[("q0".to_owned(), -1.0, 2.0)]).expect("a range");
    assert!(mass_matrix(&view, None).expect("drawn").title.contains("at g = 3.5"));
    let refused = view.fix(&[("q7".to_owned(), 0.0)]).expect_err("no such variable").to_string();
    assert!(refused.contains("no `q7` to fix; valid names: `q0`, `q_dot0`, `g`"), "{refused}");
    let refused = view.set_ranges(&[("q0".to_owned(), 2.0, 2.0)]).expect_err("empty").to_string();
    assert!(refused.contains("the range of `q0` is 2..2"), "{refused}");
    let refused = mass_matrix(&view, Some(["q0", "q0"])).expect_err("one variable").to_string();
    assert!(refused.contains("besides itself"), "{refused}");
    let refused = potential(&view, &["q_dot0".to_owned()]).expect_err("a velocity").to_string();
    assert!(refused.contains("a potential is one of the coordinates"), "{refused}");
}

/// The true mass matrix is the fitted one times its own factor, to rounding.
#[test]
fn the_factor_is_that_of_the_nearest_multiple() {
    let truth = [1.0, -2.0, 3.0, 0.5];
    let learned = truth.map(|value| 1.5 * value - 4.0);
    let (factor, constant) = super::learned::fitted(&truth, &learned, true).expect("it varies");
    assert!((factor - 1.5).abs() < 1e-14 && (constant + 4.0).abs() < 1e-14, "{factor} {constant}");
    assert_eq!(super::learned::fitted(&[2.0, 2.0], &[1.0, 1.0], true), None);
    let (factor, _) = super::learned::fitted(&[2.0, 2.0], &[1.0, 1.0], false).expect("it is not zero");
    assert_eq!(factor, 0.5);
}

#[test]
fn figures_are_written_once_unless_asked_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("plots");
    let found = table(&motions(), &TrackChoice::default()).expect("a table");
    let drawings = [phase(&found).expect("drawn")];
    let files = write_drawings(&out, &drawings, false).expect("written");
    assert_eq!(files, [out.join("phase.svg"), out.join("phase.png")]);
    assert!(fs::read(&files[1]).expect("written").starts_with(b"\x89PNG"));
    let refused = write_drawings(&out, &drawings, false).expect_err("there already").to_string();
    assert!(refused.contains("phase.svg is there already") && refused.contains("--overwrite"), "{refused}");
    write_drawings(&out, &drawings, true).expect("asked for");
    let twice = [drawings[0].clone(), drawings[0].clone()];
    let refused = write_drawings(&folder.path().join("new"), &twice, true).expect_err("one name").to_string();
    assert!(refused.contains("phase.svg") && !folder.path().join("new").exists(), "{refused}");
}
