//! What a model is worth on motions that it was not trained on.

use std::f64::consts::PI;
use std::sync::atomic::AtomicBool;

use rayon::prelude::*;

use super::measurements::Measurements;
use super::record::CoordinateErrors;
use super::split::Part;
use crate::evaluate::{HeldOut, LOGGED_STATES};
use crate::fit::{Observations, ResidualUnits};
use crate::model::{Model, RatesMut, States};
use crate::motion::{Stopped, go_on};
use crate::record::{Judged, MassMatrixSpectrum};
use crate::segment::SegmentBlock;

/// Rows a block; fixed, so that sums do not depend on the number of threads.
pub(super) const BLOCK: usize = 64;
/// Runge–Kutta steps of the model from a row to the next.
const SUBSTEPS: usize = 4;
/// Largest deviation of an angle: of one that is anywhere on the circle. An unwrapped angle that goes round and round has a
/// larger one, beside which no error of at most half a turn would show.
const CIRCLE: f64 = PI / 1.732_050_807_568_877_2;

/// Why a computation whose stop nobody else sees goes on to its end.
const NOBODY: &str = "nobody else sees the flag";

/// Held-out motions, with what they are judged by.
pub(super) struct HeldOutMotions<'a> {
    pub(super) measurements: &'a Measurements,
    pub(super) part: &'a Part,
    units: &'a ResidualUnits,
    /// Deviations of (q, q̇), `[2d]`, above 0, of an angle at most that of the circle.
    pub(super) deviations: Vec<f64>,
    /// All rows that have a next one.
    pairs: Vec<(usize, usize)>,
    /// Whether log lines judge accelerations, and not steps to the next row.
    by_accelerations: bool,
    /// All rows, then some of them for log lines.
    rows: HeldOut,
    logged: HeldOut,
    logged_rows: Observations,
}

/// Squared errors, and squares of what is predicted, summed over rows; `[n]` each.
struct Squares {
    errors: Vec<f64>,
    sizes: Vec<f64>,
    rows: usize,
}

