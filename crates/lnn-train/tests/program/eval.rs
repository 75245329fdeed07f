//! `lnn eval` as a person runs it: its table, its options, and each thing that can be wrong with a table or a model.

use std::fs;
use std::path::Path;

use crate::bad_input::refused;
use crate::errors_document::is_documented;
use crate::small_run::{Workplace, config};

/// A workplace with a model of two coordinates and one conditional, which its file does not name, and some states.
fn workplace() -> Workplace {
    let workplace = Workplace::new(&config(40));
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    for (name, file) in [("model", "format-1-lnn-f32"), ("delan", "format-1-delan-f64")] {
        let to = workplace.path(&format!("{name}.safetensors"));
        fs::copy(data.join(format!("{file}.safetensors")), to).expect("a model of an earlier build");
    }
    workplace.write("states.csv", "t [s],q0 [rad],q1,q_dot0,q_dot1,g\n0,0.3,-1.2,2,-0.7,9.8\n0.5,1,2,3,4,5\n");
    workplace
}

const EVAL: &str = "eval --model model.safetensors --conditionals g";

fn numbers(line: &str) -> Vec<f64> {
    line.split(',').map(|field| field.parse().expect("a number")).collect()
}

#[test]
fn every_quantity_of_every_state_is_written_behind_its_columns() {
    let workplace = workplace();
    let ended = workplace.run(&format!("{EVAL} --states states.csv --out learned.csv"));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("2 state(s) in ") && ended.stdout.contains("learned.csv"), "{}", ended.stdout);
    assert!(ended.stdout.lines().all(|line| line.chars().count() <= 100), "{}", ended.stdout);
    let table = fs::read_to_string(workplace.path("learned.csv")).expect("written");
    let mut lines = table.lines();
    assert_eq!(
        lines.next(),
        Some("t [s],q0 [rad],q1,q_dot0,q_dot1,g,q_ddot0,q_ddot1,p0,p1,energy,mass00,mass01,mass11,condition,rank")
    );
    let first = numbers(lines.next().expect("a row"));
    assert_eq!(first[..6], [0.0, 0.3, -1.2, 2.0, -0.7, 9.8]);
    // What the earlier build gave for this state.
    for (found, wanted) in
        [first[6], first[7], first[10]].iter().zip([0.506385151398034, 0.8815427403418231, -0.07722528996130962])
    {
        assert!((found - wanted).abs() < 1e-12, "{found} {wanted}");
    }
    assert_eq!(first[15], 2.0);
    assert_eq!((numbers(lines.next().expect("a row"))[0], lines.next()), (0.5, None));
}

#[test]
fn quantities_precision_format_and_output_are_chosen() {
    let workplace = workplace();
    let run = |options: &str| {
        let ended = workplace.run(&format!("{EVAL} --states states.csv {options}"));
        assert_eq!(ended.code, Some(0), "{options}\n{}", ended.stderr);
        ended.stdout
    };
    let says = run("--out energy.csv --quantities rank,energy --quiet");
    assert_eq!(says, "");
    let double = fs::read_to_string(workplace.path("energy.csv")).expect("written");
    assert!(double.starts_with("t [s],q0 [rad],q1,q_dot0,q_dot1,g,energy,rank\n"), "{double}");
    run("--out energy32.csv --quantities energy,rank --precision f32 --threads 1");
    let single = fs::read_to_string(workplace.path("energy32.csv")).expect("written");
    let energy = |table: &str| numbers(table.lines().nth(2).expect("a row"))[6];
    let (double, single) = (energy(&double), energy(&single));
    assert!(double != single && (double - single).abs() < 1e-4 * double.abs(), "{double} {single}");

    let says = run("--out learned.npy --json");
    let line: serde_json::Value = serde_json::from_str(&says).expect("one object");
    assert_eq!((&line["event"], &line["rows"], &line["rank_deficient"]), (&"finished".into(), &2.into(), &0.into()));
    // Its own output, an array now, is a table of states.
    let ended = workplace.run(&format!("{EVAL} --states learned.npy --out again.csv"));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    run("--out learned.csv");
    let read = |name: &str| fs::read_to_string(workplace.path(name)).expect("written");
    assert_eq!(read("again.csv"), read("learned.csv").replace("t [s],q0 [rad]", "t,q0"));
}

#[test]
fn every_documented_fault_of_states_is_told_in_these_words() {
    let workplace = workplace();
    for (fault, text) in [
        ("a column is missing", "q0,q1,qdot0,q_dot1,g\n1,2,3,4,5\n"),
        ("text in a column of numbers", "q0,q1,q_dot0,q_dot1,g\n1,2,3,4,5\n1,2,o.3,4,5\n"),
        ("a row of another length", "q0,q1,q_dot0,q_dot1,g\n1,2,3,4,5\n\n1,2,3,4\n"),
        ("NaN or infinity", "q0,q1,q_dot0,q_dot1,g\n1,2,3,4,5\n1,2,3,NaN,5\n"),
        ("a model of another dimension than the states", "q0,q_dot0,g\n1,2,3\n"),
    ] {
        for name in ["data.csv", "states.csv"] {
            workplace.write(name, text);
        }
        let messages = ["data.csv", "states.csv"]
            .map(|name| refused(&workplace, &format!("{EVAL} --states {name} --out out.csv")));
        assert!(messages.iter().any(|message| is_documented(message, fault)), "{fault}\n{messages:?}");
    }
    fs::write(workplace.path("model.safetensors"), b"not a model, whatever its name says").expect("writable");
    let message = refused(&workplace, &format!("{EVAL} --states states.csv --out out.csv"));
    assert!(is_documented(&message, "a model that is no safetensors file"), "{message}");
}

