//! `lnn train` on a person's own tables: what it learns, what it keeps, what it refuses.

use std::fmt::Write as _;
use std::path::Path;

use lnn_physics::System;
use lnn_physics::sampling::{Distribution, StateSampler};
use lnn_physics::systems::build;
use lnn_train::record::MetricsLine;
use lnn_train::store::{load_model, read_metrics};
use lnn_train::table::{StateColumns, TableReader};
use lnn_train::trajectory::simulate;
use serde_json::Value;

use crate::errors_document::is_documented;
use crate::interruption::Session;
use crate::small_run::{Workplace, results};

/// Units that a table is written in: of lengths and of time; angles stay radians.
#[derive(Clone, Copy)]
struct Units {
    length: f64,
    time: f64,
}

const SI: Units = Units { length: 1.0, time: 1.0 };

/// Motions of a spring pendulum, whose coordinates are a length and an angle, from 0.05 s to 0.05 s.
fn spring_pendulum(count: usize, rows: usize, units: Units, with_accelerations: bool) -> String {
    let system = build("spring-pendulum", &[].into()).expect("a system");
    let times: Vec<f64> = (0..rows).map(|row| 0.05 * row as f64).collect();
    let motions =
        simulate(&*system, system.rollout_distribution(), StateSampler::new(5, 0), count, &times).expect("finite");
    table(&*system, &motions, units, with_accelerations)
}

fn table(
    system: &dyn System,
    motions: &lnn_train::trajectory::Trajectories,
    Units { length, time }: Units,
    with_accelerations: bool,
) -> String {
    let mut text = "trajectory,t,q0,q1,q_dot0,q_dot1".to_owned();
    text += if with_accelerations { ",q_ddot0,q_ddot1\n" } else { "\n" };
    for (number, motion) in motions.motions().enumerate() {
        for (row, t) in motion.times.iter().enumerate() {
            let state = motion.state(row);
            let mut acceleration = [0.0; 2];
            system.acceleration_into(&state[..2], &state[2..], &[], &mut acceleration);
            let rate = 1.0 / time;
            write!(text, "{number},{},{},{}", t * time, state[0] * length, state[1]).expect("text");
            write!(text, ",{},{}", state[2] * length * rate, state[3] * rate).expect("text");
            if with_accelerations {
                write!(text, ",{},{}", acceleration[0] * length * rate * rate, acceleration[1] * rate * rate)
                    .expect("text");
            }
            text.push('\n');
        }
    }
    text
}

/// A recipe of seconds.
fn recipe(steps: u64, precision: &str, checkpoint_every_seconds: f64) -> String {
    format!(
        "(model: (hidden: [16, 16], precision: {precision}, training: (steps: {steps}, batch: 96)), log_every: 20, \
         checkpoint_every_seconds: {checkpoint_every_seconds:?})"
    )
}

fn workplace(files: &[(&str, &str)]) -> Workplace {
    let workplace = Workplace::empty();
    for (name, text) in files {
        workplace.write(name, text);
    }
    workplace
}

fn summary(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("summary.json")).expect("finished")).expect("JSON")
}

fn losses(folder: &Path) -> Vec<[f64; 2]> {
    let lines = read_metrics(&folder.join("metrics.jsonl")).expect("finished");
    lines.iter().map(|line: &MetricsLine| [line.loss, line.held_out_error.expect("judged")]).collect()
}

const TRAIN: &str = "train --data swings.csv --angles q1 --config recipe.ron";

