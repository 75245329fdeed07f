//! The one place where a configuration's values are judged; what is built from it need not ask again.

mod system;

use std::fmt::Display;
use std::ops::Deref;
use std::sync::Arc;

use lnn_physics::System;

use super::error::Problem;
use super::evaluation::{EvaluationConfig, IntegratorConfig};
use super::experiment::ExperimentConfig;
use super::model::{Initialisation, ModelConfig, ModelKind, TrainingConfig};
use super::nearest::suggestion;
use super::presets::experiments;
use super::system::{SamplingTail, SystemConfig};
use crate::loss::LossWeight;
use crate::optimiser::SettingProblem;

/// Widest layer accepted: its square weight matrix still fits in memory.
const WIDEST: usize = 16_384;
/// Most hidden layers accepted.
const DEEPEST: usize = 64;
/// More partial gradients than any machine has cores.
const MOST_PARTS: usize = 1024;
/// Largest batch accepted.
const LARGEST_BATCH: usize = 1 << 22;
/// Most parameters of one model: with the optimiser's state some ten numbers each are kept.
const MOST_PARAMETERS: u64 = 1_000_000_000;
/// Most members of an ensemble: their checkpoints are files of their own.
const LARGEST_ENSEMBLE: usize = 1024;
/// Most held-out states.
const MOST_HELD_OUT: usize = 100_000_000;
/// Most frames that a rollout may record.
const MOST_FRAMES: f64 = 1e7;
/// Most numbers in the rollouts of one model: frames of all of them, 2d numbers each.
const MOST_ROLLOUT_NUMBERS: f64 = 1e9;
/// Most steps of a fixed-step integrator in one rollout. Each step is then far above the round-off of the time.
const MOST_INTEGRATOR_STEPS: f64 = 1e9;
/// Longest time between checkpoints: thirty years.
const LONGEST_CHECKPOINT_SECONDS: f64 = 1e9;

/// A configuration whose values have all been judged usable.
#[derive(Clone, Debug, PartialEq)]
pub struct Validated(ExperimentConfig);

impl Validated {
    /// Gives the configuration back, for changes; the result must be validated again.
    pub fn into_inner(self) -> ExperimentConfig {
        self.0
    }
}

impl Deref for Validated {
    type Target = ExperimentConfig;

    fn deref(&self) -> &ExperimentConfig {
        &self.0
    }
}

impl ExperimentConfig {
    /// Judges every value, and writes down the parameters of the system that are left at their defaults.
    ///
    /// # Errors
    /// All problems at once, in the order of the fields.
    pub fn validate(self) -> Result<Validated, Vec<Problem>> {
        let mut check = Check::default();
        let complete = check.experiment(&self);
        match complete {
            Some(system) if check.problems.is_empty() => Ok(Validated(Self { system, ..self })),
            _ => Err(check.problems),
        }
    }
}

impl SystemConfig {
    /// The system with all its parameters written down, and as built from them.
    ///
    /// # Errors
    /// What is wrong with its name or parameters.
    pub(super) fn judged(&self) -> Result<(Self, Arc<dyn System>), Vec<Problem>> {
        let mut check = Check::default();
        check.system(&self.name, self).ok_or(check.problems)
    }
}

/// Collects problems; each method judges one part and names its fields below `path`.
#[derive(Default)]
pub(crate) struct Check {
    pub(crate) problems: Vec<Problem>,
}

impl Check {
    pub(crate) fn require(&mut self, ok: bool, field: impl Into<String>, given: impl Display, expected: &str) {
        if !ok {
            self.problems.push(Problem {
                field: field.into(),
                given: given.to_string(),
                expected: expected.to_owned(),
            });
        }
    }

    pub(crate) fn positive(&mut self, field: impl Into<String>, value: f64) {
        self.require(value.is_finite() && value > 0.0, field, value, "a finite number above 0");
    }

    pub(crate) fn not_negative(&mut self, field: impl Into<String>, value: f64) {
        self.require(value.is_finite() && value >= 0.0, field, value, "a finite number, 0 or above");
    }

    fn fraction(&mut self, field: impl Into<String>, value: f64) {
        self.require(value > 0.0 && value < 1.0, field, value, "a number strictly between 0 and 1");
    }

    pub(crate) fn count(&mut self, field: impl Into<String>, value: u64) {
        self.require(value >= 1, field, value, "a whole number, 1 or above");
    }

