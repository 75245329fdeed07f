//! `report.html` of a run on fields.

use askama::Template;

use super::animation::{Actor, Animation, animation};
use super::figures::FieldFigure;
use super::sentence::{crossings, motion_names, percent, results, setting};
use super::{FieldReportInput, styles};
use crate::field::{FieldModelSummary, FieldMotionSummary};
use crate::report::draw::{NARROW, WIDE};
use crate::report::number::{duration, grouped, significant};
use crate::report::page::{FigureView, PageError};
use crate::report::palette::ModelStyle;
use crate::report::table::{machine_line, trim};

#[derive(Template)]
#[template(path = "field.html")]
struct Page<'a> {
    title: &'static str,
    field: &'a str,
    experiment: &'a str,
    preset: &'a str,
    seed: u64,
    setting: String,
    results: Vec<String>,
    tiles: Vec<Tile>,
    columns: Vec<ModelStyle>,
    rows: Vec<Row>,
    note: String,
    machine: String,
    animation: Option<AnimationView>,
    figures: Vec<FigureView>,
    config: &'a str,
    command: &'a str,
    style: &'static str,
}

/// A headline number.
struct Tile {
    value: String,
    label: String,
}

/// A measured quantity in the table, one cell a model.
struct Row {
    name: String,
    unit: &'static str,
    cells: Vec<String>,
}

struct AnimationView {
    actors: Vec<ActorView>,
    motions: Vec<String>,
    json: String,
    script: &'static str,
}

struct ActorView {
    label: String,
    colour: String,
    dash: String,
}

/// Writes the page.
///
/// # Errors
/// [`PageError`].
pub(super) fn html(input: &FieldReportInput<'_>, figures: &[FieldFigure]) -> Result<String, PageError> {
    let summary = input.summary;
    let figures = figures
        .iter()
        .map(|figure| {
            let named = |source| PageError::Figure { figure: figure.name().to_owned(), source };
            Ok(FigureView {
                name: figure.name().to_owned(),
                wide: figure.svg(WIDE).map_err(named)?,
                narrow: figure.svg(NARROW).map_err(named)?,
                caption: figure.caption().to_owned(),
            })
        })
        .collect::<Result<Vec<_>, PageError>>()?;
    let mut columns = styles(summary, input.motions);
    columns.retain(|style| summary.models.contains_key(&style.name));
    let models: Vec<&FieldModelSummary> = columns.iter().map(|style| &summary.models[&style.name]).collect();
    let motions = motion_names(input);
    let run = [&summary.experiment, &summary.preset, &summary.backend, &summary.device].map(String::as_str);
    let page = Page {
        title: match summary.experiment.as_str() {
            "wave" => "Waves from a learned Lagrangian",
            "sine-gordon" => "A kink from a learned Lagrangian",
            _ => "A field from a learned Lagrangian",
        },
        field: &summary.field,
        experiment: &summary.experiment,
        preset: &summary.preset,
        seed: summary.seed,
        setting: setting(summary),
        results: results(input),
        tiles: tiles(&columns, &models, &motions),
        rows: rows(&models, &motions, input),
        columns,
        note: note(input),
        machine: machine_line(run, &format!("seed {}", summary.seed), summary.threads, summary.wall_seconds),
        animation: animation(input).map(|data| view(&data)).transpose()?,
        figures,
        config: input.config_ron,
        command: input.command,
        style: include_str!("../../../templates/report.css"),
    };
    Ok(page.render()?)
}

fn view(data: &Animation) -> Result<AnimationView, PageError> {
    let actor = |actor: &Actor| ActorView {
        label: actor.label.clone(),
        colour: actor.colour.clone(),
        dash: actor.dash.iter().map(u32::to_string).collect::<Vec<_>>().join(" "),
    };
    Ok(AnimationView {
        actors: data.actors.iter().map(actor).collect(),
        motions: data.motions.iter().map(|motion| motion.label.clone()).collect(),
        // A closing tag in a text would end the script element that carries the data.
        json: serde_json::to_string(data)?.replace('<', "\\u003c"),
        script: concat!(include_str!("../../../templates/player.js"), include_str!("../../../templates/field.js")),
    })
}

