//! `velocity.svg`: velocity against time, truth and prediction, a panel a model.

use super::super::axis::Axis;
use super::super::figure::{Figure, Mark, Panel};
use super::super::input::ReportInput;
use super::super::palette::{ModelStyle, TRUTH};
use super::{MODEL_WIDTH, TRUTH_WIDTH, line_key, truth_key};
use crate::record::Trajectory;

/// Rollouts drawn, evenly spread over all.
const SHOWN: usize = 12;

/// Draws some rollouts of every model over the truth, for systems with one coordinate; `None` for others.
pub(super) fn figure(input: &ReportInput<'_>, models: &[ModelStyle]) -> Option<Figure> {
    let (rollouts, system) = (input.rollouts, input.system);
    let [coordinate] = &system.coordinates[..] else { return None };
    let (start, last) = (*rollouts.times.first()?, *rollouts.times.last()?);
    let count = rollouts.truth.len();
    let shown: Vec<usize> = (0..SHOWN.min(count)).map(|k| k * count / SHOWN.min(count)).collect();
    let line = |trajectory: &Trajectory| -> Vec<(f64, f64)> {
        let velocities = trajectory.states.chunks_exact(2).map(|state| state[1]);
        rollouts.times.iter().copied().zip(velocities).collect()
    };
    let truth: Vec<Vec<(f64, f64)>> = shown.iter().map(|&index| line(&rollouts.truth[index])).collect();
    let velocities = || truth.iter().flatten().map(|point| point.1);
    let (low, high) = (velocities().fold(f64::INFINITY, f64::min), velocities().fold(f64::NEG_INFINITY, f64::max));
    if !(low.is_finite() && high.is_finite()) {
        return None;
    }
    let room = (0.1 * (high - low)).max(1e-3 * high.abs()).max(f64::MIN_POSITIVE);
    let followers: Vec<(&ModelStyle, &Vec<Trajectory>)> =
        models.iter().filter_map(|model| Some((model, rollouts.models.get(&model.name)?))).collect();
    let panels =
        followers
            .iter()
            .map(|(model, trajectories)| {
                let marks = truth.iter().map(|points| Mark::Line {
                    points: points.clone(),
                    colour: TRUTH,
                    quarter_width: TRUTH_WIDTH,
                });
                let predicted = shown.iter().filter_map(|&index| trajectories.get(index)).map(|trajectory| {
                    Mark::Line { points: line(trajectory), colour: model.colour, quarter_width: MODEL_WIDTH }
                });
                Panel {
                    title: format!("{}: velocity d{}/dt ({})", model.label, coordinate.symbol, system.velocity_unit()),
                    x: Axis::linear_range(start, last, 5),
                    y: Axis::linear_range(low - room, high + room, 4),
                    x_label: format!("time ({})", system.time_unit),
                    height: 150,
                    marks: marks.chain(predicted).collect(),
                }
            })
            .collect();
    let mut legend = vec![truth_key()];
    legend.extend(followers.iter().map(|(model, _)| line_key(&model.label, model)));
    Some(Figure {
        name: "velocity",
        title: "Velocity against time, truth and prediction".to_owned(),
        caption: format!(
            "{} of {count} rollouts, each from its own start; every model has a panel. Where a coloured line covers the \
             black one, the model has learned the motion.",
            shown.len()
        ),
        legend,
        panels,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Rollouts;
    use crate::report::fixture;
    use crate::report::palette::model_styles;

    #[test]
    fn every_model_has_a_panel_with_truth_and_prediction_and_only_for_one_coordinate() {
        let (summary, two, metrics, mut system) = fixture::run();
        let input = fixture::input(&summary, &metrics, &two, &system);
        assert_eq!(figure(&input, &model_styles(&summary, &two)), None);
        system.coordinates.truncate(1);
        let one = |k: f64| Trajectory {
            states: (0..41).flat_map(|i| [0.0, k * 0.1 * f64::from(i)]).collect(),
            energies: vec![0.0; 41],
            failure: None,
        };
        let family: Vec<Trajectory> = (0..30).map(|k| one(f64::from(k))).collect();
        let rollouts = Rollouts {
            dof: 1,
            models: [("lnn".to_owned(), family.clone()), ("baseline".to_owned(), family.clone())].into(),
            truth: family,
            ..two.clone()
        };
        let input = fixture::input(&summary, &metrics, &rollouts, &system);
        let drawn = figure(&input, &model_styles(&summary, &rollouts)).expect("one coordinate");
        assert_eq!(drawn.panels.len(), 2);
        for panel in &drawn.panels {
            assert_eq!(panel.marks.len(), 2 * SHOWN);
            let Mark::Line { points, .. } = &panel.marks[SHOWN + 1] else { panic!("lines only") };
            // The second of twelve among thirty is rollout 2, and frame 10 is at t = 1.
            assert_eq!(points[10], (rollouts.times[10], 2.0 * 0.1 * 10.0));
        }
    }
}
