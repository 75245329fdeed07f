//! One whole training step of the double pendulum: sample, jets, solve, loss, adjoint, reduce, optimise.
//!
//! `cargo xtask bench cpu training_step`; throughput is in training states.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lnn::train::config::{ModelConfig, preset};
use lnn::train::experiment::{build_system, build_training};
use lnn::train::optimiser::{AdamSettings, OptimiserConfig, SoapSettings};

fn training_step(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("training_step");
    let fast = preset("dblpend", "fast").expect("a preset").models["lnn"].clone();
    let with = |hidden: Vec<usize>, batch: usize, optimiser: OptimiserConfig| {
        let mut model = ModelConfig { hidden, ..fast.clone() };
        (model.training.batch, model.training.optimiser) = (batch, optimiser);
        model
    };
    let cases = [
        ("3x64, batch 512, SOAP", with(vec![64; 3], 512, SoapSettings::default().into())),
        ("3x64, batch 512, Adam", with(vec![64; 3], 512, AdamSettings::default().into())),
        ("3x128, batch 512, SOAP", with(vec![128; 3], 512, SoapSettings::default().into())),
        ("4x500, batch 512, Adam", with(vec![500; 4], 512, AdamSettings::default().into())),
        ("4x500, batch 32, Adam", with(vec![500; 4], 32, AdamSettings::default().into())),
    ];
    for (name, model) in cases {
        let batch = model.training.batch as u64;
        let mut config = preset("dblpend", "fast").expect("a preset");
        config.models.insert("lnn".to_owned(), model);
        let system = build_system(&config.system).expect("the paper's pendulum");
        let mut training = build_training::<f32>(&config, "lnn", system).expect("a valid configuration");
        group.throughput(Throughput::Elements(batch));
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| training.step().expect("a finite step"));
        });
    }
    group.finish();
}

criterion_group!(benches, training_step);
criterion_main!(benches);
