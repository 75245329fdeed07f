//! `report.html` of a search for an initialisation.

use askama::Template;

use super::{InitialisationInput, LAW_COLUMNS, NOTE, cell_columns, cell_rows, law_rows, most_layers};
use crate::report::PageError;
use crate::report::draw::{NARROW, WIDE, svg};
use crate::report::figure::Figure;
use crate::report::number::duration;

#[derive(Template)]
#[template(path = "initialisation.html")]
struct Page<'a> {
    preset: &'a str,
    seed: u64,
    law_columns: [&'static str; 5],
    laws: Vec<[String; 5]>,
    cell_columns: Vec<String>,
    cells: Vec<Vec<String>>,
    note: &'static str,
    machine: String,
    wide: String,
    narrow: String,
    caption: &'a str,
    config: &'a str,
    command: &'a str,
    style: &'static str,
}

pub(super) fn html(input: &InitialisationInput<'_>, figure: &Figure) -> Result<String, PageError> {
    let summary = input.summary;
    let named = |source| PageError::Figure { figure: figure.name.to_owned(), source };
    let draw = |width| svg(figure, width).map_err(named);
    let threads = if summary.threads == 1 { "" } else { "s" };
    let page = Page {
        preset: &summary.preset,
        seed: summary.seed,
        law_columns: LAW_COLUMNS,
        laws: law_rows(summary),
        cell_columns: cell_columns(most_layers(summary)),
        cells: cell_rows(summary),
        note: NOTE,
        machine: format!("{} thread{threads}, {} in all", summary.threads, duration(summary.wall_seconds)),
        wide: draw(WIDE)?,
        narrow: draw(NARROW)?,
        caption: &figure.caption,
        config: input.config_ron,
        command: input.command,
        style: include_str!("../../../templates/report.css"),
    };
    Ok(page.render()?)
}
