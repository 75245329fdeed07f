//! The section of the page on an ensemble.

use super::super::input::ReportInput;
use super::super::number::{duration, significant};
use super::super::palette::{ModelStyle, styles_of};
use crate::record::{ModelEnsemble, ModelSummary};
use crate::spread::Spread;

/// What the section says besides its figures.
pub(in crate::report) struct EnsembleView {
    /// Members of each model.
    pub(in crate::report) members: usize,
    pub(in crate::report) seeds: String,
    pub(in crate::report) shown_seed: u64,
    /// One row a model and figure.
    pub(in crate::report) rows: Vec<SpreadRow>,
    /// Training time of each model's members.
    pub(in crate::report) times: Vec<String>,
    /// Members that are in no figure, a sentence each.
    pub(in crate::report) lost: Vec<String>,
}

/// One figure of one model over its members.
pub(in crate::report) struct SpreadRow {
    pub(in crate::report) model: String,
    pub(in crate::report) colour: String,
    pub(in crate::report) quantity: &'static str,
    pub(in crate::report) unit: String,
    /// Least, median, mean, largest, standard deviation.
    pub(in crate::report) cells: [String; 5],
}

/// The section's numbers; `None` for a run of one seed.
pub(in crate::report) fn view(input: &ReportInput<'_>) -> Option<EnsembleView> {
    let ensemble = input.summary.ensemble.as_ref()?;
    let styles = styles_of(ensemble.models.keys(), ["lnn", "baseline"]);
    let models = || styles.iter().filter_map(|style| Some((style, ensemble.models.get(&style.name)?)));
    Some(EnsembleView {
        members: ensemble.members,
        seeds: super::seeds(input.summary),
        shown_seed: ensemble.shown_seed,
        rows: models().flat_map(|(style, model)| rows(style, model, &input.system.acceleration_unit)).collect(),
        times: models().map(|(style, model)| format!("{} {}", style.label, duration(model.train_seconds))).collect(),
        lost: models().flat_map(|(style, model)| lost(style, model)).collect(),
    })
}

fn rows(style: &ModelStyle, model: &ModelEnsemble, acceleration_unit: &str) -> Vec<SpreadRow> {
    let row = |quantity, unit: &str, spread: Spread| {
        let Spread { min, median, mean, max, standard_deviation } = spread;
        SpreadRow {
            model: style.label.clone(),
            colour: style.colour.hex(),
            quantity,
            unit: unit.to_owned(),
            cells: [min, median, mean, max, standard_deviation].map(|value| significant(value, 3)),
        }
    };
    let figures: Vec<&ModelSummary> = model.members.iter().filter_map(|member| member.figures.as_ref()).collect();
    let of = |figure: fn(&ModelSummary) -> Option<f64>| {
        let values: Option<Vec<f64>> = figures.iter().map(|&model| figure(model)).collect();
        values.filter(|values| !values.is_empty()).map(Spread::of)
    };
    let spread = model.spread;
    let mut rows = vec![row("Acceleration L1", acceleration_unit, spread.acceleration_l1)];
    let weighted = of(|model| model.weighted_acceleration_l1);
    rows.extend(weighted.map(|spread| row("— weighted as in training", acceleration_unit, spread)));
    rows.extend(of(|model| model.vector_field_l1).map(|spread| row("Both rates L1", "", spread)));
    rows.push(row("Energy error, mean of the rollouts", "%", spread.energy_error_mean_percent));
    rows.push(row("Energy error, their median", "%", spread.energy_error_median_percent));
    rows
}

fn lost<'a>(style: &'a ModelStyle, model: &'a ModelEnsemble) -> impl Iterator<Item = String> + 'a {
    model.members.iter().filter_map(|member| {
        let lost = member.lost.as_ref()?;
        Some(format!("{}, seed {}, at step {}: {}.", style.label, member.seed, lost.step, lost.reason))
    })
}