#[test]
fn what_is_wrong_with_a_table_or_a_model_is_said_by_its_place() {
    let workplace = workplace();
    let table = |name: &str, text: &str| workplace.write(name, text);
    table("no_g.csv", "q0,q1,q_dot0,q_dot1\n1,2,3,4\n");
    table("positions.csv", "q0,q1,g\n1,2,3\n");
    table("numbers.csv", "1,2,3,4,5\n");
    for (states, words) in [
        ("no_g.csv", "no_g.csv has no column `g`"),
        ("positions.csv", "positions.csv has no column `q_dot0`"),
        ("numbers.csv", "a number where column names belong"),
        ("model.safetensors", "model.safetensors is neither CSV nor NPY nor NPZ"),
        ("none.csv", "cannot read none.csv"),
    ] {
        let message = refused(&workplace, &format!("{EVAL} --states {states} --out out.csv"));
        assert!(message.contains(words), "{words}\n{message}");
    }
    for (line, words) in [
        ("eval --model model.safetensors --states states.csv --out out.csv", "name the columns with --conditionals"),
        ("eval --model none.safetensors --states states.csv --out out.csv", "cannot read none.safetensors"),
        ("eval --model model.safetensors --conditionals g --states states.csv --out states.csv", "is there already"),
        ("eval --model model.safetensors --conditionals g --states states.csv --out out.txt", "end in .csv or .npy"),
        ("eval --model model.safetensors --conditionals g --states states.csv --out no/out.csv", "create it or choose"),
        (
            "eval --model delan.safetensors --conditionals g --states states.csv --out out.csv --quantities momentum-rate",
            "has no quantity `momentum-rate`; a model of this kind has acceleration, momentum, energy",
        ),
    ] {
        let message = refused(&workplace, line);
        assert!(message.contains(words), "{words}\n{message}");
    }
    let ended = workplace.run(&format!("{EVAL} --states states.csv --out out.csv --quantities enrgy"));
    assert_eq!(ended.code, Some(2), "wrong usage: {}", ended.stderr);
    assert!(ended.stderr.contains("energy"), "{}", ended.stderr);
}

/// An array whose elements or order cannot be read rightly.
#[test]
fn an_array_of_another_type_is_refused_by_its_column() {
    let workplace = workplace();
    let descr = "[('q0', '<f8'), ('q1', '<f8'), ('q_dot0', '<c16'), ('q_dot1', '<f8'), ('g', '<f8')]";
    let mut header = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}");
    let length = (10 + header.len() + 1).next_multiple_of(64) - 10;
    header.extend(std::iter::repeat_n(' ', length - 1 - header.len()));
    let bytes = [b"\x93NUMPY\x01\x00", &(length as u16).to_le_bytes()[..], header.as_bytes(), b"\n", &[0; 48]].concat();
    fs::write(workplace.path("states.npy"), bytes).expect("writable");
    let message = refused(&workplace, &format!("{EVAL} --states states.npy --out out.csv"));
    assert!(is_documented(&message, "an NPY of an element type that is no real number"), "{message}");
}

/// A disk that fills up, by a limit on the size of files, which needs no rights.
#[cfg(unix)]
#[test]
fn a_write_that_fails_half_way_leaves_nothing() {
    let workplace = workplace();
    let rows: String = (0..1000).map(|i| format!("{i},0.3,-1.2,2,-0.7,9.8\n")).collect();
    workplace.write("many.csv", &format!("t,q0,q1,q_dot0,q_dot1,g\n{rows}"));
    let files = || {
        let entries = fs::read_dir(workplace.path("")).expect("readable");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("readable").file_name()).collect();
        names.sort();
        names
    };
    let before = files();
    for out in ["out.csv", "out.npy"] {
        // The signal that a file grew too large is ignored, so that the write fails as on a full disk.
        let limited = "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\"";
        let ended = std::process::Command::new("sh")
            .args(["-c", limited, env!("CARGO_BIN_EXE_lnn")])
            .args(EVAL.split(' '))
            .args(["--states", "many.csv", "--out", out])
            .current_dir(workplace.path(""))
            .output()
            .expect("a shell");
        let message = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{message}");
        assert!(message.contains(&format!("cannot write {out}: ")) && message.contains("--out"), "{message}");
        assert_eq!(files(), before, "nothing half-written is left");
    }
}

#[test]
fn the_help_shows_examples_and_fits_the_screen() {
    let ended = workplace().run("eval --help");
    for words in ["Examples:", "lnn eval --model", "Exit codes: 0 done", "mass00"] {
        assert!(ended.stdout.contains(words), "{words}\n{}", ended.stdout);
    }
}
