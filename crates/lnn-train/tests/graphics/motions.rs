//! Motions of learned models on a graphics card beside those of the processor, from the library and from `lnn rollout`.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::AtomicBool;

use lnn_autodiff::{Activation, MlpShape};
use lnn_gpu::device::AdapterChoice;
use lnn_physics::integrators::{Method, frames_every};
use lnn_train::backend::cache::CacheFolder;
use lnn_train::backend::{Card, DeviceMotion, DeviceMotionError, require_motion_kernels};
use lnn_train::config::{AngleFeatures, FeaturesConfig, ModelKind, presets};
use lnn_train::experiment::build_model;
use lnn_train::model::Model;
use lnn_train::motion::{EndCause, LearnedMotion, Motion, MotionError, Starts};
use lnn_train::table::TableReader;
use serde_json::Value;

use crate::model_files::{save_bursting, save_untrained};
use crate::trainings::device;

static ON: AtomicBool = AtomicBool::new(false);

fn card() -> Card {
    Card::open(&AdapterChoice::Name(device().adapter().name.clone()), None).expect("it was opened before")
}

/// The double pendulum's network of these layers with its first weights, the last layer's five times as large: forces like
/// those of a pendulum.
fn lively(hidden: &[usize]) -> (Model, Vec<f64>) {
    let mut config = presets::fast().models[presets::LNN].clone();
    config.hidden = hidden.to_vec();
    let model = build_model(&config, 2).expect("usable");
    let mut parameters: Vec<f32> = config.initialisation.draw(&model, 4);
    let last = model.shape().layers().last().expect("a layer").weight.clone();
    parameters[last].iter_mut().for_each(|x| *x *= 5.0);
    (model, parameters.iter().map(|&x| f64::from(x)).collect())
}

/// Numbers that single precision has.
fn starts(rows: usize, width: usize) -> Vec<f64> {
    (0..rows * width).map(|i| f64::from((0.73 * i as f64).sin() as f32)).collect()
}

/// Whether motions are the same within `tolerance` for each, and end alike.
fn agree(got: &[Motion], want: &[Motion], tolerance: &[f64]) -> Result<(), String> {
    for (row, (got, want)) in got.iter().zip(want).enumerate() {
        if got.states.len() != want.states.len() || got.ending.is_some() != want.ending.is_some() {
            return Err(format!("row {row}: {:?} and {:?}", got.ending, want.ending));
        }
        let apart = apart(got, want);
        if apart.is_nan() || apart > tolerance[row] {
            return Err(format!("row {row}: {apart:e}, tolerance {:e}", tolerance[row]));
        }
    }
    Ok(())
}

fn apart(a: &Motion, b: &Motion) -> f64 {
    let differences = a.states.iter().zip(&b.states).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, |a, b| if b.is_nan() || b > a { b } else { a })
}

#[test]
fn a_hundred_motions_are_those_of_double_precision() {
    let card = card();
    for hidden in [vec![16, 16], vec![72, 72]] {
        let (model, mut parameters) = lively(&hidden);
        let (states, times) = (starts(100, 4), frames_every(1.0, 0.1).expect("frames"));
        let starts = Starts { degrees_of_freedom: 2, states: &states, conditionals: &[], times: &times };
        let on_processor = |parameters: &[f64], starts: Starts<'_>| {
            LearnedMotion::new(&model, parameters).integrate(&Method::Rk4 { dt: 0.05 }, starts, &ON).expect("motions")
        };
        let want = on_processor(&parameters, starts);
        // What an error of the start grows to, for every row.
        let moved: Vec<f64> = states.iter().map(|x| x + 1e-7).collect();
        let nearby = on_processor(&parameters, Starts { states: &moved, ..starts });
        // Accelerations of order 1 from sums over two layers; what rounding makes of them adds up over T = 1 and grows as errors of
        // the start do.
        let growth = want.iter().zip(&nearby).map(|(a, b)| (apart(a, b) / 1e-7).max(1.0));
        let tolerance: Vec<f64> = growth.map(|growth| 16.0 * f64::from(f32::EPSILON) * growth).collect();
        let mut learned = DeviceMotion::new(&card, &model, &parameters).expect("has kernels");
        let got = learned.integrate(0.05, starts, &ON).expect("motions");
        agree(&got, &want, &tolerance).unwrap_or_else(|far| panic!("{hidden:?}: {far}"));
        let whole = got.iter().filter(|motion| motion.ending.is_none()).count();
        assert!(whole > 90, "{whole} of 100 go on to the end");
        // Fewer rows in the same plan, and again: the same bits.
        let few = Starts { states: &states[..4 * 7], ..starts };
        assert_eq!(learned.integrate(0.05, few, &ON).expect("motions"), got[..7]);
        // A weight that is a little off is seen.
        parameters[3] += 1e-2;
        let mut learned = DeviceMotion::new(&card, &model, &parameters).expect("has kernels");
        assert!(agree(&learned.integrate(0.05, starts, &ON).expect("motions"), &want, &tolerance).is_err());
    }
}

