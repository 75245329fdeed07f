//! `report.html`: one file with figures, table, animation and data, which opens without a network.

use askama::Template;

use super::animation::{Animation, animation};
use super::draw::{DrawError, NARROW, WIDE, svg};
use super::ensemble::{EnsembleView, seeds, view as ensemble_view};
use super::figure::Figure;
use super::figures::amount;
use super::input::ReportInput;
use super::kinds::{KindView, kinds};
use super::number::{duration, grouped, significant};
use super::palette::model_styles;
use super::table::{machine, trim};
use super::tiles::{Tile, tiles};
use crate::config::ModelKind;
use crate::record::{ModelSummary, PublishedFigures};

/// Why the page could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// A figure could not be drawn.
    #[error("the page's figure '{figure}' cannot be drawn: {source}")]
    Figure {
        /// The figure's name.
        figure: String,
        /// What the drawing surface reported.
        source: DrawError,
    },
    /// The template could not be filled in.
    #[error("the page's template cannot be filled in: {0}")]
    Template(#[from] askama::Error),
    /// The animation's data could not be written as JSON.
    #[error("the animation's data cannot be written as JSON: {0}")]
    Data(#[from] serde_json::Error),
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    title: &'a str,
    description: &'a str,
    kinds: Vec<KindView>,
    machine: String,
    preset: &'a str,
    seeds: String,
    ensemble: Option<EnsembleView>,
    ensemble_figures: Vec<FigureView>,
    tiles: Vec<Tile>,
    columns: Vec<Column>,
    rows: Vec<Row>,
    published: bool,
    table_note: String,
    animation: Option<AnimationView>,
    figures: Vec<FigureView>,
    config: &'a str,
    command: &'a str,
    style: &'static str,
    script: &'static str,
}

/// A column's head in the result table, or an actor's in the animation.
struct Column {
    label: String,
    colour: String,
    /// The full name where the label is short for it.
    spoken: Option<String>,
}

/// A measured quantity in the result table, one cell a column.
struct Row {
    name: &'static str,
    unit: String,
    cells: Vec<String>,
}

/// A figure for the page.
pub(super) struct FigureView {
    /// File stem under `figures/`.
    pub(super) name: String,
    /// SVG for wide screens.
    pub(super) wide: String,
    /// SVG for narrow screens.
    pub(super) narrow: String,
    /// What to look for.
    pub(super) caption: String,
}

struct AnimationView {
    actors: Vec<Column>,
    rollouts: Vec<(usize, String, bool)>,
    last: usize,
    json: String,
}

/// Writes the page.
pub(crate) fn html(input: &ReportInput<'_>, figures: &[Figure], of_ensemble: &[Figure]) -> Result<String, PageError> {
    let (summary, system) = (input.summary, input.system);
    let drawn = |figures: &[Figure]| {
        let one = |figure: &Figure| {
            let named = |source| PageError::Figure { figure: figure.name.to_owned(), source };
            let draw = |width| svg(figure, width).map_err(named);
            Ok(FigureView {
                name: figure.name.to_owned(),
                wide: draw(WIDE)?,
                narrow: draw(NARROW)?,
                caption: figure.caption.clone(),
            })
        };
        figures.iter().map(one).collect::<Result<Vec<_>, PageError>>()
    };
    let animation = animation(input).map(|data| view(&data)).transpose()?;
    let page = Page {
        title: &system.title,
        description: &system.description,
        kinds: kinds(input),
        machine: machine(summary),
        preset: &summary.preset,
        seeds: seeds(summary),
        ensemble: ensemble_view(input),
        ensemble_figures: drawn(of_ensemble)?,
        tiles: tiles(input),
        columns: columns(input),
        rows: rows(input),
        published: !summary.paper.is_empty(),
        table_note: table_note(input),
        animation,
        figures: drawn(figures)?,
        config: input.config_ron,
        command: input.command,
        style: include_str!("../../templates/report.css"),
        script: concat!(include_str!("../../templates/player.js"), include_str!("../../templates/report.js")),
    };
    Ok(page.render()?)
}

fn view(data: &Animation) -> Result<AnimationView, PageError> {
    Ok(AnimationView {
        actors: data
            .actors
            .iter()
            .map(|actor| Column { label: actor.label.clone(), colour: actor.colour.clone(), spoken: None })
            .collect(),
        rollouts: data
            .rollouts
            .iter()
            .enumerate()
            .map(|(place, rollout)| (place, rollout.label.clone(), place == data.initial))
            .collect(),
        last: data.times.len() - 1,
        // A closing tag in a text would end the script element that carries the data.
        json: serde_json::to_string(data)?.replace('<', "\\u003c"),
    })
}

/// One column a model, each followed by the paper's where the paper has one.
fn columns(input: &ReportInput<'_>) -> Vec<Column> {
    let mut columns = Vec::new();
    for model in model_styles(input.summary, input.rollouts) {
        if !input.summary.models.contains_key(&model.name) {
            continue;
        }
        columns.push(Column { label: model.label.clone(), colour: model.colour.hex(), spoken: None });
        if input.summary.paper.contains_key(&model.name) {
            columns.push(Column {
                label: "paper".to_owned(),
                colour: model.colour.hex(),
                spoken: Some(format!("{}, paper", model.label)),
            });
        }
    }
    columns
}

/// A figure of the paper without digits that it does not state; nothing where it states none.
pub(super) fn published(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| trim(&significant(value, 3)).to_owned())
}

