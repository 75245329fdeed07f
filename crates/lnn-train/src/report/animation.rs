//! The data behind the page's animation, as JSON: angles, velocities and energies of a few rollouts.

use serde::{Deserialize, Serialize};

use super::input::{PendulumGeometry, ReportInput};
use super::measure::{continuous_coordinate, energy_error_percent, frames, last_frame_errors, representative};
use super::palette::{ModelStyle, TRUTH, model_styles};
use crate::record::Trajectory;

/// Rollouts in the animation at most.
const ROLLOUTS: usize = 8;
/// Numbers in the animation at most: about seven characters each keep the page near a megabyte.
const NUMBERS: usize = 160_000;
/// Significant digits of every number: a hundredth of a pixel of the drawn pendulum.
const DIGITS: i32 = 5;

/// Everything that the page's script needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Animation {
    /// Link lengths in metres.
    pub(crate) lengths: [f64; 2],
    /// Bob masses in kilograms.
    pub(crate) masses: [f64; 2],
    /// Unit of the energy readout.
    pub(crate) energy_unit: String,
    /// Frame times in seconds.
    pub(crate) times: Vec<f64>,
    /// Truth first, then the models.
    pub(crate) actors: Vec<Actor>,
    /// The rollouts that can be chosen.
    pub(crate) rollouts: Vec<AnimatedRollout>,
    /// Index in `rollouts` of the one shown first.
    pub(crate) initial: usize,
}

/// One pendulum of the animation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Actor {
    pub(crate) label: String,
    pub(crate) colour: String,
}

/// One rollout of every actor from the same start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AnimatedRollout {
    pub(crate) label: String,
    /// One track an actor, in the actors' order.
    pub(crate) tracks: Vec<Track>,
}

/// One actor's motion; shorter than the times if its rollout failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Track {
    /// The two angles in radians, frame by frame, without jumps.
    pub(crate) angles: [Vec<f64>; 2],
    /// Their rates in rad/s, for smooth motion between frames.
    pub(crate) rates: [Vec<f64>; 2],
    /// The true system's energy of each frame.
    pub(crate) energy: Vec<f64>,
    /// Energy error of each frame in percent; empty for the truth. It is not left to the page, whose
    /// rounded energies differ by more than a good model's error.
    pub(crate) error: Vec<f64>,
    /// Why the rollout stopped early, if it did.
    pub(crate) failure: Option<String>,
}

/// Collects the animation; `None` for systems that are not a double pendulum and for empty rollouts.
pub(crate) fn animation(input: &ReportInput<'_>) -> Option<Animation> {
    let PendulumGeometry { lengths, masses } = input.system.pendulum?;
    let rollouts = input.rollouts;
    if input.system.coordinates.len() != 2 || rollouts.times.is_empty() {
        return None;
    }
    let models: Vec<ModelStyle> = model_styles(input.summary, rollouts)
        .into_iter()
        .filter(|model| rollouts.models.contains_key(&model.name))
        .collect();
    let chosen = representative(input, &models)?.index;
    let per_rollout = 6 * rollouts.times.len() * (models.len() + 1);
    let count = (NUMBERS / per_rollout).clamp(1, ROLLOUTS);
    let indices = select(rollouts.truth.len(), count, chosen);
    let mut actors = vec![Actor { label: "Truth".to_owned(), colour: TRUTH.hex() }];
    actors.extend(models.iter().map(|model| Actor { label: model.label.clone(), colour: model.colour.hex() }));
    let errors = models.first().map(|model| last_frame_errors(rollouts, &model.name, input.system));
    let animated = indices
        .iter()
        .map(|&index| {
            let mut tracks = vec![track(&rollouts.truth[index], None, input)];
            tracks.extend(
                models
                    .iter()
                    .filter_map(|model| rollouts.models[&model.name].get(index))
                    .map(|trajectory| track(trajectory, Some(&rollouts.truth[index]), input)),
            );
            let error = errors.as_ref().and_then(|errors| *errors.get(index)?);
            AnimatedRollout {
                label: match (error, models.first()) {
                    (Some(error), Some(model)) => {
                        format!("{} ({} error {} %)", index + 1, model.label, super::number::significant(error, 2))
                    }
                    _ => format!("{}", index + 1),
                },
                tracks,
            }
        })
        .collect();
    Some(Animation {
        lengths,
        masses,
        energy_unit: input.system.energy_reference.unit.clone(),
        times: rollouts.times.iter().copied().map(round).collect(),
        actors,
        rollouts: animated,
        initial: indices.iter().position(|&index| index == chosen)?,
    })
}

