//! What the figures measure on rollouts: energy errors, coordinate errors, continuous angles, and
//! which rollout stands for the others.

use std::f64::consts::{PI, TAU};

use super::input::{ReportInput, SystemDescription};
use super::palette::ModelStyle;
use crate::larger;
use crate::record::{Rollouts, Trajectory};

/// Number of frames of `trajectory`, `[frames, 2 dof]` states.
pub(crate) fn frames(trajectory: &Trajectory, dof: usize) -> usize {
    trajectory.states.len().checked_div(2 * dof).unwrap_or(0)
}

/// |E_model − E_true| in percent of the reference energy, one value a frame that both have.
pub(crate) fn energy_error_percent(model: &Trajectory, truth: &Trajectory, system: &SystemDescription) -> Vec<f64> {
    model
        .energies
        .iter()
        .zip(&truth.energies)
        .map(|(model, truth)| 100.0 * (model - truth).abs() / system.energy_reference.value)
        .collect()
}

/// Largest |q − q_true| over the coordinates, one value a frame that both have; angles are compared
/// the short way round, so an angle's error is π at most.
pub(crate) fn coordinate_error(model: &Trajectory, truth: &Trajectory, system: &SystemDescription) -> Vec<f64> {
    let dof = system.coordinates.len();
    let common = frames(model, dof).min(frames(truth, dof));
    (0..common)
        .map(|frame| {
            system
                .coordinates
                .iter()
                .enumerate()
                .map(|(j, coordinate)| {
                    let at = 2 * dof * frame + j;
                    let difference = model.states[at] - truth.states[at];
                    if coordinate.angle {
                        (difference - TAU * (difference / TAU).round()).abs()
                    } else {
                        difference.abs()
                    }
                })
                .fold(0.0, larger)
        })
        .collect()
}

/// Coordinate `j` frame by frame, without jumps of 2π if it is an angle.
///
/// Whole turns are added so that each frame is nearest to where the velocities of the frame before
/// and of the frame itself lead: a fast bob may truly turn by more than π between two frames.
pub(crate) fn continuous_coordinate(
    trajectory: &Trajectory,
    times: &[f64],
    system: &SystemDescription,
    j: usize,
) -> Vec<f64> {
    let dof = system.coordinates.len();
    let value = |frame: usize| trajectory.states[2 * dof * frame + j];
    let velocity = |frame: usize| trajectory.states[2 * dof * frame + dof + j];
    let mut continuous: Vec<f64> = Vec::with_capacity(frames(trajectory, dof));
    for frame in 0..frames(trajectory, dof).min(times.len()) {
        let raw = value(frame);
        let next = match continuous.last() {
            Some(previous) if system.coordinates[j].angle => {
                let step = times[frame] - times[frame - 1];
                let expected = previous + 0.5 * step * (velocity(frame - 1) + velocity(frame));
                let turns = ((expected - raw) / TAU).round();
                if turns.is_finite() { raw + TAU * turns } else { raw }
            }
            _ => raw,
        };
        continuous.push(next);
    }
    // Starts within one turn of zero, so that models and truth that start together are drawn together.
    if let (Some(first), true) = (continuous.first().copied(), system.coordinates[j].angle) {
        let turns = ((first - PI) / TAU).ceil();
        if turns.is_finite() {
            for value in &mut continuous {
                *value -= TAU * turns;
            }
        }
    }
    continuous
}

/// The rollout that stands for the others, and the sentence that says how it was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Representative {
    /// Index among the rollouts.
    pub(crate) index: usize,
    /// How it was chosen, in words.
    pub(crate) reason: String,
}

/// Chooses the rollout whose last-frame energy error of the first model is the median of those that
/// ran to the end; the first rollout if none did. `None` without rollouts.
pub(crate) fn representative(input: &ReportInput<'_>, models: &[ModelStyle]) -> Option<Representative> {
    let rollouts = input.rollouts;
    let count = rollouts.truth.len();
    if count == 0 {
        return None;
    }
    let ranked = models.iter().find_map(|model| {
        let errors = last_frame_errors(rollouts, &model.name, input.system);
        let mut finished: Vec<(f64, usize)> = errors
            .into_iter()
            .enumerate()
            .filter_map(|(index, error)| error.map(|error| (error, index)))
            .filter(|(error, _)| error.is_finite())
            .collect();
        finished.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let middle = finished.len().checked_sub(1)? / 2;
        Some((finished[middle].1, model.label.clone()))
    });
    Some(match ranked {
        Some((index, label)) => Representative {
            index,
            reason: format!(
                "Rollout {} of {count}: the one with the median energy error of the {label} model \
                 at the last frame.",
                index + 1
            ),
        },
        None => Representative { index: 0, reason: format!("Rollout 1 of {count}.") },
    })
}

/// Energy error at the last frame of each rollout in percent; `None` where the rollout failed or has an energy that is not
/// finite.
pub(crate) fn last_frame_errors(rollouts: &Rollouts, model: &str, system: &SystemDescription) -> Vec<Option<f64>> {
    errors_by_rollout(rollouts, model, system, |errors| errors.last().copied())
}

