//! What can be wrong with measured data, or end a training on them.

use std::path::PathBuf;

use crate::config::{ConfigError, suggestion};
use crate::fit::FitError;
use crate::model::ModelError;
use crate::motion::MotionError;
use crate::optimiser::OptimiserError;
use crate::report::ReportError;
use crate::store::StoreError;
use crate::table::{Place, TableError};
use crate::thread_pool::ThreadPoolError;
use crate::trajectory::TrajectoryError;

/// Where a row of the data is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowPlace {
    /// The file.
    pub path: PathBuf,
    /// The row in it.
    pub place: Place,
}

impl std::fmt::Display for RowPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}", self.path.display(), self.place)
    }
}

/// Why a model cannot be trained on measured data.
#[derive(Debug, thiserror::Error)]
pub enum MeasuredError {
    /// A table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// No table.
    #[error("no data were given; name one file or more with --data, or in the configuration as data.files")]
    NoFiles,
    /// A name that is no column of the kind wanted.
    #[error("{option} names `{given}`, which is no {what}; {}", suggestion(given, valid.iter().map(String::as_str)))]
    UnknownColumn {
        /// The option or field with the name.
        option: &'static str,
        /// What was wanted, in words.
        what: &'static str,
        /// The name given.
        given: String,
        /// Names that there are.
        valid: Vec<String>,
    },
    /// A number that is none.
    #[error(
        "{place}, column `{column}` is {given}{}; remove these rows: where that leaves a gap of more than five intervals, a new \
         motion begins",
        and_more(*others)
    )]
    NotFinite {
        /// The first such row.
        place: RowPlace,
        /// The column.
        column: String,
        /// Value there.
        given: f64,
        /// Further rows with such numbers.
        others: u64,
    },
    /// Files of different systems.
    #[error(
        "{} has {first_dof} coordinate(s), but {} has {dof}; all files must be of one system",
        first.display(), path.display()
    )]
    MixedDimensions {
        /// The first file.
        first: PathBuf,
        /// Its coordinates.
        first_dof: usize,
        /// The file that differs.
        path: PathBuf,
        /// Its coordinates.
        dof: usize,
    },
    /// Accelerations in some files only.
    #[error(
        "{} has accelerations (`q_ddot0`, …) and {} has none; give them in every file, or leave the columns out of all",
        with.display(), without.display()
    )]
    MixedAccelerations {
        /// A file that has them.
        with: PathBuf,
        /// A file that has none.
        without: PathBuf,
    },
    /// A column in several units.
    #[error(
        "`{column}` is in {first_unit} in {} and in {unit} in {}; give it in one unit in every file", first.display(), path.display()
    )]
    MixedUnits {
        /// The column.
        column: String,
        /// The first file.
        first: PathBuf,
        /// Its unit.
        first_unit: String,
        /// The file that differs.
        path: PathBuf,
        /// Its unit.
        unit: String,
    },
    /// No velocities.
    #[error(
        "{} has no velocities; a Lagrangian needs q and q_dot of every state. Add the columns {}: measured, or as the \
         derivative of a curve fitted to q along each trajectory, for example by scipy.signal.savgol_filter(q, 9, 3, \
         deriv=1, delta=dt), of an angle after numpy.unwrap(q), and q itself smoothed by the same filter with deriv=0. They are \
         not made here, since the right smoothing depends on your noise",
        path.display(), velocity_names(*dof)
    )]
    NoVelocities {
        /// The file.
        path: PathBuf,
        /// Its coordinates.
        dof: usize,
    },
    /// Times out of order, or one twice.
    #[error(
        "{place}: the time {given} {} {previous}, that of the row before in {trajectory}; {}",
        if given == previous { "is the same as" } else { "does not lie after" },
        if *marked {
            "sort the rows of each trajectory by time and remove repeated ones"
        } else {
            "sort the rows by time, or, if a new trajectory begins there, number the trajectories in a column `trajectory`"
        }
    )]
    UnsortedTime {
        /// The later row.
        place: RowPlace,
        /// Its trajectory, in words.
        trajectory: String,
        /// Time of the row before.
        previous: f64,
        /// Time of this row.
        given: f64,
        /// Whether the file says which rows are of one trajectory.
        marked: bool,
    },
    /// A trajectory of one sample.
    #[error(
        "{place}: {trajectory} has this row only; a motion needs at least {needed} rows. If every row is a trajectory of \
         its own, nothing says how the states go on: give all rows of one motion the same `trajectory` number"
    )]
    SingleSample {
        /// The row.
        place: RowPlace,
        /// Its trajectory, in words.
        trajectory: String,
        /// Rows that are needed.
        needed: usize,
    },
    /// A trajectory shorter than a segment.
    #[error(
        "{place}: {trajectory} has {rows} rows from here on, fewer than the {needed} of a segment, as have most; set \
         model.training.learn to Segments(rows: {rows}) in a configuration, or record longer motions"
    )]
    TooShort {
        /// Its first row.
        place: RowPlace,
        /// The trajectory, in words.
        trajectory: String,
        /// Its rows.
        rows: usize,
        /// Rows that are needed.
        needed: usize,
    },
    /// A conditional that varies along a trajectory.
    #[error(
        "{place}, column `{column}`: {given} after {previous} in {trajectory}, but a conditional is constant along a \
         motion; begin a new trajectory there, or leave the column out of the conditionals"
    )]
    ConditionalChanges {
        /// The row.
        place: RowPlace,
        /// The column.
        column: String,
        /// The trajectory, in words.
        trajectory: String,
        /// Value in the row before.
        previous: f64,
        /// Value in this row.
        given: f64,
    },
    /// A coordinate that jumps by a full turn but is no angle.
    #[error(
        "{place}: `{column}` jumps by {jump:.6} from the row before, {} times a full turn, while its velocity says {expected:.6} \
         ({count} such row(s)); it is an angle that was wrapped. Declare it with --angles {column}",
        (*jump / std::f64::consts::TAU).round()
    )]
    Wrapped {
        /// The first such row.
        place: RowPlace,
        /// The column.
        column: String,
        /// Difference from the row before.
        jump: f64,
        /// What the velocity says it is.
        expected: f64,
        /// Rows with such jumps.
        count: usize,
    },
    /// An angle in degrees.
    #[error(
        "`{column}` (from {low} to {high}) seems to be in degrees: {reason}. Angles are in radians and their velocities in \
         radians a unit of time; multiply by π/180 = 0.0174533"
    )]
    Degrees {
        /// The column.
        column: String,
        /// Smallest value.
        low: f64,
        /// Largest value.
        high: f64,
        /// What says so.
        reason: String,
    },
    /// Velocities that are not those of the coordinate.
    #[error(
        "`{velocity}` is not the rate of change of `{column}`: the differences of `{column}` are {ratio:.4} times what \
         `{velocity}` says over the same times, everywhere. Is the time in another unit (1000: milliseconds, 60: minutes), or \
         `{velocity}` a momentum? Give `{column}`, `t` and `{velocity}` in units that belong together"
    )]
    VelocityRatio {
        /// The coordinate.
        column: String,
        /// Its velocity.
        velocity: String,
        /// Differences of the coordinate over those of the integrated velocity.
        ratio: f64,
    },
    /// Accelerations that are not those of the velocity.
    #[error(
        "`{acceleration}` is not the rate of change of `{velocity}`: the differences of `{velocity}` are {ratio:.4} times what \
         `{acceleration}` says over the same times, everywhere (57.3: degrees beside radians, 1000: another unit of length or \
         time). Give both in units that belong together, or leave the accelerations out"
    )]
    AccelerationRatio {
        /// The velocity.
        velocity: String,
        /// The acceleration.
        acceleration: String,
        /// Differences of the velocity over those of the integrated acceleration.
        ratio: f64,
    },
    /// An angle whose way from row to row cannot be told.
    #[error(
        "`{column}`: {count} of {steps} steps from row to row are more than a quarter of a turn away from what `{velocity}` says, \
         so that nobody can tell how often the angle went round; sample it more often, or check the unit of `{velocity}` \
         (radians over the unit of time)"
    )]
    AmbiguousTurns {
        /// The angle.
        column: String,
        /// Its velocity.
        velocity: String,
        /// Such steps.
        count: usize,
        /// All steps.
        steps: usize,
    },
    /// A coordinate that is constant.
    #[error(
        "`{column}` never moves: its velocity is 0 throughout, so that nothing can be learned of it; leave its columns out \
         and number the others anew"
    )]
    NeverMoves {
        /// The coordinate.
        column: String,
    },
    /// Everything in one trajectory that is too short to be cut.
    #[error(
        "the only trajectory has {rows} rows; to train on its first part and judge on its last one, {needed} are needed. \
         Record a longer motion or more of them"
    )]
    TooFewRows {
        /// Its rows.
        rows: usize,
        /// Rows that are needed.
        needed: usize,
    },
    /// Accelerations are to be learned, but there are none.
    #[error(
        "model.training.learn is Accelerations, but the data have no columns `q_ddot0`, …; add them, or take Segments()"
    )]
    NoAccelerations,
    /// Other numbers than those of the configuration.
    #[error(
        "the data are not those that this configuration was made for (fingerprint {found}, expected {expected}); restore \
         the files, or name the files with --data to apply the recipe to them"
    )]
    OtherData {
        /// Fingerprint in the configuration.
        expected: String,
        /// Fingerprint of the data.
        found: String,
    },
    /// A configuration of other coordinates or conditionals.
    #[error(
        "{field} is for {given} {what}, but the data have {expected}; give one entry for each, or leave `{}` out, which then \
         follows from the data",
        field.rsplit_once('.').map_or(*field, |(whole, _)| whole)
    )]
    ConfigLength {
        /// The field.
        field: &'static str,
        /// Entries given.
        given: usize,
        /// What they are for.
        what: &'static str,
        /// Entries needed.
        expected: usize,
    },
    /// Features that take an angle for another coordinate, or the other way round.
    #[error(
        "`{column}` is {} an angle, but model.features takes it as {treatment}; declare it in data.angles (--angles) and take \
         it as SinCos, or neither. Without model.features both follow from data.angles",
        if *declared { "declared" } else { "not declared" }
    )]
    AngleFeatures {
        /// The coordinate.
        column: String,
        /// Whether it is declared.
        declared: bool,
        /// How the features take it.
        treatment: String,
    },
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file or folder.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Training.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// A model that cannot be built.
    #[error("the model cannot be built: {0}")]
    Model(#[from] ModelError),
    /// An optimiser that cannot be built.
    #[error("the optimiser cannot be built: {0}")]
    Optimiser(#[from] OptimiserError),
    /// Motions that cannot be trained on.
    #[error("the data cannot be trained on: {0}")]
    Trajectories(#[from] TrajectoryError),
    /// Times that no rollout can follow.
    #[error("the held-out motions cannot be rolled out: {0}")]
    Rollout(#[from] MotionError),
    /// The report.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The thread pool.
    #[error(transparent)]
    Threads(#[from] ThreadPoolError),
}

fn and_more(others: u64) -> String {
    if others == 0 { String::new() } else { format!(", and so are numbers in {others} more row(s)") }
}

fn velocity_names(dof: usize) -> String {
    match dof {
        1 => "`q_dot0`".to_owned(),
        2 => "`q_dot0` and `q_dot1`".to_owned(),
        _ => format!("`q_dot0` to `q_dot{}`", dof - 1),
    }
}