impl<'a> HeldOutMotions<'a> {
    pub(super) fn new(
        measurements: &'a Measurements,
        (part, training): (&'a Part, &Part),
        units: &'a ResidualUnits,
        by_accelerations: bool,
    ) -> Self {
        let d = measurements.degrees_of_freedom();
        let observations = part.observations();
        let count = observations.q.len() / d;
        let chosen: Vec<usize> = spread(count, LOGGED_STATES).collect();
        let c = observations.conditionals.len() / count;
        let pick = |values: &[f64], width: usize| -> Vec<f64> {
            if values.is_empty() {
                return Vec::new();
            }
            chosen.iter().flat_map(|&row| &values[row * width..(row + 1) * width]).copied().collect()
        };
        let logged_rows = Observations {
            q: pick(&observations.q, d),
            q_dot: pick(&observations.q_dot, d),
            conditionals: pick(&observations.conditionals, c),
            q_ddot: pick(&observations.q_ddot, d),
        };
        let pairs = part.trajectories.motions().enumerate();
        let pairs = pairs.flat_map(|(number, motion)| (1..motion.rows()).map(move |row| (number, row - 1))).collect();
        let deviations = training.trajectories.deviations().into_iter().enumerate().map(|(j, deviation)| {
            let angle = measurements.angles.get(j) == Some(&true);
            let deviation = if angle { deviation.min(CIRCLE) } else { deviation };
            if deviation > 0.0 { deviation } else { 1.0 }
        });
        Self {
            measurements,
            part,
            units,
            deviations: deviations.collect(),
            pairs,
            by_accelerations,
            rows: HeldOut::of_observations(d, observations),
            logged: HeldOut::of_observations(d, logged_rows.clone()),
            logged_rows,
        }
    }

    pub(super) fn dof(&self) -> usize {
        self.measurements.degrees_of_freedom()
    }

    /// What a log line says: the error on up to [`LOGGED_STATES`] rows, evenly spread.
    pub(super) fn judge(&self, model: &Model, parameters: &[f64]) -> Judged {
        let (d, never) = (self.dof(), &AtomicBool::new(false));
        let error = if self.by_accelerations {
            let found = accelerations(model, parameters, &self.logged_rows, never).expect(NOBODY);
            relative(&squares(&found, &self.logged_rows.q_ddot, d), &self.units.acceleration)
        } else {
            let pairs: Vec<_> = spread(self.pairs.len(), LOGGED_STATES).map(|place| self.pairs[place]).collect();
            // Of the mean rates.
            let squares = self.next_rows(model, parameters, &pairs, |interval| 1.0 / interval, never).expect(NOBODY);
            relative(&squares, &[&*self.units.velocity, &self.units.acceleration].concat())
        };
        Judged {
            acceleration_l1: f64::NAN,
            vector_field_l1: None,
            mass_matrix: self.logged.judge(model, parameters, LOGGED_STATES).mass_matrix,
            held_out_error: Some(error),
        }
    }

    /// Spectrum of the mass matrix on all rows, of a model that has one.
    ///
    /// # Errors
    /// A stop was asked for.
    pub(super) fn mass_matrix(
        &self,
        model: &Model,
        parameters: &[f64],
        stop: &AtomicBool,
    ) -> Result<Option<MassMatrixSpectrum>, Stopped> {
        Ok(self.rows.judge_unless(stop, model, parameters, self.rows.len()).ok_or(Stopped)?.mass_matrix)
    }

    /// Errors of the accelerations on all rows; empty where they were not measured.
    ///
    /// # Errors
    /// A stop was asked for.
    pub(super) fn acceleration_errors(
        &self,
        model: &Model,
        parameters: &[f64],
        stop: &AtomicBool,
    ) -> Result<Vec<CoordinateErrors>, Stopped> {
        let d = self.dof();
        if self.part.accelerations.is_empty() {
            return Ok(Vec::new());
        }
        let all = self.part.observations();
        let found = accelerations(model, parameters, &all, stop)?;
        let Squares { errors, rows, .. } = squares(&found, &all.q_ddot, d);
        let columns = self.measurements.labels.q_ddot.iter().zip(errors).zip(&self.units.acceleration);
        let columns = columns.map(|((column, error), unit)| {
            let root_mean_square = (error / rows as f64).sqrt();
            let relative = root_mean_square / unit;
            CoordinateErrors { name: column.name.clone(), unit: column.unit.clone(), root_mean_square, relative }
        });
        Ok(columns.collect())
    }

    /// Errors of the state one row later, on all rows that have a next one.
    ///
    /// # Errors
    /// A stop was asked for.
    pub(super) fn one_row_errors(
        &self,
        model: &Model,
        parameters: &[f64],
        stop: &AtomicBool,
    ) -> Result<Vec<CoordinateErrors>, Stopped> {
        let labels = &self.measurements.labels;
        let Squares { errors, sizes, rows } = self.next_rows(model, parameters, &self.pairs, |_| 1.0, stop)?;
        let columns = labels.q.iter().chain(&labels.q_dot).zip(errors.into_iter().zip(sizes));
        let columns = columns.map(|(column, (error, size))| CoordinateErrors {
            name: column.name.clone(),
            unit: column.unit.clone(),
            root_mean_square: (error / rows as f64).sqrt(),
            relative: (error / size).sqrt(),
        });
        Ok(columns.collect())
    }

    /// Squared errors of what has changed one row after each of `pairs` (trajectory, row), times a `factor` of the interval.
    fn next_rows(
        &self,
        model: &Model,
        parameters: &[f64],
        pairs: &[(usize, usize)],
        factor: impl Fn(f64) -> f64 + Sync,
        stop: &AtomicBool,
    ) -> Result<Squares, Stopped> {
        let d = self.dof();
        let shares: Result<Vec<Squares>, Stopped> = pairs
            .par_chunks(BLOCK)
            .map_init(
                || SegmentBlock::<f64>::new(model, BLOCK, SUBSTEPS, false),
                |block, pairs| {
                    go_on(stop)?;
                    let (mut q, mut q_dot, mut conditionals) = (Vec::new(), Vec::new(), Vec::new());
                    let mut intervals = Vec::new();
                    let motion = |number: usize| self.part.trajectories.motion(number);
                    for &(number, row) in pairs {
                        let motion = motion(number);
                        let (position, velocity) = motion.state(row).split_at(d);
                        q.extend_from_slice(position);
                        q_dot.extend_from_slice(velocity);
                        conditionals.extend_from_slice(motion.conditionals);
                        intervals.push((motion.times[row + 1] - motion.times[row]) / SUBSTEPS as f64);
                    }
                    let states = States { q: &q, q_dot: &q_dot, conditionals: &conditionals };
                    block.forward(model.bind(parameters), states, &intervals.repeat(SUBSTEPS));
                    let last = &block.states()[SUBSTEPS * 2 * pairs.len() * d..];
                    let mut squares = Squares { errors: vec![0.0; 2 * d], sizes: vec![0.0; 2 * d], rows: pairs.len() };
                    for (place, &(number, row)) in pairs.iter().enumerate() {
                        let motion = motion(number);
                        let factor = factor(motion.times[row + 1] - motion.times[row]);
                        let (before, after) = (motion.state(row), motion.state(row + 1));
                        for j in 0..2 * d {
                            let predicted = last[((j / d) * pairs.len() + place) * d + j % d];
                            squares.errors[j] += (factor * (predicted - after[j])).powi(2);
                            squares.sizes[j] += (factor * (after[j] - before[j])).powi(2);
                        }
                    }
                    Ok(squares)
                },
            )
            .collect();
        let nothing = Squares { errors: vec![0.0; 2 * d], sizes: vec![0.0; 2 * d], rows: 0 };
        Ok(shares?.into_iter().fold(nothing, |mut sum, share| {
            for (sum, share) in [(&mut sum.errors, share.errors), (&mut sum.sizes, share.sizes)] {
                sum.iter_mut().zip(share).for_each(|(sum, share)| *sum += share);
            }
            sum.rows += share.rows;
            sum
        }))
    }
}

/// Up to `most` of `count` places, evenly spread.
fn spread(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let taken = count.min(most);
    (0..taken).map(move |number| number * count / taken)
}

/// √ of the mean over components of the mean squared error in these units.
fn relative(squares: &Squares, units: &[f64]) -> f64 {
    let mean = squares.errors.iter().zip(units).map(|(error, unit)| error / squares.rows as f64 / (unit * unit));
    (mean.sum::<f64>() / units.len() as f64).sqrt()
}

/// Squared differences of rows `[rows, n]`, and squares of the second.
fn squares(a: &[f64], b: &[f64], n: usize) -> Squares {
    let mut squares = Squares { errors: vec![0.0; n], sizes: vec![0.0; n], rows: a.len() / n };
    for (place, (a, b)) in a.iter().zip(b).enumerate() {
        squares.errors[place % n] += (a - b).powi(2);
        squares.sizes[place % n] += b * b;
    }
    squares
}

/// The model's q̈ of states, `[rows, d]`.
fn accelerations(
    model: &Model,
    parameters: &[f64],
    states: &Observations,
    stop: &AtomicBool,
) -> Result<Vec<f64>, Stopped> {
    let Observations { q, q_dot, conditionals, .. } = states;
    let d = model.features().degrees_of_freedom();
    let c = model.features().conditionals();
    let rows = q.len() / d;
    let blocks: Result<Vec<Vec<f64>>, Stopped> = (0..rows.div_ceil(BLOCK))
        .into_par_iter()
        .map_init(
            || model.block::<f64>(BLOCK, false),
            |block, number| {
                go_on(stop)?;
                let rows = number * BLOCK..((number + 1) * BLOCK).min(rows);
                let [mut velocity, mut acceleration] = [(); 2].map(|()| vec![0.0; rows.len() * d]);
                let states = States {
                    q: &q[rows.start * d..rows.end * d],
                    q_dot: &q_dot[rows.start * d..rows.end * d],
                    conditionals: &conditionals[rows.start * c..rows.end * c],
                };
                let rates = RatesMut { q: &mut velocity, q_dot: &mut acceleration };
                block.rates(model.bind(parameters), states, rates);
                Ok(acceleration)
            },
        )
        .collect();
    Ok(blocks?.concat())
}