/// The headline numbers of the first model.
fn tiles(columns: &[ModelStyle], models: &[&FieldModelSummary], motions: &[String]) -> Vec<Tile> {
    let (Some(style), Some(model)) = (columns.first(), models.first()) else { return Vec::new() };
    let label = &style.label;
    let tile = |value: String, what: &str| Tile { value, label: format!("{label}: {what}") };
    let mut tiles = vec![tile(significant(model.acceleration_relative, 3), "relative error of φ̈")];
    if let Some((name, motion)) = motions.first().and_then(|name| Some((name, model.motions.get(name)?))) {
        match motion.kink_velocity_error {
            Some(error) => tiles.push(tile(percent(error), "error of the kink’s velocity")),
            None => tiles.push(tile(percent(motion.field_error), &format!("field error, {name}, one crossing"))),
        }
        let energy = percent(0.01 * motion.energy_error_percent);
        tiles.push(tile(energy, &format!("energy error, {name}, all times")));
    }
    tiles.push(tile(duration(model.train_seconds), "training time"));
    tiles
}

/// The rows of the table; one whose cells are all empty is left out.
fn rows(models: &[&FieldModelSummary], motions: &[String], input: &FieldReportInput<'_>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut add = |name: String, unit: &'static str, cells: Vec<Option<String>>| {
        if cells.iter().any(Option::is_some) {
            let cells = cells.into_iter().map(|cell| cell.unwrap_or_else(|| "–".to_owned())).collect();
            rows.push(Row { name, unit, cells });
        }
    };
    type OfModel = fn(&FieldModelSummary) -> Option<String>;
    let of_models: [(&str, OfModel); 8] = [
        ("Relative error of φ̈", |model| Some(significant(model.acceleration_relative, 3))),
        ("Trained parameters", |model| Some(grouped(model.parameters as u64))),
        ("Training time", |model| Some(duration(model.train_seconds))),
        ("Optimiser steps", |model| Some(grouped(model.steps))),
        ("— skipped, not finite", |model| Some(grouped(model.skipped_steps))),
        ("Lattices seen in training", |model| Some(grouped(model.samples))),
        ("Held-out states", |model| Some(grouped(model.held_out as u64))),
        ("— solved with", |model| {
            let methods: Vec<String> =
                model.solved.iter().map(|(method, states)| format!("{method} ({})", grouped(*states as u64))).collect();
            (!methods.is_empty()).then(|| methods.join(", "))
        }),
    ];
    type OfMotion = (&'static str, &'static str, fn(&FieldMotionSummary) -> Option<String>);
    let of_motions: [OfMotion; 8] = [
        ("field error after one crossing", "%", |motion| Some(significant(100.0 * motion.field_error, 3))),
        ("— at the end", "%", |motion| Some(significant(100.0 * motion.field_error_end, 3))),
        ("— error of the exact energy, at most", "%", |motion| Some(significant(motion.energy_error_percent, 3))),
        ("— change of the learned energy, at most", "%", |motion| {
            Some(significant(motion.learned_energy_drift_percent?, 3))
        }),
        ("— error of the kink’s velocity", "%", |motion| Some(significant(100.0 * motion.kink_velocity_error?, 3))),
        ("— crossings", "", |motion| Some(trim(&significant(crossings(motion)?, 3)).to_owned())),
        ("— time of the rollout", "", |motion| Some(duration(motion.rollout_seconds))),
        ("— ended early", "", |motion| motion.stopped.clone()),
    ];
    for (place, (name, cell)) in of_models.into_iter().enumerate() {
        add(name.to_owned(), "", models.iter().map(|model| cell(model)).collect());
        // The results first, then what it took.
        if place > 0 {
            continue;
        }
        for motion in motions {
            for (k, (quantity, unit, cell)) in of_motions.iter().enumerate() {
                let name =
                    if k == 0 { format!("{}: {quantity}", named(motion, input)) } else { (*quantity).to_owned() };
                let cells = models.iter().map(|model| cell(model.motions.get(motion)?));
                add(name, unit, cells.collect());
            }
        }
    }
    rows
}