/// Largest energy error over the frames of each rollout in percent; `None` as above.
pub(crate) fn worst_frame_errors(rollouts: &Rollouts, model: &str, system: &SystemDescription) -> Vec<Option<f64>> {
    errors_by_rollout(rollouts, model, system, |errors| errors.iter().copied().reduce(f64::max))
}

fn errors_by_rollout(
    rollouts: &Rollouts,
    model: &str,
    system: &SystemDescription,
    reduce: impl Fn(&[f64]) -> Option<f64>,
) -> Vec<Option<f64>> {
    let Some(trajectories) = rollouts.models.get(model) else {
        return Vec::new();
    };
    trajectories
        .iter()
        .zip(&rollouts.truth)
        .map(|(trajectory, truth)| {
            if trajectory.failure.is_some() {
                return None;
            }
            let errors = energy_error_percent(trajectory, truth, system);
            // The largest of some errors is none if one of them is no number.
            if errors.iter().all(|error| error.is_finite()) { reduce(&errors) } else { None }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RolloutFailure;
    use crate::report::fixture;

    #[test]
    fn wrapped_angles_become_continuous_even_when_they_turn_fast() {
        let system = fixture::system();
        let times: Vec<f64> = (0..60).map(|k| 0.1 * f64::from(k)).collect();
        // 40 rad/s turns by 4 rad a frame, more than π: differences alone would unwrap it backwards.
        let truth = |k: usize| 1.0 + 40.0 * times[k];
        let mut states = Vec::new();
        for k in 0..times.len() {
            states.extend([truth(k).rem_euclid(TAU), 0.3, 40.0, 0.0]);
        }
        let trajectory = Trajectory { states, energies: vec![0.0; times.len()], failure: None };
        let angle = continuous_coordinate(&trajectory, &times, &system, 0);
        for (k, value) in angle.iter().enumerate() {
            // Each of the k steps rounds a value of at most 241 twice.
            assert!((value - truth(k)).abs() < 60.0 * 2.0 * 241.0 * f64::EPSILON, "{k}");
        }
    }

    #[test]
    fn angle_errors_go_the_short_way_round_and_energy_errors_are_in_percent() {
        let system = fixture::system();
        let one = |angle: f64, energy: f64| Trajectory {
            states: vec![angle, 0.0, 0.0, 0.0],
            energies: vec![energy],
            failure: None,
        };
        let (model, truth) = (one(TAU - 0.1, 1.0), one(0.2, 1.0 + system.energy_reference.value));
        let error = coordinate_error(&model, &truth, &system)[0];
        assert!((error - 0.3).abs() < 4.0 * TAU * f64::EPSILON);
        let percent = energy_error_percent(&model, &truth, &system)[0];
        assert!((percent - 100.0).abs() < 100.0 * 4.0 * f64::EPSILON);
        assert!(coordinate_error(&one(f64::NAN, 0.0), &truth, &system)[0].is_nan());
    }

    #[test]
    fn an_energy_that_is_no_number_is_not_the_smaller_error() {
        let mut rollouts = fixture::rollouts();
        let lnn = rollouts.models.get_mut("lnn").expect("the fixture has it");
        lnn[0].failure = None;
        lnn[0].energies[0] = f64::NAN;
        for errors in [worst_frame_errors, last_frame_errors] {
            let found = errors(&rollouts, "lnn", &fixture::system());
            assert!(found[0].is_none() && found[2..].iter().any(Option::is_some), "{found:?}");
        }
    }

    #[test]
    fn the_median_rollout_stands_for_the_others_and_failures_do_not_count() {
        let mut rollouts = fixture::rollouts();
        let energies: Vec<f64> = rollouts.truth.iter().map(|t| t.energies[0]).collect();
        let offsets = [3.0, 1.0, 9.0, 2.0, 5.0];
        let lnn = rollouts.models.get_mut("lnn").expect("the fixture has it");
        for (k, trajectory) in lnn.iter_mut().enumerate() {
            trajectory.failure = None;
            trajectory.energies.fill(energies[k] + offsets[k]);
        }
        lnn[1].failure = Some(RolloutFailure { time: 1.0, reason: "singular".to_owned() });
        let (summary, system) = (fixture::summary(), fixture::system());
        let input = fixture::input(&summary, &[], &rollouts, &system);
        let models = super::super::palette::model_styles(&summary, &rollouts);
        // Left are 3, 9, 2, 5: the lower median is 3, rollout 0.
        let chosen = representative(&input, &models).expect("there are rollouts");
        assert_eq!(chosen.index, 0);
        assert!(chosen.reason.contains("1 of 5"), "{}", chosen.reason);
        let none = Rollouts::default();
        let input = fixture::input(&summary, &[], &none, &system);
        assert_eq!(representative(&input, &models), None);
    }
}
