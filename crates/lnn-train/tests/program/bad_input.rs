//! Each mistake that a person can make: one paragraph that says what was given and what to do, a non-zero exit
//! code, no panic, no backtrace, and nothing on the disk changed.

use std::fs;

use lnn_train::config::ExperimentConfig;

use crate::small_run::{Workplace, config, snapshot};

/// Runs the program, insists that it refuses in the proper form, and returns its message.
pub(crate) fn refused(workplace: &Workplace, line: &str) -> String {
    let before = snapshot(&workplace.path(""));
    let ended = workplace.run(line);
    let message = ended.stderr;
    assert_eq!(ended.code, Some(1), "{line}\n{message}");
    assert_eq!(ended.stdout, "", "{line}");
    assert!(message.starts_with("error: ") && message.matches("error:").count() == 1, "{line}\n{message}");
    assert!(message.ends_with('\n') && !message.trim_end().contains("\n\n"), "one paragraph: {line}\n{message}");
    for word in ["panicked", "backtrace", "RUST_", "src/"] {
        assert!(!message.contains(word), "{line}\n{message}");
    }
    let after = snapshot(&workplace.path(""));
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>(), "{line}");
    for (path, bytes) in &before {
        assert!(after[path] == *bytes, "{line} changed {}", path.display());
    }
    message
}

/// A workplace whose `bad.ron` is the small configuration's text with `from` replaced by `to`.
fn spoilt(from: &str, to: &str) -> Workplace {
    let config = config(40);
    let text = config.to_ron().expect("plain data");
    assert!(text.contains(from), "{from} is not in\n{text}");
    let workplace = Workplace::new(&config);
    workplace.write("bad.ron", &text.replacen(from, to, 1));
    workplace
}

const BAD: &str = "experiment dblpend --config bad.ron --out run";

#[test]
fn unknown_names_come_back_with_the_nearest_valid_one() {
    let workplace = Workplace::new(&config(40));
    for (line, words) in [
        ("experiment dblpendulm", "there is no experiment named `dblpendulm`; did you mean `dblpend`?"),
        ("experiment dblpendulm --config small.ron", "did you mean `dblpend`?"),
        ("experiment xyzzy", "there is no experiment named `xyzzy`; valid names: `dblpend`, `relativistic`"),
        ("experiment keppler", "did you mean `kepler`?"),
        ("experiment kepler --preset best", "there is no preset named `best`; valid names: `fast`, `models`"),
        ("experiment kepler --system m3=1", "system.parameters.m3 is 1; expected no such field"),
        ("experiment kepler --system m1=-1", "system.parameters.m1 is -1; expected a positive finite number"),
        ("experiment kepler --system m1=1,m1=2", "the parameter `m1` of the system is given twice"),
        ("experiment kepler --links 2", "the system of `kepler` has no links; leave --links out"),
        ("experiment pendulum --links 0", "system.parameters.links is 0; expected a whole number from 1 to 6"),
        ("experiment pendulum --links 7", "system.parameters.links is 7; expected a whole number from 1 to 6"),
        ("experiment kepler --protocol chnn", "the protocol `chnn` is for `pendulum`, not for `kepler`"),
        ("experiment pendulum --links 7 --protocol chnn", "links is 7; expected a whole number from 1 to 6"),
        (
            "experiment pendulum --protocol chnn --system m1=2",
            "system.parameters.m1 is 2; expected nothing here, since the protocol gives masses, lengths and g",
        ),
        ("experiment pendulum --links 2 --system m3=1", "system.parameters.m3 is 1; expected no such field here"),
        ("experiment dblpend --preset fats", "there is no preset named `fats`; did you mean `fast`?"),
        ("experiment dblpend --models lnn,baselin", "there is no model named `baselin`; did you mean `baseline`?"),
        ("experiment dblpend --models LNN", "did you mean `lnn`?"),
        ("experiment dblpend --config small.ron --models lnn,", "there is no model named ``"),
    ] {
        let message = refused(&workplace, line);
        assert!(message.contains(words), "{line}\n{message}");
    }
    for (from, to, words) in [
        ("seed:", "sed:", "there is no field `sed` in the experiment section; did you mean `seed`?"),
        ("hidden:", "hiden:", "there is no field `hiden` in the model section; did you mean `hidden`?"),
        ("log_every:", "log-every:", "line "),
        ("softplus", "softpuls", "there is no choice `softpuls`"),
        ("SinCos", "Sincos", "did you mean `SinCos`?"),
        ("name: \"dblpend\",", "nam: \"dblpend\",", "did you mean `name`?"),
        ("WarmupCosine(", "WarmCosine(", "did you mean `WarmupCosine`?"),
    ] {
        let message = refused(&spoilt(from, to), BAD);
        assert!(message.contains(words) && message.contains("bad.ron, line "), "{to}\n{message}");
    }
}

