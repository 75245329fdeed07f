//! What the data are, before anything is learned from them.

use std::collections::HashSet;
use std::f64::consts::{PI, TAU};

use serde::{Deserialize, Serialize};

use super::measurements::{LeftOut, Measurements, Step};
use super::plausible::FOLLOWED_TURNS;
use crate::record::null_if_not_finite;
use crate::trajectory::Motion;

/// A spread between two samples, relative to the median, above which a sampling is called irregular.
const IRREGULAR: f64 = 0.01;
/// Part of the motion in a consistency score that is worth a hint.
const INCONSISTENT: f64 = 0.1;
/// Rounding in single precision, as a part of what is learned from, that is worth a hint.
const COARSE: f64 = 1e-3;

/// What was found in the data, as in `data.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// Files, as they were given.
    pub files: Vec<String>,
    /// Rows of all trajectories.
    pub rows: usize,
    /// Number of trajectories.
    pub trajectories: usize,
    /// Rows of a trajectory.
    pub rows_per_trajectory: Spread,
    /// Time from the first to the last row of a trajectory.
    pub duration: Spread,
    /// Time from one row to the next.
    pub interval: Spread,
    /// Degrees of freedom d.
    pub degrees_of_freedom: usize,
    /// Whether accelerations were measured.
    pub accelerations: bool,
    /// Ranges, in the order t, q, q̇, q̈, conditionals.
    pub columns: Vec<ColumnFindings>,
    /// Rows whose state is, bit for bit, that of the row before.
    pub repeated_states: usize,
    /// Trajectories that are, bit for bit, copies of another: on both sides of a split they make the held-out error too
    /// good.
    pub repeated_trajectories: usize,
    /// Gaps in the times, at each of which a new motion begins.
    #[serde(default)]
    pub gaps: usize,
    /// Motions that are too short to be used, which no other figure counts.
    #[serde(default)]
    pub left_out: LeftOut,
    /// How well each coordinate, velocity and acceleration go together.
    pub consistency: Vec<Consistency>,
    /// What the user should know, in words.
    pub hints: Vec<String>,
}

/// Smallest, median and largest of a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Smallest.
    pub min: f64,
    /// Median.
    pub median: f64,
    /// Largest.
    pub max: f64,
}

impl Spread {
    /// Of at least one number.
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        Self { min: values[0], median: values[values.len() / 2], max: values[values.len() - 1] }
    }

    /// Largest distance from the median, relative to it.
    pub fn relative(&self) -> f64 {
        (self.max - self.median).max(self.median - self.min) / self.median
    }
}

/// The numbers of one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnFindings {
    /// Name.
    pub name: String,
    /// Unit in the user's words, or nothing.
    pub unit: Option<String>,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub deviation: f64,
    /// Whether it was declared an angle.
    pub angle: bool,
    /// Full turns that were undone.
    pub turns: usize,
}

/// Whether a coordinate's differences are those of its velocity, and the velocity's those of the acceleration: root mean
/// square of Δq − ∫ q̇ dt from row to row as a fraction of that of Δq. Noise, coarse sampling and wrong units all raise it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Consistency {
    /// The coordinate.
    pub name: String,
    /// Of q and q̇.
    #[serde(with = "null_if_not_finite")]
    pub velocity: f64,
    /// Of q̇ and q̈, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acceleration: Option<f64>,
}

impl Findings {
    /// Looks at all of the data.
    pub fn of(measurements: &Measurements) -> Self {
        let trajectories = &measurements.trajectories;
        let motions = || trajectories.motions();
        let mut files: Vec<String> =
            measurements.origins.iter().map(|origin| origin.path.display().to_string()).collect();
        files.dedup();
        let intervals =
            motions().flat_map(|motion| motion.times.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>());
        let duration = |motion: Motion<'_>| motion.times[motion.rows() - 1] - motion.times[0];
        let mut findings = Self {
            files,
            rows: trajectories.rows(),
            trajectories: trajectories.len(),
            rows_per_trajectory: Spread::of(motions().map(|motion| motion.rows() as f64).collect()),
            duration: Spread::of(motions().map(duration).collect()),
            interval: Spread::of(intervals.collect()),
            degrees_of_freedom: measurements.degrees_of_freedom(),
            accelerations: measurements.has_accelerations(),
            columns: columns(measurements),
            repeated_states: motions().map(repeated_states).sum(),
            repeated_trajectories: repeated_trajectories(measurements),
            gaps: measurements.gaps,
            left_out: measurements.left_out,
            consistency: (0..measurements.degrees_of_freedom()).map(|j| consistency(measurements, j)).collect(),
            hints: Vec::new(),
        };
        findings.hints = hints(&findings, measurements);
        findings
    }

