//! The spread of an ensemble as a table for the terminal.

use comfy_table::{Cell, Color};

use super::super::number::significant;
use super::super::palette::styles_of;
use super::super::ruled_table::{ruled_table, set_titles};
use super::super::table::{machine, short_duration, trim};
use crate::record::Summary;
use crate::spread::Spread;

/// One line a model, at most 100 columns wide for model names of up to nine characters: least, median and largest of its
/// members' figures beside the paper's, with the machine below; `None` for a run of one seed.
#[must_use]
pub fn ensemble_table(summary: &Summary, colour: bool) -> Option<String> {
    let ensemble = summary.ensemble.as_ref()?;
    let mut table = ruled_table(colour);
    let titles = [
        "model",
        "mem-\nbers",
        "\nlost",
        "train\ntime",
        "accel. L1\nmin",
        "\nmedian",
        "\nmax",
        "\npaper",
        "energy %\nmin",
        "mean of\nmedian",
        "rollouts\nmax",
        "\npaper",
        "median\nmedian",
    ];
    set_titles(&mut table, 1, &titles);
    for style in styles_of(ensemble.models.keys(), ["lnn", "baseline"]) {
        let Some(model) = ensemble.models.get(&style.name) else { continue };
        let paper = summary.paper.get(&style.name);
        let number = |value: f64| Cell::new(significant(value, 3));
        let published = |value: Option<f64>| {
            let text = value.map_or_else(|| "–".to_owned(), |value| significant(value, 3));
            Cell::new(trim(&text)).fg(Color::DarkGrey)
        };
        let range = |Spread { min, median, max, .. }: Spread| [number(min), number(median), number(max)];
        let lost = Cell::new(model.lost);
        let mut row = vec![
            Cell::new(&style.label),
            Cell::new(model.members.len()),
            if model.lost > 0 { lost.fg(Color::Red) } else { lost },
            Cell::new(short_duration(model.train_seconds)),
        ];
        row.extend(range(model.spread.acceleration_l1));
        row.push(published(paper.and_then(|paper| paper.acceleration_l1)));
        row.extend(range(model.spread.energy_error_mean_percent));
        row.push(published(paper.and_then(|paper| paper.energy_error_percent)));
        row.push(number(model.spread.energy_error_median_percent.median));
        let aligned = row.into_iter().enumerate().map(|(column, cell)| match column {
            0 => cell,
            _ => cell.set_alignment(comfy_table::CellAlignment::Right),
        });
        table.add_row(aligned);
    }
    for column in table.column_iter_mut() {
        // The empty junction between two columns is already one space.
        column.set_padding((0, 0));
    }
    let lost = match ensemble.models.values().map(|model| model.lost).sum::<usize>() {
        0 => String::new(),
        n => format!("{n} lost, which could learn no more and are in no figure: see summary.json.\n"),
    };
    Some(format!(
        "{}\nLower is better. Energy: at the last frame; of each member the mean and the median of its rollouts.\n{lost}{}\n",
        table.trim_fmt(),
        machine(summary)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn one_line_a_model_within_100_columns_has_median_and_range() {
        assert!(ensemble_table(&fixture::summary(), false).is_none());
        let summary = fixture::ensemble();
        let text = ensemble_table(&summary, false).expect("an ensemble");
        for line in text.lines().take_while(|line| !line.starts_with("dblpend")) {
            assert!(line.chars().count() <= 100, "{}: {line}", line.chars().count());
        }
        let row = text.lines().find(|line| line.starts_with("LNN")).expect("one");
        // The members' errors are 0.064 times 1, 2, 3 and 4; the fifth one is lost.
        for cell in ["5", "1", "0.0640", "0.160", "0.256", "0.073", "0.0129", "0.0323", "0.0516", "0.4", "0.0193"] {
            assert!(row.split_whitespace().any(|found| found == cell), "{cell}: {row}");
        }
        assert!(text.contains("1 lost") && text.contains("seeds 0 to 4"), "{text}");
        assert!(!text.contains('\u{1b}') && ensemble_table(&summary, true).expect("one").contains('\u{1b}'));
    }
}
