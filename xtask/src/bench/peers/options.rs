//! The command line of `cargo xtask bench peers`.

use std::ffi::OsString;

use super::cases::{self, Target};
use crate::error::TaskError;
use crate::verb;

/// Rounds unless said otherwise.
pub(crate) const DEFAULT_ROUNDS: usize = 5;

/// Most rounds accepted: hours.
const MOST_ROUNDS: usize = 1000;

const KNOWN: [&str; 3] = ["--rounds", "--only", "--save"];

/// What to measure and whether to keep it.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) rounds: usize,
    /// In the table's order, not empty.
    pub(crate) targets: Vec<&'static Target>,
    pub(crate) save: bool,
    words: Vec<String>,
}

impl Options {
    /// Reads the arguments after `bench peers`; `--name value` and `--name=value` are the same.
    pub(crate) fn parse(arguments: &[OsString]) -> Result<Self, TaskError> {
        let (mut rounds, mut words, mut save) = (DEFAULT_ROUNDS, Vec::new(), false);
        let mut arguments = arguments.iter().flat_map(|argument| split(&argument.to_string_lossy())).peekable();
        while let Some(option) = arguments.next() {
            let mut value = || arguments.next_if(|next| !next.starts_with("--"));
            match &*option {
                "--rounds" => rounds = count(value().as_deref())?,
                "--only" => {
                    while let Some(text) = value() {
                        words.extend(text.split_whitespace().map(str::to_owned));
                    }
                    if words.is_empty() {
                        let message = "`--only` takes words of the cases' names, such as `--only rk4 3x64`";
                        return Err(TaskError::Usage(message.into()));
                    }
                }
                "--save" => save = true,
                other => return Err(TaskError::Usage(verb::unknown("option of `bench peers`", other, &KNOWN))),
            }
        }
        if save && !words.is_empty() {
            return Err(TaskError::Usage(
                "`--save` writes the document from a run of all cases: leave out `--only`, or leave out `--save`"
                    .into(),
            ));
        }
        Ok(Self { rounds, targets: cases::matching(&words)?, save, words })
    }

    /// What a person would type to repeat the run.
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
        let given = text.map_or_else(|| "nothing".to_owned(), |text| format!("`{text}`"));
        TaskError::Usage(format!("`--rounds` takes a number from 1 to {MOST_ROUNDS}, but was given {given}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::peers::cases::TARGETS;

    fn parse(text: &str) -> Result<Options, TaskError> {
        Options::parse(&text.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn without_arguments_all_cases_are_measured_and_nothing_is_written() {
        let options = parse("").expect("well-formed");
        assert_eq!((options.rounds, options.targets.len(), options.save), (DEFAULT_ROUNDS, TARGETS.len(), false));
    }

    #[test]
    fn options_are_read_in_any_order_and_the_command_can_be_repeated() {
        let options = parse("--only rk4 3x64 --rounds=3").expect("well-formed");
        assert_eq!((options.rounds, options.targets.len()), (3, 2));
        assert_eq!(options.command(), "cargo xtask bench peers --rounds 3 --only rk4 3x64");
        let options = parse("--save --rounds 7").expect("well-formed");
        assert!(options.save);
        assert_eq!(options.command(), "cargo xtask bench peers --rounds 7 --save");
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
        ] {
            let error = parse(given).expect_err(given);
            assert!(matches!(error, TaskError::Usage(_)), "{given}");
            assert!(error.to_string().contains(named), "{given}: {error}");
        }
    }
}
