//! From the samples of all rounds to the lines of the table: medians, ratios, verdicts.

use serde_json::{Value, json};

use super::cases::{Case, LARGE_STEP, LARGE_STEP_MEMORY, Reference};
use super::sample::{Measured, Sample, median};

/// The two samples of one case in one round.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    pub(crate) reference: Sample,
    pub(crate) ours: Sample,
}

/// One case over all rounds.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) case: &'static Case,
    /// Not empty.
    pub(crate) rounds: Vec<Round>,
}

/// Whether a ratio is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Less than what must be.
    Missed,
    /// What must be, less than the goal.
    Must,
    /// The goal.
    Goal,
}

impl Verdict {
    fn of(ratio: f64, case: &Case) -> Self {
        match ratio {
            ratio if ratio >= case.goal => Self::Goal,
            ratio if ratio >= case.must => Self::Must,
            _ => Self::Missed,
        }
    }

    /// As the table says it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Missed => "no",
            Self::Must => "must",
            Self::Goal => "goal",
        }
    }
}

impl Round {
    /// Our speed over the reference's. Against the product our speed is in operations a second, so that this is the
    /// fraction of its rate.
    pub(crate) fn ratio(&self, case: &Case) -> f64 {
        speed_in_units(self.ours.speed(), &self.ours, case) / self.reference.speed()
    }
}

/// Units of the work a second, or operations a second where the reference is the product.
fn speed_in_units(speed: f64, ours: &Sample, case: &Case) -> f64 {
    match case.reference {
        Reference::Jax => speed,
        Reference::Product => speed * ours.operations.unwrap_or(f64::NAN),
    }
}

/// The speed by the median over all timings of all rounds.
fn speed<'a>(samples: impl Iterator<Item = &'a Sample>) -> f64 {
    let (mut seconds, mut rates) = (Vec::new(), Vec::new());
    for sample in samples {
        match &sample.measured {
            Measured::Seconds(timings) => seconds.extend(timings),
            Measured::Rate(rate) => rates.push(*rate),
        }
    }
    if seconds.is_empty() { median(&rates) } else { 1.0 / median(&seconds) }
}

impl Outcome {
    /// The reference's speed: its work a second, or the product's operations a second.
    pub(crate) fn reference_speed(&self) -> f64 {
        speed(self.rounds.iter().map(|round| &round.reference))
    }

    /// Our speed, in the same unit.
    pub(crate) fn our_speed(&self) -> f64 {
        let speed = speed(self.rounds.iter().map(|round| &round.ours));
        self.rounds.first().map_or(f64::NAN, |round| speed_in_units(speed, &round.ours, self.case))
    }

    /// Ratio of the medians over all rounds.
    pub(crate) fn ratio(&self) -> f64 {
        self.our_speed() / self.reference_speed()
    }

    /// Smallest and largest ratio of a single round.
    pub(crate) fn spread(&self) -> (f64, f64) {
        let ratios = self.rounds.iter().map(|round| round.ratio(self.case));
        ratios.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), ratio| (low.min(ratio), high.max(ratio)))
    }

    /// Whether the ratio is enough.
    pub(crate) fn verdict(&self) -> Verdict {
        Verdict::of(self.ratio(), self.case)
    }

    /// Most bytes that any round held at once: the reference's, ours.
    pub(crate) fn peak_memory(&self) -> (Option<u64>, Option<u64>) {
        let most = |side: fn(&Round) -> &Sample| self.rounds.iter().filter_map(|round| side(round).peak_memory).max();
        (most(|round| &round.reference), most(|round| &round.ours))
    }

    /// All that was measured, and what follows from it.
    fn document(&self) -> Value {
        let (low, high) = self.spread();
        let (reference_memory, our_memory) = self.peak_memory();
        let side = |speed: f64, memory: Option<u64>, side: fn(&Round) -> &Sample| {
            let reports: Vec<&Value> = self.rounds.iter().map(|round| &side(round).report).collect();
            json!({ "per_second": speed, "peak_memory_bytes": memory, "rounds": reports })
        };
        json!({
            "name": self.case.name,
            "command": self.case.arguments().join(" "),
            "reference": match self.case.reference { Reference::Jax => "jax", Reference::Product => "product" },
            "theirs": side(self.reference_speed(), reference_memory, |round| &round.reference),
            "ours": side(self.our_speed(), our_memory, |round| &round.ours),
            "ratio": self.ratio(),
            "ratio_low": low,
            "ratio_high": high,
            "must": self.case.must,
            "goal": self.case.goal,
            "reached": self.verdict().name(),
        })
    }
}

/// The memory of the large step, if it was measured: JAX's, ours, and whether ours is under the limit.
pub(crate) fn large_step_memory(outcomes: &[Outcome]) -> Option<(Option<u64>, u64, bool)> {
    let (theirs, ours) = outcomes.iter().find(|outcome| outcome.case.name == LARGE_STEP)?.peak_memory();
    ours.map(|ours| (theirs, ours, ours < LARGE_STEP_MEMORY))
}

