//! What `summary.json` says of an ensemble.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ModelSummary;
use crate::spread::Spread;

/// Many networks of every model, from consecutive seeds, each trained and judged as a run of its own seed is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnsembleSummary {
    /// Members of each model.
    pub members: usize,
    /// The seed whose figures are `models` and whose rollouts are drawn: the first of those that lost the fewest models.
    pub shown_seed: u64,
    /// One entry a model, by name.
    pub models: BTreeMap<String, ModelEnsemble>,
}

/// The members of one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelEnsemble {
    /// Members that could learn no more before their last step, and are not in the spread.
    pub lost: usize,
    /// Training time of all members, in seconds.
    pub train_seconds: f64,
    /// Over the members that are not lost.
    pub spread: MemberSpread,
    /// In the order of their seeds.
    pub members: Vec<MemberSummary>,
}

/// How the members' figures spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberSpread {
    /// Of [`ModelSummary::acceleration_l1`].
    pub acceleration_l1: Spread,
    /// Of the mean energy error of a member's rollouts, in percent.
    pub energy_error_mean_percent: Spread,
    /// Of the median energy error of a member's rollouts, in percent.
    pub energy_error_median_percent: Spread,
}

/// One member: its figures, or how it was lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberSummary {
    /// Its seed.
    pub seed: u64,
    /// As in the summary of a run of that seed; `train_seconds` is the member's even share of the time of those that were
    /// trained together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures: Option<ModelSummary>,
    /// Present if it can learn no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<LostMember>,
}

/// The end of a member that can learn no more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LostMember {
    /// Steps done.
    pub step: u64,
    /// Steps skipped.
    pub skipped_steps: u64,
    /// Why, in words.
    pub reason: String,
    /// Its share of the training time until then, in seconds.
    pub train_seconds: f64,
}

impl EnsembleSummary {
    pub(super) fn keep_times(&mut self, earlier: &Self) {
        for (name, model) in &mut self.models {
            let Some(earlier) = earlier.models.get(name) else { continue };
            model.train_seconds = earlier.train_seconds;
            for (member, earlier) in model.members.iter_mut().zip(&earlier.members) {
                if let (Some(own), Some(earlier)) = (&mut member.figures, &earlier.figures) {
                    own.train_seconds = earlier.train_seconds;
                }
            }
        }
    }
}

impl ModelEnsemble {
    /// The spread of some members.
    pub fn of(members: Vec<MemberSummary>) -> Self {
        let figures = || members.iter().filter_map(|member| member.figures.as_ref());
        let spread = |figure: fn(&ModelSummary) -> f64| Spread::of(figures().map(figure));
        let seconds = |member: &MemberSummary| match (&member.figures, &member.lost) {
            (Some(figures), _) => figures.train_seconds,
            (None, Some(lost)) => lost.train_seconds,
            (None, None) => 0.0,
        };
        Self {
            lost: members.iter().filter(|member| member.lost.is_some()).count(),
            train_seconds: members.iter().map(seconds).sum(),
            spread: MemberSpread {
                acceleration_l1: spread(|model| model.acceleration_l1),
                energy_error_mean_percent: spread(|model| model.energy_error_percent.mean),
                energy_error_median_percent: spread(|model| model.energy_error_percent.median),
            },
            members,
        }
    }
}
