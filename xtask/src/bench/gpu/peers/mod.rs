//! JAX on the same card: the same steps by both, in turn.

mod cases;
mod jax;

use std::ffi::OsString;
use std::path::Path;

use serde_json::{Value, json};

use super::result::{flag, text};
use crate::bench::peers::{Case, Program, Recipe, Sample, median};
use crate::cargo;
use crate::error::TaskError;
pub(crate) use cases::{PeerCase, Precision, matching};
pub(crate) use jax::Jax;

/// What our side computes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OurAdapter {
    pub(crate) name: String,
    /// Whether it computes on the processor.
    pub(crate) software: bool,
}

/// What is compared, and by whom.
#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    /// In the table's order.
    pub(crate) cases: Vec<&'static Case>,
    pub(crate) rounds: usize,
    /// The Python whose JAX is the peer.
    pub(crate) python: Option<String>,
    /// The choice of ours, as its command line takes it.
    pub(crate) adapter: Option<String>,
}

impl OurAdapter {
    /// Of a report of the bench.
    pub(crate) fn read(report: &Value) -> Result<Self, TaskError> {
        Ok(Self { name: text(&report["adapter"], "name")?, software: flag(report, "software")? })
    }
}

/// Finds JAX and measures the cases: all times, or `{ "left_out": why }` where JAX finds no such card, or another one than
/// ours.
///
/// On a software adapter, which takes tiny sizes alone, JAX computes on the processor: to see that all runs.
///
/// # Errors
/// One side fails, or the two do not do the same work.
pub(crate) fn measure(ours: &Path, adapter: &OurAdapter, comparison: &Comparison) -> Result<Value, TaskError> {
    if comparison.cases.is_empty() {
        return Ok(json!({ "left_out": "none of its cases was asked for" }));
    }
    match Jax::find(comparison.python.as_deref(), if adapter.software { "cpu" } else { "cuda" }) {
        Ok(jax) => measure_with(&jax, ours, adapter, comparison),
        Err(why) => Ok(json!({ "left_out": why })),
    }
}

/// As [`measure`], with a JAX that was found before.
pub(crate) fn measure_with(
    jax: &Jax,
    ours: &Path,
    adapter: &OurAdapter,
    comparison: &Comparison,
) -> Result<Value, TaskError> {
    if !adapter.software
        && let Err(why) = jax.require_same_card(&adapter.name)
    {
        return Ok(json!({ "left_out": why }));
    }
    eprintln!("JAX by {} on {}, in turn with ours", jax.python, jax.device());
    let root = cargo::root();
    let program = |executable: &Path, first: Vec<OsString>| Program {
        executable: executable.into(),
        first_arguments: first,
        platform: jax.platform,
    };
    let script = root.join("benches/peers/jax_peer.py");
    let sides = Sides {
        jax: program(jax.python.as_ref(), vec!["-I".into(), script.into()]),
        ours: program(ours, vec!["peer".into()]),
        recipe: Recipe::read(root.join("benches/peers/recipe.json"))?,
        adapter: comparison.adapter.as_deref(),
    };
    let mut found = sides.measure(&comparison.cases, comparison.rounds)?;
    found["python"] = jax.python.clone().into();
    found["device"] = jax.device().into();
    Ok(found)
}

/// Both programs.
struct Sides<'a> {
    jax: Program,
    ours: Program,
    recipe: Recipe,
    /// The choice of ours.
    adapter: Option<&'a str>,
}

