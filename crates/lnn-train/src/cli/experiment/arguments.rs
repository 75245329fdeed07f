//! Arguments of `lnn experiment`.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};
use lnn_gpu::device::AdapterChoice;
use lnn_train::backend::Asked;
use lnn_train::config::{Protocol, TrainingData};
use lnn_train::field::config::SpeedProfile;

use crate::cli::output::OutputArguments;

/// Train the models of a published experiment, judge them by its protocol and write a report.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(in crate::cli) struct ExperimentArguments {
    /// Experiment, named after its system: `dblpend` (the paper's double pendulum), `relativistic` (the paper's
    /// particle), `charge` (in a magnetic field), `pendulum` (chain of 1 to 6 links), `spring`, `spring-pendulum`,
    /// `kepler`, `henon-heiles`, `sphere`. Or `activations`: the double pendulum's Lagrangian network with each of seven
    /// activations. Or `initialisation`: the paper's search for the standard deviation of each layer's first weights. Or
    /// `properties`: the paper's table of which model can learn what, measured on three systems.
    pub(super) name: String,

    /// Recipe: `fast` (seconds of training) or `models` (every kind of model); for `dblpend` also `small` (networks so
    /// small that a graphics card in software trains them), `best` (about ten minutes), `trajectories` (from observed motions, without accelerations; minutes), `paper` (the paper's own,
    /// 600 000 states; minutes to an hour), `notebook` (the authors' notebook, 600 000 steps of 512 states; many hours).
    /// For `wave`: `fast`, `grid`, `medium`, and `large` (judged on 100 000 sites as well).
    #[arg(long, default_value = "fast", value_name = "NAME", conflicts_with = "config")]
    pub(super) preset: String,

    /// Read the recipe from a RON file instead; `config.ron` of any run is such a file.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// Parameters of the system, separated by commas: `--system m1=2,G=0.5`.
    #[arg(long, value_name = "NAME=VALUE", value_delimiter = ',', value_parser = parameter, conflicts_with = "config")]
    pub(super) system: Vec<(String, f64)>,

    /// Links of the chain in `pendulum`, 1 to 6; the same as `--system links=N`.
    #[arg(long, value_name = "N", conflicts_with = "config")]
    pub(super) links: Option<u32>,

    /// Published protocol in place of a preset: `chnn`, for `pendulum`, as constrained Hamiltonian neural networks were
    /// trained and judged (arXiv:2010.13581), with 2 links unless --links says otherwise.
    #[arg(long, value_enum, value_name = "NAME", conflicts_with_all = ["preset", "config", "train_on"])]
    pub(super) protocol: Option<ProtocolName>,

    /// With `wave`: `2d`, a square grid; the same as `--preset grid`.
    #[arg(long, value_enum, value_name = "KIND", conflicts_with_all = ["preset", "config"])]
    pub(super) grid: Option<GridKind>,

    /// With `wave`: waves in a medium, whose speed has this profile where models are judged; `--preset medium`.
    #[arg(long, value_name = "PROFILE", value_parser = profiles(), conflicts_with_all = ["preset", "config", "grid"])]
    pub(super) speed: Option<String>,

    /// With `wave`: judge the energies on a line of this many sites as well.
    #[arg(long, value_name = "N", conflicts_with_all = ["config", "grid"])]
    pub(super) sites: Option<usize>,

    /// Seed of weights, training states and held-out states [default: the recipe's, 0 in presets].
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,

    /// Run every seed from FIRST to LAST, each in its own folder, and compare them in one table.
    #[arg(long, value_name = "FIRST-LAST", conflicts_with = "seed", value_parser = seed_range)]
    pub(super) seeds: Option<RangeInclusive<u64>>,

    /// Train K networks of every model, from the seeds N, N + 1, … of --seed, and report their spread. Each is the network of a
    /// run with its seed; a graphics card trains Lagrangian ones up to 64 wide side by side [default: the recipe's, 1 in presets].
    #[arg(long, value_name = "K", conflicts_with = "seeds")]
    pub(super) ensemble: Option<usize>,

    /// Models to train, separated by commas [default: all of the recipe].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(super) models: Option<Vec<String>>,

    /// What every model of the recipe learns from: `states`, fresh ones with accelerations, or `trajectories`, observed
    /// motions without [default: the recipe's].
    #[arg(long, value_enum, value_name = "DATA")]
    pub(super) train_on: Option<TrainOn>,

    /// Folder of the run [default: runs/EXPERIMENT/PRESET-SEED]; with --seeds the folder that holds
    /// the runs.
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,

    /// With `properties`: also put the table into this document, between its lines `<!-- properties: begin -->` and
    /// `<!-- properties: end -->`.
    #[arg(long, value_name = "FILE")]
    pub(super) write_docs: Option<PathBuf>,

    /// Go through the whole experiment in seconds, with 20 steps a training and short rollouts: to see that everything
    /// works before a long run. Its figures mean nothing; it has a folder of its own.
    #[arg(long)]
    pub(super) trial: bool,

    /// Go on with the unfinished run in the folder, or judge a finished one again.
    #[arg(long)]
    pub(super) resume: bool,

    /// What computes the trainings: `auto` takes a graphics card if there is one with kernels for all of the run, else the
    /// processor, and says which and why.
    #[arg(long, value_enum, default_value_t = Backend::Auto)]
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

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Backend {
    /// The best for this run.
    Auto,
    /// The processor.
    Cpu,
    /// A graphics card.
    Gpu,
}

