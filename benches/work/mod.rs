//! What the benches share: names of measurements, networks, states, and counts of operations.

#![allow(dead_code, reason = "each bench is a program of its own and uses a part of this")]

pub(crate) mod heap;
pub(crate) mod products;

use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use lnn::autodiff::Real;
use lnn::physics::sampling::{Distribution, StateSampler};
use lnn::train::config::{ModelConfig, preset};
use lnn::train::experiment::build_model;
use lnn::train::fit::{NetworkSize, Partition, Training};
use lnn::train::model::{LagrangianNetwork, Model, States};
use lnn::train::optimiser::Schedule;

/// Coordinates of the double pendulum.
pub(crate) const PENDULUM: usize = 2;

/// Hidden layers of the two networks that most benches use: that of preset `fast`, and the paper's.
pub(crate) const NETWORKS: [&[usize]; 2] = [&[64; 3], &[500; 4]];

/// A learning rate with which thousands of timed steps leave the network about where it was.
pub(crate) const SMALL_RATE: Schedule = Schedule::Constant { rate: 1e-6 };

/// One training step, which must be the whole work: a skipped one is less.
pub(crate) fn whole_step<T: Real>(training: &mut Training<T>) {
    let report = training.step().expect("finite targets and a sound optimiser");
    assert!(!report.skipped, "a step was skipped: its loss was {}", report.loss);
}

/// Whether everything is run once without being timed, by criterion's `--test`: in a build that is not optimised for speed, in
/// which the largest sizes take long and show nothing that smaller ones do not.
pub(crate) fn is_test() -> bool {
    std::env::args().any(|argument| argument == "--test")
}

/// Those of some sizes that are run: all, or under `--test` those up to `most`.
pub(crate) fn sizes(all: &[usize], most: usize) -> impl Iterator<Item = usize> {
    all.iter().copied().filter(move |&size| size <= most || !is_test())
}

/// Short measurements, for there are many; what decides is the median.
pub(crate) fn criterion() -> Criterion {
    let second = Duration::from_secs(1);
    Criterion::default().warm_up_time(second / 4).measurement_time(second).sample_size(20)
}

/// The name of a measurement whose elements are multiplications and additions in the precision `T` by
/// `threads` threads: `<group>/<what>/f32-1t`. `cargo xtask bench` divides such a rate by the matrix
/// product's at the same precision and number of threads.
pub(crate) fn in_operations<T: Real>(what: impl Into<String>, threads: usize) -> BenchmarkId {
    BenchmarkId::new(what, format_args!("{}-{threads}t", T::NAME))
}

/// The name of a measurement that counts something else, which `unit` names: `<group>/<what>/Hessians`.
pub(crate) fn in_units(what: impl Into<String>, unit: &str) -> BenchmarkId {
    BenchmarkId::new(what, unit)
}

/// `3x64`: layers and width.
pub(crate) fn name(hidden: &[usize]) -> String {
    format!("{}x{}", hidden.len(), hidden[0])
}

/// The Lagrangian network of preset `fast` with these hidden layers.
pub(crate) fn model_config(hidden: &[usize]) -> ModelConfig {
    let fast = preset("dblpend", "fast").expect("a preset").models["lnn"].clone();
    ModelConfig { hidden: hidden.to_vec(), ..fast }
}

/// A Lagrangian network of `dof` coordinates with its first weights.
pub(crate) struct Case<T> {
    pub(crate) model: Model,
    pub(crate) parameters: Vec<T>,
    pub(crate) dof: usize,
}

impl<T: Real> Case<T> {
    pub(crate) fn new(hidden: &[usize], dof: usize) -> Self {
        let config = model_config(hidden);
        let model = build_model(&config, dof).expect("a valid model");
        let parameters = config.initialisation.draw(&model, 0);
        Self { model, parameters, dof }
    }

    /// The model, which is a Lagrangian network.
    pub(crate) fn lagrangian(&self) -> &LagrangianNetwork {
        match &self.model {
            Model::Lagrangian(model) => model,
            _ => unreachable!("the recipe is that of a Lagrangian network"),
        }
    }

    /// How a training step cuts `batch` states into blocks and groups.
    pub(crate) fn partition(&self, batch: usize) -> Partition {
        Partition::new(batch, NetworkSize::of::<T>(self.model.shapes()))
    }
}

/// Coordinates and velocities `[rows, d]` within the training ranges of the double pendulum.
pub(crate) struct Block<T> {
    pub(crate) q: Vec<T>,
    pub(crate) q_dot: Vec<T>,
}

impl<T: Real> Block<T> {
    pub(crate) fn draw(rows: usize, dof: usize) -> Self {
        let states = states(rows, dof);
        let part = |offset: usize| -> Vec<T> {
            let rows = states.chunks_exact(2 * dof);
            rows.flat_map(|state| &state[offset..offset + dof]).map(|&x| T::from_f64(x)).collect()
        };
        Self { q: part(0), q_dot: part(dof) }
    }

    pub(crate) fn states(&self) -> States<'_, T> {
        States { q: &self.q, q_dot: &self.q_dot, conditionals: &[] }
    }
}

/// States `[rows, 2d]`: angles in [0, 2π), velocities in [−10, 10).
pub(crate) fn states(rows: usize, dof: usize) -> Vec<f64> {
    let interval = |low, high| Distribution::uniform(low, high).expect("a finite interval");
    let ranges = [vec![interval(0.0, std::f64::consts::TAU); dof], vec![interval(-10.0, 10.0); dof]].concat();
    let mut states = vec![0.0; rows * 2 * dof];
    StateSampler::new(0, 0).fill(0, &ranges, &mut states);
    states
}

/// A pool of so many threads. What is timed runs in it, so that the step into the pool is not.
pub(crate) fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be started")
}

/// Threads that this machine runs at once.
pub(crate) fn all_threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// One thread, and all of them where there are more.
pub(crate) fn thread_counts() -> Vec<usize> {
    let all = all_threads();
    if all > 1 { vec![1, all] } else { vec![1] }
}
