//! The table in the terminal.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};

use super::cases::{Case, LARGE_STEP, LARGE_STEP_MEMORY, Reference};
use super::result::{Outcome, Round, large_step_memory};
use crate::bench::number;

/// The table of all outcomes, and the lines below it.
pub(crate) fn table(outcomes: &[Outcome]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["work", "JAX median", "ours median", "ratio of medians", "spread", "must", "goal", "reached?"]);
    for outcome in outcomes {
        let case = outcome.case;
        let (low, high) = outcome.spread();
        table.add_row([
            case.name.to_owned(),
            theirs(case, outcome.reference_speed()),
            measured(case, outcome.our_speed()),
            ratio(case, outcome.ratio()),
            format!("{} – {}", ratio(case, low), ratio(case, high)),
            format!("≥ {}", ratio(case, case.must)),
            format!("≥ {}", ratio(case, case.goal)),
            outcome.verdict().name().to_owned(),
        ]);
    }
    for column in table.column_iter_mut().skip(1).take(6) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut text = format!("{table}\n");
    if let Some((theirs, ours, reached)) = large_step_memory(outcomes) {
        let theirs = theirs.map(|bytes| format!(", JAX's {}", megabytes(bytes))).unwrap_or_default();
        let verdict = if reached { "reached" } else { "not reached" };
        text += &format!(
            "Peak memory of `{LARGE_STEP}`: ours {}{theirs}; must stay under {}: {verdict}.\n",
            megabytes(ours),
            megabytes(LARGE_STEP_MEMORY)
        );
    }
    text
}

/// What one round found, in a line.
pub(crate) fn line(case: &Case, round: &Round) -> String {
    let ours = match case.reference {
        Reference::Jax => round.ours.speed(),
        Reference::Product => round.ours.speed() * round.ours.operations.unwrap_or(f64::NAN),
    };
    let (theirs, ours) = (theirs(case, round.reference.speed()), measured(case, ours));
    let name = match case.reference {
        Reference::Jax => "JAX ",
        Reference::Product => "",
    };
    format!("{}: {name}{theirs}, ours {ours}, {}", case.name, ratio(case, round.ratio(case)))
}

/// The reference's side; a rate is marked, since its column is JAX's.
fn theirs(case: &Case, speed: f64) -> String {
    let text = measured(case, speed);
    match case.reference {
        Reference::Jax => text,
        Reference::Product => format!("product {text}"),
    }
}

/// A time, or a rate where the reference is the product.
fn measured(case: &Case, speed: f64) -> String {
    match case.reference {
        Reference::Jax => number::duration(1.0 / speed),
        Reference::Product => number::rate(speed, "F/s"),
    }
}

/// How many times as fast, or which part of the product's rate.
fn ratio(case: &Case, ratio: f64) -> String {
    match case.reference {
        Reference::Jax => format!("{}×", number::significant(ratio)),
        Reference::Product => number::percent(ratio),
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", number::significant(bytes as f64 / 1e6))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::peers::result::tests::outcomes;

    #[test]
    fn times_and_rates_stand_in_their_rows() {
        let outcomes = outcomes();
        let text = table(&outcomes);
        let row = |name: &str| {
            let row = text.lines().find(|line| line.contains(name)).expect("in the table");
            row.trim_matches('│').split('┆').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(
            row("4×500, batch 512 "),
            [
                "training step 4×500, batch 512",
                "7.25 ms",
                "2.00 ms",
                "3.63×",
                "3.00× – 4.00×",
                "≥ 4.00×",
                "≥ 4.60×",
                "no"
            ]
        );
        assert_eq!(
            row("of the product rate")[1..],
            ["product 200 GF/s", "165 GF/s", "82.5 %", "82.5 % – 82.5 %", "≥ 78.0 %", "≥ 88.0 %", "must"]
        );
        let last = text.lines().last().expect("not empty");
        assert!(last.ends_with("ours 50.0 MB, JAX's 900 MB; must stay under 200 MB: reached."), "{last}");
        assert!(!table(&outcomes[1..]).contains("memory"), "nothing is said of what was not measured");
    }

    #[test]
    fn a_round_is_told_in_a_line() {
        let outcomes = outcomes();
        let told = |index: usize| line(outcomes[index].case, &outcomes[index].rounds[0]);
        assert_eq!(told(3), "RK4 step 3×64, 1 state: JAX 8.00 ms, ours 2.00 ms, 4.00×");
        assert!(told(6).ends_with("product 200 GF/s, ours 165 GF/s, 82.5 %"), "{}", told(6));
    }
}
