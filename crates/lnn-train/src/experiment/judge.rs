//! What a member's trained models are worth: held-out states, and rollouts beside the true ones.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use lnn_physics::System;

use super::ExperimentError;
use super::description::energy_reference;
use super::members::Member;
use super::models::{Fate, TrainedModel};
use super::run::Event;
use super::starts::{rod_lengths, rollout_starts};
use super::train::TrainedParameters;
use crate::config::Protocol;
use crate::evaluate::{
    HeldOut, HeldOutResult, RolloutError, RolloutPlan, energy_errors, relative_errors, velocity_errors,
};
use crate::record::{
    EnergyReference, EnsembleSummary, MemberSummary, ModelEnsemble, ModelSummary, Rollouts, Trajectory,
};

/// The figures of all members, and what those of one were measured by.
pub(super) struct JudgedMembers {
    /// The member whose rollouts are kept and shown: the first of those that lost the fewest models.
    pub(super) shown: usize,
    /// Of each member's models that were not lost.
    pub(super) figures: Vec<BTreeMap<String, ModelSummary>>,
    pub(super) reference: EnergyReference,
    pub(super) rollouts: Rollouts,
}

struct JudgedMember {
    models: BTreeMap<String, ModelSummary>,
    reference: EnergyReference,
    rollouts: Rollouts,
}

/// Judges every member's models; `None` if a stop was asked for.
pub(super) fn judge_members(
    members: &[Member],
    trained: &[TrainedModel],
    system: &dyn System,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(Event<'_>),
) -> Result<Option<JudgedMembers>, ExperimentError> {
    let lost = |member: usize| trained.iter().filter(|model| matches!(model.fates[member], Fate::Lost { .. })).count();
    let shown = (0..members.len()).min_by_key(|&member| lost(member)).unwrap_or(0);
    let mut figures = Vec::with_capacity(members.len());
    let mut kept = None;
    for (number, member) in members.iter().enumerate() {
        let judged = judge_member((number, member), trained, system, stop, observe)?;
        let Some(JudgedMember { models, reference, rollouts }) = judged else { return Ok(None) };
        figures.push(models);
        // The others' rollouts would fill the memory, and are drawn by nobody.
        if number == shown {
            kept = Some((reference, rollouts));
        }
    }
    let stopped = stop.load(Ordering::Relaxed);
    let judged = |(reference, rollouts)| JudgedMembers { shown, figures, reference, rollouts };
    Ok(if stopped { None } else { kept.map(judged) })
}

/// What became of every member, with these figures of the models that were not lost.
pub(super) fn ensemble(
    members: &[Member],
    trained: &[TrainedModel],
    mut figures: Vec<BTreeMap<String, ModelSummary>>,
    shown: usize,
) -> EnsembleSummary {
    let mut models = BTreeMap::new();
    for TrainedModel { name, fates, .. } in trained {
        let member = |(number, fate): (usize, &Fate)| MemberSummary {
            seed: members[number].seed(),
            figures: figures[number].remove(name),
            lost: match fate {
                Fate::Lost { lost, .. } => Some(lost.clone()),
                Fate::Trained(_) => None,
            },
        };
        models.insert(name.clone(), ModelEnsemble::of(fates.iter().enumerate().map(member).collect()));
    }
    EnsembleSummary { members: members.len(), shown_seed: members[shown].seed(), models }
}

/// Judges the models of member number `number`; `None` if a stop was asked for.
fn judge_member(
    (number, member): (usize, &Member),
    trained: &[TrainedModel],
    system: &dyn System,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(Event<'_>),
) -> Result<Option<JudgedMember>, ExperimentError> {
    let config = &member.config;
    let dof = system.degrees_of_freedom();
    let width = 2 * dof + system.conditionals().len();
    let plan = RolloutPlan::from_states(dof, width, &rollout_starts(config, system)?, &config.evaluation)?;
    let rods = config.protocol.map(|Protocol::Chnn| rod_lengths(&config.system)).transpose()?;
    let Some(truth) = unless_stopped(plan.truth(system, stop))? else { return Ok(None) };
    let reference = energy_reference(system, &plan, &truth);
    let mut rollouts = Rollouts {
        dof,
        times: plan.times().to_vec(),
        conditional_names: system.conditionals().iter().map(|conditional| conditional.name.to_owned()).collect(),
        conditionals: plan.conditionals().to_vec(),
        truth,
        models: BTreeMap::new(),
    };
    let mut models = BTreeMap::new();
    for TrainedModel { name, model, fates } in trained {
        let Fate::Trained(networks) = &fates[number] else { continue };
        observe(Event::Judging { model: &member.title(name) });
        let rolled_out = plan.model(model, &networks.parameters, system, stop);
        let Some(trajectories) = unless_stopped(rolled_out)? else { return Ok(None) };
        let held_out = &member.held_out;
        let judged = held_out.judge_unless(stop, model, &networks.parameters, held_out.len());
        let Some(judged) = judged else { return Ok(None) };
        let by = (&reference, &rollouts, rods.as_deref());
        models.insert(name.clone(), summary(networks, held_out, judged, &trajectories, by));
        rollouts.models.insert(name.clone(), trajectories);
    }
    Ok(Some(JudgedMember { models, reference, rollouts }))
}

/// The result, or `None` if it is missing because a stop was asked for.
fn unless_stopped<T>(result: Result<T, RolloutError>) -> Result<Option<T>, RolloutError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(RolloutError::Stopped) => Ok(None),
        Err(error) => Err(error),
    }
}

fn summary(
    networks: &TrainedParameters,
    held_out: &HeldOut,
    judged: HeldOutResult,
    trajectories: &[Trajectory],
    (reference, rollouts, rods): (&EnergyReference, &Rollouts, Option<&[f64]>),
) -> ModelSummary {
    let TrainedParameters { parameters, result, batch, .. } = networks;
    let (last, largest) = energy_errors(&rollouts.truth, trajectories, reference.value);
    ModelSummary {
        parameters: parameters.len(),
        train_seconds: result.train_seconds,
        steps: result.steps,
        samples: result.steps * *batch as u64,
        held_out: held_out.len(),
        acceleration_l1: judged.acceleration_l1,
        acceleration_relative: judged.acceleration_relative,
        weighted_acceleration_l1: judged.weighted_acceleration_l1,
        vector_field_l1: judged.vector_field_l1,
        weighted_vector_field_l1: judged.weighted_vector_field_l1,
        energy_error_percent: last,
        energy_error_max_frame_percent: largest,
        velocity_error_max: velocity_errors(&rollouts.truth, trajectories, rollouts.dof),
        geometric_mean_relative_error: rods
            .map(|rods| relative_errors(&rollouts.times, rods, &rollouts.truth, trajectories)),
        skipped_steps: result.skipped_steps,
    }
}
