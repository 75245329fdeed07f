//! The command line of `cargo xtask bench gpu`.

use std::ffi::OsString;

use super::peers::{Comparison, matching};
use crate::error::TaskError;
use crate::verb;

const KNOWN: [&str; 10] = [
    "--adapter",
    "--quick",
    "--save",
    "--whole",
    "--tune",
    "--shape",
    "--program",
    "--python",
    "--rounds",
    "--require-peers",
];

/// Rounds of the comparison with JAX unless said otherwise: each starts and compiles JAX twice a case.
pub(crate) const DEFAULT_ROUNDS: usize = 3;

/// What to measure, on what, and whether to keep it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    adapter: Option<String>,
    quick: bool,
    pub(crate) save: bool,
    whole: bool,
    pub(crate) tune: bool,
    shapes: Vec<String>,
    /// The bench, where it is not to be built.
    pub(crate) program: Option<String>,
    /// The Python whose JAX is the peer.
    python: Option<String>,
    rounds: usize,
    pub(crate) require_peers: bool,
    filters: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            adapter: None,
            quick: false,
            save: false,
            whole: false,
            tune: false,
            shapes: Vec::new(),
            program: None,
            python: None,
            rounds: DEFAULT_ROUNDS,
            require_peers: false,
            filters: Vec::new(),
        }
    }
}

impl Options {
    /// Reads the arguments after `bench gpu`; `--adapter NAME` and `--adapter=NAME` are the same.
    pub(crate) fn parse(arguments: &[OsString]) -> Result<Self, TaskError> {
        let mut options = Self::default();
        let mut words = arguments.iter().map(|word| word.to_string_lossy().into_owned()).peekable();
        while let Some(word) = words.next() {
            if !word.starts_with('-') {
                options.filters.push(word);
                continue;
            }
            let (option, given) = match word.split_once('=') {
                Some((option, given)) => (option, Some(given.to_owned())),
                None => (&*word, None),
            };
            let flag = |set: &mut bool| match &given {
                None => {
                    *set = true;
                    Ok(())
                }
                Some(_) => Err(TaskError::Usage(format!("`{option}` takes no value"))),
            };
            let mut value = |what: &str| {
                let given = given.clone().or_else(|| words.next_if(|next| !next.starts_with('-')));
                given.ok_or_else(|| TaskError::Usage(format!("`{option}` takes {what}")))
            };
            match option {
                "--adapter" => {
                    let what = "`best`, a kind such as `discrete`, or a part of an adapter's name";
                    options.adapter = Some(value(what)?);
                }
                "--shape" => options.shapes.push(value("layers x width and batch, such as `4x500,4096`")?),
                "--program" => options.program = Some(value("the bench's program")?),
                "--python" => options.python = Some(value("a Python that has JAX")?),
                "--rounds" => {
                    let rounds = value("a number of rounds")?;
                    options.rounds =
                        rounds.parse().ok().filter(|rounds| (1..=1000).contains(rounds)).ok_or_else(|| {
                            TaskError::Usage(format!("`--rounds` takes a number from 1 to 1000, not `{rounds}`"))
                        })?;
                }
                "--quick" => flag(&mut options.quick)?,
                "--save" => flag(&mut options.save)?,
                "--whole" => flag(&mut options.whole)?,
                "--tune" => flag(&mut options.tune)?,
                "--require-peers" => flag(&mut options.require_peers)?,
                other => return Err(TaskError::Usage(verb::unknown("option of `bench gpu`", other, &KNOWN))),
            }
        }
        options.judged()
    }

    /// Refuses options that do not go together.
    fn judged(self) -> Result<Self, TaskError> {
        let partial = if self.quick { Some("--quick") } else { self.filters.first().map(String::as_str) };
        if let Some(partial) = partial.filter(|_| self.save) {
            return Err(TaskError::Usage(format!(
                "`--save` writes the document from a run of all cases at their sizes: leave out `{partial}`, or leave \
                 out `--save`"
            )));
        }
        for (given, name) in [(self.save, "--save"), (self.whole, "--whole"), (self.require_peers, "--require-peers")] {
            if self.tune && given {
                return Err(TaskError::Usage(format!("`--tune` measures tiles alone: leave out `{name}`")));
            }
        }
        if !self.tune && !self.shapes.is_empty() {
            return Err(TaskError::Usage("`--shape` says what to tune for: add `--tune`".into()));
        }
        Ok(self)
    }

