//! The report of a search for an initialisation: figure, page, tables.

mod page;
mod table;

use std::path::Path;

pub use table::initialisation_table;

use super::{ReportError, ReportFiles, SaveFile, draw_files, figures};
use crate::initialisation_search::{FittedLaw, Law, Place, SearchSummary, published_law};
use crate::report::number::significant;
use crate::store::create_folder;

/// What the report is made of.
#[derive(Clone, Copy, Debug)]
pub struct InitialisationInput<'a> {
    /// What was found.
    pub summary: &'a SearchSummary,
    /// The configuration as text.
    pub config_ron: &'a str,
    /// Command line that repeats the run.
    pub command: &'a str,
}

/// Writes `report.html` and `figures/initialisation.{svg,png}` under `directory`, each file through `save`.
///
/// # Errors
/// [`ReportError::Page`], [`ReportError::Figure`], [`ReportError::Raster`] or [`ReportError::Store`]; a figure or page
/// that cannot be made leaves the folder as it was.
pub fn write_initialisation(
    directory: &Path,
    input: &InitialisationInput<'_>,
    save: &SaveFile<'_>,
) -> Result<ReportFiles, ReportError> {
    let figure = figures::initialisation(input.summary);
    let html = page::html(input, &figure)?;
    let drawn = draw_files(&[figure])?;
    let folder = directory.join("figures");
    create_folder(&folder)?;
    let mut written = Vec::with_capacity(drawn.len());
    for (name, bytes) in &drawn {
        let path = folder.join(name);
        save(&path, bytes)?;
        written.push(path);
    }
    let page = directory.join("report.html");
    save(&page, html.as_bytes())?;
    Ok(ReportFiles { page, figures: written, trajectories: Vec::new() })
}

/// Columns of the table of laws.
const LAW_COLUMNS: [&str; 5] = ["layer", "fitted σ", "off by", "paper, Eq. 16", "layers"];

/// One row a fitted law: the layers, the law, its typical misfit, the paper's law, and from how many layers it is.
fn law_rows(summary: &SearchSummary) -> Vec<[String; 5]> {
    let row = |fit: &FittedLaw| {
        let misfit = format!("{:.1} %", 100.0 * (fit.residual.exp() - 1.0));
        [label(fit), equation(&fit.law), misfit, equation(&published_law(fit.place)), fit.deviations.to_string()]
    };
    summary.laws.iter().map(row).collect()
}

fn label(fit: &FittedLaw) -> String {
    match (fit.place, fit.free_layer_exponent) {
        (Place::First, _) => "first",
        (Place::Hidden, false) => "hidden i",
        (Place::Hidden, true) => "hidden i, any power",
        (Place::Output, _) => "output",
    }
    .to_owned()
}

/// `0.58 · i · n^−0.50`.
fn equation(law: &Law) -> String {
    let mut text = significant(law.coefficient, 3);
    if law.layer_exponent == 1.0 {
        text.push_str(" · i");
    } else if law.layer_exponent != 0.0 {
        text.push_str(&format!(" · i^{:.2}", law.layer_exponent));
    }
    text.push_str(&format!(" · n^{:.2}", law.width_exponent));
    text.replace('-', "−")
}

/// Columns of the table of cells for networks of up to `layers` layers.
fn cell_columns(layers: usize) -> Vec<String> {
    let mut columns = vec!["width".to_owned(), "hidden".to_owned()];
    columns.extend((1..=layers).map(|layer| format!("σ{layer}")));
    columns.extend(["J", "J of Eq. 16", "evaluations"].map(str::to_owned));
    columns
}

/// Most layers of a network of the grid.
fn most_layers(summary: &SearchSummary) -> usize {
    summary.cells.iter().map(|cell| cell.deviations.len()).max().unwrap_or(0)
}

/// One row a cell, as [`cell_columns`] says; a search that ran out of evaluations has a star.
fn cell_rows(summary: &SearchSummary) -> Vec<Vec<String>> {
    let layers = most_layers(summary);
    let mut rows = Vec::with_capacity(summary.cells.len());
    for cell in &summary.cells {
        let mut row = vec![cell.width.to_string(), cell.hidden_layers.to_string()];
        row.extend(cell.deviations.iter().map(|&deviation| significant(deviation, 3)));
        row.resize(2 + layers, String::new());
        let published = cell.published.total();
        row.push(significant(cell.divergences.total(), 3));
        row.push(significant(published, 3));
        row.push(format!("{}{}", cell.evaluations, if cell.converged { "" } else { "*" }));
        rows.push(row);
    }
    rows
}

