//! What is measured of a trained model: the error of its rates of change, and how well it keeps its own energy.

use std::sync::atomic::AtomicBool;

use lnn_physics::System;
use lnn_physics::sampling::Distribution;
use serde::{Deserialize, Serialize};

use crate::config::{ExperimentConfig, ModelConfig, TrainingData};
use crate::evaluate::{RolloutError, RolloutPlan};
use crate::experiment::{ExperimentError, Purpose, rollout_distribution, sampler, training_distribution};
use crate::loss::LossWeight;
use crate::model::{Model, RatesMut, States};
use crate::record::Trajectory;
use crate::target::{DataError, acceleration_into};
use crate::trajectory::simulate;

/// Held-out states that errors and the spread of energies are measured on.
const STATES: usize = 4096;
/// Rows a block.
const BLOCK: usize = 64;

/// What was measured of one model of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Σ w |Δẋ| / Σ w |ẋ| over held-out states and the rates ẋ that the model learns: q̈ of a model of second order, else
    /// (q̇, q̈), in canonical coordinates (q̇, ṗ). The weights w are those of its training. `null` if it is not finite.
    pub rate_error: Option<f64>,
    /// Σ |x + Δt ẋ − x(Δt)| / Σ |x(Δt) − x| of a model that was trained to give the next state x(Δt): its error at the very
    /// time step of its training. Absent for other models; the largest finite number, if it is not finite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_error: Option<f64>,
    /// How the model keeps the energy that it has learned; absent for a model without one.
    pub energy: Option<EnergyDrift>,
}

/// How learned motions keep the model's own energy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnergyDrift {
    /// Median over the rollouts of |E(T) − E(0)| of the model's own energy, in units of its standard deviation over
    /// held-out states. A failed rollout counts as infinite; `null` if the median is.
    pub drift: Option<f64>,
    /// Rollouts.
    pub rollouts: usize,
    /// Those that failed.
    pub failed: usize,
}

/// States of a run's system as a model takes them, row-major.
struct Rows {
    q: Vec<f64>,
    /// Velocities, or momenta.
    second: Vec<f64>,
    conditionals: Vec<f64>,
}

/// Judges a trained model of a run with the configuration `config`. `None` if `stop` was set.
///
/// # Errors
/// A range that cannot be sampled, a state without finite rates, or rollouts that cannot be integrated.
pub(super) fn measure(
    config: &ExperimentConfig,
    model_config: &ModelConfig,
    system: &dyn System,
    model: &Model,
    parameters: &[f64],
    stop: &AtomicBool,
) -> Result<Option<Measured>, ExperimentError> {
    let ranges = training_distribution(config, system)?;
    let mut drawn = vec![0.0; STATES * ranges.len()];
    sampler(config.seed, Purpose::HeldOut).fill(0, &ranges, &mut drawn);
    let rows = Rows::of(model, system, drawn.chunks_exact(ranges.len()));
    let step_error = match model_config.training.data {
        TrainingData::NextState { dt, .. } => Some(step_error(model, parameters, system, config.seed, &ranges, dt)?),
        _ => None,
    };
    let error = rate_error(model, parameters, system, model_config.training.weight, &drawn, &rows)?;
    let finite = |value: f64| value.is_finite().then_some(value);
    let Some(spread) = energies(model, parameters, &rows).map(|energies| standard_deviation(&energies)) else {
        return Ok(Some(Measured { rate_error: finite(error), step_error, energy: None }));
    };
    let dof = system.degrees_of_freedom();
    let starts = rollout_distribution(config, system)?;
    let plan = RolloutPlan::new(dof, &starts, sampler(config.seed, Purpose::Rollout), &config.evaluation)?;
    let trajectories = match plan.model(model, parameters, system, stop) {
        Ok(trajectories) => trajectories,
        Err(RolloutError::Stopped) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let conditionals = plan.conditionals().chunks_exact(system.conditionals().len().max(1));
    let conditionals = conditionals.chain(std::iter::repeat(&[][..]));
    let mut drifts: Vec<f64> = trajectories
        .iter()
        .zip(conditionals)
        .map(|(trajectory, conditionals)| drift(model, parameters, system, trajectory, conditionals) / spread)
        .collect();
    drifts.sort_unstable_by(f64::total_cmp);
    let failed = trajectories.iter().filter(|trajectory| trajectory.failure.is_some()).count();
    let median = drifts.get(drifts.len() / 2).copied().unwrap_or(f64::INFINITY);
    let energy = EnergyDrift { drift: finite(median), rollouts: trajectories.len(), failed };
    Ok(Some(Measured { rate_error: finite(error), step_error, energy: Some(energy) }))
}

impl Rows {
    /// States `[q, q̇, conditionals]`, in the coordinates of `model`.
    fn of<'a>(model: &Model, system: &dyn System, states: impl Iterator<Item = &'a [f64]>) -> Self {
        let d = system.degrees_of_freedom();
        let canonical = model.is_canonical().then(|| system.canonical()).flatten();
        let mut rows = Self { q: Vec::new(), second: Vec::new(), conditionals: Vec::new() };
        let mut p = vec![0.0; d];
        for state in states {
            let (q, q_dot, conditionals) = (&state[..d], &state[d..2 * d], &state[2 * d..]);
            rows.q.extend_from_slice(q);
            rows.conditionals.extend_from_slice(conditionals);
            match canonical {
                Some(canonical) => {
                    canonical.momentum_into(q, q_dot, conditionals, &mut p);
                    rows.second.extend_from_slice(&p);
                }
                None => rows.second.extend_from_slice(q_dot),
            }
        }
        rows
    }

    /// Blocks of at most [`BLOCK`] rows.
    fn blocks(&self, dof: usize) -> impl Iterator<Item = States<'_, f64>> {
        let count = self.q.len() / dof;
        let c = self.conditionals.len() / count.max(1);
        (0..count).step_by(BLOCK).map(move |first| {
            let last = (first + BLOCK).min(count);
            States {
                q: &self.q[first * dof..last * dof],
                q_dot: &self.second[first * dof..last * dof],
                conditionals: &self.conditionals[first * c..last * c],
            }
        })
    }
}

