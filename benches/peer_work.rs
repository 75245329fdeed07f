//! Our side of `cargo xtask bench peers`: a program that does a peer's work and prints the time it took.
//!
//! It is timed in turn with another program, so it is no criterion benchmark: each call is one process, which does
//! one work at one size and prints one line of JSON. `benches/peers/jax_peer.py` is the other side, with the same
//! numbers and the same line.

use std::error::Error;
use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use clap::{Args, Parser};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use lnn::autodiff::{Activation, MlpShape};
use lnn::physics::sampling::StateSampler;
use lnn::train::config::{ExperimentConfig, Initialisation, ModelConfig, ModelKind, TrainingConfig, preset};
use lnn::train::experiment::{build_model, build_system, build_training};
use lnn::train::loss::Loss;
use lnn::train::optimiser::{AdamSettings, ClippingConfig, Schedule};
use lnn::train::rollout::Rk4Rollout;
use serde_json::{Value, json};

const PURPOSE: &str = "\
`peer_work` is timed in turn with other programs by `cargo xtask bench peers`, and does nothing by itself.
By hand, each work prints one line of JSON:

  peer_work step    --hidden 500 --layers 4 --batch 512 --repeat 10    one training step
  peer_work rollout --hidden 64  --layers 3 --batch 1   --repeat 50    Runge–Kutta steps of a learned motion
  peer_work product --repeat 10                                        the rate of the matrix product alone
";

/// Name of the model in the configuration.
const MODEL: &str = "lnn";

// Each of these has its twin in benches/peers/jax_peer.py.
const WARM_UP: usize = 3;
const STEPS_A_TIMING: usize = 50;
const TIME_STEP: f64 = 1e-3;
const LEARNING_RATE: f64 = 1e-4;
const INITIALISATION: Initialisation = Initialisation::UnitGain { first: 1.5, hidden: 1.5, output: 0.3, bias: 0.0 };
/// The default of `jnp.linalg.pinv` for a matrix of two rows in single precision.
const PSEUDOINVERSE_TOLERANCE: f64 = 20.0 * f32::EPSILON as f64;

/// A work and its size.
#[derive(Parser)]
#[command(name = "peer_work")]
enum Work {
    /// One training step: targets, loss on accelerations, gradient, Adam.
    Step(Size),
    /// Runge–Kutta steps of the learned motion.
    Rollout(Size),
    /// The rate of the matrix product, all threads at once, each on products of its own.
    Product(Timings),
}

/// A network and a batch.
#[derive(Args)]
struct Size {
    /// Width of the hidden layers.
    #[arg(long, value_parser = positive)]
    hidden: usize,
    /// Number of hidden layers.
    #[arg(long, value_parser = positive)]
    layers: usize,
    /// States at once.
    #[arg(long, value_parser = positive)]
    batch: usize,
    #[command(flatten)]
    timings: Timings,
}

/// How a work is timed.
#[derive(Args)]
struct Timings {
    /// Number of timings.
    #[arg(long, value_parser = positive)]
    repeat: usize,
    /// End when standard input is closed, that is when the program that started this one is gone.
    #[arg(long)]
    end_with_stdin: bool,
}

