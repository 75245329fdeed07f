//! Motions of one learned model.

use std::ops::Range;
use std::sync::atomic::AtomicBool;

use lnn_physics::Canonical;
use lnn_physics::integrators::Method;

use super::integrate::{in_lockstep, one_by_one};
use super::rates::LearnedRates;
use super::units::{InUnits, divide, multiply};
use super::{AtSingularity, EndCause, Ending, Motion, MotionError, Starts};
use crate::model::Model;
use crate::quantities::MissingMomenta;
use crate::rollout::{LearnedField, TrainedModel};

/// A trained model that moves states forward in time, in double precision.
///
/// ```
/// use std::sync::atomic::AtomicBool;
///
/// use lnn_physics::integrators::{DormandPrinceOptions, Method, frames_every};
/// use lnn_train::config::preset;
/// use lnn_train::experiment::build_model;
/// use lnn_train::motion::{LearnedMotion, Starts};
///
/// let config = &preset("dblpend", "fast")?.models["lnn"];
/// let model = build_model(config, 2)?;
/// let parameters: Vec<f64> = config.initialisation.draw(&model, 0);
/// let motion = LearnedMotion::new(&model, &parameters);
///
/// let (states, times) = ([0.1, 0.2, 0.0, 0.0], frames_every(1.0, 0.1)?);
/// let starts = Starts { degrees_of_freedom: 2, states: &states, conditionals: &[], times: &times };
/// let method = Method::DormandPrince(DormandPrinceOptions::default());
/// let motions = motion.integrate(&method, starts, &AtomicBool::new(false))?;
/// assert!(motions[0].ending.is_none());
/// assert_eq!(motions[0].states.len(), 11 * 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LearnedMotion<'a> {
    model: &'a Model,
    trained: TrainedModel<f64>,
    canonical: Option<&'a dyn Canonical>,
    at_singularity: AtSingularity,
    /// `[2d]`.
    units: Vec<f64>,
}

impl<'a> LearnedMotion<'a> {
    /// The motions of `model`, which end where its mass matrix loses rank.
    ///
    /// # Panics
    /// If `parameters` has another length than the model's.
    pub fn new(model: &'a Model, parameters: &[f64]) -> Self {
        let trained = TrainedModel::new(model, parameters);
        let units = vec![1.0; 2 * model.features().degrees_of_freedom()];
        Self { model, trained, canonical: None, at_singularity: AtSingularity::End, units }
    }

    /// The same with the system that says how momenta follow from velocities, for a model in canonical coordinates;
    /// other models have no use for it.
    #[must_use]
    pub fn with_canonical(self, canonical: Option<&'a dyn Canonical>) -> Self {
        Self { canonical: canonical.filter(|_| self.model.is_canonical()), ..self }
    }

    /// The same with another behaviour where the mass matrix loses rank.
    #[must_use]
    pub fn at_singularity(self, at_singularity: AtSingularity) -> Self {
        Self { at_singularity, ..self }
    }

    /// The same integrated in these `units` `[2d]` of (q, q̇), above 0, (q, p) for a model in canonical coordinates: an absolute
    /// tolerance is then a multiple of them. Frames keep the units of the starts.
    ///
    /// # Panics
    /// If `units` has another length.
    #[must_use]
    pub fn in_units(self, units: Vec<f64>) -> Self {
        assert_eq!(units.len(), self.units.len(), "a unit for each component");
        Self { units, ..self }
    }

    /// The motions from `starts`, as many and in the same order.
    ///
    /// A model in canonical coordinates is integrated in (q, p); its frames are (q, q̇) as those of all others.
    ///
    /// # Errors
    /// [`MotionError`], for what concerns all motions. One that ends early is no error: its
    /// [`ending`](Motion::ending) says where and why, and the others go on.
    ///
    /// # Panics
    /// If the lengths of `starts` do not fit the model.
    pub fn integrate(
        &self,
        method: &Method,
        starts: Starts<'_>,
        stop: &AtomicBool,
    ) -> Result<Vec<Motion>, MotionError> {
        let features = self.model.features();
        assert_eq!(starts.degrees_of_freedom, features.degrees_of_freedom(), "degrees of freedom of the model");
        if self.model.is_canonical() && self.canonical.is_none() {
            return Err(MissingMomenta.into());
        }
        starts.check(features.conditionals())?;
        let (mut initial, lost) = self.initial(starts);
        divide(&mut initial, &self.units);
        let width = 2 * starts.degrees_of_freedom;
        let integrated = Starts { states: &initial, ..starts };
        let rates = |motions: Range<usize>| {
            let rates = LearnedRates {
                trained: &self.trained,
                field: LearnedField::new(self.model, motions.len()),
                conditionals: starts.conditionals_of(motions.clone()),
                at_singularity: self.at_singularity,
                retried: matches!(method, Method::DormandPrince(_)),
                stop,
                refused: vec![None; motions.len()],
                negative: vec![None; motions.len()],
            };
            InUnits::new(rates, &self.units)
        };
        let mut motions = match method {
            Method::Rk4 { dt } => in_lockstep(*dt, integrated, stop, rates)?,
            _ => one_by_one(method, integrated, stop, rates)?,
        };
        for motion in &mut motions {
            multiply(&mut motion.states, &self.units);
        }
        if let Some(canonical) = self.canonical {
            for (index, motion) in motions.iter_mut().enumerate() {
                let start = &starts.states[index * width..(index + 1) * width];
                if lost[index] {
                    motion.states = start.to_vec();
                    motion.ending = Some(Ending { time: starts.times[0], cause: EndCause::NoMomentum });
                } else {
                    show_velocities(canonical, starts.conditionals_of(index..index + 1), starts, motion);
                }
            }
        }
        Ok(motions)
    }

    /// The initial states, as (q, p) for a model in canonical coordinates, and which of these have no momentum.
    fn initial(&self, starts: Starts<'_>) -> (Vec<f64>, Vec<bool>) {
        let mut initial = starts.states.to_vec();
        let d = starts.degrees_of_freedom;
        let mut lost = vec![false; initial.len() / (2 * d)];
        let Some(canonical) = self.canonical else { return (initial, lost) };
        let mut p = vec![0.0; d];
        for (index, state) in initial.chunks_exact_mut(2 * d).enumerate() {
            let (q, q_dot) = state.split_at_mut(d);
            canonical.momentum_into(q, q_dot, starts.conditionals_of(index..index + 1), &mut p);
            if p.iter().any(|p| !p.is_finite()) {
                lost[index] = true;
                // It goes along at rest and is left out afterwards, so that the others keep their places in the batches.
                p.fill(0.0);
            }
            q_dot.copy_from_slice(&p);
        }
        (initial, lost)
    }
}

/// Turns the frames of a motion from (q, p) into (q, q̇).
fn show_velocities(canonical: &dyn Canonical, conditionals: &[f64], starts: Starts<'_>, motion: &mut Motion) {
    let d = starts.degrees_of_freedom;
    let mut velocity = vec![0.0; d];
    for state in motion.states.chunks_exact_mut(2 * d) {
        let (q, p) = state.split_at_mut(d);
        canonical.velocity_into(q, p, conditionals, &mut velocity);
        p.copy_from_slice(&velocity);
    }
    // A learned motion may reach momenta that no velocity has.
    let lost = motion.states.chunks_exact(2 * d).position(|state| state.iter().any(|x| !x.is_finite()));
    if let Some(lost) = lost {
        motion.states.truncate(lost * 2 * d);
        let time = starts.times[lost.saturating_sub(1)];
        motion.ending = Some(Ending { time, cause: EndCause::NoVelocity });
    }
}
