//! What was measured: motions, accelerations if there are any, and where each row is found.

use std::f64::consts::TAU;
use std::path::PathBuf;

use super::config::DataConfig;
use super::error::{MeasuredError, RowPlace};
use crate::table::{Column, Place, TableReader};
use crate::trajectory::{Motion, Trajectories};

/// Names and units of the columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// The time.
    pub time: Column,
    /// Coordinates, `[d]`.
    pub q: Vec<Column>,
    /// Velocities, `[d]`.
    pub q_dot: Vec<Column>,
    /// Accelerations, `[d]` or none.
    pub q_ddot: Vec<Column>,
    /// Conditionals, `[c]`.
    pub conditionals: Vec<Column>,
}

/// Where a trajectory was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// The file.
    pub path: PathBuf,
    /// Its number in the file; `None` for the only one of a file without a column `trajectory`.
    pub number: Option<f64>,
    /// Row of the file of each of its rows, from 0.
    pub rows: Vec<u64>,
}

impl Origin {
    /// The trajectory in words.
    pub fn describe(&self) -> String {
        match self.number {
            Some(number) => format!("trajectory {number} of {}", self.path.display()),
            None => self.path.display().to_string(),
        }
    }
}

/// Motions of one system as they were measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurements {
    /// Names and units.
    pub labels: Labels,
    /// Whether each coordinate is an angle, `[d]`.
    pub angles: Vec<bool>,
    /// (q, q̇) at times, angles unwrapped.
    pub trajectories: Trajectories,
    /// Accelerations of all rows of all trajectories, `[rows, d]`, or nothing.
    pub accelerations: Vec<f64>,
    /// One a trajectory.
    pub origins: Vec<Origin>,
    /// Full turns that were undone in each coordinate, `[d]`.
    pub turns: Vec<usize>,
    /// Fingerprint of the numbers in the files.
    pub fingerprint: String,
}

impl Measurements {
    /// Reads the tables that `config` names, refuses what is no motion, and unwraps the angles.
    ///
    /// # Errors
    /// [`MeasuredError`] with file, row and column.
    pub fn read(config: &DataConfig) -> Result<Self, MeasuredError> {
        let mut measurements = super::read::read(config)?;
        super::plausible::require_plausible(&measurements, config)?;
        measurements.undo_turns();
        Ok(measurements)
    }

    pub(super) fn new(labels: Labels, angles: Vec<bool>, trajectories: Trajectories) -> Self {
        let turns = vec![0; angles.len()];
        let (accelerations, origins, fingerprint) = (Vec::new(), Vec::new(), String::new());
        Self { labels, angles, trajectories, accelerations, origins, turns, fingerprint }
    }

    /// Degrees of freedom d.
    pub fn degrees_of_freedom(&self) -> usize {
        self.labels.q.len()
    }

    /// Whether accelerations were measured.
    pub fn has_accelerations(&self) -> bool {
        !self.accelerations.is_empty()
    }

    /// The accelerations of a trajectory, `[rows, d]`, or nothing.
    pub fn accelerations_of(&self, trajectory: usize) -> &[f64] {
        if self.accelerations.is_empty() {
            return &[];
        }
        let before: usize = self.trajectories.motions().take(trajectory).map(|motion| motion.rows()).sum();
        let (d, rows) = (self.degrees_of_freedom(), self.trajectories.motion(trajectory).rows());
        &self.accelerations[before * d..(before + rows) * d]
    }

    /// Where a row of a trajectory is in its file: a text is read once more for it.
    pub(super) fn place(&self, trajectory: usize, row: usize, config: &DataConfig) -> RowPlace {
        let Origin { path, rows, .. } = &self.origins[trajectory];
        let reader = TableReader::open(path, config.columns.as_deref());
        let place = reader.map_or(Place::Row(rows[row]), |reader| reader.place(rows[row]));
        RowPlace { path: path.clone(), place }
    }

    /// Undoes jumps by full turns: of two angles one after the other, the way between them is the one nearest to what the
    /// velocities say.
    fn undo_turns(&mut self) {
        let d = self.degrees_of_freedom();
        if !self.angles.contains(&true) {
            return;
        }
        let mut unwrapped = Trajectories::new(d, self.labels.conditionals.len()).expect("there are coordinates");
        for motion in self.trajectories.motions() {
            let mut states = motion.states.to_vec();
            for j in (0..d).filter(|&j| self.angles[j]) {
                let mut offset = 0.0;
                for row in 1..motion.rows() {
                    let step = Step::of(motion, row, j);
                    let turns = ((step.expected - step.difference) / TAU).round();
                    if turns != 0.0 {
                        self.turns[j] += 1;
                        offset += turns * TAU;
                    }
                    states[row * 2 * d + j] += offset;
                }
            }
            unwrapped.push(motion.times, &states, motion.conditionals).expect("finite as before");
        }
        self.trajectories = unwrapped;
    }
}

/// How a coordinate goes from a row to the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// Difference of the coordinate.
    pub(super) difference: f64,
    /// What the velocities say it is; see [`increment`].
    pub(super) expected: f64,
}

/// ∫ f dt from the row before `row` to it, by the trapezium rule with the end slopes of the curve through neighbouring rows,
///
/// ```text
/// ½ h (f₀ + f₁) + h²/12 (f₀′ − f₁′),
/// ```
///
/// which is of fourth order in the interval h; at the ends of a motion, where a neighbour is missing, without the slopes.
pub(super) fn increment(times: &[f64], rate: impl Fn(usize) -> f64, row: usize) -> f64 {
    let h = times[row] - times[row - 1];
    // Of the parabola through three rows.
    let slope = |row: usize| {
        let (before, after) = (times[row] - times[row - 1], times[row + 1] - times[row]);
        let (back, ahead) = ((rate(row) - rate(row - 1)) / before, (rate(row + 1) - rate(row)) / after);
        (back * after + ahead * before) / (before + after)
    };
    let trapezium = 0.5 * h * (rate(row - 1) + rate(row));
    if row >= 2 && row + 1 < times.len() { trapezium + h * h / 12.0 * (slope(row - 1) - slope(row)) } else { trapezium }
}

impl Step {
    /// Of coordinate `j`, to `row` from the one before.
    pub(super) fn of(motion: Motion<'_>, row: usize, j: usize) -> Self {
        let velocity = j + motion.state(row).len() / 2;
        Self {
            difference: motion.state(row)[j] - motion.state(row - 1)[j],
            expected: increment(motion.times, |row| motion.state(row)[velocity], row),
        }
    }
}
