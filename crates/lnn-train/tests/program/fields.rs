//! Experiments on fields as a whole: what they write, that they repeat, go on and refuse.

use std::fs;
use std::path::Path;

use lnn_train::field::FieldSummary;
use lnn_train::field::config::{BoundaryConfig, FieldConfig, LargeConfig, LatticeConfig, MotionConfig, field_preset};
use lnn_train::optimiser::Schedule;
use lnn_train::store::{FolderConfiguration, load_field_model};
use serde_json::Value;

use crate::bad_input::refused;
use crate::small_run::{Workplace, config as of_pendulum, results};

const RUN: &str = "experiment wave --config fields.ron";

/// Every model with `steps` steps of a tiny network on six sites, judged on twelve.
fn config(steps: u64) -> FieldConfig {
    let mut config = field_preset("wave", "fast").expect("listed");
    config.lattice = LatticeConfig::Line { sites: 6, boundary: BoundaryConfig::Periodic };
    config.states.modes = 2;
    for model in config.models.values_mut() {
        model.hidden = vec![8, 8];
        // Several groups, so that threads share them unevenly.
        (model.training.steps, model.training.batch, model.training.gradient_parts) = (steps, 20, Some(5));
        let warmup_steps = steps / 20;
        model.training.schedule =
            Schedule::WarmupCosine { peak: 1e-2, warmup_steps, total_steps: steps, final_fraction: 0.0 };
    }
    let evaluation = &mut config.evaluation;
    evaluation.lattice = LatticeConfig::Line { sites: 12, boundary: BoundaryConfig::Periodic };
    evaluation.motions = [
        ("bump".to_owned(), MotionConfig::Bump { sigma: 2.0, amplitude: 1.0 }),
        ("smooth".to_owned(), MotionConfig::Smooth { modes: 2, amplitude: 0.5, rate_amplitude: 0.1 }),
    ]
    .into();
    (evaluation.held_out, evaluation.crossings, evaluation.frames) = (10, 1.5, 9);
    evaluation.large = Some(LargeConfig { sites: 100, t_end: 2.0 });
    config.preset = "small".to_owned();
    config.log_every = 25;
    config
}

fn workplace(config: &FieldConfig) -> Workplace {
    let workplace = Workplace::new(&of_pendulum(4));
    workplace.write("fields.ron", &config.to_text().expect("plain data"));
    workplace
}

fn summary(folder: &Path) -> FieldSummary {
    serde_json::from_slice(&fs::read(folder.join("summary.json")).expect("a finished run")).expect("a summary")
}

/// `summary.json` without times and threads.
fn timeless(folder: &Path) -> Value {
    fn remove(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                let timed = ["wall_seconds", "train_seconds", "rollout_seconds", "threads"];
                fields.retain(|name, _| !timed.contains(&name.as_str()));
                fields.values_mut().for_each(remove);
            }
            Value::Array(values) => values.iter_mut().for_each(remove),
            _ => {}
        }
    }
    let mut summary = serde_json::from_slice(&fs::read(folder.join("summary.json")).expect("finished")).expect("JSON");
    remove(&mut summary);
    summary
}

fn assert_same(left: &Path, right: &Path) {
    let (a, b) = (results(left), results(right));
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    for needed in ["model-lgn.safetensors", "metrics.jsonl", "motion-bump.csv", "config.ron", "figures/energy.svg"] {
        assert!(a.contains_key(needed), "{needed} is not among {:?}", a.keys());
    }
    for (name, bytes) in &a {
        assert!(*bytes == b[name], "{name} differs between {} and {}", left.display(), right.display());
    }
    assert_eq!(timeless(left), timeless(right));
}