fn main() -> ExitCode {
    // Cargo adds `--bench`; a single word is a filter that was meant for other benchmarks.
    let arguments: Vec<_> = std::env::args_os().filter(|argument| argument != "--bench").collect();
    let is_work = |word: &std::ffi::OsString| ["step", "rollout", "product"].iter().any(|work| word == work);
    let outcome = if arguments.len() > 2 && is_work(&arguments[1]) {
        run(Work::parse_from(arguments)).map(|report| format!("{report}\n"))
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

/// Does the work on all cores; the line to print.
fn run(work: Work) -> Result<Value, Box<dyn Error>> {
    let timings = match &work {
        Work::Step(size) | Work::Rollout(size) => &size.timings,
        Work::Product(timings) => timings,
    };
    if timings.end_with_stdin {
        end_with_parent();
    }
    let pool = rayon::ThreadPoolBuilder::new().build()?;
    let mut report = pool
        .install(|| match &work {
            Work::Step(size) => time_step(size).map_err(|error| error.to_string()),
            Work::Rollout(size) => time_rollout(size).map_err(|error| error.to_string()),
            Work::Product(timings) => Ok(time_products(timings.repeat)),
        })
        .map_err(Box::<dyn Error>::from)?;
    report["program"] = "lnn".into();
    report["device"] = format!("{} threads", pool.current_num_threads()).into();
    report["peak_memory_bytes"] = peak_memory().into();
    report["versions"] = json!({ "lnn": env!("CARGO_PKG_VERSION") });
    Ok(report)
}

/// Seconds of each training step.
fn time_step(size: &Size) -> Result<Value, Box<dyn Error>> {
    let config = configuration(size)?;
    let mut training = build_training::<f32>(&config, MODEL, build_system(&config.system)?)?;
    let mut last = f64::NAN;
    let seconds = timed(size.timings.repeat, || {
        let start = Instant::now();
        let report = training.step()?;
        let elapsed = start.elapsed().as_secs_f64();
        last = report.loss;
        // A skipped step does less than the work.
        if report.skipped { Err(format!("a step was skipped: its loss was {last}").into()) } else { Ok(elapsed) }
    })?;
    let shape = training.plan().model.shape();
    let mut report = report("step", size, &seconds, last);
    report["operations"] = json!(step_operations(shape, training.plan().system.degrees_of_freedom(), size.batch));
    Ok(report)
}

/// Operations of a training step: d + 11 products a layer and state, of one multiplication and one addition for
/// each weight. Elementwise work, solve and optimiser are not counted.
fn step_operations(shape: &MlpShape, degrees_of_freedom: usize, batch: usize) -> usize {
    let weights: usize = shape.layers().iter().map(|layer| layer.weight.len()).sum();
    2 * (degrees_of_freedom + 11) * weights * batch
}

/// Seconds of each Runge–Kutta step, averaged over each timing.
fn time_rollout(size: &Size) -> Result<Value, Box<dyn Error>> {
    let config = configuration(size)?;
    let system = build_system(&config.system)?;
    let width = 2 * system.degrees_of_freedom();
    let model = build_model(&config.models[MODEL], system.degrees_of_freedom())?;
    let parameters: Vec<f32> = INITIALISATION.draw(model.shape(), config.seed);
    let mut first = vec![0.0; size.batch * width];
    StateSampler::new(config.seed, 0).fill(0, system.training_ranges(), &mut first);
    let first: Vec<f32> = first.into_iter().map(|value| value as f32).collect();
    let mut states = first.clone();
    let mut rollout = Rk4Rollout::<f32>::new(&model, &parameters, size.batch);
    let seconds = timed(size.timings.repeat, || {
        states.copy_from_slice(&first);
        let start = Instant::now();
        rollout.advance(&mut states, TIME_STEP, STEPS_A_TIMING);
        Ok(start.elapsed().as_secs_f64() / STEPS_A_TIMING as f64)
    })?;
    if !states.iter().all(|value| value.is_finite()) {
        return Err("a state is not finite: timings of such a motion mean nothing".into());
    }
    let largest = states.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    Ok(report("rollout", size, &seconds, largest.into()))
}

/// The double pendulum with a Lagrangian network of this size and the peer's recipe.
fn configuration(size: &Size) -> Result<ExperimentConfig, Box<dyn Error>> {
    let mut config = preset("dblpend", "fast")?;
    let model = ModelConfig {
        kind: ModelKind::Lnn { residual_mass: 1.0, pseudoinverse_tolerance: PSEUDOINVERSE_TOLERANCE },
        hidden: vec![size.hidden; size.layers],
        activation: Activation::Softplus,
        initialisation: INITIALISATION,
        training: TrainingConfig {
            batch: size.batch,
            loss: Loss::L1,
            optimiser: AdamSettings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }.into(),
            schedule: Schedule::Constant { rate: LEARNING_RATE },
            clipping: ClippingConfig::Off,
            ..TrainingConfig::default()
        },
        // Sine, cosine, q̇ / 5, and single precision.
        ..ModelConfig::default()
    };
    config.models.insert(MODEL.to_owned(), model);
    Ok(config)
}

/// The line of a work, with its own result for the reader who compares.
fn report(work: &str, size: &Size, seconds: &[f64], result: f64) -> Value {
    let Size { hidden, layers, batch, .. } = size;
    json!({
        "work": work, "hidden": hidden, "layers": layers, "batch": batch,
        "median_seconds": median(seconds), "seconds": seconds, "result": result,
    })
}

/// What `work` returns for `repeat` calls, after some calls to warm up.
fn timed(repeat: usize, mut work: impl FnMut() -> Result<f64, Box<dyn Error>>) -> Result<Vec<f64>, Box<dyn Error>> {
    for _ in 0..WARM_UP {
        work()?;
    }
    (0..repeat).map(|_| work()).collect()
}

/// The middle value, or the mean of the two middle ones.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { 0.5 * (sorted[middle - 1] + sorted[middle]) }
}

