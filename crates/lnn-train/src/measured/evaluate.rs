//! What a model is worth on motions that it was not trained on.

use std::f64::consts::{PI, TAU};
use std::sync::atomic::{AtomicBool, Ordering};

use lnn_physics::integrators::{
    DormandPrinceOptions, IntegrationError, IntegrationFailure, InvalidInput, Method, solve_at,
};
use rayon::prelude::*;

use super::measurements::Measurements;
use super::record::{CoordinateErrors, EnergyDrift, MeasuredRollout, RolloutErrors};
use super::split::Part;
use crate::evaluate::{HeldOut, LOGGED_STATES};
use crate::fit::{Observations, ResidualUnits};
use crate::model::{Model, RatesMut, States};
use crate::motion::{Stopped, go_on};
use crate::record::{Judged, MassMatrixSpectrum, RolloutFailure};
use crate::rollout::{LearnedField, TrainedModel};
use crate::segment::SegmentBlock;
use crate::trajectory::Motion;

/// Rows a block; fixed, so that sums do not depend on the number of threads.
const BLOCK: usize = 64;
/// Runge–Kutta steps of the model from a row to the next.
const SUBSTEPS: usize = 4;
/// Tolerance of rollouts, in units of the deviations.
const TOLERANCE: f64 = 1e-8;
/// Most steps for each row of a motion: a badly trained model can have accelerations that no step size can follow, and its
/// rollouts must end within seconds.
const MOST_STEPS_A_ROW: u64 = 300;
/// Distance below which a rollout is called faithful.
const FAITHFUL: f64 = 0.1;