    /// Those of the columns that are conditionals.
    pub fn conditionals(&self) -> &[ColumnFindings] {
        let states = if self.accelerations { 3 } else { 2 };
        &self.columns[1 + states * self.degrees_of_freedom..]
    }
}

fn columns(measurements: &Measurements) -> Vec<ColumnFindings> {
    let Measurements { labels, trajectories, accelerations, angles, turns, .. } = measurements;
    let (d, c) = (labels.q.len(), labels.conditionals.len());
    let find = |column: &crate::table::Column, values: &mut dyn Iterator<Item = f64>, coordinate: Option<usize>| {
        let (mut count, mut min, mut max, mut mean, mut squares) = (0.0, f64::INFINITY, f64::NEG_INFINITY, 0.0, 0.0);
        for value in values {
            // Welford's recursion: large means lose no digits of small deviations.
            count += 1.0;
            let off = value - mean;
            mean += off / count;
            squares += off * (value - mean);
            (min, max) = (f64::min(min, value), f64::max(max, value));
        }
        ColumnFindings {
            name: column.name.clone(),
            unit: column.unit.clone(),
            min,
            max,
            mean,
            deviation: (squares / count).sqrt(),
            angle: coordinate.is_some_and(|j| angles[j]),
            turns: coordinate.map_or(0, |j| turns[j]),
        }
    };
    let times = &mut trajectories.motions().flat_map(|motion| motion.times);
    let mut found = vec![find(&labels.time, &mut times.copied(), None)];
    for (component, column) in labels.q.iter().chain(&labels.q_dot).enumerate() {
        let states = trajectories.motions().flat_map(|motion| motion.states.iter().skip(component).step_by(2 * d));
        found.push(find(column, &mut states.copied(), (component < d).then_some(component)));
    }
    for (j, column) in labels.q_ddot.iter().enumerate() {
        found.push(find(column, &mut accelerations.iter().skip(j).step_by(d).copied(), None));
    }
    for (j, column) in labels.conditionals.iter().enumerate().take(c) {
        found.push(find(column, &mut trajectories.motions().map(|motion| motion.conditionals[j]), None));
    }
    found
}

fn repeated_states(motion: Motion<'_>) -> usize {
    (1..motion.rows()).filter(|&row| motion.state(row) == motion.state(row - 1)).count()
}

fn repeated_trajectories(measurements: &Measurements) -> usize {
    let mut seen = HashSet::new();
    let key = |motion: Motion<'_>| -> Vec<u64> {
        let numbers = motion.times.iter().map(|t| t - motion.times[0]).chain(motion.states.iter().copied());
        numbers.chain(motion.conditionals.iter().copied()).map(f64::to_bits).collect()
    };
    measurements.trajectories.motions().filter(|&motion| !seen.insert(key(motion))).count()
}

fn consistency(measurements: &Measurements, j: usize) -> Consistency {
    let accelerations = measurements.has_accelerations().then(|| score(measurements.velocity_steps(j)));
    Consistency {
        name: measurements.labels.q[j].name.clone(),
        velocity: score(steps(measurements, j)),
        acceleration: accelerations,
    }
}

/// How a coordinate goes from row to row, in all motions.
fn steps(measurements: &Measurements, j: usize) -> impl Iterator<Item = Step> {
    let motions = measurements.trajectories.motions();
    motions.flat_map(move |motion| (1..motion.rows()).map(move |row| Step::of(motion, row, j)))
}

/// Root mean square of what the rates leave unexplained, as a fraction of that of the differences.
fn score(steps: impl Iterator<Item = Step>) -> f64 {
    let sums = steps.fold([0.0; 2], |[left, all], step| {
        [left + (step.difference - step.expected).powi(2), all + step.difference.powi(2)]
    });
    (sums[0] / sums[1]).sqrt()
}

