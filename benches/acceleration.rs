//! q̈ of the double pendulum by every route: closed form, generic automatic differentiation, learned
//! Lagrangian one state at a time and in blocks.
//!
//! `cargo xtask bench cpu acceleration`; throughput is in states.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lnn::physics::sampling::StateSampler;
use lnn::physics::systems::DoublePendulum;
use lnn::physics::{EulerLagrange, System};
use lnn::train::config::preset;
use lnn::train::experiment::build_model;
use lnn::train::model::States;

fn acceleration(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("acceleration");
    let pendulum = DoublePendulum::default();
    let mut states = vec![0.0; 64 * 4];
    StateSampler::new(0, 0).fill(0, pendulum.training_ranges(), &mut states);
    let (q, q_dot) = (states[..2].to_vec(), states[2..4].to_vec());
    let mut q_ddot = [0.0; 2];

    group.throughput(Throughput::Elements(1));
    group.bench_function("closed form", |bencher| {
        bencher.iter(|| pendulum.acceleration_into(&q, &q_dot, &mut q_ddot));
    });
    let mut generic = EulerLagrange::new(&pendulum).expect("two degrees of freedom");
    group.bench_function("generic automatic differentiation", |bencher| {
        bencher.iter(|| generic.acceleration_into(&q, &q_dot, &mut q_ddot).expect("regular"));
    });

    let config = preset("dblpend", "fast").expect("a preset");
    let model_config = &config.models["lnn"];
    let model = build_model(model_config, 2).expect("a valid model");
    let parameters: Vec<f64> = model_config.initialisation.draw(model.shape(), 0);
    for rows in [1, 8, 64] {
        let mut workspace = model.workspace::<f64>(rows, false);
        let columns = |first: usize| -> Vec<f64> {
            states.chunks_exact(4).take(rows).flat_map(|state| state[first..first + 2].to_vec()).collect()
        };
        let (q, q_dot) = (columns(0), columns(2));
        let mut out = vec![0.0; rows * 2];
        group.throughput(Throughput::Elements(rows as u64));
        group.bench_function(BenchmarkId::new("learned 3x64, f64, states", rows), |bencher| {
            let block = States { q: &q, q_dot: &q_dot, conditionals: &[] };
            bencher.iter(|| model.accelerations(&parameters, block, &mut workspace, &mut out));
        });
    }
    group.finish();
}

criterion_group!(benches, acceleration);
criterion_main!(benches);
