//! A training on measured data cut to what shows within seconds that every part of it works.

use super::MeasuredConfig;
use crate::config::TRIAL_STEPS;

impl MeasuredConfig {
    /// The same training with 20 steps: it goes through everything from the checks of the data to the report in seconds, and
    /// its model is worth nothing.
    #[must_use]
    pub fn trial(mut self) -> Self {
        let training = &mut self.model.training;
        let steps = training.steps.unwrap_or(TRIAL_STEPS).min(TRIAL_STEPS);
        training.steps = Some(steps);
        training.schedule = training.schedule.map(|schedule| schedule.ending_at(steps));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimiser::Schedule;

    #[test]
    fn a_trial_is_usable_and_short_whatever_the_recipe_says() {
        let of = |steps, schedule| {
            let mut config = MeasuredConfig::default();
            (config.model.training.steps, config.model.training.schedule) = (steps, schedule);
            config.require_usable("the recipe").expect("usable");
            let trial = config.trial();
            trial.require_usable("the trial").expect("usable");
            trial.model.training
        };
        let cosine =
            |total_steps| Schedule::WarmupCosine { peak: 1e-2, warmup_steps: 50, total_steps, final_fraction: 0.0 };
        assert_eq!(of(None, None).steps, Some(TRIAL_STEPS));
        assert_eq!(of(Some(7), None).steps, Some(7));
        let cut = of(Some(5000), Some(cosine(5000)));
        assert_eq!(cut.steps, Some(TRIAL_STEPS));
        assert_eq!(cut.schedule, Some(cosine(5000).ending_at(TRIAL_STEPS)));
    }
}
