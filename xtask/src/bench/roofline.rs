//! Where the time of a training step goes, from the stages that `benches/roofline.rs` times.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use serde_json::{Value, json};

use super::criterion::Measurement;
use super::number;
use super::rates::{Ceiling, fraction};

/// The bench that times the stages.
pub(crate) const GROUP: &str = "roofline";

/// One network's step and its parts, which add up to it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    /// Network and batch.
    name: String,
    seconds: f64,
    /// Operations of the layer products a second, of the whole step.
    rate: f64,
    /// The step's and the products' rates as fractions of the product rate.
    fraction: Option<f64>,
    products_fraction: Option<f64>,
    /// Seconds by part. The last one is what no other part explains; differences may be below zero where the
    /// times they are taken from scatter.
    parts: Vec<(&'static str, f64)>,
}

/// The steps of a run of which every stage was measured.
pub(crate) fn steps(measurements: &[Measurement], ceilings: &[Ceiling]) -> Vec<Step> {
    let stages: Vec<(&str, &str, &Measurement)> = measurements
        .iter()
        .filter(|measurement| measurement.group == GROUP)
        .filter_map(|measurement| measurement.name.split_once(": ").map(|(case, stage)| (case, stage, measurement)))
        .collect();
    let mut names: Vec<&str> = Vec::new();
    for (case, _, _) in &stages {
        if !names.contains(case) {
            names.push(case);
        }
    }
    let complete = |name: &&str| {
        let stage = |wanted: &str| {
            let found = stages.iter().find(|(case, stage, _)| case == name && *stage == wanted);
            found.map(|(_, _, measurement)| *measurement)
        };
        step(name, stage, ceilings)
    };
    names.iter().filter_map(complete).collect()
}

/// The parts of one step; none if a stage is missing.
fn step<'a>(name: &str, stage: impl Fn(&str) -> Option<&'a Measurement>, ceilings: &[Ceiling]) -> Option<Step> {
    let seconds = |name: &str| stage(name).map(|measurement| measurement.seconds);
    let (whole, replay) = (stage("step")?, stage("products")?);
    let engine = seconds("Euler–Lagrange")? + seconds("adjoint")?;
    let (products, solve, features) = (replay.seconds, seconds("solve")?, seconds("features")?);
    let (data, optimiser) = (seconds("data")?, seconds("optimiser")?);
    Some(Step {
        name: name.into(),
        seconds: whole.seconds,
        rate: whole.rate(),
        fraction: fraction(whole, ceilings),
        products_fraction: fraction(replay, ceilings),
        parts: vec![
            ("layer products: faer alone on the same shapes", products),
            ("elementwise: bias, activation, tangents, Hessian", engine - products - solve - features),
            ("pseudoinverse: factor, solve, vjp", solve),
            ("features: seeding of values and derivatives", features),
            ("states and targets", data),
            ("clipping and Adam", optimiser),
            ("the rest: loss, sum of partial gradients, hand-over", whole.seconds - engine - data - optimiser),
        ],
    })
}

/// The tables for the terminal, one a step; empty without a step.
pub(crate) fn tables(steps: &[Step]) -> String {
    let table = |step: &Step| {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED);
        table.set_header([&step.name, "time", "share"]);
        for (part, seconds) in &step.parts {
            table.add_row([part, &*number::duration(*seconds), &number::percent(seconds / step.seconds)]);
        }
        table.add_row(["whole step", &number::duration(step.seconds), &number::percent(1.0)]);
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table.to_string()
    };
    steps.iter().map(table).collect::<Vec<_>>().join("\n")
}

/// The content of `roofline.json`.
pub(crate) fn document(steps: &[Step]) -> Value {
    let step = |step: &Step| {
        let part = |(name, seconds): &(&str, f64)| json!({ "name": name, "seconds": seconds, "share": seconds / step.seconds });
        json!({
            "name": step.name,
            "seconds": step.seconds,
            "rate": step.rate,
            "fraction": step.fraction,
            "products_fraction": step.products_fraction,
            "parts": step.parts.iter().map(part).collect::<Vec<_>>(),
        })
    };
    json!({ "steps": steps.iter().map(step).collect::<Vec<_>>() })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::rates::ceilings;
    use super::super::rates::tests::{f32s, measurement};
    use super::*;

    /// A run with one step of 10 ms and 600 million operations, and a product at 100 GFLOP/s.
    pub(crate) fn run() -> Vec<Measurement> {
        let stage = |name: &str, milliseconds: f64| {
            let name = format!("3x64, batch 512: {name}");
            let unit = measurement("", "", f32s(1), 1.0).unit;
            Measurement { group: GROUP.into(), name, unit, elements: 6e8, seconds: 1e-3 * milliseconds }
        };
        vec![
            measurement("product", "1024x64x64 forward", f32s(1), 100e9),
            stage("products", 6.5),
            stage("Euler–Lagrange", 3.0),
            stage("adjoint", 5.25),
            stage("solve", 0.25),
            stage("features", 0.1),
            stage("data", 0.5),
            stage("optimiser", 0.25),
            stage("step", 10.0),
        ]
    }

    #[test]
    fn the_parts_add_up_to_the_step() {
        let run = run();
        let steps = steps(&run, &ceilings(&run));
        assert_eq!(steps.len(), 1);
        let step = &steps[0];
        assert_eq!((&*step.name, step.seconds), ("3x64, batch 512", 0.01));
        let sum: f64 = step.parts.iter().map(|(_, seconds)| seconds).sum();
        // Seven terms of at most 10 ms, some of them sums themselves.
        assert!((sum - step.seconds).abs() <= 16.0 * f64::EPSILON * step.seconds, "{sum}");
        let part = |name: &str| {
            let found = step.parts.iter().find(|(part, _)| part.starts_with(name));
            found.unwrap_or_else(|| panic!("{name}")).1
        };
        assert!((part("elementwise") - 1.4e-3).abs() <= 16.0 * f64::EPSILON * 1e-2);
        assert!((part("the rest") - 1e-3).abs() <= 16.0 * f64::EPSILON * 1e-2);
        // 6e8 operations in 10 ms are 60 GFLOP/s.
        assert!((step.fraction.expect("a product was measured") - 0.6).abs() <= 4.0 * f64::EPSILON);
    }

    #[test]
    fn a_step_with_a_missing_stage_is_left_out() {
        let run = run();
        for missing in 1..run.len() {
            let mut part = run.clone();
            part.remove(missing);
            assert!(steps(&part, &[]).is_empty(), "{}", run[missing].name);
        }
        assert!(tables(&[]).is_empty());
    }
}