/// A network of one coordinate and one conditional, with a residual mass of 1.
fn conditional() -> (Model, Vec<f64>) {
    conditional_with(None)
}

/// As [`conditional`], with a network of the potential beside it if it has a scale.
fn conditional_with(potential_scale: Option<f64>) -> (Model, Vec<f64>) {
    let features = FeaturesConfig { angles: AngleFeatures::Identity, velocity_scale: 1.0, ..FeaturesConfig::default() };
    let kind =
        ModelKind::Lnn { residual_mass: 1.0, pseudoinverse_tolerance: 1e-6, potential_scale, scaled_velocities: false };
    let shape = MlpShape::new(&[3, 4, 1], Activation::Softplus).expect("a shape");
    let model = Model::new(kind, &features, shape, 1, 1).expect("usable");
    let parameters = (0..model.parameter_count()).map(|i| f64::from((1.7 * i as f64).sin() as f32)).collect();
    (model, parameters)
}

#[test]
fn frames_are_at_their_times_whatever_the_steps_between_them() {
    for potential_scale in [None, Some(3.0)] {
        frames_are_at_their_times(conditional_with(potential_scale));
    }
}

fn frames_are_at_their_times((model, parameters): (Model, Vec<f64>)) {
    let card = card();
    let (states, conditionals) = (starts(20, 2), starts(20, 1));
    // Steps between frames: 10, 10, 3, 200, 1; the fourth in several submissions.
    let times = [0.0, 0.1, 0.2, 0.225, 2.225, 2.23];
    let starts = Starts { degrees_of_freedom: 1, states: &states, conditionals: &conditionals, times: &times };
    let method = Method::Rk4 { dt: 0.01 };
    let want = LearnedMotion::new(&model, &parameters).integrate(&method, starts, &ON).expect("motions");
    let mut learned = DeviceMotion::new(&card, &model, &parameters).expect("has kernels");
    let got = learned.integrate(0.01, starts, &ON).expect("motions");
    // One hidden layer, tame accelerations over 2 units of time.
    agree(&got, &want, &[64.0 * f64::from(f32::EPSILON); 20]).expect("the same motions");
    assert_eq!((got[0].states.len(), got[0].statistics), (6 * 2, want[0].statistics));
    let mut others = conditionals.clone();
    others[3] += 0.01;
    let got = learned.integrate(0.01, Starts { conditionals: &others, ..starts }, &ON).expect("motions");
    let far = agree(&got, &want, &[64.0 * f64::from(f32::EPSILON); 20]).expect_err("another conditional");
    assert!(far.starts_with("row 3"), "{far}");
}

#[test]
fn more_states_than_are_planned_at_once_are_moved_in_turn() {
    let card = card();
    let (model, parameters) = conditional();
    // More than 2¹⁴, the most that are planned at once.
    let rows = (1 << 14) + 5;
    let (states, conditionals, times) = (starts(rows, 2), starts(rows, 1), [0.0, 0.01, 0.02]);
    let starts = Starts { degrees_of_freedom: 1, states: &states, conditionals: &conditionals, times: &times };
    let want = LearnedMotion::new(&model, &parameters).integrate(&Method::Rk4 { dt: 0.01 }, starts, &ON);
    let got = DeviceMotion::new(&card, &model, &parameters).expect("has kernels").integrate(0.01, starts, &ON);
    let (got, want) = (got.expect("motions"), want.expect("motions"));
    assert_eq!((got.len(), got[rows - 1].states.len()), (rows, 3 * 2));
    agree(&got, &want, &vec![16.0 * f64::from(f32::EPSILON); rows]).expect("the same motions");
}

