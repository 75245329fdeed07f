//! The command line of `cargo xtask bench gpu`.

use std::ffi::OsString;

use crate::error::TaskError;
use crate::verb;

const KNOWN: [&str; 3] = ["--adapter", "--quick", "--save"];

/// What to measure, on what, and whether to keep it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    adapter: Option<String>,
    quick: bool,
    pub(crate) save: bool,
    filters: Vec<String>,
}

impl Options {
    /// Reads the arguments after `bench gpu`; `--adapter NAME` and `--adapter=NAME` are the same.
    pub(crate) fn parse(arguments: &[OsString]) -> Result<Self, TaskError> {
        let mut options = Self::default();
        let mut words = arguments.iter().map(|word| word.to_string_lossy().into_owned()).peekable();
        while let Some(word) = words.next() {
            match word.split_once('=').unwrap_or((&word, "")) {
                ("--adapter", "") => options.adapter = Some(name(words.next_if(|next| !next.starts_with('-')))?),
                ("--adapter", given) => options.adapter = Some(given.to_owned()),
                ("--quick", "") => options.quick = true,
                ("--save", "") => options.save = true,
                (option, _) if option.starts_with('-') => {
                    return Err(TaskError::Usage(verb::unknown("option of `bench gpu`", option, &KNOWN)));
                }
                _ => options.filters.push(word),
            }
        }
        let partial = if options.quick { Some("--quick") } else { options.filters.first().map(String::as_str) };
        match partial.filter(|_| options.save) {
            Some(partial) => Err(TaskError::Usage(format!(
                "`--save` writes the document from a run of all cases at their sizes: leave out `{partial}`, or leave \
                 out `--save`"
            ))),
            None => Ok(options),
        }
    }

    /// The bench's own arguments.
    pub(crate) fn passed_on(&self) -> Vec<&str> {
        let adapter = self.adapter.iter().flat_map(|name| ["--adapter", name]);
        let quick = self.quick.then_some("--quick");
        adapter.chain(quick).chain(self.filters.iter().map(String::as_str)).collect()
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

fn name(given: Option<String>) -> Result<String, TaskError> {
    given.ok_or_else(|| {
        TaskError::Usage("`--adapter` takes `best`, a kind such as `discrete`, or a part of an adapter's name".into())
    })
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
        let options = parse("--adapter=discrete --save").expect("well-formed");
        assert!(options.save);
        assert_eq!(options.passed_on(), ["--adapter", "discrete"]);
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
        ] {
            let error = parse(given).expect_err(given);
            assert!(matches!(error, TaskError::Usage(_)), "{given}");
            assert!(error.to_string().contains(named), "{given}: {error}");
        }
    }
}
