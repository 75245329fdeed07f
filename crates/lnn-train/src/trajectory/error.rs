//! What can be wrong with observed motions.

use lnn_physics::integrators::InvalidInput;

/// Observed motions that cannot be used; trajectories, rows and columns count from 0.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TrajectoryError {
    /// States of no coordinate.
    #[error("the trajectories are of 0 degrees of freedom; a state needs at least 1 coordinate and its velocity")]
    NoCoordinates,
    /// Nothing to train on.
    #[error("there is no trajectory; give at least 1")]
    NoTrajectories,
    /// A trajectory without a later state.
    #[error("trajectory {trajectory} has {rows} row(s); a motion needs at least 2, counted from row 0")]
    TooFewRows {
        /// The trajectory.
        trajectory: usize,
        /// Its rows.
        rows: usize,
    },
    /// A state of another number of coordinates.
    #[error(
        "trajectory {trajectory}, row {row} has {given} columns, but all rows are states (q, q_dot) of {expected} \
         columns; give as many numbers in every row (rows count from 0)"
    )]
    RowWidth {
        /// The trajectory.
        trajectory: usize,
        /// The row.
        row: usize,
        /// Numbers in the row.
        given: usize,
        /// Numbers of a state, 2d.
        expected: usize,
    },
    /// A table whose states do not belong to its times.
    #[error(
        "trajectory {trajectory} has {times} times and {given} numbers of states; {times} rows of {width} columns \
         (q, q_dot) are {} numbers", times * width
    )]
    Length {
        /// The trajectory.
        trajectory: usize,
        /// Its times.
        times: usize,
        /// Numbers of its states.
        given: usize,
        /// Numbers of one state, 2d.
        width: usize,
    },
    /// Another number of conditionals than the other motions have.
    #[error("trajectory {trajectory} has {given} conditional(s), but all trajectories have {expected}")]
    Conditionals {
        /// The trajectory.
        trajectory: usize,
        /// Conditionals given.
        given: usize,
        /// Conditionals of all trajectories.
        expected: usize,
    },
    /// A conditional that is no number.
    #[error("trajectory {trajectory}, conditional {column} is {given}; give a finite number")]
    NonFiniteConditional {
        /// The trajectory.
        trajectory: usize,
        /// The conditional.
        column: usize,
        /// Value given.
        given: f64,
    },
    /// A time that is no number.
    #[error("trajectory {trajectory}, row {row}: the time is {given}; give finite times (rows count from 0)")]
    NonFiniteTime {
        /// The trajectory.
        trajectory: usize,
        /// The row.
        row: usize,
        /// Value given.
        given: f64,
    },
    /// Times out of order, or one twice.
    #[error(
        "trajectory {trajectory}, row {row}: the time {given} does not lie after {previous}, that of the row before; \
         sort the rows by time and remove repeated ones (rows count from 0)"
    )]
    UnsortedTimes {
        /// The trajectory.
        trajectory: usize,
        /// The later row.
        row: usize,
        /// Time of the row before.
        previous: f64,
        /// Time of this row.
        given: f64,
    },
    /// A component that is no number, or none in the precision of training.
    #[error(
        "trajectory {trajectory}, row {row}, column {column}: the state is {given}, which is not finite in \
         {precision}; remove the row, choose other units, or train in f64 (rows and columns count from 0, q before \
         q_dot)"
    )]
    NonFiniteState {
        /// The trajectory.
        trajectory: usize,
        /// The row.
        row: usize,
        /// The component of (q, q̇).
        column: usize,
        /// Value given.
        given: f64,
        /// Name of the precision that must hold it.
        precision: &'static str,
    },
    /// A segment with nothing to compare.
    #[error("segments of {given} observation(s); give at least 2: a start and a later state")]
    SegmentTooShort {
        /// Observations asked for.
        given: usize,
    },
    /// A trajectory that holds no segment.
    #[error(
        "segments of {segment} observations do not fit into trajectory {trajectory}, which has {rows} rows; ask for \
         shorter segments or leave the trajectory out"
    )]
    SegmentTooLong {
        /// The trajectory, from 0.
        trajectory: usize,
        /// Its rows.
        rows: usize,
        /// Observations of a segment.
        segment: usize,
    },
    /// No step from one observation to the next.
    #[error("0 substeps lead nowhere; give at least 1 step between two observations")]
    NoSubsteps,
    /// A standard deviation that is none.
    #[error("the noise on column {column} has the standard deviation {given}; give a finite number, 0 or above")]
    Noise {
        /// The component of (q, q̇).
        column: usize,
        /// Value given.
        given: f64,
    },
    /// Positions that no short steps lead to the rods.
    #[error(
        "the random states of the chain are still {error:e} m² from the rods after {steps} Newton steps; choose another \
         seed, or lengths of similar size"
    )]
    Projection {
        /// Root mean square of the constraints.
        error: f64,
        /// Steps taken.
        steps: usize,
    },
    /// Times or settings that no integration takes.
    #[error("the motions cannot be simulated: {0}")]
    Input(#[from] InvalidInput),
    /// A simulated motion that ended early.
    #[error(
        "the simulated motion {trajectory} ends at t = {time}: {reason}; narrow the ranges of its initial states, or \
         simulate for a shorter time"
    )]
    Simulation {
        /// The motion, from 0.
        trajectory: usize,
        /// Time of the last state reached.
        time: f64,
        /// What happened.
        reason: String,
    },
}
