//! Momenta, columns, and tables through an evaluator.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use lnn_physics::System;
use lnn_physics::systems;

use super::*;
use crate::config::{ModelConfig, ModelKind, SystemConfig};
use crate::experiment::build_model;
use crate::model::{RatesMut, States};
use crate::table::{Existing, StateColumns, TableReader, TableWriter};

fn model(kind: ModelKind, degrees_of_freedom: usize) -> (Model, Vec<f64>) {
    let config = ModelConfig { kind, hidden: vec![9, 7], ..ModelConfig::default() };
    let model = build_model(&config, degrees_of_freedom).expect("usable");
    let parameters = config.initialisation.draw(&model, 3);
    (model, parameters)
}

fn system(name: &str) -> Arc<dyn System> {
    SystemConfig::new(name).build().expect("a system")
}

#[test]
fn a_model_in_canonical_coordinates_gets_its_momenta_from_the_system() {
    let system = system("dblpend");
    let (model, parameters) = model(ModelKind::HnnCanonical { potential_scale: None }, 2);
    assert_eq!(StateEvaluator::new(&model, &parameters, None).err(), Some(MissingMomenta));
    let evaluator = StateEvaluator::new(&model, &parameters, Some(Arc::clone(&system))).expect("canonical");
    let (q, q_dot) = ([0.3, -1.0, 2.0, 0.1], [1.0, 0.5, -2.0, 0.7]);
    let found = evaluator.evaluate(States { q: &q, q_dot: &q_dot, conditionals: &[] });
    let canonical = system.canonical().expect("it has momenta");
    let mut p = [0.0; 4];
    for row in [0..2, 2..4] {
        canonical.momentum_into(&q[row.clone()], &q_dot[row.clone()], &[], &mut p[row]);
    }
    assert_eq!(found.momentum, p);
    let (mut velocity, mut force) = ([0.0; 4], [0.0; 4]);
    let states = States { q: &q, q_dot: &p, conditionals: &[] };
    model.block(2, false).rates(model.bind(&parameters), states, RatesMut { q: &mut velocity, q_dot: &mut force });
    for (found, want) in found.velocity.iter().chain(&found.momentum_rate).zip(velocity.iter().chain(&force)) {
        assert!((found - want).abs() <= 1e3 * f64::EPSILON * (1.0 + want.abs()), "{found} {want}");
    }
    assert!(found.acceleration.is_empty() && found.mass_matrix.is_empty() && found.rank.is_empty());
    let names = Quantity::of(&model).into_iter().flat_map(|quantity| quantity.columns(1)).collect::<Vec<_>>();
    assert_eq!(names, ["q_rate0", "p0", "p_rate0", "energy"]);
}

#[test]
fn columns_are_named_by_their_coordinates() {
    let all = |d| Quantity::ALL.into_iter().flat_map(|quantity| quantity.columns(d)).collect::<Vec<_>>();
    let names = all(2);
    assert_eq!(names[names.len() - 6..], ["energy", "mass00", "mass01", "mass11", "condition", "rank"]);
    for d in [1, 10, 11, 16] {
        let (names, mut distinct) = (all(d), all(d));
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), names.len(), "{d}");
    }
    assert!(systems::SYSTEMS.iter().all(|kind| system(kind.name).degrees_of_freedom() <= 16));
}

/// Runs a table through a Lagrangian network.
fn streamed(input: &Path, out: &Path, threads: usize, quantities: &[Quantity]) -> Result<Streamed, StreamError> {
    let (model, parameters) = model(ModelKind::default(), 2);
    let evaluator = StateEvaluator::new(&model, &parameters, None).expect("no momenta are needed");
    let reader = TableReader::open(input, None)?;
    let states = StateColumns::find(input, reader.columns(), &[])?;
    let options = StreamOptions { states: &states, quantities };
    let writer = TableWriter::create(out, &options.columns(reader.columns()), Existing::Replace)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    let stop = AtomicBool::new(false);
    pool.install(|| evaluate_table(&evaluator, options, reader, writer, &stop, &mut |_| {}))
}

/// A table of many pieces, its columns in an order of its own.
fn table(rows: usize, change: impl Fn(usize, String) -> String) -> String {
    let row = |i: usize| {
        let x = |k: usize| ((i * 7 + k) as f64 * 0.37).sin() * 3.0;
        change(i, format!("{},{},note,{},{},{}\n", x(0), x(1), x(2), i as f64 * 0.1, x(3)))
    };
    let rows: String = (0..rows).map(row).collect();
    format!("q_dot0 [rad/s],q1,comment,q0 [rad],t [s],q_dot1\n{rows}")
}

