//! `lnn eval`.

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lnn_autodiff::Real;
use lnn_train::model::Model;
use lnn_train::quantities::{Quantity, StateEvaluator, StreamError, StreamOptions, Streamed, evaluate_table};
use lnn_train::store::{LoadedModel, load_model};
use lnn_train::table::{Existing, StateColumns, TableReader, TableWriter};
use lnn_train::thread_pool;
use serde_json::json;

use super::error::CommandError;
use super::exit::INTERRUPTED;
use super::interrupt::stop_on_signal;
use super::model_names::conditional_names;
use super::output::{OutputArguments, print_json, say};
use super::rollout::momenta;

/// Say what a trained model gives for states: acceleration, momentum, energy, mass matrix.
///
/// Columns of the states by name: `q0…`, `q_dot0…`, the conditionals of the model by their names; `trajectory` and `t` are
/// passed on, others ignored. What is written has the same rows: first those columns, then the quantities.
///
/// A model has the quantities that it can have: a plain network has accelerations only, a Hamiltonian network no mass
/// matrix.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct EvalArguments {
    /// The model's file.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,

    /// Table of states: CSV with a header, NPY or NPZ.
    #[arg(long, value_name = "FILE")]
    states: PathBuf,

    /// Names of the columns of a plain NPY array, or of a CSV without a header.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    columns: Option<Vec<String>>,

    /// Columns that are the model's conditional inputs, in its order [default: their names in the model's file].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    conditionals: Option<Vec<String>>,

    /// Quantities to write, separated by commas [default: all that the model has].
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = quantities())]
    quantities: Option<Vec<Quantity>>,

    /// Precision of the evaluation.
    #[arg(long, value_enum, default_value_t = Precision::F64)]
    precision: Precision,

    /// Table to write, `.csv` or `.npy`.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// Replace the table if it is there.
    #[arg(long)]
    overwrite: bool,

    /// Threads [default: one a core]. Results do not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,

    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Precision {
    /// Double.
    F64,
    /// Single.
    F32,
}

/// The quantities by their names.
fn quantities() -> impl TypedValueParser<Value = Quantity> {
    PossibleValuesParser::new(Quantity::ALL.map(Quantity::name)).map(|name| {
        let named = Quantity::ALL.into_iter().find(|quantity| quantity.name() == name);
        named.expect("the parser knows these names only")
    })
}

pub(super) fn run(arguments: &EvalArguments) -> Result<ExitCode, Box<dyn Error>> {
    let loaded = load_model(&arguments.model)?;
    let model = loaded.model().map_err(|source| CommandError::Model { path: arguments.model.clone(), source })?;
    let quantities = chosen(arguments, &Quantity::of(&model))?;
    match arguments.precision {
        Precision::F64 => stream(arguments, &loaded, &model, &loaded.parameters.to_f64(), &quantities),
        Precision::F32 => stream(arguments, &loaded, &model, &loaded.parameters.to_f32(), &quantities),
    }
}

/// The quantities asked for, in the order of their columns.
fn chosen(arguments: &EvalArguments, available: &[Quantity]) -> Result<Vec<Quantity>, CommandError> {
    let Some(mut quantities) = arguments.quantities.clone() else { return Ok(available.to_vec()) };
    if let Some(missing) = quantities.iter().find(|quantity| !available.contains(quantity)) {
        let (path, quantity, available) = (arguments.model.clone(), missing.name(), names_of(available));
        return Err(CommandError::NoSuchQuantity { path, quantity, available });
    }
    quantities.sort();
    quantities.dedup();
    Ok(quantities)
}

fn names_of(quantities: &[Quantity]) -> String {
    quantities.iter().map(|quantity| quantity.name()).collect::<Vec<_>>().join(", ")
}