#[test]
fn a_run_learns_and_writes_what_it_measured_for_any_number_of_threads() {
    let workplace = workplace(&config(400));
    for threads in [1, 3] {
        let ended = workplace.succeed(&format!("{RUN} --out with-{threads} --threads {threads}"));
        for words in ["lgn        training", "cnn        400 steps", "hgn        rolling out", "writing the report"] {
            assert!(ended.stderr.contains(words), "{words}:\n{}", ended.stderr);
        }
        assert!(ended.stdout.contains("Report: ") && ended.stdout.contains("LGN"), "{}", ended.stdout);
        assert!(ended.stdout.lines().all(|line| line.chars().count() <= 100), "{}", ended.stdout);
    }
    assert_same(&workplace.path("with-1"), &workplace.path("with-3"));
    let summary = summary(&workplace.path("with-1"));
    assert_eq!((summary.training_sites, summary.sites, summary.models.len()), (6, 12, 3));
    for (name, model) in &summary.models {
        assert_eq!((model.steps, model.samples, model.held_out, model.skipped_steps), (400, 8000, 10, 0), "{name}");
        assert!(model.acceleration_relative < 0.2, "{name}: {}", model.acceleration_relative);
        assert_eq!(model.motions.keys().collect::<Vec<_>>(), ["bump", "large", "smooth"]);
        let (bump, large) = (&model.motions["bump"], &model.motions["large"]);
        assert_eq!((bump.sites, large.sites, bump.t_end), (12, 100, 18.0));
        assert!(bump.field_error.is_finite() && large.energy_error_percent < 50.0, "{name}: {bump:?} {large:?}");
        assert_eq!(bump.learned_energy_drift_percent.is_some(), name != "cnn");
        let loaded = load_field_model(&workplace.path(&format!("with-1/model-{name}.safetensors"))).expect("written");
        assert_eq!((loaded.header.name.as_str(), loaded.parameters.len()), (name.as_str(), model.parameters));
    }
    let message = refused(&workplace, "plot with-1");
    assert!(message.contains("with-1/model-cnn.safetensors holds a model of a field"), "{message}");
    let solved = &summary.models["lgn"].solved;
    assert_eq!(solved.values().sum::<usize>(), 10, "{solved:?}");

    // Judged again, by the run's own configuration, it says the same.
    workplace.succeed("experiment wave --config with-1/config.ron --out with-1 --resume --threads 2");
    assert_same(&workplace.path("with-1"), &workplace.path("with-3"));
}