#[test]
fn what_cannot_be_moved_is_refused_by_name() {
    let card = card();
    let (model, parameters) = lively(&[8]);
    let mut learned = DeviceMotion::new(&card, &model, &parameters).expect("has kernels");
    let times = frames_every(0.1, 0.1).expect("frames");
    let mut states = starts(3, 4);
    states[4 + 2] = 1e300;
    fn of<'a>(states: &'a [f64], times: &'a [f64]) -> Starts<'a> {
        Starts { degrees_of_freedom: 2, states, conditionals: &[], times }
    }
    let error = learned.integrate(0.1, of(&states, &times), &ON).expect_err("too large");
    assert!(matches!(error, DeviceMotionError::SinglePrecision { start: 1, component: 2, given: 1e300 }), "{error}");
    states[4 + 2] = f64::NAN;
    let error = learned.integrate(0.1, of(&states, &times), &ON).expect_err("not a number");
    assert!(matches!(error, DeviceMotionError::Motion(MotionError::Start { start: 1, component: 2, .. })), "{error}");
    states[4 + 2] = 0.0;
    let stopped = learned.integrate(0.1, of(&states, &times), &AtomicBool::new(true));
    assert!(matches!(stopped, Err(DeviceMotionError::Motion(MotionError::Stopped))));
    assert!(learned.integrate(-0.1, of(&states, &times), &ON).is_err(), "a step backwards");
    assert!(learned.integrate(0.1, of(&[], &times), &ON).expect("nothing to do").is_empty());
    let config = presets::models();
    for (name, words) in [("delan", "a deep Lagrangian network"), ("hnn", "a Hamiltonian"), ("baseline", "a plain")] {
        let model = build_model(&config.models[name], 2).expect("usable");
        let error = require_motion_kernels(&model).expect_err("no kernels").to_string();
        assert!(error.contains(words) && error.contains("--backend cpu"), "{error}");
    }
}

/// A state that overflows, with a mass matrix that is regular everywhere.
#[test]
fn a_state_that_overflows_ends_alone_with_its_time() {
    let card = card();
    let (model, mut parameters) = conditional();
    parameters.fill(0.0);
    let states = [3.3e38_f32, 1e37, 0.0, 1.0].map(f64::from);
    let times = frames_every(2.0, 0.5).expect("frames");
    let starts = Starts { degrees_of_freedom: 1, states: &states, conditionals: &[0.0, 0.0], times: &times };
    let mut learned = DeviceMotion::new(&card, &model, &parameters).expect("has kernels");
    let motions = learned.integrate(0.25, starts, &ON).expect("motions");
    let ending = motions[0].ending.as_ref().expect("it overflows at t = 1.03");
    assert_eq!((ending.time, &ending.cause), (1.0, &EndCause::NonFinite { time: 1.0 }));
    assert_eq!((motions[0].states.len(), motions[1].states.len()), (3 * 2, 5 * 2));
}