#[test]
fn a_training_leaves_a_model_a_report_and_what_to_do_next() {
    for (accelerations, learned) in [(true, "accelerations"), (false, "segments of 5 rows")] {
        let text = spring_pendulum(12, 21, SI, accelerations);
        let workplace = workplace(&[
            ("swings.csv", &text),
            ("recipe.ron", &recipe(800, "F32", 15.0).replace("[16, 16]", "[32, 32]")),
        ]);
        let ended = workplace.succeed(&format!("{TRAIN} --out run"));
        for words in ["12 trajectories", "Δq − ∫q̇", "angle"] {
            assert!(ended.stderr.contains(words), "{words}\n{}", ended.stderr);
        }
        for words in
            ["state one row later", "Judged on 1 of 12 trajectories", "Next:", "lnn rollout --model run/model-lnn"]
        {
            assert!(ended.stdout.contains(words), "{words}\n{}", ended.stdout);
        }
        assert!(ended.stdout.lines().chain(ended.stderr.lines()).all(|line| line.chars().count() <= 110));
        let summary = summary(&workplace.path("run"));
        assert_eq!(summary["learned"], learned);
        let matrix = &summary["mass_matrix"];
        assert_eq!(
            (&matrix["other_sign"], &matrix["states"]),
            (&0.into(), &21.into()),
            "the default recipe keeps the sign"
        );
        // Nearly nothing learned would be an error of 1.
        let curve = losses(&workplace.path("run"));
        let (first, last) = (curve[0], curve[curve.len() - 1]);
        assert!(last[1] < 0.5 * first[1] && last[0] < 0.5 * first[0], "{curve:?}");
        let model = load_model(&workplace.path("run/model-lnn.safetensors")).expect("written");
        assert_eq!((model.header.degrees_of_freedom, model.header.conditionals), (2, 0));
        for file in
            ["report.html", "data.json", "rollouts.csv", "config.ron", "figures/rollout.svg", "figures/loss.png"]
        {
            assert!(workplace.path("run").join(file).is_file(), "{file}");
        }
        // The configuration repeats the run; of other data it is refused.
        workplace.succeed("train --config run/config.ron --out again --quiet");
        let [first, again] = ["run", "again"].map(|run| results(&workplace.path(run)));
        assert!(first == again, "the run is repeated bit for bit");
        workplace.write("swings.csv", &text.replacen("0.05", "0.051", 1));
        let ended = workplace.run("train --config run/config.ron --out other");
        assert!(ended.code == Some(1) && ended.stderr.contains("fingerprint"), "{}", ended.stderr);
        assert!(!workplace.path("other").exists(), "nothing is left of what was refused");
    }
}

#[test]
fn a_recipe_taken_to_other_data_is_scaled_by_these() {
    let text = spring_pendulum(6, 21, SI, false);
    let other = spring_pendulum(6, 21, Units { length: 1000.0, time: 1.0 }, false);
    let recipe = recipe(20, "F32", 15.0).replace("batch: 96", "batch: 96, gradient_parts: 1");
    let workplace = workplace(&[("swings.csv", &text), ("other.csv", &other), ("recipe.ron", &recipe)]);
    workplace.succeed(&format!("{TRAIN} --out run --quiet"));
    let ended = workplace.succeed("train --config run/config.ron --data other.csv --out other --threads 64");
    assert!(ended.stderr.contains("are of other data; they are left out"), "{}", ended.stderr);
    assert!(ended.stderr.contains("; model.training.gradient_parts can raise that"), "{}", ended.stderr);
    workplace.succeed("train --config recipe.ron --data other.csv --angles q1 --out afresh --quiet");
    let [other, afresh] = ["other", "afresh"].map(|run| results(&workplace.path(run)));
    assert!(other == afresh, "nothing of the first data is left");
    // Another declaration is other data too; the same one is not.
    let ended = workplace.succeed("train --config run/config.ron --angles q1 --out again --quiet");
    assert!(!ended.stderr.contains("other data"), "{}", ended.stderr);
    assert!(results(&workplace.path("again")) == results(&workplace.path("run")));
    workplace.succeed("train --config run/config.ron --angles q0,q1 --out angles --quiet");
    let configuration = std::fs::read_to_string(workplace.path("angles/config.ron")).expect("written");
    assert_eq!(configuration.matches("angles: SinCos").count(), 2, "{configuration}");
    // The model file says of which step it is.
    let header = load_model(&workplace.path("run/model-lnn.safetensors")).expect("written").header;
    let kept = summary(&workplace.path("run"))["kept_step"].as_u64().expect("a step");
    assert_eq!((header.provenance.steps, header.provenance.samples), (kept, 96 * kept));
}

#[test]
fn a_trial_goes_through_everything_and_is_no_training() {
    let text = spring_pendulum(12, 21, SI, false);
    let workplace = workplace(&[("swings.csv", &text), ("recipe.ron", &recipe(800, "F32", 15.0))]);
    workplace.succeed(&format!("{TRAIN} --trial --out run --quiet"));
    assert_eq!(summary(&workplace.path("run"))["steps"], 20);
    assert!(workplace.path("run/report.html").is_file() && workplace.path("run/model-lnn.safetensors").is_file());
    // As it says in the end: the motions of its held-out starts, and what it learned.
    workplace.succeed("plot run --quiet");
    for name in ["phase", "energy", "mass_matrix-lnn", "potential-lnn"] {
        assert!(workplace.path(&format!("run/plots/{name}.svg")).is_file(), "{name}");
    }
    // The whole training does not go on from it.
    let ended = workplace.run(&format!("{TRAIN} --out run --resume"));
    assert!(ended.code == Some(1) && ended.stderr.contains("steps"), "{}", ended.stderr);
}

