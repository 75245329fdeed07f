//! Arguments of `lnn rollout`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lnn_gpu::device::AdapterChoice;
use lnn_physics::integrators::{DormandPrinceOptions, Method};

use crate::cli::error::CommandError;
use crate::cli::output::OutputArguments;

/// Move initial states forward in time by a trained model.
///
/// Each row of the table of initial states starts a motion. Columns by name: `q0…`, `q_dot0…`, the conditionals of the
/// model by their names, and `trajectory` to number the motions; others are ignored. The motions begin at t = 0. What is
/// written has a row a frame, with the columns `trajectory`, `t`, `q0…`, `q_dot0…`, the conditionals, and `energy`,
/// the model's own, which a learned motion keeps as far as the integrator does: `lnn train` and `lnn plot` read it.
///
/// A motion whose mass matrix loses rank, by the tolerance in the model's file, ends there; so does one whose state is no
/// longer finite. What it has reached is kept, the others go on, and the exit code is 3.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct RolloutArguments {
    /// The model's file.
    #[arg(long, value_name = "FILE")]
    pub(super) model: PathBuf,

    /// Table of initial states: CSV with a header, NPY or NPZ.
    #[arg(long, value_name = "FILE")]
    pub(super) initial: PathBuf,

    /// Names of the columns of a plain NPY array, or of a CSV without a header.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) columns: Option<Vec<String>>,

    /// Columns that are the model's conditional inputs, in its order [default: their names in the model's file].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) conditionals: Option<Vec<String>>,

    /// Start one motion from the first row of each `trajectory`, instead of one from every row.
    #[arg(long)]
    pub(super) first_rows: bool,

    /// End of the motions, in the unit of time of the data.
    #[arg(long, value_name = "T", value_parser = positive)]
    pub(super) t_end: f64,

    /// Time between two frames that are written.
    #[arg(long, value_name = "DT", value_parser = positive)]
    pub(super) dt: f64,

    /// Method of integration.
    #[arg(long, value_enum, default_value_t = Integrator::Dopri5)]
    pub(super) integrator: Integrator,

    /// Relative tolerance of `dopri5` [default: 1e-9].
    #[arg(long, value_name = "R", value_parser = positive)]
    rtol: Option<f64>,

    /// Absolute tolerance of `dopri5`, in the units of the state [default: 1e-9].
    #[arg(long, value_name = "A", value_parser = positive)]
    atol: Option<f64>,

    /// Steps between two frames of `rk4` and `implicit-midpoint` [default: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    substeps: Option<u32>,

    /// Also write the accelerations, as `q_ddot0…`.
    #[arg(long)]
    pub(super) accelerations: bool,

    /// Table to write, `.csv` or `.npy`.
    #[arg(long, value_name = "FILE")]
    pub(super) out: PathBuf,

    /// Replace the table if it is there.
    #[arg(long)]
    pub(super) overwrite: bool,

    /// What moves the states. A graphics card takes Lagrangian networks and `--integrator rk4`, and moves thousands of states at
    /// once, in single precision; energies are the processor's, in double precision.
    #[arg(long, value_enum, default_value_t = Backend::Cpu)]
    pub(super) backend: Backend,

    /// Graphics card: part of its name, or `discrete`, `integrated`, `virtual` or `cpu` (software) [default: the best];
    /// `lnn info` lists them.
    #[arg(long, value_name = "NAME")]
    pub(super) adapter: Option<AdapterChoice>,

    /// Threads [default: one a core]. Results do not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) threads: Option<u16>,

    #[command(flatten)]
    pub(super) output: OutputArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Backend {
    /// The processor.
    Cpu,
    /// A graphics card.
    Gpu,
}

impl Backend {
    /// Its name on the command line.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Integrator {
    /// Runge–Kutta of order 4 with equal steps.
    Rk4,
    /// Dormand–Prince 5(4), whose steps follow the tolerances.
    Dopri5,
    /// The implicit midpoint rule, of order 2 with equal steps: for very long runs.
    ImplicitMidpoint,
}

impl RolloutArguments {
    /// The method with its settings.
    pub(super) fn method(&self) -> Result<Method, CommandError> {
        let equal_steps = self.integrator != Integrator::Dopri5;
        let refused = |option, needed| Err(CommandError::OptionOfIntegrator { option, needed });
        if equal_steps && self.rtol.is_some() {
            return refused("--rtol", "dopri5");
        }
        if equal_steps && self.atol.is_some() {
            return refused("--atol", "dopri5");
        }
        if !equal_steps && self.substeps.is_some() {
            return refused("--substeps", "rk4` or `--integrator implicit-midpoint");
        }
        if self.backend == Backend::Gpu && self.integrator != Integrator::Rk4 {
            return refused("--backend gpu", "rk4");
        }
        let dt = self.dt / f64::from(self.substeps.unwrap_or(1));
        let default = DormandPrinceOptions::default();
        Ok(match self.integrator {
            Integrator::Rk4 => Method::Rk4 { dt },
            Integrator::ImplicitMidpoint => Method::ImplicitMidpoint { dt },
            Integrator::Dopri5 => Method::DormandPrince(DormandPrinceOptions {
                relative_tolerance: self.rtol.unwrap_or(default.relative_tolerance),
                absolute_tolerance: self.atol.unwrap_or(default.absolute_tolerance),
                ..default
            }),
        })
    }
}

/// A positive finite number.
fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err(format!("`{text}` is not a number above 0")),
    }
}

const EXAMPLES: &str = "\
Examples:
  lnn rollout --model run/model-lnn.safetensors --initial starts.csv --t-end 100 --dt 0.05 --out motions.csv
      One motion a row of starts.csv, each with 2001 frames.
  lnn rollout --model model.safetensors --initial data.csv --first-rows --t-end 20 --dt 0.1 --out motions.npy
      From the first state of every trajectory of the data, for a comparison with the rest.
  lnn rollout --model model.safetensors --initial starts.csv --t-end 10 --dt 0.01 --rtol 1e-12 --atol 1e-12 --out fine.csv
  lnn rollout --model model.safetensors --initial starts.csv --t-end 1e4 --dt 1 --integrator implicit-midpoint \\
      --substeps 200 --out long.csv
  lnn rollout --model model.safetensors --initial starts.csv --t-end 10 --dt 0.1 --integrator rk4 --substeps 10 \\
      --backend gpu --out many.npy
      Many starts at once on a graphics card.";
