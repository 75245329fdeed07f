//! A training step allocates nothing once the first one is done, on any of its threads.
#![allow(unsafe_code)] // A counting allocator cannot be written without it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use lnn_autodiff::Real;
use lnn_autodiff::jet::Accumulate;
use lnn_train::config::presets::LNN;
use lnn_train::config::{ExperimentConfig, ModelConfig, ModelKind, TrainingData, presets};
use lnn_train::experiment::{build_model, build_system, build_training};
use lnn_train::field::build_field_training;
use lnn_train::field::config::{FieldConfig, NeighbourhoodConfig, field_preset};
use lnn_train::fit::Training;
use lnn_train::loss::Loss;
use lnn_train::model::States;
use lnn_train::optimiser::{
    AdamSettings, ClippingConfig, OptimiserConfig, ParameterBlock, RunningNormClip, Schedule, SoapSettings,
};
use lnn_train::rollout::Rk4Rollout;
use lnn_train::segment::SegmentBlock;

thread_local! {
    /// Where this thread's allocations are counted, if they are: threads of the test runner must not disturb.
    static COUNTER: Cell<Option<&'static AtomicU64>> = const { Cell::new(None) };
}

/// The system's allocator with a counter a test.
struct Counting;

fn count() {
    if let Some(counter) = COUNTER.get() {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every call goes to the system allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A counter that lives as long as the program, since threads may outlive the test.
fn counter() -> &'static AtomicU64 {
    Box::leak(Box::new(AtomicU64::new(0)))
}

/// Enough for three refreshes of SOAP's bases.
const STEPS: usize = 35;

/// Every kind of model, and the Lagrangian network with a second network and on observed motions.
fn every_model() -> ExperimentConfig {
    let mut config = presets::models();
    let kind = ModelKind::Lnn {
        residual_mass: 1.0,
        pseudoinverse_tolerance: 1e-6,
        potential_scale: Some(3.0),
        scaled_velocities: false,
    };
    let with_potential = ModelConfig { kind, ..config.models[LNN].clone() };
    config.models.insert("lnn-potential".to_owned(), with_potential);
    let mut of_motions = config.models[LNN].clone();
    of_motions.training.train_on(TrainingData::trajectories());
    config.models.insert("lnn-of-motions".to_owned(), of_motions);
    for model in config.models.values_mut() {
        // A few: they are simulated for each training.
        if let TrainingData::Trajectories { count, .. } = &mut model.training.data {
            *count = 30;
        }
    }
    config
}

/// A training whose batch has more blocks than threads and whose gradient is summed in more than one piece.
fn training<T: Real>(name: &str, optimiser: OptimiserConfig) -> Training<T> {
    let mut config = every_model();
    let model = config.models.get_mut(name).expect("in every preset");
    model.hidden = vec![128, 129];
    model.training.steps = STEPS as u64;
    model.training.batch = 150;
    model.training.loss = Loss::RelativePseudoHuber { scale: 0.02 };
    model.training.l2_penalty = 1e-6;
    model.training.optimiser = optimiser;
    model.training.clipping = ClippingConfig::default();
    model.training.schedule =
        Schedule::WarmupCosine { peak: 1e-3, warmup_steps: 5, total_steps: STEPS as u64, final_fraction: 0.0 };
    config.models.retain(|kept, _| kept == name);
    let config = config.validate().expect("usable");
    let system = build_system(&config.system).expect("the paper's pendulum");
    build_training(&config, name, system).expect("usable")
}

/// Allocations of each step, over all threads of a pool.
fn allocations<T: Real>(name: &str, optimiser: OptimiserConfig, threads: usize) -> Vec<u64> {
    let counter = counter();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    // Also waits until every thread has started.
    pool.broadcast(|_| COUNTER.set(Some(counter)));
    let counts = pool.install(|| {
        let mut training = training::<T>(name, optimiser);
        assert!(counter.load(Ordering::Relaxed) > 0, "the counter must count");
        let mut counts = Vec::with_capacity(STEPS);
        for _ in 0..STEPS {
            let before = counter.load(Ordering::Relaxed);
            let report = training.step().expect("an ordinary step");
            counts.push(counter.load(Ordering::Relaxed) - before);
            assert!(!report.skipped);
        }
        counts
    });
    pool.broadcast(|_| COUNTER.set(None));
    counts
}

#[test]
fn no_training_step_after_the_first_allocates() {
    for name in every_model().models.keys() {
        for optimiser in [AdamSettings::default().into(), SoapSettings::default().into()] {
            for threads in [1, 2] {
                let single = allocations::<f32>(name, optimiser, threads);
                assert!(single[1..].iter().all(|&n| n == 0), "{name} {optimiser:?} {threads} threads f32: {single:?}");
                let double = allocations::<f64>(name, optimiser, threads);
                assert!(double[1..].iter().all(|&n| n == 0), "{name} {optimiser:?} {threads} threads f64: {double:?}");
            }
        }
    }
}

/// Every kind of model on a ring, with ordered neighbourhoods and with pairs. On a grid the sparse factorisation
/// allocates.
fn every_field_model(optimiser: OptimiserConfig) -> FieldConfig {
    let mut config = field_preset("wave", "medium").expect("listed");
    let ordered = config.models.clone();
    for (name, mut model) in ordered {
        model.neighbourhood = NeighbourhoodConfig::Pairs;
        config.models.insert(format!("{name}-pairs"), model);
    }
    for model in config.models.values_mut() {
        model.hidden = vec![16, 17];
        (model.training.batch, model.training.gradient_parts) = (30, None);
        (model.training.l2_penalty, model.training.optimiser) = (1e-6, optimiser);
        model.training.schedule = Schedule::Constant { rate: 1e-3 };
    }
    config
}

fn allocations_on_lattices<T: Real>(config: &FieldConfig, name: &str, threads: usize) -> Vec<u64> {
    let counter = counter();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    pool.broadcast(|_| COUNTER.set(Some(counter)));
    let counts = pool.install(|| {
        let mut training = build_field_training::<T>(config, name).expect("usable");
        assert!(counter.load(Ordering::Relaxed) > 0, "the counter must count");
        let mut counts = Vec::with_capacity(STEPS);
        for _ in 0..STEPS {
            let before = counter.load(Ordering::Relaxed);
            let report = training.step().expect("an ordinary step");
            counts.push(counter.load(Ordering::Relaxed) - before);
            assert!(!report.skipped);
        }
        counts
    });
    pool.broadcast(|_| COUNTER.set(None));
    counts
}

#[test]
fn no_training_step_on_lattices_after_the_first_allocates() {
    for optimiser in [AdamSettings::default().into(), SoapSettings::default().into()] {
        let config = every_field_model(optimiser);
        for name in config.models.keys() {
            for threads in [1, 2] {
                let single = allocations_on_lattices::<f32>(&config, name, threads);
                assert!(single[1..].iter().all(|&n| n == 0), "{name} {optimiser:?} {threads} threads f32: {single:?}");
                let double = allocations_on_lattices::<f64>(&config, name, threads);
                assert!(double[1..].iter().all(|&n| n == 0), "{name} {optimiser:?} {threads} threads f64: {double:?}");
            }
        }
    }
}

#[test]
fn no_optimiser_step_after_the_first_allocates() {
    let counter = counter();
    let mut length = 0;
    // Columns of one, which training never makes, and odd sizes; few enough to stay on this, the counted thread.
    let blocks: Vec<ParameterBlock> = [(64, 6), (64, 1), (33, 64), (33, 1), (1, 33), (1, 1)]
        .into_iter()
        .map(|(rows, columns)| {
            let block = ParameterBlock { offset: length, rows, columns };
            length += block.len();
            block
        })
        .collect();
    for config in [OptimiserConfig::default(), AdamSettings::default().into()] {
        let mut optimiser = config.build::<f32>(&blocks).expect("usable");
        let mut clip = RunningNormClip::new(ClippingConfig::default()).expect("usable");
        let mut parameters = vec![0.0; length];
        let mut gradient = vec![0.0; length];
        for step in 0..STEPS {
            for (at, entry) in gradient.iter_mut().enumerate() {
                *entry = ((at * 7919 + step * 104_729) as f32 * 0.01).sin();
            }
            COUNTER.set(Some(counter));
            let before = counter.load(Ordering::Relaxed);
            clip.apply(&mut gradient);
            optimiser.step(&mut parameters, &gradient, 1e-3).expect("an ordinary step");
            let allocated = counter.load(Ordering::Relaxed) - before;
            COUNTER.set(None);
            assert!(step == 0 || allocated == 0, "{config:?}, step {step}: {allocated}");
        }
    }
}

#[test]
fn no_segment_after_the_first_allocates() {
    let config = every_model();
    for (name, config) in &config.models {
        let model = build_model(config, 2).expect("usable");
        let parameters: Vec<f32> = config.initialisation.draw(&model, 0);
        let networks = model.bind(&parameters);
        let (rows, steps) = (20, 3);
        let mut segments = SegmentBlock::new(&model, rows, steps, true);
        let (states, bar) = (vec![0.1; 2 * rows], vec![1.0; (steps + 1) * 4 * rows]);
        let dt = vec![1e-2; steps * rows];
        let mut gradient = vec![0.0; parameters.len()];
        let counter = counter();
        COUNTER.set(Some(counter));
        let counts: Vec<u64> = (0..4)
            .map(|_| {
                let before = counter.load(Ordering::Relaxed);
                let initial = States { q: &states, q_dot: &states, conditionals: &[] };
                segments.forward(networks, initial, &dt);
                segments.vjp(networks, &bar, Accumulate::Add, &mut gradient);
                counter.load(Ordering::Relaxed) - before
            })
            .collect();
        COUNTER.set(None);
        assert!(counts[1..].iter().all(|&n| n == 0), "{name}: {counts:?}");
    }
}

#[test]
fn no_step_of_a_rollout_allocates() {
    let config = presets::fast();
    let model = build_model(&config.models[LNN], 2).expect("usable");
    let parameters: Vec<f32> = config.models[LNN].initialisation.draw(&model, 0);
    for (rows, threads) in [(1, 1), (4, 1), (100, 1), (100, 2)] {
        let counter = counter();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.broadcast(|_| COUNTER.set(Some(counter)));
        // The matrix product makes a thread's buffer when that thread first meets a block.
        pool.broadcast(|_| Rk4Rollout::new(&model, &parameters, 20).advance(&mut [0.1; 80], 1e-3, 1));
        let counts: Vec<u64> = pool.install(|| {
            let mut rollout = Rk4Rollout::new(&model, &parameters, rows);
            assert!(counter.load(Ordering::Relaxed) > 0, "the counter must count");
            let mut states = vec![0.1; 4 * rows];
            let mut counts = Vec::with_capacity(20);
            for _ in 0..20 {
                let before = counter.load(Ordering::Relaxed);
                rollout.advance(&mut states, 1e-3, 3);
                counts.push(counter.load(Ordering::Relaxed) - before);
            }
            counts
        });
        pool.broadcast(|_| COUNTER.set(None));
        assert!(counts[1..].iter().all(|&n| n == 0), "{rows} rows, {threads} threads: {counts:?}");
    }
}
