//! What was found in the data, for the terminal.

use comfy_table::{Cell, CellAlignment};

use super::table::filled;
use crate::measured::{ColumnFindings, Findings};
use crate::report::number::{grouped, significant};
use crate::report::ruled_table::ruled_table;

/// Rows, sampling, ranges, consistency and hints, at most 100 columns wide for short names.
#[must_use]
pub fn findings_table(findings: &Findings) -> String {
    let mut table = ruled_table(false);
    let number = |column: usize, text: String| {
        let cell = Cell::new(text);
        if (1..5).contains(&column) { cell.set_alignment(CellAlignment::Right) } else { cell }
    };
    let header = ["column", "smallest", "largest", "mean", "deviation", ""].map(str::to_owned);
    table.set_header(header.into_iter().enumerate().map(|(column, text)| number(column, text)));
    for column in &findings.columns {
        let ColumnFindings { name, unit, min, max, mean, deviation, .. } = column;
        let name = unit.as_ref().map_or_else(|| name.clone(), |unit| format!("{name} [{unit}]"));
        let numbers = [min, max, mean, deviation].map(|value| significant(*value, 4));
        let row = [name].into_iter().chain(numbers).chain([remark(column, findings)]);
        table.add_row(row.enumerate().map(|(column, text)| number(column, text)));
    }
    let unit = findings
        .columns
        .first()
        .and_then(|column| column.unit.as_ref())
        .map_or(String::new(), |unit| format!(" {unit}"));
    let between = |low: f64, high: f64, digits: usize| {
        let [low, high] = [low, high].map(|value| significant(value, digits));
        if low == high { low } else { format!("{low} to {high}") }
    };
    let mut text = format!(
        "Data: {} rows in {} trajectories from {} file(s); {} rows and {}{unit} each, a row every {}{unit}{}.\n{table}",
        grouped(findings.rows as u64),
        findings.trajectories,
        findings.files.len(),
        whole(findings.rows_per_trajectory.min, findings.rows_per_trajectory.max),
        between(findings.duration.min, findings.duration.max, 4),
        significant(findings.interval.median, 4),
        if findings.interval.relative() > 1e-6 {
            format!(" in the median, {}{unit} in all", between(findings.interval.min, findings.interval.max, 3))
        } else {
            String::new()
        },
    );
    for hint in &findings.hints {
        text.push('\n');
        text.push_str(&filled(&format!("note: {hint}"), "      "));
    }
    text
}

fn whole(low: f64, high: f64) -> String {
    if low == high { low.to_string() } else { format!("{low} to {high}") }
}

/// What is to be known of a column besides its numbers.
fn remark(column: &ColumnFindings, findings: &Findings) -> String {
    let mut remarks = Vec::new();
    if column.angle {
        remarks.push("angle".to_owned());
    }
    if column.turns > 0 {
        remarks.push(format!("{} turns undone", grouped(column.turns as u64)));
    }
    if let Some(consistency) = findings.consistency.iter().find(|consistency| consistency.name == column.name) {
        remarks.push(format!("Δq − ∫q̇: {} %", significant(100.0 * consistency.velocity, 2)));
        if let Some(acceleration) = consistency.acceleration {
            remarks.push(format!("Δq̇ − ∫q̈: {} %", significant(100.0 * acceleration, 2)));
        }
    }
    remarks.join(", ")
}
