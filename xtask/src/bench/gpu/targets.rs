//! What is asked of a graphics card, as data, and whether a run reached it.

use serde_json::{Value, json};

use super::result::{Case, Ceilings, Results};
use crate::bench::number;
use crate::bench::verdict::Verdict;

/// The card that the targets are set for.
pub(crate) const CARD: &str = "NVIDIA H100";

/// Bytes below which the start of a kernel rules its time, not the memory.
const LEAST_BYTES: f64 = 4e6;

/// A figure of one run that must be reached.
#[derive(Clone, Copy, Debug)]
struct Target {
    name: &'static str,
    case: &'static str,
    quantity: Quantity,
    must: f64,
    goal: f64,
}

#[derive(Clone, Copy, Debug)]
enum Quantity {
    /// Operations a second of the whole step with this optimiser.
    Step(&'static str),
    /// Operations a second of these kernels together, of dispatches for these sizes.
    Kernels(&'static [&'static str], &'static str),
    /// Fraction of the copy bandwidth of the slowest kernel that moves no less than [`LEAST_BYTES`] a dispatch.
    Bandwidth,
}

const LARGE: &str = "4×500, batch 4096";

const TARGETS: [Target; 4] = [
    Target { name: "whole step, Adam", case: LARGE, quantity: Quantity::Step("Adam"), must: 18e12, goal: 28e12 },
    Target {
        name: "hidden products with epilogue",
        case: LARGE,
        quantity: Quantity::Kernels(
            &["layer_forward", "layer_reverse", "functional_forward", "functional_reverse"],
            "500→500",
        ),
        must: 25e12,
        goal: 36e12,
    },
    Target {
        name: "weight gradients",
        case: LARGE,
        quantity: Quantity::Kernels(&["weight_gradient"], "500→500"),
        must: 20e12,
        goal: 30e12,
    },
    Target { name: "slowest in memory", case: LARGE, quantity: Quantity::Bandwidth, must: 0.6, goal: 0.8 },
];

/// What another command measures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Elsewhere {
    pub(crate) name: &'static str,
    pub(crate) must: &'static str,
    pub(crate) goal: &'static str,
    pub(crate) command: &'static str,
}

/// Targets beside those of this bench; those of which no more was asked have the same goal.
pub(crate) const ELSEWHERE: [Elsewhere; 5] = [
    Elsewhere {
        name: "JAX on the same card, f32 'highest'",
        must: "2×",
        goal: "3×",
        command: "cargo xtask bench peers",
    },
    Elsewhere {
        name: "JAX on the same card, its TF32 default",
        must: "1×",
        goal: "1.5×",
        command: "cargo xtask bench peers",
    },
    Elsewhere {
        name: "the paper's training: 3×600, 600 000 steps of 512",
        must: "8 min",
        goal: "5 min",
        command: "cargo xtask experiment dblpend --preset paper --backend gpu",
    },
    Elsewhere {
        name: "training of preset fast, at its accuracy on the CPU",
        must: "5 s",
        goal: "5 s",
        command: "cargo xtask experiment dblpend --preset fast --backend gpu",
    },
    Elsewhere {
        name: "64 such models side by side",
        must: "60 s",
        goal: "60 s",
        command: "cargo xtask experiment dblpend --preset fast --backend gpu --ensemble 64",
    },
];

/// A target with what was measured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reached {
    pub(crate) name: String,
    pub(crate) case: &'static str,
    pub(crate) value: f64,
    pub(crate) must: f64,
    pub(crate) goal: f64,
    /// Whether the numbers are fractions, and not operations a second.
    is_fraction: bool,
}

impl Reached {
    pub(crate) fn verdict(&self) -> Verdict {
        Verdict::of(self.value, self.must, self.goal)
    }

    /// A number of the target's kind, for a person.
    pub(crate) fn show(&self, number: f64) -> String {
        if self.is_fraction { number::percent(number) } else { number::rate(number, "FLOP/s") }
    }
}

