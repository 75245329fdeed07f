//! The run's result as a table for the terminal.

use comfy_table::{Attribute, Cell, CellAlignment, Color};

use super::ensemble::seeds;
use super::number::{duration, grouped, significant};
use super::palette::model_styles;
use crate::record::{ModelSummary, PublishedFigures, Rollouts, Summary};
use crate::report::ruled_table::ruled_table;

/// Writes one line a model beside the paper's figures, at most 100 columns wide for model names of up
/// to nine characters, with the machine below; `colour` switches terminal colours on.
///
/// The acceleration error is in the system's units, energy errors are in percent of its reference
/// energy.
#[must_use]
pub fn terminal_table(summary: &Summary, colour: bool) -> String {
    let mut table = ruled_table(colour);
    let header = [
        "model",
        "para-\nmeters",
        "train\ntime",
        "\nsteps",
        "accel.\nL1",
        "\npaper",
        "energy\nmean %",
        "\npaper",
        "\nmedian",
        "\np90",
        "\nmax",
        "\nfailed",
        "worst\nframe %",
    ];
    table.set_header(header.iter().enumerate().map(|(column, text)| {
        let cell = Cell::new(text).add_attribute(Attribute::Bold);
        if column == 0 { cell } else { cell.set_alignment(CellAlignment::Right) }
    }));
    for model in model_styles(summary, &Rollouts::default()) {
        let Some(result) = summary.models.get(&model.name) else {
            continue;
        };
        let paper = summary.paper.get(&model.name);
        let energy = &result.energy_error_percent;
        let published = |value: Option<f64>| {
            let text = value.map_or_else(|| "–".to_owned(), |value| significant(value, 3));
            // Trailing zeros would claim digits that the paper does not state.
            Cell::new(trim(&text)).fg(Color::DarkGrey)
        };
        let number = |value: f64| Cell::new(significant(value, 3));
        let failed = Cell::new(energy.failed);
        let row = vec![
            Cell::new(&model.label).add_attribute(Attribute::Bold),
            Cell::new(grouped(result.parameters as u64)),
            Cell::new(short_duration(result.train_seconds)),
            Cell::new(grouped(result.steps)),
            number(result.acceleration_l1),
            published(paper.and_then(|paper| paper.acceleration_l1)),
            number(energy.mean),
            published(paper.and_then(|paper| paper.energy_error_percent)),
            number(energy.median),
            number(energy.p90),
            number(energy.max),
            if energy.failed > 0 { failed.fg(Color::Red) } else { failed },
            number(result.energy_error_max_frame_percent.max),
        ];
        table.add_row(
            row.into_iter().enumerate().map(
                |(column, cell)| {
                    if column == 0 { cell } else { cell.set_alignment(CellAlignment::Right) }
                },
            ),
        );
    }
    for column in table.column_iter_mut() {
        // The empty junction between two columns is already one space.
        column.set_padding((0, 0));
    }
    let relative = relative_errors(summary);
    format!(
        "{}\n{relative}Lower is better. Energy: error at the last frame; worst frame: the largest of all \
         rollouts.\n{}{}\n",
        table.trim_fmt(),
        further(summary),
        machine(summary)
    )
}

