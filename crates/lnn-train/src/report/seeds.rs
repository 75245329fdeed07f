//! Many seeds of one preset as a table.

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};

use super::number::significant;
use super::palette::model_styles;
use crate::record::{ModelSummary, Rollouts, Summary};
use crate::spread::Spread;

/// Figures of one row, as they are compared between seeds.
struct Row {
    acceleration_l1: f64,
    energy: [f64; 3],
    /// Counts, whose median may lie between two of them.
    failed: f64,
    skipped: f64,
    seconds: f64,
}

/// A Markdown table of every model's figures for every seed, followed by the median and the worst of each
/// column. Energy errors are in percent of the reference energy, at the last frame.
#[must_use]
pub fn seeds_table(summaries: &[Summary]) -> String {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    let header = ["model", "seed", "accel. L1", "energy mean %", "median %", "max %", "failed", "skipped", "train s"];
    table.set_header(header);
    let Some(first) = summaries.first() else {
        return table.to_string();
    };
    for model in model_styles(first, &Rollouts::default()) {
        let mut rows: Vec<Row> = Vec::new();
        for summary in summaries {
            let Some(result) = summary.models.get(&model.name) else { continue };
            let row = row(result);
            table.add_row(cells(&model.label, &summary.seed.to_string(), &row));
            rows.push(row);
        }
        table.add_row(cells(&model.label, "median", &reduce(&rows, |spread| spread.median)));
        table.add_row(cells(&model.label, "worst", &reduce(&rows, |spread| spread.max)));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

fn row(result: &ModelSummary) -> Row {
    let energy = &result.energy_error_percent;
    Row {
        acceleration_l1: result.acceleration_l1,
        energy: [energy.mean, energy.median, energy.max],
        failed: energy.failed as f64,
        skipped: result.skipped_steps as f64,
        seconds: result.train_seconds,
    }
}

fn cells(label: &str, seed: &str, row: &Row) -> Vec<String> {
    let mut cells = vec![label.to_owned(), seed.to_owned(), significant(row.acceleration_l1, 3)];
    cells.extend(row.energy.map(|value| significant(value, 3)));
    cells.extend([count(row.failed), count(row.skipped), format!("{:.1}", row.seconds)]);
    cells
}

/// A count, or the mean of two with its half.
fn count(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

/// NaN counts as the worst value of all, in the median too.
fn reduce(rows: &[Row], reduction: fn(Spread) -> f64) -> Row {
    let column = |value: fn(&Row) -> f64| reduction(Spread::of(rows.iter().map(value)));
    Row {
        acceleration_l1: column(|row| row.acceleration_l1),
        energy: [column(|row| row.energy[0]), column(|row| row.energy[1]), column(|row| row.energy[2])],
        failed: column(|row| row.failed),
        skipped: column(|row| row.skipped),
        seconds: column(|row| row.seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn median_and_worst_are_those_of_the_seeds() {
        let summaries: Vec<Summary> = [0.05, 0.02, f64::NAN, 0.04]
            .into_iter()
            .enumerate()
            .map(|(seed, l1)| {
                let mut summary = fixture::summary();
                summary.seed = seed as u64;
                let lnn = summary.models.get_mut("lnn").unwrap();
                lnn.acceleration_l1 = l1;
                lnn.energy_error_percent.failed = seed;
                lnn.skipped_steps = 2 * seed as u64;
                summary
            })
            .collect();
        let text = seeds_table(&summaries);
        let cell_of = |seed: &str, column: usize| {
            let row = text.lines().find(|line| line.contains("LNN") && line.contains(&format!(" {seed} "))).unwrap();
            row.split('|').nth(column).unwrap().trim().to_owned()
        };
        let cell = |seed: &str| cell_of(seed, 3);
        assert_eq!(cell("median"), "0.0450");
        assert_eq!(cell("worst"), "n/a");
        assert_eq!(cell("1"), "0.0200");
        // Failed 0, 1, 2, 3 and skipped 0, 2, 4, 6.
        assert_eq!((cell_of("median", 7), cell_of("median", 8)), ("1.5".to_owned(), "3".to_owned()));
        assert_eq!((cell_of("worst", 7), cell_of("worst", 8)), ("3".to_owned(), "6".to_owned()));
        assert!(seeds_table(&[]).contains("model"));
    }
}
