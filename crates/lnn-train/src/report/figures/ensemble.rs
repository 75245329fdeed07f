//! `ensemble_learning.svg` and `ensemble_errors.svg`: how the members of an ensemble learn, and where they end.

use std::collections::BTreeMap;

use super::super::axis::Axis;
use super::super::figure::{Figure, Key, LegendEntry, Mark, Panel};
use super::super::input::ReportInput;
use super::super::palette::{ModelStyle, REFERENCE, TRUTH, styles_of};
use super::energy_error::{ROW_HEIGHT, SPREAD, offset};
use super::{MODEL_WIDTH, line_key, logged_states};
use crate::record::{EnsembleSummary, MetricsLine, ModelSummary};
use crate::spread::Spread;

/// Both figures of an ensemble, or none of a run of one seed.
pub(crate) fn figures(input: &ReportInput<'_>) -> Vec<Figure> {
    let Some(ensemble) = &input.summary.ensemble else { return Vec::new() };
    let models = styles_of(ensemble.models.keys(), ["lnn", "baseline"]);
    let mut figures = Vec::new();
    figures.extend(learning(input, &models));
    figures.extend(errors(input, ensemble, &models));
    figures
}

/// A value of all members at each logged step: least, median and largest.
fn bands(lines: &[MetricsLine], model: &str, value: fn(&MetricsLine) -> f64) -> Vec<(f64, Spread)> {
    let mut by_step: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.model == model) {
        by_step.entry(line.step).or_default().push(value(line));
    }
    by_step.into_iter().map(|(step, values)| (step as f64, Spread::of(values))).collect()
}

fn learning(input: &ReportInput<'_>, models: &[ModelStyle]) -> Option<Figure> {
    let lines = input.member_metrics;
    if lines.is_empty() {
        return None;
    }
    let x = Axis::logarithmic(lines.iter().map(|line| line.step as f64));
    let panel = |title: String, value: fn(&MetricsLine) -> f64| {
        let curves: Vec<_> = models.iter().map(|model| (model, bands(lines, &model.name, value))).collect();
        let values = curves.iter().flat_map(|(_, curve)| curve.iter().flat_map(|(_, s)| [s.min, s.median, s.max]));
        let y = Axis::errors(values);
        // The first model lies on top, and every median on all bands.
        let band = |(model, curve): &(&ModelStyle, Vec<(f64, Spread)>)| Mark::Band {
            points: curve.iter().map(|(step, spread)| (*step, spread.min, spread.max)).collect(),
            colour: model.colour,
        };
        let median = |(model, curve): &(&ModelStyle, Vec<(f64, Spread)>)| Mark::Line {
            points: curve.iter().map(|(step, spread)| (*step, spread.median)).collect(),
            colour: model.colour,
            quarter_width: MODEL_WIDTH,
        };
        let marks = curves.iter().rev().map(band).chain(curves.iter().rev().map(median)).collect();
        Panel { title, x: x.clone(), y, x_label: "optimiser steps".to_owned(), height: 190, marks }
    };
    let error = format!("Acceleration L1 on {} ({})", logged_states(input.summary), input.system.acceleration_unit);
    Some(Figure {
        name: "ensemble_learning",
        title: "How the members learn".to_owned(),
        caption: "Of each model the median of all members, and from the least to the largest of them as a band. Both axes are \
                  logarithmic; lower is better."
            .to_owned(),
        legend: models.iter().map(|model| line_key(&model.label, model)).collect(),
        panels: vec![
            panel("Training loss".to_owned(), |line| line.loss),
            panel(error, |line| line.acceleration_l1),
        ],
    })
}

