//! The ceiling: the rate of the matrix product that the engine is built on, faer's, at the engine's shapes.
//!
//! `cargo xtask bench cpu product`; throughput is in operations, a multiplication and an addition being
//! two. Each thread multiplies matrices of its own, as in a training step, and the rates add up. The best
//! shape of a precision and number of threads is what the other benches' rates are divided by.

mod work;

use std::sync::{Mutex, PoisonError};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use lnn::autodiff::Real;
use rayon::ThreadPool;

use work::products::{Layout, Product, Replay};

/// Rows, inputs and outputs: blocks of 64 samples, value and tangents, by one to four channels stacked,
/// and layers of the two networks.
const SHAPES: [[usize; 3]; 4] = [[256, 64, 64], [1024, 64, 64], [256, 500, 500], [1024, 500, 500]];
const LAYOUTS: [(Layout, &str); 3] =
    [(Layout::Forward, "forward"), (Layout::Reverse, "reverse"), (Layout::Gradient, "gradient")];

/// Operations a thread makes between two meetings with the others: beside it the meeting costs nothing.
const OPERATIONS_AT_A_TIME: u64 = 200_000_000;

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
    for [m, k, n] in SHAPES {
        for (layout, layout_name) in LAYOUTS {
            let product = Product { layout, m, n, k };
            let repetitions = OPERATIONS_AT_A_TIME.div_ceil(product.operations());
            let replays: Vec<Mutex<Replay<T>>> = (0..threads).map(|_| Mutex::new(Replay::new(product))).collect();
            group.throughput(Throughput::Elements(repetitions * product.operations() * threads as u64));
            let id = work::in_operations::<T>(format!("{m}x{k}x{n} {layout_name}"), threads);
            group.bench_function(id, |bencher| {
                bencher.iter(|| {
                    pool.broadcast(|thread| {
                        let mut replay = replays[thread.index()].lock().unwrap_or_else(PoisonError::into_inner);
                        for _ in 0..repetitions {
                            replay.run();
                        }
                    });
                });
            });
        }
    }
}

criterion_group! { name = benches; config = work::criterion().sample_size(10); targets = product }
criterion_main!(benches);
