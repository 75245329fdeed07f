//! JAX on the same card: the same training steps by both, in turn.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::options::Options;
use super::result::{number, text};
use crate::bench::peers::{Case, Program, Recipe, Sample, Work, median};
use crate::cargo;
use crate::error::TaskError;

/// How JAX multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precision {
    /// In single precision.
    Highest,
    /// As the card likes best: on one of NVIDIA's with factors rounded to ten binary places, TF32.
    Default,
}

impl Precision {
    const ALL: [Self; 2] = [Self::Highest, Self::Default];

    /// As `jax_default_matmul_precision` has it.
    fn name(self) -> &'static str {
        match self {
            Self::Highest => "highest",
            Self::Default => "default",
        }
    }

    /// The distance of numbers near 1 that a product's factors are rounded to, on a card.
    fn spacing(self) -> f64 {
        match self {
            Self::Highest => f64::from(f32::EPSILON),
            Self::Default => 2.0_f64.powi(-10),
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Highest => "f32 'highest'",
            Self::Default => "TF32 default",
        })
    }
}

/// A case by both sides.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PeerCase {
    pub(crate) name: String,
    pub(crate) precision: Precision,
    /// Seconds of a step.
    pub(crate) jax: f64,
    pub(crate) ours: f64,
}

impl PeerCase {
    /// How many times our time goes into JAX's.
    pub(crate) fn ratio(&self) -> f64 {
        self.jax / self.ours
    }

    /// One of the cases of [`measure`].
    pub(crate) fn read(value: &Value) -> Result<Self, TaskError> {
        let precision = text(value, "precision")?;
        let precision = Precision::ALL.into_iter().find(|own| own.name() == precision);
        let precision = precision.ok_or_else(|| TaskError::Format {
            origin: "the comparison with JAX".into(),
            expected: "`precision` to be `highest` or `default`".into(),
        })?;
        Ok(Self { name: text(value, "name")?, precision, jax: number(value, "jax")?, ours: number(value, "ours")? })
    }
}

#[rustfmt::skip]
const CASES: [Case; 3] = [
    Case { name: "training step 4×500, batch 4096",
           work: Work::Step, hidden: 500, layers: 4, size: 4096, repeat: 6 },
    Case { name: "training step 3×600, batch 512",
           work: Work::Step, hidden: 600, layers: 3, size: 512, repeat: 8 },
    Case { name: "training step 3×64, batch 512",
           work: Work::Step, hidden: 64, layers: 3, size: 512, repeat: 8 },
];

/// For a processor, to see that all runs.
#[rustfmt::skip]
const QUICK: [Case; 1] = [
    Case { name: "training step 2×16, batch 40",
           work: Work::Step, hidden: 16, layers: 2, size: 40, repeat: 2 },
];

/// Prints the kinds of the devices that JAX finds on the platform in its argument, as a list in JSON.
const PRINT_KINDS: &str =
    "import json, sys, jax; print(json.dumps(sorted({d.device_kind for d in jax.devices(sys.argv[1])})))";

/// What our side computes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OurAdapter<'a> {
    pub(crate) name: &'a str,
    /// Whether it computes on the processor.
    pub(crate) software: bool,
}

