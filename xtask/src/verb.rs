//! The verbs and what happens to a misspelt one.

use std::ffi::OsStr;

use crate::error::TaskError;

/// What `cargo xtask` can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Build `lnn` and run an experiment.
    Experiment,
    /// Run every test and check.
    Test,
    /// Run the checks that need no test program.
    Tidy,
    /// Run the commands and code of the documents.
    Documents,
    /// Compare the public interfaces with an earlier revision's.
    Semver,
    /// Run the benchmarks.
    Bench,
}

const VERBS: [(&str, Verb); 6] = [
    ("experiment", Verb::Experiment),
    ("test", Verb::Test),
    ("tidy", Verb::Tidy),
    ("documents", Verb::Documents),
    ("semver", Verb::Semver),
    ("bench", Verb::Bench),
];

impl Verb {
    /// The verb of this exact name; else a usage error with the nearest name and the whole list.
    pub(crate) fn parse(name: &OsStr) -> Result<Self, TaskError> {
        VERBS.iter().find(|(known, _)| name == *known).map(|(_, verb)| *verb).ok_or_else(|| {
            let names = VERBS.map(|(known, _)| known);
            TaskError::Usage(unknown("verb", &name.to_string_lossy(), &names))
        })
    }
}

/// Message for a name that is not in `known`: the nearest valid one, if any is near, and all of them.
pub(crate) fn unknown(what: &str, given: &str, known: &[&str]) -> String {
    let hint = nearest(given, known).map(|name| format!(" Did you mean `{name}`?")).unwrap_or_default();
    let list: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    format!("there is no {what} `{given}`.{hint} Known: {}. See `cargo xtask --help`.", list.join(", "))
}

/// The known name nearest to `given` by edit distance (insertions, deletions, replacements and swaps
/// of neighbours), unless even that one has less than half of its letters right.
fn nearest<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(given, name), *name))
        .min()
        .filter(|(distance, name)| 2 * distance <= name.chars().count())
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_name_parses_to_its_verb() {
        for (name, verb) in VERBS {
            assert_eq!(Verb::parse(OsStr::new(name)).ok(), Some(verb));
        }
    }

    #[test]
    fn a_misspelt_verb_is_refused_with_the_nearest_and_the_list() {
        let error = Verb::parse(OsStr::new("tset")).expect_err("`tset` is no verb");
        assert!(matches!(error, TaskError::Usage(_)));
        let message = error.to_string();
        assert!(message.contains("`tset`") && message.contains("Did you mean `test`?"), "{message}");
        for (name, _) in VERBS {
            assert!(message.contains(&format!("`{name}`")), "{message}");
        }
    }

    #[test]
    fn a_far_name_gets_no_hint() {
        assert_eq!(nearest("deploy", &VERBS.map(|(name, _)| name)), None);
        assert_eq!(nearest("experimnt", &VERBS.map(|(name, _)| name)), Some("experiment"));
    }
}
