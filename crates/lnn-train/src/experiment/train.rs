//! One model of a run, trained to its end and kept in its file: what runs of every kind share.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use lnn_autodiff::Real;
use serde::de::DeserializeOwned;

use super::run::Event;
use crate::fit::{FitError, FitPlan, FitResult, Objective, Training, fit, restore};
use crate::record::Judged;
use crate::store::{Element, MetricsLog, RunFolder, RunState, StoreError, load_checkpoint};

/// What every model's training in a run shares.
pub(crate) struct TrainingSession<'a> {
    pub(crate) folder: &'a RunFolder,
    /// Of the configuration.
    pub(crate) fingerprint: &'a str,
    pub(crate) seed: u64,
    /// Steps between log lines.
    pub(crate) log_every: u64,
    pub(crate) checkpoint_every_seconds: f64,
    /// Whether the parameters with the least held-out error are kept, and not the last ones.
    pub(crate) keep_best: bool,
    pub(crate) stop: &'a AtomicBool,
}

/// Writes a model's parameters into its file.
pub(crate) type SaveModel<'a, T> = dyn Fn(&Path, &[T]) -> Result<(), StoreError> + 'a;

/// How a model's file is read and written.
pub(crate) struct ModelFile<'a, T> {
    /// What is wrong with the file there.
    pub(crate) damage: &'a dyn Fn(&Path) -> Option<StoreError>,
    pub(crate) save: &'a SaveModel<'a, T>,
}

/// A model's parameters after its last step or at its best one, or where a stop was asked for.
pub(crate) struct TrainedParameters {
    pub(crate) name: String,
    /// Those that are kept, in double precision.
    pub(crate) parameters: Vec<f64>,
    /// The step that they are of, and their held-out error if it was what they were kept for.
    pub(crate) kept_step: u64,
    pub(crate) kept_error: Option<f64>,
    pub(crate) result: FitResult,
    pub(crate) batch: usize,
    /// Whether this session made a step.
    pub(crate) stepped: bool,
    /// Seconds that earlier sessions spent.
    pub(crate) earlier_seconds: f64,
}

impl TrainingSession<'_> {
    /// The log of a run in this `state` that trains these models, cut back to what their checkpoints cover.
    pub(crate) fn open_log<'a>(
        &self,
        state: RunState,
        names: impl Iterator<Item = &'a str>,
    ) -> Result<MetricsLog, StoreError> {
        let path = self.folder.metrics_path();
        if state == RunState::New {
            return MetricsLog::create(&path);
        }
        let mut steps = BTreeMap::new();
        for name in names {
            if let Some(found) = load_checkpoint(self.folder.path(), name)? {
                steps.insert(name.to_owned(), found.checkpoint.record.step);
            }
        }
        MetricsLog::resume(&path, &steps)
    }

    /// Trains the model `name` from its last checkpoint, if there is one, to `steps` steps, and writes its file at the
    /// end; `judge` gives what log lines say of parameters in double precision.
    pub(crate) fn train<T: Real + Element, O: Objective<T>>(
        &self,
        (name, steps): (&str, u64),
        mut training: Training<T, O>,
        judge: &mut dyn FnMut(&[f64]) -> Judged,
        file: &ModelFile<'_, T>,
        log: &mut MetricsLog,
        observe: &mut dyn FnMut(Event<'_>),
    ) -> Result<TrainedParameters, FitError> {
        let plan = FitPlan {
            model: name,
            steps,
            log_every: self.log_every,
            // A validated number of seconds fits; one that does not means never.
            checkpoint_every: Duration::try_from_secs_f64(self.checkpoint_every_seconds).unwrap_or(Duration::MAX),
            folder: self.folder.path(),
            configuration: self.fingerprint,
            seed: self.seed,
            keep_best: self.keep_best,
        };
        let (mut state, notice) = restore(&mut training, &plan)?;
        if let Some(notice) = notice {
            observe(Event::Notice(notice.to_string()));
        }
        let parameters = training.parameters().len();
        observe(Event::Training { model: name, parameters, from_step: training.step_count(), steps });
        let threads = rayon::current_num_threads();
        if let Some(used) = training.threads_left_idle(threads) {
            observe(Event::IdleThreads { model: name, used, threads });
        }
        let (earlier_seconds, first_step) = (state.earlier_seconds(), training.step_count());
        let mut progress = |progress| observe(Event::Progress(progress));
        let result = fit(&mut training, &plan, &mut state, judge, log, self.stop, &mut progress)?;
        observe(Event::Trained(result));
        let kept: Vec<f64> = match state.best() {
            Some(best) => best.parameters.clone(),
            None => training.parameters().iter().map(|p| p.to_f64()).collect(),
        };
        if !result.interrupted {
            let path = self.folder.model_path(name);
            if let Some(problem) = path.exists().then(|| (file.damage)(&path)).flatten() {
                let reason = match problem {
                    StoreError::Damaged { damage, .. } => damage.to_string(),
                    other => other.to_string(),
                };
                let path = path.display();
                observe(Event::Notice(format!("{path}: {reason}; the model is written again from its checkpoint")));
            }
            let kept: Vec<T> = kept.iter().map(|&p| T::from_f64(p)).collect();
            (file.save)(&path, &kept)?;
        }
        Ok(TrainedParameters {
            name: name.to_owned(),
            kept_step: state.best().map_or(result.steps, |best| best.step),
            kept_error: state.best().map(|best| best.error),
            parameters: kept,
            result,
            batch: training.plan().batch,
            stepped: training.step_count() > first_step,
            earlier_seconds,
        })
    }
}

/// What the run that trained the models said of itself in `summary.json`: judging again must not claim its machine and
/// time.
pub(crate) fn earlier_summary<S: DeserializeOwned>(folder: &RunFolder) -> Result<S, String> {
    let path = folder.summary_path();
    let text = std::fs::read(&path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{} is damaged: {error}", path.display()))
}