/// All cases as the document takes them; machine and command are added by the caller.
pub(crate) fn document(outcomes: &[Outcome], rounds: usize) -> Value {
    let mut versions = serde_json::Map::new();
    for round in outcomes.iter().flat_map(|outcome| &outcome.rounds) {
        versions.extend(round.reference.versions.clone());
        versions.extend(round.ours.versions.clone());
    }
    let memory = large_step_memory(outcomes).map(|(theirs, ours, reached)| {
        json!({ "name": LARGE_STEP, "theirs": theirs, "ours": ours, "limit": LARGE_STEP_MEMORY, "reached": reached })
    });
    let cases: Vec<Value> = outcomes.iter().map(Outcome::document).collect();
    json!({ "rounds": rounds, "versions": versions, "memory": memory, "cases": cases })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::bench::peers::cases::CASES;

    fn sample(measured: Measured) -> Sample {
        let versions = json!({ "lnn": "0.1.0" }).as_object().cloned().unwrap_or_default();
        let report = match &measured {
            Measured::Seconds(seconds) => json!({ "seconds": seconds }),
            Measured::Rate(rate) => json!({ "operations_per_second": rate }),
        };
        Sample { measured, operations: None, peak_memory: None, versions, report }
    }

    /// Two rounds of every case; JAX takes 8 and then 6 ms, we 2 ms; the product makes 200 GF/s.
    pub(crate) fn outcomes() -> Vec<Outcome> {
        let outcome = |case: &'static Case| {
            let round = |theirs: [f64; 3], number: u64| {
                let reference = match case.reference {
                    Reference::Jax => Measured::Seconds(theirs.map(|ms| 1e-3 * ms).into()),
                    Reference::Product => Measured::Rate(2e11),
                };
                let mut ours = sample(Measured::Seconds(vec![2.2e-3, 2e-3, 1.9e-3]));
                ours.operations = Some(3.3e8);
                ours.peak_memory = Some(50_000_000 + number);
                Round { reference: Sample { peak_memory: Some(900_000_000), ..sample(reference) }, ours }
            };
            Outcome { case, rounds: vec![round([9.0, 8.0, 8.0], 1), round([6.0, 6.0, 6.5], 2)] }
        };
        CASES.iter().map(outcome).collect()
    }

    /// Equal but for the rounding of a few operations.
    fn close(left: f64, right: f64) -> bool {
        (left - right).abs() <= 8.0 * f64::EPSILON * right.abs()
    }

    #[test]
    fn the_ratio_is_of_medians_over_all_timings_and_the_spread_of_rounds() {
        let outcome = &outcomes()[0];
        // All of JAX's timings: 6, 6, 6.5, 8, 8, 9.
        assert!(close(outcome.reference_speed(), 1e3 / 7.25) && close(outcome.our_speed(), 500.0));
        assert!(close(outcome.ratio(), 3.625), "{}", outcome.ratio());
        let (low, high) = outcome.spread();
        assert!(close(low, 3.0) && close(high, 4.0), "{low} {high}");
    }

    #[test]
    fn against_the_product_the_ratio_is_the_fraction_of_its_rate() {
        let outcome = &outcomes()[6];
        // 3.3e8 operations in 2 ms are 165 GF/s.
        assert!(close(outcome.our_speed(), 1.65e11) && close(outcome.ratio(), 0.825), "{}", outcome.ratio());
        assert!(close(outcome.spread().0, 0.825) && close(outcome.spread().1, 0.825));
    }

    #[test]
    fn verdicts_change_at_what_must_be_and_at_the_goal() {
        let case = &CASES[0];
        for (ratio, verdict) in [
            (case.must - 0.01, Verdict::Missed),
            (case.must, Verdict::Must),
            (case.goal - 0.01, Verdict::Must),
            (case.goal, Verdict::Goal),
            (f64::NAN, Verdict::Missed),
        ] {
            assert_eq!(Verdict::of(ratio, case), verdict, "{ratio}");
        }
    }

    #[test]
    fn the_memory_is_the_most_of_all_rounds_and_judged_by_the_limit() {
        let mut outcomes = outcomes();
        assert_eq!(large_step_memory(&outcomes), Some((Some(900_000_000), 50_000_002, true)));
        outcomes[0].rounds[1].ours.peak_memory = Some(LARGE_STEP_MEMORY);
        assert_eq!(large_step_memory(&outcomes).map(|(_, _, reached)| reached), Some(false));
        assert_eq!(large_step_memory(&outcomes[1..]), None);
    }

    #[test]
    fn the_document_keeps_every_timing() {
        let document = document(&outcomes(), 2);
        let case = &document["cases"][0];
        assert_eq!(case["theirs"]["rounds"][1]["seconds"], json!([6.0, 6.0, 6.5].map(|ms| 1e-3 * ms)));
        assert_eq!(case["reached"], "no");
        assert_eq!(document["cases"][6]["theirs"]["rounds"][0]["operations_per_second"], 2e11);
        assert_eq!((&document["rounds"], &document["versions"]["lnn"]), (&json!(2), &json!("0.1.0")));
    }
}
