//! `cargo xtask bench peers`: the same work by another program, in turn with ours.

mod cases;
mod options;
mod recipe;
mod result;
mod sample;
mod table;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::{document, gpu, machine};
use crate::error::TaskError;
use crate::python::{self, Purpose};
use crate::{asks_for_help, cargo, print_help};
use cases::LARGE_STEP;
pub(super) use cases::{Case, Work};
use options::{Backend, Options};
pub(super) use recipe::Recipe;
use result::{Outcome, Product, Results, Round};
pub(super) use sample::{Program, Sample, median};

const HELP: &str = "\
The same work by JAX and by us, in turn, and the ratio of the times: on the processor, and on a graphics card where JAX has
one. Close other programs first.

Usage: cargo xtask bench peers [--rounds N] [--only WORDS…] [--save] [--backend cpu]
       cargo xtask bench peers --backend gpu [--rounds N] [--only WORDS…] [--python PATH] [--adapter NAME]

  --rounds N       how often each case is measured by both sides (5, on a card 3)
  --only WORDS…    only cases with all of these words in their names; × may be written x
  --backend NAME   cpu: on the processor alone; gpu: on a graphics card alone; auto (default): on the processor, then on a
                   card, or says why not
  --save           write docs/benchmarks/peers.json and docs/benchmarks.md; takes a run of all cases on the processor

For graphics cards:
  --python PATH    a Python whose JAX has a CUDA device (python3)
  --adapter NAME   ours: best (default), discrete, or a part of its name; it must be the card that JAX computes on
  --program PATH   our side, `bench gpu`, already built, for a machine without cargo

For the processor JAX is installed once into a virtual environment in the target folder; this needs Python 3.10 to 3.13 and,
the first time, the network. For a card install it yourself (`pip install 'jax[cuda12]'`) and say where with --python. Each
measurement is a process of its own, and the sides change places from round to round. All take their constants from
benches/peers/recipe.json and start from the same weights and states; if their results differ by more than rounding, no time
is reported. A ratio is that of the medians over all timings of all rounds. With the large training step on the processor,
the rate of the matrix product alone is measured once a round. On a card JAX has two turns, with its products in single
precision and, its default, with factors rounded to TF32; `cargo xtask bench gpu --save` makes the same comparison and keeps it.

The exit code is 0 whatever the ratios: this measures, it does not test. With `--backend gpu` it is 1 where there is no JAX on
the same card.

Examples:
  cargo xtask bench peers                         all cases, some minutes
  cargo xtask bench peers --only rk4 3x64         the cases with both words
  cargo xtask bench peers --rounds 7 --save
  cargo xtask bench peers --backend gpu --python venv/bin/python
";

/// Timings of each kind of product in one round; odd, so that one of them is the median.
const PRODUCT_REPEAT: usize = 9;

