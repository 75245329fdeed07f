//! One model of a run, trained to its end and kept in its file: what runs of every kind share.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use lnn_autodiff::Real;
use serde::de::DeserializeOwned;

use super::run::Event;
use crate::fit::{FitError, FitMember, FitPlan, FitResult, Judge, MemberEnd, StepError, Trainer, fit, restore};
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

/// Writes a model's parameters, of this step, into its file.
pub(crate) type SaveModel<'a, T> = dyn Fn(&Path, u64, &[T]) -> Result<(), StoreError> + 'a;

/// How a model's file is read and written.
pub(crate) struct ModelFile<'a, T> {
    /// What is wrong with the file there.
    pub(crate) damage: &'a dyn Fn(&Path) -> Option<StoreError>,
    pub(crate) save: &'a SaveModel<'a, T>,
}

/// A model's parameters after its last step or at its best one, or where a stop was asked for.
pub(crate) struct TrainedParameters {
    /// Of the model.
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

/// Networks of one model that are trained together.
pub(crate) struct TrainingSet<'a> {
    pub(crate) model: &'a str,
    /// Steps in all.
    pub(crate) steps: u64,
    pub(crate) members: &'a [FitMember<'a>],
    /// Whether they are members of an ensemble, also if it is one alone.
    pub(crate) ensemble: bool,
}

