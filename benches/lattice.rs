//! Learned Lagrangians of fields: accelerations, assembly and energies of lines from 10² to 10⁶ sites and of a grid, a
//! block of lattices with its gradient, and the solvers alone.
//!
//! `cargo xtask bench cpu lattice`; throughput is in the operations of the layer products (`work/products.rs`), a
//! multiplication and an addition being two, so that a level rate over n is a time linear in the sites. What makes no
//! layer products, the solvers, or makes them as often as its iterations take, the grid, counts sites. A solver factors
//! one matrix and solves with it, on one thread.
//!
//! With each line its memory is measured, and the list is left in criterion's folder, if `CRITERION_HOME` names it, as
//! `lattice/memory.json`, for `xtask/src/bench/lattice.rs`.

mod work;

use std::path::PathBuf;
use std::sync::Arc;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use lnn::autodiff::jet::Accumulate;
use lnn::autodiff::{Activation, MlpShape, Real};
use lnn::graph::solve::Method;
use lnn::graph::solve::band::{BandFactors, BandShape};
use lnn::graph::solve::conjugate_gradient::{ConjugateGradient, SymmetricOperator};
use lnn::graph::solve::sparse::{SparseFactors, SparsePattern};
use lnn::graph::topology::{Boundary, Topology};
use lnn::graph::{Density, FieldEvaluator, FieldFeatures, FieldLagrangian, LagrangianBlock, Neighbourhood, SolveBy};
use lnn::train::config::Initialisation;
use rayon::ThreadPool;
use serde_json::{Value, json};

use work::heap::{CountedHeap, peak_of};
use work::{in_operations, in_units, products};

#[global_allocator]
static HEAP: CountedHeap = CountedHeap;

type Group<'a> = BenchmarkGroup<'a, WallTime>;

const NETWORK: &[usize] = &[64; 3];
/// That of the paper's lattice.
const LARGE_NETWORK: &[usize] = &[400; 3];
const LINES: [usize; 5] = [100, 1_000, 10_000, 100_000, 1_000_000];
/// Rows and columns of the grid.
const SIDE: usize = 256;
/// Sites of the lines and matrices, and sides of the grids, that `--test` goes up to.
const TESTED: [usize; 2] = [1_000, 32];
/// Evaluations of the density in a block of lattices: sites times samples.
const ROWS: usize = 512;
/// Sites of the lattices in a block.
const SMALL: [usize; 4] = [8, 16, 64, 256];

fn lattice(criterion: &mut Criterion) {
    let pool = work::pool(work::all_threads());
    let mut group = criterion.benchmark_group("lattice");
    let mut memory = Vec::new();
    line(&mut group, &pool, LARGE_NETWORK, 100, &mut memory);
    for sites in work::sizes(&LINES, TESTED[0]) {
        line(&mut group, &pool, NETWORK, sites, &mut memory);
    }
    keep(&memory);
    grid(&mut group, &pool);
    for sites in SMALL {
        block(&mut group, sites);
    }
    solvers::<f32>(&mut group);
    solvers::<f64>(&mut group);
    group.finish();
}

/// A field in some state, and what evaluates it.
struct Field<T: Real> {
    evaluator: FieldEvaluator<T>,
    phi: Vec<T>,
    phi_dot: Vec<T>,
    phi_ddot: Vec<T>,
}

impl<T: Real> Field<T> {
    /// With the first weights of a training. Made in the pool that it runs in.
    fn new(topology: Topology, density: &Density, solve_by: SolveBy, pool: &ThreadPool) -> Self {
        let parameters: Vec<T> = Initialisation::default().draw_networks(density.shapes(), 0);
        let lagrangian = lagrangian(topology, density);
        let evaluator = pool.install(|| FieldEvaluator::new(&lagrangian, &parameters, solve_by));
        let [phi, phi_dot] = state(lagrangian.unknowns());
        let evaluator = evaluator.expect("memory for the factors");
        Self { evaluator, phi_ddot: vec![T::ZERO; phi.len()], phi, phi_dot }
    }

