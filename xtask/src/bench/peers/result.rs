//! From the samples of all rounds to the lines of the table: medians, ratios, verdicts.

use serde_json::{Map, Value, json};

use super::cases::{LARGE_STEP, LARGE_STEP_MEMORY, PRODUCT_FRACTION, Target};
use super::sample::{Sample, median};
use crate::bench::verdict::Verdict;

/// The two samples of one case in one round.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    pub(crate) jax: Sample,
    pub(crate) ours: Sample,
}

/// One case over all rounds.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) target: &'static Target,
    /// Not empty.
    pub(crate) rounds: Vec<Round>,
}

/// faer's product in one round.
#[derive(Clone, Debug)]
pub(crate) struct Product {
    /// Operations a second of the best shape.
    pub(crate) rate: f64,
    /// The whole line, for the record.
    pub(crate) report: Value,
}

/// All that was measured.
#[derive(Clone, Debug)]
pub(crate) struct Results {
    pub(crate) outcomes: Vec<Outcome>,
    /// One a round, none where the large step is not among the cases.
    pub(crate) products: Vec<Product>,
}

/// The large step's rate beside the product's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StepRate {
    /// Operations of the step's layer products a second.
    pub(crate) step: f64,
    /// Median over the rounds of faer's best rate.
    pub(crate) product: f64,
}

impl Round {
    /// JAX's time over ours.
    pub(crate) fn ratio(&self) -> f64 {
        median(&self.jax.seconds) / median(&self.ours.seconds)
    }
}

impl Outcome {
    /// The median over all timings of all rounds of one side.
    fn seconds(&self, side: fn(&Round) -> &Sample) -> f64 {
        median(&self.rounds.iter().flat_map(|round| &side(round).seconds).copied().collect::<Vec<_>>())
    }

    /// JAX's time.
    pub(crate) fn jax_seconds(&self) -> f64 {
        self.seconds(|round| &round.jax)
    }

    /// Our time.
    pub(crate) fn our_seconds(&self) -> f64 {
        self.seconds(|round| &round.ours)
    }

    /// Ratio of the medians over all rounds.
    pub(crate) fn ratio(&self) -> f64 {
        self.jax_seconds() / self.our_seconds()
    }

    /// Smallest and largest ratio of a single round.
    pub(crate) fn spread(&self) -> (f64, f64) {
        let ratios = self.rounds.iter().map(Round::ratio);
        ratios.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), ratio| (low.min(ratio), high.max(ratio)))
    }

    /// Whether the rounds differ by more than a quiet machine lets them.
    pub(crate) fn is_unsteady(&self) -> bool {
        let (low, high) = self.spread();
        high - low > 0.15 * self.ratio()
    }

    /// Whether the ratio is enough.
    pub(crate) fn verdict(&self) -> Verdict {
        Verdict::of(self.ratio(), self.target.must, self.target.goal)
    }

    /// Most bytes that any round held at once: JAX's, ours.
    pub(crate) fn peak_memory(&self) -> (Option<u64>, Option<u64>) {
        let most = |side: fn(&Round) -> &Sample| self.rounds.iter().filter_map(|round| side(round).peak_memory).max();
        (most(|round| &round.jax), most(|round| &round.ours))
    }

    /// All that was measured, and what follows from it.
    fn document(&self) -> Value {
        let (low, high) = self.spread();
        let (jax_memory, our_memory) = self.peak_memory();
        let side = |seconds: f64, memory: Option<u64>, side: fn(&Round) -> &Sample| {
            let reports: Vec<&Value> = self.rounds.iter().map(|round| &side(round).report).collect();
            json!({ "seconds": seconds, "peak_memory_bytes": memory, "rounds": reports })
        };
        json!({
            "name": self.target.case.name,
            "command": self.target.case.arguments().join(" "),
            "jax": side(self.jax_seconds(), jax_memory, |round| &round.jax),
            "ours": side(self.our_seconds(), our_memory, |round| &round.ours),
            "ratio": self.ratio(),
            "ratio_low": low,
            "ratio_high": high,
            "must": self.target.must,
            "goal": self.target.goal,
            "reached": self.verdict().name(),
        })
    }
}

