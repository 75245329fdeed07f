//! One whole training step of the double pendulum by all threads: sample, jets, solve, loss, adjoint,
//! reduce, optimise.
//!
//! `cargo xtask bench cpu training_step`; throughput is in the operations of the layer products
//! (`work/products.rs`), a multiplication and an addition being two; all else that a step does, the
//! optimiser too, shows as a lower rate. Over layers and batch the rate should stay level or rise: a step is linear in
//! both.

mod work;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use lnn::train::config::preset;
use lnn::train::experiment::{build_system, build_training};
use lnn::train::optimiser::{AdamSettings, OptimiserConfig, SoapSettings};
use rayon::ThreadPool;

use work::products;

fn training_step(criterion: &mut Criterion) {
    let adam = || OptimiserConfig::from(AdamSettings::default());
    let soap = || OptimiserConfig::from(SoapSettings::default());
    let pool = work::pool(work::all_threads());
    let mut group = criterion.benchmark_group("training_step");
    let mut case = |hidden: &[usize], batch, optimiser, optimiser_name: &str| {
        let what = format!("{}, batch {batch}, {optimiser_name}", work::name(hidden));
        measure(&mut group, &what, hidden, batch, optimiser, &pool);
    };
    case(&[64; 3], 512, soap(), "SOAP");
    case(&[128; 3], 512, soap(), "SOAP");
    case(&[500; 4], 512, adam(), "Adam");
    case(&[500; 4], 32, adam(), "Adam");
    for layers in [2, 3, 4, 8] {
        case(&vec![64; layers], 512, adam(), "Adam");
    }
    for batch in [128, 2048] {
        case(&[64; 3], batch, adam(), "Adam");
    }
    group.finish();
}

fn measure(
    group: &mut BenchmarkGroup<'_, WallTime>,
    what: &str,
    hidden: &[usize],
    batch: usize,
    optimiser: OptimiserConfig,
    pool: &ThreadPool,
) {
    let mut config = preset("dblpend", "fast").expect("a preset");
    let mut model = work::model_config(hidden);
    (model.training.batch, model.training.optimiser) = (batch, optimiser);
    model.training.schedule = work::SMALL_RATE;
    config.models.insert("lnn".to_owned(), model);
    let system = build_system(&config.system).expect("the paper's pendulum");
    let dof = system.degrees_of_freedom();
    let training = pool.install(|| build_training::<f32>(&config, "lnn", system));
    let mut training = training.expect("a valid configuration");
    let shape = training.plan().objective.model().shape();
    group.throughput(Throughput::Elements(products::operations(&products::step(shape, batch, dof))));
    group.bench_function(work::in_operations::<f32>(what, pool.current_num_threads()), |bencher| {
        pool.install(|| bencher.iter(|| work::whole_step(&mut training)));
    });
}

criterion_group! { name = benches; config = work::criterion(); targets = training_step }
criterion_main!(benches);