    fn accelerate(&mut self) {
        let Self { evaluator, phi, phi_dot, phi_ddot } = self;
        evaluator.acceleration_into(phi, phi_dot, phi_ddot).expect("a definite mass matrix");
    }
}

fn density(neighbourhood: Neighbourhood, hidden: &[usize]) -> Density {
    let density = Density::new(neighbourhood, FieldFeatures::scalar(), hidden, Activation::Softplus);
    density.expect("a valid density")
}

fn lagrangian(topology: Topology, density: &Density) -> FieldLagrangian {
    FieldLagrangian::new(density.clone(), Arc::new(topology), &[], 1.0).expect("a neighbourhood of the topology")
}

fn ring(sites: usize) -> Topology {
    Topology::line(sites, Boundary::Periodic).expect("enough sites")
}

/// The only network of a density of ordered neighbours.
fn shape(density: &Density) -> &MlpShape {
    density.shapes().next().expect("one network")
}

/// A field and its rate between −1 and 1, without order from site to site.
fn state<T: Real>(unknowns: usize) -> [Vec<T>; 2] {
    [1.3, 2.1].map(|step| (0..unknowns).map(|i| T::from_f64((step * i as f64).sin())).collect())
}

/// What a periodic line does, and its memory: of the topology, the Lagrangian, its evaluator and the state, with all that
/// is held on the way to the first acceleration.
fn line(group: &mut Group<'_>, pool: &ThreadPool, hidden: &[usize], sites: usize, memory: &mut Vec<Value>) {
    let density = density(Neighbourhood::Line, hidden);
    let (shape, dof) = (shape(&density), Neighbourhood::Line.widths()[0]);
    let (network, threads) = (work::name(hidden), pool.current_num_threads());
    let id = |what: &str| in_operations::<f32>(format!("{what} {network}, n = {sites}"), threads);
    // Made when it is first timed: a run of other benches has no use for it.
    let mut field = None;
    let mut made = || {
        let (field, bytes) = peak_of(|| {
            let mut field = Field::<f32>::new(ring(sites), &density, SolveBy::Factorisation, pool);
            pool.install(|| field.accelerate());
            field
        });
        memory.push(json!({ "network": network, "sites": sites, "bytes": bytes }));
        field
    };
    let operations = products::operations(&products::evaluate(shape, sites, dof));
    group.sample_size(10).throughput(Throughput::Elements(operations));
    group.bench_function(id("acceleration"), |bencher| {
        let field = field.get_or_insert_with(&mut made);
        pool.install(|| bencher.iter(|| field.accelerate()));
    });
    group.bench_function(id("assembly"), |bencher| {
        let Field { evaluator, phi, phi_dot, .. } = field.get_or_insert_with(&mut made);
        pool.install(|| bencher.iter(|| evaluator.assemble(phi, phi_dot)[0]));
    });
    group.throughput(Throughput::Elements(products::operations(&products::slopes(shape, sites))));
    group.bench_function(id("energy"), |bencher| {
        let Field { evaluator, phi, phi_dot, phi_ddot: energy } = field.get_or_insert_with(&mut made);
        pool.install(|| bencher.iter(|| evaluator.energy_density_into(phi, phi_dot, energy)));
    });
}

/// Leaves the memory of the lines for `cargo xtask bench`, which names the folder.
fn keep(memory: &[Value]) {
    let Some(home) = std::env::var_os("CRITERION_HOME").filter(|_| !memory.is_empty()) else { return };
    let folder = PathBuf::from(home).join("lattice");
    let path = folder.join("memory.json");
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, Value::from(memory).to_string()));
    written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// A periodic grid by each of its solvers.
