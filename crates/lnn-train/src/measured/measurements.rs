//! What was measured: motions, accelerations if there are any, and where each row is found.

use std::f64::consts::TAU;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::config::DataConfig;
use super::error::{MeasuredError, RowPlace};
use super::plausible::FOLLOWED_TURNS;
use crate::table::{Column, Place, TableReader};
use crate::trajectory::{Motion, Trajectories};

/// Share of ambiguous steps of an angle from which on it is refused.
const AMBIGUOUS: f64 = 0.05;

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

impl Labels {
    /// The columns, in the order t, q, q̇, q̈, conditionals.
    pub(super) fn all(&self) -> impl Iterator<Item = &Column> {
        let groups = [&self.q, &self.q_dot, &self.q_ddot, &self.conditionals];
        std::iter::once(&self.time).chain(groups.into_iter().flatten())
    }
}

/// Where a trajectory was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// The file.
    pub path: PathBuf,
    /// Its number in the file; `None` for the only one of a file without a column `trajectory`.
    pub number: Option<f64>,
    /// Number of the stretch, from 0, where gaps in the times break it.
    pub part: Option<usize>,
    /// Row of the file of each of its rows, from 0.
    pub rows: Vec<u64>,
}

impl Origin {
    /// The trajectory in words.
    pub fn describe(&self) -> String {
        let whole = match self.number {
            Some(number) => format!("trajectory {number} of {}", self.path.display()),
            None => self.path.display().to_string(),
        };
        self.part.map_or_else(|| whole.clone(), |part| format!("part {} of {whole}", part + 1))
    }
}

/// What is too short to be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Motions.
    pub motions: usize,
    /// Their rows.
    pub rows: usize,
}

impl LeftOut {
    pub(super) fn add(&mut self, rows: usize) {
        self.motions += 1;
        self.rows += rows;
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
    /// Steps of each angle that are more than a quarter of a turn away from what the velocities say, whatever turns are undone,
    /// `[d]`: which way it went is a guess.
    pub ambiguous: Vec<usize>,
    /// Gaps in the times, at each of which a new motion begins.
    pub gaps: usize,
    /// Motions that are too short to be used.
    pub left_out: LeftOut,
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
        measurements.undo_turns()?;
        Ok(measurements)
    }

    pub(super) fn new(labels: Labels, angles: Vec<bool>, trajectories: Trajectories) -> Self {
        let turns = vec![0; angles.len()];
        Self {
            labels,
            angles,
            trajectories,
            accelerations: Vec::new(),
            origins: Vec::new(),
            ambiguous: turns.clone(),
            turns,
            gaps: 0,
            left_out: LeftOut::default(),
            fingerprint: String::new(),
        }
    }

    /// The same without motions of fewer rows than `needed`, of several; they are counted.
    ///
    /// # Errors
    /// [`MeasuredError::TooShort`] with the first of them if more rows would be left out than kept.
    pub(super) fn without_short(mut self, needed: usize, config: &DataConfig) -> Result<Self, MeasuredError> {
        let is_short = |motion: Motion<'_>| motion.rows() < needed;
        let Some(first) = self.trajectories.motions().position(is_short) else { return Ok(self) };
        let short_rows: usize =
            self.trajectories.motions().filter(|&motion| is_short(motion)).map(|motion| motion.rows()).sum();
        if self.trajectories.len() == 1 {
            return Ok(self);
        }
        if 2 * short_rows > self.trajectories.rows() {
            let (place, rows) = (self.place(first, 0, config), self.trajectories.motion(first).rows());
            return Err(MeasuredError::TooShort { place, trajectory: self.origins[first].describe(), rows, needed });
        }
        let mut kept = Trajectories::new(self.degrees_of_freedom(), self.labels.conditionals.len())?;
        let (mut accelerations, mut origins) = (Vec::new(), Vec::new());
        for (number, motion) in self.trajectories.motions().enumerate() {
            if is_short(motion) {
                self.left_out.add(motion.rows());
                continue;
            }
            kept.push(motion.times, motion.states, motion.conditionals)?;
            accelerations.extend_from_slice(self.accelerations_of(number));
            origins.push(self.origins[number].clone());
        }
        Ok(Self { trajectories: kept, accelerations, origins, ..self })
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
        let before = self.trajectories.first_row(trajectory);
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
    ///
    /// # Errors
    /// [`MeasuredError::AmbiguousTurns`] where too many steps are not near any of these multiples.
    fn undo_turns(&mut self) -> Result<(), MeasuredError> {
        let d = self.degrees_of_freedom();
        if !self.angles.contains(&true) {
            return Ok(());
        }
        let mut unwrapped = Trajectories::new(d, self.labels.conditionals.len()).expect("there are coordinates");
        for motion in self.trajectories.motions() {
            let mut states = motion.states.to_vec();
            for j in (0..d).filter(|&j| self.angles[j]) {
                let mut offset = 0.0;
                for row in 1..motion.rows() {
                    let step = Step::of(motion, row, j);
                    let missing = (step.expected - step.difference) / TAU;
                    let turns = missing.round();
                    self.ambiguous[j] += usize::from((missing - turns).abs() > FOLLOWED_TURNS);
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
        let steps = self.trajectories.rows() - self.trajectories.len();
        match self.ambiguous.iter().position(|&count| count as f64 > AMBIGUOUS * steps as f64) {
            None => Ok(()),
            Some(j) => {
                let [column, velocity] = [&self.labels.q[j], &self.labels.q_dot[j]].map(|column| column.name.clone());
                Err(MeasuredError::AmbiguousTurns { column, velocity, count: self.ambiguous[j], steps })
            }
        }
    }

    /// How a velocity goes from row to row beside what the accelerations say, in all motions; nothing without these.
    pub(super) fn velocity_steps(&self, j: usize) -> impl Iterator<Item = Step> {
        let d = self.degrees_of_freedom();
        let numbers = 0..if self.has_accelerations() { self.trajectories.len() } else { 0 };
        numbers.flat_map(move |number| {
            let (motion, accelerations) = (self.trajectories.motion(number), self.accelerations_of(number));
            (1..motion.rows()).map(move |row| Step {
                difference: motion.state(row)[d + j] - motion.state(row - 1)[d + j],
                expected: increment(motion.times, |row| accelerations[row * d + j], row),
            })
        })
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