#[test]
fn a_table_of_many_pieces_comes_out_row_for_row_whatever_the_threads_and_the_format() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = |name: &str| folder.path().join(name);
    let rows = 20_001;
    fs::write(path("in.csv"), table(rows, |_, row| row)).expect("writable");
    let all = Quantity::of(&model(ModelKind::default(), 2).0);
    let done = streamed(&path("in.csv"), &path("a.csv"), 1, &all).expect("a table");
    assert_eq!(done, Streamed { rows: rows as u64, rank_deficient: 0, not_finite: 0 });
    streamed(&path("in.csv"), &path("b.csv"), 3, &all).expect("a table");
    let text = fs::read(path("a.csv")).expect("written");
    assert!(text == fs::read(path("b.csv")).expect("written"), "another number of threads, another file");
    let header =
        "t [s],q0 [rad],q1,q_dot0 [rad/s],q_dot1,q_ddot0,q_ddot1,p0,p1,energy,mass00,mass01,mass11,condition,rank\n";
    assert!(text.starts_with(header.as_bytes()), "{}", String::from_utf8_lossy(&text[..200]));

    let read = |name: &str| {
        let mut values = Vec::new();
        let mut reader = TableReader::open(&path(name), None).expect("a table");
        while reader.read(10_000, &mut values).expect("numbers") > 0 {}
        values
    };
    let values = read("a.csv");
    assert_eq!(values.len(), rows * 15);
    streamed(&path("a.csv"), &path("c.npy"), 2, &all).expect("its own output is a table of states");
    assert_eq!(read("c.npy"), values);

    // Every row against the evaluator alone.
    let (model, parameters) = model(ModelKind::default(), 2);
    let evaluator = StateEvaluator::new(&model, &parameters, None).expect("no momenta are needed");
    for row in [0, 1, 1023, 1024, 16_383, 16_384, rows - 1] {
        let row = &values[row * 15..(row + 1) * 15];
        let found = evaluator.evaluate(States { q: &row[1..3], q_dot: &row[3..5], conditionals: &[] });
        assert_eq!((&row[5..7], &row[7..9], row[9]), (&*found.acceleration, &*found.momentum, found.energy[0]));
        let h = &found.mass_matrix;
        assert_eq!(row[10..], [h[0], h[1], h[3], found.condition[0], found.rank[0] as f64]);
    }
}

#[test]
fn the_first_fault_is_told_by_its_line_and_nothing_is_written() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (input, out) = (folder.path().join("in.csv"), folder.path().join("out.csv"));
    for (first, second) in [(5_000, 5_001), (10, 17_000), (17_000, 19_000)] {
        let faulty = table(20_000, |i, row| match i {
            _ if i == first => row.replacen(',', ",nan,", 1).replacen(",note", "", 1),
            _ if i == second => "\"\n".to_owned(),
            _ => row,
        });
        fs::write(&input, faulty).expect("writable");
        for threads in [1, 4] {
            let message = streamed(&input, &out, threads, &[Quantity::Energy]).expect_err("a fault").to_string();
            assert!(message.contains(&format!("line {}", first + 2)), "{message}");
            assert!(!out.exists());
            assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1, "nothing half-written is left");
        }
    }
}

/// A line that is longer than any row ends the reading itself; what was read before it is judged first.
#[test]
fn the_first_fault_is_told_before_what_cannot_be_read() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (input, out) = (folder.path().join("in.csv"), folder.path().join("out.csv"));
    let long = format!("{}\n", "1,".repeat(1 << 20));
    for (first, words) in [(None, "line 17002"), (Some(16_999), "line 17001"), (Some(16_000), "line 16002")] {
        let faulty = table(20_000, |i, row| match i {
            _ if Some(i) == first => row.replacen(',', ",nan,", 1).replacen(",note", "", 1),
            17_000 => long.clone(),
            _ => row,
        });
        fs::write(&input, faulty).expect("writable");
        for threads in [1, 4] {
            let message = streamed(&input, &out, threads, &[Quantity::Energy]).expect_err("a fault").to_string();
            assert!(message.contains(words) && !out.exists(), "{first:?}: {message}");
        }
        let mut reader = TableReader::open(&input, None).expect("a table");
        reader.select(&[1]).expect("numbers");
        let mut values = Vec::new();
        let read = std::iter::repeat_with(|| reader.read(900, &mut values)).find(|read| !matches!(read, Ok(900)));
        let message = read.expect("a fault").expect_err("a fault").to_string();
        assert!(message.contains("line 17002"), "NaN is a number to it: {message}");
    }
}

/// Accelerations that overflow are infinite, and no NaN is among them.
#[test]
fn an_infinite_quantity_is_counted_as_not_finite() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (input, out) = (folder.path().join("in.csv"), folder.path().join("out.csv"));
    fs::write(&input, table(7, |_, row| row)).expect("writable");
    let (model, mut parameters) = model(ModelKind::Baseline { output_scale: 10.0 }, 2);
    let biases = parameters.len() - 2;
    parameters[biases..].fill(f64::MAX);
    let evaluator = StateEvaluator::new(&model, &parameters, None).expect("no momenta are needed");
    let reader = TableReader::open(&input, None).expect("a table");
    let states = StateColumns::find(&input, reader.columns(), &[]).expect("states");
    let options = StreamOptions { states: &states, quantities: &[Quantity::Acceleration] };
    let writer = TableWriter::create(&out, &options.columns(reader.columns()), Existing::Keep).expect("writable");
    let done = evaluate_table(&evaluator, options, reader, writer, &AtomicBool::new(false), &mut |_| {});
    assert_eq!(done.expect("evaluated"), Streamed { rows: 7, rank_deficient: 0, not_finite: 7 });
    let text = fs::read_to_string(&out).expect("written");
    assert!(text.contains("inf") && !text.to_lowercase().contains("nan"), "{text}");
}

#[test]
fn a_stop_leaves_nothing() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (input, out) = (folder.path().join("in.csv"), folder.path().join("out.csv"));
    fs::write(&input, table(10, |_, row| row)).expect("writable");
    let (model, parameters) = model(ModelKind::default(), 2);
    let evaluator = StateEvaluator::new(&model, &parameters, None).expect("no momenta are needed");
    let reader = TableReader::open(&input, None).expect("a table");
    let states = StateColumns::find(&input, reader.columns(), &[]).expect("states");
    let options = StreamOptions { states: &states, quantities: &[Quantity::Energy] };
    let writer = TableWriter::create(&out, &options.columns(reader.columns()), Existing::Keep).expect("writable");
    let stopped = evaluate_table(&evaluator, options, reader, writer, &AtomicBool::new(true), &mut |_| {});
    assert!(matches!(stopped, Err(StreamError::Stopped)));
    assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
}