fn stream<T: Real>(
    arguments: &EvalArguments,
    loaded: &LoadedModel,
    model: &Model,
    parameters: &[T],
    quantities: &[Quantity],
) -> Result<ExitCode, Box<dyn Error>> {
    let EvalArguments { states: path, out, output, .. } = arguments;
    let header = &loaded.header;
    let system = momenta(&arguments.model, loaded, model.is_canonical())?;
    let evaluator = StateEvaluator::new(model, parameters, system)?;
    let names = conditional_names(&arguments.model, header, arguments.conditionals.as_deref())?;
    let reader = TableReader::open(path, arguments.columns.as_deref())?;
    let states = StateColumns::find(path, reader.columns(), &names)?;
    states.require(path, header.degrees_of_freedom)?;
    states.require_velocities(path, reader.columns())?;
    let options = StreamOptions { states: &states, quantities };
    let existing = if arguments.overwrite { Existing::Replace } else { Existing::Keep };
    let writer = TableWriter::create(out, &options.columns(reader.columns()), existing)?;
    if output.talks() && !model.has_mass_matrix() {
        say(&format!("note: a model of this kind has no other quantities than {}", names_of(&Quantity::of(model))));
    }
    let bar = output.talks().then(|| progress_bar(reader.rows())).flatten();
    let started = Instant::now();
    let stop = stop_on_signal()?;
    let pool = thread_pool(arguments.threads.map_or(0, usize::from))?;
    let result = pool.install(|| evaluate(&evaluator, options, reader, writer, &stop, bar.as_ref()));
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    match result {
        Ok(done) => {
            report(arguments, model, quantities, done, started.elapsed().as_secs_f64())?;
            Ok(ExitCode::SUCCESS)
        }
        Err(StreamError::Stopped) => {
            if output.json {
                // Nobody may be reading any more, and the exit code says the same.
                let _ = print_json(&json!({ "event": "interrupted" }));
            }
            say(&format!("Interrupted. Nothing was written to {}.", out.display()));
            Ok(ExitCode::from(INTERRUPTED))
        }
        Err(error) => Err(error.into()),
    }
}

fn evaluate<T: Real>(
    evaluator: &StateEvaluator<T>,
    options: StreamOptions<'_>,
    reader: TableReader,
    writer: TableWriter,
    stop: &AtomicBool,
    bar: Option<&ProgressBar>,
) -> Result<Streamed, StreamError> {
    let mut progress = |rows| {
        if let Some(bar) = bar {
            bar.set_position(rows);
        }
    };
    evaluate_table(evaluator, options, reader, writer, stop, &mut progress)
}

/// A bar on a terminal; the rows of a text are not known before they are read.
fn progress_bar(rows: Option<u64>) -> Option<ProgressBar> {
    if !io::stderr().is_terminal() {
        return None;
    }
    let template = if rows.is_some() { "{pos}/{len} rows [{bar:24}] {eta} left" } else { "{pos} rows, {per_sec}" };
    let style = ProgressStyle::with_template(template).expect("a fixed template").progress_chars("━━─");
    Some(ProgressBar::with_draw_target(rows, ProgressDrawTarget::stderr()).with_style(style))
}

/// Prints what was written.
fn report(
    arguments: &EvalArguments,
    model: &Model,
    quantities: &[Quantity],
    done: Streamed,
    seconds: f64,
) -> io::Result<()> {
    let Streamed { rows, rank_deficient, not_finite } = done;
    let has_rank = quantities.contains(&Quantity::Rank);
    if arguments.output.json {
        let names: Vec<&str> = quantities.iter().map(|quantity| quantity.name()).collect();
        return print_json(&json!({
            "event": "finished", "out": arguments.out, "rows": rows, "quantities": names,
            "rank_deficient": model.has_mass_matrix().then_some(rank_deficient), "not_finite": not_finite, "seconds": seconds,
        }));
    }
    if arguments.output.quiet {
        return Ok(());
    }
    let mut out = io::stdout().lock();
    writeln!(out, "{rows} state(s) in {seconds:.1} s: {}", names_of(quantities))?;
    if has_rank {
        writeln!(out, "  mass matrix below full rank   {rank_deficient}")?;
    }
    if not_finite > 0 {
        writeln!(out, "  with nan or an infinity       {not_finite}")?;
    }
    writeln!(out, "  written                       {}", arguments.out.display())
}

const EXAMPLES: &str = "\
Columns of the quantities:
  acceleration    q_ddot0…                 q̈
  momentum        p0…                      ∂L/∂q̇
  energy          energy                   q̇·∂L/∂q̇ − L, or H of a Hamiltonian network
  mass-matrix     mass00, mass01, mass11…  upper triangle of ∂²L/∂q̇∂q̇ᵀ, row by row
  condition       condition                its largest eigenvalue over its smallest, in magnitude
  rank            rank                     how many of its eigenvalues do not count as zero
  velocity        q_rate0…                 the model's rate of q, where it is not q̇ itself
  momentum-rate   p_rate0…                 the rate of p, of a model in canonical coordinates

Examples:
  lnn eval --model run/model-lnn.safetensors --states data.csv --out learned.csv
      Every quantity of every state of data.csv.
  lnn eval --model model.safetensors --states states.npy --out energy.npy --quantities energy
      Only the energies, as a structured array: numpy.load('energy.npy')['energy'].
  lnn eval --model model.safetensors --states array.npy --columns q0,q_dot0 --out learned.csv
      A plain array, whose columns have no names.
  lnn eval --model model.safetensors --states data.npz --conditionals g --out learned.csv --overwrite";
