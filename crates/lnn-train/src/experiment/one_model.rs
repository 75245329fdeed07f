//! One model of a run, trained for all its members.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lnn_autodiff::Real;
use lnn_physics::System;
use rayon::prelude::*;

use super::ExperimentError;
use super::build::build_training;
use super::members::Member;
use super::models::{Context, Fate};
use super::run::Event;
use super::train::{Fate as SetFate, ModelFile, TrainingSet};
use crate::backend::{Backend, BackendError, Card, DeviceTraining};
use crate::config::Precision;
use crate::evaluate::LOGGED_STATES;
use crate::fit::{FitError, FitMember, StepError, Trainer};
use crate::model::Model;
use crate::record::LostMember;
use crate::store::{
    Element, Label, MetricsLog, ModelHeader, Provenance, RunState, load_checkpoint, load_model, save_model,
};

/// One model in training.
pub(super) struct OneModel<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) name: &'a str,
    pub(super) model: &'a Model,
    /// Whether it was said which tiles its kernels have.
    pub(super) planned: AtomicBool,
}

impl OneModel<'_> {
    /// What became of each member; `None` if a stop was asked for.
    pub(super) fn train(
        &self,
        log: &mut MetricsLog,
        observe: &mut dyn FnMut(Event<'_>),
    ) -> Result<Option<Vec<Fate>>, ExperimentError> {
        let count = self.context.members.len();
        let mut fates: Vec<Option<Fate>> = Vec::with_capacity(count);
        for member in 0..count {
            fates.push(self.lost_before(member, observe)?);
        }
        let sets = self.sets(&fates, observe)?;
        for set in sets {
            let Some(of_set) = self.train_set(&set, log, observe)? else { return Ok(None) };
            for (member, fate) in set.into_iter().zip(of_set) {
                fates[member] = Some(fate);
            }
        }
        let fates: Vec<Fate> = fates.into_iter().flatten().collect();
        let reason = fates.iter().find_map(|fate| match fate {
            Fate::Lost { lost, .. } => Some(lost.reason.clone()),
            Fate::Trained(_) => None,
        });
        match reason {
            Some(reason) if fates.iter().all(|fate| matches!(fate, Fate::Lost { .. })) => {
                Err(ExperimentError::AllLost { name: self.name.to_owned(), members: count, reason })
            }
            _ => Ok(Some(fates)),
        }
    }

    /// The members that an earlier session has not lost, those that are trained together in one set.
    fn sets(
        &self,
        fates: &[Option<Fate>],
        observe: &mut dyn FnMut(Event<'_>),
    ) -> Result<Vec<Vec<usize>>, ExperimentError> {
        let Context { folder, members, backend, .. } = self.context;
        let remaining = (0..members.len()).filter(|&member| fates[member].is_none());
        if !self.context.side_by_side(self.model) {
            if let (Backend::Gpu { .. }, true) = (backend, self.context.is_ensemble()) {
                observe(Event::Notice(format!(
                    "{}: its {} members are trained one after the other; only Lagrangian networks up to 64 wide are trained \
                     side by side",
                    self.name,
                    members.len()
                )));
            }
            return Ok(remaining.map(|member| vec![member]).collect());
        }
        // Members in step with each other. They are not after a session that trained one after the other.
        let mut sets: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for member in remaining {
            let found = load_checkpoint(folder.path(), &members[member].file_name(self.name))?;
            let step = found.map_or(0, |found| found.checkpoint.record.step);
            sets.entry(step).or_default().push(member);
        }
        Ok(sets.into_values().collect())
    }

    /// The end of a member that an earlier session has lost.
    fn lost_before(&self, member: usize, observe: &mut dyn FnMut(Event<'_>)) -> Result<Option<Fate>, ExperimentError> {
        let Context { folder, members, .. } = self.context;
        let member = &members[member];
        if !self.context.is_ensemble() {
            return Ok(None);
        }
        let Some(found) = load_checkpoint(folder.path(), &member.file_name(self.name))? else { return Ok(None) };
        let record = found.checkpoint.record;
        let Some(reason) = record.lost.filter(|_| record.configuration == member.fingerprint) else { return Ok(None) };
        observe(Event::Notice(format!("{} was lost before: {reason}", member.title(self.name))));
        let skipped_steps = record.counters.get("skipped").copied().unwrap_or(0);
        let earlier_seconds = record.train_seconds;
        let lost = LostMember { step: record.step, skipped_steps, reason, train_seconds: earlier_seconds };
        Ok(Some(Fate::Lost { lost, earlier_seconds }))
    }

    /// `None` if a stop was asked for.
    fn train_set(
        &self,
        set: &[usize],
        log: &mut MetricsLog,
        observe: &mut dyn FnMut(Event<'_>),
    ) -> Result<Option<Vec<Fate>>, ExperimentError> {
        let Context { config, backend, fell_back, .. } = self.context;
        match (config.models[self.name].precision, backend) {
            (Precision::F32, Backend::Gpu { card, falls_back }) if !fell_back.load(Ordering::Relaxed) => {
                let earlier = if *falls_back { self.earlier_seconds(set)? } else { Vec::new() };
                let trained = match self.on_card(card, set, observe) {
                    Ok(mut training) => self.train_with::<f32>(set, &mut training, log, observe),
                    Err(error) => Err(error),
                };
                let error = match trained {
                    Err(error) if *falls_back => error,
                    trained => return trained,
                };
                let fault = match error {
                    ExperimentError::Fit(FitError::Step { source: StepError::Device(fault), .. })
                    | ExperimentError::Backend(BackendError::Device(fault)) => fault,
                    other => return Err(other),
                };
                fell_back.store(true, Ordering::Relaxed);
                observe(Event::Notice(format!(
                    "{fault}; the processor goes on, from the last checkpoint if there is one"
                )));
                // Steps after the last checkpoint are made again.
                *log = self.context.open_log(RunState::Unfinished)?;
                let fates = self.train_on_processor::<f32>(set, log, observe)?;
                // The checkpoint that the processor went on from counts the card's time, which is this session's.
                Ok(fates
                    .map(|fates| fates.into_iter().zip(earlier).map(|(fate, earlier)| fate.since(earlier)).collect()))
            }
            (Precision::F32, _) => self.train_on_processor::<f32>(set, log, observe),
            (Precision::F64, _) => self.train_on_processor::<f64>(set, log, observe),
        }
    }

    /// Seconds that earlier sessions spent on each of the set.
    fn earlier_seconds(&self, set: &[usize]) -> Result<Vec<f64>, ExperimentError> {
        let Context { folder, members, .. } = self.context;
        let of_member = |&member: &usize| -> Result<f64, ExperimentError> {
            let found = load_checkpoint(folder.path(), &members[member].file_name(self.name))?;
            Ok(found.map_or(0.0, |found| found.checkpoint.record.train_seconds))
        };
        set.iter().map(of_member).collect()
    }

    /// The set's training on a graphics card, side by side. Its compiled kernels are kept for later runs.
    fn on_card(
        &self,
        card: &Card,
        set: &[usize],
        observe: &mut dyn FnMut(Event<'_>),
    ) -> Result<DeviceTraining, ExperimentError> {
        let Context { config, members, system, .. } = self.context;
        let seeds: Vec<u64> = set.iter().map(|&member| members[member].seed()).collect();
        let (training, notice) = card.training(config, self.name, system, &seeds)?;
        // Once for all members that are trained one after the other.
        if !self.planned.swap(true, Ordering::Relaxed) {
            notice.into_iter().for_each(|notice| observe(Event::Notice(notice)));
            observe(Event::Planned { model: self.name, tiles: training.tiles_in_words() });
        }
        if let Err(problem) = card.keep_kernels() {
            observe(Event::Notice(problem.to_string()));
        }
        Ok(training)
    }

    /// One after the other.
    fn train_on_processor<T: Real + Element>(
        &self,
        set: &[usize],
        log: &mut MetricsLog,
        observe: &mut dyn FnMut(Event<'_>),
    ) -> Result<Option<Vec<Fate>>, ExperimentError> {
        let mut fates = Vec::with_capacity(set.len());
        for &member in set {
            // A graphics card may have lost it before it failed itself.
            if let Some(lost) = self.lost_before(member, observe)? {
                fates.push(lost);
                continue;
            }
            let config = &self.context.members[member].config;
            let mut training = build_training::<T>(config, self.name, Arc::clone(&self.context.system))?;
            match self.train_with::<T>(&[member], &mut training, log, observe)? {
                Some(of_one) => fates.extend(of_one),
                None => return Ok(None),
            }
        }
        Ok(Some(fates))
    }

    fn train_with<T: Real + Element>(
        &self,
        set: &[usize],
        training: &mut dyn Trainer<T>,
        log: &mut MetricsLog,
        observe: &mut dyn FnMut(Event<'_>),
    ) -> Result<Option<Vec<Fate>>, ExperimentError> {
        let Self { context, name, model, .. } = *self;
        let members: Vec<&Member> = set.iter().map(|&member| &context.members[member]).collect();
        let (names, headers): (Vec<String>, Vec<ModelHeader>) = members
            .iter()
            .map(|member| (member.file_name(name), header(member, name, model, &*context.system)))
            .unzip();
        let saves: Vec<_> = headers
            .iter()
            .map(|header| move |path: &Path, _: u64, parameters: &[T]| save_model(path, header, parameters))
            .collect();
        let damage = |path: &Path| load_model(path).err();
        let files: Vec<ModelFile<'_, T>> = saves.iter().map(|save| ModelFile { damage: &damage, save }).collect();
        let of_set: Vec<FitMember<'_>> = members
            .iter()
            .zip(&names)
            .map(|(member, name)| FitMember { name, configuration: &member.fingerprint, seed: member.seed() })
            .collect();
        let mut judge = |of_set: &[(usize, Vec<f64>)]| {
            let judge = |(number, parameters): &(usize, Vec<f64>)| {
                members[*number].held_out.judge(model, parameters, LOGGED_STATES).into()
            };
            of_set.par_iter().map(judge).collect()
        };
        let set = TrainingSet {
            model: name,
            steps: context.config.models[name].training.steps,
            members: &of_set,
            ensemble: context.is_ensemble(),
        };
        let fates = context.session().train_set(&set, training, &mut judge, &files, log, observe)?;
        let mut ended = Vec::with_capacity(fates.len());
        for (fate, member) in fates.into_iter().zip(members) {
            ended.push(match fate {
                SetFate::Trained(trained) if trained.result.interrupted => return Ok(None),
                SetFate::Trained(trained) => Fate::Trained(trained),
                SetFate::Lost { fault, .. } if !context.is_ensemble() => return Err(fault.into()),
                SetFate::Lost { fault, result, earlier_seconds } => {
                    let reason = fault.to_string();
                    observe(Event::Notice(format!("{} is lost: {reason}", member.title(name))));
                    let (step, skipped_steps) = (result.steps, result.skipped_steps);
                    let lost = LostMember { step, skipped_steps, reason, train_seconds: result.train_seconds };
                    Fate::Lost { lost, earlier_seconds }
                }
            });
        }
        Ok(Some(ended))
    }
}

fn header(member: &Member, name: &str, model: &Model, system: &dyn System) -> ModelHeader {
    let config = &member.config;
    let label = |name: &str, unit: &str| Label { name: name.to_owned(), unit: Some(unit.to_owned()) };
    let model_config = &config.models[name];
    let recipe = &model_config.training;
    ModelHeader {
        system: Some(config.system.clone()),
        provenance: Provenance {
            program: format!("lnn {}", env!("CARGO_PKG_VERSION")),
            experiment: config.experiment.clone(),
            preset: config.preset.clone(),
            seed: config.seed,
            steps: recipe.steps,
            samples: recipe.steps * recipe.batch as u64,
            configuration: member.fingerprint.clone(),
            data: String::new(),
        },
        coordinates: system.coordinates().iter().map(|q| label(q.name, q.unit)).collect(),
        conditional_labels: system.conditionals().iter().map(|c| label(c.name, c.unit)).collect(),
        time_unit: Some(system.time_unit().to_owned()),
        ..ModelHeader::new(name, model_config, model)
    }
}
