//! Experiments cut to what shows within seconds that every part of them works.

use super::data::TrainingData;
use super::experiment::ExperimentConfig;

/// What a trial's preset is called after that of the whole experiment.
pub(crate) const TRIAL: &str = "-trial";
/// Steps of every training of a trial.
pub(crate) const TRIAL_STEPS: u64 = 20;
/// Observed motions of a trial.
const MOTIONS: usize = 20;
/// Held-out states of a trial.
const HELD_OUT: usize = 100;
/// Rollouts of a trial, and frames of each.
const ROLLOUTS: usize = 2;
const FRAMES: f64 = 20.0;

impl ExperimentConfig {
    /// The same experiment with 20 steps a training, few observed motions, and few and short rollouts: it goes through
    /// everything from the first weights to the report in seconds, so that a mistake in a recipe shows before a night of
    /// training, and its figures mean nothing.
    #[must_use]
    pub fn trial(mut self) -> Self {
        self.preset += TRIAL;
        for model in self.models.values_mut() {
            let training = &mut model.training;
            training.steps = training.steps.min(TRIAL_STEPS);
            training.schedule = training.schedule.ending_at(training.steps);
            if let TrainingData::Trajectories { count, .. } | TrainingData::NextState { count, .. } = &mut training.data
            {
                *count = MOTIONS.min(*count);
            }
        }
        let evaluation = &mut self.evaluation;
        evaluation.held_out = evaluation.held_out.min(HELD_OUT);
        evaluation.rollouts = evaluation.rollouts.min(ROLLOUTS);
        evaluation.t_end = evaluation.t_end.min(FRAMES / evaluation.frames_per_second);
        self
    }
}

#[cfg(test)]
mod tests {
    use crate::config::preset;
    use crate::config::presets::{experiments, presets};

    #[test]
    fn a_trial_of_every_preset_is_usable_short_and_of_another_name() {
        for experiment in experiments() {
            for name in presets(experiment) {
                let whole = preset(experiment, name).expect("listed");
                let trial = whole.clone().trial().validate().expect("usable");
                assert!(trial.models.values().all(|model| model.training.steps <= super::TRIAL_STEPS));
                assert_eq!(trial.models.len(), whole.models.len());
                assert_ne!(trial.run_name(), whole.run_name());
            }
        }
    }
}
