//! Every system with every kind of model, from states to report.

use std::fs;
use std::path::Path;

use lnn_physics::systems::SYSTEMS;
use lnn_train::config::{ExperimentConfig, IntegratorConfig, TrainingData, preset, preset_with};
use lnn_train::optimiser::Schedule;
use lnn_train::store::load_model;

use crate::learning::finish;
use crate::small_run::{Workplace, config};

/// The same with tiny networks, a few steps and a few short rollouts.
fn tiny(mut config: ExperimentConfig) -> ExperimentConfig {
    const STEPS: u64 = 6;
    for model in config.models.values_mut() {
        model.hidden = vec![8];
        model.training.batch = 24;
        model.training.steps = STEPS;
        model.training.schedule = Schedule::Constant { rate: 1e-4 };
    }
    let evaluation = &mut config.evaluation;
    (evaluation.held_out, evaluation.rollouts) = (60, 3);
    evaluation.t_end *= 0.02;
    evaluation.frames_per_second = 10.0 / evaluation.t_end;
    evaluation.integrator = IntegratorConfig::Rk4 { dt: 0.02 * evaluation.t_end };
    config
}

fn run_all(config: ExperimentConfig, folder: &Path) {
    let system = config.system.build().expect("usable");
    let (d, c) = (system.degrees_of_freedom(), system.conditionals().len());
    let expected: Vec<String> = config.models.keys().cloned().collect();
    let summary = finish(tiny(config), folder);
    assert_eq!(summary.models.keys().cloned().collect::<Vec<_>>(), expected);
    assert!(summary.energy_reference.value > 0.0 && summary.energy_reference.unit == system.energy_unit());
    for (name, model) in &summary.models {
        let place = format!("{} {name}", system.name());
        assert_eq!((model.steps, model.skipped_steps), (6, 0), "{place}");
        // Of the models that have accelerations.
        let accelerates = name != "hnn-canonical";
        assert_eq!(
            model.acceleration_l1.is_finite() && model.acceleration_relative.is_finite(),
            accelerates,
            "{place}"
        );
        let first_order = ["hnn", "hnn-canonical", "baseline-first-order", "neural-ode"].contains(&name.as_str());
        assert_eq!(model.vector_field_l1.is_some_and(f64::is_finite), first_order, "{place}");
        let weighted = [model.weighted_acceleration_l1, model.weighted_vector_field_l1];
        let expected = [accelerates, first_order].map(|expected| expected && system.name() == "relativistic");
        assert_eq!(weighted.map(|error| error.is_some_and(f64::is_finite)), expected, "{place}");
        assert_eq!(model.energy_error_percent.failed, 0, "{place}");
        assert!(model.velocity_error_max.max.is_finite() && model.energy_error_percent.max.is_finite(), "{place}");
        let file = load_model(&folder.join(format!("model-{name}.safetensors"))).expect("written");
        assert_eq!((file.header.degrees_of_freedom, file.header.conditionals), (d, c), "{place}");
        assert_eq!(file.header.system.expect("known").name, system.name());
    }
    let csv = fs::read_to_string(folder.join("trajectories.csv")).expect("written");
    let columns = csv.lines().next().expect("a header").split(',').count();
    assert_eq!(columns, 3 + 2 * d + c + 1, "{csv:.80}");
    let page = fs::read_to_string(folder.join("report.html")).expect("written");
    assert_eq!(page.contains("id=\"rollout-data\""), system.name() == "dblpend", "an animation");
    for coordinate in system.coordinates() {
        assert!(page.contains(coordinate.symbol), "{}", coordinate.symbol);
    }
}

#[test]
fn every_system_runs_with_every_kind_of_model() {
    for kind in SYSTEMS {
        let folder = tempfile::tempdir().expect("temporary folder");
        run_all(preset(kind.name, "models").expect("every system has it"), folder.path());
    }
}

#[test]
fn a_chain_of_links_runs_and_one_without_gravity_has_another_reference_energy() {
    for (links, g) in [(3.0, 9.8), (2.0, 0.0)] {
        let folder = tempfile::tempdir().expect("temporary folder");
        let parameters = [("links".to_owned(), links), ("g".to_owned(), g)].into();
        let config = preset_with("pendulum", "fast", &parameters).expect("a chain");
        run_all(config, &folder.path().join("run"));
        let summary = fs::read_to_string(folder.path().join("run/summary.json")).expect("written");
        assert_eq!(summary.contains("the largest kinetic energy of the true rollouts"), g == 0.0, "{summary}");
    }
}

