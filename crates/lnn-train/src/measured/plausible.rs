//! Whether velocities can be those of the coordinates: units that do not belong together, degrees, undeclared angles.

use std::f64::consts::{PI, TAU};
use std::iter::Sum;

use super::config::DataConfig;
use super::error::MeasuredError;
use super::measurements::{Measurements, Step};
use crate::table::Column;
use crate::trajectory::Motion;

/// Degrees in a radian.
const DEGREES: f64 = 180.0 / PI;
/// A ratio of two scales that no noise explains.
const OFF: f64 = 1.2;
/// Residual of a fit, as a fraction of what is fitted, below which its ratio is no accident.
const SURE: f64 = 0.1;
/// Turns from row to row, beyond which an angle's way is not known from its ends.
pub(super) const FOLLOWED_TURNS: f64 = 0.25;
/// How near to a whole number of turns a jump is, in turns, beyond what the velocity says.
const NEAR: f64 = 0.1;

/// Refuses coordinates whose differences are not those of their velocities for a reason that can be named.
///
/// # Errors
/// [`MeasuredError::Degrees`], [`MeasuredError::Wrapped`], [`MeasuredError::VelocityRatio`],
/// [`MeasuredError::AccelerationRatio`] or [`MeasuredError::NeverMoves`].
pub(super) fn require_plausible(measurements: &Measurements, config: &DataConfig) -> Result<(), MeasuredError> {
    for j in 0..measurements.degrees_of_freedom() {
        coordinate(measurements, config, j)?;
        acceleration(measurements, j)?;
    }
    Ok(())
}

fn coordinate(measurements: &Measurements, config: &DataConfig, j: usize) -> Result<(), MeasuredError> {
    let (d, motions) = (measurements.degrees_of_freedom(), || measurements.trajectories.motions());
    let column = || measurements.labels.q[j].name.clone();
    let velocity = || measurements.labels.q_dot[j].name.clone();
    let of = |component: usize| motions().flat_map(move |motion| motion.states.iter().skip(component).step_by(2 * d));
    if of(d + j).all(|&x| x == 0.0) {
        return Err(MeasuredError::NeverMoves { column: column() });
    }
    let range = of(j).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)));
    let degrees = |reason: String| {
        let (low, high) = range;
        Err(MeasuredError::Degrees { column: column(), low, high, reason })
    };

    // What the labels say is believed where it forbids: small swings in degrees look like any others.
    let [q, q_dot] = [&measurements.labels.q[j], &measurements.labels.q_dot[j]];
    if let Some(column) = [q, q_dot].into_iter().find(|column| is_in_degrees(column))
        && measurements.angles[j]
    {
        let unit = column.unit.as_deref().unwrap_or_default();
        return degrees(format!("the unit of `{}` is {unit}", column.name));
    }

    // Steps without jumps: those of an angle that was wrapped, and of one in degrees, are far off.
    let steps = || motions().flat_map(move |motion| (1..motion.rows()).map(move |row| Step::of(motion, row, j)));
    let full_circle = jumps(measurements, j, 360.0);
    if full_circle.count > 0 && range.1 - range.0 <= 360.5 {
        return degrees(format!("it jumps by 360 in {} row(s)", full_circle.count));
    }
    let Fit { ratio, residual } = Fit::of(steps().filter(|step| !is_jump(step, 360.0)));
    if residual < SURE && (1.0 / OFF..=OFF).contains(&(ratio / DEGREES)) {
        return degrees(format!(
            "its differences are {ratio:.1} times what `{}` says; a radian has 57.3 degrees",
            velocity()
        ));
    }
    if !measurements.angles[j] {
        let full_turn = jumps(measurements, j, TAU);
        if let Some((trajectory, row, step)) = full_turn.first
            && range.1 - range.0 <= TAU + NEAR
        {
            let place = measurements.place(trajectory, row, config);
            let (jump, expected, count) = (step.difference, step.expected, full_turn.count);
            return Err(MeasuredError::Wrapped { place, column: column(), jump, expected, count });
        }
    }
    // Where an angle goes far from row to row nobody can tell how often it went round.
    let slow =
        |step: &Step| !measurements.angles[j] || (!is_jump(step, TAU) && step.expected.abs() < FOLLOWED_TURNS * TAU);
    let is_smooth =
        motions().map(|motion| Smoothness::of(motion, |row| motion.state(row)[d + j])).sum::<Smoothness>().holds();
    let most_are_slow = 2 * steps().filter(slow).count() > steps().count();
    let Fit { ratio, residual } = Fit::of(steps().filter(slow));
    if is_smooth && most_are_slow && residual < SURE && !(1.0 / OFF..=OFF).contains(&ratio) {
        return Err(MeasuredError::VelocityRatio { column: column(), velocity: velocity(), ratio });
    }
    Ok(())
}

