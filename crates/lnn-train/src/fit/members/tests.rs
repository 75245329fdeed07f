//! Members of a training: what each checkpoint holds, and what becomes of those that fail.

use std::borrow::Cow;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::*;
use crate::fit::{FitMember, StepReport, TrainingState, fit, restore};
use crate::optimiser::OptimiserError;
use crate::store::{load_checkpoint, read_metrics};

/// Members that learn one number each; one of them breaks after some steps, another skips all of them.
struct Three {
    step: u64,
    parameters: [[f64; 1]; 3],
}

const BREAKS_AT: u64 = 5;

impl Trainer<f64> for Three {
    fn members(&self) -> usize {
        3
    }
    fn advance(&mut self, to_step: u64, members: &mut [Advanced]) -> Result<(), StepError> {
        assert!(self.step < to_step);
        self.step += 1;
        for (member, advanced) in members.iter_mut().enumerate() {
            *advanced = Advanced::default();
            let (loss, skipped) = (self.step as f64 + 100.0 * member as f64, member == 2);
            advanced.add(StepReport { loss, gradient_norm: 1.0, learning_rate: 0.5, skipped });
            if member == 1 && self.step >= BREAKS_AT {
                advanced.fault = Some(OptimiserError::StateOverflow { name: "moment".to_owned(), index: 7 });
            }
        }
        self.parameters[0][0] += 0.5;
        Ok(())
    }
    fn step_count(&self) -> u64 {
        self.step
    }
    fn skipped_steps(&self, member: usize) -> u64 {
        match member {
            // Carried along after it broke.
            1 => self.step.saturating_sub(BREAKS_AT - 1),
            2 => self.step,
            _ => 0,
        }
    }
    fn batch(&self) -> usize {
        10
    }
    fn parameter_count(&self) -> usize {
        1
    }
    fn parameters(&mut self, member: usize) -> Result<Cow<'_, [f64]>, StepError> {
        assert!(member != 1 || self.step < BREAKS_AT, "nobody looks at a lost member");
        Ok(Cow::Borrowed(&self.parameters[member]))
    }
    fn state(&mut self, member: usize) -> Result<TrainingState<'_, f64>, StepError> {
        let parameters = Cow::Borrowed(&self.parameters[member][..]);
        Ok(TrainingState { parameters, optimiser: Vec::new(), clip: Vec::new() })
    }
    fn restore(&mut self, step: u64, members: &[TrainingState<'_, f64>]) -> Result<(), StepError> {
        self.step = step;
        for (own, state) in self.parameters.iter_mut().zip(members) {
            own.copy_from_slice(&state.parameters);
        }
        Ok(())
    }
}

const MEMBERS: [FitMember<'static>; 3] = [
    FitMember { name: "m.seed4", configuration: "a", seed: 4 },
    FitMember { name: "m.seed5", configuration: "b", seed: 5 },
    FitMember { name: "m.seed6", configuration: "c", seed: 6 },
];

fn plan(folder: &Path, steps: u64) -> FitPlan<'_> {
    let (checkpoint_every, keep_best) = (Duration::MAX, false);
    FitPlan { model: "m", members: &MEMBERS, ensemble: true, steps, log_every: 4, checkpoint_every, folder, keep_best }
}

fn three() -> Three {
    Three { step: 0, parameters: [[0.0], [1.0], [2.0]] }
}

fn run(training: &mut Three, plan: &FitPlan<'_>, states: &mut [FitState], log: &mut MetricsLog) -> Vec<MemberEnd> {
    // What is judged says whose it is.
    let judged = |(member, _): &(usize, Vec<f64>)| Judged {
        acceleration_l1: *member as f64,
        vector_field_l1: None,
        mass_matrix: None,
        held_out_error: None,
    };
    let mut judge = |members: &[(usize, Vec<f64>)]| members.iter().map(judged).collect();
    fit(training, plan, states, &mut judge, log, &AtomicBool::new(false), &mut |_| {}).expect("a sound folder")
}

