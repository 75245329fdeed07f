//! The command line of `cargo xtask bench peers`.

use std::ffi::OsString;

use super::cases::{self, Target};
use crate::bench::gpu;
use crate::bench::gpu::peers::{self as card, Comparison};
use crate::error::TaskError;
use crate::verb;

/// Rounds on the processor unless said otherwise.
pub(crate) const DEFAULT_ROUNDS: usize = 5;

/// Most rounds accepted: hours.
const MOST_ROUNDS: usize = 1000;

const KNOWN: [&str; 7] = ["--rounds", "--only", "--backend", "--python", "--adapter", "--program", "--save"];

/// Where both sides compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    /// On the processor, and on a graphics card where JAX has one.
    Auto,
    /// On the processor.
    Cpu,
    /// On a graphics card.
    Gpu,
}

/// What to measure and whether to keep it.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) backend: Backend,
    /// On the processor.
    pub(crate) rounds: usize,
    /// On the processor, in the table's order.
    pub(crate) targets: Vec<&'static Target>,
    /// On a graphics card. With the targets there is at least one case.
    pub(crate) comparison: Comparison,
    /// Our side on a graphics card, where it is not to be built.
    pub(crate) program: Option<String>,
    pub(crate) save: bool,
    words: Vec<String>,
}

impl Backend {
    fn parse(name: Option<&str>) -> Result<Self, TaskError> {
        match name {
            Some("auto") => Ok(Self::Auto),
            Some("cpu") => Ok(Self::Cpu),
            Some("gpu") => Ok(Self::Gpu),
            other => Err(TaskError::Usage(format!(
                "`--backend` takes `auto`, `cpu` or `gpu`, but was given {}",
                given(other)
            ))),
        }
    }
}

impl Options {
    /// Reads the arguments after `bench peers`; `--name value` and `--name=value` are the same.
    pub(crate) fn parse(arguments: &[OsString]) -> Result<Self, TaskError> {
        let (mut rounds, mut backend, mut words, mut save) = (None, Backend::Auto, Vec::new(), false);
        let (mut python, mut adapter, mut program) = (None, None, None);
        let mut arguments = arguments.iter().flat_map(|argument| split(&argument.to_string_lossy())).peekable();
        while let Some(option) = arguments.next() {
            let mut value = || arguments.next_if(|next| !next.starts_with("--"));
            let needed = |value: Option<String>, what: &str| {
                value.map(Some).ok_or_else(|| TaskError::Usage(format!("`{option}` takes {what}")))
            };
            match &*option {
                "--rounds" => rounds = Some(count(value().as_deref())?),
                "--only" => {
                    while let Some(text) = value() {
                        words.extend(text.split_whitespace().map(str::to_owned));
                    }
                    if words.is_empty() {
                        let message = "`--only` takes words of the cases' names, such as `--only rk4 3x64`";
                        return Err(TaskError::Usage(message.into()));
                    }
                }
                "--backend" => backend = Backend::parse(value().as_deref())?,
                "--python" => python = needed(value(), "a Python whose JAX has a CUDA device")?,
                "--adapter" => adapter = needed(value(), "`best`, a kind such as `discrete`, or a part of a name")?,
                "--program" => program = needed(value(), "the program of `bench gpu`")?,
                "--save" => save = true,
                other => return Err(TaskError::Usage(verb::unknown("option of `bench peers`", other, &KNOWN))),
            }
        }
        let of_card = [(&python, "--python"), (&adapter, "--adapter"), (&program, "--program")];
        if let Some((_, name)) = of_card.iter().find(|(given, _)| backend == Backend::Cpu && given.is_some()) {
            return Err(TaskError::Usage(format!("`{name}` is for graphics cards: leave it out, or `--backend cpu`")));
        }
        if save && backend == Backend::Gpu {
            let message = "`--save` keeps the figures of the processor; those of a card are kept by `cargo xtask bench gpu --save`";
            return Err(TaskError::Usage(message.into()));
        }
        if save && !words.is_empty() {
            return Err(TaskError::Usage(
                "`--save` writes the document from a run of all cases: leave out `--only`, or leave out `--save`"
                    .into(),
            ));
        }
        let comparison = Comparison {
            cases: if backend == Backend::Cpu { Vec::new() } else { card::matching(false, &words) },
            rounds: rounds.unwrap_or(gpu::DEFAULT_ROUNDS),
            python,
            adapter,
        };
        let targets = if backend == Backend::Gpu { Vec::new() } else { cases::matching(&words) };
        if targets.is_empty() && comparison.cases.is_empty() {
            return Err(no_case(backend, &words));
        }
        Ok(Self { backend, rounds: rounds.unwrap_or(DEFAULT_ROUNDS), targets, comparison, program, save, words })
    }

    /// What a person would type to repeat the run on the processor.
    pub(crate) fn command(&self) -> String {
        let mut command = format!("cargo xtask bench peers --rounds {}", self.rounds);
        if !self.words.is_empty() {
            command += &format!(" --only {}", self.words.join(" "));
        }
        if self.save {
            command += " --save";
        }
        command
    }
}

