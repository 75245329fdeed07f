//! One Runge–Kutta step of a learned double pendulum, for one state and for many at once.
//!
//! `cargo xtask bench cpu rollout`; throughput is in the operations of the layer products of four
//! accelerations (`work/products.rs`), a multiplication and an addition being two.

mod work;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use lnn::autodiff::Real;
use lnn::train::rollout::Rk4Rollout;
use rayon::ThreadPool;

use work::{Case, PENDULUM, in_operations, products};

/// Accelerations in a step of the classical method.
const STAGES: u64 = 4;
/// Steps between two looks at the clock, so that it is not what is timed.
const STEPS: usize = 10;
/// States that go together on one thread (`lnn::train::rollout`); a rollout uses as many threads as it has blocks.
const BLOCK: usize = 32;
/// So short that no state leaves the training range during a measurement.
const STEP_LENGTH: f64 = 1e-6;

fn rollout(criterion: &mut Criterion) {
    let pool = work::pool(work::all_threads());
    let mut group = criterion.benchmark_group("rollout");
    for hidden in work::NETWORKS {
        for rows in work::sizes(&[1, 64, 1024], 64) {
            measure::<f32>(&mut group, hidden, rows, &pool);
            measure::<f64>(&mut group, hidden, rows, &pool);
        }
    }
    group.finish();
}

fn measure<T: Real>(group: &mut BenchmarkGroup<'_, WallTime>, hidden: &[usize], rows: usize, pool: &ThreadPool) {
    let case = Case::<T>::new(hidden, PENDULUM);
    let mut states: Vec<T> = work::states(rows, PENDULUM).into_iter().map(T::from_f64).collect();
    let mut rollout = pool.install(|| Rk4Rollout::new(&case.model, &case.parameters, rows));
    let products = products::evaluate(case.model.shape(), rows, PENDULUM);
    let used = pool.current_num_threads().min(rows.div_ceil(BLOCK));
    let steps = if work::is_test() { 1 } else { STEPS };
    group.throughput(Throughput::Elements(STAGES * steps as u64 * products::operations(&products)));
    let what = format!("{}, {rows} states, {steps} steps", work::name(hidden));
    group.bench_function(in_operations::<T>(what, used), |bencher| {
        pool.install(|| bencher.iter(|| rollout.advance(&mut states, STEP_LENGTH, steps)));
    });
}

criterion_group! { name = benches; config = work::criterion().sample_size(10); targets = rollout }
criterion_main!(benches);
