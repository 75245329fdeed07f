//! The table as text: for the terminal, as Markdown, and as a section of a document.

use comfy_table::{Attribute, Cell as TableCell};

use super::cell::{Cell, Column, Figure, Property};
use super::error::PropertiesError;
use super::run::PropertiesSummary;
use crate::report::ruled_table::ruled_table;
use crate::report::{duration, significant};

/// First line of the table's place in a document.
const BEGIN: &str = "<!-- properties: begin -->";
/// Last line.
const END: &str = "<!-- properties: end -->";

/// How each row is measured, in its order.
pub(crate) const MEASURED: [(Property, &str); 5] = [
    (
        Property::DynamicalSystems,
        "double pendulum: relative error Σ|Δẋ|/Σ|ẋ| of the rates of change that the model learns, over held-out states; \
         the HNN is given canonical momenta; the neural net is a map to the next state, judged by the error of that \
         state at the time step of its training, relative to the way there",
    ),
    (
        Property::DifferentialEquations,
        "the error of the rates of change for every model: a map to the next state gives their mean over one time step, \
         so it cannot be asked for any other step",
    ),
    (
        Property::ConservationLaws,
        "double pendulum: change of the model’s own energy over a long rollout, median, in units of that energy’s \
         standard deviation over held-out states",
    ),
    (Property::ArbitraryCoordinates, "as the first row in (θ, θ̇), which are not canonical, the HNN included"),
    (
        Property::ArbitraryLagrangians,
        "charge in a magnetic field and relativistic particle: relative error of q̈, the larger of both (weighted as in \
         the training for the particle)",
    ),
];

/// A cell in a few words: verdict, figure, threshold, and a mark where the paper says otherwise.
pub(crate) fn text(cell: &Cell) -> String {
    let number = |value: f64| match cell.property {
        Property::ConservationLaws => significant(value, 2),
        _ => format!("{} %", significant(100.0 * value, 2)),
    };
    let threshold = match cell.property {
        Property::ConservationLaws => "1e−4".to_owned(),
        _ => format!("{} %", 100.0 * cell.threshold),
    };
    let sign = if cell.holds { "≤" } else { ">" };
    let measured = match &cell.figure {
        Figure::Measured(value) => format!("{} {sign} {threshold}", number(*value)),
        Figure::NotFinite => format!("∞ > {threshold}"),
        Figure::Absent(reason) => reason.clone(),
    };
    let verdict = if cell.holds { "✓" } else { "–" };
    let mark = if cell.agrees() { "" } else { " ≠ paper" };
    format!("{verdict} {measured}{mark}")
}

/// Titles of the columns, that of the properties first.
pub(crate) fn header() -> Vec<&'static str> {
    std::iter::once("").chain(Column::ALL.map(Column::title)).collect()
}

/// The rows: title, then one text a column.
pub(crate) fn rows(cells: &[Cell]) -> Vec<Vec<String>> {
    let row = |property: Property| {
        let title = std::iter::once(property.title().to_owned());
        title.chain(cells.iter().filter(|cell| cell.property == property).map(text)).collect()
    };
    Property::ALL.into_iter().map(row).collect()
}

/// What is to be said of the cells that differ from the paper's, a sentence each; empty where all agree.
pub(crate) fn disagreements(cells: &[Cell]) -> Vec<String> {
    let sentence = |cell: &Cell| {
        let (here, there) = if cell.holds { ("✓", "–") } else { ("–", "✓") };
        let reason = match (cell.property, cell.column, cell.holds) {
            (Property::DifferentialEquations, Column::NeuralNet, true) => {
                ": the plain network maps a state to the next, and its time step is so short that the mean rate over it is \
                 almost the rate itself"
            }
            _ => ": the figure is on the other side of the threshold",
        };
        format!("{}, {}: {here} here, {there} in the paper{reason}.", cell.property.title(), cell.column.title())
    };
    cells.iter().filter(|cell| !cell.agrees()).map(sentence).collect()
}

/// Verdicts and machine in one sentence each.
pub(crate) fn closing(summary: &PropertiesSummary) -> [String; 2] {
    let agreeing = summary.cells.iter().filter(|cell| cell.agrees()).count();
    let threads = if summary.threads == 1 { "" } else { "s" };
    [
        format!("{agreeing} of {} verdicts are the paper’s.", summary.cells.len()),
        format!(
            "{} · preset {} · seed {} · {} · {} thread{threads} · {} in all",
            summary.experiment,
            summary.preset,
            summary.seed,
            summary.device,
            summary.threads,
            duration(summary.wall_seconds)
        ),
    ]
}

