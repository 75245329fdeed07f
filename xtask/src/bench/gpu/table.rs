//! What the terminal shows.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};

use super::result::{Case, Ceilings, Compared, Results, Trainings};
use super::targets::{self, CARD};
use crate::bench::number;

/// Everything that is told of a run.
pub(crate) fn tables(results: &Results) -> String {
    let Ceilings { multiply_add, copy, empty_dispatch } = results.ceilings;
    let mut text = format!(
        "multiplications and additions in registers {}, copies {}, an empty dispatch {}\n",
        number::rate(multiply_add, "FLOP/s"),
        number::rate(copy, "B/s"),
        number::duration(empty_dispatch)
    );
    if results.software {
        text += "Software on the processor: these times are no speeds of a graphics card.\n";
    } else if results.quick {
        text += "Tiny sizes: these times are no speeds.\n";
    }
    for case in &results.cases {
        let tiles = case
            .tuned_on
            .as_ref()
            .map_or_else(|| "default tiles".to_owned(), |date| format!("tiles tuned for this adapter on {date}"));
        text += &format!("\n{}; {tiles}\n{}\n", case.name, kernels(case, &results.ceilings));
    }
    if !results.cases.is_empty() {
        text += &format!("\nWhole steps, with all that they do\n{}\n", steps(results));
    }
    if !results.rollouts.is_empty() {
        text += &format!("\nRunge–Kutta steps of learned motions, wholly on the adapter\n{}\n", rollouts(results));
    }
    text += &trainings(results);
    text += &peers(&results.peers, if results.software { "processor" } else { "card" });
    text += &reached(results);
    text
}

fn kernels(case: &Case, ceilings: &Ceilings) -> Table {
    let mut table = started(&["kernel", "of", "times", "time", "rate", "of ceiling"]);
    for kernel in &case.kernels {
        let rate = |work: Option<f64>, unit| work.map(|work| number::rate(work / kernel.seconds, unit));
        table.add_row([
            kernel.name.clone(),
            kernel.what.clone(),
            kernel.dispatches.to_string(),
            number::duration(kernel.seconds),
            rate(kernel.operations, "FLOP/s").or_else(|| rate(kernel.bytes, "B/s")).unwrap_or_else(|| "–".into()),
            kernel.fraction(ceilings).map_or_else(|| "–".into(), number::percent),
        ]);
    }
    right(table, 2)
}

fn steps(results: &Results) -> Table {
    let mut table = started(&["case", "optimiser", "a step", "samples", "rate", "of ceiling"]);
    for (case, step) in results.cases.iter().flat_map(|case| case.steps.iter().map(move |step| (case, step))) {
        table.add_row([
            case.name.clone(),
            step.optimiser.clone(),
            number::duration(step.seconds),
            number::rate(case.batch / step.seconds, "/s"),
            number::rate(step.rate, "FLOP/s"),
            number::percent(step.rate / results.ceilings.multiply_add),
        ]);
    }
    right(table, 2)
}

/// Motions side by side; the states that are moved by a step, a second.
fn rollouts(results: &Results) -> Table {
    let mut table = started(&["case", "tiles", "a step", "states", "rate", "of ceiling"]);
    for rollout in &results.rollouts {
        table.add_row([
            rollout.name.clone(),
            rollout.tuned_on.clone().unwrap_or_else(|| "default".into()),
            number::duration(rollout.seconds),
            number::rate(rollout.states / rollout.seconds, "/s"),
            number::rate(rollout.rate, "FLOP/s"),
            number::percent(rollout.rate / results.ceilings.multiply_add),
        ]);
    }
    right(table, 2)
}

/// Whole trainings, where they were made.
fn trainings(results: &Results) -> String {
    let Some(Trainings { paper, fast, ensemble }) = &results.trainings else { return String::new() };
    let mut table = started(&["preset", "time", "of"]);
    table.add_row(["notebook", &number::duration(paper.seconds), &paper.in_words()]);
    table.add_row(["fast", &number::duration(fast.seconds), &fast.in_words()]);
    let to_accuracy = fast.seconds_to_accuracy.map_or_else(|| "not reached".to_owned(), number::duration);
    let of_paper = format!("acceleration L1 ≤ {}", fast.accuracy);
    table.add_row(["fast, to the paper's accuracy", &to_accuracy, &of_paper]);
    table.add_row(["fast, side by side", &number::duration(ensemble.seconds), &ensemble.in_words()]);
    format!("\nWhole trainings, by lnn experiment\n{table}\n")
}

/// JAX on the same card or processor, or why it is not there.
pub(super) fn peers(compared: &Compared, place: &str) -> String {
    let cases = match compared {
        Ok(cases) => cases,
        // What was looked for, a place a line.
        Err(why) => return format!("\nJAX on the same card was not measured: {}\n", why.replace("; ", ";\n  ")),
    };
    let mut table = started(&["case", "JAX's products", "JAX", "ours", "ratio"]);
    for case in cases {
        table.add_row([
            case.name.clone(),
            case.precision.to_string(),
            number::duration(case.jax),
            number::duration(case.ours),
            format!("{}×", number::significant(case.ratio())),
        ]);
    }
    format!("\nJAX on the same {place}, a step of many\n{}\n", right(table, 2))
}

