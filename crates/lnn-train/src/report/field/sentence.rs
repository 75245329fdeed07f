//! The result of a run on fields in words.

use super::{FieldReportInput, styles};
use crate::field::{FieldModelSummary, FieldMotionSummary, FieldSummary};
use crate::report::number::{grouped, significant};
use crate::report::palette::ModelStyle;
use crate::report::table::trim;

/// Names of all initial states: those that are drawn in their order, then the others by name.
pub(super) fn motion_names(input: &FieldReportInput<'_>) -> Vec<String> {
    let mut names: Vec<String> = input.motions.iter().map(|motion| motion.name.clone()).collect();
    for name in summarised_motions(input.summary) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Names of the initial states in the summary: those of every model.
pub(super) fn summarised_motions(summary: &FieldSummary) -> Vec<String> {
    let mut names = Vec::new();
    for name in summary.models.values().flat_map(|model| model.motions.keys()) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    // A state on a larger lattice than the models are otherwise judged on is an addition.
    names.sort_by_key(|name| {
        summary.models.values().any(|model| model.motions.get(name).is_some_and(|motion| motion.sites > summary.sites))
    });
    names
}

/// How many times a wave crosses the lattice during the rollout, if that has a meaning.
pub(super) fn crossings(motion: &FieldMotionSummary) -> Option<f64> {
    let count = motion.t_end / motion.crossing_time;
    (count.is_finite() && count > 0.0).then_some(count)
}

/// A share as percent with three digits; what is not finite is said as it is.
pub(super) fn percent(share: f64) -> String {
    format!("{}\u{a0}%", significant(100.0 * share, 3))
}

/// What was trained on how many sites and judged on how many, in one sentence.
pub(super) fn setting(summary: &FieldSummary) -> String {
    let held_out = summary.models.values().map(|model| model.held_out as u64).max();
    let judged = held_out.map_or_else(String::new, |states| format!(" by {} states never trained on", grouped(states)));
    let (trained, sites) = (summary.training_sites as u64, summary.sites as u64);
    if trained == sites {
        return format!(
            "Every model was trained on random states of {} sites and judged on as many sites{judged}.",
            grouped(sites)
        );
    }
    format!(
        "Every model was trained on random states of {} sites and judged on {} sites{judged}.",
        grouped(trained),
        grouped(sites)
    )
}

/// One sentence a model on its accelerations and on what became of the first initial state.
pub(super) fn results(input: &FieldReportInput<'_>) -> Vec<String> {
    let first = motion_names(input).into_iter().next();
    let sentence = |style: &ModelStyle, model: &FieldModelSummary| {
        let kind = input.kinds.get(&style.name).map_or_else(String::new, |kind| format!(" ({kind})"));
        let mut text =
            format!("{}{kind}: relative error of φ̈ {}", style.label, significant(model.acceleration_relative, 3));
        let motion = first.as_ref().and_then(|name| Some((name, model.motions.get(name)?)));
        if let Some((name, motion)) = motion {
            text += &format!("; from the state “{name}” {}", outcome(motion));
        }
        text + "."
    };
    styles(input.summary, input.motions)
        .iter()
        .filter_map(|style| Some(sentence(style, input.summary.models.get(&style.name)?)))
        .collect()
}

/// What became of a motion: the field's error, the energy's, a kink's velocity, and whether it stopped.
fn outcome(motion: &FieldMotionSummary) -> String {
    let mut parts = Vec::new();
    let span = crossings(motion).map_or_else(
        || format!("until t = {}", trim(&significant(motion.t_end, 3))),
        |count| format!("over {} crossings", trim(&significant(count, 3))),
    );
    match crossings(motion) {
        Some(count) if count >= 1.0 => {
            let once = percent(motion.field_error);
            parts.push(format!("the field is off by {once} of its amplitude after one crossing"));
            if count > 1.0 && motion.stopped.is_none() {
                parts.push(format!("by {} at the end", percent(motion.field_error_end)));
            }
        }
        _ => parts.push(format!("the field is off by {} of its amplitude at the end", percent(motion.field_error_end))),
    }
    if motion.stopped.is_none() {
        parts.push(format!("the exact energy by at most {} {span}", percent(0.01 * motion.energy_error_percent)));
    }
    if let Some(error) = motion.kink_velocity_error {
        parts.push(format!("the kink’s velocity by {}", percent(error)));
    }
    let mut text = parts.join(", ");
    if let Some(reason) = &motion.stopped {
        text += &format!("; the rollout ended early: {reason}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn every_model_is_judged_in_numbers() {
        let run = fixture::run();
        let sentences = results(&run.input());
        assert_eq!(sentences.len(), 3);
        let first = &sentences[0];
        assert!(
            first.starts_with(
                "LGN (Lagrangian graph network): relative error of φ̈ 5.12e−5; from the state “bump” the field"
            ),
            "{first}"
        );
        for words in ["0.0700\u{a0}% of its amplitude after one crossing", "at most 0.0240\u{a0}% over 10 crossings"] {
            assert!(sentences[0].contains(words), "{words}: {}", sentences[0]);
        }
        let setting = setting(&run.summary);
        assert!(setting.contains("16 sites and judged on 100 sites by 500 states"), "{setting}");
    }

    #[test]
    fn an_early_end_and_a_kink_are_said() {
        let mut run = fixture::run();
        let motion = run.summary.models.get_mut("cnn").and_then(|model| model.motions.get_mut("bump")).expect("there");
        motion.field_error = f64::INFINITY;
        motion.stopped = Some("the state is not finite at t = 41".to_owned());
        motion.kink_velocity_error = Some(0.0042);
        let sentences = results(&run.input());
        for words in ["∞\u{a0}%", "velocity by 0.420\u{a0}%", "ended early: the state is not finite at t = 41"] {
            assert!(sentences[1].contains(words), "{words}: {}", sentences[1]);
        }
        assert!(!sentences[1].contains("exact energy"), "an energy until the end there is none: {}", sentences[1]);
        motion_without_crossing(&mut run);
    }

    fn motion_without_crossing(run: &mut fixture::Run) {
        let motion = run.summary.models.get_mut("lgn").and_then(|model| model.motions.get_mut("bump")).expect("there");
        (motion.crossing_time, motion.field_error_end) = (f64::INFINITY, 0.5);
        let sentence = &results(&run.input())[0];
        assert!(sentence.contains("50.0\u{a0}% of its amplitude at the end"), "{sentence}");
        assert!(sentence.contains("until t = 1000"), "{sentence}");
    }
}
