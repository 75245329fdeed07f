//! Rates of one run, and their fractions of the matrix product's rate in the same run.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use serde_json::{Value, json};

use super::criterion::{Measurement, Unit};
use super::number;

/// The bench whose best shape is the ceiling.
const PRODUCT: &str = "product";

/// What stands where there is no fraction.
const NONE: &str = "–";

/// The fastest product at one precision and number of threads.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ceiling {
    unit: Unit,
    /// Shape and layout.
    name: String,
    /// Operations a second.
    rate: f64,
}

/// The ceilings of a run; none where no product was measured.
pub(crate) fn ceilings(measurements: &[Measurement]) -> Vec<Ceiling> {
    let mut ceilings: Vec<Ceiling> = Vec::new();
    for measurement in measurements.iter().filter(|measurement| measurement.group == PRODUCT) {
        let Measurement { unit, name, .. } = measurement;
        let found = Ceiling { unit: unit.clone(), name: name.clone(), rate: measurement.rate() };
        match ceilings.iter_mut().find(|ceiling| ceiling.unit == *unit) {
            Some(ceiling) if ceiling.rate < found.rate => *ceiling = found,
            Some(_) => {}
            None => ceilings.push(found),
        }
    }
    ceilings
}

/// A measurement's rate as a fraction of the ceiling of the same precision and number of threads, if it
/// counts operations and that ceiling was measured.
pub(crate) fn fraction(measurement: &Measurement, ceilings: &[Ceiling]) -> Option<f64> {
    let Unit::Operations { .. } = measurement.unit else { return None };
    let ceiling = ceilings.iter().find(|ceiling| ceiling.unit == measurement.unit)?;
    Some(measurement.rate() / ceiling.rate)
}

/// The table for the terminal, a line a benchmark.
pub(crate) fn table(measurements: &[Measurement], ceilings: &[Ceiling]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["benchmark", "type", "threads", "median", "rate", "of product"]);
    for measurement in measurements {
        let (precision, threads) = basis(&measurement.unit);
        table.add_row([
            format!("{}: {}", measurement.group, measurement.name),
            precision.unwrap_or(NONE).into(),
            threads.map_or_else(|| NONE.into(), |threads| threads.to_string()),
            number::duration(measurement.seconds),
            number::rate(measurement.rate(), &measurement.unit.per_second()),
            fraction(measurement, ceilings).map_or_else(|| NONE.into(), number::percent),
        ]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// The content of `cpu.json`: what the table shows, group by group.
pub(crate) fn document(measurements: &[Measurement], ceilings: &[Ceiling]) -> Value {
    let mut names: Vec<&str> = Vec::new();
    for measurement in measurements {
        if !names.contains(&&*measurement.group) {
            names.push(&measurement.group);
        }
    }
    let row = |measurement: &Measurement| {
        let (precision, threads) = basis(&measurement.unit);
        json!({
            "name": measurement.name,
            "precision": precision,
            "threads": threads,
            "seconds": measurement.seconds,
            "rate": measurement.rate(),
            "unit": measurement.unit.per_second(),
            "fraction": fraction(measurement, ceilings),
        })
    };
    let group = |name: &&str| {
        let rows: Vec<Value> = measurements.iter().filter(|measurement| measurement.group == *name).map(row).collect();
        json!({ "name": name, "rows": rows })
    };
    let ceiling = |ceiling: &Ceiling| {
        let (precision, threads) = basis(&ceiling.unit);
        json!({ "precision": precision, "threads": threads, "name": ceiling.name, "rate": ceiling.rate })
    };
    json!({
        "product": ceilings.iter().map(ceiling).collect::<Vec<_>>(),
        "groups": names.iter().map(group).collect::<Vec<_>>(),
    })
}

/// Precision and threads of a count of operations.
fn basis(unit: &Unit) -> (Option<&str>, Option<u32>) {
    match unit {
        Unit::Operations { precision, threads } => (Some(precision), Some(*threads)),
        Unit::Other(_) => (None, None),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A measurement of `rate` operations a second in one second.
    pub(crate) fn measurement(group: &str, name: &str, unit: Unit, rate: f64) -> Measurement {
        Measurement { group: group.into(), name: name.into(), unit, elements: rate, seconds: 1.0 }
    }

    pub(crate) fn f32s(threads: u32) -> Unit {
        Unit::Operations { precision: "f32".into(), threads }
    }

    fn run() -> Vec<Measurement> {
        vec![
            measurement("product", "256x64x64 forward", f32s(1), 80e9),
            measurement("product", "1024x64x64 forward", f32s(1), 100e9),
            measurement("product", "256x500x500 forward", f32s(1), 90e9),
            measurement("product", "1024x64x64 forward", f32s(2), 150e9),
            measurement("jets", "adjoint 3x64", f32s(1), 25e9),
            measurement("training_step", "3x64", f32s(2), 75e9),
            measurement("rollout", "3x64", f32s(4), 75e9),
            measurement("generic", "tape", Unit::Other("Hessians".into()), 2e6),
        ]
    }

    #[test]
    fn the_ceiling_is_the_best_shape_of_each_number_of_threads() {
        let found = ceilings(&run());
        assert_eq!(found.len(), 2);
        assert_eq!((&*found[0].name, found[0].rate), ("1024x64x64 forward", 100e9));
        assert_eq!((&found[1].unit, found[1].rate), (&f32s(2), 150e9));
    }

    #[test]
    fn fractions_are_of_the_same_precision_and_threads_or_missing() {
        let run = run();
        let ceilings = ceilings(&run);
        let fractions: Vec<Option<f64>> = run.iter().map(|one| fraction(one, &ceilings)).collect();
        let expected = [Some(0.8), Some(1.0), Some(0.9), Some(1.0), Some(0.25), Some(0.5), None, None];
        assert_eq!(fractions, expected);
        assert_eq!(fraction(&run[4], &[]), None, "without a product nothing can be said");
    }

    #[test]
    fn the_table_has_a_line_for_each_benchmark() {
        let run = run();
        let table = table(&run, &ceilings(&run));
        let line = |words: &str| {
            let found = table.lines().find(|line| line.contains(words));
            found.unwrap_or_else(|| panic!("{words} in {table}")).to_owned()
        };
        let adjoint = line("jets: adjoint 3x64");
        assert!(adjoint.contains("25.0 GFLOP/s") && adjoint.contains("25.0 %"), "{adjoint}");
        let tape = line("generic: tape");
        assert!(tape.contains("2.00 MHessians/s") && tape.contains(NONE) && !tape.contains('%'), "{tape}");
    }

    #[test]
    fn the_table_fits_a_terminal_with_the_longest_name_there_is() {
        let name = "Euler–Lagrange and adjoint 3x64, d = 8";
        let run = [
            measurement("jets", name, f32s(16), 999e9),
            measurement("generic", "tape of duals, 16 variables", Unit::Other("Hessians".into()), 2e5),
        ];
        let table = table(&run, &[]);
        assert!(table.lines().all(|line| line.chars().count() <= 110), "{table}");
    }
}