fn lnn(folder: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lnn"));
    // Not the cache of whoever runs the tests.
    command.env(CacheFolder::VARIABLE, "cache");
    command.args(line.split_whitespace()).current_dir(folder).output().expect("the program starts")
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn table(path: &Path) -> (Vec<String>, Vec<f64>) {
    let mut reader = TableReader::open(path, None).expect("a table");
    let columns = reader.columns().iter().map(ToString::to_string).collect();
    let mut values = Vec::new();
    while reader.read(1000, &mut values).expect("numbers") > 0 {}
    (columns, values)
}

#[test]
fn the_program_writes_the_table_of_the_processor_and_ends_what_is_singular() {
    let place = tempfile::tempdir().expect("a folder");
    let place = place.path();
    save_bursting(&place.join("bursting.safetensors"));
    // z₀ = 0 bursts at 0.3466, z₀ = −5 at 2.5.
    fs::write(place.join("burst.csv"), "trajectory,q0,q1,q_dot0,q_dot1\n12,0.3,0,0.5,0\n5,0.3,-2,0.5,-1\n")
        .expect("writable");
    let line = "rollout --model bursting.safetensors --initial burst.csv --t-end 1 --dt 0.05 --integrator rk4 --substeps 50 \
                --accelerations";
    let (code, _, _) = said(&lnn(place, &format!("{line} --out processor.csv")));
    assert_eq!(code, Some(3));
    let on_card = format!("{line} --backend gpu --adapter {}", device().adapter().kind.name());
    let (code, out, err) = said(&lnn(place, &format!("{on_card} --out card.csv")));
    assert_eq!(code, Some(3), "{err}");
    for words in [
        &format!("Backend gpu: {}", device().adapter().name),
        "States move in single precision; energies are the processor's, in double precision.",
        "note: trajectory 12 (line 2) ended at t = 0.3",
        "the mass matrix is singular at t = 0.34",
        "its smallest eigenvalue is ",
        ", at q = [",
    ] {
        assert!(err.contains(words), "{words}: {err}");
    }
    assert!(out.contains("by rk4 (step 0.001, single precision)"), "{out}");
    assert!(out.contains("complete         1\n  ended early      1\n"), "{out}");
    let ((columns, card), (others, processor)) = (table(&place.join("card.csv")), table(&place.join("processor.csv")));
    assert_eq!((&columns, card.len()), (&others, processor.len()));
    let (width, time) = (columns.len(), 1);
    for (card, processor) in card.chunks_exact(width).zip(processor.chunks_exact(width)) {
        assert_eq!(card[..=time], processor[..=time]);
        for (name, (a, b)) in columns.iter().zip(card.iter().zip(processor)) {
            // z is up to 1 at the last frame; the field stretches by e^(∫ k eᶻ), 20 or so. Accelerations are up to 20.
            let tolerance = 256.0 * f64::from(f32::EPSILON) * 20.0 * b.abs().max(1.0);
            assert!((a - b).abs() <= tolerance, "{name} at {}: {a} {b}", card[time]);
        }
    }

    let (code, out, err) = said(&lnn(place, &format!("{on_card} --out lines.npy --json")));
    // A driver may say something of its own.
    assert!(code == Some(3) && !err.contains("note: ") && !err.contains("Backend"), "{err}");
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((&lines[0]["cause"], &lines[0]["trajectory"]), (&"singular_mass_matrix".into(), &12.0.into()));
    assert!((lines[0]["time"].as_f64().expect("a number") - 0.3).abs() < 1e-12, "{}", lines[0]);
    assert!(lines[0]["smallest_eigenvalue"].as_f64().expect("a number").abs() < 1e-5, "{}", lines[0]);
    assert_eq!((&lines[1]["backend"], &lines[1]["rows"]), (&"gpu".into(), &28.into()));
    let (code, out, err) = said(&lnn(place, &format!("{on_card} --out card.csv --overwrite --quiet")));
    assert_eq!((code, out.as_str()), (Some(3), ""), "{err}");
    assert!(!err.contains("Backend"), "{err}");
}

#[test]
fn the_program_refuses_what_has_no_kernels_and_writes_nothing() {
    let place = tempfile::tempdir().expect("a folder");
    let place = place.path();
    for model in ["lnn", "delan"] {
        save_untrained(&place.join(format!("{model}.safetensors")), "dblpend", model, true);
    }
    fs::write(place.join("starts.csv"), "q0,q1,q_dot0,q_dot1\n0.1,0.2,0,0\n").expect("writable");
    fs::write(place.join("there.csv"), "thesis\n").expect("writable");
    let line = "rollout --initial starts.csv --t-end 0.2 --dt 0.1 --model";
    let rk4 = "--integrator rk4 --backend gpu";
    for (rest, words) in [
        ("lnn.safetensors --backend gpu --out o.csv".to_owned(), "--backend gpu is for `--integrator rk4`"),
        ("lnn.safetensors --integrator rk4 --adapter cpu --out o.csv".to_owned(), "add it, or leave --adapter out"),
        (format!("delan.safetensors {rk4} --out o.csv"), "no kernels that move a deep Lagrangian network"),
        (format!("lnn.safetensors {rk4} --adapter abacus --out o.csv"), "no graphics adapter fits `abacus`"),
        (format!("lnn.safetensors {rk4} --out there.csv"), "there.csv is there already, and nothing was changed"),
    ] {
        let (code, _, err) = said(&lnn(place, &format!("{line} {rest}")));
        assert_eq!(code, Some(1), "{rest}: {err}");
        assert!(err.contains(words), "{words}: {err}");
    }
    assert!(!place.join("o.csv").exists());
    assert_eq!(fs::read(place.join("there.csv")).expect("there"), b"thesis\n");
}
