//! `energy_error.svg`: the energy error of every rollout, one dot each.

use super::super::axis::Axis;
use super::super::figure::{Figure, Key, LegendEntry, Mark, Panel};
use super::super::input::ReportInput;
use super::super::measure::{last_frame_errors, worst_frame_errors};
use super::super::palette::{ModelStyle, REFERENCE, TRUTH};
use super::amount;

/// Height of one row in pixels.
pub(super) const ROW_HEIGHT: u32 = 58;
/// Share of a row's height over which dots are spread so that they do not hide each other.
pub(super) const SPREAD: f64 = 0.46;

/// Draws two rows a model, the last frame and the worst frame; `None` if no model has rollouts.
pub(super) fn figure(input: &ReportInput<'_>, models: &[ModelStyle]) -> Option<Figure> {
    let (rollouts, system) = (input.rollouts, input.system);
    let mut names = Vec::new();
    let mut marks = Vec::new();
    let mut values = Vec::new();
    let mut failures = String::new();
    let mut published = false;
    for model in models {
        if !rollouts.models.contains_key(&model.name) {
            continue;
        }
        let last = last_frame_errors(rollouts, &model.name, system);
        let worst = worst_frame_errors(rollouts, &model.name, system);
        let failed = last.iter().filter(|error| error.is_none()).count();
        if failed > 0 {
            failures.push_str(&format!("; {}: {failed} failed, not shown", model.label));
        }
        for (frame, errors, filled) in [("last", last, true), ("worst", worst, false)] {
            let row = -(names.len() as f64);
            names.push(format!("{}, {frame}", model.label));
            let mut finished: Vec<f64> = errors.into_iter().flatten().collect();
            finished.sort_by(f64::total_cmp);
            marks.push(Mark::Dots {
                points: finished
                    .iter()
                    .enumerate()
                    .map(|(rank, error)| (*error, row + SPREAD * offset(rank)))
                    .collect(),
                colour: model.colour,
                filled,
            });
            if !finished.is_empty() {
                let mean = finished.iter().sum::<f64>() / finished.len() as f64;
                values.push(mean);
                marks.push(Mark::Tick { at: (mean, row), colour: TRUTH, half_height: ROW_HEIGHT / 2 - 6 });
            }
            let paper = input.summary.paper.get(&model.name).and_then(|paper| paper.energy_error_percent);
            if let (true, Some(percent)) = (filled, paper) {
                published = true;
                values.push(percent);
                marks.push(Mark::Diamond { at: (percent, row), colour: TRUTH });
            }
            values.extend(finished);
        }
    }
    if names.is_empty() {
        return None;
    }
    let key = |label: &str, colour, key| LegendEntry { label: label.to_owned(), colour, key };
    let mut legend = vec![
        key("a rollout’s last frame", REFERENCE, Key::Dot),
        key("its worst frame", REFERENCE, Key::Ring),
        key("mean", TRUTH, Key::Tick),
    ];
    if published {
        legend.push(key("paper’s mean, last frame", TRUTH, Key::Diamond));
    }
    let count = rollouts.truth.len();
    let span = rollouts.times.last().copied().unwrap_or(0.0);
    Some(Figure {
        name: "energy_error",
        title: format!("Energy error of {count} rollouts over {} {}", amount(span), system.time_unit),
        caption: "Every rollout starts from its own initial state; further left is better, and the axis \
                  is logarithmic. The mean, which the paper reports, follows the few worst rollouts; the \
                  cloud of dots shows what is usual. Rollouts that failed are counted, not averaged."
            .to_owned(),
        legend,
        panels: vec![Panel {
            title: format!("One mark a rollout{failures}"),
            x: Axis::errors(values),
            height: ROW_HEIGHT * names.len() as u32,
            y: Axis::rows(names),
            x_label: "energy error (%)".to_owned(),
            marks,
        }],
    })
}

/// A place from −½ to ½ for the dot of this rank: neighbours in value land far apart (the golden
/// ratio's multiples are the most evenly spread).
pub(super) fn offset(rank: usize) -> f64 {
    (rank as f64 * 0.618_033_988_749_895 + 0.5).fract() - 0.5
}