/// Chooses `count` of `total` rollouts, evenly spread and with `chosen` among them, in order.
fn select(total: usize, count: usize, chosen: usize) -> Vec<usize> {
    let count = count.min(total);
    let mut indices: Vec<usize> = (0..count).map(|k| k * total / count).collect();
    if !indices.contains(&chosen) {
        let nearest =
            indices.iter().enumerate().min_by_key(|(_, index)| index.abs_diff(chosen)).map(|(place, _)| place);
        if let Some(place) = nearest {
            indices[place] = chosen;
        }
    }
    indices.sort_unstable();
    indices
}

/// One trajectory up to its first frame that is not finite, rounded.
fn track(trajectory: &Trajectory, truth: Option<&Trajectory>, input: &ReportInput<'_>) -> Track {
    let (system, times) = (input.system, &input.rollouts.times);
    let dof = system.coordinates.len();
    let finite = (0..frames(trajectory, dof).min(times.len()))
        .take_while(|frame| {
            let state = &trajectory.states[2 * dof * frame..2 * dof * (frame + 1)];
            let energy = trajectory.energies.get(*frame);
            state.iter().chain(energy).all(|value| value.is_finite())
        })
        .count()
        .min(trajectory.energies.len());
    let angle = |j: usize| -> Vec<f64> {
        continuous_coordinate(trajectory, times, system, j).into_iter().take(finite).map(round).collect()
    };
    let rate = |j: usize| -> Vec<f64> {
        (0..finite).map(|frame| round(trajectory.states[2 * dof * frame + dof + j])).collect()
    };
    Track {
        angles: [angle(0), angle(1)],
        rates: [rate(0), rate(1)],
        energy: trajectory.energies[..finite].iter().copied().map(round).collect(),
        error: truth.map_or_else(Vec::new, |truth| {
            energy_error_percent(trajectory, truth, system).into_iter().take(finite).map(round).collect()
        }),
        failure: trajectory.failure.as_ref().map(|failure| failure.reason.clone()),
    }
}

/// Rounds to [`DIGITS`] significant digits and to 10⁻⁶ at the finest.
pub(super) fn round(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let exponent = value.abs().log10().floor() as i32;
    let decimals = (DIGITS - 1 - exponent).min(6);
    let rounded = format!("{value:.*}", decimals.max(0) as usize);
    // The shortest text of the parsed number is what goes into the page.
    rounded.parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RolloutFailure;
    use crate::report::fixture;

    #[test]
    fn the_chosen_rollout_is_always_among_the_selected() {
        for total in 1..50 {
            for chosen in 0..total {
                let indices = select(total, ROLLOUTS, chosen);
                assert_eq!(indices.len(), total.min(ROLLOUTS));
                assert!(indices.contains(&chosen));
                assert!(indices.is_sorted_by(|a, b| a < b), "{indices:?}");
                assert!(indices.iter().all(|index| *index < total));
            }
        }
    }

    #[test]
    fn numbers_keep_five_digits() {
        assert_eq!(round(1.234_567_8), 1.2346);
        assert_eq!(round(-123_456.7), -123_457.0);
        assert_eq!(round(0.000_012_345_6), 0.000_012);
        assert_eq!(round(0.0), 0.0);
    }

    #[test]
    fn a_failed_rollout_is_short_and_says_why() {
        let (summary, mut rollouts, metrics, system) = fixture::run();
        let model = &mut rollouts.models.get_mut("lnn").expect("the fixture has it")[0];
        *model = fixture::truncated(model, 7);
        model.states[4 * 6] = f64::NAN;
        model.failure = Some(RolloutFailure { time: 0.5, reason: "the mass matrix is singular".to_owned() });
        let input = fixture::input(&summary, &metrics, &rollouts, &system);
        let data = animation(&input).expect("a pendulum");
        assert_eq!(data.rollouts.len(), rollouts.truth.len());
        let tracks = &data.rollouts[0].tracks;
        assert_eq!(tracks.len(), 3);
        assert_eq!(tracks[0].energy.len(), rollouts.times.len());
        assert_eq!(tracks[1].angles[0].len(), 6);
        assert_eq!(tracks[1].error.len(), 6);
        // The fixture's LNN gains 1e-4 J a second.
        let percent = 100.0 * 1e-4 * rollouts.times[5] / system.energy_reference.value;
        assert!((tracks[1].error[5] - percent).abs() < 1e-6, "{:?}", tracks[1].error);
        assert_eq!(tracks[1].failure.as_deref(), Some("the mass matrix is singular"));
        for (frame, angle) in tracks[0].angles[1].iter().enumerate() {
            let exact = rollouts.truth[0].states[4 * frame + 1];
            assert!((angle - exact).abs() <= 0.5e-4 * exact.abs().max(1e-2), "{frame}");
        }
        let mut other = system.clone();
        other.pendulum = None;
        assert_eq!(animation(&fixture::input(&summary, &[], &rollouts, &other)), None);
    }
}