    pub(crate) fn file_name_part(&mut self, field: impl Into<String>, name: &str) {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        self.require(
            !name.is_empty() && name.len() <= 64 && name.chars().all(plain),
            field,
            format_args!("{name:?}"),
            "1 to 64 of the characters a–z, A–Z, 0–9, `-`, `_`, since it becomes part of file names",
        );
    }

    /// Problems that a part found in its own fields, which lie below `path`.
    fn part(&mut self, path: &str, found: Vec<SettingProblem>) {
        self.problems.extend(found.into_iter().map(|SettingProblem { field, given, expected }| Problem {
            field: format!("{path}.{field}"),
            given,
            expected: format!("a value {expected}"),
        }));
    }

    /// The system with all its parameters, if it can be built.
    fn experiment(&mut self, config: &ExperimentConfig) -> Option<SystemConfig> {
        let ExperimentConfig {
            experiment,
            preset,
            seed,
            ensemble,
            system,
            protocol,
            sampling,
            sampling_tail,
            sampling_curriculum,
            models,
            evaluation,
            log_every,
            checkpoint_every_seconds,
        } = config;
        self.require(
            experiments().any(|name| name == experiment),
            "experiment",
            format_args!("{experiment:?}"),
            &format!("the name of an experiment; {}", suggestion(experiment, experiments())),
        );
        self.file_name_part("preset", preset);
        self.ensemble(*seed, *ensemble);
        let built = self.system(experiment, system);
        // Without a system the rest is judged as for the smallest one.
        let (dof, conditionals) = match &built {
            Some((_, system)) => (system.degrees_of_freedom(), system.conditionals().len()),
            None => (1, 0),
        };
        if let Some(protocol) = protocol {
            self.protocol(*protocol, config);
        }
        if let Some(sampling) = sampling {
            self.sampling("sampling", sampling);
        }
        if let Some(tail) = sampling_tail {
            let SamplingTail { share, from_step: _, velocity } = *tail;
            self.require(share > 0.0 && share < 1.0, "sampling_tail.share", share, "above 0 and below 1");
            self.interval("sampling_tail.velocity", velocity);
        }
        if let (Some(curriculum), Some((_, system))) = (sampling_curriculum, &built) {
            self.curriculum(curriculum, sampling.as_ref(), &**system);
        }
        self.require(!models.is_empty(), "models", "empty", "at least one model");
        for (name, model) in models {
            self.file_name_part("a name in models", name);
            if let (LossWeight::Lorentz, Some((_, system))) = (model.training.weight, &built) {
                self.lorentz_weight(&format!("models.{name}.training.weight"), config, &**system);
            }
            self.model(
                &format!("models.{name}"),
                model,
                built.as_ref().map(|(_, system)| &**system),
                (dof, conditionals),
            );
            let data = format!("models.{name}.training.data");
            self.part(&data, model.training.data.validate(dof));
        }
        self.evaluation(evaluation, dof);
        self.count("log_every", *log_every);
        self.checkpoint_every_seconds(*checkpoint_every_seconds);
        built.map(|(complete, _)| complete)
    }

    fn ensemble(&mut self, seed: u64, members: usize) {
        let expected = format!("a whole number of members from 1 to {LARGEST_ENSEMBLE}");
        self.require((1..=LARGEST_ENSEMBLE).contains(&members), "ensemble", members, &expected);
        let most = u64::MAX - LARGEST_ENSEMBLE as u64;
        let expected = format!("{most} at most, so that every member of an ensemble has a seed");
        self.require(members == 1 || seed <= most, "seed", seed, &expected);
    }

