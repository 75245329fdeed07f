//! Steps of the optimisers on the parameters of the usual networks, by all threads.
//!
//! `cargo xtask bench cpu optimiser`; throughput is in operations. For Adam these are 14 a parameter: 3 for
//! the first average, 4 for the second, 2 bias corrections, root, sum, quotient, and product and difference of
//! the update, each one operation. It reads and writes memory rather than computing, so its fraction of the
//! product rate is small. SOAP is timed over ten steps, one of which turns the bases; counted are its
//! products and factorisations for a weight m × n,
//!
//! ```text
//! each step    6 m n (m + n)                                    two rotations, two factor averages
//! a refresh    4 m n (m + n) + (2 + 4⁄3 + 4⁄3) (m³ + n³)        two rotations, S Q, its QR and the forming of Q
//! ```

mod work;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lnn::train::experiment::parameter_blocks;
use lnn::train::optimiser::{Adam, AdamSettings, Optimiser, ParameterBlock, Soap, SoapSettings};

use work::{Case, PENDULUM, in_operations};

const NETWORKS: [&[usize]; 3] = [&[64; 3], &[128; 3], &[500; 4]];
const ADAM_OPERATIONS: usize = 14;

fn optimiser(criterion: &mut Criterion) {
    let threads = work::all_threads();
    let pool = work::pool(threads);
    let mut group = criterion.benchmark_group("optimiser");
    for hidden in NETWORKS {
        let case = Case::<f32>::new(hidden, PENDULUM);
        let blocks = parameter_blocks(&case.model);
        // A tenth of the weights' size and without their order: a gradient with no zero.
        let gradient: Vec<f32> = (0..case.parameters.len()).map(|i| 0.1 * (1.3 * i as f32).sin() + 1e-3).collect();
        let mut parameters = case.parameters.clone();

        let mut adam = Adam::new(AdamSettings::default(), parameters.len()).expect("valid settings");
        group.throughput(Throughput::Elements((ADAM_OPERATIONS * parameters.len()) as u64));
        group.bench_function(in_operations::<f32>(format!("Adam {}", work::name(hidden)), threads), |bencher| {
            pool.install(|| bencher.iter(|| adam.update(&mut parameters, &gradient, 1e-6).expect("a finite gradient")));
        });

        let settings = SoapSettings::default();
        let mut soap = Soap::new(settings, &blocks).expect("valid settings");
        soap.update(&mut parameters, &gradient, 1e-6).expect("the first call makes the bases");
        group.throughput(Throughput::Elements(soap_operations(&blocks, settings.refresh_every)));
        let what = format!("SOAP {}, {} steps", work::name(hidden), settings.refresh_every);
        group.sample_size(10).bench_function(in_operations::<f32>(what, threads), |bencher| {
            pool.install(|| {
                bencher.iter(|| {
                    for _ in 0..settings.refresh_every {
                        soap.update(&mut parameters, &gradient, 1e-6).expect("a finite gradient");
                    }
                });
            });
        });
    }
    group.finish();
}

/// Operations of `steps` steps with one refresh among them; a side of length 1 has no basis.
fn soap_operations(blocks: &[ParameterBlock], steps: u64) -> u64 {
    let block = |block: &ParameterBlock| {
        let (size, rows, columns) = (block.len() as u64, block.rows as u64, block.columns as u64);
        if columns == 1 {
            return (ADAM_OPERATIONS as u64) * size * steps;
        }
        let sides = if rows > 1 { rows + columns } else { columns };
        let cubes = columns.pow(3) + if rows > 1 { rows.pow(3) } else { 0 };
        6 * size * sides * steps + 4 * size * sides + 14 * cubes / 3
    };
    blocks.iter().map(block).sum()
}

criterion_group! { name = benches; config = work::criterion(); targets = optimiser }
criterion_main!(benches);