#[test]
fn motions_that_cannot_be_observed_or_hold_no_segment_are_refused_by_their_fields() {
    for (given, field, words) in [
        ("segment: 1", "segment", "2 or above: the start of a segment and a later observation"),
        ("t_end: 0.1, segment: 4", "t_end", "at least (segment − 1) × dt, so that a motion holds a whole segment"),
        ("dt: -0.05", "dt", "a finite number above 0"),
        ("substeps: 0", "substeps", "1 or above"),
        ("count: 0", "count", "1 or above"),
        ("noise: -1.0", "noise", "0 or above"),
        ("warm_start: 1.0", "warm_start", "at least 0 and below 1"),
        ("count: 4000000000", "count", "at most 1e9 numbers"),
    ] {
        let message = refused(&spoilt("data: States", &format!("data: Trajectories({given})")), BAD);
        let field = format!("models.baseline.training.data.{field} is ");
        assert!(message.contains(&field) && message.contains(words), "{given}\n{message}");
    }
    let message = refused(&spoilt("data: States", "data: Trajectory()"), BAD);
    assert!(message.contains("did you mean `Trajectories`?"), "{message}");
}

#[test]
fn malformed_ron_is_shown_with_file_line_column_and_what_was_expected() {
    for (text, place, expected) in [
        ("(\n    seed: 1,\n    log_every: 5;\n)", "bad.ron, line 3, column 17", "expected `,` or the closing `)`"),
        ("(\n  seed: \"one\",\n)", "bad.ron, line 2, column 9", "expected a whole number"),
        ("(\n  seed: -1,\n)", "bad.ron, line 2, column 10", "expected a whole number"),
        ("(seed: 1", "bad.ron, line 1", "expected"),
        ("(preset: \"a)", "bad.ron, line 1", "no closing double quote"),
        ("", "bad.ron, line 1, column 1", "expected"),
        ("(seed: 1) (seed: 2)", "bad.ron, line 1, column 11", "expected the end of the text"),
        ("(seed: 1, seed: 2)", "bad.ron, line 1, column 11", "given twice"),
    ] {
        let workplace = Workplace::new(&config(40));
        workplace.write("bad.ron", text);
        let message = refused(&workplace, BAD);
        assert!(message.contains(place) && message.contains(expected), "{text}\n{message}");
        assert!(message.contains('^'), "the spot is marked:\n{message}");
    }
}