impl Backend {
    pub(super) const fn asked(self) -> Asked {
        match self {
            Self::Auto => Asked::Auto,
            Self::Cpu => Asked::Cpu,
            Self::Gpu => Asked::Gpu,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum ProtocolName {
    /// Chain pendulums of constrained Hamiltonian neural networks.
    Chnn,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum GridKind {
    /// A square grid.
    #[value(name = "2d")]
    Square,
}

/// The names of the speed profiles.
fn profiles() -> PossibleValuesParser {
    PossibleValuesParser::new(SpeedProfile::NAMED.map(|(name, _)| name))
}

impl ExperimentArguments {
    /// The options that only experiments on fields have, those that are given.
    pub(super) fn of_fields(&self) -> impl Iterator<Item = &'static str> {
        let given =
            [(self.grid.is_some(), "--grid"), (self.speed.is_some(), "--speed"), (self.sites.is_some(), "--sites")];
        given.into_iter().filter_map(|(given, option)| given.then_some(option))
    }

    /// The protocol asked for.
    pub(super) fn protocol(&self) -> Option<Protocol> {
        self.protocol.map(|ProtocolName::Chnn| Protocol::Chnn)
    }

    /// Name of the preset: that of the protocol where one is given.
    pub(super) fn preset(&self) -> &str {
        match self.protocol() {
            Some(protocol) => protocol.name(),
            None => &self.preset,
        }
    }
}

/// `m1=2` as a name and a number.
fn parameter(text: &str) -> Result<(String, f64), String> {
    let wrong = || format!("`{text}` is no parameter; expected NAME=VALUE with a number, such as m1=2.5");
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    Ok((name.trim().to_owned(), value.trim().parse().map_err(|_| wrong())?))
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum TrainOn {
    /// Fresh states with accelerations.
    States,
    /// Observed motions.
    Trajectories,
}

impl TrainOn {
    /// The data with every setting at its default.
    pub(super) fn data(self) -> TrainingData {
        match self {
            Self::States => TrainingData::States,
            Self::Trajectories => TrainingData::trajectories(),
        }
    }

    /// The option's value on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::States => "states",
            Self::Trajectories => "trajectories",
        }
    }
}

/// `0-9` as a range.
fn seed_range(text: &str) -> Result<RangeInclusive<u64>, String> {
    let wrong = || format!("`{text}` is no range of seeds; expected FIRST-LAST with FIRST <= LAST, such as 0-9");
    let (first, last) = text.split_once('-').ok_or_else(wrong)?;
    let (first, last) = (first.parse().map_err(|_| wrong())?, last.parse().map_err(|_| wrong())?);
    if first <= last { Ok(first..=last) } else { Err(wrong()) }
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask experiment dblpend
      Learn the double pendulum in seconds of training; open runs/dblpend/fast-0/report.html afterwards.
  cargo xtask experiment kepler
  cargo xtask experiment pendulum --links 3 --preset models
      Another system, and every kind of model on a chain of three links.
  cargo xtask experiment spring --system k=40,m=0.5
  cargo xtask experiment pendulum --links 2 --protocol chnn
      Learn a chain from 800 chunks of five observations, judged as arXiv:2010.13581 does.
  cargo xtask experiment dblpend --preset best --seed 3
  cargo xtask experiment dblpend --seeds 0-9 --resume
      Ten seeds, compared in one table; finished ones are not run again.
  cargo xtask experiment dblpend --ensemble 8
      The same networks in one run, with their spread in one report.
  cargo xtask experiment dblpend --models lnn --threads 1 --out runs/lnn-alone
      One model on one thread; another recipe needs a folder of its own.
  cargo xtask experiment dblpend --preset trajectories
      Learn from observed motions, without any acceleration.
  cargo xtask experiment dblpend --preset paper --trial
      See within seconds whether a long run would go through, from the first weights to the report.
  cargo xtask experiment dblpend --preset paper --out /data/paper-run
      Ctrl-C writes a checkpoint; the same command with --resume goes on.
  cargo xtask experiment wave
      Learn the wave equation on 16 sites and run it on 100; a minute.
  cargo xtask experiment wave --grid 2d
  cargo xtask experiment wave --speed step --models lgn
  cargo xtask experiment wave --sites 100000
  cargo xtask experiment sine-gordon
      A grid, a medium, a very long line, and a kink of a nonlinear field.
  cargo xtask experiment initialisation
      Search first weights for twelve shapes of network and fit a law to them; minutes.
  cargo xtask experiment properties --write-docs docs/results.md
      Measure the paper's table of which model can learn what, and put it into a document; minutes.
  cargo xtask experiment dblpend --config runs/dblpend/fast-0/config.ron --out again
      Repeat a run, or run a copy of its recipe that you have edited.";
