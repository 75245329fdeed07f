//! `lnn rollout` as a person runs it: its table, its options, motions that end early, and each thing that can be wrong.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use lnn_physics::integrators::{DormandPrinceOptions, Method, frames_every};
use lnn_train::motion::{LearnedMotion, Starts};
use lnn_train::store::load_model;
use lnn_train::table::TableReader;
use serde_json::Value;

use crate::bad_input::refused;
use crate::model_files::{save_bursting, save_untrained};
use crate::small_run::{Workplace, config, snapshot};

/// A workplace with an untrained model of the double pendulum, whose mass matrix is positive definite whatever its
/// weights, one that bursts, and starts.
fn workplace() -> Workplace {
    let workplace = Workplace::new(&config(40));
    save_untrained(&workplace.path("model.safetensors"), "dblpend", "delan", true);
    save_bursting(&workplace.path("bursting.safetensors"));
    let mut starts = "q0 [rad],q1,q_dot0,q_dot1\n".to_owned();
    for row in 0..23 {
        starts += &format!("{},{},0.1,{}\n", 0.01 * f64::from(row), -0.2, 0.02 * f64::from(row % 7));
    }
    workplace.write("starts.csv", &starts);
    workplace
}

const ROLLOUT: &str = "rollout --model model.safetensors --initial starts.csv --t-end 0.5 --dt 0.1";

/// All numbers of a table, and its columns.
fn table(path: &Path) -> (Vec<String>, Vec<f64>) {
    let mut reader = TableReader::open(path, None).expect("a table");
    let columns = reader.columns().iter().map(ToString::to_string).collect();
    let mut values = Vec::new();
    while reader.read(1000, &mut values).expect("numbers") > 0 {}
    (columns, values)
}

#[test]
fn motions_are_those_of_the_library_with_the_model_s_energy() {
    let workplace = workplace();
    let ended = workplace.succeed(&format!("{ROLLOUT} --out motions.csv"));
    for words in
        ["23 motion(s) to t = 0.5 by dopri5 (rtol 1e-9, atol 1e-9)", "complete         23", "138 rows in motions.csv"]
    {
        assert!(ended.stdout.contains(words), "{words}:\n{}", ended.stdout);
    }
    let (columns, values) = table(&workplace.path("motions.csv"));
    assert_eq!(columns, ["trajectory", "t", "q0 [rad]", "q1", "q_dot0", "q_dot1", "energy"]);
    assert_eq!(values.len(), 23 * 6 * 7);

    let loaded = load_model(&workplace.path("model.safetensors")).expect("written above");
    let (model, parameters) = (loaded.model().expect("usable"), loaded.parameters.to_f64());
    let (_, states) = table(&workplace.path("starts.csv"));
    let times = frames_every(0.5, 0.1).expect("frames");
    let starts = Starts { degrees_of_freedom: 2, states: &states, conditionals: &[], times: &times };
    let method = Method::DormandPrince(DormandPrinceOptions::default());
    let learned = LearnedMotion::new(&model, &parameters);
    let motions = learned.integrate(&method, starts, &AtomicBool::new(false)).expect("motions");
    for (trajectory, (rows, motion)) in values.chunks_exact(6 * 7).zip(&motions).enumerate() {
        for (frame, row) in rows.chunks_exact(7).enumerate() {
            assert_eq!((row[0], row[1]), (trajectory as f64, times[frame]));
            assert_eq!(row[2..6], motion.states[frame * 4..(frame + 1) * 4]);
        }
        let energies = rows.chunks_exact(7).map(|row| row[6]);
        let drift = energies.map(|energy| (energy - rows[6]).abs()).fold(0.0, f64::max);
        // Frames are interpolated to the order of the error that the tolerance allows a step.
        assert!(drift < 1e-6, "{drift}");
    }

    // The energies and accelerations are those of `lnn eval`, to rounding.
    workplace.succeed(&format!("{ROLLOUT} --accelerations --out with.csv"));
    workplace
        .succeed("eval --model model.safetensors --states with.csv --quantities acceleration,energy --out eval.csv");
    let ((columns, with), (_, eval)) = (table(&workplace.path("with.csv")), table(&workplace.path("eval.csv")));
    assert_eq!(columns[6..], ["q_ddot0", "q_ddot1", "energy"]);
    for (with, eval) in with.chunks_exact(9).zip(eval.chunks_exact(9)) {
        for (with, eval) in with.iter().zip(eval) {
            assert!((with - eval).abs() <= 1e4 * f64::EPSILON * (1.0 + eval.abs()), "{with} {eval}");
        }
    }
}

