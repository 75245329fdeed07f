//! Our side of `cargo xtask bench peers`: a program that does a peer's work and prints the time it took.
//!
//! It is timed in turn with another program, so it is no criterion benchmark: each call is one process, which does
//! one work at one size and prints one line of JSON. `benches/peers/jax_peer.py` is the other side; both take the
//! recipe from `benches/peers/recipe.json`, start from the same weights and states, and print the same line.

#[path = "peers/lattice.rs"]
mod lattice;
#[path = "peers/recipe.rs"]
mod recipe;
mod work;

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::{Args, Parser};
use lnn::autodiff::Activation;
use lnn::autodiff::jet::Accumulate;
use lnn::physics::System;
use lnn::train::config::{
    AngleFeatures, ExperimentConfig, FeaturesConfig, Initialisation, Interval, ModelConfig, ModelKind, Precision,
    SamplingConfig, SystemConfig, TrainingConfig, TrainingData,
};
use lnn::train::experiment::{build_model, build_system, build_training};
use lnn::train::loss::{Loss, LossWeight};
use lnn::train::model::{Model, Rates, RatesMut, States};
use lnn::train::optimiser::{AdamSettings, ClippingConfig, Schedule};
use lnn::train::rollout::Rk4Rollout;
use rayon::ThreadPool;
use serde_json::{Value, json};

use recipe::{Recipe, end_with_parent, first_parameters, first_states, read_recipe, uniform};
use work::PENDULUM;
use work::products::{self, OnAllThreads};

const PURPOSE: &str = "\
`peer_work` is timed in turn with other programs by `cargo xtask bench peers`, and does nothing by itself.
By hand, in the repository's root, each work prints one line of JSON:

  peer_work step    --hidden 500 --layers 4 --batch 512  --repeat 10 --threads 2 --recipe benches/peers/recipe.json
  peer_work rollout --hidden 64  --layers 3 --batch 1    --repeat 50 --threads 2 --recipe benches/peers/recipe.json
  peer_work lattice --hidden 400 --layers 3 --points 100 --repeat 10 --threads 2 --recipe benches/peers/recipe.json
  peer_work product --repeat 10 --threads 2

`step` is one training step, `rollout` Runge–Kutta steps of a learned motion, `lattice` one acceleration of a field on a
periodic line, `product` the matrix product alone.
";

/// Name of the model in the configuration.
const MODEL: &str = "lnn";

/// A work and its size.
#[derive(Parser)]
#[command(name = "peer_work")]
enum Work {
    /// One training step: targets, loss on accelerations, gradient, Adam.
    Step(Size),
    /// Runge–Kutta steps of the learned motion.
    Rollout(Size),
    /// One acceleration of a field on a periodic line.
    Lattice(LatticeSize),
    /// The rate of the matrix product, all threads at once, each on products of its own.
    Product(Timings),
}

/// A network and a batch.
#[derive(Args)]
struct Size {
    /// States at once.
    #[arg(long, value_parser = positive)]
    batch: usize,
    #[command(flatten)]
    network: NetworkSize,
}

/// A network and a lattice.
#[derive(Args)]
struct LatticeSize {
    /// Sites.
    #[arg(long, value_parser = positive)]
    points: usize,
    #[command(flatten)]
    network: NetworkSize,
}

/// A network, and how a work with it is timed.
#[derive(Args)]
struct NetworkSize {
    /// Width of the hidden layers.
    #[arg(long, value_parser = positive)]
    hidden: usize,
    /// Number of hidden layers.
    #[arg(long, value_parser = positive)]
    layers: usize,
    /// File with the recipe.
    #[arg(long)]
    recipe: PathBuf,
    #[command(flatten)]
    timings: Timings,
}

/// How a work is timed.
#[derive(Args)]
struct Timings {
    /// Number of timings.
    #[arg(long, value_parser = positive)]
    repeat: usize,
    /// Number of threads.
    #[arg(long, value_parser = positive)]
    threads: usize,
    /// End when standard input is closed, that is when the program that started this one is gone.
    #[arg(long)]
    end_with_stdin: bool,
}

