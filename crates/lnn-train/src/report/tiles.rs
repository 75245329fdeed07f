//! The headline numbers of the page.

use super::input::ReportInput;
use super::number::{duration, significant};
use super::page::published;
use super::palette::model_styles;
use crate::record::ModelSummary;
use crate::spread::median;

/// A headline number.
pub(super) struct Tile {
    pub(super) value: String,
    pub(super) unit: String,
    pub(super) label: String,
    pub(super) paper: Option<String>,
}

/// The three headline numbers of the first model; of an ensemble the medians over its members.
pub(super) fn tiles(input: &ReportInput<'_>) -> Vec<Tile> {
    let summary = input.summary;
    let Some(model) =
        model_styles(summary, input.rollouts).into_iter().find(|model| summary.models.contains_key(&model.name))
    else {
        return Vec::new();
    };
    let result = &summary.models[&model.name];
    let ensemble = summary.ensemble.as_ref().and_then(|ensemble| ensemble.models.get(&model.name));
    let figures: Vec<&ModelSummary> = match ensemble {
        Some(ensemble) => ensemble.members.iter().filter_map(|member| member.figures.as_ref()).collect(),
        None => vec![result],
    };
    let value = |figure: fn(&ModelSummary) -> f64| significant(median(figures.iter().map(|model| figure(model))), 3);
    let of = if ensemble.is_some() { format!(", median of {}", figures.len()) } else { String::new() };
    let paper = summary.paper.get(&model.name);
    let stated = |value: Option<f64>| value.map(|_| published(value));
    let acceleration = match (result.geometric_mean_relative_error, result.weighted_acceleration_l1) {
        (Some(_), _) => Tile {
            value: value(|model| model.geometric_mean_relative_error.map_or(f64::NAN, |error| error.geometric_mean)),
            unit: String::new(),
            label: format!("{} relative error, geometric mean{of}", model.label),
            paper: stated(paper.and_then(|paper| paper.geometric_mean_relative_error)),
        },
        (None, Some(_)) => Tile {
            value: value(|model| model.weighted_acceleration_l1.unwrap_or(f64::NAN)),
            unit: input.system.acceleration_unit.clone(),
            label: format!("{} weighted acceleration L1{of}", model.label),
            paper: stated(paper.and_then(|paper| paper.weighted_acceleration_l1)),
        },
        (None, None) => Tile {
            value: value(|model| model.acceleration_l1),
            unit: input.system.acceleration_unit.clone(),
            label: format!("{} acceleration L1{of}", model.label),
            paper: stated(paper.and_then(|paper| paper.acceleration_l1)),
        },
    };
    vec![
        acceleration,
        Tile {
            value: value(|model| model.energy_error_percent.mean),
            unit: "%".to_owned(),
            label: format!("{} mean energy error{of}", model.label),
            paper: stated(paper.and_then(|paper| paper.energy_error_percent)).map(|percent| format!("{percent} %")),
        },
        Tile {
            value: duration(ensemble.map_or(result.train_seconds, |ensemble| ensemble.train_seconds)),
            unit: String::new(),
            label: match ensemble {
                Some(ensemble) => format!("{} training time of {}", model.label, ensemble.members.len()),
                None => format!("{} training time", model.label),
            },
            paper: None,
        },
    ]
}
