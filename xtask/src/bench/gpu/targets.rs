//! What is asked of a graphics card, as data, and whether a run reached it.

use serde_json::{Value, json};

use super::peers::Precision;
use super::result::{Case, Ceilings, Ensemble, Fast, Paper, Results};
use crate::bench::number::{self, significant as shown};
use crate::bench::verdict::Verdict;

/// The card that the targets are set for.
pub(crate) const CARD: &str = "NVIDIA H100";

/// Bytes below which the start of a kernel rules its time, not the memory.
const LEAST_BYTES: f64 = 4e6;

/// Acceleration L1 of preset `fast` on a processor after its last step: `docs/results.md`, seed 0.
const FAST_ON_PROCESSOR: f64 = 0.023;

/// How many times that is of the same class: seeds differ by less.
const ACCURACY_CLASS: f64 = 1.5;

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

/// A target with what was measured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reached {
    pub(crate) name: String,
    pub(crate) case: String,
    pub(crate) value: f64,
    pub(crate) must: f64,
    pub(crate) goal: f64,
    unit: Unit,
    /// Why the figure does not count, whatever it is.
    flaw: Option<String>,
}

/// What a target's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// Operations a second.
    Rate,
    Fraction,
    /// Of which less is better.
    Seconds,
    /// How many times another program's time ours goes into.
    Times,
}

impl Unit {
    fn show(self, number: f64) -> String {
        match self {
            Self::Rate => number::rate(number, "FLOP/s"),
            Self::Fraction => number::percent(number),
            Self::Seconds => number::duration(number),
            Self::Times => format!("{}×", number::significant(number)),
        }
    }
}

/// A target without a figure in this run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Unmeasured {
    pub(crate) name: String,
    pub(crate) must: String,
    pub(crate) goal: String,
    /// Why there is none, and what measures it.
    pub(crate) why: String,
}

impl Reached {
    pub(crate) fn verdict(&self) -> Verdict {
        match self.unit {
            _ if self.flaw.is_some() => Verdict::Missed,
            // More is better in the inverse.
            Unit::Seconds => Verdict::of(self.value.recip(), self.must.recip(), self.goal.recip()),
            _ => Verdict::of(self.value, self.must, self.goal),
        }
    }

    /// The figure, for a person, and why it does not count if it does not.
    pub(crate) fn measured(&self) -> String {
        let figure = self.show(self.value);
        self.flaw.as_ref().map_or_else(|| figure.clone(), |flaw| format!("{figure}, but {flaw}"))
    }

    /// A number of the target's kind, for a person.
    pub(crate) fn show(&self, number: f64) -> String {
        self.unit.show(number)
    }
}

/// The targets of which this run has the figures, and those of which it has none. Tiny sizes say nothing of any.
pub(crate) fn judged(results: &Results) -> (Vec<Reached>, Vec<Unmeasured>) {
    let (mut reached, mut unmeasured) = (Vec::new(), Vec::new());
    if results.quick {
        return (reached, unmeasured);
    }
    for target in &TARGETS {
        let Target { name, case, quantity, must, goal } = *target;
        let unit = if matches!(quantity, Quantity::Bandwidth) { Unit::Fraction } else { Unit::Rate };
        match results.case(case).and_then(|case| quantity.of(case, &results.ceilings)) {
            Some((value, detail)) => {
                let name = if detail.is_empty() { name.to_owned() } else { format!("{name}: {detail}") };
                reached.push(Reached { name, case: case.to_owned(), value, must, goal, unit, flaw: None });
            }
            None => unmeasured.push(Unmeasured {
                name: name.to_owned(),
                must: unit.show(must),
                goal: unit.show(goal),
                why: format!("the case {case} was not asked for"),
            }),
        }
    }
    for target in trainings(results).into_iter().chain(peers(results)) {
        let Sought { name, case, found, must, goal, unit } = target;
        match found {
            Ok(Figure { value, flaw }) => reached.push(Reached { name, case, value, must, goal, unit, flaw }),
            Err(why) => unmeasured.push(Unmeasured { name, must: unit.show(must), goal: unit.show(goal), why }),
        }
    }
    (reached, unmeasured)
}