fn grid(group: &mut Group<'_>, pool: &ThreadPool) {
    let (tolerance, most_iterations) = (1e-6, 200);
    let solvers = [
        ("sparse", SolveBy::Factorisation),
        ("by elements", SolveBy::ElementByElement { tolerance, most_iterations }),
        ("matrix-free", SolveBy::ConjugateGradient { tolerance, most_iterations }),
    ];
    let side = if work::is_test() { TESTED[1] } else { SIDE };
    group.throughput(Throughput::Elements((side * side) as u64));
    for (what, solve_by) in solvers {
        let id = in_units(format!("acceleration 3x64, {side}x{side}, {what}"), "sites");
        let mut field = None;
        group.bench_function(id, |bencher| {
            let field = field.get_or_insert_with(|| {
                let topology = Topology::grid([side; 2], [Boundary::Periodic; 2]).expect("enough sites");
                Field::<f32>::new(topology, &density(Neighbourhood::Grid, NETWORK), solve_by, pool)
            });
            pool.install(|| bencher.iter(|| field.accelerate()));
        });
    }
}

/// Accelerations and parameter gradient of one thread's lattices, as many as have [`ROWS`] sites together.
fn block(group: &mut Group<'_>, sites: usize) {
    let density = density(Neighbourhood::Line, NETWORK);
    let parameters: Vec<f32> = Initialisation::default().draw_networks(density.shapes(), 0);
    let lagrangian = lagrangian(ring(sites), &density);
    let samples = ROWS / sites;
    let mut block = LagrangianBlock::<f32>::new(&lagrangian, samples, true).expect("memory for the factors");
    let [phi, phi_dot] = state(ROWS);
    let (lambda, mut gradient) = (vec![1.0 / samples as f32; ROWS], vec![0.0; parameters.len()]);
    let products = products::step(shape(&density), ROWS, Neighbourhood::Line.widths()[0]);
    group.sample_size(20).throughput(Throughput::Elements(products::operations(&products)));
    let what = format!("training block 3x64, {samples} of n = {sites}");
    group.bench_function(in_operations::<f32>(what, 1), |bencher| {
        bencher.iter(|| {
            block.accelerate(&parameters, &phi, &phi_dot);
            block.gradient(&parameters, &lambda, Accumulate::Replace, &mut gradient);
        });
    });
}

/// Each solver on one matrix, at a size that fits the second-level cache and at one that does not.
fn solvers<T: Real>(group: &mut Group<'_>) {
    for sites in work::sizes(&[1_000, 100_000], TESTED[0]) {
        let (open, cyclic) = (BandShape::open(sites, REACH), BandShape::cyclic(sites, REACH));
        band::<T>(group, "open, definite", open, DIAGONAL, Method::Definite);
        band::<T>(group, "cyclic, definite", cyclic, DIAGONAL, Method::Definite);
        band::<T>(group, "cyclic, pivoted", cyclic, [DIAGONAL[0], -DIAGONAL[1]], Method::Pivoted);
        conjugate_gradients::<T>(group, cyclic);
    }
    for side in work::sizes(&[32, 256], TESTED[1]) {
        sparse::<T>(group, side);
    }
}

/// Half-bandwidth of a density that sees its neighbours' rates.
const REACH: usize = 2;
/// Off-diagonal numbers by distance, and diagonal ones of even and of odd sites: by Gershgorin's circles definite, with a
/// condition number of at most 10.
const OFF_DIAGONAL: [f64; REACH] = [0.7, -0.3];
const DIAGONAL: [f64; 2] = [3.0, 2.5];

/// The numbers of a band matrix with this diagonal.
fn entries<T: Real>(shape: BandShape, diagonal: [f64; 2]) -> Vec<T> {
    let slot = |i: usize, offset: usize| match offset {
        0 => diagonal[i % 2],
        _ if shape.partner(i, offset).is_some() => OFF_DIAGONAL[offset - 1],
        _ => 0.0,
    };
    let slots = (0..shape.dimension()).flat_map(|i| (0..=REACH).map(move |offset| (i, offset)));
    slots.map(|(i, offset)| T::from_f64(slot(i, offset))).collect()
}