    pub(crate) fn model(
        &mut self,
        path: &str,
        model: &ModelConfig,
        system: Option<&dyn System>,
        (dof, conditionals): (usize, usize),
    ) {
        let ModelConfig { kind, hidden, activation, initialisation, features, precision: _, training } = model;
        match *kind {
            ModelKind::Lnn { residual_mass, pseudoinverse_tolerance, potential_scale, scaled_velocities: _ } => {
                self.not_negative(format!("{path}.kind.residual_mass"), residual_mass);
                self.fraction(format!("{path}.kind.pseudoinverse_tolerance"), pseudoinverse_tolerance);
                if let Some(scale) = potential_scale {
                    self.positive(format!("{path}.kind.potential_scale"), scale);
                }
            }
            ModelKind::Delan { diagonal, regularisation, potential_scale } => {
                let ok = diagonal.is_finite();
                self.require(ok, format!("{path}.kind.diagonal"), diagonal, "a finite number");
                self.positive(format!("{path}.kind.regularisation"), regularisation);
                self.positive(format!("{path}.kind.potential_scale"), potential_scale);
            }
            ModelKind::Hnn => {}
            ModelKind::HnnCanonical { potential_scale } => {
                if let Some(scale) = potential_scale {
                    self.positive(format!("{path}.kind.potential_scale"), scale);
                }
                if let Some(system) = system {
                    self.canonical(&format!("{path}.kind"), system);
                }
            }
            ModelKind::Baseline { output_scale } => {
                self.positive(format!("{path}.kind.output_scale"), output_scale);
            }
            ModelKind::BaselineFirstOrder { velocity_scale, output_scale } => {
                self.positive(format!("{path}.kind.velocity_scale"), velocity_scale);
                self.positive(format!("{path}.kind.output_scale"), output_scale);
            }
        }
        self.require(
            !kind.differentiates_network() || activation.has_second_derivative(),
            format!("{path}.activation"),
            activation,
            "an activation with a second derivative (softplus, tanh, sigmoid, gelu, silu, relu2 or relu3), because \
             the mass matrix of a Lagrangian network is made of second derivatives, and the gradient of a \
             Hamiltonian one",
        );
        self.hidden(path, hidden);
        // Widths and depth out of range have been reported above, and their product may overflow.
        if hidden.len() <= DEEPEST && hidden.iter().all(|&width| width <= WIDEST) {
            let potential = kind.potential_dimensions(features, hidden, dof, conditionals);
            let networks = [Some(model.dimensions(dof, conditionals)), potential];
            let layers = networks.iter().flatten().flat_map(|sizes| sizes.windows(2));
            let parameters: u64 = layers.map(|layer| (layer[0] as u64 + 1) * layer[1] as u64).sum();
            self.require(
                parameters <= MOST_PARAMETERS,
                format!("{path}.hidden"),
                format_args!("a network of {parameters} parameters"),
                &format!("layers with at most {MOST_PARAMETERS} parameters together"),
            );
        }
        self.initialisation(&format!("{path}.initialisation"), initialisation);
        self.features(&format!("{path}.features"), features, system);
        self.training(&format!("{path}.training"), training);
    }

    pub(crate) fn checkpoint_every_seconds(&mut self, seconds: f64) {
        self.require(
            seconds > 0.0 && seconds <= LONGEST_CHECKPOINT_SECONDS,
            "checkpoint_every_seconds",
            seconds,
            &format!("a number above 0 and at most {LONGEST_CHECKPOINT_SECONDS}"),
        );
    }

    /// Widths of hidden layers, in the field `hidden` below `path`.
    pub(crate) fn hidden(&mut self, path: &str, hidden: &[usize]) {
        self.require(
            (1..=DEEPEST).contains(&hidden.len()),
            format!("{path}.hidden"),
            format_args!("a list of {} layers", hidden.len()),
            &format!("1 to {DEEPEST} hidden layers"),
        );
        for (layer, &width) in hidden.iter().enumerate() {
            self.require(
                (1..=WIDEST).contains(&width),
                format!("{path}.hidden[{layer}]"),
                width,
                &format!("a width from 1 to {WIDEST}"),
            );
        }
    }

    pub(crate) fn initialisation(&mut self, path: &str, initialisation: &Initialisation) {
        match *initialisation {
            Initialisation::Paper => {}
            Initialisation::UnitGain { first, hidden, output, bias } => {
                self.positive(format!("{path}.first"), first);
                self.positive(format!("{path}.hidden"), hidden);
                self.positive(format!("{path}.output"), output);
                self.not_negative(format!("{path}.bias"), bias);
            }
        }
    }