/// `State “bump”, 100 sites`.
fn named(motion: &str, input: &FieldReportInput<'_>) -> String {
    let sites = input.summary.models.values().find_map(|model| Some(model.motions.get(motion)?.sites));
    let sites = sites.map_or_else(String::new, |sites| format!(", {} sites", grouped(sites as u64)));
    format!("State “{motion}”{sites}")
}

fn note(input: &FieldReportInput<'_>) -> String {
    let mut text = "Lower is better. The relative error of φ̈ is the sum of all absolute errors over the sum of all \
                    absolute true accelerations. Field errors are the largest over the sites, in percent of the largest \
                    |φ| at the start; of a motion shorter than a crossing both are its last. The exact energy is that of \
                    the true lattice at the model’s states, in percent of its value at the start; a model’s learned energy \
                    is the one that its own equation of motion conserves."
        .to_owned();
    let described = input.motions.iter().map(|motion| format!("“{}” is {}", motion.name, motion.description));
    let described: Vec<String> = described.collect();
    if !described.is_empty() {
        text += &format!(" Initial states: {}.", described.join("; "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::{figures, fixture};
    use super::*;

    fn page(run: &fixture::Run) -> String {
        html(&run.input(), &figures::all(&run.input()).expect("small pictures")).expect("complete input")
    }

    #[test]
    fn the_page_loads_nothing_from_anywhere() {
        let text = page(&fixture::run());
        for word in ["src=", "<link", "@import", "url(", "fetch(", "import(", "XMLHttpRequest"] {
            assert!(!text.contains(word), "{word}");
        }
        for (at, _) in text.match_indices("://") {
            let from = text.floor_char_boundary(at.saturating_sub(30));
            let before = &text[from..at];
            assert!(before.ends_with("xmlns=\"http") || before.ends_with("<a href=\"https"), "{before}");
        }
    }

    #[test]
    fn every_model_and_result_stands_in_the_table() {
        let text = page(&fixture::run());
        let from = text.find("<table").expect("a table");
        let table = &text[from..from + text[from..].find("</table>").expect("its end")];
        for word in
            ["LGN", "CNN", "HGN", "5.12e−5", "0.0700", "0.500", "0.0240", "1.00e−6", "8769", "20\u{a0}000", "11 s"]
        {
            assert!(table.contains(&format!(">{word}<")), "{word}");
        }
        assert!(table.contains("cyclic tridiagonal (500)") && !table.contains("kink"));
        for words in ["Lagrangian graph network", "random states of 16 sites", "cargo xtask experiment wave", "seed: 0"]
        {
            assert!(text.contains(words), "{words}");
        }
    }

    #[test]
    fn the_embedded_data_parses_and_matches() {
        let run = fixture::run();
        let text = page(&run);
        let from = text.find("id=\"field-data\">").expect("the data") + 16;
        let json = &text[from..from + text[from..].find("</script>").expect("its end")];
        let parsed: Animation = serde_json::from_str(json).expect("valid JSON");
        let data = animation(&run.input()).expect("motions");
        assert_eq!(parsed.motions[1].tracks, data.motions[1].tracks);
        assert_eq!(text.matches("<canvas").count(), 1 + data.actors.len());
    }

    #[test]
    fn an_early_end_is_said_and_text_is_escaped() {
        let mut run = fixture::run();
        let bump = run.summary.models.get_mut("cnn").and_then(|model| model.motions.get_mut("bump")).expect("there");
        bump.stopped = Some("not finite at <b>t</b> = 3".to_owned());
        run.motions[0].description = "</script><i>".to_owned();
        run.summary.field = "<u>".to_owned();
        let text = page(&run);
        assert!(text.contains("— ended early") && text.contains("not finite at &#60;b&#62;"));
        for tag in ["<b>t", "<i>", "<u>"] {
            assert!(!text.contains(tag), "{tag}");
        }
        assert_eq!(text.matches("</script>").count(), text.matches("<script").count());
    }

    #[test]
    fn a_run_without_motions_still_has_a_page() {
        let mut run = fixture::run();
        run.motions.clear();
        run.metrics.clear();
        run.densities.clear();
        for model in run.summary.models.values_mut() {
            model.motions.clear();
        }
        let text = page(&run);
        assert!(text.contains("<table") && !text.contains("<svg") && !text.contains("<canvas"));
    }
}
