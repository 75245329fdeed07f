//! Arguments of `lnn plot`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::output::OutputArguments;

/// Draw motions from a table or a run's folder, and what a model has learned.
///
/// Of a table (CSV, NPY, NPZ, as `lnn rollout` writes them or as you measured them): the phase portrait, and the energy
/// against time for every column whose name begins with `energy`. Of a model's file: maps of its mass matrix over two
/// variables, and its potential along the coordinates. Of a run's folder: both, for its table of motions (`trajectories.csv`
/// of `lnn experiment`, `rollouts.csv` of `lnn train`) and each of its models. Every figure is written as SVG and PNG.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct PlotArguments {
    /// A run's folder, a model's file, or a table of motions.
    pub(super) input: PathBuf,

    /// Figures to draw, separated by commas [default: all that the input has].
    #[arg(long, value_enum, value_name = "NAMES", value_delimiter = ',')]
    pub(super) figures: Option<Vec<FigureName>>,

    /// With a table: also show the energy that this model gives the states.
    #[arg(long, value_name = "FILE")]
    pub(super) model: Option<PathBuf>,

    /// Columns that are the conditional inputs of --model, in its order [default: their names in its file].
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "model")]
    pub(super) conditionals: Option<Vec<String>>,

    /// Trajectories to draw, by their numbers [default: the first six; of a run the first].
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
    pub(super) trajectories: Vec<f64>,

    /// Coordinates of a table that are angles in radians, such as `q0,q1`: drawn from −π to π.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) angles: Vec<String>,

    /// Names of the columns of a plain NPY array, or of a CSV without a header.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) columns: Option<Vec<String>>,

    /// Variables of the maps, such as `q0,q1` or `q0,q_dot0` [default: the first two coordinates].
    #[arg(long, value_name = "A,B", value_parser = pair)]
    pub(super) over: Option<(String, String)>,

    /// Coordinates along which the potential is drawn [default: each].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) along: Vec<String>,

    /// Values of the variables that do not vary, such as `q2=0.5,q_dot0=1` [default: the centre of the coordinates, rest].
    #[arg(long, value_name = "NAME=VALUE", value_delimiter = ',', value_parser = value)]
    pub(super) at: Vec<(String, f64)>,

    /// Ranges of the variables that vary, such as `q0=-1..1` [default: from −π to π for an angle; else what the model was
    /// trained on, as far as its file says].
    #[arg(long, value_name = "NAME=LOW..HIGH", value_delimiter = ',', value_parser = range)]
    pub(super) range: Vec<(String, f64, f64)>,

    /// Folder of the figures [default: `plots` in the run's folder; beside a file, its name with `-plots`].
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,

    /// Replace figures that are there.
    #[arg(long)]
    pub(super) overwrite: bool,

    #[command(flatten)]
    pub(super) output: OutputArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FigureName {
    /// Velocity against position.
    Phase,
    /// Energy against time.
    Energy,
    /// Maps of the mass matrix.
    MassMatrix,
    /// The potential along coordinates.
    Potential,
}

impl FigureName {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Phase => "phase",
            Self::Energy => "energy",
            Self::MassMatrix => "mass-matrix",
            Self::Potential => "potential",
        }
    }
}

/// `q0,q1` as two names.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once(',') {
        Some((a, b)) if !a.trim().is_empty() && !b.trim().is_empty() && !b.contains(',') => {
            Ok((a.trim().to_owned(), b.trim().to_owned()))
        }
        _ => Err(format!("`{text}` is not two variables; expected A,B such as q0,q1")),
    }
}

/// `q2=0.5` as a name and a number.
fn value(text: &str) -> Result<(String, f64), String> {
    let wrong = || format!("`{text}` fixes nothing; expected NAME=VALUE with a number, such as q2=0.5");
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    let value: f64 = value.trim().parse().map_err(|_| wrong())?;
    if value.is_finite() { Ok((name.trim().to_owned(), value)) } else { Err(wrong()) }
}

/// `q0=-1..1` as a name and two numbers.
fn range(text: &str) -> Result<(String, f64, f64), String> {
    let wrong = || format!("`{text}` is no range; expected NAME=LOW..HIGH with numbers, such as q0=-1..1");
    let (name, ends) = text.split_once('=').ok_or_else(wrong)?;
    let (low, high) = ends.split_once("..").ok_or_else(wrong)?;
    let end = |text: &str| text.trim().parse::<f64>().map_err(|_| wrong());
    Ok((name.trim().to_owned(), end(low)?, end(high)?))
}

const EXAMPLES: &str = "\
Examples:
  lnn plot runs/dblpend/fast-0
      Everything of a run, into runs/dblpend/fast-0/plots/.
  lnn plot motions.csv --angles q0,q1 --trajectories 0,3
  lnn plot data.csv --model model.safetensors --figures energy
      The learned energy along measured motions: does it stay?
  lnn plot model.safetensors --over q0,q1 --at q_dot0=1 --range q0=-1..1
  lnn plot model.safetensors --figures potential --along q1 --out figures";