/// Compares on the processor, and then on a graphics card.
pub(crate) fn run(arguments: &[OsString]) -> Result<ExitCode, TaskError> {
    if asks_for_help(arguments) {
        return print_help(HELP);
    }
    let options = Options::parse(arguments)?;
    if !options.targets.is_empty() {
        on_processor(&options)?;
    }
    if !options.comparison.cases.is_empty() {
        on_card(&options)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// JAX on a graphics card, or why not; where nothing else was asked for that is an error.
fn on_card(options: &Options) -> Result<(), TaskError> {
    let compared = gpu::against_jax(&options.comparison, options.program.as_deref())?;
    match compared {
        Err(why) if options.backend == Backend::Gpu => {
            Err(TaskError::Missing(format!("JAX on the same card was not measured: {why}")))
        }
        compared => print(&gpu::comparison_table(&compared)),
    }
}

/// Prepares both sides, measures, prints and saves.
fn on_processor(options: &Options) -> Result<(), TaskError> {
    let sides = Sides::prepare()?;
    let origin = machine::describe();
    let mut results = Results {
        outcomes: options.targets.iter().map(|target| Outcome { target, rounds: Vec::new() }).collect(),
        products: Vec::new(),
    };
    for number in 1..=options.rounds {
        if let Err(error) = measure(&sides, &mut results, number, options.rounds) {
            if number > 1 {
                let text = format!("\nINCOMPLETE: {} of {} rounds\n", number - 1, options.rounds);
                print(&(text + &table::table(&results.finished(number - 1))))?;
            }
            return Err(error);
        }
    }
    print(&format!("\n{}", table::table(&results)))?;
    if options.save {
        let mut value = results.document();
        value["rounds"] = options.rounds.into();
        value["threads"] = sides.threads.into();
        value["recipe"] = sides.recipe.value.clone();
        value["machine"] = origin;
        value["command"] = json!(options.command());
        document::save(&cargo::root(), "peers", &value)?;
    }
    Ok(())
}

fn print(text: &str) -> Result<(), TaskError> {
    std::io::stdout().write_all(text.as_bytes()).map_err(TaskError::Output)
}

/// One round of all cases, a line of progress for each, and of the product if the large step is among them.
fn measure(sides: &Sides, results: &mut Results, number: usize, rounds: usize) -> Result<(), TaskError> {
    for outcome in &mut results.outcomes {
        let case = &outcome.target.case;
        let round = sides.round(case, number)?;
        let used = sides.recipe.compare(case, &round.jax.check, &round.ours.check)?;
        let line = table::line(outcome, &round);
        eprintln!("round {number} of {rounds}  {line}  (results differ by {:.0} % of what rounding may)", 100.0 * used);
        outcome.rounds.push(round);
    }
    if results.outcomes.iter().any(|outcome| outcome.target.case.name == LARGE_STEP) {
        results.products.push(sides.product()?);
    }
    Ok(())
}

/// The programs, ready to run.
struct Sides {
    ours: Program,
    jax: Program,
    recipe: Recipe,
    /// What each side may use.
    threads: usize,
}

impl Sides {
    fn prepare() -> Result<Self, TaskError> {
        let recipe = Recipe::read(cargo::root().join("benches/peers/recipe.json"))?;
        let threads = std::thread::available_parallelism().map_err(|error| TaskError::Format {
            origin: "the system".into(),
            expected: format!("an answer to how many threads it runs at once ({error})"),
        })?;
        // Python first: what it lacks is known at once, and our build may take minutes.
        let jax = jax()?;
        eprintln!("Building our side, optimised. The first build takes minutes, later ones seconds.");
        let ours = Program { executable: bench("peer_work")?, first_arguments: Vec::new(), platform: "cpu" };
        Ok(Self { ours, jax, recipe, threads: threads.get() })
    }

    /// One measurement of `case` by each side.
    fn round(&self, case: &Case, number: usize) -> Result<Round, TaskError> {
        let mut arguments: Vec<OsString> = case.arguments().into_iter().map(OsString::from).collect();
        arguments.extend(["--threads".into(), self.threads.to_string().into()]);
        arguments.extend(["--recipe".into(), self.recipe.path().into()]);
        let run = |program: &Program| Sample::read(program.run(&arguments)?, case, Some(self.threads));
        // Neither side always runs on a processor that the other has warmed.
        if number % 2 == 1 {
            let jax = run(&self.jax)?;
            Ok(Round { jax, ours: run(&self.ours)? })
        } else {
            let ours = run(&self.ours)?;
            Ok(Round { jax: run(&self.jax)?, ours })
        }
    }

    /// The best rate of the matrix product alone, by as many threads.
    fn product(&self) -> Result<Product, TaskError> {
        let (repeat, threads) = (PRODUCT_REPEAT.to_string(), self.threads.to_string());
        let arguments = ["product", "--repeat", &repeat, "--threads", &threads].map(OsString::from);
        let report = self.ours.run(&arguments)?;
        let rate = report["operations_per_second"].as_f64().filter(|rate| *rate > 0.0);
        let rate = rate.ok_or_else(|| TaskError::Format {
            origin: "peer_work product".into(),
            expected: "`operations_per_second`, a number above zero".into(),
        })?;
        Ok(Product { rate, report })
    }
}

/// JAX's side, installed if need be.
fn jax() -> Result<Program, TaskError> {
    let target = cargo::target_directory(&cargo::metadata()?)?;
    let folder = cargo::root().join("benches/peers");
    let purpose = Purpose {
        who: "the peer",
        size: "some 100 MB",
        otherwise: "Our own benchmarks need no Python: `cargo xtask bench cpu`.",
    };
    let python = python::environment(&target.join("peers/venv"), &folder.join("requirements.txt"), purpose)?;
    Ok(Program {
        executable: python,
        first_arguments: vec!["-I".into(), folder.join("jax_peer.py").into()],
        platform: "cpu",
    })
}

/// Builds one of the facade's benches, which is our side, and says where it is.
pub(super) fn bench(name: &str) -> Result<PathBuf, TaskError> {
    let build = ["bench", "--package", "lnn", "--bench", name, "--no-run"];
    let (status, artifacts) = cargo::build(&build)?;
    if !status.success() {
        return Err(TaskError::Failed { command: format!("cargo {}", build.join(" ")), code: status.code() });
    }
    let program = artifacts.into_iter().find(|artifact| artifact.kind == "bench" && artifact.target == name);
    program.map(|program| program.executable).ok_or_else(|| TaskError::Format {
        origin: "cargo bench".into(),
        expected: format!("a message that says where `{name}` is"),
    })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use serde_json::Value;

    use super::options::DEFAULT_ROUNDS;
    use super::*;

    #[test]
    fn the_help_names_the_default_number_of_rounds() {
        assert!(HELP.contains(&format!("by both sides ({DEFAULT_ROUNDS}, on a card {})", gpu::DEFAULT_ROUNDS)));
        assert!(HELP.lines().all(|line| line.chars().count() <= 130), "{HELP}");
    }

    #[test]
    fn the_peers_program_is_python() {
        let script = cargo::root().join("benches/peers/jax_peer.py");
        let compile = "import sys; compile(open(sys.argv[1], encoding='utf-8').read(), sys.argv[1], 'exec')";
        let check = |text: PathBuf| {
            let mut command = Command::new("python3");
            command.args(["-I", "-c", compile]).arg(text).stderr(Stdio::null());
            command.status().expect("python3 is installed, which the tests need").success()
        };
        assert!(check(script), "benches/peers/jax_peer.py has a syntax error");
        assert!(!check(cargo::root().join("benches/peer_work.rs")), "a program in another language must not pass");
    }

    #[test]
    fn the_document_shows_each_case_the_rate_and_the_memory() {
        let mut value = result::tests::results().document();
        value["rounds"] = 2.into();
        value["threads"] = 2.into();
        value["recipe"] = recipe::tests::recipe().value;
        value["machine"] = json!({ "processor": "P", "threads": 2, "system": "S", "rustc": "R",
            "revision": "abc1234-dirty", "date": "2026-01-02" });
        value["command"] = json!("cargo xtask bench peers --rounds 2 --save");
        let text = render(&value);
        for line in [
            "P, 2 threads, S; R; 2026-01-02; revision abc1234-dirty; `cargo xtask bench peers --rounds 2 --save`.",
            "| training step 4×500, batch 512 | 7.20 ms | 2.00 ms | 3.60× | 3.00–4.00× |",
            "| RK4 step 4×500, 1 state | 7.20 ms | 2.00 ms | 3.60× | 3.00–4.00× |",
            "The training step 4×500, batch 512 runs at 165 GFLOP/s, 82.5 % of faer's best product rate of the same",
            "- Training step 4×500, batch 512: must 4.00×, goal 4.60×; reached: no.",
            "- Rate of the training step 4×500, batch 512: must 78.0 %, goal 88.0 % of the product's; reached: must.",
            "| lattice 3×400, 100 points | 7.20 ms | 2.00 ms | 3.60× | 3.00–4.00× |",
            "- Lattice 3×400, 300 points: must 50.0×, goal 200×; reached: no.",
        ] {
            assert!(text.lines().any(|found| found.starts_with(line)), "{line}\nis not in\n{text}");
        }
        assert!(text.contains("50.0 MB, JAX 900 MB"), "{text}");
        assert!(!text.contains("\n\n\n"), "{text}");
        for entry in ["memory", "step_rate"] {
            value[entry] = Value::Null;
        }
        for entry in ["processor", "revision"] {
            value["machine"][entry] = Value::Null;
        }
        let text = render(&value);
        for absent in ["900 MB", "faer's best product"] {
            assert!(!text.contains(absent), "{absent} in {text}");
        }
        assert!(text.contains("An unnamed processor") && text.contains("no revision"), "{text}");
    }

    fn render(value: &Value) -> String {
        let context = json!({ "peers": value }).as_object().cloned().expect("an object");
        document::render(&context).expect("the template fits the data")
    }
}