/// The relative error of the rates at `drawn` states `[q, q̇, conditionals]`, which are `rows` as the model takes them.
fn rate_error(
    model: &Model,
    parameters: &[f64],
    system: &dyn System,
    weight: LossWeight,
    drawn: &[f64],
    rows: &Rows,
) -> Result<f64, DataError> {
    let d = system.degrees_of_freedom();
    let canonical = model.is_canonical().then(|| system.canonical()).flatten();
    let mut block = model.block::<f64>(BLOCK, false);
    let networks = model.bind(parameters);
    let [mut velocity, mut second] = [(); 2].map(|()| vec![0.0; BLOCK * d]);
    let mut truth = vec![0.0; d];
    let mut states = drawn.chunks_exact(2 * d + system.conditionals().len()).enumerate();
    let (mut error, mut size) = (0.0, 0.0);
    for rows in rows.blocks(d) {
        let length = rows.q.len();
        block.rates(networks, rows, RatesMut { q: &mut velocity[..length], q_dot: &mut second[..length] });
        let learned = velocity[..length].chunks_exact(d).zip(second[..length].chunks_exact(d));
        for ((velocity, second), (row, state)) in learned.zip(states.by_ref()) {
            let (q, q_dot, conditionals) = (&state[..d], &state[d..2 * d], &state[2 * d..]);
            match canonical {
                Some(canonical) => canonical.momentum_rate_into(q, q_dot, conditionals, &mut truth),
                None => acceleration_into::<f64>(system, state, &mut truth)?,
            }
            let weight = weight.of(row, q_dot)?;
            for (learned, truth) in second.iter().zip(&truth) {
                error += weight * (learned - truth).abs();
                size += weight * truth.abs();
            }
            if !model.is_second_order() {
                for (learned, truth) in velocity.iter().zip(q_dot) {
                    error += weight * (learned - truth).abs();
                    size += weight * truth.abs();
                }
            }
        }
    }
    Ok(error / size)
}

/// The relative error of one step x + Δt ẋ of the length that the model was trained with.
fn step_error(
    model: &Model,
    parameters: &[f64],
    system: &dyn System,
    seed: u64,
    ranges: &[Distribution],
    dt: f64,
) -> Result<f64, ExperimentError> {
    let d = system.degrees_of_freedom();
    let refused = |source| ExperimentError::Trajectories { name: "next-state".to_owned(), source };
    let motions = simulate(system, ranges, sampler(seed, Purpose::HeldOut), STATES, &[0.0, dt]).map_err(refused)?;
    let mut block = model.block::<f64>(1, false);
    let [mut velocity, mut second] = [(); 2].map(|()| vec![0.0; d]);
    let (mut error, mut size) = (0.0, 0.0);
    for motion in motions.motions() {
        let (start, end) = (motion.state(0), motion.state(1));
        let (q, q_dot) = start.split_at(d);
        let states = States { q, q_dot, conditionals: motion.conditionals };
        block.rates(model.bind(parameters), states, RatesMut { q: &mut velocity, q_dot: &mut second });
        for ((&start, &end), &rate) in start.iter().zip(end).zip(velocity.iter().chain(&second)) {
            error += (start + dt * rate - end).abs();
            size += (end - start).abs();
        }
    }
    let relative: f64 = error / size;
    Ok(if relative.is_finite() { relative } else { f64::MAX })
}