/// Measures the cases that were asked for: all times, or `{ "left_out": why }` where JAX finds no such card, or another
/// one than ours.
///
/// On a software adapter, which takes tiny sizes alone, JAX computes on the processor: to see that all runs.
///
/// # Errors
/// One side fails, or the two do not do the same work.
pub(crate) fn measure(ours: &Path, adapter: OurAdapter<'_>, options: &Options) -> Result<Value, TaskError> {
    let plain = |text: &str| text.to_lowercase().replace('×', "x");
    let all = if options.quick { &QUICK[..] } else { &CASES };
    let asked = |case: &&Case| options.filters.iter().all(|word| plain(case.name).contains(&plain(word)));
    let cases: Vec<&Case> = all.iter().filter(asked).collect();
    if cases.is_empty() {
        return Ok(json!({ "left_out": "none of its cases was asked for" }));
    }
    let platform = if adapter.software { "cpu" } else { "cuda" };
    let found = find(options.python.as_deref(), platform).and_then(|(python, kinds)| {
        if !adapter.software {
            require_same_card(&kinds, adapter.name).map_err(|why| format!("`{python}`: {why}"))?;
        }
        Ok((python, kinds.join(", ")))
    });
    let (python, device) = match found {
        Ok(found) => found,
        Err(why) => return Ok(json!({ "left_out": why })),
    };
    eprintln!("JAX by {python} on {device}, in turn with ours");
    let root = cargo::root();
    let recipe = Recipe::read(root.join("benches/peers/recipe.json"))?;
    let script = root.join("benches/peers/jax_peer.py");
    let jax =
        Program { executable: python.clone().into(), first_arguments: vec!["-I".into(), script.into()], platform };
    let ours = Program { executable: ours.into(), first_arguments: vec!["peer".into()], platform };
    let rounds = if options.quick { 1 } else { options.rounds };
    let mut documents = Vec::new();
    let mut versions = Value::Null;
    for case in cases {
        let sides = Sides { jax: &jax, ours: &ours, recipe: &recipe, case, options, platform };
        let mut times: [Vec<f64>; 3] = Default::default();
        for round in 1..=rounds {
            let samples = sides.round(round)?;
            for (times, sample) in times.iter_mut().zip(&samples) {
                times.extend(&sample.seconds);
            }
            versions =
                json!({ "jax": samples[0].report["versions"]["jax"], "lnn": samples[2].report["versions"]["lnn"] });
        }
        let [highest, default, ours] = times.map(|times| median(&times));
        for (precision, jax) in [(Precision::Highest, highest), (Precision::Default, default)] {
            let name = case.name;
            documents.push(json!({ "name": name, "precision": precision.name(), "jax": jax, "ours": ours }));
        }
    }
    Ok(json!({ "python": python, "device": device, "versions": versions, "rounds": rounds, "cases": documents }))
}

/// Both programs with one case.
struct Sides<'a> {
    jax: &'a Program,
    ours: &'a Program,
    recipe: &'a Recipe,
    case: &'a Case,
    options: &'a Options,
    platform: &'static str,
}

impl Sides<'_> {
    /// JAX in both precisions and ours, each round from another of them on.
    fn round(&self, number: usize) -> Result<[Sample; 3], TaskError> {
        let mut samples = [None, None, None];
        for place in 0..3 {
            let side = (place + number) % 3;
            samples[side] = Some(match Precision::ALL.get(side) {
                Some(&precision) => self.jax(precision)?,
                None => self.ours()?,
            });
        }
        let [Some(highest), Some(default), Some(ours)] = samples else { unreachable!("each side has its turn") };
        for (precision, sample) in Precision::ALL.into_iter().zip([&highest, &default]) {
            self.recipe.compare_rounded(self.case, &sample.check, &ours.check, precision.spacing())?;
        }
        eprintln!("{}, round {number}", self.case.name);
        Ok([highest, default, ours])
    }

    fn jax(&self, precision: Precision) -> Result<Sample, TaskError> {
        let device = if self.platform == "cpu" { "cpu" } else { "gpu" };
        let options = ["--threads", "1", "--loop", "--device", device, "--precision", precision.name()];
        self.run(self.jax, options.map(OsString::from).to_vec(), Some(1))
    }

    fn ours(&self) -> Result<Sample, TaskError> {
        let adapter = self.options.adapter.iter().flat_map(|name| ["--adapter".into(), OsString::from(name)]);
        self.run(self.ours, adapter.collect(), None)
    }

    fn run(&self, program: &Program, options: Vec<OsString>, threads: Option<usize>) -> Result<Sample, TaskError> {
        let mut arguments: Vec<OsString> = self.case.arguments().into_iter().map(OsString::from).collect();
        if threads.is_none() {
            // Our program for cards has one work.
            arguments.remove(0);
        }
        arguments.extend(["--recipe".into(), self.recipe.path().into()]);
        arguments.extend(options);
        Sample::read(program.run(&arguments)?, self.case, threads)
    }
}

/// A Python whose JAX has devices of the platform, and their kinds; or what was looked for and found.
fn find(asked: Option<&str>, platform: &'static str) -> Result<(String, Vec<String>), String> {
    let names = asked.map_or_else(|| vec!["python3", "python"], |name| vec![name]);
    let mut found = Vec::new();
    for name in names {
        match device_kinds(name, platform) {
            Ok(kinds) => return Ok((name.to_owned(), kinds)),
            Err(why) => found.push(format!("`{name}`: {why}")),
        }
    }
    let what = if platform == "cpu" { "JAX on the processor" } else { "a JAX with a CUDA device" };
    Err(format!("looked for {what}, and found none: {}; `--python` names another Python", found.join("; ")))
}