/// `--name=value` as two words; anything else as it is.
fn split(argument: &str) -> Vec<String> {
    match argument.split_once('=') {
        Some((name, value)) if name.starts_with("--") => vec![name.to_owned(), value.to_owned()],
        _ => vec![argument.to_owned()],
    }
}

/// The number of rounds.
fn count(text: Option<&str>) -> Result<usize, TaskError> {
    let number = text.and_then(|text| text.parse().ok()).filter(|number| (1..=MOST_ROUNDS).contains(number));
    number.ok_or_else(|| {
        TaskError::Usage(format!("`--rounds` takes a number from 1 to {MOST_ROUNDS}, but was given {}", given(text)))
    })
}

fn given(text: Option<&str>) -> String {
    text.map_or_else(|| "nothing".to_owned(), |text| format!("`{text}`"))
}

/// No case of this backend has all of the words in its name.
fn no_case(backend: Backend, words: &[String]) -> TaskError {
    let (on_processor, on_card) = (cases::matching(&[]), card::matching(false, &[]));
    let on_processor = on_processor.iter().map(|target| target.case.name).filter(|_| backend != Backend::Gpu);
    let on_card = on_card.iter().map(|case| case.name).filter(|_| backend != Backend::Cpu);
    let list = |names: Vec<&str>, place: &str| match names.is_empty() {
        true => String::new(),
        false => format!("\n{place}:\n  {}", names.join("\n  ")),
    };
    TaskError::Usage(format!(
        "no case has all of the words `{}` in its name; the cases are{}{}",
        words.join("`, `"),
        list(on_processor.collect(), "on the processor"),
        list(on_card.collect(), "on a graphics card")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::peers::cases::TARGETS;

    fn parse(text: &str) -> Result<Options, TaskError> {
        Options::parse(&text.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    /// The cases on the processor and on a card.
    fn counts(text: &str) -> (usize, usize) {
        let options = parse(text).expect("well-formed");
        (options.targets.len(), options.comparison.cases.len())
    }

    #[test]
    fn without_arguments_all_cases_are_measured_and_nothing_is_written() {
        let options = parse("").expect("well-formed");
        assert_eq!((options.rounds, options.backend, options.save), (DEFAULT_ROUNDS, Backend::Auto, false));
        assert_eq!(options.comparison.rounds, gpu::DEFAULT_ROUNDS);
        assert_eq!(counts(""), (TARGETS.len(), card::matching(false, &[]).len()));
    }

    #[test]
    fn options_are_read_in_any_order_and_the_command_can_be_repeated() {
        let options = parse("--only rk4 3x64 --rounds=3").expect("well-formed");
        assert_eq!((options.rounds, options.comparison.rounds, options.targets.len()), (3, 3, 2));
        assert_eq!(options.command(), "cargo xtask bench peers --rounds 3 --only rk4 3x64");
        let options = parse("--save --rounds 7").expect("well-formed");
        assert!(options.save);
        assert_eq!(options.command(), "cargo xtask bench peers --rounds 7 --save");
    }

    #[test]
    fn a_backend_has_its_cases_and_a_card_its_programs() {
        let (on_processor, on_card) = counts("");
        assert_eq!(counts("--backend cpu"), (on_processor, 0));
        assert_eq!(counts("--backend=gpu"), (0, on_card));
        assert_eq!(counts("--only lattice"), (2, 0));
        assert_eq!(counts("--only 4096"), (0, 1));
        let options = parse("--python venv/bin/python --adapter H100 --program ./gpu").expect("well-formed");
        let Comparison { python, adapter, .. } = options.comparison;
        let given = [python, adapter, options.program].map(|value| value.expect("given"));
        assert_eq!(given, ["venv/bin/python", "H100", "./gpu"]);
    }

    #[test]
    fn words_that_fit_no_case_of_the_backend_are_refused_with_its_list() {
        let told = |given: &str| parse(given).expect_err(given).to_string();
        let (processor, card) = ("lattice 3×400, 100 points", "training step 4×500, batch 4096");
        let message = told("--only 7x7");
        assert!(message.contains("`7x7`") && message.contains(processor) && message.contains(card), "{message}");
        let message = told("--backend gpu --only lattice");
        assert!(!message.contains(processor) && message.contains(card), "{message}");
        let message = told("--backend cpu --only 4096");
        assert!(message.contains(processor) && !message.contains(card), "{message}");
    }

    #[test]
    fn each_mistake_is_named() {
        for (given, named) in [
            ("--rounds", "given nothing"),
            ("--rounds 0", "`0`"),
            ("--rounds many", "`many`"),
            ("--rounds --save", "given nothing"),
            ("--only", "--only rk4 3x64"),
            ("--only 9x9", "`9x9`"),
            ("--onyl rk4", "Did you mean `--only`?"),
            ("rk4", "`rk4`"),
            ("--only rk4 --save", "leave out `--only`"),
            ("--backend", "given nothing"),
            ("--backend cuda", "`cuda`"),
            ("--backend gpu --save", "bench gpu --save"),
            ("--backend cpu --python python3", "`--python`"),
            ("--python", "JAX"),
            ("--adapter --save", "`discrete`"),
        ] {
            let error = parse(given).expect_err(given);
            assert!(matches!(error, TaskError::Usage(_)), "{given}");
            assert!(error.to_string().contains(named), "{given}: {error}");
        }
    }
}