/// The model's own energies of `rows`; `None` for a model without.
fn energies(model: &Model, parameters: &[f64], rows: &Rows) -> Option<Vec<f64>> {
    let d = model.features().degrees_of_freedom();
    let mut block = model.block::<f64>(BLOCK, false);
    let networks = model.bind(parameters);
    let mut energies = vec![0.0; rows.q.len() / d];
    for (states, energy) in rows.blocks(d).zip(energies.chunks_mut(BLOCK)) {
        if !block.energy(networks, states, energy) {
            return None;
        }
    }
    Some(energies)
}

/// |E(T) − E(0)| of the model's own energy along a rollout; infinite if it failed.
fn drift(model: &Model, parameters: &[f64], system: &dyn System, trajectory: &Trajectory, conditionals: &[f64]) -> f64 {
    let width = 2 * system.degrees_of_freedom();
    let mut frames = trajectory.states.chunks_exact(width);
    let (None, Some(first), Some(last)) = (&trajectory.failure, frames.next(), frames.next_back()) else {
        return f64::INFINITY;
    };
    let ends = [first, last].map(|state| [state, conditionals].concat());
    let rows = Rows::of(model, system, ends.iter().map(Vec::as_slice));
    match energies(model, parameters, &rows).as_deref() {
        Some([start, end]) if (end - start).is_finite() => (end - start).abs(),
        _ => f64::INFINITY,
    }
}

fn standard_deviation(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::presets;
    use crate::experiment::{build_model_for, build_system};

    #[test]
    fn an_untrained_lagrangian_keeps_its_energy_and_a_plain_network_has_none() {
        let mut config = presets::models();
        config.evaluation.rollouts = 3;
        config.evaluation.t_end = 1.0;
        config.evaluation.integrator = crate::config::IntegratorConfig::Rk4 { dt: 0.0025 };
        let system = build_system(&config.system).expect("the double pendulum");
        let stop = AtomicBool::new(false);
        for (name, model_config) in &config.models {
            let model = build_model_for(model_config, &*system).expect("usable");
            let parameters: Vec<f64> = model_config.initialisation.draw(&model, 1);
            let measured = measure(&config, model_config, &*system, &model, &parameters, &stop).expect("measurable");
            let Measured { rate_error, energy, .. } = measured.expect("not stopped");
            // Untrained: as wrong as the rates are large.
            assert!(rate_error.is_none_or(|error| error > 0.2), "{name}: {rate_error:?}");
            let plain = !model_config.kind.differentiates_network();
            assert_eq!(energy.is_none(), plain, "{name}");
            if name == "delan" {
                let drift = energy.and_then(|energy| energy.drift).expect("its mass matrix is never singular");
                assert!(drift < 1e-4, "{name}: {drift:e}");
            }
            let stopped = AtomicBool::new(true);
            let none = measure(&config, model_config, &*system, &model, &parameters, &stopped).expect("measurable");
            assert_eq!(none.is_none(), !plain, "{name}");
        }
    }

    #[test]
    fn a_network_without_weights_stands_still_for_a_whole_step() {
        let config = presets::models();
        let mut model_config = config.models[presets::NEURAL_ODE].clone();
        model_config.training.train_on(TrainingData::next_state());
        let system = build_system(&config.system).expect("the double pendulum");
        let model = build_model_for(&model_config, &*system).expect("usable");
        let stop = AtomicBool::new(false);
        let still = vec![0.0; model.parameter_count()];
        let measured = measure(&config, &model_config, &*system, &model, &still, &stop).expect("measurable");
        let Measured { rate_error, step_error, energy } = measured.expect("not stopped");
        assert_eq!((rate_error, step_error, energy), (Some(1.0), Some(1.0), None));
    }

    #[test]
    fn the_spread_is_that_of_the_values() {
        assert_eq!(standard_deviation(&[1.0, 3.0, 1.0, 3.0]), 1.0);
    }
}