/// Held-out motions, with what they are judged by.
pub(super) struct HeldOutMotions<'a> {
    measurements: &'a Measurements,
    part: &'a Part,
    units: &'a ResidualUnits,
    /// Deviations of (q, q̇), `[2d]`, above 0.
    deviations: Vec<f64>,
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
        let deviations = training.trajectories.deviations();
        Self {
            measurements,
            part,
            units,
            deviations: deviations.into_iter().map(|x| if x > 0.0 { x } else { 1.0 }).collect(),
            pairs,
            by_accelerations,
            rows: HeldOut::of_observations(d, observations),
            logged: HeldOut::of_observations(d, logged_rows.clone()),
            logged_rows,
        }
    }

    fn dof(&self) -> usize {
        self.measurements.degrees_of_freedom()
    }

    /// What a log line says: the error on up to [`LOGGED_STATES`] rows, evenly spread.
    pub(super) fn judge(&self, model: &Model, parameters: &[f64]) -> Judged {
        let d = self.dof();
        let error = if self.by_accelerations {
            let found = accelerations(model, parameters, &self.logged_rows);
            relative(&squares(&found, &self.logged_rows.q_ddot, d), &self.units.acceleration)
        } else {
            let pairs: Vec<_> = spread(self.pairs.len(), LOGGED_STATES).map(|place| self.pairs[place]).collect();
            let squares = self.mean_rates(model, parameters, &pairs);
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
    pub(super) fn acceleration_errors(&self, model: &Model, parameters: &[f64]) -> Vec<CoordinateErrors> {
        let d = self.dof();
        if self.part.accelerations.is_empty() {
            return Vec::new();
        }
        let all = self.part.observations();
        let found = accelerations(model, parameters, &all);
        let Squares { errors, rows, .. } = squares(&found, &all.q_ddot, d);
        let columns = self.measurements.labels.q_ddot.iter().zip(errors).zip(&self.units.acceleration);
        columns
            .map(|((column, error), unit)| {
                let root_mean_square = (error / rows as f64).sqrt();
                let relative = root_mean_square / unit;
                CoordinateErrors { name: column.name.clone(), unit: column.unit.clone(), root_mean_square, relative }
            })
            .collect()
    }

    /// Errors of the state one row later, on all rows that have a next one.
    pub(super) fn one_row_errors(&self, model: &Model, parameters: &[f64]) -> Vec<CoordinateErrors> {
        let labels = &self.measurements.labels;
        let Squares { errors, sizes, rows } = self.next_rows(model, parameters, &self.pairs, |_| 1.0);
        let columns = labels.q.iter().chain(&labels.q_dot).zip(errors.into_iter().zip(sizes));
        columns
            .map(|(column, (error, size))| CoordinateErrors {
                name: column.name.clone(),
                unit: column.unit.clone(),
                root_mean_square: (error / rows as f64).sqrt(),
                relative: (error / size).sqrt(),
            })
            .collect()
    }

    /// Squared errors of the mean rates of (q, q̇) up to the next row.
    fn mean_rates(&self, model: &Model, parameters: &[f64], pairs: &[(usize, usize)]) -> Squares {
        self.next_rows(model, parameters, pairs, |interval| 1.0 / interval)
    }

    /// Squared errors of what has changed one row after each of `pairs` (trajectory, row), times a `factor` of the interval.
    fn next_rows(
        &self,
        model: &Model,
        parameters: &[f64],
        pairs: &[(usize, usize)],
        factor: impl Fn(f64) -> f64 + Sync,
    ) -> Squares {
        let d = self.dof();
        let shares: Vec<Squares> = pairs
            .par_chunks(BLOCK)
            .map_init(
                || SegmentBlock::<f64>::new(model, BLOCK, SUBSTEPS, false),
                |block, pairs| {
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
                    squares
                },
            )
            .collect();
        let nothing = Squares { errors: vec![0.0; 2 * d], sizes: vec![0.0; 2 * d], rows: 0 };
        shares.into_iter().fold(nothing, |mut sum, share| {
            for (sum, share) in [(&mut sum.errors, share.errors), (&mut sum.sizes, share.sizes)] {
                sum.iter_mut().zip(share).for_each(|(sum, share)| *sum += share);
            }
            sum.rows += share.rows;
            sum
        })
    }

    /// The model's motion from the first state of every held-out trajectory, over its times; `None` once a stop was asked
    /// for.
    ///
    /// Integrated in units of the deviations, so that the tolerance means the same for every component.
    ///
    /// # Errors
    /// Times that cannot be followed.
    pub(super) fn rollouts(
        &self,
        model: &Model,
        parameters: &[f64],
        stop: &AtomicBool,
    ) -> Result<Option<Vec<MeasuredRollout>>, InvalidInput> {
        let trained = TrainedModel::new(model, parameters);
        let numbers = self.part.numbers.par_iter().enumerate();
        let rollouts = numbers.map(|(place, &number)| {
            let motion = self.part.trajectories.motion(place);
            self.rollout(&trained, (model, parameters), (number, motion), stop)
        });
        let rollouts: Result<Vec<_>, InvalidInput> = rollouts.collect();
        Ok(rollouts?.into_iter().collect())
    }

    fn rollout(
        &self,
        trained: &TrainedModel<f64>,
        (model, parameters): (&Model, &[f64]),
        (number, motion): (usize, Motion<'_>),
        stop: &AtomicBool,
    ) -> Result<Option<MeasuredRollout>, InvalidInput> {
        let (scales, d) = (&self.deviations, self.dof());
        let mut field = LearnedField::new(model, 1);
        let mut state = vec![0.0; 2 * d];
        let derivative = |_t: f64, scaled: &[f64], scaled_dot: &mut [f64]| {
            go_on(stop)?;
            for ((x, scaled), scale) in state.iter_mut().zip(scaled).zip(scales) {
                *x = scaled * scale;
            }
            field.evaluate(trained, &state, motion.conditionals, scaled_dot);
            scaled_dot.iter_mut().zip(scales).for_each(|(x, scale)| *x /= scale);
            Ok::<(), Stopped>(())
        };
        let method = Method::DormandPrince(DormandPrinceOptions {
            relative_tolerance: TOLERANCE,
            absolute_tolerance: TOLERANCE,
            max_steps: MOST_STEPS_A_ROW.saturating_mul(motion.rows() as u64),
            ..DormandPrinceOptions::default()
        });
        let initial: Vec<f64> = motion.state(0).iter().zip(scales).map(|(x, scale)| x / scale).collect();
        let (scaled, failure) = match solve_at(&method, derivative, &initial, motion.times) {
            Ok(solution) => (solution.states, None),
            Err(IntegrationFailure { error: IntegrationError::Input(input), .. }) => return Err(input),
            Err(_) if stop.load(Ordering::Relaxed) => return Ok(None),
            Err(IntegrationFailure { error, partial }) => {
                let time = partial.times.last().copied().unwrap_or(motion.times[0]);
                let reason = error.to_string();
                (partial.states, Some(RolloutFailure { time, reason }))
            }
        };
        let predicted: Vec<f64> = scaled.iter().enumerate().map(|(place, x)| x * scales[place % (2 * d)]).collect();
        let energy = |states: &[f64]| energies(model, parameters, d, states, motion.conditionals);
        Ok(Some(MeasuredRollout {
            number,
            origin: self.measurements.origins[number].describe(),
            times: motion.times.to_vec(),
            measured: motion.states.to_vec(),
            measured_energy: energy(motion.states),
            predicted_energy: energy(&predicted),
            distance: self.distances(&predicted, motion.states),
            predicted,
            conditionals: motion.conditionals.to_vec(),
            failure,
        }))
    }

    fn distances(&self, predicted: &[f64], measured: &[f64]) -> Vec<f64> {
        let (d, angles) = (self.dof(), &self.measurements.angles);
        let rows = predicted.chunks_exact(2 * d).zip(measured.chunks_exact(2 * d));
        rows.map(|(a, b)| {
            let squares = a.iter().zip(b).enumerate().map(|(j, (a, b))| {
                let difference = if j < d && angles[j] { (a - b + PI).rem_euclid(TAU) - PI } else { a - b };
                (difference / self.deviations[j]).powi(2)
            });
            (squares.sum::<f64>() / (2 * d) as f64).sqrt()
        })
        .collect()
    }

    /// How far these rollouts are from what was measured.
    pub(super) fn rollout_errors(rollouts: &[MeasuredRollout]) -> RolloutErrors {
        let elapsed = |rollout: &MeasuredRollout, row: usize| rollout.times[row] - rollout.times[0];
        let duration = |rollout: &MeasuredRollout| elapsed(rollout, rollout.times.len() - 1);
        let at = |rollout: &MeasuredRollout, tenth: usize| {
            let time = duration(rollout) * tenth as f64 / 10.0;
            let row = (0..rollout.times.len()).find(|&row| elapsed(rollout, row) >= time * (1.0 - 1e-12));
            // Of a rollout that ended before, nothing is known but that it is lost.
            row.and_then(|row| rollout.distance.get(row).copied()).unwrap_or(f64::INFINITY)
        };
        let faithful = |rollout: &MeasuredRollout| {
            let row = rollout.distance.iter().position(|&distance| distance > FAITHFUL);
            let lost = row.unwrap_or(rollout.distance.len());
            elapsed(rollout, lost.saturating_sub(1).min(rollout.times.len() - 1))
        };
        RolloutErrors {
            by_tenth: (1..=10)
                .map(|tenth| Some(median(rollouts.iter().map(|rollout| at(rollout, tenth)))).filter(|x| x.is_finite()))
                .collect(),
            faithful_time: median(rollouts.iter().map(faithful)),
            duration: median(rollouts.iter().map(duration)),
            failed: rollouts.iter().filter(|rollout| rollout.failure.is_some()).count(),
            count: rollouts.len(),
        }
    }

    /// How the learned energy varies along motions that should keep it; `None` for a model without energy.
    pub(super) fn energy_drift(
        &self,
        model: &Model,
        parameters: &[f64],
        rollouts: &[MeasuredRollout],
    ) -> Option<EnergyDrift> {
        let d = self.dof();
        let kinetic = |rollout: &MeasuredRollout| {
            let mut at_rest = rollout.measured.clone();
            for state in at_rest.chunks_exact_mut(2 * d) {
                state[d..].fill(0.0);
            }
            let at_rest = energies(model, parameters, d, &at_rest, &rollout.conditionals);
            let differences = rollout.measured_energy.iter().zip(at_rest).map(|(energy, rest)| (energy - rest).abs());
            (differences.sum::<f64>(), rollout.measured_energy.len())
        };
        let sums = rollouts.iter().map(kinetic).fold((0.0, 0), |(sum, n), (more, rows)| (sum + more, n + rows));
        if sums.1 == 0 {
            return None;
        }
        let percent = 100.0 * sums.1 as f64 / sums.0;
        let drift = |energies: fn(&MeasuredRollout) -> &[f64]| {
            percent * median(rollouts.iter().map(|rollout| deviation(energies(rollout))))
        };
        Some(EnergyDrift {
            measured_percent: drift(|rollout| &rollout.measured_energy),
            rollout_percent: drift(|rollout| &rollout.predicted_energy),
        })
    }
}

/// Up to `most` of `count` places, evenly spread.
fn spread(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let taken = count.min(most);
    (0..taken).map(move |number| number * count / taken)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn deviation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt()
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
fn accelerations(model: &Model, parameters: &[f64], states: &Observations) -> Vec<f64> {
    let Observations { q, q_dot, conditionals, .. } = states;
    let d = model.features().degrees_of_freedom();
    let c = model.features().conditionals();
    let rows = q.len() / d;
    let blocks: Vec<Vec<f64>> = (0..rows.div_ceil(BLOCK))
        .into_par_iter()
        .map_init(
            || model.block::<f64>(BLOCK, false),
            |block, number| {
                let rows = number * BLOCK..((number + 1) * BLOCK).min(rows);
                let [mut velocity, mut acceleration] = [(); 2].map(|()| vec![0.0; rows.len() * d]);
                let states = States {
                    q: &q[rows.start * d..rows.end * d],
                    q_dot: &q_dot[rows.start * d..rows.end * d],
                    conditionals: &conditionals[rows.start * c..rows.end * c],
                };
                let rates = RatesMut { q: &mut velocity, q_dot: &mut acceleration };
                block.rates(model.bind(parameters), states, rates);
                acceleration
            },
        )
        .collect();
    blocks.concat()
}

/// Learned energies of states `[rows, 2d]` with the same conditionals; nothing for a model without one.
fn energies(model: &Model, parameters: &[f64], d: usize, states: &[f64], conditionals: &[f64]) -> Vec<f64> {
    let mut energies = vec![0.0; states.len() / (2 * d)];
    let mut block = model.block::<f64>(BLOCK, false);
    for (states, energies) in states.chunks(BLOCK * 2 * d).zip(energies.chunks_mut(BLOCK)) {
        let half = |first: usize| -> Vec<f64> {
            states.chunks_exact(2 * d).flat_map(|state| &state[first..first + d]).copied().collect()
        };
        let (q, q_dot) = (half(0), half(d));
        let conditionals = conditionals.repeat(energies.len());
        let states = States { q: &q, q_dot: &q_dot, conditionals: &conditionals };
        if !block.energy(model.bind(parameters), states, energies) {
            return Vec::new();
        }
    }
    energies
}
