//! The passes of the jet engine on one block of samples by one thread: forward; the whole Euler–Lagrange
//! equation (forward, reverse, Hessian, solve); the adjoint.
//!
//! `cargo xtask bench cpu jets`; throughput is in the operations of the layer products (`work/products.rs`),
//! a multiplication and an addition being two; elementwise work and the solve are not counted, so that what
//! they cost shows as a lower rate. Over d the rate should stay level: equation and adjoint together make
//! d + 11 products a layer.

mod work;

use std::f64::consts::TAU;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lnn::autodiff::jet::{Accumulate, JetWorkspace, Purpose};

use work::{Block, Case, PENDULUM, in_operations, products};

/// Batch whose blocks are timed.
const BATCH: usize = 512;

fn passes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("jets");
    for hidden in work::NETWORKS {
        let case = Case::<f32>::new(hidden, PENDULUM);
        let (rows, name, shape) = (case.partition(BATCH).block_rows(), work::name(hidden), case.model.shape());

        let mut jets = JetWorkspace::<f32>::new(shape, PENDULUM + 1, rows, Purpose::Forward);
        let inputs = jets.start(rows);
        for (index, input) in inputs.value.iter_mut().chain(inputs.tangents).enumerate() {
            *input = (index as f64 % TAU).sin() as f32;
        }
        let network = shape.bind(&case.parameters).expect("as many parameters as the shape has");
        group.throughput(Throughput::Elements(products::operations(&products::forward(shape, rows, PENDULUM))));
        group.bench_function(in_operations::<f32>(format!("forward {name}"), 1), |bencher| {
            bencher.iter(|| jets.forward(network));
        });

        let block = Block::draw(rows, PENDULUM);
        let mut workspace = case.model.workspace(rows, true);
        let mut acceleration = vec![0.0; rows * PENDULUM];
        group.throughput(Throughput::Elements(products::operations(&products::evaluate(shape, rows, PENDULUM))));
        group.bench_function(in_operations::<f32>(format!("Euler–Lagrange {name}"), 1), |bencher| {
            bencher.iter(|| {
                case.model.accelerations(&case.parameters, block.states(), &mut workspace, &mut acceleration);
            });
        });

        let lambda = vec![1.0 / BATCH as f32; rows * PENDULUM];
        let mut gradient = vec![0.0; case.parameters.len()];
        group.throughput(Throughput::Elements(products::operations(&products::adjoint(shape, rows))));
        group.bench_function(in_operations::<f32>(format!("adjoint {name}"), 1), |bencher| {
            bencher.iter(|| {
                case.model.gradient(&case.parameters, &lambda, &mut workspace, Accumulate::Replace, &mut gradient);
            });
        });
    }
    group.finish();
}

/// Equation and adjoint for 1 to 8 coordinates. At 256 units the products' d + 11 shows in the time; at 64 also what
/// grows faster, the solve as d³ and the second derivatives as d² a unit.
fn coordinates(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("jets");
    for (hidden, dof) in [[64; 3], [256; 3]].iter().flat_map(|hidden| [1, 2, 4, 8].map(|dof| (hidden, dof))) {
        let case = Case::<f32>::new(hidden, dof);
        let (rows, shape) = (case.partition(BATCH).block_rows(), case.model.shape());
        let block = Block::draw(rows, dof);
        let mut workspace = case.model.workspace(rows, true);
        let mut acceleration = vec![0.0; rows * dof];
        let lambda = vec![1.0 / BATCH as f32; rows * dof];
        let mut gradient = vec![0.0; case.parameters.len()];
        let products = products::step(shape, rows, dof);
        let width = hidden[0];
        let between_hidden = products.iter().filter(|product| (product.n, product.k) == (width, width));
        let products_a_sample = between_hidden.map(|product| product.m).sum::<usize>() / (rows * (hidden.len() - 1));
        assert_eq!(products_a_sample, dof + 11, "what docs/derivations/2-adjoint.md derives");
        group.throughput(Throughput::Elements(products::operations(&products)));
        let what = format!("Euler–Lagrange and adjoint {}, d = {dof}", work::name(hidden));
        group.bench_function(in_operations::<f32>(what, 1), |bencher| {
            bencher.iter(|| {
                case.model.accelerations(&case.parameters, block.states(), &mut workspace, &mut acceleration);
                case.model.gradient(&case.parameters, &lambda, &mut workspace, Accumulate::Replace, &mut gradient);
            });
        });
    }
    group.finish();
}

criterion_group! { name = benches; config = work::criterion(); targets = passes, coordinates }
criterion_main!(benches);