/// The presets with a tenth of their steps; with all of them errors are ten times smaller and more.
#[test]
fn fields_are_learned_on_16_sites_and_run_on_100() {
    let workplace = workplace(&config(4));
    for experiment in ["wave", "sine-gordon"] {
        let mut config = field_preset(experiment, "fast").expect("listed");
        config.models.retain(|name, _| name == "lgn");
        let training = &mut config.models.get_mut("lgn").expect("kept").training;
        training.steps = 3000;
        training.schedule =
            Schedule::WarmupCosine { peak: 3e-2, warmup_steps: 300, total_steps: 3000, final_fraction: 0.0 };
        (config.evaluation.crossings, config.evaluation.frames) = (1.0, 20);
        workplace.write("learn.ron", &config.to_text().expect("plain data"));
        workplace.succeed(&format!("experiment {experiment} --config learn.ron --out {experiment} --quiet"));
        let summary = summary(&workplace.path(experiment));
        assert_eq!((summary.training_sites, summary.sites), (16, 100));
        let model = &summary.models["lgn"];
        let limit = if experiment == "wave" { 1e-3 } else { 1e-2 };
        assert!(model.acceleration_relative < limit, "{experiment}: {}", model.acceleration_relative);
        for (name, motion) in &model.motions {
            assert!(motion.field_error < 0.1, "{experiment} {name}: {motion:?}");
            assert!(motion.energy_error_percent < 3.0, "{experiment} {name}: {motion:?}");
            assert!(motion.kink_velocity_error.is_none_or(|error| error < 0.03), "{experiment} {name}: {motion:?}");
            assert_eq!(motion.kink_velocity_error.is_some(), name == "kink");
            // What it calls energy it keeps, however well it knows the field.
            assert!(motion.learned_energy_drift_percent.is_some_and(|drift| drift < 0.01), "{name}: {motion:?}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_run_killed_or_interrupted_at_many_moments_ends_with_the_same_bits() {
    use std::thread::sleep;
    use std::time::Duration;

    use crate::interruption::Session;

    let mut config = config(3000);
    (config.log_every, config.checkpoint_every_seconds) = (100, 0.02);
    (config.evaluation.crossings, config.evaluation.dt) = (4.0, 0.01);
    let workplace = workplace(&config);
    workplace.succeed(&format!("{RUN} --out whole --threads 1"));
    let resume = format!("{RUN} --out run --resume --threads 2");
    let mut in_the_middle = 0;
    for (moment, words) in
        ["lgn        step", "lgn        step", "cnn        step", "hgn        step", "lgn        rolling out"]
            .into_iter()
            .enumerate()
    {
        let mut session = Session::of(&workplace, &resume);
        session.wait_for(words);
        sleep(Duration::from_millis(7 * moment as u64));
        if moment % 2 == 0 {
            session.kill();
            let (_, said) = session.end();
            in_the_middle += usize::from(said.contains(", from step "));
        } else {
            session.interrupt();
            let (status, said) = session.end();
            assert_eq!(status.code(), Some(130), "{said}");
            assert!(said.lines().last().is_some_and(|line| line.starts_with("Interrupted.")), "{said}");
        }
        assert!(!workplace.path("run/summary.json").exists(), "{words}");
    }
    assert!(in_the_middle >= 2, "{in_the_middle} sessions went on with a training");
    workplace.succeed(&resume);
    assert_same(&workplace.path("whole"), &workplace.path("run"));
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_trained() {
    let workplace = workplace(&config(40));
    for (line, words) in [
        ("experiment waves", "did you mean `wave`?"),
        ("experiment wave --preset large-grid", "there is no preset named `large-grid`"),
        ("experiment wave --links 3", "--links is not for experiments on fields"),
        ("experiment wave --system k=1", "--system is not for experiments on fields"),
        ("experiment wave --seeds 0-3", "--seeds is not for experiments on fields"),
        ("experiment wave --train-on states", "--train-on is not for experiments on fields"),
        ("experiment wave --models lgn,cn", "did you mean `cnn`?"),
        ("experiment wave --sites 50", "evaluation.large.sites is 50; expected a whole number from 100"),
        ("experiment sine-gordon --grid 2d", "--grid is for the experiment `wave`, not for `sine-gordon`"),
        ("experiment dblpend --speed step", "--speed is for the experiment `wave`, not for `dblpend`"),
        ("experiment properties --sites 7", "--sites is for the experiment `wave`, not for `properties`"),
        ("experiment sine-gordon --config fields.ron", "is for the experiment `wave`"),
        ("experiment wave --config small.ron", "there is no field"),
    ] {
        let message = refused(&workplace, line);
        assert!(message.contains(words), "{line}: {message}");
    }
    let text = config(40).to_text().expect("plain data");
    for (from, to, words) in [
        ("sites: 6", "sites: 2", "a periodic line of 2 sites would count a neighbour twice; give at least 3 sites"),
        ("dt: 0.2", "dt: 1.5", "at most 1.414214: 2√2 over the largest angular frequency 2.000000"),
        ("dt: 0.2", "dt: 0.0", "evaluation.dt is 0"),
        ("speed: 1.0", "speed: 0.0", "field.speed is 0; expected a finite number above 0"),
        ("frames:", "frame:", "did you mean `frames`?"),
        ("Ordered", "Orderly", "did you mean `Ordered`?"),
    ] {
        assert!(text.contains(from), "{from} is not in\n{text}");
        workplace.write("bad.ron", &text.replacen(from, to, 1));
        let message = refused(&workplace, "experiment wave --config bad.ron --out run");
        assert!(message.contains(words), "{words}: {message}");
    }
}

#[test]
fn options_choose_presets_and_folders() {
    let workplace = workplace(&config(40));
    // Wrong on purpose in the last step of judging a configuration, so that nothing is trained.
    let message = refused(&workplace, "experiment wave --speed sine --models none");
    assert!(message.contains("valid names: `cnn`, `hgn`, `lgn`"), "{message}");
    let ended = workplace.run("experiment wave --speed fast");
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("constant, step, sine, ramp"), "{}", ended.stderr);
    let ended = workplace.run("experiment wave --grid 2d --preset medium");
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
}
