//! Where the time of a training step goes: each stage of it alone, for one thread and a batch of 512.
//!
//! `cargo xtask bench cpu roofline` makes a table of the stages. A stage is named
//! `<network>, batch 512: <stage>` and does the work of the whole batch, block by block. Throughput is in the
//! operations of the stage's layer products (`work/products.rs`), a multiplication and an addition being two,
//! so that the rate of the stage `products` is what faer's products of just these shapes and block size reach.
//! Stages without products count batches.
//!
//! `features` is the seeding of a block with features and their derivatives; what takes derivatives back through
//! them is left in the passes. `adjoint` goes over one evaluated block as often as there are blocks, but fills as many partial gradients as a
//! step does. `optimiser` is clipping and Adam.

mod work;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use lnn::autodiff::jet::{Accumulate, JetWorkspace, Purpose};
use lnn::autodiff::pseudoinverse::{RankDeficientTerms, SymmetricFactors, Tolerance};
use lnn::physics::sampling::StateSampler;
use lnn::train::config::preset;
use lnn::train::experiment::{build_system, build_training};
use lnn::train::optimiser::{Adam, AdamSettings, ClippingConfig, Optimiser, RunningNormClip};
use rayon::ThreadPool;

use work::products::{self, Product, Replay};
use work::{Block, Case, PENDULUM};

const BATCH: usize = 512;

fn roofline(criterion: &mut Criterion) {
    let pool = work::pool(1);
    let mut group = criterion.benchmark_group("roofline");
    for hidden in work::NETWORKS {
        let mut stages = Stages::new(&mut group, &pool, hidden);
        stages.products();
        stages.equation_and_solve();
        stages.data();
        stages.optimiser();
        stages.step();
    }
    group.finish();
}

/// One network's stages.
struct Stages<'a, 'c> {
    group: &'a mut BenchmarkGroup<'c, WallTime>,
    pool: &'a ThreadPool,
    hidden: &'a [usize],
    case: Case<f32>,
    /// Rows of a block; the batch is a whole number of them.
    rows: usize,
    blocks: usize,
}

impl<'a, 'c> Stages<'a, 'c> {
    fn new(group: &'a mut BenchmarkGroup<'c, WallTime>, pool: &'a ThreadPool, hidden: &'a [usize]) -> Self {
        let case = Case::new(hidden, PENDULUM);
        let rows = case.partition(BATCH).block_rows();
        let blocks = BATCH / rows;
        assert_eq!(rows * blocks, BATCH, "stages are timed on whole blocks");
        Self { group, pool, hidden, case, rows, blocks }
    }

    /// The layer products of Euler–Lagrange and adjoint for the whole batch.
    fn layer_products(&self) -> [Vec<Product>; 2] {
        let shape = self.case.model.shape();
        [products::evaluate(shape, BATCH, PENDULUM), products::adjoint(shape, BATCH)]
    }

    /// Times one stage of the whole batch, which makes these products.
    fn measure(&mut self, stage: &str, products: &[Product], mut work: impl FnMut() + Send) {
        let what = format!("{}, batch {BATCH}: {stage}", work::name(self.hidden));
        let (id, elements) = match products::operations(products) {
            0 => (work::in_units(what, "batches"), 1),
            operations => (work::in_operations::<f32>(what, 1), operations),
        };
        self.group.throughput(Throughput::Elements(elements));
        self.group.bench_function(id, |bencher| self.pool.install(|| bencher.iter(&mut work)));
    }

    /// The layer products alone, on one block's arrays.
    fn products(&mut self) {
        let (blocks, shape) = (self.blocks, self.case.model.shape());
        let mut replay = Replay::<f32>::new(products::step(shape, self.rows, PENDULUM));
        self.measure("products", &self.layer_products().concat(), || {
            for _ in 0..blocks {
                replay.run();
            }
        });
    }