fn hints(findings: &Findings, measurements: &Measurements) -> Vec<String> {
    let mut hints = Vec::new();
    let jitter = findings.interval.relative();
    if jitter > IRREGULAR {
        hints.push(format!(
            "the sampling is irregular: intervals differ by up to {:.0} % from their median; that is allowed, since every \
             interval is taken as it is",
            100.0 * jitter
        ));
    }
    if findings.gaps > 0 {
        hints.push(format!(
            "{} gap(s) of more than five intervals: a new motion begins after each, since nothing says what happened in it",
            findings.gaps
        ));
    }
    if findings.left_out.motions > 0 {
        let LeftOut { motions, rows } = findings.left_out;
        hints.push(format!("{motions} motion(s) are too short to be used: their {rows} row(s) are left out"));
    }
    let rates = &findings.columns[1 + findings.degrees_of_freedom..];
    let coordinates = findings.columns[1..].iter().zip(rates).zip(&findings.consistency);
    for (j, ((column, rate), consistency)) in coordinates.enumerate() {
        let name = &column.name;
        if consistency.velocity > INCONSISTENT {
            hints.push(format!(
                "{:.0} % of the way of `{name}` from row to row is not what `{}` says: noise, sampling that is too \
                 coarse for the motion, or columns that do not belong together",
                100.0 * consistency.velocity,
                rate.name
            ));
        }
        if consistency.acceleration.is_some_and(|score| score > INCONSISTENT) {
            hints.push(format!(
                "{:.0} % of the changes of the velocity of `{name}` is not what its acceleration says: noise, sampling that is \
                 too coarse, or columns that do not belong together",
                100.0 * consistency.acceleration.unwrap_or_default()
            ));
        }
        let ambiguous = measurements.ambiguous[j];
        if ambiguous > 0 {
            hints.push(format!(
                "{ambiguous} step(s) of the angle `{name}` are more than a quarter of a turn away from what its velocity says: which \
                 way it went there is a guess; look for outliers, or sample it more often"
            ));
        }
        let far = |step: &Step| step.expected.abs() > FOLLOWED_TURNS * TAU;
        if column.angle && 2 * steps(measurements, j).filter(far).count() >= steps(measurements, j).count() {
            hints.push(format!(
                "by its velocity the angle `{name}` makes more than a quarter of a turn from row to row most of the time: sample it \
                 more often, or check the unit of the velocity"
            ));
        }
        if column.angle && column.max - column.min > 100.0 && column.turns == 0 {
            hints.push(format!(
                "the angle `{name}` goes from {:.4} to {:.4} without a jump: if these are degrees, convert them and their \
                 velocities to radians",
                column.min, column.max
            ));
        }
        // Whole turns are taken off an angle first.
        let largest = column.max.abs().max(column.min.abs()).min(if column.angle { PI } else { f64::INFINITY });
        let rounding = f64::from(f32::EPSILON) * largest;
        let way = findings.interval.median * rate.deviation;
        // Rows are compared where there are no accelerations.
        let size = if findings.accelerations { column.deviation } else { column.deviation.min(way) };
        if rounding > COARSE * size {
            hints.push(format!(
                "`{name}` goes up to {largest:.4e}, of which single precision keeps steps of {rounding:.1e}, beside {size:.1e} that \
                 it varies by{}: set model.precision to F64 in a configuration, or subtract a constant where it is far from 0",
                if size < column.deviation { " from row to row" } else { "" }
            ));
        }
    }
    for column in findings.conditionals().iter().filter(|column| column.min == column.max) {
        hints.push(format!(
            "the conditional `{}` is {} everywhere: the model cannot learn what it does, and must not be used at another value",
            column.name, column.min
        ));
    }
    if findings.repeated_states > 0 {
        hints.push(format!(
            "{} row(s) repeat the state of the row before: a sensor that was read more often than it measured?",
            findings.repeated_states
        ));
    }
    if findings.repeated_trajectories > 0 {
        hints.push(format!(
            "{} trajectory(ies) are copies of others: remove them, since the held-out error is too good where a copy was \
             trained on",
            findings.repeated_trajectories
        ));
    }
    hints
}