#[test]
fn threads_and_interruptions_change_no_bit() {
    let text = spring_pendulum(10, 21, SI, false);
    let workplace = workplace(&[("swings.csv", &text), ("recipe.ron", &recipe(4000, "F32", 0.05))]);
    workplace.succeed(&format!("{TRAIN} --out whole --threads 1"));
    let line = format!("{TRAIN} --out run --threads 2 --resume");
    let mut interrupted = 0;
    for words in ["lnn        training", "lnn        step", "lnn        step"] {
        let mut session = Session::of(&workplace, &line);
        session.wait_for(words);
        session.interrupt();
        let (status, said) = session.end();
        interrupted += usize::from(status.code() == Some(130));
        assert!(matches!(status.code(), Some(0 | 130)), "{said}");
    }
    assert!(interrupted >= 2, "{interrupted} of 3 were interrupted");
    workplace.succeed(&line);
    let [whole, run] = ["whole", "run"].map(|run| results(&workplace.path(run)));
    assert_eq!(whole.keys().collect::<Vec<_>>(), run.keys().collect::<Vec<_>>());
    for (name, bytes) in &whole {
        assert!(*bytes == run[name], "{name}");
    }
}

/// Everything that is learned is a ratio to what is in the data: powers of two as units change no bit of it, and
/// millimetres and milliseconds only the rounding.
#[test]
fn what_is_learned_does_not_depend_on_the_units() {
    for accelerations in [true, false] {
        let figures = |units: Units, optimiser: &str| {
            let text = spring_pendulum(8, 21, units, accelerations);
            let recipe = recipe(60, "F64", 15.0).replace("steps: 60", &format!("optimiser: {optimiser}(), steps: 60"));
            let workplace = workplace(&[("swings.csv", &text), ("recipe.ron", &recipe)]);
            workplace.succeed(&format!("{TRAIN} --out run"));
            let summary = summary(&workplace.path("run"));
            let relative = |group: &str| -> Vec<f64> {
                let errors = summary[group].as_array().expect("a list").iter();
                errors.map(|error| error["relative"].as_f64().expect("finite")).collect()
            };
            let condition = summary["mass_matrix"]["condition_max"].as_f64().expect("finite");
            (losses(&workplace.path("run")), [relative("one_row"), relative("acceleration"), vec![condition]].concat())
        };
        let (want, want_figures) = figures(SI, "Soap");
        let (powers, powers_figures) = figures(Units { length: 1024.0, time: 1.0 / 4096.0 }, "Soap");
        assert_eq!((&powers, &powers_figures), (&want, &want_figures));
        // Adam: the eigenbasis that SOAP turns into is undetermined in the first steps, and rounding decides on it.
        let (want, want_figures) = figures(SI, "Adam");
        let (thousands, thousands_figures) = figures(Units { length: 1e3, time: 1e3 }, "Adam");
        // Some 10⁴ roundings of 1e-16 a step, which sixty steps add up and the motion multiplies by some tens.
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b.abs();
        assert!(
            thousands.iter().flatten().zip(want.iter().flatten()).all(|(&a, &b)| close(a, b)),
            "{thousands:?}\n{want:?}"
        );
        assert!(
            thousands_figures.iter().zip(&want_figures).all(|(&a, &b)| close(a, b)),
            "{thousands_figures:?}\n{want_figures:?}"
        );
        assert_ne!(thousands, want, "the comparison sees a difference");
    }
}

#[test]
fn bad_data_are_refused_before_anything_is_written() {
    let good = spring_pendulum(4, 21, SI, false);
    let replaced = |from: &str, to: &str| good.replacen(from, to, 1);
    let no_velocities: String =
        good.lines().map(|line| line.split(',').take(4).collect::<Vec<_>>().join(",") + "\n").collect();
    let row = good.lines().nth(9).expect("many rows");
    let cases = [
        (no_velocities, "q_dot0"),
        (replaced(row, &row.replacen("0.4", "nan", 1)), "line 10, column `t` is NaN"),
        (replaced(row, &format!("{row}\n{row}")), "is the same as"),
        (replaced("q_dot1", "qdot1"), "did you mean `qdot1`?"),
        (good.lines().take(2).map(|line| format!("{line}\n")).collect(), "has this row only"),
    ];
    for (text, words) in cases {
        let workplace = workplace(&[("swings.csv", &text)]);
        let ended = workplace.run("train --data swings.csv --angles q1 --out run");
        assert_eq!(ended.code, Some(1), "{words}\n{}", ended.stderr);
        assert!(ended.stderr.contains(words) && ended.stderr.contains("swings.csv"), "{words}\n{}", ended.stderr);
        assert!(!workplace.path("run").exists());
    }
    let workplace = workplace(&[("swings.csv", &good)]);
    let ended = workplace.run("train --data swings.csv --out run --angles q2");
    assert!(ended.stderr.contains("--angles names `q2`"), "{}", ended.stderr);
    assert_eq!(workplace.run("train --out run").code, Some(2));
}