fn main() -> ExitCode {
    // Cargo adds `--bench`; a single word is a filter that was meant for other benchmarks.
    let arguments: Vec<_> = std::env::args_os().filter(|argument| argument != "--bench").collect();
    let is_work = |word: &std::ffi::OsString| ["step", "rollout", "lattice", "product"].iter().any(|work| word == work);
    let outcome = if arguments.len() > 2 && is_work(&arguments[1]) {
        run(&Work::parse_from(arguments)).map(|report| format!("{report}\n"))
    } else {
        Ok(PURPOSE.to_owned())
    };
    let written = outcome.and_then(|text| Ok(std::io::stdout().write_all(text.as_bytes())?));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peer_work: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Does the work; the line to print.
fn run(work: &Work) -> Result<Value, Box<dyn Error>> {
    let timings = match work {
        Work::Step(size) | Work::Rollout(size) => &size.network.timings,
        Work::Lattice(size) => &size.network.timings,
        Work::Product(timings) => timings,
    };
    if timings.end_with_stdin {
        end_with_parent();
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(timings.threads).build()?;
    let mut report = match work {
        Work::Product(timings) => time_products(timings.repeat, &pool),
        // A boxed error cannot leave the pool, its text can.
        Work::Step(size) => pool.install(|| time_step(size).map_err(|error| error.to_string()))?,
        Work::Rollout(size) => pool.install(|| time_rollout(size).map_err(|error| error.to_string()))?,
        Work::Lattice(size) => pool.install(|| lattice::time(size).map_err(|error| error.to_string()))?,
    };
    report["program"] = "lnn".into();
    report["threads"] = pool.current_num_threads().into();
    report["peak_memory_bytes"] = peak_memory().into();
    report["versions"] = json!({ "lnn": env!("CARGO_PKG_VERSION") });
    Ok(report)
}

/// Where both sides begin.
struct Start<'a> {
    size: &'a Size,
    recipe: Recipe,
    config: ExperimentConfig,
    system: Arc<dyn System>,
    model: Model,
    parameters: Vec<f32>,
    /// `[batch, 2d]`.
    states: Vec<f32>,
}

impl<'a> Start<'a> {
    fn new(size: &'a Size) -> Result<Self, Box<dyn Error>> {
        let recipe = read_recipe(&size.network.recipe)?;
        let config = configuration(size, &recipe);
        let system = build_system(&config.system)?;
        let model = build_model(&config.models[MODEL], PENDULUM)?;
        let parameters = first_parameters(model.shape(), recipe.gains);
        let states = first_states(&recipe, parameters.len(), size.batch);
        Ok(Self { size, recipe, config, system, model, parameters, states })
    }

    /// Loss of the first states at the first weights, and its gradient's norm.
    fn loss_and_gradient_norm(&self) -> [f64; 2] {
        /// Rows at a time: what a step takes at most, so that this does not set the peak of the memory.
        const ROWS: usize = 64;
        let batch = self.size.batch;
        let (mut block, networks) = (self.model.block(ROWS.min(batch), true), self.model.bind(&self.parameters));
        let mut gradient = vec![0.0_f32; self.parameters.len()];
        let (mut loss, mut accumulate) = (0.0, Accumulate::Replace);
        for rows in self.states.chunks(ROWS * 2 * PENDULUM) {
            let part = |first: usize| -> Vec<f32> {
                let rows = rows.chunks_exact(2 * PENDULUM);
                rows.flat_map(|state| &state[first..first + PENDULUM]).copied().collect()
            };
            let (q, q_dot) = (part(0), part(PENDULUM));
            let mut target = vec![0.0; q.len()];
            for (row, target) in target.chunks_exact_mut(PENDULUM).enumerate() {
                let double = |values: &[f32]| [values[row * PENDULUM], values[row * PENDULUM + 1]].map(f64::from);
                self.system.acceleration_into(&double(&q), &double(&q_dot), &[], target);
            }
            let target: Vec<f32> = target.into_iter().map(|value| value as f32).collect();
            let [mut velocity, mut acceleration, mut lambda] = [(); 3].map(|()| vec![0.0; q.len()]);
            let states = States { q: &q, q_dot: &q_dot, conditionals: &[] };
            block.rates(networks, states, RatesMut { q: &mut velocity, q_dot: &mut acceleration });
            loss += Loss::L1.evaluate(&acceleration, &target, batch, &mut lambda).value;
            block.vjp(networks, Rates { q: &[], q_dot: &lambda }, accumulate, &mut gradient, None);
            accumulate = Accumulate::Add;
        }
        [loss, gradient.iter().map(|&component| f64::from(component).powi(2)).sum::<f64>().sqrt()]
    }

    /// What `work` returns for each timing.
    fn timed(&self, work: impl FnMut() -> Result<f64, Box<dyn Error>>) -> Result<Vec<f64>, Box<dyn Error>> {
        timed(&self.recipe, &self.size.network.timings, work)
    }

    /// The line of a work.
    fn report(&self, work: &str, seconds: &[f64], check: &[f64]) -> Value {
        report(work, &self.size.network, ("batch", self.size.batch), seconds, check)
    }
}

/// What `work` returns for each timing, after some calls to warm up.
fn timed(
    recipe: &Recipe,
    timings: &Timings,
    mut work: impl FnMut() -> Result<f64, Box<dyn Error>>,
) -> Result<Vec<f64>, Box<dyn Error>> {
    for _ in 0..recipe.warm_up {
        work()?;
    }
    (0..timings.repeat).map(|_| work()).collect()
}

/// The line of a work.
fn report(work: &str, network: &NetworkSize, size: (&str, usize), seconds: &[f64], check: &[f64]) -> Value {
    let NetworkSize { hidden, layers, .. } = network;
    let (name, count) = size;
    json!({
        "work": work, "hidden": hidden, "layers": layers, name: count, "check": check, "seconds": seconds,
    })
}

/// Seconds of each training step.
fn time_step(size: &Size) -> Result<Value, Box<dyn Error>> {
    let first = Start::new(size)?;
    let check = first.loss_and_gradient_norm();
    let mut training = build_training::<f32>(&first.config, MODEL, first.system.clone())?;
    training.set_parameters(&first.parameters);
    let seconds = first.timed(|| {
        let start = Instant::now();
        let report = training.step()?;
        let elapsed = start.elapsed().as_secs_f64();
        // A skipped step does less than the work.
        let skipped = || format!("a step was skipped: its loss was {}", report.loss).into();
        if report.skipped { Err(skipped()) } else { Ok(elapsed) }
    })?;
    let mut report = first.report("step", &seconds, &check);
    let products = products::step(first.model.shape(), first.size.batch, PENDULUM);
    report["operations"] = products::operations(&products).into();
    Ok(report)
}

/// Seconds of each Runge–Kutta step, averaged over each timing.
fn time_rollout(size: &Size) -> Result<Value, Box<dyn Error>> {
    let first = Start::new(size)?;
    let Recipe { time_step, steps_a_timing, .. } = first.recipe;
    let mut states = first.states.clone();
    let mut rollout = Rk4Rollout::<f32>::new(&first.model, &first.parameters, first.size.batch);
    let seconds = first.timed(|| {
        states.copy_from_slice(&first.states);
        let start = Instant::now();
        rollout.advance(&mut states, time_step, steps_a_timing);
        Ok(start.elapsed().as_secs_f64() / steps_a_timing as f64)
    })?;
    if !states.iter().all(|value| value.is_finite()) {
        return Err("a state is not finite: timings of such a motion mean nothing".into());
    }
    let states: Vec<f64> = states.into_iter().map(f64::from).collect();
    let mean = states.iter().map(|value| value.abs()).sum::<f64>() / states.len() as f64;
    let check = [&[mean], &states[..2 * PENDULUM]].concat();
    Ok(first.report("rollout", &seconds, &check))
}

/// The double pendulum with a Lagrangian network of this size and the recipe.
fn configuration(size: &Size, recipe: &Recipe) -> ExperimentConfig {
    let ([m1, m2], [l1, l2]) = (recipe.masses, recipe.lengths);
    let [first, hidden, output] = recipe.gains;
    let interval = |[low, high]: [f64; 2]| Interval { low, high };
    let kind = ModelKind::Lnn {
        residual_mass: recipe.residual_mass,
        pseudoinverse_tolerance: recipe.eigenvalue_cutoff,
        potential_scale: None,
        scaled_velocities: false,
    };
    let (beta1, beta2, epsilon) = (recipe.beta_1, recipe.beta_2, recipe.epsilon);
    let model = ModelConfig {
        kind,
        hidden: vec![size.network.hidden; size.network.layers],
        activation: Activation::Softplus,
        initialisation: Initialisation::UnitGain { first, hidden, output, bias: 0.0 },
        features: FeaturesConfig {
            angles: AngleFeatures::SinCos,
            position_scale: 1.0,
            velocity_scale: recipe.velocity_scale,
            ..FeaturesConfig::default()
        },
        precision: Precision::F32,
        training: TrainingConfig {
            steps: (recipe.warm_up + size.network.timings.repeat) as u64,
            batch: size.batch,
            loss: Loss::L1,
            weight: LossWeight::Uniform,
            l2_penalty: 0.0,
            optimiser: AdamSettings { beta1, beta2, epsilon, weight_decay: 0.0 }.into(),
            schedule: Schedule::Constant { rate: recipe.learning_rate },
            clipping: ClippingConfig::Off,
            gradient_parts: None,
            data: TrainingData::States,
        },
    };
    ExperimentConfig {
        seed: 0,
        system: [("m1", m1), ("m2", m2), ("l1", l1), ("l2", l2), ("g", recipe.gravity)]
            .into_iter()
            .fold(SystemConfig::new("dblpend"), |system, (name, value)| system.with(name, value)),
        sampling: Some(SamplingConfig { position: interval(recipe.angle), velocity: interval(recipe.velocity) }),
        sampling_tail: None,
        models: [(MODEL.to_owned(), model)].into(),
        ..ExperimentConfig::default()
    }
}

/// Rates of the engine's products at sizes of real steps, and the best of them: the ceiling of a step's rate.
fn time_products(repeat: usize, pool: &ThreadPool) -> Value {
    let mut products = Vec::new();
    let mut best = 0.0_f64;
    for (name, product) in products::of_real_steps() {
        let product = OnAllThreads::<f32>::new(product, pool.current_num_threads());
        product.run(pool);
        let mut seconds: Vec<f64> = (0..repeat)
            .map(|_| {
                let start = Instant::now();
                product.run(pool);
                start.elapsed().as_secs_f64()
            })
            .collect();
        seconds.sort_by(f64::total_cmp);
        let rate = product.operations() as f64 / seconds[repeat / 2];
        best = best.max(rate);
        products.push(json!({ "name": name, "operations_per_second": rate, "seconds": seconds }));
    }
    json!({ "work": "product", "operations_per_second": best, "products": products })
}

/// Most bytes of memory held at once, where the system says.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(1024 * kibibytes)
}

/// A whole number from 1.
fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("give a number from 1".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}; give a whole number from 1")),
    }
}
