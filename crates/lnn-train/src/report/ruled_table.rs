//! What the tables for the terminal have in common: three rules, bold titles, numbers to the right.

use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

/// A table between horizontal rules; `colour` switches terminal colours on.
pub(crate) fn ruled_table(colour: bool) -> Table {
    let rule = LineStyle::none().fill('─').junction('─');
    let mut table = Table::new();
    table
        .load_style(TableStyle::new().top_border(rule).header_separator(rule).bottom_border(rule))
        .set_content_arrangement(ContentArrangement::Disabled);
    if colour {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table
}

/// Titles in bold over columns of which the first `texts` are texts and the others numbers.
pub(crate) fn set_titles<S: AsRef<str>>(table: &mut Table, texts: usize, titles: &[S]) {
    let title =
        |(column, text): (usize, &S)| aligned(texts, column, Cell::new(text.as_ref()).add_attribute(Attribute::Bold));
    table.set_header(titles.iter().enumerate().map(title));
}

/// A row under such titles.
pub(crate) fn add_row(table: &mut Table, texts: usize, row: impl IntoIterator<Item = String>) {
    table.add_row(row.into_iter().enumerate().map(|(column, text)| aligned(texts, column, Cell::new(text))));
}

fn aligned(texts: usize, column: usize, cell: Cell) -> Cell {
    if column < texts { cell } else { cell.set_alignment(CellAlignment::Right) }
}