    /// The bench's own arguments.
    pub(crate) fn passed_on(&self) -> Vec<&str> {
        let adapter = self.adapter.iter().flat_map(|name| ["--adapter", name]);
        let shapes = self.shapes.iter().flat_map(|shape| ["--shape", shape]);
        let flags = [(self.quick, "--quick"), (self.whole, "--whole"), (self.tune, "--tune")];
        let flags = flags.into_iter().filter_map(|(given, name)| given.then_some(name));
        adapter.chain(flags).chain(shapes).chain(self.filters.iter().map(String::as_str)).collect()
    }

    /// What is asked of the comparison with JAX.
    pub(crate) fn comparison(&self) -> Comparison {
        Comparison {
            cases: matching(self.quick, &self.filters),
            rounds: if self.quick { 1 } else { self.rounds },
            python: self.python.clone(),
            adapter: self.adapter.clone(),
        }
    }

    /// What a person would type to repeat the run.
    pub(crate) fn command(&self) -> String {
        let mut words = vec!["cargo xtask bench gpu".to_owned()];
        let quoted = |word: &str| if word.contains(' ') { format!("'{word}'") } else { word.to_owned() };
        words.extend(self.passed_on().into_iter().map(quoted));
        words.extend(self.save.then(|| "--save".to_owned()));
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Options, TaskError> {
        Options::parse(&text.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn options_and_filters_come_in_any_order_and_the_command_can_be_repeated() {
        let options = parse("4x500 --adapter H100 4096 --quick").expect("well-formed");
        assert_eq!(options.passed_on(), ["--adapter", "H100", "--quick", "4x500", "4096"]);
        assert_eq!(options.command(), "cargo xtask bench gpu --adapter H100 --quick 4x500 4096");
        let options = parse("--adapter=discrete --save --whole").expect("well-formed");
        assert!(options.save);
        assert_eq!(options.passed_on(), ["--adapter", "discrete", "--whole"]);
        let options = parse("--tune --shape 4x500,4096 --shape=3x64,512,8").expect("well-formed");
        assert_eq!(options.passed_on(), ["--tune", "--shape", "4x500,4096", "--shape", "3x64,512,8"]);
        // What is this program's own is not passed on.
        let options =
            parse("--program ./gpu --python venv/bin/python --rounds=7 --require-peers").expect("well-formed");
        assert_eq!((options.rounds, options.require_peers, options.passed_on().len()), (7, true, 0));
        assert_eq!(options.program.zip(options.python), Some(("./gpu".into(), "venv/bin/python".into())));
        assert_eq!(parse("").expect("well-formed"), Options::default());
    }

    #[test]
    fn a_name_with_a_space_is_quoted() {
        let words = ["--adapter", "NVIDIA H100"].map(OsString::from);
        let command = Options::parse(&words).expect("well-formed").command();
        assert_eq!(command, "cargo xtask bench gpu --adapter 'NVIDIA H100'");
    }

    #[test]
    fn each_mistake_is_named() {
        for (given, named) in [
            ("--adapter", "`discrete`"),
            ("--adapter --quick", "`discrete`"),
            ("--adaptor x", "Did you mean `--adapter`?"),
            ("--quick --save", "leave out `--quick`"),
            ("--save 4x500", "leave out `4x500`"),
            ("--quick=yes", "`--quick`"),
            ("--tune --save", "leave out `--save`"),
            ("--tune --whole", "leave out `--whole`"),
            ("--shape 4x500,4096", "add `--tune`"),
            ("--tune --shape", "4x500,4096"),
            ("--rounds 0", "1 to 1000"),
            ("--python --quick", "JAX"),
        ] {
            let error = parse(given).expect_err(given);
            assert!(matches!(error, TaskError::Usage(_)), "{given}");
            assert!(error.to_string().contains(named), "{given}: {error}");
        }
    }
}