/// What only some models or runs have, a line each: errors of both rates, and errors weighted as in training.
fn further(summary: &Summary) -> String {
    type Quantity = (&'static str, fn(&ModelSummary) -> Option<f64>, fn(&PublishedFigures) -> Option<f64>);
    let quantities: [Quantity; 3] = [
        ("Acceleration L1, weighted", |model| model.weighted_acceleration_l1, |paper| paper.weighted_acceleration_l1),
        ("Both rates L1", |model| model.vector_field_l1, |_| None),
        ("Both rates L1, weighted", |model| model.weighted_vector_field_l1, |_| None),
    ];
    let mut lines = String::new();
    for (name, figure, published) in quantities {
        let models = model_styles(summary, &Rollouts::default());
        let entries: Vec<String> = models
            .iter()
            .filter_map(|style| {
                let value = significant(figure(summary.models.get(&style.name)?)?, 3);
                let paper = summary.paper.get(&style.name).and_then(published);
                let paper =
                    paper.map_or_else(String::new, |paper| format!(" (paper {})", trim(&significant(paper, 3))));
                Some(format!("{} {value}{paper}", style.label))
            })
            .collect();
        if !entries.is_empty() {
            lines += &format!("{name}: {}\n", entries.join(" · "));
        }
    }
    lines
}

/// One line a model on the relative error of its rollouts, where the run's protocol asks for it.
fn relative_errors(summary: &Summary) -> String {
    let mut text = String::new();
    for model in model_styles(summary, &Rollouts::default()) {
        let error = summary.models.get(&model.name).and_then(|result| result.geometric_mean_relative_error);
        let Some(error) = error else { continue };
        if text.is_empty() {
            text.push_str("Relative error of positions and velocities, geometric mean over time and rollouts:\n");
        }
        let paper = summary.paper.get(&model.name).and_then(|paper| paper.geometric_mean_relative_error);
        let paper = paper.map_or_else(String::new, |value| format!(" (published {})", trim(&significant(value, 3))));
        let rollouts = error.rollouts;
        let [geometric, mean, median, max] =
            [error.geometric_mean, rollouts.mean, rollouts.median, rollouts.max].map(|value| significant(value, 3));
        let label = &model.label;
        text.push_str(&format!("  {label:<14} {geometric}{paper}; mean {mean}, median {median}, max {max}\n"));
    }
    text
}

/// The run and the machine in one line.
pub(crate) fn machine(summary: &Summary) -> String {
    let run = [&summary.experiment, &summary.preset, &summary.backend, &summary.device];
    machine_line(run.map(String::as_str), &seeds(summary), summary.threads, summary.wall_seconds)
}

/// The same of any experiment from its name, preset, backend and device.
pub(super) fn machine_line(
    [experiment, preset, backend, device]: [&str; 4],
    seeds: &str,
    threads: usize,
    seconds: f64,
) -> String {
    let several = if threads == 1 { "" } else { "s" };
    format!(
        "{experiment} · preset {preset} · {seeds} · {backend} · {device} · {threads} thread{several} · {} in all",
        duration(seconds)
    )
}

/// Removes the zeros after the last other digit of a decimal fraction.
pub(crate) fn trim(text: &str) -> &str {
    if text.contains('.') && !text.contains('e') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// A duration in at most seven characters.
pub(super) fn short_duration(seconds: f64) -> String {
    let text = duration(seconds);
    if seconds.is_finite() && (120.0..7199.5).contains(&seconds) {
        let whole = seconds.round() as u64;
        return format!("{}m {:02}s", whole / 60, whole % 60);
    }
    text.replace(" min", "m").replace(" h", "h")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn one_line_a_model_within_100_columns() {
        let mut summary = fixture::summary();
        let lnn = summary.models.get_mut("lnn").expect("the fixture has it");
        lnn.parameters = 1_081_201;
        lnn.steps = 600_000;
        lnn.train_seconds = 7100.0;
        lnn.energy_error_percent.max = 1.234e-7;
        lnn.acceleration_l1 = 0.012_34;
        let text = terminal_table(&summary, false);
        assert!(!text.contains('\u{1b}'));
        for line in text.lines().take_while(|line| !line.starts_with("dblpend")) {
            assert!(line.chars().count() <= 100, "{}: {line}", line.chars().count());
        }
        let lines = |name: &str| text.lines().filter(|line| line.contains(name)).count();
        assert_eq!((lines("LNN"), lines("Baseline")), (1, 1));
        let row = text.lines().find(|line| line.contains("LNN")).expect("one");
        for figure in ["0.0123", "0.073", "0.4", "1.23e−7", "118m 20s"] {
            assert!(row.contains(figure), "{figure}: {row}");
        }
        assert!(text.contains("Lower is better"));
        assert!(text.contains("2 threads"));
    }

    #[test]
    fn colours_appear_only_when_asked_for_and_broken_numbers_are_said() {
        let mut summary = fixture::summary();
        summary.paper.clear();
        let lnn = summary.models.get_mut("lnn").expect("the fixture has it");
        lnn.acceleration_l1 = f64::NAN;
        lnn.energy_error_percent.failed = 3;
        assert!(terminal_table(&summary, true).contains('\u{1b}'));
        let text = terminal_table(&summary, false);
        let row = text.lines().find(|line| line.contains("LNN")).expect("one");
        assert!(row.contains("n/a") && row.contains('–'), "{row}");
        summary.models.clear();
        assert!(terminal_table(&summary, false).contains("model"));
    }

    #[test]
    fn weighted_errors_and_those_of_both_rates_are_said_where_there_are_any() {
        let mut summary = fixture::summary();
        let plain = terminal_table(&summary, false);
        assert!(!plain.contains("weighted") && !plain.contains("Both rates"), "{plain}");
        summary.models.get_mut("lnn").expect("the fixture has it").weighted_acceleration_l1 = Some(1.25e-4);
        summary.paper.get_mut("lnn").expect("the fixture has it").weighted_acceleration_l1 = Some(0.5);
        summary.models.get_mut("baseline").expect("the fixture has it").vector_field_l1 = Some(2.0);
        let text = terminal_table(&summary, false);
        for line in ["Acceleration L1, weighted: LNN 0.000125 (paper 0.5)", "Both rates L1: Baseline 2.00"] {
            assert!(text.lines().any(|found| found == line), "{line}:\n{text}");
        }
    }

    #[test]
    fn trailing_zeros_go_and_round_numbers_stay() {
        assert_eq!(trim("8.00"), "8");
        assert_eq!(trim("0.400"), "0.4");
        assert_eq!(trim("100"), "100");
    }
}