/// A target with its figure, or why there is none.
struct Sought {
    name: String,
    case: String,
    found: Result<Figure, String>,
    must: f64,
    goal: f64,
    unit: Unit,
}

struct Figure {
    value: f64,
    /// Why it does not count.
    flaw: Option<String>,
}

impl From<f64> for Figure {
    fn from(value: f64) -> Self {
        Self { value, flaw: None }
    }
}

/// Those of whole trainings.
fn trainings(results: &Results) -> Vec<Sought> {
    let sought = |name: String, case: String, found: Option<Figure>, must: f64, goal: f64| {
        let left_out = || "whole trainings were left out: `--whole`, or a run of all cases, makes them".to_owned();
        Sought { name, case, found: found.ok_or_else(left_out), must, goal, unit: Unit::Seconds }
    };
    let trainings = results.trainings.as_ref();
    let paper = trainings.map(|trainings| &trainings.paper);
    let of_steps = paper.map_or_else(|| "3×600, 600000 steps of 512".to_owned(), Paper::in_words);
    let fast = trainings.map(|trainings| trainings.fast);
    let of_fast = fast.map_or_else(|| "preset fast".to_owned(), |fast| fast.in_words());
    let largest_l1 = ACCURACY_CLASS * FAST_ON_PROCESSOR;
    let accurate = |fast: Fast| {
        let l1 = fast.acceleration_l1;
        let flaw = (l1.is_nan() || l1 > largest_l1).then(|| format!("L1 {}", shown(l1)));
        Figure { value: fast.seconds, flaw }
    };
    let ensemble = trainings.map(|trainings| trainings.ensemble);
    let of_ensemble = ensemble.map_or_else(|| "preset fast".to_owned(), |ensemble| ensemble.in_words());
    let whole = |Ensemble { seconds, lost, .. }: Ensemble| {
        let flaw = (lost > 0.0).then(|| format!("{lost} lost"));
        Figure { value: seconds, flaw }
    };
    let fast_name = format!("fast, to an L1 ≤ {}", shown(largest_l1));
    vec![
        sought("the paper's training".to_owned(), of_steps, paper.map(|paper| paper.seconds.into()), 480.0, 300.0),
        sought(fast_name, of_fast, fast.map(accurate), 5.0, 5.0),
        sought("64 models side by side".to_owned(), of_ensemble, ensemble.map(whole), 60.0, 60.0),
    ]
}