/// A row of the result table: its name, unit, the cell of a model, and that of the paper's model.
///
/// A row whose cells are all `None` is left out.
type Quantity<'a> = (&'static str, &'a str, fn(&ModelSummary) -> Option<String>, fn(&PublishedFigures) -> String);

fn rows(input: &ReportInput<'_>) -> Vec<Row> {
    let (summary, system) = (input.summary, input.system);
    let velocity_unit = system.velocity_unit();
    let none = |_: &PublishedFigures| String::new();
    let quantities: Vec<Quantity<'_>> = vec![
        (
            "Acceleration L1, mean",
            &system.acceleration_unit,
            |model| Some(significant(model.acceleration_l1, 3)),
            |paper| published(paper.acceleration_l1),
        ),
        ("— relative to the mean acceleration", "", |model| Some(significant(model.acceleration_relative, 3)), none),
        (
            "— weighted as in training",
            &system.acceleration_unit,
            |model| Some(significant(model.weighted_acceleration_l1?, 3)),
            |paper| published(paper.weighted_acceleration_l1),
        ),
        (
            "Both rates, dq/dt and dq̇/dt (dp/dt in canonical coordinates): L1, mean",
            "",
            |model| Some(significant(model.vector_field_l1?, 3)),
            none,
        ),
        ("— weighted as in training", "", |model| Some(significant(model.weighted_vector_field_l1?, 3)), none),
        (
            "Energy error at the last frame, mean",
            "%",
            |model| Some(significant(model.energy_error_percent.mean, 3)),
            |paper| published(paper.energy_error_percent),
        ),
        ("— median", "%", |model| Some(significant(model.energy_error_percent.median, 3)), none),
        ("— 90th percentile", "%", |model| Some(significant(model.energy_error_percent.p90, 3)), none),
        ("— largest", "%", |model| Some(significant(model.energy_error_percent.max, 3)), none),
        (
            "Energy error, worst frame of each rollout: median",
            "%",
            |model| Some(significant(model.energy_error_max_frame_percent.median, 3)),
            none,
        ),
        ("— largest", "%", |model| Some(significant(model.energy_error_max_frame_percent.max, 3)), none),
        (
            "Velocity error, worst frame of each rollout: median",
            &velocity_unit,
            |model| Some(significant(model.velocity_error_max.median, 3)),
            none,
        ),
        ("— 90th percentile", &velocity_unit, |model| Some(significant(model.velocity_error_max.p90, 3)), none),
        (
            "Relative error of positions and velocities, geometric mean over time and rollouts",
            "",
            |model| Some(significant(model.geometric_mean_relative_error?.geometric_mean, 3)),
            |paper| published(paper.geometric_mean_relative_error),
        ),
        (
            "— plain mean over rollouts",
            "",
            |model| Some(significant(model.geometric_mean_relative_error?.rollouts.mean, 3)),
            none,
        ),
        ("— median", "", |model| Some(significant(model.geometric_mean_relative_error?.rollouts.median, 3)), none),
        ("— largest", "", |model| Some(significant(model.geometric_mean_relative_error?.rollouts.max, 3)), none),
        ("Rollouts that failed", "", |model| Some(model.energy_error_percent.failed.to_string()), none),
        ("Trained parameters", "", |model| Some(grouped(model.parameters as u64)), none),
        ("Optimiser steps", "", |model| Some(grouped(model.steps)), none),
        ("— skipped, not finite", "", |model| Some(grouped(model.skipped_steps)), none),
        ("Training states", "", |model| Some(grouped(model.samples)), none),
        ("Training time", "", |model| Some(duration(model.train_seconds)), none),
    ];
    let styles = model_styles(summary, input.rollouts);
    let models = || styles.iter().filter_map(|style| Some((summary.models.get(&style.name)?, style)));
    quantities
        .into_iter()
        .filter(|(_, _, cell, _)| models().any(|(model, _)| cell(model).is_some()))
        .map(|(name, unit, cell, published)| {
            let cells = models().flat_map(|(model, style)| {
                let own = cell(model).unwrap_or_else(|| "–".to_owned());
                [Some(own), summary.paper.get(&style.name).map(published)].into_iter().flatten()
            });
            Row { name, unit: unit.to_owned(), cells: cells.collect() }
        })
        .collect()
}