/// What became of a network of a [`TrainingSet`].
pub(crate) enum Fate {
    Trained(TrainedParameters),
    /// It can learn no more.
    Lost {
        fault: FitError,
        result: FitResult,
        earlier_seconds: f64,
    },
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
    pub(crate) fn train<T: Real + Element>(
        &self,
        (name, steps): (&str, u64),
        training: &mut dyn Trainer<T>,
        judge: &mut dyn FnMut(&[f64]) -> Judged,
        file: &ModelFile<'_, T>,
        log: &mut MetricsLog,
        observe: &mut dyn FnMut(Event<'_>),
    ) -> Result<TrainedParameters, FitError> {
        let member = FitMember { name, configuration: self.fingerprint, seed: self.seed };
        let set = TrainingSet { model: name, steps, members: &[member], ensemble: false };
        let mut judge_all = |members: &[(usize, Vec<f64>)]| members.iter().map(|(_, p)| judge(p)).collect();
        let files = std::slice::from_ref(file);
        match self.train_set(&set, training, &mut judge_all, files, log, observe)?.pop() {
            Some(Fate::Trained(trained)) => Ok(trained),
            Some(Fate::Lost { fault, .. }) => Err(fault),
            None => unreachable!("a set of one has one fate"),
        }
    }

    /// As [`train`](Self::train) for a set of networks in step with each other, each with its checkpoint and its file; in
    /// their order what became of them.
    pub(crate) fn train_set<T: Real + Element>(
        &self,
        set: &TrainingSet<'_>,
        training: &mut dyn Trainer<T>,
        judge: &mut Judge<'_>,
        files: &[ModelFile<'_, T>],
        log: &mut MetricsLog,
        observe: &mut dyn FnMut(Event<'_>),
    ) -> Result<Vec<Fate>, FitError> {
        let TrainingSet { model, steps, members, ensemble } = *set;
        let plan = FitPlan {
            model,
            members,
            ensemble,
            steps,
            log_every: self.log_every,
            // A validated number of seconds fits; one that does not means never.
            checkpoint_every: Duration::try_from_secs_f64(self.checkpoint_every_seconds).unwrap_or(Duration::MAX),
            folder: self.folder.path(),
            keep_best: self.keep_best,
        };
        let (mut states, notices) = restore(training, &plan)?;
        notices.into_iter().for_each(|notice| observe(Event::Notice(notice.to_string())));
        let first_step = training.step_count();
        let seeds: Vec<u64> = if ensemble { members.iter().map(|member| member.seed).collect() } else { Vec::new() };
        let parameters = training.parameter_count();
        observe(Event::Training { model, seeds: &seeds, parameters, from_step: first_step, steps });
        let threads = rayon::current_num_threads();
        // Once for all members that are trained one after the other.
        if let Some(used) = training.threads_left_idle(threads).filter(|_| members[0].seed == self.seed) {
            observe(Event::IdleThreads { model, used, threads });
        }
        let mut progress = |progress| observe(Event::Progress(progress));
        let ends = fit(training, &plan, &mut states, judge, log, self.stop, &mut progress)?;
        if ensemble || ends.iter().all(|end| end.fault.is_none()) {
            observe(Event::Trained(together(&ends, training.step_count())));
        }
        if let Some(remark) = training.remark() {
            observe(Event::Notice(format!("{model}: {remark}")));
        }
        let stepped = training.step_count() > first_step;
        let mut fates = Vec::with_capacity(ends.len());
        for (number, (MemberEnd { result, fault }, state)) in ends.into_iter().zip(&states).enumerate() {
            let name = members[number].name;
            if let Some(fault) = fault {
                fates.push(Fate::Lost { fault, result, earlier_seconds: state.earlier_seconds() });
                continue;
            }
            let unread = |source: StepError| FitError::Step { model: name.to_owned(), step: result.steps, source };
            let parameters: Vec<f64> = match state.best() {
                Some(best) => best.parameters.clone(),
                None => training.parameters(number).map_err(unread)?.iter().map(|p| p.to_f64()).collect(),
            };
            let kept_step = state.best().map_or(result.steps, |best| best.step);
            if !result.interrupted {
                if self.keep_best && state.best().is_none() {
                    return Err(FitError::NeverJudged { model: name.to_owned(), step: result.steps });
                }
                self.write_model(name, (kept_step, &parameters), &files[number], observe)?;
            }
            fates.push(Fate::Trained(TrainedParameters {
                name: model.to_owned(),
                kept_step,
                kept_error: state.best().map(|best| best.error),
                parameters,
                result,
                batch: training.batch(),
                stepped,
                earlier_seconds: state.earlier_seconds(),
            }));
        }
        Ok(fates)
    }

    fn write_model<T: Real + Element>(
        &self,
        name: &str,
        (step, parameters): (u64, &[f64]),
        file: &ModelFile<'_, T>,
        observe: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), StoreError> {
        let path = self.folder.model_path(name);
        if let Some(problem) = path.exists().then(|| (file.damage)(&path)).flatten() {
            let reason = match problem {
                StoreError::Damaged { damage, .. } => damage.to_string(),
                other => other.to_string(),
            };
            let path = path.display();
            observe(Event::Notice(format!("{path}: {reason}; the model is written again from its checkpoint")));
        }
        let parameters: Vec<T> = parameters.iter().map(|&p| T::from_f64(p)).collect();
        (file.save)(&path, step, &parameters)
    }
}

/// How the training of a set ended: the time and the skipped steps of all members.
fn together(ends: &[MemberEnd], steps: u64) -> FitResult {
    FitResult {
        steps,
        train_seconds: ends.iter().map(|end| end.result.train_seconds).sum(),
        skipped_steps: ends.iter().map(|end| end.result.skipped_steps).sum(),
        interrupted: ends.iter().any(|end| end.result.interrupted),
    }
}

/// What the run that trained the models said of itself in `summary.json`: judging again must not claim its machine and
/// time.
pub(crate) fn earlier_summary<S: DeserializeOwned>(folder: &RunFolder) -> Result<S, String> {
    let path = folder.summary_path();
    let text = std::fs::read(&path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{} is damaged: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::ops::Range;
    use std::sync::Mutex;

    use lnn_autodiff::jet::Accumulate;

    use super::*;
    use crate::fit::{NetworkSize, Objective, StepInput, Training, TrainingPlan};
    use crate::loss::BatchLoss;
    use crate::measured::MeasuredConfig;
    use crate::optimiser::{AdamSettings, ClippingConfig, OptimiserConfig, ParameterBlock, RunningNormClip, Schedule};
    use crate::record::MassMatrixSpectrum;
    use crate::target::DataError;

    /// One parameter on a slope.
    struct Slope;

    impl Objective<f64> for Slope {
        type Worker = ();
        fn parameter_count(&self) -> usize {
            1
        }
        fn network_size(&self) -> NetworkSize {
            NetworkSize { parameters: 1, width_bytes: 8, rows_per_sample: 1 }
        }
        fn divides_by_weights(&self) -> bool {
            false
        }
        fn worker(&self, _: usize) {}
        fn run(
            &self,
            (): &mut (),
            _: &StepInput<'_, f64>,
            _: Range<usize>,
            accumulate: Accumulate,
            gradient: &mut [f64],
        ) -> Result<BatchLoss, DataError> {
            gradient[0] = 1.0 + if accumulate == Accumulate::Add { gradient[0] } else { 0.0 };
            Ok(BatchLoss { value: 1.0, weight: 1.0, non_finite: 0 })
        }
    }

    /// The step of which parameters are kept and saved when the log lines of steps 1, 2, 5 and 6 are judged so: states with
    /// another sign of a hundred, and the held-out error.
    fn kept(judged: [(usize, f64); 4]) -> Result<(u64, Option<f64>, u64), FitError> {
        let place = tempfile::tempdir().expect("a folder");
        let (folder, state) =
            RunFolder::open_for(&place.path().join("run"), &MeasuredConfig::default(), false).expect("a new folder");
        let block = ParameterBlock { offset: 0, rows: 1, columns: 1 };
        let mut training = Training::new(TrainingPlan {
            objective: Slope,
            l2_penalty: 0.0,
            batch: 1,
            gradient_parts: None,
            optimiser: OptimiserConfig::from(AdamSettings::default()).build(&[block]).expect("usable"),
            clip: RunningNormClip::new(ClippingConfig::default()).expect("usable"),
            schedule: Schedule::Constant { rate: 0.5 },
            parameters: vec![0.3],
        });
        let session = TrainingSession {
            folder: &folder,
            fingerprint: "a test",
            seed: 0,
            log_every: 100,
            checkpoint_every_seconds: 1000.0,
            keep_best: true,
            stop: &AtomicBool::new(false),
        };
        let mut lines = judged.into_iter();
        let mut judge = |_: &[f64]| {
            let (other_sign, error) = lines.next().expect("a log line");
            let mass_matrix = MassMatrixSpectrum {
                eigenvalue_min: 1.0,
                eigenvalue_max: 1.0,
                condition_median: 1.0,
                condition_max: 1.0,
                indefinite: 0,
                rank_deficient: 0,
                other_sign,
                states: 100,
            };
            let (mass_matrix, held_out_error) = (Some(mass_matrix), Some(error));
            Judged { acceleration_l1: f64::NAN, vector_field_l1: None, mass_matrix, held_out_error }
        };
        let saved = Mutex::new(None);
        let save = |_: &Path, step: u64, _: &[f64]| {
            *saved.lock().expect("one thread") = Some(step);
            Ok(())
        };
        let file = ModelFile { damage: &|_| None, save: &save };
        let mut log = session.open_log(state, std::iter::once("m")).expect("a log");
        let trained = session.train(("m", 6), &mut training, &mut judge, &file, &mut log, &mut |_| {})?;
        let saved = saved.into_inner().expect("one thread").expect("a file");
        Ok((trained.kept_step, trained.kept_error, saved))
    }

    #[test]
    fn the_least_error_is_kept_of_those_with_a_sound_mass_matrix_first() {
        let of = |judged| kept(judged).expect("judged");
        assert_eq!(of([(0, 0.9), (0, 0.3), (0, 0.5), (0, 0.4)]), (2, Some(0.3), 2));
        // Half of the states on the other side of a singular matrix, and the least error.
        assert_eq!(of([(0, 0.9), (50, 0.3), (0, 0.5), (40, 0.4)]), (5, Some(0.5), 5));
        // A state at the edge is no lost sign, and where all have lost it the error decides.
        assert_eq!(of([(0, 0.9), (1, 0.3), (0, 0.5), (0, 0.4)]), (2, Some(0.3), 2));
        assert_eq!(of([(9, 0.9), (50, 0.3), (9, f64::NAN), (40, 0.4)]), (2, Some(0.3), 2));
    }

    #[test]
    fn weights_that_nothing_is_known_of_are_no_model() {
        let refused = kept([(0, f64::NAN), (0, f64::INFINITY), (0, f64::NAN), (0, f64::NAN)]).expect_err("no error");
        let message = refused.to_string();
        assert!(message.contains("not finite at any logged step up to 6"), "{message}");
    }
}
