//! A table of states through a trained 3×64 network in double precision, beside the engine alone.
//!
//! `cargo xtask bench cpu eval`; throughput is in states. `engine` computes accelerations of states that lie in memory and
//! drops them; `arrays` every quantity of them; the others read a table, evaluate every quantity of each row and write
//! another table, to the folder for temporary files.

mod work;

use std::path::Path;
use std::sync::atomic::AtomicBool;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lnn::train::model::{PackedNetworks, RatesMut, States};
use lnn::train::quantities::{Quantity, StateEvaluator, StreamOptions, evaluate_table};
use lnn::train::table::{Column, Existing, StateColumns, TableReader, TableWriter};
use rayon::prelude::*;

use work::{Case, PENDULUM, in_units};

/// States of the table: many pieces for every thread.
const ROWS: usize = 1 << 18;
/// States of a block of the engine.
const BLOCK: usize = 64;
const NAMES: [&str; 4] = ["q0", "q1", "q_dot0", "q_dot1"];

fn eval(criterion: &mut Criterion) {
    let rows = if work::is_test() { ROWS / 64 } else { ROWS };
    let pool = work::pool(work::all_threads());
    let case = Case::<f64>::new(&[64; 3], PENDULUM);
    let evaluator = StateEvaluator::new(&case.model, &case.parameters, None).expect("a Lagrangian network");
    let states = work::states(rows, PENDULUM);
    let half = |first: usize| states.chunks_exact(4).flat_map(|state| state[first..first + 2].to_vec()).collect();
    let (q, q_dot): (Vec<f64>, Vec<f64>) = (half(0), half(2));
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    for name in ["states.csv", "states.npy"] {
        let columns = NAMES.map(Column::named);
        let mut writer = TableWriter::create(&folder.path().join(name), &columns, Existing::Keep).expect("writable");
        writer.write(&states).expect("writable");
        writer.finish().expect("writable");
    }

    let mut group = criterion.benchmark_group("eval");
    group.throughput(Throughput::Elements(rows as u64));
    group.bench_function(in_units("engine", "states"), |bencher| {
        pool.install(|| bencher.iter(|| accelerations(&case, &q, &q_dot)));
    });
    group.bench_function(in_units("arrays", "states"), |bencher| {
        let states = States { q: &q, q_dot: &q_dot, conditionals: &[] };
        pool.install(|| bencher.iter(|| evaluator.evaluate(states)));
    });
    for (from, to) in [("csv", "csv"), ("npy", "npy"), ("csv", "npy"), ("npy", "csv")] {
        group.bench_function(in_units(format!("{from} to {to}"), "states"), |bencher| {
            let (from, to) = (folder.path().join(format!("states.{from}")), folder.path().join(format!("out.{to}")));
            pool.install(|| bencher.iter(|| table(&evaluator, &from, &to)));
        });
    }
    group.finish();
}

/// Sums of the accelerations of all states, block by block on every thread.
fn accelerations(case: &Case<f64>, q: &[f64], q_dot: &[f64]) -> f64 {
    let networks = PackedNetworks::new(case.model.bind(&case.parameters));
    let width = BLOCK * PENDULUM;
    q.par_chunks(width)
        .zip(q_dot.par_chunks(width))
        .map_init(
            || (case.model.block::<f64>(BLOCK, false), vec![0.0; width], vec![0.0; width]),
            |(block, velocity, acceleration), (q, q_dot)| {
                let rates = RatesMut { q: &mut velocity[..q.len()], q_dot: &mut acceleration[..q.len()] };
                block.rates(networks.networks(), States { q, q_dot, conditionals: &[] }, rates);
                acceleration.iter().sum::<f64>()
            },
        )
        .sum()
}

fn table(evaluator: &StateEvaluator<f64>, from: &Path, to: &Path) -> u64 {
    let reader = TableReader::open(from, None).expect("a table");
    let states = StateColumns::find(from, reader.columns(), &[]).expect("states");
    let quantities = Quantity::of(evaluator.model());
    let options = StreamOptions { states: &states, quantities: &quantities };
    let writer = TableWriter::create(to, &options.columns(reader.columns()), Existing::Replace).expect("writable");
    let stop = AtomicBool::new(false);
    evaluate_table(evaluator, options, reader, writer, &stop, &mut |_| {}).expect("finite states").rows
}

criterion_group! { name = benches; config = work::criterion().sample_size(10); targets = eval }
criterion_main!(benches);