/// Refuses accelerations that are a constant multiple of what the velocity does.
fn acceleration(measurements: &Measurements, j: usize) -> Result<(), MeasuredError> {
    let d = measurements.degrees_of_freedom();
    let smoothness = measurements.trajectories.motions().enumerate().map(|(number, motion)| {
        let accelerations = measurements.accelerations_of(number);
        Smoothness::of(motion, |row| accelerations.get(row * d + j).copied().unwrap_or(f64::NAN))
    });
    let Fit { ratio, residual } = Fit::of(measurements.velocity_steps(j));
    if residual < SURE && !(1.0 / OFF..=OFF).contains(&ratio) && smoothness.sum::<Smoothness>().holds() {
        let labels = &measurements.labels;
        let [velocity, acceleration] = [&labels.q_dot[j], &labels.q_ddot[j]].map(|column| column.name.clone());
        return Err(MeasuredError::AccelerationRatio { velocity, acceleration, ratio });
    }
    Ok(())
}

/// Whether a column's unit is degrees, or degrees a unit of time.
fn is_in_degrees(column: &Column) -> bool {
    let unit = column.unit.as_deref().unwrap_or_default().to_lowercase();
    let first = unit.split(['/', ' ', '·', '*']).next().unwrap_or_default();
    ["deg", "degs", "degree", "degrees", "°", "º", "dps"].contains(&first)
}

/// How much a rate changes from row to row beside how large it is. Where it changes by its own size, no rule of integration
/// follows it, and a ratio that is not 1 is the rule's.
#[derive(Clone, Copy, Default)]
struct Smoothness {
    changes: f64,
    sizes: f64,
}

impl Smoothness {
    fn of(motion: Motion<'_>, rate: impl Fn(usize) -> f64) -> Self {
        (1..motion.rows()).fold(Self::default(), |sum, row| {
            let (before, after) = (rate(row - 1), rate(row));
            Self {
                changes: sum.changes + (after - before).powi(2),
                sizes: sum.sizes + 0.5 * (before * before + after * after),
            }
        })
    }

    /// A sine at less than 0.72 radians a row, where even the trapezium rule is right to 5 %.
    fn holds(self) -> bool {
        self.changes < 0.5 * self.sizes
    }
}

impl Sum for Smoothness {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |a, b| Self { changes: a.changes + b.changes, sizes: a.sizes + b.sizes })
    }
}

/// Differences as a multiple of what velocities say, by least squares.
struct Fit {
    ratio: f64,
    /// Root mean square of what the fit leaves, as a fraction of that of the differences.
    residual: f64,
}

impl Fit {
    fn of(steps: impl Iterator<Item = Step>) -> Self {
        let (mut product, mut expected, mut difference) = (0.0, 0.0, 0.0);
        for step in steps {
            product += step.difference * step.expected;
            expected += step.expected * step.expected;
            difference += step.difference * step.difference;
        }
        let ratio = product / expected;
        // Σ (Δ − k E)² = Σ Δ² − k Σ Δ E at the best k.
        Self { ratio, residual: ((difference - ratio * product).max(0.0) / difference).sqrt() }
    }
}

/// Whether a step differs from what the velocity says by whole turns, one or more.
fn is_jump(step: &Step, turn: f64) -> bool {
    let turns = (step.difference - step.expected) / turn;
    turns.round() != 0.0 && (turns - turns.round()).abs() < NEAR && step.expected.abs() < 0.5 * turn
}

struct Jumps {
    /// Trajectory, row and the step to it.
    first: Option<(usize, usize, Step)>,
    count: usize,
}

fn jumps(measurements: &Measurements, j: usize, turn: f64) -> Jumps {
    let motions = measurements.trajectories.motions().enumerate();
    let mut found = motions
        .flat_map(|(trajectory, motion)| (1..motion.rows()).map(move |row| (trajectory, row, Step::of(motion, row, j))))
        .filter(|(_, _, step)| is_jump(step, turn));
    let first = found.next();
    Jumps { first, count: usize::from(first.is_some()) + found.count() }
}