#[test]
fn a_member_that_ends_is_kept_as_lost_and_the_others_go_on() {
    let place = tempfile::tempdir().expect("a folder");
    let plan = plan(place.path(), 12);
    let mut log = MetricsLog::create(&place.path().join("metrics.jsonl")).expect("writable");
    let mut states = vec![FitState::default(); 3];
    let ends = run(&mut three(), &plan, &mut states, &mut log);

    assert!(ends[0].fault.is_none() && !ends[0].result.interrupted);
    let steps: Vec<u64> = ends.iter().map(|end| end.result.steps).collect();
    assert_eq!(steps, [12, BREAKS_AT, 12]);
    let skipped: Vec<u64> = ends.iter().map(|end| end.result.skipped_steps).collect();
    assert_eq!(skipped, [0, 1, 12], "a lost member's are those up to its loss");
    let message = |member: usize| ends[member].fault.as_ref().expect("lost").to_string();
    assert!(message(1).contains("`m.seed5` cannot go on after step 5") && message(1).contains("`moment`"));
    assert!(message(2).contains("`m.seed6` learns nothing: 12 of 12 steps"), "{}", message(2));

    let lines = read_metrics(&place.path().join("metrics.jsonl")).expect("written");
    let of = |seed: u64| -> Vec<(u64, f64)> {
        let of_seed = lines.iter().filter(|line| line.seed == Some(seed));
        of_seed.map(|line| (line.step, line.acceleration_l1)).collect()
    };
    assert_eq!(of(4), [1, 2, 4, 8, 12].map(|step| (step, 0.0)));
    assert_eq!(of(5), [1, 2, 4].map(|step| (step, 1.0)), "no line of a lost member");
    assert_eq!(of(6), [1, 2, 4, 8, 12].map(|step| (step, 2.0)));
    let losses: Vec<f64> = lines.iter().filter(|line| line.step == 4).map(|line| line.loss).collect();
    assert_eq!((losses[0], losses[1], losses[2].is_nan()), (3.5, 103.5, true), "each has its own loss");

    let record = |member: usize| {
        let found = load_checkpoint(place.path(), MEMBERS[member].name).expect("readable").expect("saved");
        (found.checkpoint.record, found.checkpoint.tensors.len())
    };
    let (first, tensors) = record(0);
    assert!((first.step, &first.lost, tensors > 0) == (12, &None, true), "{first:?}");
    for (member, step) in [(1, BREAKS_AT), (2, 12)] {
        let (record, tensors) = record(member);
        assert_eq!((record.step, record.lost, tensors), (step, Some(message(member)), 0));
    }
    // What the loop spent is shared out, and lost members stop counting.
    let seconds: Vec<f64> = states.iter().map(FitState::seconds).collect();
    assert!(seconds[0] > seconds[1] && seconds.iter().all(|&seconds| seconds >= 0.0), "{seconds:?}");
}

#[test]
fn members_are_restored_together_or_not_at_all() {
    let place = tempfile::tempdir().expect("a folder");
    let mut log = MetricsLog::create(&place.path().join("metrics.jsonl")).expect("writable");
    // Before one of them breaks, and none has skipped all steps to the end.
    let short = FitPlan { steps: 100, ..plan(place.path(), 100) };
    let mut training = three();
    let mut members = vec![FitState::default(); 3];
    let stop = AtomicBool::new(true);
    let mut judge = |members: &[(usize, Vec<f64>)]| {
        let nothing =
            Judged { acceleration_l1: f64::NAN, vector_field_l1: None, mass_matrix: None, held_out_error: None };
        vec![nothing; members.len()]
    };
    fit(&mut training, &short, &mut members, &mut judge, &mut log, &stop, &mut |_| {}).expect("interrupted");
    let mut again = three();
    let (states, notices) = restore(&mut again, &short).expect("three checkpoints");
    assert_eq!((again.step, again.parameters, states.len(), notices.len()), (1, training.parameters, 3, 0));

    std::fs::remove_file(crate::store::checkpoint_path(place.path(), "m.seed5")).expect("there");
    let message = restore(&mut three(), &short).expect_err("one is missing").to_string();
    assert!(message.contains("other members of the ensemble have none"), "{message}");
}