/// What was asked for, where the run has a figure for it, and why there is none for the rest.
fn reached(results: &Results) -> String {
    let (found, unmeasured) = targets::judged(results);
    if found.is_empty() {
        return String::new();
    }
    let mut here = started(&["asked for", "measured", "must", "goal", "reached"]);
    for target in &found {
        here.add_row([
            target.name.clone(),
            target.measured(),
            target.show(target.must),
            target.show(target.goal),
            target.verdict().name().to_owned(),
        ]);
    }
    let mut text = format!("\nTargets, set for an {CARD}\n{}\n", right(here, 1));
    if !unmeasured.is_empty() {
        text += "\nNot measured:\n";
    }
    for target in &unmeasured {
        text += &format!("  {}: must {}, goal {}\n    {}\n", target.name, target.must, target.goal, target.why);
    }
    text
}

pub(super) fn started(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(header);
    table
}

/// With the numbers, from column `first` on, at the right.
pub(super) fn right(mut table: Table, first: usize) -> Table {
    for column in table.column_iter_mut().skip(first) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::super::result::tests::results;
    use super::*;

    fn cells(text: &str, first: &str, second: &str) -> Vec<String> {
        let row = text.lines().find(|line| line.contains(first) && line.contains(second)).expect("in a table");
        row.trim_matches('│').split('┆').map(|cell| cell.trim().to_owned()).collect()
    }

    #[test]
    fn times_rates_and_targets_stand_in_their_rows() {
        let text = tables(&results());
        let wanted = ["layer_forward", "500→500", "3", "600 µs", "40.0 TFLOP/s", "66.7 %"];
        assert_eq!(cells(&text, "layer_forward", "500→500"), wanted);
        assert_eq!(cells(&text, "clip_decide", "")[4..], ["–", "–"]);
        let wanted = ["4×500, batch 4096", "SOAP", "5.00 ms", "819 k/s", "16.0 TFLOP/s", "26.7 %"];
        assert_eq!(cells(&text, "SOAP", ""), wanted);
        let wanted = ["RK4 step 3×64, 65536 states", "default", "1.00 ms", "65.5 M/s", "24.0 TFLOP/s", "40.0 %"];
        assert_eq!(cells(&text, "65536", ""), wanted);
        let wanted = ["RK4 step 4×500, 1024 states", "2026-01-01", "2.00 ms", "512 k/s", "16.0 TFLOP/s", "26.7 %"];
        assert_eq!(cells(&text, "4×500, 1024", ""), wanted);
        let wanted = ["whole step, Adam", "20.0 TFLOP/s", "18.0 TFLOP/s", "28.0 TFLOP/s", "must"];
        assert_eq!(cells(&text, "whole step", ""), wanted);
        let wanted = ["notebook", "400 s", "3×600, 600000 steps of 512, by the rate of 3000"];
        assert_eq!(cells(&text, "notebook", ""), wanted);
        let wanted = ["training step 3×64, batch 512", "f32 'highest'", "400 µs", "100 µs", "4.00×"];
        assert_eq!(cells(&text, "training step 3×64", "highest"), wanted);
        let wanted = ["RK4 step 3×64, 1024 states", "TF32 default", "30.0 µs", "50.0 µs", "0.600×"];
        assert_eq!(cells(&text, "RK4 step 3×64", "TF32"), wanted);
        let wanted = ["fast, to the paper's accuracy", "1.50 s", "acceleration L1 ≤ 0.073"];
        assert_eq!(cells(&text, "paper's accuracy", ""), wanted);
        let wanted = ["64 models side by side", "59.0 s, but 1 lost", "60.0 s", "60.0 s", "no"];
        assert_eq!(cells(&text, "64 models side", ""), wanted);
        assert!(!text.contains("Not measured"), "{text}");
        assert!(text.contains("4×500, batch 4096; tiles tuned for this adapter on 2026-01-01\n"), "{text}");
        assert!(!text.contains("no speeds"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }

    #[test]
    fn tables_without_a_row_are_left_out() {
        let only = |change: &dyn Fn(&mut Results)| {
            let mut results = Results { trainings: None, ..results() };
            change(&mut results);
            tables(&results)
        };
        let motions = only(&|results| results.cases.clear());
        assert!(motions.contains("Runge–Kutta steps") && !motions.contains("Whole steps"), "{motions}");
        let steps = only(&|results| results.rollouts.clear());
        assert!(!steps.contains("Runge–Kutta steps") && steps.contains("Whole steps"), "{steps}");
    }

    #[test]
    fn software_and_tiny_sizes_are_told_and_not_judged() {
        let quick = tables(&Results { quick: true, ..results() });
        assert!(quick.contains("Tiny sizes: these times are no speeds.") && !quick.contains("Targets"), "{quick}");
        let without = tables(&Results { peers: Err("no JAX there".to_owned()), ..results() });
        assert!(without.contains("was not measured: no JAX there"), "{without}");
        let missing =
            "Not measured:\n  JAX on the same card, f32 'highest': must 2.00×, goal 3.00×\n    no JAX there\n";
        assert!(without.contains(missing), "{without}");
        let software = tables(&Results { quick: true, software: true, ..results() });
        assert!(software.contains("no speeds of a graphics card"), "{software}");
    }
}
