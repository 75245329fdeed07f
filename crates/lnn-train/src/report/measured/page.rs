//! `report.html` of a training on measured data.

use askama::Template;

use super::MeasuredReportInput;
use super::table::{rows, sentences};
use crate::report::PageError;
use crate::report::draw::{NARROW, WIDE, svg};
use crate::report::figure::Figure;
use crate::report::number::{duration, grouped, significant};
use crate::report::page::FigureView;

#[derive(Template)]
#[template(path = "measured.html")]
struct Page<'a> {
    preset: &'a str,
    seed: u64,
    lead: String,
    errors: Vec<[String; 4]>,
    sentences: Vec<String>,
    data: Vec<[String; 5]>,
    data_sentence: String,
    hints: &'a [String],
    machine: String,
    figures: Vec<FigureView>,
    config: &'a str,
    command: &'a str,
    style: &'static str,
}

pub(super) fn html(input: &MeasuredReportInput<'_>, figures: &[Figure]) -> Result<String, PageError> {
    let summary = input.summary;
    let views = figures.iter().map(|figure| {
        let named = |source| PageError::Figure { figure: figure.name.to_owned(), source };
        let draw = |width| svg(figure, width).map_err(named);
        let (name, caption) = (figure.name.to_owned(), figure.caption.clone());
        Ok(FigureView { name, wide: draw(WIDE)?, narrow: draw(NARROW)?, caption })
    });
    let data = &summary.data;
    let range = |column: &crate::measured::ColumnFindings| {
        let number = |value: f64| significant(value, 4);
        [
            column.name.clone(),
            column.unit.clone().unwrap_or_default(),
            number(column.min),
            number(column.max),
            number(column.deviation),
        ]
    };
    let threads = if summary.threads == 1 { "" } else { "s" };
    let page = Page {
        preset: "measured data",
        seed: summary.seed,
        lead: format!(
            "A {} learned from the {} of {} trajectories, {} rows in all.",
            summary.model,
            summary.learned,
            summary.training_trajectories,
            grouped(data.rows as u64)
        ),
        errors: rows(summary),
        sentences: sentences(summary),
        data: data.columns.iter().map(range).collect(),
        data_sentence: format!(
            "{} rows in {} trajectories of {} to {} rows; from row to row {} to {}, in the median {}. Fingerprint in the \
             configuration below.",
            grouped(data.rows as u64),
            data.trajectories,
            data.rows_per_trajectory.min,
            data.rows_per_trajectory.max,
            significant(data.interval.min, 4),
            significant(data.interval.max, 4),
            significant(data.interval.median, 4)
        ),
        hints: &data.hints,
        machine: format!(
            "{} · {} thread{threads} · {} in all",
            summary.device,
            summary.threads,
            duration(summary.wall_seconds)
        ),
        figures: views.collect::<Result<_, PageError>>()?,
        config: input.config_ron,
        command: input.command,
        style: include_str!("../../../templates/report.css"),
    };
    Ok(page.render()?)
}