#[test]
fn threads_and_format_change_no_number_and_every_method_agrees() {
    let workplace = workplace();
    let run = |options: &str, out: &str| {
        workplace.succeed(&format!("{ROLLOUT} {options} --out {out} --quiet"));
        table(&workplace.path(out)).1
    };
    let dopri5 = run("", "a.csv");
    for (options, out) in [("--threads 1", "b.csv"), ("--threads 3", "c.csv"), ("", "d.npy")] {
        assert_eq!(run(options, out), dopri5, "{options} {out}");
    }
    let bytes = |name: &str| fs::read(workplace.path(name)).expect("written");
    assert_eq!(bytes("b.csv"), bytes("c.csv"));
    let apart = |other: &[f64]| other.iter().zip(&dopri5).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    for (options, out, most) in [
        ("--integrator rk4 --substeps 100", "rk4.csv", 1e-6),
        ("--integrator implicit-midpoint --substeps 100", "midpoint.csv", 1e-2),
        ("--rtol 1e-12 --atol 1e-12", "fine.csv", 1e-6),
    ] {
        let other = run(options, out);
        assert_eq!(other.len(), dopri5.len());
        assert!(apart(&other) < most && apart(&other) > 0.0, "{options}: {}", apart(&other));
    }
}

#[test]
fn a_singular_mass_matrix_ends_its_motion_only_and_the_exit_code_says_so() {
    let workplace = workplace();
    // z₀ = 0 bursts at 0.3466, z₀ = −5 at 2.5.
    workplace.write("burst.csv", "trajectory,q0,q1,q_dot0,q_dot1\n12,0.3,0,0.5,0\n5,0.3,-2,0.5,-1\n");
    let line = "rollout --model bursting.safetensors --initial burst.csv --t-end 1 --dt 0.05";
    let ended = workplace.run(&format!("{line} --out motions.csv"));
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    for words in [
        "note: trajectory 12 (line 2) ended at t = 0.3",
        "the mass matrix is singular at t = 0.34",
        "its smallest eigenvalue is ",
        ", at q = [",
    ] {
        assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
    }
    assert!(ended.stdout.contains("complete         1\n  ended early      1\n"), "{}", ended.stdout);
    let (_, values) = table(&workplace.path("motions.csv"));
    let of = |number: f64| values.chunks_exact(7).filter(|row| row[0] == number).count();
    assert_eq!((of(12.0), of(5.0)), (7, 21));

    let ended = workplace.run(&format!("{line} --integrator rk4 --substeps 50 --out lines.csv --json"));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(3), ""));
    let lines: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["event"], &lines[0]["trajectory"]), (&"ended_early".into(), &12.0.into()));
    assert_eq!(lines[0]["cause"], "singular_mass_matrix");
    assert_eq!(lines[0]["state"].as_array().map(Vec::len), Some(4));
    assert!(lines[0]["smallest_eigenvalue"].as_f64().expect("a number").abs() < 1e-6);
    assert_eq!(
        (&lines[1]["event"], &lines[1]["complete"], &lines[1]["rows"]),
        (&"finished".into(), &1.into(), &28.into())
    );
}

#[test]
fn trajectories_of_a_table_start_from_their_first_rows_if_asked_to() {
    let workplace = workplace();
    workplace.succeed(&format!("{ROLLOUT} --out data.csv --quiet"));
    let again = "rollout --model model.safetensors --initial data.csv --t-end 0.5 --dt 0.1";
    let message = refused(&workplace, &format!("{again} --out again.csv"));
    assert!(message.contains("data.csv has two rows of trajectory 0 (line 2 and line 3)"), "{message}");
    assert!(message.contains("add --first-rows to start"), "{message}");
    let ended = workplace.succeed(&format!("{again} --first-rows --out again.csv"));
    assert!(ended.stderr.contains("note: column `t` of data.csv is not used"), "{}", ended.stderr);
    assert_eq!(table(&workplace.path("again.csv")), table(&workplace.path("data.csv")));
}

#[test]
fn every_kind_of_model_moves_and_says_what_it_has() {
    let workplace = workplace();
    for (model, energy) in [
        ("lnn", true),
        ("delan", true),
        ("hnn", true),
        ("hnn-canonical", true),
        ("baseline", false),
        ("baseline-first-order", false),
    ] {
        let file = format!("{model}.safetensors");
        save_untrained(&workplace.path(&file), "dblpend", model, true);
        let line = format!("rollout --model {file} --initial starts.csv --t-end 0.2 --dt 0.1 --out {model}.csv");
        let ended = workplace.succeed(&line);
        let (columns, values) = table(&workplace.path(&format!("{model}.csv")));
        assert_eq!(columns.contains(&"energy".to_owned()), energy, "{model}");
        assert_eq!(ended.stderr.contains("which has no energy"), !energy, "{model}: {}", ended.stderr);
        assert!(values.iter().all(|value| value.is_finite()) && values.len() == 23 * 3 * columns.len(), "{model}");
    }
    save_untrained(&workplace.path("momenta.safetensors"), "dblpend", "hnn-canonical", false);
    let line = "rollout --initial starts.csv --t-end 0.2 --dt 0.1 --out out.csv";
    let message = refused(&workplace, &format!("{line} --model momenta.safetensors"));
    assert!(message.contains("nothing says how p follows from q̇"), "{message}");
    let message = refused(&workplace, &format!("{line} --model hnn-canonical.safetensors --accelerations"));
    assert!(message.contains("has rates of momenta and no accelerations; leave --accelerations out"), "{message}");
}