impl StepRate {
    /// The part of the product's rate that the step reaches.
    pub(crate) fn fraction(self) -> f64 {
        self.step / self.product
    }

    /// Whether that is enough.
    pub(crate) fn verdict(self) -> Verdict {
        Verdict::of(self.fraction(), PRODUCT_FRACTION.0, PRODUCT_FRACTION.1)
    }
}

impl Results {
    fn large_step(&self) -> Option<&Outcome> {
        self.outcomes.iter().find(|outcome| outcome.target.case.name == LARGE_STEP)
    }

    /// The large step's rate, if step and product were measured.
    pub(crate) fn step_rate(&self) -> Option<StepRate> {
        let outcome = self.large_step()?;
        let operations = outcome.rounds.first()?.ours.operations?;
        let rates: Vec<f64> = self.products.iter().map(|product| product.rate).collect();
        let step = operations / outcome.our_seconds();
        (!rates.is_empty()).then(|| StepRate { step, product: median(&rates) })
    }

    /// The memory of the large step, if it was measured: JAX's, ours, and whether ours is under the limit.
    pub(crate) fn large_step_memory(&self) -> Option<(Option<u64>, u64, bool)> {
        let (jax, ours) = self.large_step()?.peak_memory();
        ours.map(|ours| (jax, ours, ours < LARGE_STEP_MEMORY))
    }

    /// The first `count` rounds of each case; the cases that have as many.
    pub(crate) fn finished(mut self, count: usize) -> Self {
        self.outcomes.iter_mut().for_each(|outcome| outcome.rounds.truncate(count));
        self.products.truncate(count);
        self
    }

    /// All cases as the document takes them; origin and recipe are added by the caller.
    pub(crate) fn document(&self) -> Value {
        let mut versions = Map::new();
        for round in self.outcomes.iter().flat_map(|outcome| &outcome.rounds) {
            for side in [&round.jax, &round.ours] {
                versions.extend(side.report["versions"].as_object().cloned().unwrap_or_default());
            }
        }
        let memory = self.large_step_memory().map(|(jax, ours, reached)| {
            json!({ "name": LARGE_STEP, "jax": jax, "ours": ours, "limit": LARGE_STEP_MEMORY, "reached": reached })
        });
        let step_rate = self.step_rate().map(|rate| {
            json!({
                "name": LARGE_STEP,
                "step": rate.step,
                "product": rate.product,
                "fraction": rate.fraction(),
                "must": PRODUCT_FRACTION.0,
                "goal": PRODUCT_FRACTION.1,
                "reached": rate.verdict().name(),
                "rounds": self.products.iter().map(|product| &product.report).collect::<Vec<_>>(),
            })
        });
        let cases: Vec<Value> = self.outcomes.iter().map(Outcome::document).collect();
        json!({ "versions": versions, "memory": memory, "step_rate": step_rate, "cases": cases })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::bench::peers::cases::TARGETS;

    fn sample(milliseconds: [f64; 3], versions: Value) -> Sample {
        let seconds: Vec<f64> = milliseconds.iter().map(|time| 1e-3 * time).collect();
        let report = json!({ "seconds": seconds, "versions": versions });
        Sample { seconds, check: vec![1.0], operations: None, peak_memory: None, report }
    }

    /// Two rounds of every case; JAX takes 8 and then 6 ms, we 2 ms for 330 million operations; the product makes
    /// 200 GFLOP/s.
    pub(crate) fn results() -> Results {
        let outcome = |target: &'static Target| {
            let round = |jax: [f64; 3], number: u64| {
                let ours = sample([2.2, 2.0, 1.9], json!({ "lnn": "0.1.0" }));
                let ours = Sample { operations: Some(3.3e8), peak_memory: Some(50_000_000 + number), ..ours };
                let jax = sample(jax, json!({ "jax": "0.4.38" }));
                Round { jax: Sample { peak_memory: Some(900_000_000), ..jax }, ours }
            };
            Outcome { target, rounds: vec![round([9.0, 8.0, 8.0], 1), round([6.0, 6.0, 6.4], 2)] }
        };
        let product = |rate| Product { rate, report: json!({ "operations_per_second": rate }) };
        Results { outcomes: TARGETS.iter().map(outcome).collect(), products: vec![product(2.1e11), product(1.9e11)] }
    }