/// The targets of which this run has the figures. Tiny sizes say nothing of any.
pub(crate) fn reached(results: &Results) -> Vec<Reached> {
    if results.quick {
        return Vec::new();
    }
    let reach = |target: &Target| {
        let Target { name, case, quantity, must, goal } = *target;
        let (value, detail) = quantity.of(results.case(case)?, &results.ceilings)?;
        let name = if detail.is_empty() { name.to_owned() } else { format!("{name}: {detail}") };
        Some(Reached { name, case, value, must, goal, is_fraction: matches!(quantity, Quantity::Bandwidth) })
    };
    TARGETS.iter().filter_map(reach).collect()
}

impl Quantity {
    /// The figure, and which kernel it is of where that was found out.
    fn of(self, case: &Case, ceilings: &Ceilings) -> Option<(f64, String)> {
        match self {
            Self::Step(optimiser) => {
                let step = case.steps.iter().find(|step| step.optimiser == optimiser)?;
                Some((step.rate, String::new()))
            }
            Self::Kernels(names, what) => {
                let fits = |name: &str, of: &str| names.contains(&name) && of == what;
                let (operations, seconds) = case
                    .kernels
                    .iter()
                    .filter(|kernel| fits(&kernel.name, &kernel.what))
                    .fold((0.0, 0.0), |(sum, time), kernel| {
                        (sum + kernel.operations.unwrap_or(0.0), time + kernel.seconds)
                    });
                (seconds > 0.0).then(|| (operations / seconds, String::new()))
            }
            Self::Bandwidth => case
                .kernels
                .iter()
                .filter(|kernel| kernel.bytes.is_some_and(|bytes| bytes / kernel.dispatches as f64 >= LEAST_BYTES))
                .filter_map(|kernel| Some((kernel.fraction(ceilings)?, kernel.name.clone())))
                .min_by(|(left, _), (right, _)| left.total_cmp(right)),
        }
    }
}

/// The targets for the document.
pub(crate) fn document(results: &Results) -> Value {
    let here = |target: &Reached| {
        json!({
            "name": target.name,
            "case": target.case,
            "value": target.show(target.value),
            "must": target.show(target.must),
            "goal": target.show(target.goal),
            "reached": target.verdict().name(),
        })
    };
    let elsewhere = |target: &Elsewhere| json!({ "name": target.name, "must": target.must, "goal": target.goal, "command": target.command });
    json!({
        "card": CARD,
        "here": reached(results).iter().map(here).collect::<Vec<_>>(),
        "elsewhere": ELSEWHERE.iter().map(elsewhere).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::result::tests::results;
    use super::*;

    #[test]
    fn the_figures_are_those_of_the_run() {
        let found = reached(&results());
        let row = |target: &Reached| (target.show(target.value), target.verdict().name());
        let rows: Vec<_> = found.iter().map(row).collect();
        // (24 + 15) · 10⁹ operations in 1.3 ms; 21 MB in 15 µs beside 2 TB/s, since the losses are too few bytes.
        let wanted = [("20.0 TFLOP/s", "must"), ("30.0 TFLOP/s", "must"), ("25.0 TFLOP/s", "must"), ("70.0 %", "must")];
        assert_eq!(rows, wanted.map(|(value, verdict)| (value.to_owned(), verdict)));
        assert!(found[3].name.ends_with(": adam"), "{}", found[3].name);
    }

    #[test]
    fn what_was_not_measured_is_not_judged() {
        let mut part = results();
        part.cases[0].kernels.clear();
        assert_eq!(reached(&part).len(), 1);
        part.cases.clear();
        assert!(reached(&part).is_empty());
        assert!(reached(&Results { quick: true, ..results() }).is_empty());
    }

    #[test]
    fn a_goal_is_above_what_must_be() {
        for target in &TARGETS {
            assert!(target.must < target.goal, "{}", target.name);
        }
    }
}