#[test]
fn conditionals_come_from_columns_by_their_names() {
    let workplace = workplace();
    save_untrained(&workplace.path("named.safetensors"), "relativistic", "lnn", true);
    save_untrained(&workplace.path("unnamed.safetensors"), "relativistic", "lnn", false);
    workplace.write("field.csv", "q0,q_dot0,force,g\n0.1,0.2,3,1\n0.1,0.2,1,3\n");
    let line = "rollout --initial field.csv --t-end 0.2 --dt 0.1";
    workplace.succeed(&format!("{line} --model named.safetensors --out named.csv"));
    let message = refused(&workplace, &format!("{line} --model unnamed.safetensors --out out.csv"));
    assert!(message.contains("has 1 conditional input(s), but their names are not known"), "{message}");
    workplace.succeed(&format!("{line} --model unnamed.safetensors --conditionals force --out unnamed.csv"));
    let ((columns, named), (others, unnamed)) =
        (table(&workplace.path("named.csv")), table(&workplace.path("unnamed.csv")));
    assert_eq!(columns, ["trajectory", "t", "q0", "q_dot0", "g", "energy"]);
    assert_eq!(others[4], "force");
    // The second row of one is the first of the other.
    assert_eq!((named.len(), unnamed.len()), (6 * 6, 6 * 6));
    for frame in 0..3 {
        assert_eq!(named[(3 + frame) * 6 + 1..(4 + frame) * 6], unnamed[frame * 6 + 1..(frame + 1) * 6]);
    }
}

#[test]
fn what_is_wrong_is_said_and_nothing_is_written() {
    let workplace = workplace();
    workplace.write("nan.csv", "q0,q1,q_dot0,q_dot1\n1,2,3,4\n1,inf,3,4\n");
    workplace.write("none.csv", "q0,q1,q_dot0,q_dot1\n");
    workplace.write("there.csv", "thesis\n");
    let model = "rollout --model model.safetensors --t-end 1 --dt 0.1";
    for (line, words) in [
        (format!("{ROLLOUT} --out motions.txt"), "motions.txt"),
        (format!("{ROLLOUT} --out there.csv"), "there.csv is there already, and nothing was changed"),
        (format!("{ROLLOUT} --out none/motions.csv"), "cannot write none/motions.csv"),
        (format!("{ROLLOUT} --integrator rk4 --rtol 1e-6 --out o.csv"), "--rtol is for `--integrator dopri5`"),
        (format!("{ROLLOUT} --substeps 3 --out o.csv"), "--substeps is for `--integrator rk4`"),
        (format!("{ROLLOUT} --first-rows --out o.csv"), "starts.csv has no column `trajectory`"),
        (format!("{model} --initial nan.csv --out o.csv"), "nan.csv, line 3, column `q1` is inf"),
        (format!("{model} --initial none.csv --out o.csv"), "none.csv has no row, so that no motion starts"),
        (format!("{model} --initial missing.csv --out o.csv"), "cannot read missing.csv"),
        (
            "rollout --model starts.csv --initial starts.csv --t-end 1 --dt 1 --out o.csv".to_owned(),
            "not a safetensors file",
        ),
        (
            format!("{model} --initial starts.csv --out o.csv --dt 1e-300").replacen(" --dt 0.1", "", 1),
            "frames were asked for",
        ),
    ] {
        let message = refused(&workplace, &line);
        assert!(message.contains(words), "{words}: {message}");
    }
    let ended = workplace.run(&format!("{ROLLOUT} --out o.csv").replace("--dt 0.1", "--dt -1"));
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(!workplace.path("o.csv").exists());
    workplace.succeed(&format!("{ROLLOUT} --out there.csv --overwrite"));
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_nothing_half_written_and_says_so() {
    use crate::interruption::Session;
    use std::time::Duration;

    let workplace = workplace();
    workplace.write("data.csv", "t,q0,q1,q_dot0,q_dot1\n0,0.1,0.2,0,0\n");
    let before = snapshot(&workplace.path(""));
    // Hours of steps.
    let line = "rollout --model model.safetensors --initial data.csv --t-end 1e5 --dt 10 --integrator rk4 \
                --substeps 1000000 --out motions.csv";
    let mut session = Session::of(&workplace, line);
    session.wait_for("column `t`");
    std::thread::sleep(Duration::from_millis(300));
    session.interrupt();
    let (status, said) = session.end();
    assert_eq!(status.code(), Some(130), "{said}");
    assert!(said.ends_with("Interrupted. Nothing was written to motions.csv.\n"), "{said}");
    assert_eq!(snapshot(&workplace.path("")).keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
}