#[test]
fn the_command_line_chooses_system_and_parameters_and_the_report_repeats_them() {
    let chain = preset_with("pendulum", "fast", &[("links".to_owned(), 2.0)].into()).expect("a chain");
    let workplace = Workplace::new(&tiny(chain));
    workplace.succeed("experiment pendulum --config small.ron --models baseline --quiet");
    let kept = fs::read_to_string(workplace.path("runs/pendulum/fast-links2-0/config.ron")).expect("written");
    assert!(kept.contains("\"links\": 2.0") && kept.contains("\"l2\": 1.0"), "{kept}");
}

/// What `sampling` says replaces the system's own distribution of coordinates and velocities, not that of conditionals.
#[test]
fn ranges_that_are_the_systems_own_change_nothing() {
    use lnn_train::experiment::{build_system, training_distribution};
    let written = config(6);
    let own = ExperimentConfig { sampling: None, ..written.clone() };
    let system = build_system(&own.system).expect("usable");
    let (written, own) = (training_distribution(&written, &*system), training_distribution(&own, &*system));
    assert_eq!(written, own);
    let mut particle = preset("relativistic", "fast").expect("listed");
    let system = build_system(&particle.system).expect("usable");
    particle.sampling = Some(lnn_train::config::SamplingConfig::default());
    let changed = training_distribution(&particle, &*system).expect("usable");
    let own = system.training_distribution();
    assert!(changed.len() == 3 && changed[0] != own[0] && changed[1] != own[1] && changed[2] == own[2]);
}

/// A tiny run of the protocol for chains, from chunks to the published figures beside its own.
#[test]
fn a_chain_is_judged_by_the_protocol_of_constrained_networks() {
    let mut config = preset_with("pendulum", "chnn", &[("links".to_owned(), 2.0)].into()).expect("a chain");
    assert_eq!(config.run_name(), "chnn-0");
    assert_eq!(config.models.keys().collect::<Vec<_>>(), ["delan", "hnn-canonical", "lnn", "neural-ode"]);
    for model in config.models.values_mut() {
        model.hidden = vec![8];
        (model.training.batch, model.training.steps) = (24, 6);
        model.training.schedule = Schedule::Constant { rate: 1e-4 };
        let TrainingData::Trajectories { count, chunk, .. } = &mut model.training.data else { panic!("motions") };
        assert_eq!((*count, *chunk), (800, Some(5)));
        *count = 30;
    }
    (config.evaluation.held_out, config.evaluation.rollouts) = (60, 7);
    config.evaluation.integrator = IntegratorConfig::Rk4 { dt: 0.01 };
    let workplace = Workplace::new(&config);
    let first = finish(config.clone(), &workplace.path("first"));
    for (name, model) in &first.models {
        let error = model.geometric_mean_relative_error.expect("judged by the protocol");
        // Untrained, and neither lost nor exact.
        let rollouts = error.rollouts;
        assert_eq!(rollouts.failed, 0, "{name}");
        assert!(error.geometric_mean > 1e-3 && rollouts.mean.is_finite(), "{name}: {error:?}");
        assert!(error.geometric_mean <= rollouts.mean && rollouts.mean <= rollouts.max, "{name}: {error:?}");
    }
    let published = |name: &str| first.paper.get(name).and_then(|paper| paper.geometric_mean_relative_error);
    assert_eq!(
        ["lnn", "delan", "hnn-canonical", "neural-ode"].map(published),
        [None, Some(1.25e-3), Some(1.9e-3), Some(6.5e-2)]
    );
    // The configuration in the folder is all that the states depend on.
    let kept = ExperimentConfig::read(&workplace.path("first/config.ron")).expect("written");
    let again = finish(kept.into_inner(), &workplace.path("again"));
    assert_eq!(first.models["lnn"].geometric_mean_relative_error, again.models["lnn"].geometric_mean_relative_error);
    let other = finish(ExperimentConfig { seed: 1, ..config }, &workplace.path("other"));
    assert_ne!(first.models["lnn"].geometric_mean_relative_error, other.models["lnn"].geometric_mean_relative_error);
    let page = fs::read_to_string(workplace.path("first/report.html")).expect("written");
    assert!(page.contains("geometric mean over time"), "the figure is in the report");
}