/// Those of JAX on the same card: the training step that is least ahead. Of rollouts nothing was asked.
fn peers(results: &Results) -> Vec<Sought> {
    let of = |precision: Precision, must: f64, goal: f64| {
        let least = results.peers.as_ref().map_err(Clone::clone).map(|cases| {
            let asked = cases.iter().filter(|case| case.trains && case.precision == precision);
            asked.min_by(|a, b| a.ratio().total_cmp(&b.ratio()))
        });
        let (case, found) = match least {
            Ok(Some(least)) => (least.name.clone(), Ok(least.ratio().into())),
            Ok(None) => (String::new(), Err("none of its training steps was measured".to_owned())),
            Err(why) => (String::new(), Err(why)),
        };
        Sought { name: format!("JAX on the same card, {precision}"), case, found, must, goal, unit: Unit::Times }
    };
    vec![of(Precision::Highest, 2.0, 3.0), of(Precision::Default, 1.0, 1.5)]
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
    let (reached, unmeasured) = judged(results);
    let here = |target: &Reached| {
        json!({
            "name": target.name,
            "case": target.case,
            "value": target.measured(),
            "must": target.show(target.must),
            "goal": target.show(target.goal),
            "reached": target.verdict().name(),
        })
    };
    let missing = |target: &Unmeasured| json!({ "name": target.name, "must": target.must, "goal": target.goal, "why": target.why });
    json!({
        "card": CARD,
        "here": reached.iter().map(here).collect::<Vec<_>>(),
        "unmeasured": unmeasured.iter().map(missing).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::result::Trainings;
    use super::super::result::tests::results;
    use super::*;

    #[test]
    fn the_figures_are_those_of_the_run() {
        let (found, unmeasured) = judged(&results());
        let row = |target: &Reached| (target.measured(), target.verdict().name());
        let rows: Vec<_> = found.iter().map(row).collect();
        // (24 + 15) · 10⁹ operations in 1.3 ms; 21 MB in 15 µs beside 2 TB/s, since the losses are too few bytes; 600 000
        // steps at 1500 a second; the slower of two cases.
        let wanted = [
            ("20.0 TFLOP/s", "must"),
            ("30.0 TFLOP/s", "must"),
            ("25.0 TFLOP/s", "must"),
            ("70.0 %", "must"),
            ("400 s", "must"),
            ("4.50 s", "goal"),
            ("59.0 s, but 1 lost", "no"),
            ("2.50×", "must"),
            ("0.800×", "no"),
        ];
        assert_eq!(rows, wanted.map(|(value, verdict)| (value.to_owned(), verdict)));
        assert_eq!(unmeasured, vec![]);
        assert!(found[3].name.ends_with(": adam"), "{}", found[3].name);
        assert!(found[4].case.contains("by the rate of 3000"), "{}", found[4].case);
        assert!(found[6].case.contains("1 lost"), "{}", found[6].case);
    }

    #[test]
    fn a_time_counts_only_for_models_that_are_as_good() {
        let judged_with = |change: &dyn Fn(&mut Trainings)| {
            let mut results = results();
            change(results.trainings.as_mut().expect("there"));
            let found = judged(&results).0;
            let named = |start: &str| {
                let target = found.iter().find(|target| target.name.starts_with(start)).expect("one of the targets");
                (target.measured(), target.verdict().name())
            };
            (named("fast, to an L1 ≤ 0.0345"), named("64 models"))
        };
        let told = |value: &str, verdict: &'static str| (value.to_owned(), verdict);
        let (fast, ensemble) = judged_with(&|trainings| {
            trainings.fast.acceleration_l1 = 0.034;
            trainings.fast.seconds = 5.1;
            trainings.ensemble.lost = 0.0;
        });
        assert_eq!((fast, ensemble), (told("5.10 s", "no"), told("59.0 s", "goal")));
        // As accurate as the paper and in time, but no longer as a processor is.
        let (fast, _) = judged_with(&|trainings| trainings.fast.acceleration_l1 = 0.05);
        assert_eq!(fast, told("4.50 s, but L1 0.0500", "no"));
        let (fast, _) = judged_with(&|trainings| trainings.fast.acceleration_l1 = f64::NAN);
        assert_eq!(fast.1, "no", "{fast:?}");
        // When the paper's was reached is another figure.
        let (fast, _) = judged_with(&|trainings| trainings.fast.seconds_to_accuracy = None);
        assert_eq!(fast, told("4.50 s", "goal"));
    }

    #[test]
    fn what_was_not_measured_is_not_judged_and_says_why() {
        let mut part = results();
        let all = judged(&part).0.len() + judged(&part).1.len();
        part.cases[0].kernels.clear();
        part.peers = Err("no Python".to_owned());
        part.trainings = None;
        let (reached, unmeasured) = judged(&part);
        assert_eq!((reached.len(), reached.len() + unmeasured.len()), (1, all));
        assert!(unmeasured.iter().any(|target| target.why == "no Python"), "{unmeasured:?}");
        assert!(unmeasured.iter().any(|target| target.why.contains("--whole")), "{unmeasured:?}");
        assert_eq!(judged(&Results { quick: true, ..results() }), (vec![], vec![]));
    }

    #[test]
    fn a_goal_is_above_what_must_be() {
        for target in &TARGETS {
            assert!(target.must < target.goal, "{}", target.name);
        }
    }
}