#[test]
fn values_that_make_no_sense_are_refused_under_their_names() {
    for (from, to, words) in [
        ("hidden: [16, 16]", "hidden: [16, 0]", "hidden[1] is 0; expected a width from 1"),
        ("hidden: [16, 16]", "hidden: []", "hidden is a list of 0 layers"),
        ("\"m1\": 1.0", "\"m1\": -1.0", "system.parameters.m1 is -1; expected a positive finite number"),
        ("\"m2\": 1.0", "\"m2\": NaN", "system.parameters.m2 is NaN; expected a positive finite number"),
        ("\"g\": 9.8", "\"g\": inf", "system.parameters.g is inf; expected a finite number"),
        ("name: \"dblpend\",", "name: \"dblpent\",", "did you mean `dblpend`?"),
        ("t_end: 1.0", "t_end: 0.0", "evaluation.t_end is 0; expected a finite number above 0"),
        ("t_end: 1.0", "t_end: -5.0", "evaluation.t_end is -5; expected a finite number above 0"),
        ("t_end: 1.0", "t_end: NaN", "evaluation.t_end is NaN"),
        ("peak: 0.01", "peak: NaN", "schedule.peak is NaN"),
        ("batch: 96", "batch: 0", "training.batch is 0"),
        ("rollouts: 12", "rollouts: 0", "evaluation.rollouts is 0"),
        ("low: -10.0", "low: 10.0", "sampling.velocity is [10, 10)"),
        ("dt: 0.01", "dt: 1e9", "evaluation.integrator.dt is 1000000000; expected at most the time between two frames"),
        ("preset: \"small\"", "preset: \"../small\"", "preset is \"../small\"; expected 1 to 64 of the characters"),
    ] {
        let message = refused(&spoilt(from, to), BAD);
        assert!(message.contains(words) && message.contains("bad.ron"), "{to}\n{message}");
    }
}

