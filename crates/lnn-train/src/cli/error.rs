//! What can be wrong with a command line that is well formed.

use std::io;
use std::path::PathBuf;

use lnn_train::config::Protocol;
use lnn_train::model::ModelError;
use lnn_train::quantities::MissingMomenta;
use lnn_train::store::ModelSystemError;
use lnn_train::table::Place;

/// A command that cannot be carried out as it was typed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    /// The configuration file is for another experiment than the command.
    #[error(
        "the configuration file {} is for the experiment `{found}`, but the command asks for `{asked}`; \
         type `{found}` as the experiment's name, or give another file",
        path.display()
    )]
    OtherExperiment {
        /// The configuration file.
        path: PathBuf,
        /// The experiment in the file.
        found: String,
        /// The experiment on the command line.
        asked: String,
    },
    /// `--links` for a system that is no chain.
    #[error("the system of `{experiment}` has no links; leave --links out, or run `experiment pendulum`")]
    NoLinks {
        /// The experiment on the command line.
        experiment: String,
    },
    /// A protocol of another system.
    #[error(
        "the protocol `{}` is for `{}`, not for `{experiment}`; run `experiment {} --protocol {}`, or leave --protocol out",
        protocol.name(), protocol.system(), protocol.system(), protocol.name()
    )]
    OtherProtocol {
        /// The protocol.
        protocol: Protocol,
        /// The experiment on the command line.
        experiment: String,
    },
    /// A parameter of the system with two values.
    #[error("the parameter `{name}` of the system is given twice; keep one")]
    GivenTwice {
        /// The parameter.
        name: String,
    },
    /// An option that only a training has a use for.
    #[error("{option} is for experiments that train models; leave it out, `initialisation` only draws first weights")]
    OptionOfTraining {
        /// The option.
        option: &'static str,
    },
    /// An option that makes no sense for a table over several systems.
    #[error(
        "{option} is for experiments with one system; leave it out, or edit a `config.ron` and give it with --config"
    )]
    OptionOfOneSystem {
        /// The option.
        option: &'static str,
    },
    /// An option of another kind of experiment than those on fields.
    #[error(
        "{option} is not for experiments on fields; leave it out, or edit a `config.ron` and give it with --config"
    )]
    NotOfFields {
        /// The option.
        option: &'static str,
    },
    /// An option of experiments on fields elsewhere.
    #[error(
        "{option} is for the experiment `wave`, not for `{experiment}`; leave it out, or run `experiment wave {option} …`"
    )]
    OptionOfWave {
        /// The option.
        option: &'static str,
        /// The experiment on the command line.
        experiment: String,
    },
    /// `--write-docs` for an experiment that writes no document.
    #[error("--write-docs is for the experiment `properties`; leave it out")]
    NoDocument,
    /// A graphics card for an experiment that it has no kernels for.
    #[error(
        "{option} is for experiments with one system; graphics cards have no kernels for `{experiment}`: leave the option \
         out, so that the processor computes"
    )]
    NoKernels {
        /// The option.
        option: &'static str,
        /// The experiment on the command line.
        experiment: String,
    },
    /// An ensemble of an experiment that has none.
    #[error(
        "--ensemble is for experiments with one system, not for `{experiment}`; leave it out, and run other seeds by --seed"
    )]
    NoEnsemble {
        /// The experiment on the command line.
        experiment: String,
    },
    /// A range of seeds for a configuration that is an ensemble.
    #[error(
        "--seeds runs one seed after the other, but the configuration is an ensemble of {members}; leave --seeds out, or give \
         --ensemble 1 with a seed at a time"
    )]
    SeedsOfEnsemble {
        /// Its members.
        members: usize,
    },
    /// A file that the command names cannot be read.
    #[error("cannot read {}: {source}; check the path and its permissions", path.display())]
    FileRead {
        /// The file.
        path: PathBuf,
        /// What the system reported.
        source: io::Error,
    },
    /// The table of many seeds would replace another.
    #[error(
        "{} is there already, and nothing was changed; add --resume to bring it up to date, choose another \
         folder with --out, or remove the file",
        path.display()
    )]
    TableExists {
        /// The table's file.
        path: PathBuf,
    },
    /// A finished run's summary cannot be read.
    #[error("cannot read {}: {source}; check its permissions", path.display())]
    SummaryRead {
        /// `summary.json`.
        path: PathBuf,
        /// What the system reported.
        source: io::Error,
    },
    /// A finished run's summary is not what was once written.
    #[error(
        "{} is damaged ({source}); delete it and repeat the command with --resume to judge the models again",
        path.display()
    )]
    SummaryDamaged {
        /// `summary.json`.
        path: PathBuf,
        /// What the parser reported.
        source: serde_json::Error,
    },
    /// A manual page cannot be put together.
    #[error("the manual page cannot be written: {0}")]
    ManualPage(#[source] io::Error),
    /// An option of another method of integration.
    #[error("{option} is for `--integrator {needed}`; leave it out, or choose that method")]
    OptionOfIntegrator {
        /// The option.
        option: &'static str,
        /// The method that has it.
        needed: &'static str,
    },
    /// A graphics card's name where none was asked for.
    #[error(
        "--adapter names a graphics card, and the processor moves the states unless --backend gpu is given; add it, or \
         leave --adapter out"
    )]
    AdapterOfProcessor,
    /// The first rows of trajectories, in a table without any.
    #[error(
        "{} has no column `trajectory`, so that the first row of each cannot be found; leave --first-rows out to start \
         a motion from every row",
        path.display()
    )]
    NoTrajectories {
        /// The table.
        path: PathBuf,
    },
    /// A number that is NaN or infinite where a state is needed.
    #[error("{}, {place}, column `{column}` is {given}; a motion starts from a finite state, so leave the row out", path.display())]
    NotFinite {
        /// The table.
        path: PathBuf,
        /// The row.
        place: Place,
        /// The column.
        column: String,
        /// What is there.
        given: f64,
    },
    /// A table without rows.
    #[error("{} has no row, so that no motion starts; give a table with a row for each motion", path.display())]
    NoStarts {
        /// The table.
        path: PathBuf,
    },
    /// Two motions that would have the same number.
    #[error(
        "{} has two rows of trajectory {number} ({first} and {second}), and every row starts a motion; add --first-rows \
         to start from the first row of each trajectory, or leave the column `trajectory` out",
        path.display()
    )]
    SameTrajectory {
        /// The table.
        path: PathBuf,
        /// The number.
        number: f64,
        /// Its first row.
        first: Place,
        /// The other row.
        second: Place,
    },
    /// A model in canonical coordinates whose file does not say how momenta follow from velocities.
    #[error("{} cannot be used: {source}; or use a model of another kind", path.display())]
    NoMomenta {
        /// The model's file.
        path: PathBuf,
        /// What is missing.
        source: MissingMomenta,
    },
    /// Accelerations of a model in canonical coordinates.
    #[error(
        "{} is a Hamiltonian network of (q, p), which has rates of momenta and no accelerations; leave --accelerations \
         out",
        path.display()
    )]
    NoAccelerations {
        /// The model's file.
        path: PathBuf,
    },
    /// A system in a model's file that cannot be used.
    #[error("{}: {source}", path.display())]
    System {
        /// The model's file.
        path: PathBuf,
        /// What is wrong with it.
        source: ModelSystemError,
    },
    /// Names of conditionals that are not as many as the model has.
    #[error(
        "{} has {expected} conditional input(s), but {}; name the columns with --conditionals, in the order of the model's \
         training",
        path.display(),
        if given.is_empty() { "their names are not known".to_owned() } else { format!("{} name(s) were given", given.len()) }
    )]
    ConditionalNames {
        /// The model's file.
        path: PathBuf,
        /// Names given.
        given: Vec<String>,
        /// Conditionals of the model.
        expected: usize,
    },
    /// A model file whose numbers make no model.
    #[error("{} cannot be used: {source}", path.display())]
    Model {
        /// The model's file.
        path: PathBuf,
        /// What is wrong with it.
        source: ModelError,
    },
    /// A quantity that the model does not have.
    #[error("{} has no quantity `{quantity}`; a model of this kind has {available}", path.display())]
    NoSuchQuantity {
        /// The model's file.
        path: PathBuf,
        /// The quantity asked for.
        quantity: &'static str,
        /// Those of the model.
        available: String,
    },
    /// A folder with neither motions nor models.
    #[error(
        "{} has neither trajectories.csv, rollouts.csv nor model-*.safetensors; give a run's folder, a model's file, or a table of \
         motions",
        path.display()
    )]
    NothingToPlot {
        /// The folder.
        path: PathBuf,
    },
    /// A figure that another kind of input has.
    #[error(
        "{} has nothing for the figure `{figure}`: phase and energy are drawn from a table of motions, mass-matrix and \
         potential from a model's file, and all from a run's folder",
        path.display()
    )]
    FigureOfAnother {
        /// The input.
        path: PathBuf,
        /// The figure asked for.
        figure: &'static str,
    },
    /// An option for what the input does not have.
    #[error("{option} is for {needed}, which {} does not have; leave it out", path.display())]
    OptionOfAnother {
        /// The input.
        path: PathBuf,
        /// The option.
        option: &'static str,
        /// What it is for.
        needed: &'static str,
    },
    /// A model of a field, which has no coordinates to draw over.
    #[error(
        "{} holds a model of a field, and only models of systems are drawn here; the figures of an experiment on a field are \
         in its folder, in report.html and figures/",
        path.display()
    )]
    FieldModel {
        /// The model's file.
        path: PathBuf,
    },
    /// The energy of a table without energies.
    #[error(
        "{} has no column whose name begins with `energy`; give the model whose energy is to be shown with --model",
        path.display()
    )]
    NoEnergyColumn {
        /// The table.
        path: PathBuf,
    },
    /// A model without anything that has a figure.
    #[error(
        "{}: there is nothing to draw, since a plain network has neither mass matrix nor energy; draw motions of it from \
         a table of `lnn rollout`",
        path.display()
    )]
    NoFigures {
        /// The input.
        path: PathBuf,
    },
}