impl Sides<'_> {
    /// All rounds of each case.
    fn measure(&self, cases: &[&Case], rounds: usize) -> Result<Value, TaskError> {
        let (mut documents, mut versions) = (Vec::new(), Value::Null);
        for case in cases {
            let mut times: [Vec<f64>; 3] = Default::default();
            for round in 1..=rounds {
                let samples = self.round(case, round)?;
                eprintln!("{}, round {round}", case.name);
                for (times, sample) in times.iter_mut().zip(&samples) {
                    times.extend(&sample.seconds);
                }
                versions =
                    json!({ "jax": samples[0].report["versions"]["jax"], "lnn": samples[2].report["versions"]["lnn"] });
            }
            let [highest, default, ours] = times.map(|times| median(&times));
            for (precision, jax) in [(Precision::Highest, highest), (Precision::Default, default)] {
                let (name, work) = (case.name, case.work.name());
                documents.push(
                    json!({ "name": name, "work": work, "precision": precision.name(), "jax": jax, "ours": ours }),
                );
            }
        }
        Ok(json!({ "versions": versions, "rounds": rounds, "cases": documents }))
    }

    /// JAX in both precisions and ours, each round from another of them on.
    fn round(&self, case: &Case, number: usize) -> Result<[Sample; 3], TaskError> {
        let mut samples = [None, None, None];
        for place in 0..3 {
            let side = (place + number) % 3;
            samples[side] = Some(match Precision::ALL.get(side) {
                Some(&precision) => self.jax(case, precision)?,
                None => self.ours(case)?,
            });
        }
        let [Some(highest), Some(default), Some(ours)] = samples else { unreachable!("each side has its turn") };
        for (precision, sample) in Precision::ALL.into_iter().zip([&highest, &default]) {
            self.recipe.compare_rounded(case, &sample.check, &ours.check, precision.spacing())?;
        }
        Ok([highest, default, ours])
    }

    fn jax(&self, case: &Case, precision: Precision) -> Result<Sample, TaskError> {
        let device = if self.jax.platform == "cpu" { "cpu" } else { "gpu" };
        let options = ["--threads", "1", "--loop", "--device", device, "--precision", precision.name()];
        self.run(&self.jax, case, &options, Some(1))
    }

    fn ours(&self, case: &Case) -> Result<Sample, TaskError> {
        let options: Vec<&str> = self.adapter.iter().flat_map(|name| ["--adapter", name]).collect();
        self.run(&self.ours, case, &options, None)
    }

    fn run(
        &self,
        program: &Program,
        case: &Case,
        options: &[&str],
        threads: Option<usize>,
    ) -> Result<Sample, TaskError> {
        let mut arguments: Vec<OsString> = case.arguments().into_iter().map(OsString::from).collect();
        arguments.extend(["--recipe".into(), self.recipe.path().into()]);
        arguments.extend(options.iter().map(OsString::from));
        Sample::read(program.run(&arguments)?, case, threads)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe() -> Recipe {
        Recipe::read(cargo::root().join("benches/peers/recipe.json")).expect("in the repository")
    }

    #[test]
    fn the_default_precision_is_allowed_its_rounding_and_the_highest_is_not() {
        let (theirs, ours) = ([40.0, 0.5], [40.0 * (1.0 + 1e-3), 0.5]);
        for case in matching(false, &[]) {
            let compare = |precision: Precision| recipe().compare_rounded(case, &theirs, &ours, precision.spacing());
            assert!(compare(Precision::Default).is_ok(), "{}", case.name);
            assert!(compare(Precision::Highest).is_err(), "{}", case.name);
        }
    }

    /// A shell in the place of either program: it does nothing in 4 ms with JAX's products in single precision, in 2 ms
    /// with rounded ones, and in 1 ms as ours.
    #[cfg(unix)]
    fn shell(check: &str) -> Program {
        let script = r#"
            work=$1; time=1e-3; threads=null
            while [ $# -gt 0 ]; do
                case $1 in
                    --hidden) hidden=$2;; --layers) layers=$2;; --batch) batch=$2;; --repeat) repeat=$2;;
                    --threads) threads=$2;;
                    --precision) case $2 in highest) time=4e-3;; *) time=2e-3;; esac;;
                esac
                shift
            done
            seconds=$time
            while [ "$repeat" -gt 1 ]; do seconds="$seconds, $time"; repeat=$((repeat - 1)); done
            echo "{ \"work\": \"$work\", \"hidden\": $hidden, \"layers\": $layers, \"batch\": $batch, \"threads\": $threads,
                \"seconds\": [$seconds], \"check\": [CHECK], \"versions\": { \"jax\": \"0.9\", \"lnn\": \"0.1\" } }"
        "#;
        let script = script.replace("CHECK", check);
        let first_arguments = ["-c", &script, "sh"].map(OsString::from).into();
        Program { executable: "sh".into(), first_arguments, platform: "cuda" }
    }

    #[cfg(unix)]
    #[test]
    fn both_programs_do_each_case_and_must_do_the_same() {
        let between = |theirs: &str, ours: &str| {
            let sides = Sides { jax: shell(theirs), ours: shell(ours), recipe: recipe(), adapter: Some("best") };
            sides.measure(&matching(true, &[]), 2)
        };
        let found = between("40.0, 0.5", "40.0, 0.5").expect("the shell is there");
        let row = |name: &str, work: &str, precision: &str, jax: f64| json!({ "name": name, "work": work, "precision": precision, "jax": jax, "ours": 1e-3 });
        let (step, rollout) = ("training step 2×16, batch 40", "RK4 step 2×16, 40 states");
        let wanted = json!({ "versions": { "jax": "0.9", "lnn": "0.1" }, "rounds": 2, "cases": [
            row(step, "step", "highest", 4e-3),
            row(step, "step", "default", 2e-3),
            row(rollout, "rollout", "highest", 4e-3),
            row(rollout, "rollout", "default", 2e-3),
        ] });
        assert_eq!(found, wanted);
        let message = between("40.0, 0.5", "41.0, 0.5").expect_err("other work").to_string();
        assert!(message.contains(step) && message.contains("same work"), "{message}");
    }

    #[test]
    fn what_is_left_out_is_told() {
        let asked = |words: &str| Comparison {
            cases: matching(false, &[words.to_owned()]),
            rounds: 1,
            python: Some("no-such-python-anywhere".into()),
            adapter: None,
        };
        let adapter = OurAdapter { name: "Some Card".into(), software: false };
        for (words, told) in [("lattice", "none of its cases"), ("rk4", "no-such-python-anywhere")] {
            let found = measure(Path::new("gpu"), &adapter, &asked(words)).expect("nothing is started");
            assert!(found["left_out"].as_str().is_some_and(|why| why.contains(told)), "{found}");
        }
    }
}
