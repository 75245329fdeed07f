//! The ceiling: the rate of the matrix product that the engine is built on, faer's, at the engine's shapes.
//!
//! `cargo xtask bench cpu product`; throughput is in operations, a multiplication and an addition being
//! two. Each thread multiplies matrices of its own, as in a training step, and the rates add up. The best
//! shape of a precision and number of threads is what the other benches' rates are divided by.

mod work;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use lnn::autodiff::Real;
use rayon::ThreadPool;

use work::products::{self, OnAllThreads};

fn product(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("product");
    for threads in work::thread_counts() {
        let pool = work::pool(threads);
        shapes::<f32>(&mut group, &pool);
        shapes::<f64>(&mut group, &pool);
    }
    group.finish();
}

fn shapes<T: Real>(group: &mut BenchmarkGroup<'_, WallTime>, pool: &ThreadPool) {
    let threads = pool.current_num_threads();
    for (name, product) in products::of_real_steps() {
        let product = OnAllThreads::<T>::new(product, threads);
        group.throughput(Throughput::Elements(product.operations()));
        group.bench_function(work::in_operations::<T>(name, threads), |bencher| bencher.iter(|| product.run(pool)));
    }
}

criterion_group! { name = benches; config = work::criterion().sample_size(10); targets = product }
criterion_main!(benches);