/// Accelerations beyond a number format, by a gravity of the wrong unit.
#[test]
fn data_that_are_not_finite_are_refused_with_the_state_they_belong_to() {
    let message = refused(&spoilt("\"g\": 9.8", "\"g\": 1.79e308"), BAD);
    assert!(message.contains("the training data are unusable: at q = [") && message.contains("inf"), "{message}");
    assert!(message.contains("finite in f64") && message.contains("check the system's parameters"), "{message}");

    // Large enough for single precision only: found when the training draws it, and no step is made.
    let workplace = spoilt("\"g\": 9.8", "\"g\": 1e39");
    let ended = workplace.run(BAD);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("training of `lnn` cannot go on after step 0"), "{}", ended.stderr);
    assert!(ended.stderr.contains("finite in f32") && ended.stderr.contains("precision to f64"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
}

#[test]
fn a_rectifier_is_refused_for_a_lagrangian_network_and_all_problems_come_at_once() {
    let mut config = config(40);
    let lnn = config.models.get_mut("lnn").expect("in the small run");
    lnn.activation = lnn_autodiff::Activation::Relu;
    lnn.hidden = vec![0];
    let workplace = Workplace::new(&config);
    let message = refused(&workplace, "experiment dblpend --config small.ron --out run");
    assert!(message.contains("2 values that cannot be used"), "{message}");
    assert!(message.contains("models.lnn.activation is relu; expected an activation with a second"), "{message}");
    assert!(message.contains("models.lnn.hidden[0] is 0"), "{message}");
}

#[test]
fn a_configuration_file_that_cannot_be_read_is_named() {
    let workplace = Workplace::new(&config(40));
    fs::write(workplace.path("binary.ron"), [0xff, 0xfe, 0x00]).expect("writable");
    for (line, words) in [
        ("experiment dblpend --config absent.ron", "the configuration file absent.ron cannot be read"),
        ("experiment dblpend --config .", "the configuration file . cannot be read"),
        ("experiment dblpend --config binary.ron", "the configuration file binary.ron cannot be read"),
    ] {
        let message = refused(&workplace, line);
        assert!(message.contains(words) && message.contains("check the path"), "{message}");
    }
}

#[test]
fn an_unwritable_output_folder_is_named_with_a_remedy() {
    let workplace = Workplace::new(&config(40));
    // Permissions would not stop a superuser; a file in the way stops everybody.
    for folder in ["small.ron", "small.ron/run"] {
        let message = refused(&workplace, &format!("experiment dblpend --config small.ron --out {folder}"));
        assert!(message.contains(&format!("cannot write {folder}")), "{message}");
        assert!(message.contains("a file where a folder is needed") && message.contains("--out"), "{message}");
    }
    if cfg!(target_os = "linux") {
        let message = refused(&workplace, "experiment dblpend --config small.ron --out /proc/lnn-run");
        assert!(message.contains("cannot write /proc/lnn-run") && message.contains("--out"), "{message}");
    }
}

#[test]
fn a_folder_that_holds_something_else_is_left_alone() {
    let workplace = Workplace::new(&config(20));
    fs::create_dir(workplace.path("thesis")).expect("writable");
    workplace.write("thesis/chapter.tex", "years of work");
    let message = refused(&workplace, "experiment dblpend --config small.ron --out thesis");
    assert!(message.contains("chapter.tex") && message.contains("--out DIR"), "{message}");

    let line = "experiment dblpend --config small.ron --out run --quiet";
    workplace.succeed(line);
    let message = refused(&workplace, line);
    assert!(message.contains("already holds a finished run") && message.contains("--resume"), "{message}");

    for resume in ["", " --resume"] {
        let message = refused(&workplace, &format!("{line} --seed 5{resume}"));
        assert!(message.contains("another configuration") && message.contains("--out DIR"), "{message}");
        assert!(message.contains("seed") && message.contains("in the folder: 0, requested: 5"), "{message}");
    }
    let message = refused(&workplace, &format!("{line} --models lnn --resume"));
    assert!(message.contains("models.baseline") && message.contains("requested: none"), "{message}");

    fs::remove_file(workplace.path("run/summary.json")).expect("present");
    let message = refused(&workplace, line);
    assert!(message.contains("unfinished run") && message.contains("--resume"), "{message}");
}

#[test]
fn two_programs_do_not_write_to_one_folder() {
    let config = ExperimentConfig { checkpoint_every_seconds: 3600.0, ..config(10) };
    let workplace = Workplace::new(&config);
    let validated = config.validate().expect("usable");
    let (_held, _) = lnn_train::store::RunFolder::open(&workplace.path("run"), &validated, false).expect("new");
    let message = refused(&workplace, "experiment dblpend --config small.ron --out run --resume");
    assert!(message.contains("another process is writing to run"), "{message}");
}

#[test]
fn wrong_usage_ends_with_code_2_and_names_the_help() {
    let workplace = Workplace::new(&config(20));
    for (line, words) in [
        ("experiment", "<NAME>"),
        ("experimnt dblpend", "'experiment'"),
        ("experiment dblpend --threads 0", "0 is not in 1.."),
        ("experiment kepler --system m1", "`m1` is no parameter; expected NAME=VALUE"),
        ("experiment kepler --system m1=heavy", "expected NAME=VALUE with a number"),
        ("experiment pendulum --links 2 --config small.ron", "cannot be used with"),
        ("experiment pendulum --protocol chnn --preset models", "cannot be used with"),
        ("experiment pendulum --protocol chen", "invalid value"),
        ("experiment dblpend --threads two", "'two'"),
        ("experiment dblpend --seed -1", "-1"),
        ("experiment dblpend --seeds 1", "'--seed"),
        ("experiment dblpend --backend abacus", "[possible values: auto, cpu, gpu]"),
        ("experiment dblpend --preset fast --config small.ron", "cannot be used with"),
    ] {
        let ended = workplace.run(line);
        assert_eq!(ended.code, Some(2), "{line}\n{}", ended.stderr);
        assert_eq!(ended.stdout, "", "{line}");
        assert!(ended.stderr.starts_with("error: ") && ended.stderr.contains(words), "{line}\n{}", ended.stderr);
        assert!(ended.stderr.contains("--help"), "{line}\n{}", ended.stderr);
    }
    assert_eq!(workplace.run("").code, Some(2));
    assert!(!workplace.path("runs").exists(), "nothing was begun");
}

/// Results that cannot be printed are an error, and the run is finished all the same.
#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output_is_an_error_without_a_panic() {
    let workplace = Workplace::new(&config(20));
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("on every Linux");
    let mut command = workplace.command("experiment dblpend --config small.ron --out run --quiet");
    let output = command.stdout(full).output().expect("the program starts");
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("error: ") && !said.contains("panicked") && said.lines().count() == 1, "{said}");
    assert!(workplace.path("run/summary.json").exists());
}