fn table_note(input: &ReportInput<'_>) -> String {
    let (summary, system, rollouts) = (input.summary, input.system, input.rollouts);
    let held_out = summary.models.values().map(|model| model.held_out as u64).max();
    let mut note = "Lower is better.".to_owned();
    if let Some(held_out) = held_out {
        note.push_str(&format!(
            " Acceleration L1 is the absolute error summed over the accelerations, averaged over {} \
             states that were never trained on.",
            grouped(held_out)
        ));
    }
    note.push_str(&format!(
        " Energy error is the difference between the true system's energy at the model's state and that \
         of the true motion, in percent of {} {}, {}",
        significant(system.energy_reference.value, 3),
        system.energy_reference.unit,
        system.energy_reference.meaning,
    ));
    if let (Some(last), false) = (rollouts.times.last(), rollouts.truth.is_empty()) {
        note.push_str(&format!(", over {} rollouts of {} {}", rollouts.truth.len(), amount(*last), system.time_unit));
    }
    note.push('.');
    if input.kinds.values().any(|kind| matches!(kind, ModelKind::HnnCanonical { .. })) {
        note.push_str(
            " A model in canonical coordinates has no accelerations to be judged by: its error is that of both rates, \
             dq/dt and dp/dt.",
        );
    }
    note
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figures;
    use crate::report::fixture;

    fn page() -> (String, Animation) {
        let (summary, rollouts, metrics, system) = fixture::run();
        let input = fixture::input(&summary, &metrics, &rollouts, &system);
        let text = html(&input, &figures::all(&input), &[]).expect("complete input");
        (text, animation(&input).expect("a pendulum"))
    }

    fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
        let from = text.find(start).expect("the start") + start.len();
        let length = text[from..].find(end).expect("the end");
        &text[from..from + length]
    }

    #[test]
    fn the_page_loads_nothing_from_anywhere() {
        let (text, _) = page();
        let loading = ["src=", "<link", "@import", "url(", "fetch(", "import(", "XMLHttpRequest"];
        for word in loading {
            assert!(!text.contains(word), "{word}");
        }
        for (at, _) in text.match_indices("://") {
            let before = &text[at.saturating_sub(30)..at];
            assert!(before.ends_with("xmlns=\"http") || before.ends_with("<a href=\"https"), "{before}");
        }
    }

    #[test]
    fn the_embedded_data_parses_and_matches() {
        let (text, data) = page();
        let json = between(&text, "id=\"rollout-data\">", "</script>");
        let parsed: Animation = serde_json::from_str(json).expect("valid JSON");
        // Both by the same parser, whose last bit is not exact.
        let written = serde_json::to_string(&data).expect("finite numbers");
        assert!(parsed == serde_json::from_str(&written).expect("valid JSON"));
        let truth = &fixture::rollouts().truth;
        assert_eq!(parsed.rollouts.len(), truth.len());
        for (rollout, truth) in parsed.rollouts.iter().zip(truth) {
            let energy = &rollout.tracks[0].energy;
            assert_eq!(energy.len(), truth.energies.len());
            // Five significant digits.
            assert!(energy.iter().zip(&truth.energies).all(|(a, b)| (a - b).abs() <= 5e-5 * b.abs()));
        }
    }

    #[test]
    fn text_from_the_run_is_escaped() {
        let (mut summary, rollouts, metrics, mut system) = fixture::run();
        system.title = "<b>bold</b>".to_owned();
        system.energy_reference.unit = "</script>".to_owned();
        summary.device = "A & B <i>".to_owned();
        let mut input = fixture::input(&summary, &metrics, &rollouts, &system);
        input.config_ron = "</pre><script>alert(1)</script>";
        let text = html(&input, &[], &[]).expect("complete input");
        assert!(!text.contains("<b>bold") && !text.contains("<i>") && !text.contains("alert(1)</"));
        assert_eq!(text.matches("</script>").count(), text.matches("<script").count());
    }

    #[test]
    fn every_result_and_the_papers_stand_in_the_table() {
        let (text, _) = page();
        let table = between(&text, "<table", "</table>");
        for word in ["LNN", "Baseline", "paper", "0.0640", "0.073", "0.074", "0.4", "8"] {
            assert!(table.contains(&format!(">{word}<")), "{word}");
        }
        assert!(text.contains("cargo xtask experiment dblpend"));
        assert!(text.contains("seed: 0"));
    }

    #[test]
    fn the_headlines_of_an_ensemble_are_medians_and_its_lost_members_are_named() {
        let (_, rollouts, metrics, system) = fixture::run();
        let (summary, lines) = (fixture::ensemble(), fixture::member_metrics());
        let mut input = fixture::input(&summary, &metrics, &rollouts, &system);
        input.member_metrics = &lines;
        let text = html(&input, &figures::all(&input), &figures::ensemble(&input)).expect("complete input");
        let tiles = between(&text, "<section class=\"tiles\"", "</section>");
        // Of 0.064 times 1, 2, 3 and 4.
        assert!(tiles.contains("LNN acceleration L1, median of 4") && tiles.contains(">0.160 "), "{tiles}");
        assert!(tiles.contains("LNN training time of 5"), "{tiles}");
        let section = between(&text, "id=\"ensemble-heading\"", "</section>");
        for words in
            ["seeds 0 to 4", "What follows this section is of seed 0", "LNN, seed 4, at step 1200: it learns nothing."]
        {
            assert!(section.contains(words), "{words}");
        }
        assert!(text.contains("preset fast · seeds 0 to 4") && text.contains("Results of seed 0 beside"));
        assert!(!page().0.contains("Ensemble"));
    }

    #[test]
    fn a_run_without_rollouts_still_has_a_page() {
        let (summary, _, _, system) = fixture::run();
        let nothing = crate::record::Rollouts::default();
        let input = fixture::input(&summary, &[], &nothing, &system);
        let text = html(&input, &figures::all(&input), &[]).expect("complete input");
        assert!(!text.contains("id=\"rollout-data\"") && text.contains("<table"));
    }
}