/// Each kind of the platform's devices that the JAX of this Python has.
fn device_kinds(python: &str, platform: &str) -> Result<Vec<String>, String> {
    let output = Command::new(python)
        .args(["-I", "-c", PRINT_KINDS, platform])
        .env("JAX_PLATFORMS", platform)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    let last = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().last().unwrap_or_default().trim().to_owned();
    if !output.status.success() {
        return Err(last(&output.stderr));
    }
    // Plug-ins of JAX may have printed before.
    let line = last(&output.stdout);
    serde_json::from_str(&line).map_err(|_| format!("it prints `{line}`, which is no list of devices"))
}

/// Refuses times of JAX on another card than the adapter of this name, or on one that cannot be told from its others.
///
/// Vulkan and CUDA name a card alike. Names are compared by whole words, so that an A10 is no A100; that of OpenGL, for
/// one, has more words.
fn require_same_card(kinds: &[String], adapter: &str) -> Result<(), String> {
    let words = |name: &str| -> Vec<String> {
        let words = name.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
        words.map(str::to_lowercase).collect()
    };
    const REMEDY: &str = "CUDA_VISIBLE_DEVICES says which card JAX sees, and `--adapter` which one is ours";
    let [kind] = kinds else {
        let seen = kinds.join(", ");
        return Err(format!("JAX sees not one kind of card but {}: {seen}; {REMEDY}", kinds.len()));
    };
    let (kind_words, adapter_words) = (words(kind), words(adapter));
    if kind_words.is_empty() || !adapter_words.windows(kind_words.len()).any(|part| part == kind_words) {
        return Err(format!("JAX computes on {kind}, and we on {adapter}, which is another card; {REMEDY}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_python_that_is_not_there_is_named_with_what_was_looked_for() {
        let why = find(Some("no-such-python-anywhere"), "cuda").expect_err("none");
        assert!(why.contains("CUDA") && why.contains("`no-such-python-anywhere`") && why.contains("--python"), "{why}");
    }

    #[cfg(unix)]
    #[test]
    fn a_python_without_jax_is_told_by_its_last_word() {
        // `false` fails without a word, as a Python that is broken might.
        assert_eq!(device_kinds("false", "cuda"), Err(String::new()));
        // `echo` says something else than it was asked for.
        let why = device_kinds("echo", "cuda").expect_err("no list");
        assert!(why.contains("no list of devices") && why.contains("cuda"), "{why}");
        let why = find(None, "no-such-platform").expect_err("none");
        assert!(why.contains("`python3`"), "{why}");
    }

    #[test]
    fn jax_is_compared_on_a_card_of_our_name_alone() {
        let judged = |kinds: &[&str], adapter: &str| {
            require_same_card(&kinds.iter().map(|&kind| kind.to_owned()).collect::<Vec<_>>(), adapter)
        };
        for (kind, adapter) in [
            ("NVIDIA H100 80GB HBM3", "NVIDIA H100 80GB HBM3"),
            ("NVIDIA GeForce RTX 4090", "NVIDIA GeForce RTX 4090/PCIe/SSE2"),
            ("Tesla V100-SXM2-16GB", "tesla v100 sxm2 16gb"),
        ] {
            assert_eq!(judged(&[kind], adapter), Ok(()), "{kind}");
        }
        for (kind, adapter) in [
            ("NVIDIA A10", "NVIDIA A100-SXM4-40GB"),
            ("NVIDIA H100 80GB HBM3", "NVIDIA H200"),
            // A part of a card.
            ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", "NVIDIA H100 80GB HBM3"),
            ("", "NVIDIA H200"),
        ] {
            let why = judged(&[kind], adapter).expect_err(kind);
            assert!(why.contains(kind) && why.contains(adapter) && why.contains("another card"), "{why}");
        }
        for kinds in [&[][..], &["NVIDIA H100", "NVIDIA T4"]] {
            let why = judged(kinds, "NVIDIA H100").expect_err("not one");
            assert!(why.contains(&kinds.len().to_string()) && why.contains("CUDA_VISIBLE_DEVICES"), "{why}");
            assert!(kinds.iter().all(|kind| why.contains(kind)), "{why}");
        }
    }

    #[test]
    fn the_default_precision_is_allowed_its_rounding_and_the_highest_is_not() {
        let recipe = Recipe::read(cargo::root().join("benches/peers/recipe.json")).expect("in the repository");
        let (theirs, ours) = ([40.0, 0.5], [40.0 * (1.0 + 1e-3), 0.5]);
        let compare = |precision: Precision| recipe.compare_rounded(&CASES[0], &theirs, &ours, precision.spacing());
        assert!(compare(Precision::Default).is_ok());
        assert!(compare(Precision::Highest).is_err());
    }
}