/// Which of the engine's three products of `x [m, k]`, `weight [n, k]` and `y [m, n]`.
#[derive(Clone, Copy, Debug)]
enum Layout {
    /// y = x · weightᵀ
    Forward,
    /// x = y · weight
    Reverse,
    /// weight = yᵀ · x
    Gradient,
}

/// One thread's matrices, row-major.
struct Matrices {
    x: Vec<f32>,
    weight: Vec<f32>,
    y: Vec<f32>,
}

impl Matrices {
    /// Full of ordinary numbers: zeros would multiply as fast, but numbers below the normal range would not.
    fn new([m, k, n]: [usize; 3]) -> Self {
        let numbers = |count: usize| (0..count).map(|index| 0.5 + (index % 7) as f32 / 8.0).collect();
        Self { x: numbers(m * k), weight: numbers(n * k), y: numbers(m * n) }
    }

    /// One product on the calling thread.
    fn multiply(&mut self, layout: Layout, [m, k, n]: [usize; 3]) {
        let Self { x, weight, y } = self;
        let (out, left, right) = match layout {
            Layout::Forward => (
                MatMut::from_row_major_slice_mut(y, m, n),
                MatRef::from_row_major_slice(&*x, m, k),
                MatRef::from_column_major_slice(&*weight, k, n),
            ),
            Layout::Reverse => (
                MatMut::from_row_major_slice_mut(x, m, k),
                MatRef::from_row_major_slice(&*y, m, n),
                MatRef::from_row_major_slice(&*weight, n, k),
            ),
            Layout::Gradient => (
                MatMut::from_row_major_slice_mut(weight, n, k),
                MatRef::from_column_major_slice(&*y, n, m),
                MatRef::from_row_major_slice(&*x, m, k),
            ),
        };
        matmul(out, Accum::Replace, left, right, 1.0, Par::Seq);
    }
}

/// Rates of the engine's products at sizes of real steps, and the best of them: the ceiling of a step's rate.
fn time_products(repeat: usize) -> Value {
    const SHAPES: [[usize; 3]; 5] =
        [[256, 64, 64], [1024, 64, 64], [256, 500, 500], [1024, 500, 500], [2048, 500, 500]];
    let mut products = Vec::new();
    let mut best = 0.0_f64;
    for shape in SHAPES {
        for layout in [Layout::Forward, Layout::Reverse, Layout::Gradient] {
            let (operations, seconds) = time_product(layout, shape, repeat);
            let rate = operations as f64 / median(&seconds);
            best = best.max(rate);
            let layout = format!("{layout:?}").to_lowercase();
            products.push(json!({
                "layout": layout, "shape": shape, "operations": operations,
                "operations_per_second": rate, "seconds": seconds,
            }));
        }
    }
    json!({ "work": "product", "operations_per_second": best, "products": products })
}

/// Operations of all threads together in one timing, and the seconds of `repeat` timings.
fn time_product(layout: Layout, shape: [usize; 3], repeat: usize) -> (usize, Vec<f64>) {
    /// Operations of a thread in one timing: some ten milliseconds, far above the cost of starting it.
    const OPERATIONS_A_TIMING: usize = 1_000_000_000;
    let operations = 2 * shape.iter().product::<usize>();
    let products = OPERATIONS_A_TIMING.div_ceil(operations);
    let threads = rayon::current_num_threads();
    let matrices: Vec<_> = (0..threads).map(|_| Mutex::new(Matrices::new(shape))).collect();
    let round = || {
        rayon::broadcast(|thread| {
            let mut matrices = matrices[thread.index()].lock().unwrap_or_else(PoisonError::into_inner);
            for _ in 0..products {
                matrices.multiply(layout, shape);
            }
        });
    };
    for _ in 0..WARM_UP {
        round();
    }
    let seconds = (0..repeat)
        .map(|_| {
            let start = Instant::now();
            round();
            start.elapsed().as_secs_f64()
        })
        .collect();
    (threads * products * operations, seconds)
}

/// Most bytes of memory held at once, where the system says.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(1024 * kibibytes)
}

/// Ends this process once standard input is closed.
fn end_with_parent() {
    std::thread::spawn(|| {
        // Whether it ends or breaks, nobody waits for the result any more.
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        std::process::exit(1);
    });
}

/// A whole number from 1.
fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("give a number from 1".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}; give a whole number from 1")),
    }
}