fn band<T: Real>(group: &mut Group<'_>, what: &str, shape: BandShape, diagonal: [f64; 2], method: Method) {
    let (n, entries) = (shape.dimension(), entries::<T>(shape, diagonal));
    let [b, mut x] = state::<T>(n);
    let mut factors = BandFactors::new(shape, 1);
    group.throughput(Throughput::Elements(n as u64));
    group.bench_function(in_units(format!("band, {what}, {}, n = {n}", T::NAME), "sites"), |bencher| {
        bencher.iter(|| {
            let factored = factors.factor(0, &entries).expect("a regular matrix");
            assert_eq!(factored.method, method);
            factors.solve_into(0, &b, &mut x);
        });
    });
}

/// A matrix that is there, so that the method alone is timed.
struct Band<T> {
    shape: BandShape,
    entries: Vec<T>,
}

impl<T: Real> SymmetricOperator<T> for Band<T> {
    fn dimension(&self) -> usize {
        self.shape.dimension()
    }
    fn apply(&mut self, x: &[T], y: &mut [T]) {
        self.shape.multiply(&self.entries, x, y);
    }
}

fn conjugate_gradients<T: Real>(group: &mut Group<'_>, shape: BandShape) {
    let n = shape.dimension();
    let mut operator = Band { shape, entries: entries::<T>(shape, DIAGONAL) };
    let diagonal: Vec<T> = DIAGONAL.map(T::from_f64).into_iter().cycle().take(n).collect();
    let [b, mut x] = state::<T>(n);
    let mut method = ConjugateGradient::new(n);
    // What both precisions reach, so that they take as many iterations.
    let tolerance = 1e-6;
    group.throughput(Throughput::Elements(n as u64));
    group.bench_function(in_units(format!("conjugate gradients, {}, n = {n}", T::NAME), "sites"), |bencher| {
        bencher.iter(|| {
            x.fill(T::ZERO);
            method.solve(&mut operator, &diagonal, &b, &mut x, tolerance, 100).expect("a definite matrix")
        });
    });
}

/// A matrix with the pattern of a grid's: sites that are in one neighbourhood are coupled.
fn sparse<T: Real>(group: &mut Group<'_>, side: usize) {
    let topology = Topology::grid([side; 2], [Boundary::Periodic; 2]).expect("enough sites");
    let stencil = topology.stencil().expect("a grid has ordered neighbourhoods");
    let n = topology.sites();
    group.throughput(Throughput::Elements(n as u64));
    let mut made = None;
    group.bench_function(in_units(format!("sparse, definite, {}, grid {side}x{side}", T::NAME), "sites"), |bencher| {
        let (factors, values, b, x) = made.get_or_insert_with(|| {
            let neighbourhoods = stencil.indices.chunks_exact(stencil.width);
            let coupled = |places: &'_ [u32]| -> Vec<[usize; 2]> {
                places.iter().flat_map(|&i| places.iter().map(move |&j| [i as usize, j as usize])).collect()
            };
            let pattern = SparsePattern::new(n, &neighbourhoods.flat_map(coupled).collect::<Vec<_>>());
            let pattern = Arc::new(pattern.expect("sites of the grid"));
            // Twelve couplings of 0.2 and a diagonal of 3: definite.
            let value = |&[i, j]: &[usize; 2]| T::from_f64(if i == j { 3.0 } else { 0.2 });
            let values: Vec<T> = pattern.pairs().iter().map(value).collect();
            let [b, x] = state::<T>(n);
            (SparseFactors::new(&pattern).expect("memory for the factors"), values, b, x)
        });
        bencher.iter(|| {
            let factored = factors.factor(values).expect("a regular matrix");
            assert_eq!(factored.method, Method::Definite);
            factors.solve_into(b, x);
        });
    });
}

criterion_group! { name = benches; config = work::criterion(); targets = lattice }
criterion_main!(benches);
