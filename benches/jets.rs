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
        let (lagrangian, networks) = (case.lagrangian(), case.model.bind(&case.parameters));

        let mut jets = JetWorkspace::<f32>::new(shape, PENDULUM + 1, rows, Purpose::Forward);
        let inputs = jets.start(rows);
        for (index, input) in inputs.value.iter_mut().chain(inputs.tangents).enumerate() {
            *input = (index as f64 % TAU).sin() as f32;
        }
        let network = networks.main();
        group.throughput(Throughput::Elements(products::operations(&products::forward(shape, rows, PENDULUM))));
        group.bench_function(in_operations::<f32>(format!("forward {name}"), 1), |bencher| {
            bencher.iter(|| jets.forward(network));
        });

        let block = Block::draw(rows, PENDULUM);
        let mut workspace = lagrangian.workspace(rows, true);
        group.throughput(Throughput::Elements(products::operations(&products::evaluate(shape, rows, PENDULUM))));
        group.bench_function(in_operations::<f32>(format!("Euler–Lagrange {name}"), 1), |bencher| {
            bencher.iter(|| lagrangian.accelerate(networks, block.states(), &mut workspace));
        });

        let lambda = vec![1.0 / BATCH as f32; rows * PENDULUM];
        let mut gradient = vec![0.0; case.parameters.len()];
        group.throughput(Throughput::Elements(products::operations(&products::adjoint(shape, rows))));
        group.bench_function(in_operations::<f32>(format!("adjoint {name}"), 1), |bencher| {
            bencher.iter(|| lagrangian.gradient(networks, &lambda, &mut workspace, Accumulate::Replace, &mut gradient));
        });
    }
    group.finish();
}

/// Equation and adjoint for 1 to 8 coordinates. At 256 units the products' d + 11 shows in the time; at 64 also what
/// grows faster, the solve as d³ and the second derivatives as d² a unit.
fn coordinates(criterion: &mut Criterion) {
    for (hidden, dof) in [[64; 3], [256; 3]].iter().flat_map(|hidden| [1, 2, 4, 8].map(|dof| (hidden, dof))) {
        let rows = Case::<f32>::new(hidden, dof).partition(BATCH).block_rows();
        equation_and_adjoint(criterion, hidden, dof, rows, &format!("d = {dof}"));
    }
}

/// Equation and adjoint over the rows of a block, a rate each: where a training step's blocks come from. The rate is
/// level where the products are deep enough and a layer's arrays still fit the second-level cache.
fn block_rows(criterion: &mut Criterion) {
    for (hidden, rows) in work::NETWORKS.iter().flat_map(|hidden| [8, 16, 32, 64, 128, 256].map(|rows| (hidden, rows)))
    {
        equation_and_adjoint(criterion, hidden, PENDULUM, rows, &format!("blocks of {rows}"));
    }
}

fn equation_and_adjoint(criterion: &mut Criterion, hidden: &[usize], dof: usize, rows: usize, what: &str) {
    let mut group = criterion.benchmark_group("jets");
    let case = Case::<f32>::new(hidden, dof);
    let shape = case.model.shape();
    let block = Block::draw(rows, dof);
    let (lagrangian, networks) = (case.lagrangian(), case.model.bind(&case.parameters));
    let mut workspace = lagrangian.workspace(rows, true);
    let lambda = vec![1.0 / BATCH as f32; rows * dof];
    let mut gradient = vec![0.0; case.parameters.len()];
    let products = products::step(shape, rows, dof);
    let width = hidden[0];
    let between_hidden = products.iter().filter(|product| (product.n, product.k) == (width, width));
    let products_a_sample = between_hidden.map(|product| product.m).sum::<usize>() / (rows * (hidden.len() - 1));
    assert_eq!(products_a_sample, dof + 11, "what docs/derivations/2-adjoint.md derives");
    group.throughput(Throughput::Elements(products::operations(&products)));
    let what = format!("Euler–Lagrange and adjoint {}, {what}", work::name(hidden));
    group.bench_function(in_operations::<f32>(what, 1), |bencher| {
        bencher.iter(|| {
            lagrangian.accelerate(networks, block.states(), &mut workspace);
            lagrangian.gradient(networks, &lambda, &mut workspace, Accumulate::Replace, &mut gradient);
        });
    });
    group.finish();
}

criterion_group! { name = benches; config = work::criterion(); targets = passes, coordinates, block_rows }
criterion_main!(benches);
