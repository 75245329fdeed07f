//! `report.html` of the table of properties.

use std::path::Path;

use askama::Template;

use super::number::significant;
use super::{PageError, ReportError, ReportFiles, SaveFile};
use crate::properties::{PropertiesSummary, table};

#[derive(Template)]
#[template(path = "properties.html")]
struct Page<'a> {
    preset: &'a str,
    seed: u64,
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    measured: Vec<[&'static str; 2]>,
    disagreements: Vec<String>,
    closing: [String; 2],
    models: Vec<[String; 4]>,
    runs: Vec<&'a str>,
    config: &'a str,
    command: &'a str,
    style: &'static str,
}

/// Writes `report.html` under `directory` through `save`.
///
/// # Errors
/// [`ReportError::Page`] or [`ReportError::Store`].
pub fn write_properties(
    directory: &Path,
    summary: &PropertiesSummary,
    config_ron: &str,
    command: &str,
    save: &SaveFile<'_>,
) -> Result<ReportFiles, ReportError> {
    let page = Page {
        preset: &summary.preset,
        seed: summary.seed,
        header: table::header(),
        rows: table::rows(&summary.cells),
        measured: table::MEASURED.map(|(property, how)| [property.title(), how]).into(),
        disagreements: table::disagreements(&summary.cells),
        closing: table::closing(summary),
        models: models(summary),
        runs: summary.measured.keys().map(String::as_str).collect(),
        config: config_ron,
        command,
        style: include_str!("../../templates/report.css"),
    };
    let html = page.render().map_err(PageError::from)?;
    let page = directory.join("report.html");
    save(&page, html.as_bytes())?;
    Ok(ReportFiles { page, figures: Vec::new(), trajectories: Vec::new() })
}

/// A line a model of a run: run, model, error of the rates, drift of its own energy.
fn models(summary: &PropertiesSummary) -> Vec<[String; 4]> {
    let shown = |value: Option<f64>| value.map_or_else(|| "∞".to_owned(), |value| significant(value, 3));
    let of_run = |(run, models): (&String, &std::collections::BTreeMap<String, crate::properties::Measured>)| {
        let line = |(name, measured): (&String, &crate::properties::Measured)| {
            let energy = match &measured.energy {
                Some(energy) if energy.failed > 0 => {
                    format!("{} ({} of {} rollouts failed)", shown(energy.drift), energy.failed, energy.rollouts)
                }
                Some(energy) => shown(energy.drift),
                None => "no energy".to_owned(),
            };
            [run.clone(), name.clone(), shown(measured.rate_error), energy]
        };
        models.iter().map(line).collect::<Vec<_>>()
    };
    summary.measured.iter().flat_map(of_run).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::properties::table::tests::summary;

    #[test]
    fn the_page_shows_every_cell_and_links_every_run() {
        let summary = summary();
        let written = RefCell::new(String::new());
        let save = |_: &Path, bytes: &[u8]| {
            *written.borrow_mut() = String::from_utf8_lossy(bytes).into_owned();
            Ok(())
        };
        let files = write_properties(Path::new("run"), &summary, "(seed: 0)", "the command", &save).expect("a page");
        assert_eq!(files.page, Path::new("run").join("report.html"));
        let html = written.into_inner();
        for cell in &summary.cells {
            let text = table::text(cell).replace('>', "&#62;");
            assert!(html.contains(&text), "{text}");
        }
        for words in ["href=\"charge/report.html\"", "(seed: 0)", "the command", "hnn-canonical"] {
            assert!(html.contains(words), "{words}");
        }
    }
}
