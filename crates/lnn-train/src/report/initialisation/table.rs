//! The tables of a search for the terminal.

use super::{LAW_COLUMNS, NOTE, cell_columns, cell_rows, law_rows, most_layers};
use crate::initialisation_search::SearchSummary;
use crate::report::number::duration;
use crate::report::ruled_table::{add_row, ruled_table, set_titles};

/// Writes the standard deviations of every cell, then the laws fitted to them beside the paper's Eq. 16; `colour`
/// switches terminal colours on.
#[must_use]
pub fn initialisation_table(summary: &SearchSummary, colour: bool) -> String {
    let cells = table(&cell_columns(most_layers(summary)), cell_rows(summary), 0, colour);
    let columns = LAW_COLUMNS.map(str::to_owned);
    let laws = law_rows(summary).into_iter().map(|row| row.to_vec()).collect();
    let laws = table(&columns, laws, 4, colour);
    let threads = if summary.threads == 1 { "" } else { "s" };
    format!(
        "{cells}\n\n{laws}\n{NOTE}\n{} · preset {} · seed {} · {} thread{threads} · {} in all\n",
        summary.experiment,
        summary.preset,
        summary.seed,
        summary.threads,
        duration(summary.wall_seconds)
    )
}

/// A table whose first `texts` columns are texts and the others numbers.
fn table(columns: &[String], rows: Vec<Vec<String>>, texts: usize, colour: bool) -> String {
    let mut table = ruled_table(colour);
    set_titles(&mut table, texts, columns);
    for row in rows {
        add_row(&mut table, texts, row);
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::super::tests::summary;
    use super::*;

    #[test]
    fn both_tables_are_there_and_narrow_enough() {
        let text = initialisation_table(&summary(), false);
        for words in
            ["J of Eq. 16", "4.40 · n^−0.50", "0.580 · i · n^−0.50", "hidden i, any power", "1 min", "2 threads"]
        {
            assert_eq!(text.contains(words), words != "1 min", "{words}: {text}");
        }
        assert!(text.contains("61 s in all") && !text.contains('\u{1b}'), "{text}");
        for line in text.lines().filter(|line| !line.starts_with("σ1 is")) {
            assert!(line.chars().count() <= 100, "{line}");
        }
        assert!(initialisation_table(&summary(), true).contains('\u{1b}'));
    }
}