fn errors(input: &ReportInput<'_>, ensemble: &EnsembleSummary, models: &[ModelStyle]) -> Option<Figure> {
    let panel = |what: &str,
                 x_label: String,
                 figure: fn(&ModelSummary) -> f64,
                 paper: fn(&ReportInput<'_>, &str) -> Option<f64>| {
        let (mut names, mut marks, mut shown, mut missing) = (Vec::new(), Vec::new(), Vec::new(), String::new());
        for style in models {
            let members = &ensemble.models[&style.name].members;
            let mut values: Vec<f64> =
                members.iter().filter_map(|member| Some(figure(member.figures.as_ref()?))).collect();
            values.retain(|value| value.is_finite());
            if values.is_empty() {
                continue;
            }
            if values.len() < members.len() {
                missing += &format!("; {}: {} not shown", style.label, members.len() - values.len());
            }
            values.sort_by(f64::total_cmp);
            let row = -(names.len() as f64);
            names.push(style.label.clone());
            marks.push(Mark::Dots {
                points: values.iter().enumerate().map(|(rank, value)| (*value, row + SPREAD * offset(rank))).collect(),
                colour: style.colour,
                filled: true,
            });
            let median = Spread::of(values.iter().copied()).median;
            marks.push(Mark::Tick { at: (median, row), colour: TRUTH, half_height: ROW_HEIGHT / 2 - 6 });
            if let Some(published) = paper(input, &style.name) {
                marks.push(Mark::Diamond { at: (published, row), colour: TRUTH });
                shown.push(published);
            }
            shown.extend(values);
        }
        let height = ROW_HEIGHT * names.len() as u32;
        let title = format!("{what}, one mark a member{missing}");
        let panel = Panel { title, x: Axis::errors(shown), y: Axis::rows(names), x_label, height, marks };
        (height > 0).then_some(panel)
    };
    let panels: Vec<Panel> = [
        panel(
            "Acceleration L1",
            format!("acceleration L1 ({})", input.system.acceleration_unit),
            |model| model.acceleration_l1,
            |input, name| input.summary.paper.get(name)?.acceleration_l1,
        ),
        panel(
            "Energy error, mean of a member’s rollouts",
            "energy error (%)".to_owned(),
            |model| model.energy_error_percent.mean,
            |input, name| input.summary.paper.get(name)?.energy_error_percent,
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    if panels.is_empty() {
        return None;
    }
    let key = |label: &str, colour, key| LegendEntry { label: label.to_owned(), colour, key };
    let mut legend = vec![key("a member", REFERENCE, Key::Dot), key("median", TRUTH, Key::Tick)];
    if panels.iter().flat_map(|panel| &panel.marks).any(|mark| matches!(mark, Mark::Diamond { .. })) {
        legend.push(key("paper", TRUTH, Key::Diamond));
    }
    Some(Figure {
        name: "ensemble_errors",
        title: format!("Where {} members end", ensemble.members),
        caption: "Each member is judged on held-out states and rollouts of its own seed. Further left is better; the axes are \
                  logarithmic."
            .to_owned(),
        legend,
        panels,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::draw::{NARROW, WIDE, svg};
    use crate::report::fixture;

    #[test]
    fn every_member_has_a_mark_and_the_median_a_line_within_its_band() {
        let (_, rollouts, metrics, system) = fixture::run();
        let summary = fixture::ensemble();
        let members = fixture::member_metrics();
        let mut input = fixture::input(&summary, &metrics, &rollouts, &system);
        assert!(figures(&fixture::input(&fixture::summary(), &metrics, &rollouts, &system)).is_empty());
        input.member_metrics = &members;
        let figures = figures(&input);
        let names: Vec<&str> = figures.iter().map(|figure| figure.name).collect();
        assert_eq!(names, ["ensemble_learning", "ensemble_errors"]);
        let dots = |panel: &Panel| -> Vec<usize> {
            let dots = |mark: &Mark| if let Mark::Dots { points, .. } = mark { Some(points.len()) } else { None };
            panel.marks.iter().filter_map(dots).collect()
        };
        // One of the Lagrangian networks is lost.
        assert!(figures[1].panels.iter().all(|panel| dots(panel) == [4, 5]), "{:?}", figures[1].panels);
        assert!(figures[1].panels[0].title.contains("LNN: 1 not shown"), "{}", figures[1].panels[0].title);
        let bands = bands(&members, "lnn", |line| line.loss);
        assert!(bands.len() > 20 && bands.iter().all(|(_, s)| s.min < s.median && s.median < s.max));
        for figure in &figures {
            for width in [WIDE, NARROW] {
                let document = svg(figure, width).expect("a string takes everything");
                assert!(!document.contains("NaN") && !document.contains("inf"), "{}", figure.name);
                assert!(document.contains("#0072B2") && document.contains("#D55E00"), "{}", figure.name);
            }
        }
    }
}