    /// Equal but for the rounding of a few operations.
    fn close(left: f64, right: f64) -> bool {
        (left - right).abs() <= 8.0 * f64::EPSILON * right.abs()
    }

    #[test]
    fn the_ratio_is_of_medians_over_all_timings_and_the_spread_of_rounds() {
        let outcome = &results().outcomes[0];
        // All of JAX's timings: 6, 6, 6.4, 8, 8, 9.
        assert!(close(outcome.jax_seconds(), 7.2e-3) && close(outcome.our_seconds(), 2e-3));
        assert!(close(outcome.ratio(), 3.6), "{}", outcome.ratio());
        let (low, high) = outcome.spread();
        assert!(close(low, 3.0) && close(high, 4.0), "{low} {high}");
        assert!(outcome.is_unsteady(), "1 is more than 15 % of 3.6");
        let steady = Outcome { rounds: outcome.rounds[..1].to_vec(), ..outcome.clone() };
        assert!(!steady.is_unsteady(), "one round has no spread");
    }

    #[test]
    fn the_steps_rate_is_a_fraction_of_the_products() {
        // 3.3e8 operations in 2 ms are 165 GFLOP/s; the product makes 210 and 190.
        let mut results = results();
        let rate = results.step_rate().expect("both were measured");
        assert!(close(rate.step, 1.65e11) && close(rate.product, 2e11) && close(rate.fraction(), 0.825), "{rate:?}");
        assert_eq!(rate.verdict(), Verdict::Must);
        results.products.clear();
        assert_eq!(results.step_rate(), None);
    }

    #[test]
    fn verdicts_change_at_what_must_be_and_at_the_goal() {
        for (ratio, verdict) in [
            (3.99, Verdict::Missed),
            (4.0, Verdict::Must),
            (4.59, Verdict::Must),
            (4.6, Verdict::Goal),
            (f64::NAN, Verdict::Missed),
        ] {
            assert_eq!(Verdict::of(ratio, 4.0, 4.6), verdict, "{ratio}");
        }
    }

    #[test]
    fn the_memory_is_the_most_of_all_rounds_and_judged_by_the_limit() {
        let mut results = results();
        assert_eq!(results.large_step_memory(), Some((Some(900_000_000), 50_000_002, true)));
        results.outcomes[0].rounds[1].ours.peak_memory = Some(LARGE_STEP_MEMORY);
        assert_eq!(results.large_step_memory().map(|(_, _, reached)| reached), Some(false));
        results.outcomes.remove(0);
        assert_eq!(results.large_step_memory(), None);
    }

    #[test]
    fn the_document_keeps_every_timing() {
        let document = results().document();
        let case = &document["cases"][0];
        assert_eq!(case["jax"]["rounds"][1]["seconds"], json!([6.0, 6.0, 6.4].map(|ms| 1e-3 * ms)));
        assert_eq!(case["reached"], "no");
        assert_eq!(document["step_rate"]["rounds"][0]["operations_per_second"], 2.1e11);
        assert_eq!(document["versions"], json!({ "lnn": "0.1.0", "jax": "0.4.38" }));
    }

    #[test]
    fn finished_rounds_are_the_first_of_each_case() {
        let finished = results().finished(1);
        assert!(finished.outcomes.iter().all(|outcome| outcome.rounds.len() == 1) && finished.products.len() == 1);
    }
}