/// The table for the terminal; `colour` switches terminal colours on.
#[must_use]
pub fn properties_table(summary: &PropertiesSummary, colour: bool) -> String {
    let mut table = ruled_table(colour);
    table.set_header(header().into_iter().map(|title| TableCell::new(title).add_attribute(Attribute::Bold)));
    for row in rows(&summary.cells) {
        // A figure and its threshold on a line each, so that five columns fit.
        let short = |text: String| {
            let breaks = [(" ≤ ", "\n≤ "), (" > ", "\n> "), ("learns ", "learns\n"), ("models ", "models\n")];
            breaks.iter().fold(text, |text, (from, to)| text.replace(from, to))
        };
        table.add_row(row.into_iter().map(short));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    let mut text = table.trim_fmt();
    for line in disagreements(&summary.cells).into_iter().chain(closing(summary)) {
        text.push('\n');
        text.push_str(&line);
    }
    text.push('\n');
    text
}

/// The table as Markdown, with how each row is measured below.
#[must_use]
pub fn properties_markdown(summary: &PropertiesSummary) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&header().into_iter().map(str::to_owned).collect::<Vec<_>>());
    text.push_str(&format!("|{}\n", "---|".repeat(1 + Column::ALL.len())));
    for row in rows(&summary.cells) {
        text.push_str(&line(&row));
    }
    text.push('\n');
    for (property, how) in MEASURED {
        text.push_str(&format!("- *{}*: {how}.\n", property.title()));
    }
    text.push('\n');
    for line in disagreements(&summary.cells).into_iter().chain(closing(summary)) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// `document` with the table in place of what is between its lines `<!-- properties: begin -->` and
/// `<!-- properties: end -->`.
///
/// # Errors
/// [`PropertiesError::NoMarkers`] unless the document has both, each once and in this order.
pub fn replace_section(document: &str, summary: &PropertiesSummary) -> Result<String, PropertiesError> {
    let [before, after] = around_section(document)?;
    Ok(format!("{before}{BEGIN}\n\n{}\n{END}{after}", properties_markdown(summary)))
}

/// What is before and after the table's place in `document`.
///
/// # Errors
/// As [`replace_section`].
pub fn around_section(document: &str) -> Result<[&str; 2], PropertiesError> {
    let missing = || PropertiesError::NoMarkers { begin: BEGIN, end: END };
    let (before, rest) = document.split_once(BEGIN).ok_or_else(missing)?;
    let (between, after) = rest.split_once(END).ok_or_else(missing)?;
    if [before, between, after].iter().any(|part| part.contains(BEGIN) || part.contains(END)) {
        return Err(missing());
    }
    Ok([before, after])
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::judge::judge;
    use super::super::judge::tests::expected;
    use super::*;

    /// A table in which every figure is as expected.
    pub(crate) fn summary() -> PropertiesSummary {
        let measured = expected();
        PropertiesSummary {
            experiment: "properties".to_owned(),
            preset: "fast".to_owned(),
            seed: 0,
            device: "a processor".to_owned(),
            threads: 2,
            wall_seconds: 61.0,
            cells: judge(&measured),
            measured,
        }
    }

    #[test]
    fn every_cell_has_figure_threshold_and_verdict() {
        let summary = summary();
        let markdown = properties_markdown(&summary);
        let row = |property: Property| {
            let title = format!("| {} |", property.title());
            markdown.lines().find(|line| line.starts_with(&title)).expect("every property has a row")
        };
        let conserves = row(Property::ConservationLaws);
        assert_eq!(conserves.matches("no energy").count(), 2);
        assert_eq!(conserves.matches("≤ 1e−4").count(), 3);
        assert_eq!(row(Property::ArbitraryCoordinates).matches("– 47 % > 5 %").count(), 1);
        let lagrangians = row(Property::ArbitraryLagrangians);
        assert!(lagrangians.contains("– needs momenta | – 60 % > 1 % | ✓ 0.050 % ≤ 1 % |"), "{lagrangians}");
        let disagreeing = summary.cells.iter().filter(|cell| !cell.agrees()).count();
        assert_eq!(markdown.matches("≠ paper").count(), disagreeing);
        assert!(markdown.contains(&format!("{} of 25 verdicts", 25 - disagreeing)), "{markdown}");
    }

    #[test]
    fn the_thresholds_text_is_its_value() {
        for cell in &summary().cells {
            if let Some((_, threshold)) = text(cell).split_once(if cell.holds { "≤ " } else { "> " }) {
                let threshold = threshold.replace('−', "-");
                let threshold = threshold.split(' ').next().expect("not empty");
                let value: f64 = threshold.parse().expect("a number");
                let unit = if cell.property == Property::ConservationLaws { 1.0 } else { 100.0 };
                assert_eq!(value, unit * cell.threshold);
            }
        }
    }

    #[test]
    fn the_terminal_table_is_narrow_enough() {
        let text = properties_table(&summary(), false);
        for line in text.lines().filter(|line| !line.contains("paper")) {
            assert!(line.chars().count() <= 100, "{line}");
        }
        assert!(!text.contains('\u{1b}') && properties_table(&summary(), true).contains('\u{1b}'));
    }

    #[test]
    fn a_document_gets_the_table_between_its_markers() {
        let summary = summary();
        let document = format!("# Results\n\n{BEGIN}\nold\n{END}\n\nmore\n");
        let written = replace_section(&document, &summary).expect("markers");
        assert!(written.starts_with("# Results\n") && written.ends_with("\nmore\n") && !written.contains("old"));
        assert!(written.contains(&properties_markdown(&summary)));
        assert_eq!(replace_section(&written, &summary).expect("markers"), written);
        for damaged in [format!("{END}\n{BEGIN}\n"), BEGIN.to_owned(), format!("{document}{BEGIN}\n"), String::new()] {
            let message = replace_section(&damaged, &summary).expect_err("refused").to_string();
            assert!(message.contains(BEGIN) && message.contains(END), "{message}");
        }
    }
}