#[test]
fn the_documented_messages_are_said() {
    let rows = |rows: &[&str]| rows.join("\n") + "\n";
    let motion = rows(&["trajectory,t,q0,q_dot0", "0,0,1,1", "0,2,3,1", "0,3,4,1"]);
    let degrees: String = (0..40)
        .map(|row| (0.1 * f64::from(row)).sin_cos())
        .enumerate()
        .map(|(row, (sine, cosine))| format!("0,{},{},{cosine}\n", 0.1 * row as f64, sine.to_degrees()))
        .collect();
    let cases = [
        ("files of different numbers of coordinates", motion.clone()),
        ("times that do not increase", motion.replace("0,3,4,1", "0,1,4,1")),
        ("one sample per trajectory", rows(&["trajectory,t,q0,q_dot0", "0,0,1,1", "1,2,3,1", "2,3,4,1"])),
        ("angles in degrees", format!("trajectory,t,q0,q_dot0\n{degrees}")),
    ];
    for (fault, text) in cases {
        let other = rows(&["trajectory,t,q0,q1,q_dot0,q_dot1", "0,0,1,1,1,1", "0,1,2,2,1,1"]);
        let workplace = workplace(&[("data.csv", &text), ("other.csv", &other)]);
        let more = if fault.contains("files") { " other.csv" } else { "" };
        let ended = workplace.run(&format!("train --data data.csv{more} --out run"));
        assert_eq!(ended.code, Some(1), "{fault}\n{}", ended.stderr);
        assert!(is_documented(&ended.stderr, fault), "{fault}\n{}", ended.stderr);
    }
}

/// Motions that SciPy made, by equations of its own, become a model whose motions keep the true energy.
#[test]
fn a_double_pendulum_simulated_elsewhere_is_learned_from_its_table() {
    let pendulum = build("dblpend", &[].into()).expect("a system");
    let text = include_str!("../data/double_pendulum.csv");
    let states_alone: String =
        text.lines().map(|line| line.split(',').take(6).collect::<Vec<_>>().join(",") + "\n").collect();
    // Well inside of where the motions of the table start: half as far.
    let mut starts = [0.0; 80];
    let range = Distribution::uniform(-0.5, 0.5).expect("an interval");
    StateSampler::new(1, 0).fill(0, &[range; 4], &mut starts);
    let starts: String =
        starts.chunks_exact(4).map(|state| format!("{},{},{},{}\n", state[0], state[1], state[2], state[3])).collect();
    for (text, learn, steps, batch) in
        [(text, "Accelerations", 4000, 128), (&states_alone, "Segments(rows: 3)", 1500, 96)]
    {
        // A gentler beginning than the default's, for so few motions and steps.
        let schedule = format!("WarmupCosine(peak: 1e-2, warmup_steps: 200, total_steps: {steps})");
        let training = format!("learn: {learn}, steps: {steps}, batch: {batch}, schedule: {schedule}");
        let recipe = format!("(model: (hidden: [32, 32], training: ({training})))");
        let workplace = workplace(&[
            ("pendulum.csv", text),
            ("recipe.ron", &recipe),
            ("starts.csv", &format!("q0,q1,q_dot0,q_dot1\n{starts}")),
        ]);
        workplace.succeed("train --data pendulum.csv --angles q0,q1 --config recipe.ron --out run");
        workplace.succeed(
            "rollout --model run/model-lnn.safetensors --initial starts.csv --t-end 5 --dt 0.5 --rtol 1e-8 --out motions.csv",
        );
        let mut motions = TableReader::open(&workplace.path("motions.csv"), None).expect("written");
        let places = StateColumns::find(Path::new("motions.csv"), motions.columns(), &[]).expect("states");
        motions.select(&[&places.q[..], &places.q_dot].concat()).expect("numbers");
        let mut states = Vec::new();
        while motions.read(1000, &mut states).expect("numbers") > 0 {}
        assert_eq!(states.len(), 20 * 11 * 4);
        let errors = states.chunks_exact(11 * 4).map(|motion| {
            let energy = |state: &[f64]| pendulum.state_energy(state, &[]);
            100.0 * (energy(&motion[40..]) - energy(&motion[..4])).abs() / pendulum.reference_energy()
        });
        let mean = errors.sum::<f64>() / 20.0;
        // The least that a model can err is 0; one that has learned nothing errs by some ten.
        assert!(mean < 0.4, "{learn}: {mean} % of the largest potential energy");
    }
}
