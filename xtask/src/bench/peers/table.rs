//! What the terminal shows.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};

use super::cases::{LARGE_STEP, LARGE_STEP_MEMORY, PRODUCT_FRACTION};
use super::result::{Outcome, Results, Round, StepRate};
use crate::bench::number;

/// The table of all cases, and the lines below it.
pub(crate) fn table(results: &Results) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["work", "JAX", "ours", "ratio", "of a round", "must", "goal", "reached"]);
    for outcome in &results.outcomes {
        let (low, high) = outcome.spread();
        table.add_row([
            outcome.target.case.name.to_owned(),
            number::duration(outcome.jax_seconds()),
            number::duration(outcome.our_seconds()),
            times(outcome.ratio()),
            format!("{}–{}", number::significant(low), times(high)),
            times(outcome.target.must),
            times(outcome.target.goal),
            outcome.verdict().name().to_owned(),
        ]);
    }
    for column in table.column_iter_mut().skip(1).take(6) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut text = format!("{table}\n");
    if let Some(rate) = results.step_rate() {
        text += &step_rate(rate);
    }
    if let Some((jax, ours, reached)) = results.large_step_memory() {
        let jax = jax.map(|bytes| format!(", JAX's {}", megabytes(bytes))).unwrap_or_default();
        let verdict = if reached { "reached" } else { "not reached" };
        text += &format!(
            "Peak memory of the {LARGE_STEP}: ours {}{jax}; must stay under {}: {verdict}.\n",
            megabytes(ours),
            megabytes(LARGE_STEP_MEMORY)
        );
    }
    let unsteady: Vec<&str> = results
        .outcomes
        .iter()
        .filter(|outcome| outcome.is_unsteady())
        .map(|outcome| outcome.target.case.name)
        .collect();
    if !unsteady.is_empty() {
        text += &format!(
            "The rounds differ by more than 15 %, so the machine was probably busy with other work: {}.\n",
            unsteady.join("; ")
        );
    }
    text
}

/// The large step's rate as a sentence.
fn step_rate(rate: StepRate) -> String {
    format!(
        "{}: {}, {} of faer's best product rate of the same rounds ({});\n  must {}, goal {}: {}.\n",
        LARGE_STEP,
        number::rate(rate.step, "FLOP/s"),
        number::percent(rate.fraction()),
        number::rate(rate.product, "FLOP/s"),
        number::percent(PRODUCT_FRACTION.0),
        number::percent(PRODUCT_FRACTION.1),
        rate.verdict().name()
    )
}

/// What one round found, in a line.
pub(crate) fn line(outcome: &Outcome, round: &Round) -> String {
    let time = |seconds: &[f64]| number::duration(super::sample::median(seconds));
    let (jax, ours) = (time(&round.jax.seconds), time(&round.ours.seconds));
    format!("{}: JAX {jax}, ours {ours}, {}", outcome.target.case.name, times(round.ratio()))
}

fn times(ratio: f64) -> String {
    format!("{}×", number::significant(ratio))
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", number::significant(bytes as f64 / 1e6))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::peers::result::tests::results;

    #[test]
    fn times_ratios_and_targets_stand_in_their_row() {
        let text = table(&results());
        let row = text.lines().find(|line| line.contains("4×500, batch 512 ")).expect("in the table");
        let cells: Vec<&str> = row.trim_matches('│').split('┆').map(str::trim).collect();
        let expected =
            ["training step 4×500, batch 512", "7.20 ms", "2.00 ms", "3.60×", "3.00–4.00×", "4.00×", "4.60×", "no"];
        assert_eq!(cells, expected);
        for line in text.lines().filter(|line| line.starts_with(['│', '╞', '┌', '└'])) {
            assert!(line.chars().count() <= 110, "{line}");
        }
    }

    #[test]
    fn rate_memory_and_unsteady_rounds_are_told_below_the_table() {
        let text = table(&results());
        for told in [
            "training step 4×500, batch 512: 165 GFLOP/s, 82.5 % of faer's best product rate of the same rounds (200 \
             GFLOP/s);",
            "must 78.0 %, goal 88.0 %: must.",
            "ours 50.0 MB, JAX's 900 MB; must stay under 200 MB: reached.",
            "the machine was probably busy with other work: training step 4×500, batch 512; training",
        ] {
            assert!(text.contains(told), "{told}\nis not in\n{text}");
        }
        let mut part = results();
        part.outcomes.remove(0);
        part.outcomes.truncate(1);
        part.outcomes[0].rounds.truncate(1);
        let text = table(&part);
        for absent in ["memory", "product", "busy"] {
            assert!(!text.contains(absent), "nothing is said of what was not measured: {text}");
        }
    }

    #[test]
    fn a_round_is_told_in_a_line() {
        let outcome = &results().outcomes[3];
        assert_eq!(line(outcome, &outcome.rounds[0]), "RK4 step 3×64, 1 state: JAX 8.00 ms, ours 2.00 ms, 4.00×");
    }
}