/// What the columns mean.
const NOTE: &str = "σ1 is the first layer's standard deviation, the last σ of a row the output layer's. J is the sum of \
     the divergences from N(0, 1); 0 is perfect. Off by: the typical ratio of a found σ to the law, less 1. A star: \
     the search ended by its budget, not by convergence.";

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::initialisation_search::{Cell, Divergences, fit_laws, published_deviations};
    use crate::report::draw::{NARROW, svg};
    use crate::store::write_atomically;

    /// A search whose σ are twice those of Eq. 16.
    pub(in crate::report) fn summary() -> SearchSummary {
        let mut cells = Vec::new();
        for (width, hidden_layers) in [(16, 2), (16, 3), (64, 2), (64, 3)] {
            let some =
                |value: f64| Divergences { gradients: vec![value; hidden_layers + 1], acceleration: 0.5 * value };
            cells.push(Cell {
                configuration: "0".to_owned(),
                width,
                hidden_layers,
                deviations: published_deviations(width, hidden_layers).iter().map(|x| 2.0 * x).collect(),
                divergences: some(0.01),
                published: some(1.0),
                evaluations: 321,
                converged: width == 16,
            });
        }
        let laws = fit_laws(&cells);
        let (experiment, preset) = ("initialisation".to_owned(), "fast".to_owned());
        SearchSummary { experiment, preset, seed: 7, threads: 2, wall_seconds: 61.0, cells, laws }
    }

    #[test]
    fn laws_stand_beside_the_papers() {
        let rows = law_rows(&summary());
        assert_eq!(rows[0][..4], ["first", "4.40 · n^−0.50", "0.0 %", "2.20 · n^−0.50"].map(str::to_owned));
        assert_eq!(rows[1][1..4], ["1.16 · i · n^−0.50", "0.0 %", "0.580 · i · n^−0.50"].map(str::to_owned));
        assert_eq!(rows[2][3], "1.00 · n^0.50");
        assert_eq!((rows[3][0].as_str(), rows[3][4].as_str()), ("hidden i, any power", "6"));
        let cells = cell_rows(&summary());
        assert_eq!(cells[0], ["16", "2", "1.10", "0.290", "8.00", "", "0.0350", "3.50", "321"].map(str::to_owned));
        assert_eq!(cells[3].last().map(String::as_str), Some("321*"));
        assert!(cells.iter().all(|row| row.len() == cell_columns(4).len()));
    }

    #[test]
    fn the_whole_report_is_written_and_loads_nothing() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let summary = summary();
        let input = InitialisationInput { summary: &summary, config_ron: "(</pre><b>)", command: "cargo xtask" };
        let files = write_initialisation(folder.path(), &input, &write_atomically).expect("complete input");
        let names: Vec<_> = files.figures.iter().filter_map(|path| path.file_name()?.to_str()).collect();
        assert_eq!(names, ["initialisation.svg", "initialisation.png"]);
        let page = std::fs::read_to_string(files.page).expect("written");
        for words in ["4.40 · n^−0.50", "0.580 · i · n^−0.50", "<svg", "seed 7", "321*"] {
            assert!(page.contains(words), "{words}");
        }
        for word in ["src=", "<link", "@import", "url(", "<b>)"] {
            assert!(!page.contains(word), "{word}");
        }
    }

    #[test]
    fn the_figure_shows_every_layer_and_both_lines() {
        let summary = summary();
        let figure = figures::initialisation(&summary);
        assert_eq!(figure.panels.len(), 3);
        let text = svg(&figure, NARROW).expect("drawable");
        // Key and dots: σ of 4 first, 6 hidden and 4 output layers, and two kinds of dot in the legend.
        assert_eq!(text.matches("<circle").count(), 14 + 2);
        for words in ["i = 2", "Eq. 16", "fitted law", "width n of the hidden layers"] {
            assert!(text.contains(words), "{words}");
        }
        // Three panels with a dashed and a solid line each.
        assert_eq!(text.matches("stroke-dasharray").count(), 3 + 1);
    }

    #[test]
    fn a_search_of_one_width_has_a_report_without_laws() {
        let mut summary = summary();
        summary.cells.truncate(1);
        summary.laws = fit_laws(&summary.cells);
        let folder = tempfile::tempdir().expect("temporary folder");
        let input = InitialisationInput { summary: &summary, config_ron: "()", command: "cargo xtask" };
        let files = write_initialisation(folder.path(), &input, &write_atomically).expect("complete input");
        let page = std::fs::read_to_string(files.page).expect("written");
        assert!(page.contains("two widths") && !page.contains("n^"), "no law");
    }
}