    pub(crate) fn training(&mut self, path: &str, training: &TrainingConfig) {
        let TrainingConfig {
            steps,
            batch,
            loss,
            weight: _,
            l2_penalty,
            optimiser,
            schedule,
            clipping,
            gradient_parts,
            data: _,
        } = training;
        self.count(format!("{path}.steps"), *steps);
        self.require(
            (1..=LARGEST_BATCH).contains(batch),
            format!("{path}.batch"),
            batch,
            &format!("a whole number from 1 to {LARGEST_BATCH}"),
        );
        self.require(
            steps.checked_mul(*batch as u64).is_some(),
            format!("{path}.steps × {path}.batch"),
            format_args!("{steps} × {batch}"),
            &format!("at most {} states", u64::MAX),
        );
        self.part(&format!("{path}.loss"), loss.validate());
        self.not_negative(format!("{path}.l2_penalty"), *l2_penalty);
        if let Some(parts) = gradient_parts {
            self.require(
                (1..=MOST_PARTS).contains(parts),
                format!("{path}.gradient_parts"),
                parts,
                &format!("a whole number from 1 to {MOST_PARTS}"),
            );
        }
        self.part(&format!("{path}.optimiser"), optimiser.validate());
        self.part(&format!("{path}.schedule"), schedule.validate());
        if let Some(total_steps) = schedule.total_steps() {
            self.require(
                total_steps == *steps,
                format!("{path}.schedule.total_steps"),
                total_steps,
                &format!("{steps}, the number of training steps, so that the learning rate ends with them"),
            );
        }
        self.part(&format!("{path}.clipping"), clipping.validate());
    }

    fn evaluation(&mut self, evaluation: &EvaluationConfig, dof: usize) {
        let EvaluationConfig {
            held_out,
            rollouts,
            initial_states,
            t_end,
            frames_per_second,
            integrator,
            reference_integrator,
        } = evaluation;
        self.require(
            (1..=MOST_HELD_OUT).contains(held_out),
            "evaluation.held_out",
            held_out,
            &format!("a whole number from 1 to {MOST_HELD_OUT}"),
        );
        self.count("evaluation.rollouts", *rollouts as u64);
        if let Some(initial_states) = initial_states {
            self.sampling("evaluation.initial_states", initial_states);
        }
        self.positive("evaluation.t_end", *t_end);
        self.positive("evaluation.frames_per_second", *frames_per_second);
        let frames = t_end * frames_per_second;
        if *t_end > 0.0 && *frames_per_second > 0.0 {
            // NaN has been reported above and fails both comparisons.
            self.require(
                (1.0..=MOST_FRAMES).contains(&frames),
                "evaluation.t_end × evaluation.frames_per_second",
                frames,
                &format!("1 to {MOST_FRAMES} frames"),
            );
        }
        let numbers = (frames + 1.0) * *rollouts as f64 * 2.0 * dof as f64;
        if (1.0..=MOST_FRAMES).contains(&frames) {
            self.require(
                numbers <= MOST_ROLLOUT_NUMBERS,
                "evaluation.rollouts",
                rollouts,
                &format!(
                    "at most {MOST_ROLLOUT_NUMBERS} numbers in all rollouts together; \
                     {frames} frames of {} numbers give {numbers}",
                    2 * dof
                ),
            );
        }
        self.integrator("evaluation.integrator", integrator, evaluation);
        self.integrator("evaluation.reference_integrator", reference_integrator, evaluation);
    }

    fn integrator(&mut self, path: &str, integrator: &IntegratorConfig, evaluation: &EvaluationConfig) {
        let EvaluationConfig { t_end, frames_per_second, .. } = *evaluation;
        match *integrator {
            IntegratorConfig::Rk4 { dt } | IntegratorConfig::ImplicitMidpoint { dt } => {
                self.positive(format!("{path}.dt"), dt);
                if dt > 0.0 && frames_per_second > 0.0 {
                    self.require(
                        dt * frames_per_second <= 1.0 + f64::EPSILON,
                        format!("{path}.dt"),
                        dt,
                        "at most the time between two frames, 1 / evaluation.frames_per_second",
                    );
                }
                if dt > 0.0 && t_end > 0.0 && t_end.is_finite() {
                    // Below this bound t + dt differs from t for every t of the rollout.
                    self.require(
                        t_end / dt <= MOST_INTEGRATOR_STEPS,
                        format!("{path}.dt"),
                        dt,
                        &format!(
                            "at least {}, so that evaluation.t_end is reached within {MOST_INTEGRATOR_STEPS} steps, \
                             each of which advances the time",
                            t_end / MOST_INTEGRATOR_STEPS
                        ),
                    );
                }
            }
            IntegratorConfig::DormandPrince { relative_tolerance, absolute_tolerance } => {
                self.fraction(format!("{path}.relative_tolerance"), relative_tolerance);
                self.positive(format!("{path}.absolute_tolerance"), absolute_tolerance);
            }
        }
    }
}

#[cfg(test)]
mod tests;