    /// Euler–Lagrange, adjoint, and the solve that is part of both, on the mass matrices of the first block.
    fn equation_and_solve(&mut self) {
        let (rows, blocks) = (self.rows, self.blocks);
        let case = Case::<f32>::new(self.hidden, PENDULUM);
        let block = Block::draw(rows, PENDULUM);
        let (lagrangian, networks) = (case.lagrangian(), case.model.bind(&case.parameters));
        let mut workspace = lagrangian.workspace(rows, true);
        self.measure("Euler–Lagrange", &self.layer_products()[0], || {
            for _ in 0..blocks {
                lagrangian.accelerate(networks, block.states(), &mut workspace);
            }
        });
        let lambda = vec![1.0 / BATCH as f32; rows * PENDULUM];
        let partition = case.partition(BATCH);
        let mut gradients = vec![vec![0.0; case.parameters.len()]; partition.groups()];
        self.measure("adjoint", &self.layer_products()[1], || {
            for (group, gradient) in gradients.iter_mut().enumerate() {
                let mut accumulate = Accumulate::Replace;
                for _ in partition.blocks(group) {
                    lagrangian.gradient(networks, &lambda, &mut workspace, accumulate, gradient);
                    accumulate = Accumulate::Add;
                }
            }
        });

        let (matrices, force) = (workspace.mass_matrix(), workspace.force());
        let mut factors = SymmetricFactors::<f32>::new(PENDULUM, rows);
        let tolerance = Tolerance::for_dimension::<f32>(PENDULUM);
        let (mut acceleration, mut v) = (vec![0.0; rows * PENDULUM], vec![0.0; rows * PENDULUM]);
        let mut terms = [[0.0; PENDULUM]; 4];
        self.measure("solve", &[], || {
            for _ in 0..blocks {
                factors.factor(matrices, tolerance);
                for row in 0..rows {
                    let range = row * PENDULUM..(row + 1) * PENDULUM;
                    factors.solve(row, &force[range.clone()], &mut acceleration[range.clone()]);
                    let [inverse_v, null_b, null_lambda, inverse_x] = &mut terms;
                    let terms = RankDeficientTerms { inverse_v, null_b, null_lambda, inverse_x };
                    let (b, x) = (&force[range.clone()], &acceleration[range.clone()]);
                    factors.solve_vjp(row, b, x, &lambda[range.clone()], &mut v[range], terms);
                }
            }
        });
    }

    /// Features with their derivatives, and states with their targets.
    fn data(&mut self) {
        let (rows, blocks) = (self.rows, self.blocks);
        let block = Block::<f32>::draw(rows, PENDULUM);
        let features = self.case.model.features().clone();
        let mut jets = JetWorkspace::<f32>::new(self.case.model.shape(), PENDULUM + 1, rows, Purpose::Forward);
        let mut slope = vec![0.0; rows * features.len()];
        self.measure("features", &[], || {
            for _ in 0..blocks {
                features.seed(&block.q, &block.q_dot, &[], jets.start(rows), &mut slope);
            }
        });

        let config = preset("dblpend", "fast").expect("a preset");
        let system = build_system(&config.system).expect("the paper's pendulum");
        let ranges = system.training_distribution();
        let sampler = StateSampler::new(0, 0);
        let mut states = vec![0.0; rows * 2 * PENDULUM];
        let mut target = vec![0.0; rows * PENDULUM];
        let mut step = 0;
        self.measure("data", &[], || {
            for index in 0..blocks {
                sampler.fill_from(step, (index * rows) as u64, ranges, &mut states);
                for (state, target) in states.chunks_exact(2 * PENDULUM).zip(target.chunks_exact_mut(PENDULUM)) {
                    let (q, q_dot) = state.split_at(PENDULUM);
                    system.acceleration_into(q, q_dot, &[], target);
                }
            }
            step += 1;
        });
    }

    fn optimiser(&mut self) {
        let mut parameters = self.case.parameters.clone();
        let mut gradient: Vec<f32> = (0..parameters.len()).map(|i| 0.1 * (1.3 * i as f32).sin() + 1e-3).collect();
        // A step has it from the sum of the partial gradients.
        let squared_norm = gradient.iter().map(|&component| f64::from(component).powi(2)).sum();
        let mut clip = RunningNormClip::new(ClippingConfig::default()).expect("valid settings");
        let mut adam = Adam::new(AdamSettings::default(), parameters.len()).expect("valid settings");
        self.measure("optimiser", &[], || {
            clip.apply_with_norm(&mut gradient, squared_norm);
            adam.update(&mut parameters, &gradient, 1e-6).expect("a finite gradient");
        });
    }

    fn step(&mut self) {
        let mut config = preset("dblpend", "fast").expect("a preset");
        let mut model = work::model_config(self.hidden);
        (model.training.batch, model.training.optimiser) = (BATCH, AdamSettings::default().into());
        model.training.schedule = work::SMALL_RATE;
        config.models.insert("lnn".to_owned(), model);
        let system = build_system(&config.system).expect("the paper's pendulum");
        let training = self.pool.install(|| build_training::<f32>(&config, "lnn", system));
        let mut training = training.expect("a valid configuration");
        self.measure("step", &self.layer_products().concat(), || work::whole_step(&mut training));
    }
}

criterion_group! { name = benches; config = work::criterion(); targets = roofline }
criterion_main!(benches);
