//! The report's figures, each built from the run's records as data.

mod coordinates;
mod energy;
mod energy_error;
mod ensemble;
mod initialisation;
mod loss;
mod mass_matrix;
mod velocity;

pub(super) use ensemble::figures as ensemble;
pub(crate) use initialisation::figure as initialisation;
pub(super) use loss::{Learning, curves};

use super::figure::{Figure, Key, LegendEntry};
use super::input::ReportInput;
use super::measure::representative;
use super::number::significant;
use super::palette::{ModelStyle, TRUTH, model_styles};
use super::table::trim;
use crate::evaluate::LOGGED_STATES;
use crate::record::Summary;

/// Line widths in quarters of a pixel: the truth lies wide under the models that follow it.
pub(super) const TRUTH_WIDTH: u32 = 14;
pub(super) const MODEL_WIDTH: u32 = 7;
const REFERENCE_WIDTH: u32 = 6;

/// Every figure that the run has data for, in the page's order.
pub(crate) fn all(input: &ReportInput<'_>) -> Vec<Figure> {
    let models = model_styles(input.summary, input.rollouts);
    let mut figures = Vec::new();
    if let Some(chosen) = representative(input, &models) {
        figures.extend(velocity::figure(input, &models));
        figures.extend(coordinates::figure(input, &models, &chosen));
        figures.extend(energy::figure(input, &models, &chosen));
        figures.extend(energy_error::figure(input, &models));
    }
    figures.extend(loss::figure(input, &models));
    figures.extend(mass_matrix::figure(input, &models));
    figures
}

/// The states that every line of the training log was measured on, in words.
fn logged_states(summary: &Summary) -> String {
    match summary.models.values().map(|model| model.held_out).max() {
        Some(held_out) => format!("{} held-out states", held_out.min(LOGGED_STATES)),
        None => "held-out states".to_owned(),
    }
}

/// A length of time in words.
pub(super) fn amount(time: f64) -> String {
    trim(&significant(time, 3)).to_owned()
}

pub(super) fn line_key(label: &str, style: &ModelStyle) -> LegendEntry {
    LegendEntry { label: label.to_owned(), colour: style.colour, key: Key::Line(MODEL_WIDTH) }
}

pub(super) fn truth_key() -> LegendEntry {
    LegendEntry { label: "Truth".to_owned(), colour: TRUTH, key: Key::Line(TRUTH_WIDTH) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{RolloutFailure, Rollouts};
    use crate::report::draw::{NARROW, WIDE, svg};
    use crate::report::figure::Mark;
    use crate::report::fixture;

    #[test]
    fn every_figure_names_its_axes_and_draws_every_model() {
        let (summary, rollouts, metrics, system) = fixture::run();
        let input = fixture::input(&summary, &metrics, &rollouts, &system);
        let figures = all(&input);
        let names: Vec<_> = figures.iter().map(|figure| figure.name).collect();
        assert_eq!(names, ["angles", "energy", "energy_error", "loss", "mass_matrix"]);
        for figure in &figures {
            for width in [WIDE, NARROW] {
                let document = svg(figure, width).expect("a string takes everything");
                // Wrapped text is looked for word by word.
                for panel in &figure.panels {
                    for text in panel.title.split(' ').chain(panel.x_label.split(' ')) {
                        assert!(document.contains(text), "{}: no {text}", figure.name);
                    }
                }
                for key in &figure.legend {
                    assert!(document.contains(&key.label), "{}: {}", figure.name, key.label);
                    assert!(document.matches(&key.colour.hex()).count() > 1);
                }
                assert!(document.contains(&format!("<svg width=\"{width}\"")));
                assert!(!document.contains("NaN") && !document.contains("inf"));
            }
        }
    }

    #[test]
    fn a_models_lines_have_its_pattern_in_every_figure() {
        let (summary, rollouts, metrics, system) = fixture::run();
        let input = fixture::input(&summary, &metrics, &rollouts, &system);
        for figure in all(&input).iter().filter(|f| f.name != "mass_matrix") {
            let document = svg(figure, WIDE).expect("a string takes everything");
            let baseline = document.lines().filter(|line| line.starts_with("<polyline") && line.contains("#D55E00"));
            for line in baseline {
                assert!(line.contains("stroke-dasharray=\"28 16\""), "{line}");
            }
        }
    }

    #[test]
    fn failed_rollouts_are_counted_and_have_no_dot() {
        let (summary, mut rollouts, metrics, system) = fixture::run();
        let lnn = rollouts.models.get_mut("lnn").expect("the fixture has it");
        lnn[3] = fixture::truncated(&lnn[3], 9);
        lnn[3].failure = Some(RolloutFailure { time: 0.8, reason: "the state is not finite".to_owned() });
        let input = fixture::input(&summary, &metrics, &rollouts, &system);
        let figures = all(&input);
        let figure = figures.iter().find(|f| f.name == "energy_error");
        let panel = &figure.expect("there are rollouts").panels[0];
        assert!(panel.title.contains("LNN: 1 failed"), "{}", panel.title);
        let dots: Vec<usize> = panel
            .marks
            .iter()
            .filter_map(|mark| match mark {
                Mark::Dots { points, .. } => Some(points.len()),
                _ => None,
            })
            .collect();
        assert_eq!(dots, [4, 4, 5, 5]);
    }

    #[test]
    fn runs_without_data_or_with_broken_data_still_draw() {
        let (mut summary, mut rollouts, mut metrics, system) = fixture::run();
        for line in &mut metrics {
            line.loss = f64::NAN;
            line.acceleration_l1 = f64::INFINITY;
            if let Some(spectrum) = &mut line.mass_matrix {
                spectrum.eigenvalue_min = -1.0;
                spectrum.condition_max = f64::INFINITY;
            }
        }
        for trajectories in rollouts.models.values_mut() {
            trajectories[0].states.fill(f64::NAN);
            trajectories[0].energies.fill(f64::NAN);
            trajectories[1].states.clear();
            trajectories[1].energies.clear();
        }
        let one_frame = Rollouts {
            dof: 2,
            times: vec![0.0],
            conditional_names: Vec::new(),
            conditionals: Vec::new(),
            truth: vec![fixture::truncated(&rollouts.truth[2], 1)],
            models: [("lnn".to_owned(), vec![fixture::truncated(&rollouts.truth[2], 1)])].into(),
        };
        for rollouts in [&rollouts, &one_frame] {
            let input = fixture::input(&summary, &metrics, rollouts, &system);
            for figure in all(&input) {
                let document = svg(&figure, WIDE).expect("a string takes everything");
                assert!(!document.contains("NaN"), "{}", figure.name);
            }
        }
        summary.models.clear();
        let nothing = Rollouts::default();
        assert!(all(&fixture::input(&summary, &[], &nothing, &system)).is_empty());
    }
}
